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

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
