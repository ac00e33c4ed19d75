// Arguments of the measurements of the machine.
#pragma once

#include <cstdint>

namespace gyaku {

struct PeakArgs { // `repeats` rounds of independent fused multiply-adds; flops counts them
  void* sink;
  std::int64_t rounds;
};

struct TriadArgs { // a[i] = b[i] + s * c[i]
  void* a;
  const void* b;
  const void* c;
  double s;
};

} // namespace gyaku
