// Products with few rows or one column: bound by the single read of the matrix, so that nothing is
// packed.
#include "kernels/args/gemm.h"
#include "kernels/entry.h"
#include "kernels/gemm_epilogue.h"
#include "kernels/range.h"
#include "simd/registers.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int max_rows = 4;

// c[rows][vectors * width] = a b + bias over one long strip of B's rows.
template <class T, int rows, int vectors>
void strip(const MatmulArgs& args, std::int64_t column, int last) noexcept {
  constexpr int width = vec<T>::width;
  const T* a = static_cast<const T*>(args.a);
  const T* b = static_cast<const T*>(args.b) + column;
  const T* bias = static_cast<const T*>(args.bias);
  const std::int64_t a_row = args.transpose_a ? 1 : args.lda,
                     a_step = args.transpose_a ? args.lda : 1;
  vec<T> sum[rows][vectors];
#pragma GCC unroll 4
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = bias == nullptr   ? zero<T>()
                  : j + 1 < vectors ? load(bias + column + j * width)
                                    : load(bias + column + j * width, last);
  for (std::int64_t p = 0; p < args.k; ++p, a += a_step, b += args.ldb) {
    vec<T> x[rows];
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i) x[i] = broadcast(a[i * a_row]);
#pragma GCC unroll 32
    for (int j = 0; j < vectors; ++j) {
      const vec<T> row = j + 1 < vectors ? load(b + j * width) : load_partial(b + j * width, last);
#pragma GCC unroll 4
      for (int i = 0; i < rows; ++i) sum[i][j] = fma(x[i], row, sum[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < vectors; ++j)
      store(static_cast<T*>(args.c) + i * args.ldc + column + j * width, sum[i][j],
            j + 1 < vectors ? width : last);
}

// Strips of the widest kind, then of half, a quarter, ... as long as columns are left.
template <class T, int rows, int vectors>
void strips(const MatmulArgs& args, std::int64_t column, std::int64_t end) noexcept {
  constexpr int width = vec<T>::width;
  for (; end - column > (vectors - 1) * width; column += vectors * width)
    strip<T, rows, vectors>(args, column,
                            static_cast<int>(least(end - column - (vectors - 1) * width, width)));
  if constexpr (vectors > 1)
    if (column < end) strips<T, rows, vectors / 2>(args, column, end);
}

template <class T, int rows>
void some_rows(const MatmulArgs& args, std::int64_t column, std::int64_t end) noexcept {
  // Longer contiguous reads of B are faster, and the sums of one row need not all be in registers.
  constexpr int vectors = rows == 1 ? 32 : accumulators / rows;
  constexpr int power = vectors >= 32   ? 32
                        : vectors >= 16 ? 16
                        : vectors >= 8  ? 8
                        : vectors >= 4  ? 4
                        : vectors >= 2  ? 2
                                        : 1;
  strips<T, rows, power>(args, column, end);
}

// m <= 4, B not transposed: a slice counts columns, in whole strips.
template <class T> void matmul_rows(const MatmulArgs& args, Slice slice) noexcept {
  switch (args.m) {
  case 1:
    some_rows<T, 1>(args, slice.begin, slice.end);
    break;
  case 2:
    some_rows<T, 2>(args, slice.begin, slice.end);
    break;
  case 3:
    some_rows<T, 3>(args, slice.begin, slice.end);
    break;
  default:
    some_rows<T, 4>(args, slice.begin, slice.end);
    break;
  }
  const std::int64_t columns = slice.end - slice.begin;
  for (std::int64_t i = 0; i < args.m; ++i) finish_row<T>(args, i, slice.begin, columns);
  if (args.column_sums != nullptr)
    sum_columns(static_cast<const T*>(args.b) + slice.begin, args.ldb, args.k, columns,
                column_sums_at<T>(args, slice.begin, true, true));
}

// Inner products of `rows` rows of x, with leading dimension ldx, with one row of y.
template <class T, int rows>
GYAKU_INLINE void inner_products(const T* x, std::int64_t ldx, const T* y, std::int64_t k, T* to,
                                 std::int64_t step, T first) {
  constexpr int width = vec<T>::width;
  // Two sums a row: no addition waits for the one before.
  vec<T> even[rows], odd[rows];
#pragma GCC unroll 4
  for (int i = 0; i < rows; ++i) even[i] = odd[i] = zero<T>();
  std::int64_t p = 0;
  for (; p + 2 * width <= k; p += 2 * width) {
    const vec<T> y0 = load(y + p), y1 = load(y + p + width);
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i) {
      even[i] = fma(load(x + i * ldx + p), y0, even[i]);
      odd[i] = fma(load(x + i * ldx + p + width), y1, odd[i]);
    }
  }
  for_each_vector<T>(p, k, [&](std::int64_t at, int n) {
    const vec<T> y0 = load(y + at, n);
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i) even[i] = fma(load(x + i * ldx + at, n), y0, even[i]);
  });
#pragma GCC unroll 4
  for (int i = 0; i < rows; ++i) to[i * step] = reduce_add(even[i] + odd[i]) + first;
}

// to[i * step] for `count` rows of x.
template <class T>
void all_inner_products(const T* x, std::int64_t ldx, std::int64_t count, const T* y,
                        std::int64_t k, T* to, std::int64_t step, T first) noexcept {
  std::int64_t i = 0;
  for (; i + max_rows <= count; i += max_rows)
    inner_products<T, max_rows>(x + i * ldx, ldx, y, k, to + i * step, step, first);
  for (; i < count; ++i) inner_products<T, 1>(x + i * ldx, ldx, y, k, to + i * step, step, first);
}

// Few rows, B transposed: C[i][j] is the inner product of row i of A and row j of B. A slice counts
// columns of C.
template <class T> void matmul_dot(const MatmulArgs& args, Slice slice) noexcept {
  const T* a = static_cast<const T*>(args.a);
  const T* b = static_cast<const T*>(args.b);
  const T* bias = static_cast<const T*>(args.bias);
  T* c = static_cast<T*>(args.c);
  for (std::int64_t j = slice.begin; j < slice.end; ++j)
    all_inner_products<T>(a, args.lda, args.m, b + j * args.ldb, args.k, c + j, args.ldc,
                          bias == nullptr ? T(0) : bias[j]);
  for (std::int64_t i = 0; i < args.m; ++i)
    finish_row<T>(args, i, slice.begin, slice.end - slice.begin);
}

// One column, A not transposed: C[i] is the inner product of row i of A and b. A slice counts rows.
template <class T> void matvec(const MatmulArgs& args, Slice slice) noexcept {
  const T* bias = static_cast<const T*>(args.bias);
  all_inner_products<T>(static_cast<const T*>(args.a) + slice.begin * args.lda, args.lda,
                        slice.end - slice.begin, static_cast<const T*>(args.b), args.k,
                        static_cast<T*>(args.c) + slice.begin, 1, bias == nullptr ? T(0) : *bias);
  // The rows of C, of one element, are treated as one row.
  MatmulArgs row = args;
  row.ldc = 0;
  finish_row<T>(row, 0, slice.begin, slice.end - slice.begin);
}

} // namespace

// Slices of columns; m <= 4, B not transposed.
Entry matmul_rows_kernel() noexcept {
  return entry<MatmulArgs, matmul_rows<float>, matmul_rows<double>>;
}
// Slices of columns; B transposed.
Entry matmul_dot_kernel() noexcept {
  return entry<MatmulArgs, matmul_dot<float>, matmul_dot<double>>;
}
// Slices of rows; n = 1, A not transposed.
Entry matvec_kernel() noexcept { return entry<MatmulArgs, matvec<float>, matvec<double>>; }

} // namespace gyaku::GYAKU_ISA_NAME
