// Gradient with respect to the images of a convolution with few channels, such as the first of a
// network.
//
// Three channels would fill three lanes of a vector. But the contributions of a pixel of dy to one
// row of the image, (kernel column, channel), are contiguous: they are summed over the filters for
// several pixels of a row of dy, then added where the windows overlap.
#pragma once

#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/conv.h"
#include "kernels/conv_tile.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Contributions of the pixels of a stretch (part of a row of dy), on the stack: 16 KB.
template <class T> constexpr std::int64_t stretch_numbers = 16 * 1024 / sizeof(T);

template <class T> struct FewChannels {
  static constexpr int width = vec<T>::width;
  const ConvShape& shape;
  std::int64_t contributions; // of a pixel of dy to a row of dx, in elements
  std::int64_t vectors;       // of contributions

  explicit FewChannels(const ConvShape& s)
      : shape(s), contributions(std::int64_t{s.columns.taps} * s.channels),
        vectors(ceil_div(contributions, width)) {}

  // Layout of weights: [kernel row][panel][filter][vectors of the panel * width].
  std::int64_t row_weights() const { return shape.filters * vectors * width; }
  // f(first vector, vectors) for each panel.
  template <class F> GYAKU_INLINE void for_each_panel(F f) const {
    std::int64_t first = 0;
    for (; first + 2 <= vectors; first += 2) f(first, 2);
    if (first < vectors) f(first, 1);
  }

  // Pixels of dy in a stretch.
  std::int64_t stretch() const { return stretch_numbers<T> / (vectors * width); }

  // contribution[pixel][vectors * width] for a stretch of a row of dy.
  void contribute(const T* dy, const T* w, std::int64_t pixels, T* contribution) const {
    TileLoop<T> loop{};
    loop.rows = loop.taps = 1;
    loop.terms = loop.pixel_x = shape.filters;
    loop.pixel_y = vectors * width;
    loop.last = width;
    for_each_panel([&](std::int64_t first, int size) {
      const ConvTile<T>* tiles = size == 2 ? plain_tiles<T, 2>.of : plain_tiles<T, 1>.of;
      for_each_piece(pixels, size == 2 ? plain_pixels<2> : plain_pixels<1>, [&](Range some) {
        tiles[some.size() - 1](loop, dy + some.begin * loop.pixel_x,
                               w + first * width * shape.filters,
                               contribution + some.begin * loop.pixel_y + first * width, nullptr);
      });
    });
  }

  // dx += the contributions of a stretch, in the order of its pixels; `pixels` in the row of dy.
  void add_overlaps(const T* contribution, Range pixels, T* dx) const {
    const std::int64_t channels = shape.channels;
    for (std::int64_t r = 0; r < shape.columns.stride; ++r) {
      StridedAxis axis = backward_axis(shape.columns, r);
      if (axis.taps == 0) continue;
      axis.origin -= pixels.begin;
      axis.sources = pixels.size();
      const std::int64_t end = axis.results_of(0).end;
      for (std::int64_t q = axis.results_of(axis.taps - 1).begin; q < end; ++q) {
        const Range seen = axis.taps_of(q);
        const T* from = contribution + (axis.origin + q) * vectors * width + axis.tap * channels;
        const std::int64_t step = axis.tap_step * vectors * width + axis.tap_skip * channels;
        T* to = dx + (axis.first + q * axis.step) * channels;
        if (channels < 3) { // partial vectors cost more than their few elements
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

// A slice counts kernel rows.
template <class T> void conv_few_channels_pack(const ConvPackArgs& args, Slice slice) noexcept {
  const FewChannels<T> plan(args.shape);
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
template <class T> void conv_few_channels(const ConvArgs& args, Slice slice) noexcept {
  alignas(64) T contribution[stretch_numbers<T>];
  const FewChannels<T> plan(args.shape);
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
    const StridedAxis axis = backward_axis(rows, place % rows.stride);
    const Range seen = axis.taps_of(place / rows.stride);
    for (std::int64_t t = seen.begin; t < seen.end; ++t) {
      const std::int64_t row = axis.origin + place / rows.stride + t * axis.tap_step;
      const T* from = dy + (image * rows.windows + row) * columns.windows * args.shape.filters;
      const T* w =
          static_cast<const T*>(args.packed) + (axis.tap + t * axis.tap_skip) * plan.row_weights();
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
