// Arguments of the elementary functions.
#pragma once

#include <cstdint>

namespace gyaku {

// The elementary functions of the kernels, exposed for tests.
enum class Function : std::int32_t { exp, expm1, log, log1p, tanh, sigmoid, erf };

struct ElementaryArgs { // y[i] = function(x[i])
  const void* x;
  void* y;
  std::int64_t size;
  Function function;
};

} // namespace gyaku
