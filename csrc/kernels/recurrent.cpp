// The forward pass through recurrent cells.
#include "kernels/entry.h"
#include "kernels/recurrent_loops.h"

namespace gyaku::GYAKU_ISA_NAME {

// Slices of rows; RecurrentShape::by_units: of panels of units.
Entry recurrent_kernel() noexcept {
  return entry<RecurrentArgs, recurrent<float>, recurrent<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
