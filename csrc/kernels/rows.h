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

// A sum of blocks, with what rounding takes from it (Knuth's exact sum of two numbers): its error
// is that of the blocks, whatever their number.
template <class T> struct LongSum {
  vec<T> total = zero<T>(), lost = zero<T>();

  GYAKU_INLINE void add(vec<T> block) {
    const vec<T> sum = total + block, added = sum - total;
    lost = lost + ((total - (sum - added)) + (block - added));
    total = sum;
  }
  GYAKU_INLINE vec<T> value() const { // infinities lose NaN
    return select(abs(lost) < vec<T>(number<T>::infinity), total + lost, total);
  }
};

// The sums, lane by lane, of the values that f(j, n, sums) adds for each vector of a row.
template <int count, class T, class F>
GYAKU_INLINE void sum_row(std::int64_t columns, vec<T> (&sums)[count], F f) {
  constexpr std::int64_t block = 256 * vec<T>::width;
  LongSum<T> all[count];
  for (std::int64_t begin = 0; begin < columns; begin += block) {
    const std::int64_t end = columns - begin < block ? columns : begin + block;
    for (vec<T>& sum : sums) sum = zero<T>();
    for_each_vector<T>(begin, end, [&](std::int64_t j, int n) { f(j, n, sums); });
    if (columns <= block) return;
    for (int i = 0; i < count; ++i) all[i].add(sums[i]);
  }
  for (int i = 0; i < count; ++i) sums[i] = all[i].value();
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
