// Depthwise convolution: one filter for each channel, so that vectors run along the channels and
// the weights are read in place.
#pragma once

#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/conv.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int most_pixels = accumulators < 12 ? 4 : 8;

// Counts and strides of the sum of a tile: kernel rows and columns.
struct DepthwiseLoop {
  std::int64_t rows, row_x, row_w;
  std::int64_t taps, tap_x, tap_w;
  std::int64_t pixel_x, pixel_y;
  int lanes;
  bool accumulate; // onto y, instead of starting from the bias
};

// Several pixels of a row, one vector of channels. All pixels have all taps of the loop.
template <class T, int pixels>
void depthwise_tile(const DepthwiseLoop& loop, const T* x, const T* w, T* y,
                    const T* bias) noexcept {
  const int lanes = loop.lanes;
  const std::int64_t step = loop.pixel_x;
  vec<T> sum[pixels];
#pragma GCC unroll 8
  for (int i = 0; i < pixels; ++i)
    sum[i] = loop.accumulate   ? load(y + i * loop.pixel_y, lanes)
             : bias == nullptr ? zero<T>()
                               : load(bias, lanes);
  for (std::int64_t r = 0; r < loop.rows; ++r, x += loop.row_x, w += loop.row_w) {
    const T* a = x;
    const T* b = w;
    for (std::int64_t t = 0; t < loop.taps; ++t, a += loop.tap_x, b += loop.tap_w) {
      const vec<T> weight = load(b, lanes);
#pragma GCC unroll 8
      for (int i = 0; i < pixels; ++i) sum[i] = fma(load(a + i * step, lanes), weight, sum[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < pixels; ++i) store(y + i * loop.pixel_y, sum[i], lanes);
}

template <class T>
using DepthwiseTile = void (*)(const DepthwiseLoop&, const T*, const T*, T*, const T*) noexcept;
template <class T> struct DepthwiseTiles {
  DepthwiseTile<T> of[most_pixels];
};
template <class T, int... i> constexpr auto make_depthwise_tiles(Integers<i...>) {
  return DepthwiseTiles<T>{{depthwise_tile<T, i + 1>...}};
}
template <class T>
constexpr auto depthwise_tiles = make_depthwise_tiles<T>(typename Count<most_pixels>::type{});

// One row of y, for one axis of columns: `x` and `y` point to the beginning of the rows, `w` to the
// kernel.
template <class T>
void depthwise_row(const StridedAxis& rows, const StridedAxis& columns, std::int64_t q,
                   std::int64_t channels, std::int64_t window, const T* x, const T* w,
                   const T* bias, T* y) noexcept {
  const Range seen = rows.taps_of(q);
  DepthwiseLoop loop;
  loop.rows = most(0, seen.size());
  loop.row_x = rows.tap_step * columns.sources * channels;
  loop.row_w = rows.tap_skip * window * channels;
  loop.tap_x = columns.tap_step * channels;
  loop.tap_w = columns.tap_skip * channels;
  loop.pixel_x = columns.source_step * channels;
  loop.pixel_y = columns.step * channels;
  x += (rows.origin + q * rows.source_step + seen.begin * rows.tap_step) * columns.sources *
       channels;
  w += ((rows.tap + seen.begin * rows.tap_skip) * window + columns.tap) * channels;
  y += columns.first * channels;
  for_each_piece(columns.count, most_pixels, [&](Range pixels) {
    for_each_vector<T>(0, channels, [&](std::int64_t c, int lanes) {
      loop.lanes = lanes;
      loop.accumulate = false;
      for_each_view(columns, pixels, [&](Range taps, Range some) {
        loop.taps = taps.size();
        const std::int64_t column =
            columns.origin + some.begin * columns.source_step + taps.begin * columns.tap_step;
        depthwise_tiles<T>.of[some.size() - 1](
            loop, x + column * channels + c, w + taps.begin * loop.tap_w + c,
            y + some.begin * loop.pixel_y + c, bias == nullptr ? nullptr : bias + c);
        loop.accumulate = true;
      });
    });
  });
}

// A slice counts units of rows of y, of all images.
template <class T> void depthwise(const ConvArgs& args, Slice slice) noexcept {
  const ConvAxis &rows = args.shape.rows, &columns = args.shape.columns;
  const bool backward = args.backward;
  const std::int64_t channels = args.shape.groups;
  const std::int64_t x_rows = backward ? rows.windows : rows.size;
  const std::int64_t y_rows = backward ? rows.size : rows.windows;
  const std::int64_t x_image = x_rows * (backward ? columns.windows : columns.size) * channels;
  const std::int64_t y_row = (backward ? columns.size : columns.windows) * channels;
  const std::int64_t end = least(slice.end * args.unit, args.images * y_rows);
  const T alpha = static_cast<T>(args.alpha);
  for (std::int64_t i = slice.begin * args.unit; i < end; ++i) {
    T* y = static_cast<T*>(args.y) + i * y_row;
    const std::int64_t phases = strided_axis_count(rows, backward), place = i % y_rows;
    const StridedAxis row = strided_axis(rows, backward, place % phases);
    for (std::int64_t c = 0; c < strided_axis_count(columns, backward); ++c) {
      const StridedAxis column = strided_axis(columns, backward, c);
      depthwise_row(row, column, place / phases, channels, columns.taps,
                    static_cast<const T*>(args.x) + i / y_rows * x_image,
                    static_cast<const T*>(args.packed), static_cast<const T*>(args.bias), y);
    }
    if (args.activation != Activation::identity) activate_row(args.activation, alpha, y, y_row);
    if (args.derivative != Activation::identity)
      differentiate_row(args.derivative, alpha, static_cast<const T*>(args.saved) + i * y_row, y,
                        y_row);
  }
}

// Sum of x dy over rows and columns of an image, one vector of channels.
template <class T>
GYAKU_INLINE vec<T> sum_products(const T* x, const T* dy, Range rows, Range columns,
                                 std::int64_t x_row, std::int64_t x_column, std::int64_t dy_row,
                                 std::int64_t dy_column, int lanes) {
  constexpr int turns = 4; // independent sums: no product waits for the one before
  vec<T> sum[turns];
#pragma GCC unroll 4
  for (int turn = 0; turn < turns; ++turn) sum[turn] = zero<T>();
  for (std::int64_t r = 0; r < rows.size(); ++r, x += x_row, dy += dy_row) {
    const T* a = x;
    const T* b = dy;
    std::int64_t c = 0;
    for (; c + turns <= columns.size(); c += turns) {
#pragma GCC unroll 4
      for (int turn = 0; turn < turns; ++turn, a += x_column, b += dy_column)
        sum[turn] = fma(load(a, lanes), load(b, lanes), sum[turn]);
    }
    for (; c < columns.size(); ++c, a += x_column, b += dy_column)
      sum[0] = fma(load(a, lanes), load(b, lanes), sum[0]);
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// A slice counts parts: ranges of rows of all images, which depend on the problem alone.
template <class T> void depthwise_weights(const ConvWeightsArgs& args, Slice slice) noexcept {
  const StridedAxis rows = forward_axis(args.shape.rows),
                    columns = forward_axis(args.shape.columns);
  const std::int64_t channels = args.shape.groups, taps = rows.taps * columns.taps;
  const std::int64_t all = args.images * rows.count;
  // Rows that stay in the first-level cache for all taps.
  const std::int64_t step =
      most(1, 8 * 1024 / static_cast<int>(sizeof(T)) / (columns.count * vec<T>::width));
  for (std::int64_t part = slice.begin; part < slice.end; ++part) {
    const auto [dw, db] = PartGradients<T>(args, part);
    for_each_vector<T>(0, channels, [&](std::int64_t c, int lanes) {
      for (std::int64_t tap = 0; tap < taps; ++tap)
        store(dw + tap * channels + c, zero<T>(), lanes);
      store(db + c, zero<T>(), lanes);
      const std::int64_t last = all * (part + 1) / args.parts;
      for (std::int64_t i = all * part / args.parts; i < last;) {
        const std::int64_t image = i / rows.count, row = i % rows.count;
        const Range stretch{row, least(row + least(step, last - i), rows.count)};
        i += stretch.size();
        const T* x =
            static_cast<const T*>(args.x) + image * rows.sources * columns.sources * channels + c;
        const T* dy =
            static_cast<const T*>(args.dy) + image * rows.count * columns.count * channels + c;
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const std::int64_t r = tap / columns.taps, k = tap % columns.taps;
          const Range some = both(stretch, rows.results_of(r)), seen = columns.results_of(k);
          if (some.is_empty() || seen.is_empty()) continue;
          const std::int64_t x_row =
              rows.origin + some.begin * rows.source_step + r * rows.tap_step;
          const std::int64_t x_column =
              columns.origin + seen.begin * columns.source_step + k * columns.tap_step;
          T* to = dw + tap * channels + c;
          const vec<T> sum = sum_products(x + (x_row * columns.sources + x_column) * channels,
                                          dy + (some.begin * columns.count + seen.begin) * channels,
                                          some, seen, rows.source_step * columns.sources * channels,
                                          columns.source_step * channels, columns.count * channels,
                                          channels, lanes);
          store(to, load(to, lanes) + sum, lanes);
        }
        vec<T> sum = zero<T>();
        for (std::int64_t p = stretch.begin * columns.count; p < stretch.end * columns.count; ++p)
          sum = sum + load(dy + p * channels, lanes);
        store(db + c, load(db + c, lanes) + sum, lanes);
      }
    });
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
