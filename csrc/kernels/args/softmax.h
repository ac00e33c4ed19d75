// Arguments of softmax.
#pragma once

#include <cstdint>

namespace gyaku {

struct SoftmaxArgs { // forward: x -> y; backward: (dy in x, y in saved) -> dx in y
  const void* x;
  const void* saved;
  void* y;
  std::int64_t rows, columns;
};

} // namespace gyaku
