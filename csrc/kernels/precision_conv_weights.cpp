// Gradients of convolutions of bfloat16 in pairs with respect to weights and biases, where there is
// an instruction for them: the loops of conv_weights.cpp over words.
#define GYAKU_IN_PAIRS
#include "kernels/args/conv.h"
#include "kernels/entry.h"
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
#include "kernels/conv_weights_loops.h"
#endif

namespace gyaku::GYAKU_ISA_NAME {

// Slices of parts x rows of dw: (group, tap, channel). Images are pairs of them.
Entry conv_weights_pairs_kernel() noexcept {
#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
  return float32_entry<ConvWeightsArgs, conv_weights<float>>;
#else
  return {};
#endif
}

} // namespace gyaku::GYAKU_ISA_NAME
