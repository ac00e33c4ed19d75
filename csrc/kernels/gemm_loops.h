// The partition of a matrix product: k-blocks, tiles of rows, panels of columns.
#pragma once

#include "kernels/args/gemm.h"
#include "kernels/gemm_tile.h"
#include "kernels/kernel.h"
#include "kernels/range.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> constexpr int cache_line = 64 / sizeof(T);
template <class T> constexpr int panel_lines = ceil_div(panel_width<T>, cache_line<T>);

// Longest k-block where A is read in place: a panel of AVX-512 takes 64 KB then. Equal on all
// machines of an instruction set, since the order of sums depends on it.
template <class T> constexpr std::int64_t max_k_block = 2048 / sizeof(T);
static_assert(max_k_block<double> % 8 == 0, "blocks are rounded up to multiples of 8");

// One k-block of a product.
struct Block {
  std::int64_t begin, k;
  bool first, last;
};

// f(block, index) for each k-block of at most `size` steps; one empty block if k is 0.
template <class F> GYAKU_INLINE void for_each_block(std::int64_t k, std::int64_t size, F f) {
  const std::int64_t blocks = k > 0 ? ceil_div(k, size) : 1;
  for (std::int64_t number = 0; number < blocks; ++number)
    f(Block{number * size, least(size, k - number * size), number == 0, number + 1 == blocks},
      number);
}

// Rows cut into tiles of nearly the same height: 100 rows are eight tiles of 12 or 13, not seven of
// 14 and one of 2. Tiles [first, last) of them.
struct RowTiles {
  Slice rows;
  std::int64_t tiles, first, last;

  std::int64_t begin() const { return row(first); }
  std::int64_t end() const { return row(last); }

  // f(first row, height, index in this chunk)
  template <class F> GYAKU_INLINE void for_each(F f) const {
    const std::int64_t least_height = (rows.end - rows.begin) / tiles, // no division for each tile
        higher = (rows.end - rows.begin) % tiles;
    std::int64_t i = row(first), remainder = higher * first % tiles;
    for (std::int64_t t = first; t < last; ++t) {
      remainder += higher;
      const bool is_higher = remainder >= tiles;
      if (is_higher) remainder -= tiles;
      const int height = static_cast<int>(least_height) + is_higher;
      f(i, height, t - first);
      i += height;
    }
  }

private:
  std::int64_t row(std::int64_t tile) const {
    return rows.begin + (rows.end - rows.begin) * tile / tiles;
  }
};

// Chunks of at most `size` tiles of at most `height` rows.
template <int height = tile_rows, class F>
GYAKU_INLINE void for_each_chunk(Slice rows, std::int64_t size, F f) {
  const std::int64_t tiles = ceil_div(rows.end - rows.begin, height);
  for (std::int64_t first = 0; first < tiles; first += size)
    f(RowTiles{rows, tiles, first, least(first + size, tiles)});
}

template <class F> GYAKU_INLINE void for_each_row_tile(Slice rows, F f) {
  for_each_chunk(rows, INT64_MAX / 2, [&](const RowTiles& tiles) { tiles.for_each(f); });
}

template <class T, bool transpose_a>
GYAKU_INLINE const T* a_at(const MatmulArgs& args, std::int64_t i, std::int64_t p) {
  return static_cast<const T*>(args.a) + (transpose_a ? p * args.lda + i : i * args.lda + p);
}

// Rows of A in one k-block.
template <class T> struct Rows {
  const T* data;
  std::int64_t ld;
};

template <class T, bool transpose_a>
GYAKU_INLINE Rows<T> rows_at(const MatmulArgs& args, std::int64_t i, const Block& block) {
  return {a_at<T, transpose_a>(args, i, block.begin), args.lda};
}

// One panel of B in one k-block.
template <class T> struct Panel {
  const T* data;
  std::int64_t ld, column; // its first column
};

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
