// The forward pass through recurrent cells with products of bfloat16 in pairs, where there is an
// instruction for them: the loops of recurrent.cpp over words.
#define GYAKU_IN_PAIRS
#include "kernels/args/recurrent.h"
#include "kernels/entry.h"
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
#include "kernels/recurrent_loops.h"
#endif

namespace gyaku::GYAKU_ISA_NAME {

// Slices of rows.
Entry recurrent_pairs_kernel() noexcept {
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
  return float32_entry<RecurrentArgs, recurrent<float>>;
#else
  return {};
#endif
}

} // namespace gyaku::GYAKU_ISA_NAME
