// Shared by all convolutions: the axes of a convolution and of its gradients, and the partition of
// work.
//
// The structures of these files: a `StridedAxis` is one axis of an output, with its taps (kernel
// elements) and their positions in the source; an `ImageShape` is the extent of images, an
// `ImageView` a pointer to pixels with strides, a `PixelBox` a range of images, rows and columns. A
// `TileLoop` or `PixelLoop` has the counts and strides of the loops in a register tile; a `TileSet`
// is the tiles of one kind by size. `Ahead` prefetches.
#pragma once

#include "kernels/args/conv.h"
#include "kernels/kernel.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"
#include "simd/registers.h"
#include "simd/repeat.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return b == 1 ? a : a >= 0 ? a / b : -((b - 1 - a) / b);
}

// sum + a b, and sum + x. In a file that defines GYAKU_IN_PAIRS the elements of both operands are
// words of two numbers in bfloat16: neighbouring channels, or one element of two images.
#ifdef GYAKU_IN_PAIRS
template <class T> GYAKU_INLINE vec<T> add_product(vec<T> a, vec<T> b, vec<T> sum) {
  return add_products(Pairs::native(a.v), Pairs::native(b.v), sum);
}
template <class T> GYAKU_INLINE vec<T> add_element(vec<T> sum, vec<T> x) {
  constexpr std::uint32_t ones = 0x3f803f80;
  return add_products(Pairs::native(x.v), Pairs(ones), sum);
}
#else
template <class T> GYAKU_INLINE vec<T> add_product(vec<T> a, vec<T> b, vec<T> sum) {
  return fma(a, b, sum);
}
template <class T> GYAKU_INLINE vec<T> add_element(vec<T> sum, vec<T> x) { return sum + x; }
#endif

template <class T> GYAKU_INLINE vec<T> load_some(const T* p, int n) {
  if constexpr (partial_is_free) return load_partial(p, n);
  return load(p, n);
}

// Up to so many filters beyond whole vectors share one vector, in which each has `remainder_depth`
// lanes. 0 where that gains nothing, and in float64, which serves checks.
template <class T> constexpr int max_remainder = sizeof(T) == 4 && vec<T>::width > 4 ? 4 : 0;
template <class T>
constexpr int remainder_depth = max_remainder<T> > 0 ? vec<T>::width / max_remainder<T> : 1;

// Adds up the lanes of each filter; the sums are moved to the front.
template <class T, int... i> GYAKU_INLINE vec<T> add_lanes(vec<T> sum, Integers<i...> lanes) {
  if constexpr (remainder_depth<T> > 2) sum = sum + exchange<2>(sum, lanes);
  sum = sum + exchange<1>(sum, lanes);
  return __builtin_shufflevector(sum.v, sum.v, (i * remainder_depth<T> % vec<T>::width)...);
}

// From [filter][pixel] to [pixel][filter], and back.
template <class T, int... i> GYAKU_INLINE vec<T> pixel_by_pixel(vec<T> x, Integers<i...>) {
  return __builtin_shufflevector(
      x.v, x.v, (i % max_remainder<T> * remainder_depth<T> + i / max_remainder<T>)...);
}
template <class T, int... i> GYAKU_INLINE vec<T> filter_by_filter(vec<T> x, Integers<i...>) {
  return __builtin_shufflevector(
      x.v, x.v, (i % remainder_depth<T> * max_remainder<T> + i / remainder_depth<T>)...);
}

// The same pointer, but opaque to the compiler, which would otherwise keep a register for each of
// many offsets, or for each element behind them, and spill them.
template <class T> GYAKU_INLINE const T* opaque(const T* p) {
  asm("" : "+r"(p));
  return p;
}

// f(range) for [0, count) cut into nearly equal pieces of at most `size`.
template <class F> GYAKU_INLINE void for_each_piece(std::int64_t count, std::int64_t size, F f) {
  const std::int64_t pieces = ceil_div(count, size);
  std::int64_t begin = 0;
  for (std::int64_t piece = 1; piece <= pieces; ++piece) {
    const std::int64_t end = count * piece / pieces;
    f(Range{begin, end});
    begin = end;
  }
}

// Every `step`-th output along an axis, q = 0, 1, ..., at position first + q * step. Its taps t =
// 0, 1, ... read the source at origin + q * source_step + t * tap_step, and are the taps tap + t *
// tap_skip of the kernel.
struct StridedAxis {
  std::int64_t first, step, count;
  std::int64_t sources, origin, source_step, tap_step;
  std::int64_t taps, tap, tap_skip;

  // Taps of output q inside the source.
  Range taps_of(std::int64_t q) const {
    const std::int64_t at = origin + q * source_step;
    return {most(0, -floor_div(at, tap_step)),
            least(taps, floor_div(sources - 1 - at, tap_step) + 1)};
  }
  // Outputs whose tap t is inside the source.
  Range results_of(std::int64_t t) const {
    const std::int64_t at = origin + t * tap_step;
    return {most(0, -floor_div(at, source_step)),
            least(count, floor_div(sources - 1 - at, source_step) + 1)};
  }
};

constexpr StridedAxis forward_axis(const ConvAxis& axis) {
  return {0,
          1,
          axis.windows,
          axis.size,
          -std::int64_t{axis.padding},
          axis.stride,
          axis.dilation,
          axis.taps,
          0,
          1};
}

// Position i = residue + q * stride of the image contributes to window o through tap t where i +
// padding = o * stride + t * dilation: every `skip`-th tap from the first that divides.
constexpr StridedAxis backward_axis(const ConvAxis& axis, std::int64_t residue) {
  const std::int64_t stride = axis.stride, dilation = axis.dilation;
  std::int64_t divisor = stride;
  for (std::int64_t remainder = dilation; remainder != 0;) {
    const std::int64_t next = divisor % remainder;
    divisor = remainder;
    remainder = next;
  }
  const std::int64_t skip = stride / divisor, place = residue + axis.padding;
  std::int64_t tap = 0;
  while (tap < skip && (place - tap * dilation) % stride != 0) ++tap;
  const std::int64_t taps = tap < skip && tap < axis.taps ? ceil_div(axis.taps - tap, skip) : 0;
  const std::int64_t last = tap + (taps - 1) * skip;
  // Flipped, so that the position in the source rises with the tap.
  return {residue,
          stride,
          axis.size > residue ? ceil_div(axis.size - residue, stride) : 0,
          axis.windows,
          taps > 0 ? (place - last * dilation) / stride : 0,
          1,
          dilation / divisor,
          taps,
          last,
          -skip};
}

// A convolution has one such axis; its gradient with respect to the images one for each residue
// modulo the stride.
constexpr std::int64_t strided_axis_count(const ConvAxis& axis, bool backward) {
  return backward ? axis.stride : 1;
}
constexpr StridedAxis strided_axis(const ConvAxis& axis, bool backward, std::int64_t residue) {
  return backward ? backward_axis(axis, residue) : forward_axis(axis);
}

// f(taps, outputs): first the taps common to all outputs, then each other tap with the outputs that
// have it inside the source. Called at least once.
template <class F> GYAKU_INLINE void for_each_view(const StridedAxis& axis, Range results, F f) {
  Range common{axis.taps_of(results.begin).begin, axis.taps_of(results.end - 1).end};
  if (common.is_empty()) common = {0, 0};
  f(common, results);
  if (common.size() == axis.taps) return;
  for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
    const Range some = both(results, axis.results_of(tap));
    if ((tap < common.begin || tap >= common.end) && !some.is_empty()) f(Range{tap, tap + 1}, some);
  }
}

// Gradients of one part of the images.
template <class T> struct PartGradients {
  T* dw;
  T* db;
  PartGradients(const ConvWeightsArgs& args, std::int64_t part)
      : dw(static_cast<T*>(args.dw) + part * args.stride),
        db(args.db != nullptr
               ? static_cast<T*>(args.db)
               : dw + args.stride - std::int64_t{args.shape.groups} * args.shape.filters) {}
};

// Memory to read later, the same bytes behind each of some pointers: prefetched in chunks, during
// the work before.
class Ahead {
public:
  static constexpr int most_pointers = 3;

  Ahead() = default;
  Ahead(const void* begin, const void* end, std::int64_t chunks)
      : at_{static_cast<const char*>(begin)},
        left_(static_cast<const char*>(end) - static_cast<const char*>(begin)),
        chunk_(chunk_of(chunks)) {}
  Ahead(const void* const (&memory)[most_pointers], std::int64_t offset, std::int64_t bytes,
        std::int64_t chunks)
      : left_(bytes), chunk_(chunk_of(chunks)) {
    for (int i = 0; i < most_pointers; ++i)
      at_[i] = memory[i] == nullptr ? nullptr : static_cast<const char*>(memory[i]) + offset;
  }
  GYAKU_INLINE void ask() {
    const std::int64_t now = least(chunk_, left_);
    left_ -= now;
    for (const char*& at : at_) {
      if (at == nullptr) return;
      for (std::int64_t i = 0; i < now; i += line) __builtin_prefetch(at + i, 0, 2);
      at += now;
    }
  }

private:
  static constexpr std::int64_t line = 64;
  std::int64_t chunk_of(std::int64_t chunks) const {
    return ceil_div(left_, line * most(1, chunks)) * line;
  }
  const char* at_[most_pointers] = {};
  std::int64_t left_ = 0, chunk_ = 0;
};

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
