// Shared by kernels along a row: its largest element, its exponentials.
#pragma once

#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The first n lanes of x, `fill` in the others.
template <class T> GYAKU_INLINE vec<T> fill_behind(vec<T> x, int n, vec<T> fill) {
  if (n == vec<T>::width) return x;
  const vec<integer<T>> count(static_cast<integer<T>>(n));
  return select(mask<T>((iota<integer<T>>() < count).v), x, fill);
}
// Beyond the end are neutral elements: -inf, whose exponential is 0.
template <class T> GYAKU_INLINE vec<T> load_scores(const T* x, int n) {
  return fill_behind(load(x, n), n, vec<T>(-number<T>::infinity));
}

// f(begin, end) for blocks of a row. Sums of blocks are added to the total one by one, so that the
// error grows with the number of blocks and their length, not with the length of the row.
template <class T, class F> GYAKU_INLINE void for_each_block_of_row(std::int64_t columns, F f) {
  constexpr std::int64_t block = 256 * vec<T>::width;
  for (std::int64_t begin = 0; begin < columns; begin += block)
    f(begin, columns - begin < block ? columns : begin + block);
}

// The largest element, in every lane; NaN are ignored, or the result is NaN.
template <class T> GYAKU_INLINE vec<T> largest_in_row(const T* x, std::int64_t columns) {
  vec<T> largest(-number<T>::infinity);
  for_each_vector<T>(0, columns,
                     [&](std::int64_t j, int n) { largest = max(load_scores(x + j, n), largest); });
  return max_across(largest);
}

// e = exp(x - largest) and its sum; a NaN anywhere makes the sum NaN.
template <class T> struct Exponentials {
  vec<T> largest, sum; // the same in every lane
};
template <class T>
GYAKU_INLINE Exponentials<T> exponentials(const T* x, T* e, std::int64_t columns) {
  const vec<T> largest = largest_in_row(x, columns);
  vec<T> sum = zero<T>();
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
    const vec<T> y = exp(load_scores(x + j, n) - largest);
    store(e + j, y, n);
    sum = sum + y;
  });
  return {largest, add_across(sum)};
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
