// The choice of the instruction set.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace gyaku {

// The names of the instruction sets that this CPU can run, lowest first.
std::vector<std::string> available_isas();

// Chooses the highest one, or the one that GYAKU_ISA names. Returns an error in one sentence if
// that one is unknown or the CPU lacks it; empty if all is well. Called once, before any kernel.
std::string choose_isa();

const KernelTable& kernels();
const std::string& active_isa();

inline Kernel kernel(KernelId id, Scalar scalar) {
  return kernels().entry[static_cast<int>(id)].kernel[static_cast<int>(scalar)];
}

} // namespace gyaku
