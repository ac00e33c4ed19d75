// How a kernel file enters its functions into the table of its instruction set.
#pragma once

#include "kernels/kernels.h"
#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {

// One a family; defined in the file of that name, called by isa.cpp.
void register_gemm(KernelTable&) noexcept;
void register_gemv(KernelTable&) noexcept;
void register_activation(KernelTable&) noexcept;
void register_softmax(KernelTable&) noexcept;
void register_loss(KernelTable&) noexcept;
void register_random(KernelTable&) noexcept;
void register_merge(KernelTable&) noexcept;
void register_pool(KernelTable&) noexcept;
void register_norm(KernelTable&) noexcept;
void register_gather(KernelTable&) noexcept;
void register_optimizer(KernelTable&) noexcept;
void register_elementary(KernelTable&) noexcept;
void register_peak(KernelTable&) noexcept;
void register_conv(KernelTable&) noexcept;
void register_conv_weights(KernelTable&) noexcept;
void register_conv_maxima(KernelTable&) noexcept;

namespace {

// Gives a kernel with typed arguments the table's signature.
template <class Args, void (*kernel)(const Args&, Slice) noexcept>
void erased(const void* args, Slice slice) noexcept {
  kernel(*static_cast<const Args*>(args), slice);
}

template <class Args, void (*for_float)(const Args&, Slice) noexcept,
          void (*for_double)(const Args&, Slice) noexcept>
GYAKU_INLINE void enter(KernelTable& table, KernelId id) {
  table.kernel[static_cast<int>(id)][static_cast<int>(Scalar::float32)] = erased<Args, for_float>;
  table.kernel[static_cast<int>(id)][static_cast<int>(Scalar::float64)] = erased<Args, for_double>;
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
