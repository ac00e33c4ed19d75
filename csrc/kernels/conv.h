// What the convolutions have in common: where windows lie, and how the work is cut.
#pragma once

#include "kernels/args/conv.h"
#include "kernels/kernel.h"
#include "kernels/range.h"
#include "simd/registers.h"
#include "simd/repeat.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return b == 1 ? a : a >= 0 ? a / b : -((b - 1 - a) / b);
}

template <class T> GYAKU_INLINE vec<T> load_some(const T* p, int n) {
  if constexpr (partial_is_free) return load_partial(p, n);
  return load(p, n);
}

// Filters beyond whole vectors, up to so many, share a vector, in which each has `rest_depth`
// lanes. 0 where that would gain nothing, and in float64, which is there for checks.
template <class T> constexpr int most_rest = sizeof(T) == 4 && vec<T>::width > 4 ? 4 : 0;
template <class T> constexpr int rest_depth = most_rest<T> > 0 ? vec<T>::width / most_rest<T> : 1;

// Each filter's number is the sum of the lanes that it has; they come to the front.
template <class T, int... i> GYAKU_INLINE vec<T> add_lanes(vec<T> sum, Integers<i...> lanes) {
  if constexpr (rest_depth<T> > 2) sum = sum + exchange<2>(sum, lanes);
  sum = sum + exchange<1>(sum, lanes);
  return __builtin_shufflevector(sum.v, sum.v, (i * rest_depth<T> % vec<T>::width)...);
}

// From [filter][pixel] to [pixel][filter], and back.
template <class T, int... i> GYAKU_INLINE vec<T> pixel_by_pixel(vec<T> x, Integers<i...>) {
  return __builtin_shufflevector(x.v, x.v,
                                 (i % most_rest<T> * rest_depth<T> + i / most_rest<T>)...);
}
template <class T, int... i> GYAKU_INLINE vec<T> filter_by_filter(vec<T> x, Integers<i...>) {
  return __builtin_shufflevector(x.v, x.v,
                                 (i % rest_depth<T> * most_rest<T> + i / rest_depth<T>)...);
}

// The same pointer, but the compiler does not know it: it would keep a register for each of many
// offsets, or for each number behind them, and spill them.
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

// Every `step`-th result along an axis, q = 0, 1, ... at place first + q * step. Its taps t = 0, 1,
// ... read the source at origin + q * source_step + t * tap_step, and are the window's taps
// tap + t * tap_skip.
struct Phase {
  std::int64_t first, step, count;
  std::int64_t sources, origin, source_step, tap_step;
  std::int64_t taps, tap, tap_skip;

  // The taps of result q that lie in the source.
  Range taps_of(std::int64_t q) const {
    const std::int64_t at = origin + q * source_step;
    return {most(0, -floor_div(at, tap_step)),
            least(taps, floor_div(sources - 1 - at, tap_step) + 1)};
  }
  // The results whose tap t lies in the source.
  Range results_of(std::int64_t t) const {
    const std::int64_t at = origin + t * tap_step;
    return {most(0, -floor_div(at, source_step)),
            least(count, floor_div(sources - 1 - at, source_step) + 1)};
  }
};

constexpr Phase forward_phase(const ConvAxis& axis) {
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

// Place i = residue + q * stride of the image is seen by window o through tap t where
// i + padding = o * stride + t * dilation: by every `skip`-th tap from the first that fits.
constexpr Phase backward_phase(const ConvAxis& axis, std::int64_t residue) {
  const std::int64_t stride = axis.stride, dilation = axis.dilation;
  std::int64_t divisor = stride;
  for (std::int64_t rest = dilation; rest != 0;) {
    const std::int64_t next = divisor % rest;
    divisor = rest;
    rest = next;
  }
  const std::int64_t skip = stride / divisor, place = residue + axis.padding;
  std::int64_t tap = 0;
  while (tap < skip && (place - tap * dilation) % stride != 0) ++tap;
  const std::int64_t taps = tap < skip && tap < axis.taps ? ceil_div(axis.taps - tap, skip) : 0;
  const std::int64_t last = tap + (taps - 1) * skip;
  // Turned round, so that the source rises with the tap.
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

// A convolution has one phase; its data gradient one for each residue modulo the stride.
constexpr std::int64_t phases_of(const ConvAxis& axis, bool backward) {
  return backward ? axis.stride : 1;
}
constexpr Phase phase_of(const ConvAxis& axis, bool backward, std::int64_t residue) {
  return backward ? backward_phase(axis, residue) : forward_phase(axis);
}

// f(taps, some of the results): first the taps that all results see, then each of the others with
// the results that see it. Called at least once.
template <class F> GYAKU_INLINE void for_each_view(const Phase& axis, Range results, F f) {
  Range common{axis.taps_of(results.begin).begin, axis.taps_of(results.end - 1).end};
  if (common.is_empty()) common = {0, 0};
  f(common, results);
  if (common.size() == axis.taps) return;
  for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
    const Range some = both(results, axis.results_of(tap));
    if ((tap < common.begin || tap >= common.end) && !some.is_empty()) f(Range{tap, tap + 1}, some);
  }
}

// Where a part of the images puts its gradients.
template <class T> struct PartGradients {
  T* dw;
  T* db;
  PartGradients(const ConvWeightsArgs& args, std::int64_t part)
      : dw(static_cast<T*>(args.dw) + part * args.stride),
        db(args.db != nullptr
               ? static_cast<T*>(args.db)
               : dw + args.stride - std::int64_t{args.shape.groups} * args.shape.filters) {}
};

// Memory that is read later: asked for in shares, while the work before it goes on.
class Ahead {
public:
  Ahead() = default;
  Ahead(const void* begin, const void* end, std::int64_t shares)
      : at_(static_cast<const char*>(begin)), end_(static_cast<const char*>(end)),
        share_(ceil_div(end_ - at_, line * most(1, shares)) * line) {}
  GYAKU_INLINE void ask() {
    for (std::int64_t left = least(share_, end_ - at_); left > 0; left -= line, at_ += line)
      __builtin_prefetch(at_, 0, 2);
  }

private:
  static constexpr std::int64_t line = 64;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::int64_t share_ = 0;
};

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
