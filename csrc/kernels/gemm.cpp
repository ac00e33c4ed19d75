// The matrix product: loops around one micro-kernel, which keeps a tile of C in registers.
//
// An element of C is summed over k in rising order, one fused multiply-add a term, blocks of
// k_block terms at a time, whatever the tile it falls into: its bits depend on the problem alone.
#include "kernels/product.h"
#include "kernels/register.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int tile_vectors = 2;
constexpr int tile_rows = accumulators / tile_vectors;
// A copied row tile stays under 25 KB.
template <class T> constexpr std::int64_t max_k_block = 1536 / sizeof(T);

template <class T> constexpr int panel_width = tile_vectors * vec<T>::width;

// The addresses a micro-kernel walks: k terms of a tile of `columns` valid columns.
template <class T> struct TileShape {
  std::int64_t k, lda, ldb, ldc;
  int columns;
};

// c[rows][vectors * width] (+)= a b. A is read in place, one number at a time (row i, term p at
// a[i * lda + p], or a[p * lda + i] if transposed); B row by row. Nothing beyond `columns` is
// written.
template <class T, int rows, int vectors, bool transpose_a, bool packed_b>
void tile(const TileShape<T>& shape, const T* a, const T* b, T* c, const T* bias,
          bool accumulate) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t lda = shape.lda, ldb = shape.ldb, ldc = shape.ldc;
  const int last = shape.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<T> sum[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const T* from = accumulate ? c + i * ldc + j * width : bias + j * width;
      sum[i][j] = !accumulate && bias == nullptr ? zero<T>()
                  : j + 1 < vectors              ? load(from)
                                                 : load(from, last);
    }
  for (std::int64_t p = 0; p < shape.k; ++p) {
    vec<T> row[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      row[j] =
          packed_b || j + 1 < vectors ? load(b + j * width) : load_partial(b + j * width, last);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const vec<T> x = broadcast(transpose_a ? a[i] : a[i * lda]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sum[i][j] = fma(x, row[j], sum[i][j]);
    }
    a += transpose_a ? lda : 1;
    b += ldb;
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      T* to = c + i * ldc + j * width;
      if (j + 1 < vectors)
        store(to, sum[i][j]);
      else
        store(to, sum[i][j], last);
    }
}

template <class T>
using TileKernel = void (*)(const TileShape<T>&, const T*, const T*, T*, const T*, bool) noexcept;

template <class T> struct TileKernels {
  TileKernel<T> entry[tile_vectors][tile_rows];
};

template <class T, int vectors, bool transpose_a, bool packed_b, int... rows>
constexpr void fill_row(TileKernel<T> (&entry)[tile_rows], Integers<rows...>) {
  ((entry[rows] = tile<T, rows + 1, vectors, transpose_a, packed_b>), ...);
}

template <class T, bool transpose_a, bool packed_b> constexpr TileKernels<T> make_tiles() {
  TileKernels<T> tiles{};
  fill_row<T, 1, transpose_a, packed_b>(tiles.entry[0], typename Count<tile_rows>::type{});
  fill_row<T, 2, transpose_a, packed_b>(tiles.entry[1], typename Count<tile_rows>::type{});
  return tiles;
}

template <class T, bool transpose_a, bool packed_b>
constexpr TileKernels<T> tiles = make_tiles<T, transpose_a, packed_b>();

// A tile's rows of A for one block of terms.
template <class T> struct RowTile {
  const T* data;
  std::int64_t lda;
};

// Room for a copy of them. Threads may have as little as 64 KiB of stack.
template <class T, bool transpose_a> struct RowTileCopy {
  static constexpr std::int64_t k_block = max_k_block<T>;
  static constexpr std::int64_t stride = ceil_div(tile_rows, vec<T>::width) * vec<T>::width;
  alignas(64) T memory[stride * k_block];

  RowTile<T> take(const T* from, std::int64_t lda, int rows, std::int64_t k) {
    if constexpr (transpose_a) {
      for (std::int64_t p = 0; p < k; ++p) {
        __builtin_prefetch(from + p * lda + tile_rows + 8); // the next tile's
        for_each_vector<T>(0, rows, [&](std::int64_t r, int n) {
          store(memory + p * stride + r, load_partial(from + p * lda + r, n));
        });
      }
      return {memory, stride};
    }
    for (int r = 0; r < rows; ++r)
      for_each_vector<T>(0, k, [&](std::int64_t p, int n) {
        store(memory + r * k_block + p, load(from + r * lda + p, n), n);
      });
    return {memory, k_block};
  }
};

// One block of terms of a product.
struct Block {
  std::int64_t begin, k;
  bool first, last;
};

// f(block, its number) for each block of at most `size` terms; one empty block if there are no
// terms.
template <class F> GYAKU_INLINE void for_each_block(std::int64_t k, std::int64_t size, F f) {
  const std::int64_t blocks = k > 0 ? ceil_div(k, size) : 1;
  for (std::int64_t number = 0; number < blocks; ++number)
    f(Block{number * size, least(size, k - number * size), number == 0, number + 1 == blocks},
      number);
}

// Rows cut into tiles of nearly the same height: 100 rows are eight tiles of 12 or 13, not seven of
// 14 and one of 2.
template <class F> GYAKU_INLINE void for_each_row_tile(Slice rows, F f) {
  const std::int64_t count = rows.end - rows.begin, tiles = ceil_div(count, tile_rows);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t i = rows.begin + count * t / tiles;
    f(i, static_cast<int>(rows.begin + count * (t + 1) / tiles - i));
  }
}

template <class T, bool transpose_a>
GYAKU_INLINE const T* a_at(const MatmulArgs& args, std::int64_t i, std::int64_t p) {
  return static_cast<const T*>(args.a) + (transpose_a ? p * args.lda + i : i * args.lda + p);
}

// Rows [i, i + height) of C in one panel, one block of terms; b is that block's part of the panel.
template <class T, bool transpose_a, bool packed_b>
void multiply_tile(const MatmulArgs& args, const Block& block, std::int64_t i, int height,
                   const RowTile<T>& a, std::int64_t column, const T* b,
                   std::int64_t ldb) noexcept {
  const int columns = static_cast<int>(least(panel_width<T>, args.n - column));
  const int vectors = columns > vec<T>::width ? 2 : 1;
  const T* bias = static_cast<const T*>(args.bias);
  const TileShape<T> shape{block.k, a.lda, ldb, args.ldc, columns};
  tiles<T, transpose_a, packed_b>.entry[vectors - 1][height - 1](
      shape, a.data, b, static_cast<T*>(args.c) + i * args.ldc + column,
      bias == nullptr ? nullptr : bias + column, !block.first);
  if (i == 0 && args.column_sums != nullptr)
    sum_columns(b, ldb, block.k, columns, static_cast<T*>(args.column_sums) + column, !block.first);
  if (block.last)
    for (int r = 0; r < height; ++r) finish_row<T>(args, i + r, column, columns);
}

// A slice of C's rows. B is in place or packed by a task before.
template <class T, bool transpose_a, bool packed_b>
void multiply_rows(const MatmulArgs& args, Slice rows) noexcept {
  constexpr std::int64_t panel = panel_width<T>;
  // Panels of B that stay in the second-level cache while the rows pass by.
  constexpr std::int64_t group =
      512 * 1024 / (max_k_block<T> * panel * static_cast<int>(sizeof(T)));
  const std::int64_t panels = ceil_div(args.n, panel);
  RowTileCopy<T, transpose_a> copy;
  for (std::int64_t first = 0; first < panels; first += group) {
    const std::int64_t last = least(first + group, panels);
    // Rows of A that lie far apart share few cache sets and pages: a tile that meets many panels is
    // worth a copy.
    const bool copy_a =
        last - first >= 4 && args.lda * static_cast<std::int64_t>(sizeof(T)) >= 1024;
    for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t number) {
      for_each_row_tile(rows, [&](std::int64_t i, int height) {
        const T* from = a_at<T, transpose_a>(args, i, block.begin);
        const RowTile<T> a =
            copy_a ? copy.take(from, args.lda, height, block.k) : RowTile<T>{from, args.lda};
        for (std::int64_t p = first; p < last; ++p) {
          const T* b = packed_b
                           ? static_cast<const T*>(args.packed) +
                                 (number * panels * args.k_block + p * block.k) * panel
                           : static_cast<const T*>(args.b) + block.begin * args.ldb + p * panel;
          multiply_tile<T, transpose_a, packed_b>(args, block, i, height, a, p * panel, b,
                                                  packed_b ? panel : args.ldb);
        }
      });
    });
  }
}

// Rows r[0 .. width) of numbers become columns: log2(width) perfect shuffles.
template <class T> GYAKU_INLINE void transpose(vec<T> (&r)[vec<T>::width]) {
  constexpr int width = vec<T>::width;
#pragma GCC unroll 4
  for (int stage = 1; stage < width; stage *= 2) {
    vec<T> next[width];
#pragma GCC unroll 16
    for (int i = 0; i < width / 2; ++i) {
      next[2 * i] = interleave_low(r[i], r[i + width / 2]);
      next[2 * i + 1] = interleave_high(r[i], r[i + width / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) r[i] = next[i];
  }
}

// One panel of one block: `rows` terms of `columns` columns, zero up to the panel's width.
template <class T>
void pack_panel(const T* b, std::int64_t ldb, std::int64_t n, bool transposed, std::int64_t row,
                std::int64_t rows, std::int64_t column, T* to) noexcept {
  constexpr int width = vec<T>::width;
  constexpr std::int64_t panel = panel_width<T>;
  const std::int64_t columns = least(panel, n - column);
  if (!transposed) {
    for (std::int64_t p = 0; p < rows; ++p) {
      // Rows may lie pages apart, where the hardware does not look ahead.
      if (p + 16 < rows) __builtin_prefetch(b + (row + p + 16) * ldb + column);
      for (int j = 0; j < panel; j += width) {
        const std::int64_t valid = least(width, columns - j);
        store(to + p * panel + j,
              valid > 0 ? load(b + (row + p) * ldb + column + j, static_cast<int>(valid))
                        : zero<T>());
      }
    }
    return;
  }
  for (int j = 0; j < panel; j += width)
    for (std::int64_t p = 0; p < rows; p += width) {
      const int terms = static_cast<int>(least(width, rows - p));
      vec<T> square[width];
#pragma GCC unroll 16
      for (int c = 0; c < width; ++c)
        square[c] = j + c < columns ? load(b + (column + j + c) * ldb + row + p, terms) : zero<T>();
      transpose(square);
      for (int t = 0; t < terms; ++t) store(to + (p + t) * panel + j, square[t]);
    }
}

// A slice of C's panels, for few rows: some panels of B are packed on the spot, then used by all
// rows.
template <class T, bool transpose_a>
void multiply_columns(const MatmulArgs& args, Slice panels) noexcept {
  constexpr std::int64_t panel = panel_width<T>, group = 4;
  constexpr std::int64_t k_block = 32 * 1024 / (group * panel * static_cast<int>(sizeof(T)));
  alignas(64) T packed[group * k_block * panel];
  for (std::int64_t first = panels.begin; first < panels.end; first += group) {
    const std::int64_t last = least(first + group, panels.end);
    for_each_block(args.k, k_block, [&](const Block& block, std::int64_t) {
      for (std::int64_t p = first; p < last; ++p)
        pack_panel(static_cast<const T*>(args.b), args.ldb, args.n, args.transpose_b, block.begin,
                   block.k, p * panel, packed + (p - first) * k_block * panel);
      for_each_row_tile({0, args.m}, [&](std::int64_t i, int height) {
        const RowTile<T> a{a_at<T, transpose_a>(args, i, block.begin), args.lda};
        for (std::int64_t p = first; p < last; ++p)
          multiply_tile<T, transpose_a, true>(args, block, i, height, a, p * panel,
                                              packed + (p - first) * k_block * panel, panel);
      });
    });
  }
}

template <class T> void matmul(const MatmulArgs& args, Slice slice) noexcept {
  if (args.by_columns)
    (args.transpose_a ? multiply_columns<T, true> : multiply_columns<T, false>)(args, slice);
  else if (args.packed != nullptr)
    (args.transpose_a ? multiply_rows<T, true, true> : multiply_rows<T, false, true>)(args, slice);
  else
    (args.transpose_a ? multiply_rows<T, true, false> : multiply_rows<T, false, false>)(args,
                                                                                        slice);
}

// Too small for tiles: a number at a time.
template <class T> void matmul_small(const MatmulArgs& args, Slice slice) noexcept {
  const T* a = static_cast<const T*>(args.a);
  const T* b = static_cast<const T*>(args.b);
  const T* bias = static_cast<const T*>(args.bias);
  const std::int64_t a_row = args.transpose_a ? 1 : args.lda,
                     a_term = args.transpose_a ? args.lda : 1;
  const std::int64_t b_term = args.transpose_b ? 1 : args.ldb,
                     b_col = args.transpose_b ? args.ldb : 1;
  for (std::int64_t i = slice.begin; i < slice.end; ++i) {
    T* row = static_cast<T*>(args.c) + i * args.ldc;
    for (std::int64_t j = 0; j < args.n; ++j) {
      T sum = bias == nullptr ? T(0) : bias[j];
      for (std::int64_t p = 0; p < args.k; ++p)
        sum += a[i * a_row + p * a_term] * b[p * b_term + j * b_col];
      row[j] = sum;
    }
    finish_row<T>(args, i, 0, args.n);
    if (i == 0 && args.column_sums != nullptr)
      sum_columns(b, args.ldb, args.k, args.n, static_cast<T*>(args.column_sums), false);
  }
}

template <class T> void pack(const PackArgs& args, Slice slice) noexcept {
  constexpr std::int64_t panel = panel_width<T>;
  const std::int64_t panels = ceil_div(args.n, panel);
  for (std::int64_t i = slice.begin; i < slice.end; ++i) {
    const std::int64_t block = i / panels, p = i % panels;
    const std::int64_t row = block * args.k_block;
    const std::int64_t rows = least(args.k_block, args.k - row);
    T* to = static_cast<T*>(args.packed) + (block * panels * args.k_block + p * rows) * panel;
    pack_panel(static_cast<const T*>(args.b), args.ldb, args.n, args.transpose, row, rows,
               p * panel, to);
  }
}

template <class T> void sum_rows(const SumRowsArgs& args, Slice slice) noexcept {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for_each_vector<T>(slice.begin, slice.end, [&](std::int64_t j, int n) {
    vec<T> sum = zero<T>();
    for (std::int64_t i = 0; i < args.rows; ++i) sum = sum + load(x + i * args.columns + j, n);
    store(y + j, sum, n);
  });
}

} // namespace

void register_gemm(KernelTable& table) noexcept {
  enter<PackArgs, pack<float>, pack<double>>(table, KernelId::pack);
  enter<MatmulArgs, matmul<float>, matmul<double>>(table, KernelId::matmul);
  enter<MatmulArgs, matmul_small<float>, matmul_small<double>>(table, KernelId::matmul_small);
  enter<SumRowsArgs, sum_rows<float>, sum_rows<double>>(table, KernelId::sum_rows);
  table.tile[static_cast<int>(Scalar::float32)] = {tile_rows, panel_width<float>,
                                                   max_k_block<float>};
  table.tile[static_cast<int>(Scalar::float64)] = {tile_rows, panel_width<double>,
                                                   max_k_block<double>};
}

} // namespace gyaku::GYAKU_ISA_NAME
