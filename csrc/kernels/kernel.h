// A kernel: serial code for a slice [begin, end) of its parallel dimension, independent of threads.
// Its arguments (`args/`) are plain data, pointers first, to C-contiguous memory of the scalar type
// of the kernel unless declared otherwise.
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

// The register tile of the matrix product: `rows` x `panel` accumulators, over k-blocks of at most
// `k_block`. A copy pays for a matrix B of more than `large_b` bytes.
struct Tile {
  std::int64_t rows, panel, k_block, large_b;
};

// Properties of an instruction set for the choice and the partition of kernels, each set by one
// family.
struct Limits {
  Tile tile[scalar_count];
  double peak_flops_per_round[scalar_count];
  std::int64_t lanes[scalar_count]; // elements of a vector
};

} // namespace gyaku
