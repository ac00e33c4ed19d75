// The kernels by name, and the table that one instruction set fills.
#pragma once

#include "kernels/kernel.h"

namespace gyaku {

enum class KernelId : int {
#define KERNEL(family, name) name,
#include "kernels/families.inc"
  count
};
constexpr int kernel_count = static_cast<int>(KernelId::count);

struct KernelTable : Limits {
  Entry entry[kernel_count];
};

} // namespace gyaku
