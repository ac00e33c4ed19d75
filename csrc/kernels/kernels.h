// The kernels by name, and the table that one instruction set fills.
#pragma once

#include "kernels/kernel.h"

namespace gyaku {

// all_kernels.inc, written by the build, has a row for each entry point `<name>_kernel`.
enum class KernelId : int {
#define LIMITS(family)
#define KERNEL(name) name,
#include "all_kernels.inc"
#undef LIMITS
#undef KERNEL
  count
};
constexpr int kernel_count = static_cast<int>(KernelId::count);

struct KernelTable : Limits {
  Entry entry[kernel_count];
};

} // namespace gyaku
