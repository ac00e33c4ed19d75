// The only door of an instruction set: fills its table with the kernels that were compiled for it.
//
// kernels.inc, which the build writes, has the rows of families.inc that belong to this set. One
// that stands on another (GYAKU_ISA_BASE) replaces some families of it.
#include "kernels/kernels.h"

#ifdef GYAKU_ISA_BASE
namespace gyaku::GYAKU_ISA_BASE {
void fill(KernelTable&) noexcept;
}
#endif

namespace gyaku::GYAKU_ISA_NAME {

#define KERNEL(family, name) Entry name##_kernel() noexcept;
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
#define KERNEL(family, name) table.entry[static_cast<int>(KernelId::name)] = name##_kernel();
#define LIMITS(family) family##_limits(table);
#include "kernels.inc"
#undef KERNEL
#undef LIMITS
}

} // namespace gyaku::GYAKU_ISA_NAME
