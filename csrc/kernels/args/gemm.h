// Arguments of the matrix products.
#pragma once

#include <cstdint>

#include "kernels/args/activation.h"

namespace gyaku {

// B or B^T (k x n) into panels: panel p holds columns [p * panel, ...) of each block of k_block
// rows, row by row, zero beyond n: packed[block][p][row][panel].
struct PackArgs {
  const void* b;
  void* packed;
  std::int64_t k, n, ldb;
  std::int64_t k_block, panel;
  bool transpose;
};

// Longest k-block where panels are packed on the fly, see MatmulArgs::by_columns; and bytes, for a
// step of k, of all panels that are packed together.
constexpr std::int64_t columns_k_block = 256, panels_bytes = 512;

// What a task does of a product: all of it; the products of the k-blocks, whose slices count
// `row_parts` parts of the rows of the first block, then those of the next; or the sum of the
// blocks, whose slices count rows.
enum class ProductPart : std::uint8_t { whole, blocks, sum };

// C = activation(op(A) op(B) + bias) * derivative'(saved), C is m x n.
struct MatmulArgs {
  const void* a;
  const void* b;
  const void* packed; // panels of `pack`, or null: B in place (then not transposed);
                      // by_columns: room for a k-block of each panel (slices are
                      // whole panels then), or null
  const void* bias;   // n elements or null
  const void* saved;  // m x n: the values of the forward pass that `derivative` needs
  void* c;
  void* column_sums;     // of B (not transposed): n elements or null
  double* column_totals; // see SumRowsArgs
  void* by_block;        // room for the products of the k-blocks, or null, see `part`
  std::int64_t m, n, k;
  std::int64_t lda, ldb, ldc;
  std::int64_t k_block;
  std::int64_t chunk_tiles;  // row tiles that use a panel before the next one
  std::int64_t group_panels; // panels that all rows use before the next ones
  std::int64_t row_parts;    // see `part`
  double alpha;
  Activation activation;
  Activation derivative; // identity: none
  ProductPart part;
  bool transpose_a;
  bool transpose_b;
  bool copies_a;    // room behind `packed` for k_block elements and a cache line of each row of A
  bool by_columns;  // a slice counts columns of C instead of rows; B is packed on the fly
  bool skips_zeros; // columns of A that are zero in all rows of a tile may be skipped; reads `b`
};

// y[j] = sum over i of x[i][j]. Over more than `short_sum` rows, sums of a few rows are added in
// float64, so that the error does not grow with the rows; `totals` holds these n sums, as a product
// adds k-block by k-block.
constexpr std::int64_t short_sum = 256;
struct SumRowsArgs {
  const void* x;
  void* y;
  double* totals; // or null
  std::int64_t rows, columns;
};

} // namespace gyaku
