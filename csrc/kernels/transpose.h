// Squares of numbers, turned over in registers.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Rows r[0 .. width) of numbers become columns: log2(width) perfect shuffles.
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

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
