// Convolutions of bfloat16 in pairs, and their gradients with respect to the images, where there is
// an instruction for them: the loops of conv.cpp over words.
#define GYAKU_IN_PAIRS
#include "kernels/args/conv.h"
#include "kernels/entry.h"
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
#include "kernels/conv_loops.h"
#endif

namespace gyaku::GYAKU_ISA_NAME {

// Slices of units of rows of y, see ConvArgs::unit. Channels of x are words.
Entry conv_pairs_kernel() noexcept {
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
  return float32_entry<ConvArgs, conv<float>>;
#else
  return {};
#endif
}

} // namespace gyaku::GYAKU_ISA_NAME
