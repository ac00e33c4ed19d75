// Products of bfloat16 by the definition of AVX-512 BF16, see emulated_avx512.h.
#pragma once

#include "simd/emulated_avx512.h"

#define __AVX512BF16__ 1

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Each lane adds the product of the upper halves, then that of the lower ones; either is rounded
// once. The instruction takes subnormal numbers for zero in any mode, this one in the caller's.
GYAKU_EMULATED __m512 _mm512_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b) {
  using Bits = emulation::Uint32x16;
  const auto upper = [](__m512bh x) { return __m512(Bits(x) & 0xffff0000); };
  const auto lower = [](__m512bh x) { return __m512(Bits(x) << 16); };
  return _mm512_fmadd_ps(lower(a), lower(b), _mm512_fmadd_ps(upper(a), upper(b), sum));
}

// The halves of b, then those of a, rounded to nearest even; NaN stays.
GYAKU_EMULATED __m512bh _mm512_cvtne2ps_pbh(__m512 a, __m512 b) {
  using Bits = emulation::Uint32x16;
  typedef std::uint16_t Halves __attribute__((vector_size(64)));
  const auto upper = [](__m512 x) {
    const Bits given = Bits(x), is_nan = Bits(x != x);
    return (((given + 0x7fff + (given >> 16 & 1)) & ~is_nan) | ((given | 0x400000) & is_nan)) >> 16;
  };
  const Bits first = upper(b), second = upper(a);
  Halves all{};
  for (int i = 0; i < 16; ++i) {
    all[i] = static_cast<std::uint16_t>(first[i]);
    all[16 + i] = static_cast<std::uint16_t>(second[i]);
  }
  return __m512bh(all);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
