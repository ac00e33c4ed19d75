// The epilogue of products: activations of rows of C, and the column sums of B.
#pragma once

#include "kernels/activation_rows.h"
#include "kernels/args/gemm.h"
#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Applies the activation to `columns` elements of row i of C, still in the first-level cache.
template <class T>
GYAKU_INLINE void finish_row(const MatmulArgs& args, std::int64_t i, std::int64_t column,
                             std::int64_t columns) {
  const std::int64_t at = i * args.ldc + column;
  if (args.activation != Activation::identity)
    activate_row(args.activation, static_cast<T>(args.alpha), static_cast<T*>(args.c) + at,
                 columns);
  if (args.derivative != Activation::identity)
    differentiate_row(args.derivative, static_cast<T>(args.alpha),
                      static_cast<const T*>(args.saved) + at, static_cast<T*>(args.c) + at,
                      columns);
}

// Where the column sums of some rows go: are they the first rows, are they the last?
template <class T> struct ColumnSums {
  T* sums;
  double* totals; // or null, see SumRowsArgs
  bool first = true, last = true;
};
template <class T>
GYAKU_INLINE ColumnSums<T> column_sums_at(const MatmulArgs& args, std::int64_t column, bool first,
                                          bool last) {
  return {static_cast<T*>(args.column_sums) + column,
          args.column_totals == nullptr ? nullptr : args.column_totals + column, first, last};
}

// A vector in float64, which takes one or two.
template <class T> struct Widened {
  static constexpr int width = vec<double>::width, count = vec<T>::width / width;
  typedef T Part __attribute__((vector_size(width * sizeof(T))));
  vec<double> of[count];

  GYAKU_INLINE explicit Widened(vec<T> x) {
    T lanes[vec<T>::width];
    store(lanes, x);
    for (int i = 0; i < count; ++i) {
      Part part;
      __builtin_memcpy(&part, lanes + i * width, sizeof part);
      of[i] = __builtin_convertvector(part, typename vec<double>::native);
    }
  }
};

template <int count> struct Vectors {
  static constexpr int value = count;
};

// Rows of a sum in T; k-blocks begin at its multiples.
constexpr std::int64_t part_rows = 8;

// The sums over k rows of `vectors` vectors, the last of n elements: several at once, so that no
// addition waits for the one before and cache lines are read whole.
template <class T, int vectors>
GYAKU_INLINE void sum_strip(const T* b, std::int64_t ldb, std::int64_t k, int n, T* sums,
                            bool accumulate) {
  constexpr int width = vec<T>::width;
  const auto lanes = [=](int v) { return v + 1 < vectors ? width : n; };
  vec<T> sum[vectors];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v)
    sum[v] = accumulate ? load(sums + v * width, lanes(v)) : zero<T>();
  for (std::int64_t p = 0; p < k; ++p, b += ldb)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[v] = sum[v] + load(b + v * width, lanes(v));
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) store(sums + v * width, sum[v], lanes(v));
}

// The same with sums in float64 of sums of `part_rows` rows.
template <class T, int vectors>
GYAKU_INLINE void sum_long_strip(const T* b, std::int64_t ldb, std::int64_t k, int n,
                                 ColumnSums<T> to) {
  using Wide = Widened<T>;
  constexpr int width = vec<T>::width, count = vectors * Wide::count;
  const std::size_t bytes = static_cast<std::size_t>((vectors - 1) * width + n) * sizeof(double);
  alignas(64) double totals[vectors * width] = {};
  if (!to.first) __builtin_memcpy(totals, to.totals, bytes);
  vec<double> total[count];
  for (int i = 0; i < count; ++i) total[i] = load(totals + i * Wide::width);
  T part[vectors * width];
  for (std::int64_t p = 0; p < k; p += part_rows, b += part_rows * ldb) {
    sum_strip<T, vectors>(b, ldb, k - p < part_rows ? k - p : part_rows, n, part, false);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Wide wide(load(part + v * width, v + 1 < vectors ? width : n));
      for (int i = 0; i < Wide::count; ++i)
        total[v * Wide::count + i] = total[v * Wide::count + i] + wide.of[i];
    }
  }
  for (int i = 0; i < count; ++i) store(totals + i * Wide::width, total[i]);
  __builtin_memcpy(to.totals, totals, bytes);
  if (to.last)
    for (int i = 0; i < (vectors - 1) * width + n; ++i) to.sums[i] = static_cast<T>(totals[i]);
}

// The sums over k rows of b, with leading dimension ldb, in ascending order.
template <class T>
void sum_columns(const T* b, std::int64_t ldb, std::int64_t k, std::int64_t columns,
                 ColumnSums<T> to) noexcept {
  constexpr std::int64_t width = vec<T>::width;
  const auto strip = [&](auto vectors, std::int64_t j, int n) {
    constexpr int count = decltype(vectors)::value;
    if (to.totals == nullptr)
      sum_strip<T, count>(b + j, ldb, k, n, to.sums + j, !to.first);
    else
      sum_long_strip<T, count>(b + j, ldb, k, n,
                               ColumnSums<T>{to.sums + j, to.totals + j, to.first, to.last});
  };
  std::int64_t j = 0;
  for (; j + 2 * width <= columns; j += 2 * width) strip(Vectors<2>{}, j, vec<T>::width);
  for_each_vector<T>(j, columns, [&](std::int64_t at, int n) { strip(Vectors<1>{}, at, n); });
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
