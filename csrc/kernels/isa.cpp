// The only door of an instruction set: fills its table.
#include "kernels/register.h"

namespace gyaku::GYAKU_ISA_NAME {

void fill(KernelTable& table) noexcept {
  table = KernelTable{};
  register_gemm(table);
  register_gemv(table);
  register_activation(table);
  register_softmax(table);
  register_loss(table);
  register_random(table);
  register_merge(table);
  register_pool(table);
  register_norm(table);
  register_gather(table);
  register_optimizer(table);
  register_elementary(table);
  register_peak(table);
  register_conv(table);
  register_conv_weights(table);
  register_conv_maxima(table);
}

} // namespace gyaku::GYAKU_ISA_NAME
