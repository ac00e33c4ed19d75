// Arguments of the poolings.
#pragma once

#include <cstdint>

namespace gyaku {

// Window o of an axis covers the pixels o * stride - before + i * dilation, i < taps (kernel
// elements); pixels outside [0, size) are padding.
struct WindowAxis {
  std::int64_t size, taps, stride, dilation, before, windows;
};

// Forward: images x -> one element per window, y. Backward: dy in x -> dx in y.
struct PoolArgs {
  const void* x;
  void* y;
  // Position of the maximum in each window, row by row; uint8, or int32 if `wide`. For the gradient
  // of a norm: the norms.
  void* argmax;
  const void* images; // for the gradient of a norm
  std::int64_t channels;
  WindowAxis rows, columns;
  std::int32_t after_rows, after_columns; // padding behind the images that counts in a mean
  std::int32_t unit;                      // rows in a unit of a slice
  bool wide;
  bool count_padding;
  std::int64_t divisor; // of a mean, in place of the number of pixels; 0 is none
  double norm;          // p of (sum |x|^p)^(1/p)
};

} // namespace gyaku
