// The matrix product: loops around one micro-kernel, which keeps a tile of C in registers.
//
// An element of C is summed over k in ascending order, one multiply-add a step, in k-blocks whose
// sums are then added, whichever tile it is in. Two kinds have another order: tiny products are
// summed in one block; tail columns (`gemm_tail.h`) add the bias at the end and, unless A is
// transposed, sum by lanes of vectors. Kind and blocks, and therefore the bits of an element,
// depend on the problem and the instruction set alone.
//
// From the outside in: groups of panels of B that stay in the third-level cache; k-blocks; chunks
// of row tiles of A, which stay in the second level; panels; tiles. A and B are read in place,
// unless B is transposed, or so large that copies of both pay: then blocks are longer, since each
// of them passes over C once, and groups are as large as the cache allows. Products of a data batch
// skip its zeros if there are many (`gemm_sparse.h`).
#include "kernels/args/gemm.h"
#include "kernels/activate.h"
#include "kernels/entry.h"
#include "kernels/gemm_epilogue.h"
#include "kernels/gemm_loops.h"
#include "kernels/gemm_sparse.h"
#include "kernels/gemm_tail.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// AVX2 tiles have few rows, so that the load units have little time besides the broadcasts, and
// none for vectors that cross a cache line: a copy of B pays much sooner.
constexpr std::int64_t large_b = (accumulators == 12 ? 192 : 2048) * 1024;

enum class Storage { in_place, packed };

inline bool ends_in_registers(const MatmulArgs& args) {
  return is_rectifier(args.activation) && is_rectifier(args.derivative);
}

// Position of tile t of a chunk, whose first row is i, in a copy by `copy_rows` of a k-block:
// `height` contiguous elements for each step of k. Tiles are separated by room for unused lanes.
template <class T>
GYAKU_INLINE T* copied_tile(T* to, std::int64_t i, std::int64_t t, std::int64_t k) {
  return to + i * k + t * vec<T>::width;
}

// The rows of a chunk in one k-block, from A ...
template <class T>
void copy_rows(const MatmulArgs& args, const RowTiles& chunk, const Block& block, T* to) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t top = chunk.begin();
  chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
    T* const tile = copied_tile(to, i - top, t, block.k);
    const Rows<T> a = rows_at<T, false>(args, i, block);
    for_each_vector<T>(0, block.k, [&](std::int64_t p, int terms) {
      for (int j = 0; j < height; j += width) {
        vec<T> square[width];
        const T* from = a.data + j * a.ld + p;
#pragma GCC unroll 16
        for (int r = 0; r < width; ++r, from += a.ld)
          square[r] = j + r < height ? load(from, terms) : zero<T>();
        transpose_square(square);
#pragma GCC unroll 16
        for (int c = 0; c < width; ++c)
          if (c < terms) // unused lanes are overwritten, unless there is a second vector
            store(tile + (p + c) * height + j, square[c],
                  j == 0 ? width : static_cast<int>(least(width, height - j)));
      }
    });
  });
}

// ... and from its transpose.
template <class T>
void copy_columns(const MatmulArgs& args, const RowTiles& chunk, const Block& block,
                  T* to) noexcept {
  constexpr int width = vec<T>::width,
                k_step = 16; // steps whose cache lines stay in the first level
  const std::int64_t top = chunk.begin();
  const Rows<T> a = rows_at<T, true>(args, top, block);
  for (std::int64_t first = 0; first < block.k; first += k_step)
    chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
      T* const tile = copied_tile(to, i - top, t, block.k);
      const std::int64_t end = least(first + k_step, block.k);
      const auto copy = [&](auto lanes) {
        const T* from = a.data + first * a.ld + i - top;
        for (std::int64_t p = first; p < end; ++p, from += a.ld) {
          // Rows may be pages apart, beyond hardware prefetching.
          __builtin_prefetch(from + k_step * a.ld);
          for (int j = 0; j < tile_rows; j += width)
            if (j == 0 || j < height) store(tile + p * height + j, load(from + j, lanes(j)));
        }
      };
      if (i + ceil_div(height, width) * width <= args.m)
        copy([](int) { return vec<T>::width; });
      else
        copy([&](int j) { return static_cast<int>(least(width, height - j)); });
    });
}

// Rows [i, i + height) of C in one panel, one k-block; the columns end at `end`.
template <class T, bool transpose_a, Storage storage>
void finish_tile(const MatmulArgs& args, const Block& block, std::int64_t i, int height,
                 const Rows<T>& a, const Panel<T>& b, std::int64_t end,
                 const Prefetch<T>& ahead) noexcept {
  const int columns = static_cast<int>(least(panel_width<T>, end - b.column));
  const T* bias = static_cast<const T*>(args.bias);
  const std::int64_t at = i * args.ldc + b.column;
  Epilogue<T> epilogue{};
  const bool in_registers = block.last && ends_in_registers(args);
  if (in_registers) {
    epilogue.rectifies = args.activation == Activation::relu;
    if (args.derivative != Activation::identity)
      epilogue.saved = static_cast<const T*>(args.saved) + at;
    epilogue.alpha = args.derivative == Activation::relu ? T(1) : static_cast<T>(args.alpha);
  }
  const TileShape<T> shape{
      block.k, transpose_a ? 1 : a.ld, transpose_a ? a.ld : 1, b.ld, args.ldc, columns, ahead,
      epilogue};
  multiply_tile(shape, height, storage == Storage::packed, a.data, b.data,
                static_cast<T*>(args.c) + at, bias == nullptr ? nullptr : bias + b.column,
                !block.first);
  if (i == 0 && args.column_sums != nullptr)
    sum_columns(b.data, b.ld, block.k, columns,
                column_sums_at<T>(args, b.column, block.first, block.last));
}

// The epilogue that needs the registers, on columns of rows that are still in the caches.
template <class T>
void finish_rows(const MatmulArgs& args, Slice rows, std::int64_t column,
                 std::int64_t columns) noexcept {
  if (ends_in_registers(args)) return;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) finish_row<T>(args, i, column, columns);
}

// The columns left to `multiply_tail`, which needs B in place and most columns in tiles.
template <class T, Storage storage> std::int64_t tail_of(std::int64_t n) noexcept {
  const std::int64_t tail = n % vec<T>::width;
  return storage == Storage::in_place && tail <= max_tail<T> && n > 2 * vec<T>::width ? tail : 0;
}

template <class T, bool transpose_a>
void multiply_last_columns(const MatmulArgs& args, Slice rows, std::int64_t columns) noexcept {
  const std::int64_t column = args.n - columns;
  for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t) {
    const Tail<T> tail{a_at<T, transpose_a>(args, rows.begin, block.begin),
                       static_cast<const T*>(args.b) + block.begin * args.ldb + column,
                       static_cast<T*>(args.c) + rows.begin * args.ldc + column,
                       args.bias == nullptr ? nullptr : static_cast<const T*>(args.bias) + column,
                       rows.end - rows.begin,
                       block.k,
                       args.lda,
                       args.ldb,
                       args.ldc,
                       !block.first};
    multiply_tail<T, transpose_a, max_k_block<T>>(static_cast<int>(columns), tail);
    if (rows.begin == 0 && args.column_sums != nullptr)
      sum_columns(tail.b, args.ldb, block.k, columns,
                  column_sums_at<T>(args, column, block.first, block.last));
  });
  for (std::int64_t i = rows.begin; i < rows.end; ++i) finish_row<T>(args, i, column, columns);
}

// A slice of rows of C. B is in place, or packed by a task before.
template <class T, bool transpose_a, Storage storage>
void multiply_rows(const MatmulArgs& args, Slice rows) noexcept {
  constexpr std::int64_t width = panel_width<T>;
  const std::int64_t tail = tail_of<T, storage>(args.n);
  const std::int64_t panels = ceil_div(args.n - tail, width);
  const auto panel_at = [&](const Block& block, std::int64_t number, std::int64_t p) {
    if constexpr (storage == Storage::in_place)
      return Panel<T>{static_cast<const T*>(args.b) + block.begin * args.ldb + p * width, args.ldb,
                      p * width};
    return Panel<T>{static_cast<const T*>(args.packed) +
                        (number * panels * args.k_block + p * block.k) * width,
                    width, p * width};
  };
  T* const copy = static_cast<T*>(const_cast<void*>(args.packed)) + panels * width * args.k +
                  rows.begin * (args.k_block + cache_line<T>);
  for (std::int64_t first = 0; first < panels; first += args.group_panels) {
    const std::int64_t last = least(first + args.group_panels, panels);
    for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t number) {
      for_each_chunk(rows, args.chunk_tiles, [&](const RowTiles& chunk) {
        const std::int64_t top = chunk.begin();
        if (args.copies_a) (transpose_a ? copy_columns<T> : copy_rows<T>)(args, chunk, block, copy);
        const std::int64_t part = ceil_div(width, chunk.last - chunk.first);
        for (std::int64_t p = first; p < last; ++p) {
          const Panel<T> b = panel_at(block, number, p);
          const Prefetch<T> none{b.data, 0};
          const bool is_last = p + 1 == last;
          const T* next = !is_last ? panel_at(block, number, p + 1).data
                          : storage == Storage::in_place && !block.last
                              ? b.data + block.k * b.ld - (p - first) * width
                              : nullptr;
          chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
            // Prefetch columns of A during the first panel, then panels of B; of a packed panel
            // each tile prefetches a part.
            const Prefetch<T> ahead =
                transpose_a && !args.copies_a && p == first && i + height < rows.end
                    ? Prefetch<T>{a_at<T, transpose_a>(args, i + height, block.begin), args.lda}
                : next == nullptr            ? none
                : storage == Storage::packed ? Prefetch<T>{next + t * block.k * part, part}
                : t < panel_lines<T>         ? Prefetch<T>{next + t * cache_line<T>, b.ld}
                                             : none;
            if (args.copies_a)
              finish_tile<T, true, storage>(args, block, i, height,
                                            Rows<T>{copied_tile(copy, i - top, t, block.k), height},
                                            b, args.n - tail, ahead);
            else
              finish_tile<T, transpose_a, storage>(args, block, i, height,
                                                   rows_at<T, transpose_a>(args, i, block), b,
                                                   args.n - tail, ahead);
          });
        }
        if (block.last)
          finish_rows<T>(args, {top, chunk.end()}, first * width,
                         least(last * width, args.n - tail) - first * width);
      });
    });
  }
  if (tail > 0) multiply_last_columns<T, transpose_a>(args, rows, tail);
}

// A slice of columns of C: panels of B are packed on the fly and stay in the caches for all rows; B
// is read once. If B is not transposed and larger than the cache, several panels are packed at
// once, to read pieces of 512 bytes, and the next ones are prefetched during the product, a few of
// their rows before each tile.
template <class T, bool transpose_a>
void multiply_columns(const MatmulArgs& args, Slice columns) noexcept {
  constexpr std::int64_t width = panel_width<T>;
  const bool exceeds_cache = args.packed != nullptr;
  const std::int64_t panels_at_once =
      exceeds_cache ? panels_bytes / std::int64_t{width * sizeof(T)} : 1;
  alignas(64) T near[columns_k_block * width];
  T* const packed =
      exceeds_cache ? static_cast<T*>(const_cast<void*>(args.packed)) + columns.begin * args.k_block
                    : near;
  const T* const b =
      static_cast<const T*>(args.b) + columns.begin * (args.transpose_b ? args.ldb : 1);
  const std::int64_t n = columns.end - columns.begin;
  const std::int64_t panels = ceil_div(n, width), tiles = ceil_div(args.m, tile_rows);
  constexpr std::int64_t panels_to_finish = 8; // at once: of 512 rows still in the caches
  std::int64_t finished = columns.begin;
  for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t) {
    for (std::int64_t first = 0; first < panels; first += panels_at_once) {
      const std::int64_t last = least(first + panels_at_once, panels);
      pack_panels(b, args.ldb, n, args.transpose_b, block.begin, block.k, first, last, packed);
      // The next data: the same k-block of the next panels, or the next k-block of the first ones.
      const bool is_last = last == panels;
      const std::int64_t next_row = block.begin + (is_last ? block.k : 0);
      const std::int64_t next_rows = exceeds_cache ? least(block.k, args.k - next_row) : 0;
      const T* const next = b + next_row * args.ldb + (is_last ? 0 : last) * width;
      const std::int64_t part = exceeds_cache ? ceil_div(next_rows, tiles * (last - first)) : 0;
      std::int64_t fetched = 0;
      for (std::int64_t p = first; p < last; ++p) {
        const Panel<T> panel{packed + (p - first) * block.k * width, width,
                             columns.begin + p * width};
        for_each_row_tile({0, args.m}, [&](std::int64_t i, int height, std::int64_t t) {
          // From a transposed B each tile prefetches one row of the next panel.
          const std::int64_t column = (p + 1) * width + t;
          const bool is_ahead = args.transpose_b && t < width && column < n;
          const Prefetch<T> ahead = is_ahead ? Prefetch<T>{b + column * args.ldb + block.begin, 1}
                                             : Prefetch<T>{packed, 0};
          for (const std::int64_t end = least(fetched + part, next_rows); fetched < end; ++fetched)
            for (std::int64_t j = 0; j < panels_at_once * width; j += cache_line<T>)
              __builtin_prefetch(next + fetched * args.ldb + j, 0, 2);
          finish_tile<T, transpose_a, Storage::packed>(args, block, i, height,
                                                       rows_at<T, transpose_a>(args, i, block),
                                                       panel, columns.end, ahead);
        });
        const std::int64_t end = least(panel.column + width, columns.end);
        if (block.last && (end == columns.end || end - finished >= panels_to_finish * width)) {
          finish_rows<T>(args, {0, args.m}, finished, end - finished);
          finished = end;
        }
      }
    }
  });
}

// A slice of rows of C, without the zero columns of A if there are many. A function of its own, so
// that the stacks do not add up.
template <class T, bool transpose_a>
[[gnu::noinline]] bool skip_zeros(const MatmulArgs& args, Slice rows) noexcept {
  NonzeroColumns nonzero;
  if (!has_zero_columns<T, transpose_a>(args, rows, nonzero)) return false;
  const std::int64_t tail = args.packed != nullptr ? 0 : tail_of<T, Storage::in_place>(args.n);
  multiply_sparse<T, transpose_a>(args, rows, args.n - tail, nonzero);
  if (tail > 0) multiply_last_columns<T, transpose_a>(args, rows, tail);
  return true;
}

// The outer product of a column and a row, the gradient of weights from a single sample: tiles
// would be all prologue.
inline bool is_outer(const MatmulArgs& args) noexcept {
  return args.k == 1 && args.packed == nullptr && !args.by_columns && args.bias == nullptr &&
         args.activation == Activation::identity && args.derivative == Activation::identity;
}
template <class T> void multiply_outer(const MatmulArgs& args, Slice rows) noexcept {
  const T* const a = static_cast<const T*>(args.a);
  const T* const b = static_cast<const T*>(args.b);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const vec<T> x = broadcast(a[i]);
    T* const row = static_cast<T*>(args.c) + i * args.ldc;
    for_each_vector<T>(0, args.n, [=](std::int64_t j, int n) {
      store(row + j, fma(x, load(b + j, n), zero<T>()), n);
    });
  }
  if (rows.begin == 0 && args.column_sums != nullptr)
    sum_columns(b, args.ldb, 1, args.n, column_sums_at<T>(args, 0, true, true));
}

template <class T, bool transpose_a>
void matmul_tiles(const MatmulArgs& args, Slice slice) noexcept {
  if (transpose_a && is_outer(args)) return multiply_outer<T>(args, slice);
  if (args.skips_zeros && skip_zeros<T, transpose_a>(args, slice)) return;
  if (args.by_columns)
    multiply_columns<T, transpose_a>(args, slice);
  else if (args.packed != nullptr)
    multiply_rows<T, transpose_a, Storage::packed>(args, slice);
  else
    multiply_rows<T, transpose_a, Storage::in_place>(args, slice);
}

// The products of some k-blocks, the first one with the bias.
template <class T> void multiply_blocks(const MatmulArgs& args, Slice parts) noexcept {
  for (std::int64_t i = parts.begin; i < parts.end; ++i) {
    const std::int64_t block = i / args.row_parts, begin = block * args.k_block;
    const Slice rows{args.m * (i % args.row_parts) / args.row_parts,
                     args.m * (i % args.row_parts + 1) / args.row_parts};
    MatmulArgs part = args;
    part.a = a_at<T, false>(args, 0, begin);
    part.b = static_cast<const T*>(args.b) + begin * args.ldb;
    part.c = static_cast<T*>(args.by_block) + block * args.m * args.n;
    part.k = least(args.k_block, args.k - begin);
    part.ldc = args.n;
    part.activation = Activation::identity;
    if (block > 0) part.bias = nullptr;
    matmul_tiles<T, false>(part, rows);
  }
}
// Their sum in ascending order.
template <class T> void sum_blocks(const MatmulArgs& args, Slice rows) noexcept {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const T* const first = static_cast<const T*>(args.by_block) + i * args.n;
    T* const row = static_cast<T*>(args.c) + i * args.ldc;
    for_each_vector<T>(0, args.n, [&](std::int64_t j, int n) {
      vec<T> sum = load(first + j, n);
      for (std::int64_t block = 1; block * args.k_block < args.k; ++block)
        sum = load(first + block * args.m * args.n + j, n) + sum;
      store(row + j, sum, n);
    });
    finish_row<T>(args, i, 0, args.n);
  }
}

template <class T> void matmul(const MatmulArgs& args, Slice slice) noexcept {
  if (args.part == ProductPart::blocks) return multiply_blocks<T>(args, slice);
  if (args.part == ProductPart::sum) return sum_blocks<T>(args, slice);
  (args.transpose_a ? matmul_tiles<T, true> : matmul_tiles<T, false>)(args, slice);
}

// Too small for tiles: products and sums are rounded one by one, in vectors along the row of C or,
// if it is short or B transposed, element by element.
template <class T>
GYAKU_INLINE T small_element(const MatmulArgs& args, const T* a, std::int64_t a_term,
                             std::int64_t j) {
  const T* const b = static_cast<const T*>(args.b) + j * (args.transpose_b ? args.ldb : 1);
  const std::int64_t b_term = args.transpose_b ? 1 : args.ldb;
  T sum = args.bias == nullptr ? T(0) : static_cast<const T*>(args.bias)[j];
  for (std::int64_t p = 0; p < args.k; ++p) sum += a[p * a_term] * b[p * b_term];
  return sum;
}

template <class T>
GYAKU_INLINE void multiply_small_row(const MatmulArgs& args, const T* a, std::int64_t a_term,
                                     T* row) {
  const T* const b = static_cast<const T*>(args.b);
  const T* const bias = static_cast<const T*>(args.bias);
  const std::int64_t k = args.k, ldb = args.ldb;
  if (!args.transpose_b && args.n >= 4)
    return for_each_vector<T>(0, args.n, [=](std::int64_t j, int n) {
      vec<T> sum = bias == nullptr ? zero<T>() : load(bias + j, n);
      for (std::int64_t p = 0; p < k; ++p)
        sum = sum + broadcast(a[p * a_term]) * load(b + p * ldb + j, n);
      store(row + j, sum, n);
    });
  for (std::int64_t j = 0; j < args.n; ++j) row[j] = small_element(args, a, a_term, j);
}

// Row i with activation and derivative.
template <class T>
GYAKU_INLINE void finish_few(const MatmulArgs& args, std::int64_t i, vec<T> sums) {
  constexpr int width = vec<T>::width;
  const std::int64_t at = i * args.ldc;
  const T alpha = static_cast<T>(args.alpha);
  alignas(64) T row[width], saved[width];
  store(row, sums);
  if (args.activation != Activation::identity) activate_row(args.activation, alpha, row, width);
  if (args.derivative != Activation::identity) {
    store(saved, load_few(static_cast<const T*>(args.saved) + at, args.n));
    differentiate_row(args.derivative, alpha, saved, row, width);
  }
  store_few(static_cast<T*>(args.c) + at, load(row), args.n);
}

template <class T> GYAKU_INLINE void sum_small_columns(const MatmulArgs& args) {
  const T* const b = static_cast<const T*>(args.b);
  if (args.n > few<T>)
    return sum_columns(b, args.ldb, args.k, args.n, column_sums_at<T>(args, 0, true, true));
  T* const sums = static_cast<T*>(args.column_sums);
  for (std::int64_t j = 0; j < args.n; ++j) {
    T sum = 0;
    for (std::int64_t p = 0; p < args.k; ++p) sum += b[p * args.ldb + j];
    sums[j] = sum;
  }
}

template <class T> void matmul_small(const MatmulArgs& args, Slice slice) noexcept {
  if (args.n == 0) return; // there may be any number of empty rows
  const T* const a = static_cast<const T*>(args.a);
  const std::int64_t a_row = args.transpose_a ? 1 : args.lda,
                     a_term = args.transpose_a ? args.lda : 1;
  const bool is_linear =
      args.activation == Activation::identity && args.derivative == Activation::identity;
  for (std::int64_t i = slice.begin; i < slice.end; ++i) {
    const T* const from = a + i * a_row;
    if (args.n <= few<T> && !is_linear) {
      const auto element = [&](int j) { return small_element(args, from, a_term, j); };
      finish_few<T>(args, i, make_few<T>(args.n, element));
    } else {
      multiply_small_row(args, from, a_term, static_cast<T*>(args.c) + i * args.ldc);
      finish_row<T>(args, i, 0, args.n);
    }
    if (i == 0 && args.column_sums != nullptr) sum_small_columns<T>(args);
  }
}

template <class T> void sum_rows(const SumRowsArgs& args, Slice slice) noexcept {
  double* const totals = args.totals == nullptr ? nullptr : args.totals + slice.begin;
  sum_columns(static_cast<const T*>(args.x) + slice.begin, args.columns, args.rows,
              slice.end - slice.begin,
              ColumnSums<T>{static_cast<T*>(args.y) + slice.begin, totals});
}

} // namespace

// Slices of rows or columns of the result, see MatmulArgs::by_columns.
Entry matmul_kernel() noexcept { return entry<MatmulArgs, matmul<float>, matmul<double>>; }
// Slices of rows of the result.
Entry matmul_small_kernel() noexcept {
  return entry<MatmulArgs, matmul_small<float>, matmul_small<double>>;
}
// Slices of columns.
Entry sum_rows_kernel() noexcept { return entry<SumRowsArgs, sum_rows<float>, sum_rows<double>>; }
void gemm_limits(Limits& limits) noexcept {
  limits.tile[static_cast<int>(Scalar::float32)] = {tile_rows, panel_width<float>,
                                                    max_k_block<float>, large_b};
  limits.tile[static_cast<int>(Scalar::float64)] = {tile_rows, panel_width<double>,
                                                    max_k_block<double>, large_b};
}

} // namespace gyaku::GYAKU_ISA_NAME
