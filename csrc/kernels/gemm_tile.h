// The register tile of the matrix product and its panels: one symbol each of the instruction set,
// for all families that multiply (`gemm_tile.cpp`, `gemm_pack.cpp`).
#pragma once

#include "simd/registers.h"

namespace gyaku::GYAKU_ISA_NAME {

constexpr int tile_vectors = 2;
constexpr int tile_rows = accumulators / tile_vectors;

// Prefetch of a cache line for each of some steps along k, with stride `step`: it may be in the
// cache of another core, from where an access takes long.
template <class T> struct Prefetch {
  const T* data;
  std::int64_t step;
};

// Epilogue of a tile: applied to its sums before they are stored.
template <class T> struct Epilogue {
  bool rectifies; // sum = max(sum, 0)
  const T* saved; // or null: sum = saved > 0 ? alpha sum : 0
  T alpha;
};

// Strides and extent of a tile: k steps, `columns` valid columns. Row i of A at step p is a[i *
// a_row + p * a_step]; one of the two is 1.
template <class T> struct TileShape {
  std::int64_t k, a_row, a_step, ldb, ldc;
  int columns;
  Prefetch<T> ahead;
  Epilogue<T> epilogue;
};

// c[rows][columns] (+)= a b (+ bias). A is read one element at a time, B row by row. Nothing beyond
// `columns` is written. The bias, or null, is ignored where the sums are added to C.
template <class T>
using TileKernel = void (*)(const TileShape<T>&, const T* a, const T* b, T* c, const T* bias,
                            bool accumulate) noexcept;

// Loads of the last vector of B: all lanes, or those of valid columns.
enum class Last { whole, partial };

// One for each number of rows and vectors; null for heights composed of two tiles. In float64,
// which serves checks, the first half serves transposed A as well.
template <class T> struct TileKernels {
  TileKernel<T> of[2][2][tile_vectors][tile_rows]; // whether A is transposed (a_row = 1); Last
};
extern const TileKernels<float> float_tiles;
extern const TileKernels<double> double_tiles;

// B or B^T (n columns) in rows [row, row + rows): panels [first, last) of `panel_width` columns,
// row by row, zero beyond n.
void pack_panels(const float* b, std::int64_t ldb, std::int64_t n, bool transposed,
                 std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t last,
                 float* to) noexcept;
void pack_panels(const double* b, std::int64_t ldb, std::int64_t n, bool transposed,
                 std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t last,
                 double* to) noexcept;

namespace {

template <class T> constexpr int panel_width = tile_vectors * vec<T>::width;

// Whether there is a tile of this height. In float64 most heights beyond half of a tile are
// composed of two, which still keep all multipliers busy.
template <class T> constexpr bool is_tile_height(int rows) {
  return sizeof(T) == 4 || tile_rows < 14 || rows == tile_rows || rows <= tile_rows / 2;
}

// The tiles of a shape, by height - 1. `is_padded`: B may be read up to the width of the panel.
template <class T>
GYAKU_INLINE const TileKernel<T>* tile_kernels(const TileShape<T>& shape, bool is_padded) {
  const int vectors = shape.columns > vec<T>::width ? 2 : 1;
  const bool is_whole = !partial_is_free && (is_padded || shape.columns == vectors * vec<T>::width);
  const Last lanes = is_whole ? Last::whole : Last::partial;
  if constexpr (sizeof(T) == sizeof(float))
    return float_tiles.of[shape.a_row == 1][static_cast<int>(lanes)][vectors - 1];
  else
    return double_tiles.of[0][static_cast<int>(lanes)][vectors - 1];
}

// A tile of `height` rows, at most `tile_rows`.
template <class T>
GYAKU_INLINE void multiply_tile(const TileShape<T>& shape, int height, bool is_padded, const T* a,
                                const T* b, T* c, const T* bias, bool accumulate) noexcept {
  const TileKernel<T>* const tiles = tile_kernels(shape, is_padded);
  if (is_tile_height<T>(height)) return tiles[height - 1](shape, a, b, c, bias, accumulate);
  const int upper = height / 2, lower = height - upper;
  tiles[upper - 1](shape, a, b, c, bias, accumulate);
  TileShape<T> below = shape;
  below.ahead = {b, 0};
  if (below.epilogue.saved != nullptr) below.epilogue.saved += upper * shape.ldc;
  tiles[lower - 1](below, a + upper * shape.a_row, b, c + upper * shape.ldc, bias, accumulate);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
