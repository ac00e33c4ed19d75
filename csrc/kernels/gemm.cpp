// The matrix product: loops around one micro-kernel, which keeps a tile of C in registers.
//
// An element of C is summed over k in rising order, one multiply-add a term, in blocks of k_block
// terms that are then added up, whatever the tile it falls into. Two kinds have an order of their
// own: tiny products are summed in one block; last columns (`rest.h`) get their bias at the end and
// are summed by the lanes of vectors if A is not transposed. Kind and blocks follow from the
// problem and the instruction set alone, and so do the bits of an element.
//
// From the outside in: groups of B's panels that stay in the third-level cache; blocks of terms;
// chunks of row tiles of A, which stay in the second level; panels; tiles. A and B are read where
// they lie, unless B is transposed, or so large that both are worth a copy: then blocks are longer,
// since each of them passes over C once, and groups are as large as the cache allows. Products
// of a batch of data go another way if much of it is zero (`gemm_live.h`).
#include "kernels/gemm_live.h"
#include "kernels/gemm_loops.h"
#include "kernels/register.h"
#include "kernels/rest.h"
#include "kernels/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The load units of AVX2 have little time left beside the broadcasts for so few rows, and none for
// vectors that cross a cache line: B is worth a copy much sooner.
constexpr std::int64_t large_b = (accumulators == 12 ? 192 : 2048) * 1024;

// Terms before its last when a tile asks for the lines that it will write: asked for earlier, they
// would be gone again.
constexpr std::int64_t soon = 64;

enum class Storage { in_place, packed };

// Which lanes a tile loads of its last vector of B: all of them, or those of valid columns.
enum class Last { whole, partial };

// Memory that is read soon, a cache line for each of some terms, `step` numbers apart: it may lie
// in another core's cache, from where it comes too late if asked for when needed.
template <class T> struct Ahead {
  const T* data;
  std::int64_t step;
};

// What a tile does to its sums before it writes them; `finish_row` applies other functions.
template <class T> struct Epilogue {
  bool rectifies; // sum = max(sum, 0)
  const T* saved; // or null: sum = saved > 0 ? alpha sum : 0
  T alpha;
};

inline bool ends_in_registers(const MatmulArgs& args) {
  return is_rectifier(args.activation) && is_rectifier(args.derivative);
}

// The addresses a micro-kernel walks: k terms of a tile of `columns` valid columns.
template <class T> struct TileShape {
  std::int64_t k, lda, ldb, ldc;
  int columns;
  Ahead<T> ahead;
  Epilogue<T> epilogue;
};

// c[rows][vectors * width] (+)= a b. A is read one number at a time (row i, term p at
// a[i * lda + p], or a[p * lda + i] if transposed); B row by row. Nothing beyond `columns` is
// written.
template <class T, int rows, int vectors, bool transpose_a, Last lanes>
void tile(const TileShape<T>& shape, const T* a, const T* b, T* c, const T* bias,
          bool accumulate) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t lda = shape.lda, ldb = shape.ldb, ldc = shape.ldc;
  const int last = shape.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<T> sum[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = accumulate || bias == nullptr
                      ? zero<T>()
                      : zero<T>() + load(bias + j * width, j + 1 < vectors ? width : last);
  Ahead<T> ahead = shape.ahead;
  std::int64_t p = 0;
  for (std::int64_t stop = shape.k > soon ? shape.k - soon : 0; p < shape.k; stop = shape.k) {
    for (; p < stop; ++p) {
      vec<T> row[vectors];
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j)
        row[j] = lanes == Last::whole || j + 1 < vectors ? load(b + j * width)
                                                         : load_partial(b + j * width, last);
      if constexpr (vectors > 1) { // else the load units have no time for it
        __builtin_prefetch(ahead.data, 0, 2);
        ahead.data += ahead.step;
      }
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) {
        const vec<T> x = broadcast(transpose_a ? a[i] : a[i * lda]);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) sum[i][j] = fma(x, row[j], sum[i][j]);
      }
      a += transpose_a ? lda : 1;
      b += ldb;
    }
    if (p < shape.k)
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) __builtin_prefetch(c + i * ldc + j * width, 1);
  }
  // All reads before the first write: rows whole pages apart would seem to overlap.
  if (accumulate)
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        const T* from = c + i * ldc + j * width;
        sum[i][j] = sum[i][j] + (j + 1 < vectors ? load(from) : load(from, last));
      }
  if (shape.epilogue.rectifies)
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j)
        sum[i][j] = activate<Activation::relu>(sum[i][j], zero<T>());
  if (shape.epilogue.saved != nullptr)
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        const T* saved = shape.epilogue.saved + i * ldc + j * width;
        sum[i][j] = differentiate<Activation::dropped_relu>(
            sum[i][j], j + 1 < vectors ? load(saved) : load(saved, last),
            broadcast(shape.epilogue.alpha));
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

template <class T, int vectors, bool transpose_a, Last lanes, int... rows>
constexpr void fill_row(TileKernel<T> (&entry)[tile_rows], Integers<rows...>) {
  ((entry[rows] = tile<T, rows + 1, vectors, transpose_a, lanes>), ...);
}

template <class T, bool transpose_a, Last lanes> constexpr TileKernels<T> make_tiles() {
  TileKernels<T> tiles{};
  fill_row<T, 1, transpose_a, lanes>(tiles.entry[0], typename Count<tile_rows>::type{});
  fill_row<T, 2, transpose_a, lanes>(tiles.entry[1], typename Count<tile_rows>::type{});
  return tiles;
}

template <class T, bool transpose_a, Last lanes>
constexpr TileKernels<T> tiles = make_tiles<T, transpose_a, lanes>();

// Where `copy_rows` puts tile t of a chunk, which begins with row i of it, in a block of k terms:
// `height` numbers for each term, so that a tile is read in one go. Between tiles is room for the
// lanes that are stored in vain.
template <class T>
GYAKU_INLINE T* copied_tile(T* to, std::int64_t i, std::int64_t t, std::int64_t k) {
  return to + i * k + t * vec<T>::width;
}

// The rows of a chunk in one block of terms, of A ...
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
          if (c < terms) // what is stored in vain is written over, if no second vector was there
            store(tile + (p + c) * height + j, square[c],
                  j == 0 ? width : static_cast<int>(least(width, height - j)));
      }
    });
  });
}

// ... and of its transpose.
template <class T>
void copy_columns(const MatmulArgs& args, const RowTiles& chunk, const Block& block,
                  T* to) noexcept {
  constexpr int width = vec<T>::width, together = 16; // terms whose lines stay in the first level
  const std::int64_t top = chunk.begin();
  const Rows<T> a = rows_at<T, true>(args, top, block);
  for (std::int64_t first = 0; first < block.k; first += together)
    chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
      T* const tile = copied_tile(to, i - top, t, block.k);
      const std::int64_t end = least(first + together, block.k);
      const auto copy = [&](auto lanes) {
        const T* from = a.data + first * a.ld + i - top;
        for (std::int64_t p = first; p < end; ++p, from += a.ld) {
          // Rows may lie pages apart, where the hardware does not look ahead.
          __builtin_prefetch(from + together * a.ld);
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

// Rows [i, i + height) of C in one panel, one block of terms; the columns end at `end`.
template <class T, bool transpose_a, Storage storage>
void multiply_tile(const MatmulArgs& args, const Block& block, std::int64_t i, int height,
                   const Rows<T>& a, const Panel<T>& b, std::int64_t end,
                   const Ahead<T>& ahead) noexcept {
  const int columns = static_cast<int>(least(panel_width<T>, end - b.column));
  const int vectors = columns > vec<T>::width ? 2 : 1;
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
  const TileShape<T> shape{block.k, a.ld, b.ld, args.ldc, columns, ahead, epilogue};
  const bool is_whole =
      !partial_is_free && (storage == Storage::packed || columns == vectors * vec<T>::width);
  constexpr Last best = partial_is_free ? Last::partial : Last::whole;
  const TileKernels<T>& kernels =
      is_whole ? tiles<T, transpose_a, best> : tiles<T, transpose_a, Last::partial>;
  kernels.entry[vectors - 1][height - 1](shape, a.data, b.data, static_cast<T*>(args.c) + at,
                                         bias == nullptr ? nullptr : bias + b.column, !block.first);
  if (i == 0 && args.column_sums != nullptr)
    sum_columns(b.data, b.ld, block.k, columns, static_cast<T*>(args.column_sums) + b.column,
                !block.first);
  if (block.last && !in_registers)
    for (int r = 0; r < height; ++r) finish_row<T>(args, i + r, b.column, columns);
}

// The columns that are left to `multiply_rest`: B must be in place, and tiles must do the most.
template <class T, Storage storage> std::int64_t rest_of(std::int64_t n) noexcept {
  const std::int64_t rest = n % vec<T>::width;
  return storage == Storage::in_place && rest <= max_rest<T> && n > 2 * vec<T>::width ? rest : 0;
}

template <class T, bool transpose_a>
void multiply_last_columns(const MatmulArgs& args, Slice rows, std::int64_t columns) noexcept {
  const std::int64_t column = args.n - columns;
  for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t) {
    const Rest<T> rest{a_at<T, transpose_a>(args, rows.begin, block.begin),
                       static_cast<const T*>(args.b) + block.begin * args.ldb + column,
                       static_cast<T*>(args.c) + rows.begin * args.ldc + column,
                       args.bias == nullptr ? nullptr : static_cast<const T*>(args.bias) + column,
                       rows.end - rows.begin,
                       block.k,
                       args.lda,
                       args.ldb,
                       args.ldc,
                       !block.first};
    multiply_rest<T, transpose_a, max_k_block<T>>(static_cast<int>(columns), rest);
    if (rows.begin == 0 && args.column_sums != nullptr)
      sum_columns(rest.b, args.ldb, block.k, columns, static_cast<T*>(args.column_sums) + column,
                  !block.first);
  });
  for (std::int64_t i = rows.begin; i < rows.end; ++i) finish_row<T>(args, i, column, columns);
}

// A slice of C's rows. B is in place or packed by a task before.
template <class T, bool transpose_a, Storage storage>
void multiply_rows(const MatmulArgs& args, Slice rows) noexcept {
  constexpr std::int64_t width = panel_width<T>;
  const std::int64_t rest = rest_of<T, storage>(args.n);
  const std::int64_t panels = ceil_div(args.n - rest, width);
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
        const std::int64_t share = ceil_div(width, chunk.last - chunk.first);
        for (std::int64_t p = first; p < last; ++p) {
          const Panel<T> b = panel_at(block, number, p);
          const Ahead<T> none{b.data, 0};
          const bool is_last = p + 1 == last;
          const T* next = !is_last ? panel_at(block, number, p + 1).data
                          : storage == Storage::in_place && !block.last
                              ? b.data + block.k * b.ld - (p - first) * width
                              : nullptr;
          chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
            // Columns of A are fetched while the first panel passes by, then panels of B: of a
            // packed one each tile fetches its part.
            const Ahead<T> ahead =
                transpose_a && !args.copies_a && p == first && i + height < rows.end
                    ? Ahead<T>{a_at<T, transpose_a>(args, i + height, block.begin), args.lda}
                : next == nullptr            ? none
                : storage == Storage::packed ? Ahead<T>{next + t * block.k * share, share}
                : t < panel_lines<T>         ? Ahead<T>{next + t * cache_line<T>, b.ld}
                                             : none;
            if (args.copies_a)
              multiply_tile<T, true, storage>(
                  args, block, i, height, Rows<T>{copied_tile(copy, i - top, t, block.k), height},
                  b, args.n - rest, ahead);
            else
              multiply_tile<T, transpose_a, storage>(args, block, i, height,
                                                     rows_at<T, transpose_a>(args, i, block), b,
                                                     args.n - rest, ahead);
          });
        }
      });
    });
  }
  if (rest > 0) multiply_last_columns<T, transpose_a>(args, rows, rest);
}

// Some panels side by side, `rows` terms of `columns` columns, zero up to the last panel's width.
template <class T>
void pack_rows(const T* b, std::int64_t ldb, std::int64_t rows, std::int64_t columns,
               T* to) noexcept {
  constexpr int width = vec<T>::width;
  constexpr std::int64_t panel = panel_width<T>;
  for (std::int64_t p = 0; p < rows; ++p, b += ldb, to += panel) {
    std::int64_t first = 0;
    for (; first + panel <= columns; first += panel) {
      // Rows may lie pages apart, where the hardware does not look ahead.
      __builtin_prefetch(b + 16 * ldb + first);
      for (int j = 0; j < panel; j += width) store(to + first * rows + j, load(b + first + j));
    }
    for (std::int64_t j = first; first < columns && j < first + panel; j += width)
      store(to + first * rows + j - first,
            j < columns ? load(b + j, static_cast<int>(least(width, columns - j))) : zero<T>());
  }
}

// One panel, of the transpose of `columns` rows of `rows` terms.
template <class T>
void pack_transposed(const T* b, std::int64_t ldb, std::int64_t rows, std::int64_t columns,
                     T* to) noexcept {
  constexpr int width = vec<T>::width;
  constexpr std::int64_t panel = panel_width<T>;
  for (int j = 0; j < panel; j += width)
    for (std::int64_t p = 0; p < rows; p += width) {
      const int terms = static_cast<int>(least(width, rows - p));
      const T* from = b + j * ldb + p;
      vec<T> square[width];
      if (terms == width && j + width <= columns)
#pragma GCC unroll 16
        for (int c = 0; c < width; ++c, from += ldb) square[c] = load(from);
      else
#pragma GCC unroll 16
        for (int c = 0; c < width; ++c, from += ldb)
          square[c] = j + c < columns ? load_partial(from, terms) : zero<T>();
      transpose_square(square);
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t)
        if (t < terms) store(to + (p + t) * panel + j, square[t]);
    }
}

// Panels [first, last) of B in a block of terms.
template <class T>
void pack_panels(const T* b, std::int64_t ldb, std::int64_t n, bool transposed, std::int64_t row,
                 std::int64_t rows, std::int64_t first, std::int64_t last, T* to) noexcept {
  constexpr std::int64_t panel = panel_width<T>;
  if (!transposed) {
    pack_rows(b + row * ldb + first * panel, ldb, rows, least(last * panel, n) - first * panel, to);
    return;
  }
  for (std::int64_t p = first; p < last; ++p, to += rows * panel)
    pack_transposed(b + p * panel * ldb + row, ldb, rows, least(panel, n - p * panel), to);
}

// A slice of C's columns: panels of B are packed on the spot, stay in the caches, and are used by
// all rows; B is read once. A large B that is not transposed is far away: there some panels are
// packed at once, so that it is read in pieces of 512 bytes, and the next ones are fetched while
// these are multiplied, a few of their rows before each tile.
template <class T, bool transpose_a>
void multiply_columns(const MatmulArgs& args, Slice columns) noexcept {
  constexpr std::int64_t width = panel_width<T>;
  const bool is_far = args.packed != nullptr;
  const std::int64_t together = is_far ? panels_bytes / std::int64_t{width * sizeof(T)} : 1;
  alignas(64) T near[columns_k_block * width];
  T* const packed =
      is_far ? static_cast<T*>(const_cast<void*>(args.packed)) + columns.begin * args.k_block
             : near;
  const T* const b =
      static_cast<const T*>(args.b) + columns.begin * (args.transpose_b ? args.ldb : 1);
  const std::int64_t n = columns.end - columns.begin;
  const std::int64_t panels = ceil_div(n, width), tiles = ceil_div(args.m, tile_rows);
  for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t) {
    for (std::int64_t first = 0; first < panels; first += together) {
      const std::int64_t last = least(first + together, panels);
      pack_panels(b, args.ldb, n, args.transpose_b, block.begin, block.k, first, last, packed);
      // What comes next: the same terms of the next panels, or the next terms of the first ones.
      const bool is_last = last == panels;
      const std::int64_t next_row = block.begin + (is_last ? block.k : 0);
      const std::int64_t next_rows = is_far ? least(block.k, args.k - next_row) : 0;
      const T* const next = b + next_row * args.ldb + (is_last ? 0 : last) * width;
      const std::int64_t share = is_far ? ceil_div(next_rows, tiles * (last - first)) : 0;
      std::int64_t fetched = 0;
      for (std::int64_t p = first; p < last; ++p) {
        const Panel<T> panel{packed + (p - first) * block.k * width, width,
                             columns.begin + p * width};
        for_each_row_tile({0, args.m}, [&](std::int64_t i, int height, std::int64_t t) {
          // Of a transposed B each tile fetches one row of the next panel, if one is left.
          const std::int64_t column = (p + 1) * width + t;
          const bool is_ahead = args.transpose_b && t < width && column < n;
          const Ahead<T> ahead =
              is_ahead ? Ahead<T>{b + column * args.ldb + block.begin, 1} : Ahead<T>{packed, 0};
          for (const std::int64_t end = least(fetched + share, next_rows); fetched < end; ++fetched)
            for (std::int64_t j = 0; j < together * width; j += cache_line<T>)
              __builtin_prefetch(next + fetched * args.ldb + j, 0, 2);
          multiply_tile<T, transpose_a, Storage::packed>(args, block, i, height,
                                                         rows_at<T, transpose_a>(args, i, block),
                                                         panel, columns.end, ahead);
        });
      }
    }
  });
}

// A slice of C's rows without the terms of A that are zero, if there are many of them. Apart from
// the other ways, so that their stacks do not add up.
template <class T, bool transpose_a>
[[gnu::noinline]] bool skip_zeros(const MatmulArgs& args, Slice rows) noexcept {
  LiveTerms live;
  if (!has_dead_terms<T, transpose_a>(args, rows, live)) return false;
  const std::int64_t rest = args.packed != nullptr ? 0 : rest_of<T, Storage::in_place>(args.n);
  multiply_live<T, transpose_a>(args, rows, args.n - rest, live);
  if (rest > 0) multiply_last_columns<T, transpose_a>(args, rows, rest);
  return true;
}

template <class T, bool transpose_a>
void matmul_tiles(const MatmulArgs& args, Slice slice) noexcept {
  if constexpr (sizeof(T) == sizeof(float)) // who trains in float64 is seldom in a hurry
    if (args.skips_zeros && skip_zeros<T, transpose_a>(args, slice)) return;
  if (args.by_columns)
    multiply_columns<T, transpose_a>(args, slice);
  else if (args.packed != nullptr)
    multiply_rows<T, transpose_a, Storage::packed>(args, slice);
  else
    multiply_rows<T, transpose_a, Storage::in_place>(args, slice);
}

template <class T> void matmul(const MatmulArgs& args, Slice slice) noexcept {
  (args.transpose_a ? matmul_tiles<T, true> : matmul_tiles<T, false>)(args, slice);
}

// Too small for tiles: a number at a time.
template <class T> void matmul_small(const MatmulArgs& args, Slice slice) noexcept {
  if (args.n == 0) return; // there may be any number of empty rows
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

// Panels of one block at a time, as many as there are: B's rows are then read in longer pieces.
template <class T> void pack(const PackArgs& args, Slice slice) noexcept {
  constexpr std::int64_t panel = panel_width<T>, together = 8;
  const std::int64_t panels = ceil_div(args.n, panel);
  for (std::int64_t i = slice.begin; i < slice.end;) {
    const std::int64_t block = i / panels, first = i % panels, row = block * args.k_block;
    const std::int64_t rows = least(args.k_block, args.k - row);
    const std::int64_t last = least(first + least(slice.end - i, together), panels);
    T* to = static_cast<T*>(args.packed) + (block * panels * args.k_block + first * rows) * panel;
    pack_panels(static_cast<const T*>(args.b), args.ldb, args.n, args.transpose, row, rows, first,
                last, to);
    i += last - first;
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
                                                   max_k_block<float>, large_b};
  table.tile[static_cast<int>(Scalar::float64)] = {tile_rows, panel_width<double>,
                                                   max_k_block<double>, large_b};
}

} // namespace gyaku::GYAKU_ISA_NAME
