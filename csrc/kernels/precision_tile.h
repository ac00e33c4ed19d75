// Register tiles of products in pairs of bfloat16, and the panels that they read: symbols of a set
// with an instruction for them.
#pragma once

#include "kernels/args/precision.h"
#include "kernels/gemm_tile.h"
#include "simd/bfloat16.h"

namespace gyaku::GYAKU_ISA_NAME {

// A tile of C over all of k. The word of row i of A at step p is a[p * a_step + i], rows of B are
// in panels of `panel_width` columns.
struct PairTile {
  const std::uint32_t* a;
  const std::uint32_t* b;
  const float* bias; // or null
  float* c;
  std::int64_t pairs, ldc, a_step;
  int columns;
  const std::uint16_t* list = nullptr; // of low tiles: the steps to take, and their number
  std::int64_t count = 0;
};
using PairKernel = void (*)(const PairTile&) noexcept;

// Where steps are left out tiles are half as high, and twice as wide: the fewer rows they have, the
// more steps are zero in all of them.
constexpr int low_rows = tile_rows / 2, wide_vectors = 2 * tile_vectors;

// By the numbers of vectors and rows, less one.
struct PairKernels {
  PairKernel of[tile_vectors][tile_rows]; // all steps; a_step is the number of rows
  PairKernel low[wide_vectors][low_rows]; // those of the list
};
extern const PairKernels pair_tiles;

// Some panels of a matrix, from the one that begins at column `first`.
void pack_panels_of_pairs(const PairArgs& args, std::int64_t first, int count,
                          std::uint32_t* to) noexcept;

namespace {

// The rows of a tile of A that are in its first half.
constexpr std::int64_t upper_rows(std::int64_t rows) { return rows - rows / 2; }

// See PairMarks; `words`: those of all panels.
GYAKU_INLINE std::uint16_t* marks_behind(const void* panels, std::int64_t words) {
  return static_cast<std::uint16_t*>(const_cast<void*>(panels)) + 2 * words;
}

} // namespace

} // namespace gyaku::GYAKU_ISA_NAME
