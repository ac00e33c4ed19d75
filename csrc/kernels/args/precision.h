// Arguments of the rounding of operands.
#pragma once

#include <cstdint>

namespace gyaku {

// y = x, rounded to bfloat16 in its own dtype. Rows of x are `stride` apart, those of y contiguous;
// the last one ends at `size` elements of y.
struct RoundArgs {
  const void* x;
  void* y;
  std::int64_t size, columns, stride;
};

} // namespace gyaku
