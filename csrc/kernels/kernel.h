// A kernel: serial code that does the slice [begin, end) of its parallel dimension and knows
// nothing of threads. Its arguments (`args/`) are plain data, pointers first; these are to
// C-contiguous memory of the kernel's scalar type unless their declared type says otherwise.
#pragma once

#include <cstdint>

namespace gyaku {

struct Slice {
  std::int64_t begin;
  std::int64_t end;
};

using Kernel = void (*)(const void* args, Slice) noexcept;

enum class Scalar : std::uint8_t { float32, float64 };
constexpr int scalar_count = 2;

// One kernel for each scalar type; null for none.
struct Entry {
  Kernel kernel[scalar_count];
};

// The register tile of the matrix product: `rows` x `panel` accumulators, over blocks of at most
// `k_block` of the inner dimension. A matrix B of more than `large_b` bytes is worth a copy.
struct Tile {
  std::int64_t rows, panel, k_block, large_b;
};

// Facts of an instruction set that the choice and the cut of kernels follow, set by a family each.
struct Limits {
  Tile tile[scalar_count];
  double peak_flops_per_round[scalar_count];
  std::int64_t lanes[scalar_count]; // elements of a vector
};

} // namespace gyaku
