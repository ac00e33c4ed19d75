// Zero-skipping products: columns of A that are zero in all rows of a tile, such as the margin of
// images, are skipped. Zero times a finite value adds nothing to a sum, so that no bit changes (but
// the sign of a zero); where B has infinities or NaN, no column is skipped.
//
// The fewer rows a tile has, the more columns are zero in all of them: tiles are low here, and
// wide. Each column then serves few multiply-adds, so that a panel of B is copied to where its rows
// are aligned and next to each other.
#pragma once

#include "kernels/gemm_epilogue.h"
#include "kernels/gemm_loops.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int sparse_vectors = accumulators == 28 ? 8 : accumulators == 12 ? 3 : 4;
// Neighbours among the columns of A, such as pixels, are zero together more often than its rows.
template <bool transpose_a>
constexpr int sparse_rows = accumulators == 28 && transpose_a ? 2 : accumulators / sparse_vectors;
// A k-block is longer where A is copied for other products (`MatmulArgs::copies_a`); panels are
// half as wide then.
template <class T> constexpr std::int64_t longest_block = 2 * max_k_block<T>;
template <class T> GYAKU_INLINE std::int64_t sparse_panel(std::int64_t k) {
  return (k > max_k_block<T> ? sparse_vectors / 2 : sparse_vectors) * vec<T>::width;
}
constexpr int worth_skipping = accumulators == 12 ? 5 : 7; // eighths: low tiles take longer
template <bool transpose_a>
constexpr int least_sparse_rows = (sparse_rows<transpose_a> + 1) / 2; // of slices with enough rows

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
  NonzeroColumns() noexcept {
    for (std::int64_t p = 0; p < most_terms; ++p) all_[p] = static_cast<std::uint16_t>(p);
  }
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
  ColumnList of(std::int64_t t) const { return {lists_ + t * length_, count_[t]}; }
  // All columns.
  ColumnList all() const { return {all_, length_ - slack}; }

private:
  // Bits for the nonzero elements of A, for tiles with contiguous rows: for each word of rows, one
  // mark for each step of k. The upper half of a mark is the lower half of the mark of the next
  // word, so that one mark covers all rows of a tile.
  template <class T>
  void mark(const T* a, std::int64_t lda, std::int64_t k, std::int64_t rows) noexcept {
    constexpr int width = vec<T>::width;
    static_assert(word_bits % width == 0 && word_bits + sparse_rows<true> <= 32);
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

  static constexpr std::int64_t slack = 16, capacity = 20480, most_tiles = 256;
  static constexpr int word_bits = 16;
  static constexpr std::int64_t most_terms = longest_block<float>;
  static_assert(most_terms + slack <= capacity);
  std::int32_t marks_[capacity * sparse_rows<true> / word_bits + most_terms];
  std::uint16_t lists_[capacity], all_[most_terms];
  std::int16_t count_[most_tiles];
  std::int64_t length_ = 0;
};

// Whether there are enough zeros to gain from, by a sample of tiles.
template <class T, bool transpose_a>
bool has_zero_columns(const MatmulArgs& args, Slice rows, NonzeroColumns& nonzero) noexcept {
  const std::int64_t k = least(args.k, args.k_block), looks = 4;
  const std::int64_t tiles = ceil_div(rows.end - rows.begin, sparse_rows<transpose_a>);
  if (rows.end - rows.begin < sparse_rows<transpose_a>) return false;
  std::int64_t count = 0;
  for (std::int64_t look = 0; look < looks; ++look) {
    const std::int64_t t = (tiles - 1) * look / (looks - 1);
    nonzero.find<T, transpose_a>(args, {0, k, true, true}, {rows, tiles, t, t + 1});
    count += nonzero.of(0).count;
  }
  return count < looks * k * worth_skipping / 8;
}

// Copies `columns` columns of B into rows of `panel` elements, with zeros behind them; returns
// whether all are finite: zero times any other is not zero.
template <class T>
bool copy_panel(const T* b, std::int64_t ldb, std::int64_t rows, std::int64_t columns, T* to,
                std::int64_t panel) noexcept {
  constexpr int chains = 4, width = vec<T>::width;
  vec<T> sum[chains];
  for (int i = 0; i < chains; ++i) sum[i] = zero<T>();
  for (std::int64_t p = 0; p < rows; p += chains)
    for (std::int64_t j = 0; j < panel; j += width) {
      const auto n = static_cast<int>(most(least(columns - j, width), 0));
#pragma GCC unroll 4
      for (int i = 0; i < chains; ++i) {
        if (p + i >= rows) break;
        const vec<T> x = load(n > 0 ? b + (p + i) * ldb + j : b, n);
        sum[i] = fma(x, zero<T>(), sum[i]);
        store(to + (p + i) * panel + j, x);
      }
    }
  return reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3])) == 0;
}

template <class T> struct SparseShape {
  std::int64_t lda, panel, ldc;
  int columns; // valid ones
};

// c[rows][columns] (+)= a b over the columns of a list, b being a copied panel.
template <class T, int rows, int vectors, bool transpose_a>
void sparse_tile(const SparseShape<T>& shape, const ColumnList& list, const T* a, const T* b, T* c,
                 const T* bias, bool accumulate) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t lda = shape.lda, panel = shape.panel, ldc = shape.ldc;
  const int last = shape.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<T> sum[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = accumulate || bias == nullptr
                      ? zero<T>()
                      : zero<T>() + load(bias + j * width, j + 1 < vectors ? width : last);
  for (std::int64_t n = 0; n < list.count; ++n) {
    const std::int64_t p = list.terms[n];
    const T* const b_row = b + p * panel;
    const T* const a_term = a + p * (transpose_a ? lda : 1);
    vec<T> row[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) row[j] = load(b_row + j * width);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const vec<T> x = broadcast(transpose_a ? a_term[i] : a_term[i * lda]);
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) sum[i][j] = fma(x, row[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      T* const at = c + i * ldc + j * width;
      const int lanes = j + 1 < vectors ? width : last;
      store(at, accumulate ? sum[i][j] + load(at, lanes) : sum[i][j], lanes);
    }
}

template <class T>
using SparseKernel = void (*)(const SparseShape<T>&, const ColumnList&, const T*, const T*, T*,
                              const T*, bool) noexcept;

template <bool transpose_a>
constexpr int sparse_heights = sparse_rows<transpose_a> + 1 - least_sparse_rows<transpose_a>;
template <class T, bool transpose_a> struct SparseKernels {
  SparseKernel<T> entry[sparse_vectors][sparse_heights<transpose_a>];
};

template <class T, bool transpose_a, int vectors, int... i>
constexpr void fill_sparse(SparseKernel<T> (&entry)[sparse_heights<transpose_a>], Integers<i...>) {
  ((entry[i] = sparse_tile<T, least_sparse_rows<transpose_a> + i, vectors, transpose_a>), ...);
}
template <class T, bool transpose_a, int... j>
constexpr SparseKernels<T, transpose_a> make_sparse(Integers<j...>) {
  SparseKernels<T, transpose_a> kernels{};
  (fill_sparse<T, transpose_a, j + 1>(kernels.entry[j],
                                      typename Count<sparse_heights<transpose_a>>::type{}),
   ...);
  return kernels;
}
template <class T, bool transpose_a>
constexpr SparseKernels<T, transpose_a> sparse_tiles =
    make_sparse<T, transpose_a>(typename Count<sparse_vectors>::type{});

// A slice of rows, first columns of C.
template <class T, bool transpose_a>
void multiply_sparse(const MatmulArgs& args, Slice rows, std::int64_t columns,
                     NonzeroColumns& nonzero) noexcept {
  alignas(64) T copy[max_k_block<T> * sparse_vectors * vec<T>::width];
  const T* const bias = static_cast<const T*>(args.bias);
  for_each_block(args.k, args.k_block, [&](const Block& block, std::int64_t) {
    const T* const b = static_cast<const T*>(args.b) + block.begin * args.ldb;
    const std::int64_t panel = sparse_panel<T>(block.k);
    for_each_chunk<sparse_rows<transpose_a>>(
        rows, NonzeroColumns::room(block.k), [&](const RowTiles& chunk) {
          nonzero.find<T, transpose_a>(args, block, chunk);
          for (std::int64_t column = 0; column < columns; column += panel) {
            const int here = static_cast<int>(least(panel, columns - column));
            const bool finite = copy_panel(b + column, args.ldb, block.k, here, copy, panel);
            const SparseKernel<T>* const kernels =
                sparse_tiles<T, transpose_a>.entry[ceil_div(here, vec<T>::width) - 1];
            const SparseShape<T> shape{args.lda, panel, args.ldc, here};
            chunk.for_each([&](std::int64_t i, int height, std::int64_t t) {
              kernels[height - least_sparse_rows<transpose_a>](
                  shape, finite ? nonzero.of(t) : nonzero.all(),
                  a_at<T, transpose_a>(args, i, block.begin), copy,
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
