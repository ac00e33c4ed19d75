// Arguments of the poolings.
#pragma once

#include <cstdint>

namespace gyaku {

// Window o of an axis looks at the pixels o * stride - before + i * dilation, i < taps; those
// outside [0, size) are padding.
struct WindowAxis {
  std::int64_t size, taps, stride, dilation, before, windows;
};

// Forward: images x -> one number a window, y. Backward: dy in x -> dx in y.
struct PoolArgs {
  const void* x;
  void* y;
  void* argmax; // the maximum's tap, row by row, for each window; uint8, or int32 if `wide`
  std::int64_t channels;
  WindowAxis rows, columns;
  std::int32_t after_rows, after_columns; // padding behind the images that a mean counts
  std::int32_t unit;                      // a slice counts this many rows
  bool wide;
  bool count_padding;
};

} // namespace gyaku
