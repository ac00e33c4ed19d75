// Philox4x32-10 (Salmon et al. 2011), a block of four words in each lane.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

using Words = vec<std::uint64_t>; // 32-bit words in 64-bit lanes; the upper halves hold anything

// The full product of each lane's lower half and a 32-bit constant.
GYAKU_INLINE Words multiply(Words a, std::uint32_t factor) {
#if defined(GYAKU_SCALAR)
  return Words::native{std::uint64_t{static_cast<std::uint32_t>(a.v[0])} * factor};
#elif defined(__AVX512F__)
  return Words::native(
      _mm512_maskz_mul_epu32(__mmask8(-1), __m512i(a.v), _mm512_set1_epi64(std::int64_t{factor})));
#elif defined(__AVX2__)
  return Words::native(_mm256_mul_epu32(__m256i(a.v), _mm256_set1_epi64x(std::int64_t{factor})));
#elif defined(__x86_64__)
  return Words::native(_mm_mul_epu32(__m128i(a.v), _mm_set1_epi64x(std::int64_t{factor})));
#else
  return Words::native(vmull_u32(vmovn_u64(uint64x2_t(a.v)), vdup_n_u32(factor)));
#endif
}

struct PhiloxKey {
  std::uint32_t low, high;
};
struct PhiloxBlocks {
  Words word[4];
};

// The blocks numbered by the lanes of `block`, at most 2^32 - 1.
GYAKU_INLINE PhiloxBlocks philox(Words block, std::uint32_t stream, std::uint64_t step,
                                 PhiloxKey key) {
  Words c0 = block, c1(std::uint64_t{stream}), c2(step), c3(step >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words p0 = multiply(c0, 0xD2511F53), p1 = multiply(c2, 0xCD9E8D57);
    c0 = (p1 >> 32) ^ c1 ^ Words(std::uint64_t{key.low});
    c2 = (p0 >> 32) ^ c3 ^ Words(std::uint64_t{key.high});
    c1 = p1;
    c3 = p0;
    key.low += 0x9E3779B9;
    key.high += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
