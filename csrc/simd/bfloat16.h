// bfloat16, the upper half of a float32: its sign, its exponent, and 7 bits of its significand.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Rounded to 8 significant bits, to nearest and to even in a tie; what is beyond the largest number
// becomes infinite, NaN stays. In float64, which serves checks, with its own exponents.
template <class T> GYAKU_INLINE vec<T> rounded_to_bfloat16(vec<T> x) {
  using Bits = vec<integer<T>>;
  constexpr int dropped = (sizeof(T) == 4 ? 23 : 52) - 7;
  constexpr auto below_half = static_cast<integer<T>>((std::int64_t{1} << (dropped - 1)) - 1);
  constexpr auto kept = static_cast<integer<T>>(-(std::int64_t{1} << dropped));
  const Bits given = bits(x), is_odd = (given >> dropped) & Bits(integer<T>(1));
  return select(x == x, from_bits<T>((given + Bits(below_half) + is_odd) & Bits(kept)), x);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
