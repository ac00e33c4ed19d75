// Number of vectors that a kernel may keep in registers, and the cost of a partial load.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Registers for accumulators: 32 vectors with AVX-512 and NEON, 16 before, less what operands take.
#if !defined(GYAKU_SCALAR) && (defined(__AVX512F__) || defined(__aarch64__))
constexpr int accumulators = 28;
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
constexpr int accumulators = 12;
#else
constexpr int accumulators = 8;
#endif

// A partial load costs no more than a whole one.
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
constexpr bool partial_is_free = true;
#else
constexpr bool partial_is_free = false;
#endif

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
