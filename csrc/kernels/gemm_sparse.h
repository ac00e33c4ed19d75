// Zero-skipping products: columns of A that are zero in all rows of a tile, such as the margin of
// images, are skipped. Zero times a finite value adds nothing to a sum, so that no bit changes (but
// the sign of a zero); where B has infinities or NaN, no column is skipped.
//
// The fewer rows a tile has, the more columns are zero in all of them: tiles are half as high here
// as elsewhere, and twice as wide.
#pragma once

#include "kernels/gemm_epilogue.h"
#include "kernels/gemm_loops.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int sparse_vectors = accumulators == 12 ? 3 : 4;
constexpr int sparse_rows = accumulators / sparse_vectors;
constexpr int worth_skipping = accumulators == 12 ? 4 : 7; // eighths: low tiles take twice the time
constexpr int least_sparse_rows = (sparse_rows + 1) / 2;   // of slices with enough rows

// The nonzero columns of a tile, in ascending order.
struct ColumnList {
  const std::uint16_t* terms;
  std::int64_t count;
};

// Neither 0 nor -0.
template <class T> GYAKU_INLINE mask<T> is_nonzero(vec<integer<T>> any) {
  return mask<T>((any + any != zero<integer<T>>()).v);
}

// The lists of several tiles in one k-block.
class NonzeroColumns {
public:
  // Number of tiles of k columns that fit.
  static std::int64_t room(std::int64_t k) { return least(capacity / (k + slack), most_tiles); }

  // The columns that are not zero in all rows of a tile.
  template <class T, bool transpose_a>
  void find(const MatmulArgs& args, const Block& block, const RowTiles& chunk) noexcept {
    using lanes = vec<integer<T>>;
    length_ = block.k + slack;
    if constexpr (transpose_a) {
      const std::int64_t top = chunk.begin();
      mark<T>(a_at<T, true>(args, top, block.begin), args.lda, block.k, chunk.end() - top);
      chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
        const std::int64_t word = (i - top) / word_bits, bit = (i - top) % word_bits;
        const vec<std::int32_t> tile(((1 << height) - 1) << bit);
        std::uint16_t* to = lists_ + t * length_;
        for_each_vector<std::int32_t>(0, block.k, [&](std::int64_t p, int n) {
          const vec<std::int32_t> marks = load(marks_ + word * block.k + p, n);
          to += store_set(to, (marks & tile) != zero<std::int32_t>(), static_cast<int>(p));
        });
        count_[t] = static_cast<std::int16_t>(to - (lists_ + t * length_));
      });
    } else {
      chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
        const Rows<T> a = rows_at<T, false>(args, i, block);
        std::uint16_t* to = lists_ + t * length_;
        for_each_vector<T>(0, block.k, [&](std::int64_t p, int n) {
          lanes any = zero<integer<T>>();
          for (int r = 0; r < height; ++r) any = any | bits(load(a.data + r * a.ld + p, n));
          to += store_set(to, is_nonzero<T>(any), static_cast<int>(p));
        });
        count_[t] = static_cast<std::int16_t>(to - (lists_ + t * length_));
      });
    }
  }
  // All columns, for all tiles.
  void take_all(const Block& block) noexcept {
    length_ = 0;
    for (std::int64_t p = 0; p < block.k; ++p) lists_[p] = static_cast<std::uint16_t>(p);
    count_[0] = static_cast<std::int16_t>(block.k);
  }
  ColumnList of(std::int64_t t) const {
    return {lists_ + t * length_, count_[length_ == 0 ? 0 : t]};
  }

private:
  // Bits for the nonzero elements of A, for tiles with contiguous rows: for each word of rows, one
  // mark for each step of k. The upper half of a mark is the lower half of the mark of the next
  // word, so that one mark covers all rows of a tile.
  template <class T>
  void mark(const T* a, std::int64_t lda, std::int64_t k, std::int64_t rows) noexcept {
    constexpr int width = vec<T>::width;
    static_assert(word_bits % width == 0 && word_bits + sparse_rows <= 32);
    for (std::int64_t p = 0; p < k; ++p, a += lda) {
      // Rows may be pages apart, beyond hardware prefetching.
      __builtin_prefetch(a + 16 * lda);
      std::uint32_t before = 0;
      for (std::int64_t i = 0; i < rows; i += word_bits) {
        std::uint32_t set = 0;
        for (int j = 0; j < word_bits && i + j < rows; j += width) {
          const int n = static_cast<int>(least(width, rows - i - j));
          set |= set_lanes(is_nonzero<T>(bits(load(a + i + j, n)))) << j;
        }
        std::int32_t* const at = marks_ + i / word_bits * k + p;
        if (i > 0) at[-k] = static_cast<std::int32_t>(before | set << word_bits);
        *at = static_cast<std::int32_t>(set);
        before = set;
      }
    }
  }

  static constexpr std::int64_t slack = 16, capacity = 6144, most_tiles = 256;
  static constexpr int word_bits = 16;
  static constexpr std::int64_t most_terms = 2 * max_k_block<float>;
  static_assert(most_terms + slack <= capacity);
  std::int32_t marks_[capacity * sparse_rows / word_bits + most_terms];
  std::uint16_t lists_[capacity];
  std::int16_t count_[most_tiles];
  std::int64_t length_ = 0;
};

// Whether there are enough zeros to gain from, by a sample of tiles.
template <class T, bool transpose_a>
bool has_zero_columns(const MatmulArgs& args, Slice rows, NonzeroColumns& nonzero) noexcept {
  const std::int64_t k = least(args.k, args.k_block), looks = 4;
  const std::int64_t tiles = ceil_div(rows.end - rows.begin, sparse_rows);
  if (rows.end - rows.begin < sparse_rows) return false;
  std::int64_t count = 0;
  for (std::int64_t look = 0; look < looks; ++look) {
    const std::int64_t t = (tiles - 1) * look / (looks - 1);
    nonzero.find<T, transpose_a>(args, {0, k, true, true}, {rows, tiles, t, t + 1});
    count += nonzero.of(0).count;
  }
  return count < looks * k * worth_skipping / 8;
}

// Whether all elements in k rows of B are finite: zero times any other is zero.
template <class T>
bool is_finite(const T* b, std::int64_t ldb, std::int64_t k, std::int64_t columns) noexcept {
  constexpr int chains = 4;
  vec<T> sum[chains];
  for (int i = 0; i < chains; ++i) sum[i] = zero<T>();
  std::int64_t p = 0;
  for (; p + chains <= k; p += chains)
    for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
#pragma GCC unroll 4
      for (int i = 0; i < chains; ++i)
        sum[i] = fma(load(b + (p + i) * ldb + j, n), zero<T>(), sum[i]);
    });
  for (; p < k; ++p)
    for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
      sum[0] = fma(load(b + p * ldb + j, n), zero<T>(), sum[0]);
    });
  return reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3])) == 0;
}

template <class T> struct SparseShape {
  std::int64_t lda, ldb, ldc;
  int columns; // valid ones
  const T*
      ahead; // rows to prefetch, with leading dimension ldb: a cache line for each column added
};

// c[rows][columns] (+)= a b over the columns of a list.
template <class T, int rows, int vectors, bool transpose_a>
void sparse_tile(const SparseShape<T>& shape, const ColumnList& list, const T* a, const T* b, T* c,
                 const T* bias, bool accumulate) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t lda = shape.lda, ldb = shape.ldb, ldc = shape.ldc;
  const int last = shape.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<T> sum[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = accumulate || bias == nullptr
                      ? zero<T>()
                      : zero<T>() + load(bias + j * width, j + 1 < vectors ? width : last);
  const T* ahead = shape.ahead;
  for (std::int64_t n = 0; n < list.count; ++n, ahead += ldb) {
    const std::int64_t p = list.terms[n];
    const T* const b_row = b + p * ldb;
    const T* const a_term = a + p * (transpose_a ? lda : 1);
    vec<T> row[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      row[j] = j + 1 < vectors ? load(b_row + j * width) : load_partial(b_row + j * width, last);
    __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const vec<T> x = broadcast(transpose_a ? a_term[i] : a_term[i * lda]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sum[i][j] = fma(x, row[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      T* const at = c + i * ldc + j * width;
      const int lanes = j + 1 < vectors ? width : last;
      store(at, accumulate ? sum[i][j] + load(at, lanes) : sum[i][j], lanes);
    }
}

template <class T>
using SparseKernel = void (*)(const SparseShape<T>&, const ColumnList&, const T*, const T*, T*,
                              const T*, bool) noexcept;

constexpr int sparse_heights = sparse_rows + 1 - least_sparse_rows;
template <class T> struct SparseKernels {
  SparseKernel<T> entry[sparse_vectors][sparse_heights];
};

template <class T, bool transpose_a, int vectors, int... i>
constexpr void fill_sparse(SparseKernel<T> (&entry)[sparse_heights], Integers<i...>) {
  ((entry[i] = sparse_tile<T, least_sparse_rows + i, vectors, transpose_a>), ...);
}
template <class T, bool transpose_a, int... j>
constexpr SparseKernels<T> make_sparse(Integers<j...>) {
  SparseKernels<T> kernels{};
  (fill_sparse<T, transpose_a, j + 1>(kernels.entry[j], typename Count<sparse_heights>::type{}),
   ...);
  return kernels;
}
template <class T, bool transpose_a>
constexpr SparseKernels<T> sparse_tiles =
    make_sparse<T, transpose_a>(typename Count<sparse_vectors>::type{});

// A slice of rows, first columns of C, B in place.
template <class T, bool transpose_a>
void multiply_sparse(const MatmulArgs& args, Slice rows, std::int64_t columns,
                     NonzeroColumns& nonzero) noexcept {
  constexpr int width = vec<T>::width;
  constexpr std::int64_t panel = sparse_vectors * width, lines = ceil_div(panel, cache_line<T>);
  const T* const bias = static_cast<const T*>(args.bias);
  for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t) {
    const T* const b = static_cast<const T*>(args.b) + block.begin * args.ldb;
    const bool finite = is_finite(b, args.ldb, block.k, columns);
    // Of a transposed A larger than the cache, the columns of one cache line.
    constexpr std::int64_t large_a = 512 * 1024 / sizeof(T), line = cache_line<T> / sparse_rows;
    const std::int64_t room = NonzeroColumns::room(block.k),
                       size =
                           transpose_a && block.k * args.lda > large_a ? least(room, line) : room;
    for_each_chunk<sparse_rows>(rows, size, [&](const RowTiles& chunk) {
      if (finite)
        nonzero.find<T, transpose_a>(args, block, chunk);
      else
        nonzero.take_all(block);
      for (std::int64_t column = 0; column < columns; column += panel) {
        const int here = static_cast<int>(least(panel, columns - column));
        const T* const next = b + column + (column + panel < columns ? panel : 0);
        const SparseKernel<T>* const kernels =
            sparse_tiles<T, transpose_a>.entry[ceil_div(here, width) - 1];
        chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
          // The next panel is prefetched line by line, half of the rows at a time.
          const std::int64_t half = t / lines % 2;
          const SparseShape<T> shape{args.lda, args.ldb, args.ldc, here,
                                     next + half * (block.k / 2) * args.ldb +
                                         t % lines * cache_line<T>};
          kernels[height - least_sparse_rows](
              shape, nonzero.of(t), a_at<T, transpose_a>(args, i, block.begin), b + column,
              static_cast<T*>(args.c) + i * args.ldc + column,
              bias == nullptr ? nullptr : bias + column, !block.first);
        });
        if (chunk.begin() == 0 && args.column_sums != nullptr)
          sum_columns(b + column, args.ldb, block.k, here,
                      column_sums_at<T>(args, column, block.first, block.last));
      }
      if (block.last)
        for (std::int64_t i = chunk.begin(); i < chunk.end(); ++i)
          finish_row<T>(args, i, 0, columns);
    });
  });
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
