// Arguments of dropout.
#pragma once

#include <cstdint>

namespace gyaku {

struct DropoutArgs { // units of `unit` elements; groups of 128 elements share 16 Philox blocks
  const void* x;
  const std::int64_t* clock;
  void* y;
  std::int64_t size, unit;
  std::uint64_t seed;
  std::uint32_t stream;
  std::uint32_t threshold; // kept where a 16-bit draw >= threshold
  double scale;
};

} // namespace gyaku
