// Arguments of the kernels that merge branches; `add` takes ElementwiseArgs.
#pragma once

#include <cstdint>

namespace gyaku {

struct CopyColumnsArgs { // y[i][y_start + j] = x[i][x_start + j]
  const void* x;
  void* y;
  std::int64_t x_start, y_start;
  std::int64_t x_columns, y_columns; // of the matrices
  std::int64_t columns;              // to copy
  std::int64_t unit;                 // rows in a unit of a slice
};

} // namespace gyaku
