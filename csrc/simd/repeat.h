// A few elements, repeated: four of them fill AVX-512, two AVX2.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// All of them are in memory, or only the first n.
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
GYAKU_INLINE vec<float> repeat(const float* p) {
  return vec<float>::native(_mm512_maskz_broadcast_f32x4(__mmask16(-1), _mm_loadu_ps(p)));
}
GYAKU_INLINE vec<float> repeat(const float* p, std::int64_t n) {
  const auto some = static_cast<__mmask8>(n < 4 ? (1u << n) - 1 : 15u);
  const __m128 numbers = _mm_maskz_loadu_ps(some, p);
  return vec<float>::native(_mm512_maskz_broadcast_f32x4(__mmask16(-1), numbers));
}
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
GYAKU_INLINE vec<float> repeat(const float* p) {
  double pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  return vec<float>::native(_mm256_set1_pd(pair));
}
GYAKU_INLINE vec<float> repeat(const float* p, std::int64_t n) {
  const __m128i some = _mm_set_epi32(0, 0, n > 1 ? -1 : 0, -1);
  const __m128 pair = _mm_maskload_ps(p, some);
  return vec<float>::native(_mm256_broadcastsd_pd(_mm_castps_pd(pair)));
}
#endif

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
