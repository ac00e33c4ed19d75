// bfloat16, the upper half of a float32: its sign, its exponent, and 7 bits of its significand.
#pragma once

#include "simd/narrow.h"
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

using Pairs = vec<std::uint32_t>; // two numbers of bfloat16 in each lane
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
// Pairs of neighbours in 32 numbers, the first one in the lower half. NaN stays NaN.
GYAKU_INLINE Pairs pairs_along(vec<float> first, vec<float> second) {
  return Pairs::native(_mm512_cvtne2ps_pbh(second.v, first.v));
}
// Pairs of neighbours among the first n numbers in memory, n <= 32; zero behind them.
GYAKU_INLINE Pairs load_pairs(const float* p, int n) {
  constexpr int width = vec<float>::width;
  if (n == 2 * width) return pairs_along(load(p), load(p + width));
  return n > width ? pairs_along(load(p), load_partial(p + width, n - width))
                   : pairs_along(load(p, n), zero<float>());
}
// Pairs of numbers in the same lane, the even one in the lower half.
template <int... i>
GYAKU_INLINE Pairs pairs_across(vec<float> even, vec<float> odd, Integers<i...>) {
  typedef std::uint16_t Halves __attribute__((vector_size(64)));
  const Halves all = Halves(_mm512_cvtne2ps_pbh(odd.v, even.v));
  return Pairs::native(__builtin_shufflevector(all, all, (i / 2 + i % 2 * 16)...));
}
GYAKU_INLINE Pairs pairs_across(vec<float> even, vec<float> odd) {
  return pairs_across(even, odd, typename Count<32>::type{});
}
// sum + a b of the upper halves + a b of the lower ones, rounded twice.
GYAKU_INLINE vec<float> add_products(Pairs a, Pairs b, vec<float> sum) {
#if defined(__clang__) && !defined(GYAKU_EMULATED)
  // Clang 16 never ends where it knows from which operations an operand comes.
  asm("" : "+v"(a.v), "+v"(b.v));
#endif
  return vec<float>::native(_mm512_dpbf16_ps(sum.v, __m512bh(a.v), __m512bh(b.v)));
}
#endif

// A hash of 32 bits without a bias that can be measured (C. Wellons, hash-prospector, 2018).
template <class Word> GYAKU_INLINE Word hashed(Word x) {
  x = x ^ (x >> 16);
  x = x * Word(std::uint32_t{0x7feb352d});
  x = x ^ (x >> 15);
  x = x * Word(std::uint32_t{0x846ca68b});
  return x ^ (x >> 16);
}

// Numbers in memory, of which the first n are read and written. `drawn`, below 2^16, is added to
// the bits that are cut off.
GYAKU_INLINE vec<float> load_bfloat16(const std::uint16_t* p, int n) {
  return from_bits<float>(load_narrow<float>(p, n) << 16);
}
GYAKU_INLINE void store_bfloat16(std::uint16_t* p, vec<float> x, vec<std::uint32_t> drawn, int n) {
  using Bits = vec<std::uint32_t>;
  const Bits given = Bits::native(x.v), quiet_nan(std::uint32_t{0x7fc0});
  const mask<float> is_number = x == x;
  const Bits upper = (given + drawn) >> 16;
  const auto kept =
      (upper.v & Bits::native(is_number.v)) | (quiet_nan.v & ~Bits::native(is_number.v));
  store_narrow<float>(p, lanes<float>(lanes<float>::native(kept)), n);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
