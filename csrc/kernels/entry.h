// The exported symbols of a kernel file: `Entry <kernel>_kernel() noexcept`. The build lists them
// as KernelId::<kernel>, and isa.cpp fills the table of the instruction set with them.
#pragma once

#include "kernels/kernel.h"
#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class Args> using TypedKernel = void (*)(const Args&, Slice) noexcept;

// A kernel with typed arguments in the signature of the table.
template <class Args, TypedKernel<Args> kernel>
void erased(const void* args, Slice slice) noexcept {
  kernel(*static_cast<const Args*>(args), slice);
}

// A kernel in float32 and float64, or in float32 alone.
template <class Args, TypedKernel<Args> for_float, TypedKernel<Args> for_double>
constexpr Entry entry{{erased<Args, for_float>, erased<Args, for_double>}};
template <class Args, TypedKernel<Args> for_float>
constexpr Entry float32_entry{{erased<Args, for_float>, nullptr}};

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
