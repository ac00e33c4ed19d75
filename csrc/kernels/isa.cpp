// The only exported symbol of an instruction set: fills its table with its kernels.
//
// kernels.inc, written by the build, has a row for each kernel that belongs to this set. A set that
// extends another (GYAKU_ISA_BASE) replaces some families of it.
#include "kernels/kernels.h"

#ifdef GYAKU_ISA_BASE
namespace gyaku::GYAKU_ISA_BASE {
void fill(KernelTable&) noexcept;
}
#endif

namespace gyaku::GYAKU_ISA_NAME {

#define KERNEL(name) Entry name##_kernel() noexcept;
#define LIMITS(family) void family##_limits(Limits&) noexcept;
#include "kernels.inc"
#undef KERNEL
#undef LIMITS

void fill(KernelTable& table) noexcept {
#ifdef GYAKU_ISA_BASE
  GYAKU_ISA_BASE::fill(table);
#else
  table = KernelTable{};
#endif
#define KERNEL(name) table.entry[static_cast<int>(KernelId::name)] = name##_kernel();
#define LIMITS(family) family##_limits(table);
#include "kernels.inc"
#undef KERNEL
#undef LIMITS
}

} // namespace gyaku::GYAKU_ISA_NAME
