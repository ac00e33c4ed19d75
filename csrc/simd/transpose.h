// Permutations of elements in registers.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Rows r[0 .. width) of elements become columns: log2(width) perfect shuffles.
template <class T> GYAKU_INLINE void transpose_square(vec<T> (&r)[vec<T>::width]) {
  constexpr int width = vec<T>::width;
#pragma GCC unroll 4
  for (int stage = 1; stage < width; stage *= 2) {
    vec<T> next[width];
#pragma GCC unroll 16
    for (int i = 0; i < width / 2; ++i) {
      next[2 * i] = interleave_low(r[i], r[i + width / 2]);
      next[2 * i + 1] = interleave_high(r[i], r[i + width / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) r[i] = next[i];
  }
}

// Element i of each vector, side by side for ascending i: one vector, two or four of them.
template <class T, int count> GYAKU_INLINE void interleave_all(vec<T> (&r)[count]) {
  if constexpr (count == 2) {
    const vec<T> low = interleave_low(r[0], r[1]);
    r[1] = interleave_high(r[0], r[1]);
    r[0] = low;
  } else if constexpr (count == 4) {
    vec<T> even[2]{r[0], r[2]}, odd[2]{r[1], r[3]};
    interleave_all(even);
    interleave_all(odd);
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      r[2 * i] = interleave_low(even[i], odd[i]);
      r[2 * i + 1] = interleave_high(even[i], odd[i]);
    }
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
