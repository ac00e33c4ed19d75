// The activation functions, and arguments of elementwise kernels.
#pragma once

#include <cstdint>

namespace gyaku {

enum class Activation : std::int32_t {
#define GYAKU_ACTIVATION(name, ...) name,
#include "activations.inc"
  dropped_relu, // only as a derivative: that of dropout after relu, whose output is saved; alpha is
                // the scale of dropout
};

// The parameter of an activation function, in the row of activations.inc.
enum class Alpha : std::uint8_t { none, any, nonnegative, positive };

struct ElementwiseArgs { // a slice [b, e) covers elements [b * unit, min(e * unit, size))
  const void* x;         // forward: x; backward: dy
  const void* saved;     // backward: the values saved by the forward pass
  void* y;               // forward: y; backward: dx
  std::int64_t size, unit;
  double alpha;
  Activation activation;
};

} // namespace gyaku
