// The data gradient of a convolution with few channels, such as the first of a network.
//
// Three channels would fill three lanes of a vector. But what a pixel of dy gives to one row of the
// image, (window column, channel), lies side by side: it is summed over the filters for a stretch
// of dy's row, then added up where the windows overlap.
#pragma once

#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/conv.h"
#include "kernels/conv_tile.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// What the pixels of a stretch give, on the stack: 16 KB.
template <class T> constexpr std::int64_t stretch_numbers = 16 * 1024 / sizeof(T);

template <class T> struct Narrow {
  static constexpr int width = vec<T>::width;
  const ConvShape& shape;
  std::int64_t contributions; // numbers that a pixel of dy gives to a row of dx
  std::int64_t vectors;       // of them

  explicit Narrow(const ConvShape& s)
      : shape(s), contributions(std::int64_t{s.columns.taps} * s.channels),
        vectors(ceil_div(contributions, width)) {}

  // Weights lie [window row][panel][filter][vectors of the panel * width].
  std::int64_t row_weights() const { return shape.filters * vectors * width; }
  // f(first vector, vectors) for each panel.
  template <class F> GYAKU_INLINE void for_each_panel(F f) const {
    std::int64_t first = 0;
    for (; first + 2 <= vectors; first += 2) f(first, 2);
    if (first < vectors) f(first, 1);
  }

  // Pixels of dy in one stretch.
  std::int64_t stretch() const { return stretch_numbers<T> / (vectors * width); }

  // contribution[pixel][vectors * width] for a stretch of dy's row.
  void contribute(const T* dy, const T* w, std::int64_t pixels, T* contribution) const {
    Walk<T> walk{};
    walk.rows = walk.taps = 1;
    walk.terms = walk.pixel_x = shape.filters;
    walk.pixel_y = vectors * width;
    walk.last = width;
    for_each_panel([&](std::int64_t first, int size) {
      const ConvTile<T>* tiles = size == 2 ? plain_tiles<T, 2>.of : plain_tiles<T, 1>.of;
      for_each_piece(pixels, size == 2 ? plain_pixels<2> : plain_pixels<1>, [&](Range some) {
        tiles[some.size() - 1](walk, dy + some.begin * walk.pixel_x,
                               w + first * width * shape.filters,
                               contribution + some.begin * walk.pixel_y + first * width, nullptr);
      });
    });
  }

  // dx += what a stretch has given, in the order of its pixels; `pixels` of dy's row.
  void add_overlaps(const T* contribution, Range pixels, T* dx) const {
    const std::int64_t channels = shape.channels;
    for (std::int64_t r = 0; r < shape.columns.stride; ++r) {
      Phase phase = backward_phase(shape.columns, r);
      if (phase.taps == 0) continue;
      phase.origin -= pixels.begin;
      phase.sources = pixels.size();
      const std::int64_t end = phase.results_of(0).end;
      for (std::int64_t q = phase.results_of(phase.taps - 1).begin; q < end; ++q) {
        const Range seen = phase.taps_of(q);
        const T* from = contribution + (phase.origin + q) * vectors * width + phase.tap * channels;
        const std::int64_t step = phase.tap_step * vectors * width + phase.tap_skip * channels;
        T* to = dx + (phase.first + q * phase.step) * channels;
        if (channels < 3) { // the parts of a vector cost more than the few numbers in it
          for (std::int64_t c = 0; c < channels; ++c) {
            T sum = to[c];
            for (std::int64_t t = seen.begin; t < seen.end; ++t) sum += from[t * step + c];
            to[c] = sum;
          }
          continue;
        }
        for_each_vector<T>(0, channels, [&](std::int64_t c, int n) {
          vec<T> sum = load(to + c, n);
          for (std::int64_t t = seen.begin; t < seen.end; ++t)
            sum = sum + load(from + t * step + c, n);
          store(to + c, sum, n);
        });
      }
    }
  }
};

// A slice counts rows of the window.
template <class T> void conv_narrow_pack(const ConvPackArgs& args, Slice slice) noexcept {
  const Narrow<T> plan(args.shape);
  constexpr int width = vec<T>::width;
  const T* w = static_cast<const T*>(args.w);
  const std::int64_t filters = args.shape.filters;
  for (std::int64_t i = slice.begin; i < slice.end; ++i)
    plan.for_each_panel([&](std::int64_t first, int size) {
      T* to = static_cast<T*>(args.packed) + i * plan.row_weights() + first * width * filters;
      for (std::int64_t k = 0; k < filters; ++k)
        for (std::int64_t j = first * width; j < (first + size) * width; ++j, ++to)
          *to = j < plan.contributions ? w[(i * plan.contributions + j) * filters + k] : T(0);
    });
}

// A slice counts units of rows of dx, of all images.
template <class T> void conv_narrow(const ConvArgs& args, Slice slice) noexcept {
  alignas(64) T contribution[stretch_numbers<T>];
  const Narrow<T> plan(args.shape);
  const ConvAxis &rows = args.shape.rows, &columns = args.shape.columns;
  const T* dy = static_cast<const T*>(args.x);
  const T* bias = static_cast<const T*>(args.bias);
  const T alpha = static_cast<T>(args.alpha);
  const std::int64_t channels = args.shape.channels, dx_row = columns.size * channels;
  const std::int64_t end = least(slice.end * args.unit, args.images * rows.size);
  for (std::int64_t i = slice.begin * args.unit; i < end; ++i) {
    T* dx = static_cast<T*>(args.y) + i * dx_row;
    for (std::int64_t c = 0; c < dx_row; c += channels)
      for (std::int64_t k = 0; k < channels; ++k) dx[c + k] = bias == nullptr ? T(0) : bias[k];
    const std::int64_t image = i / rows.size, place = i % rows.size;
    const Phase phase = backward_phase(rows, place % rows.stride);
    const Range seen = phase.taps_of(place / rows.stride);
    for (std::int64_t t = seen.begin; t < seen.end; ++t) {
      const std::int64_t row = phase.origin + place / rows.stride + t * phase.tap_step;
      const T* from = dy + (image * rows.windows + row) * columns.windows * args.shape.filters;
      const T* w = static_cast<const T*>(args.packed) +
                   (phase.tap + t * phase.tap_skip) * plan.row_weights();
      for_each_piece(columns.windows, plan.stretch(), [&](Range pixels) {
        plan.contribute(from + pixels.begin * args.shape.filters, w, pixels.size(), contribution);
        plan.add_overlaps(contribution, pixels, dx);
      });
    }
    if (args.activation != Activation::identity) activate_row(args.activation, alpha, dx, dx_row);
    if (args.derivative != Activation::identity)
      differentiate_row(args.derivative, alpha, static_cast<const T*>(args.saved) + i * dx_row, dx,
                        dx_row);
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
