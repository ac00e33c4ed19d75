// Tail columns of a product, fewer than a quarter of a vector: 100 columns are six vectors of 16
// and four columns, not seven vectors.
//
// Vectors run along the rows of C if A is transposed, since these are contiguous then; else along
// k, and their lanes are added at the end.
#pragma once

#include "simd/registers.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> constexpr int max_tail = vec<T>::width / 4;

// Number of vectors multiplied by all columns at once, limited by registers for operands.
template <int columns>
constexpr int tail_vectors = accumulators / columns > 9   ? 8
                             : accumulators / columns > 2 ? accumulators / columns - 1
                                                          : 1;

// The tail columns in memory: `rows` rows of C, k steps of a k-block.
template <class T> struct Tail {
  const T* a;
  const T* b; // k rows of `columns` elements, leading dimension ldb
  T* c;
  const T* bias; // or null
  std::int64_t rows, k, lda, ldb, ldc;
  bool accumulate;
};

template <class T> GYAKU_INLINE T begin_with(const Tail<T>& tail, std::int64_t i, int j) {
  return tail.accumulate ? tail.c[i * tail.ldc + j] : tail.bias != nullptr ? tail.bias[j] : T(0);
}

// A transposed: sums of `vectors` vectors of rows, the last of `last` rows.
template <class T, int columns, int vectors>
void tail_down(const Tail<T>& tail, std::int64_t i, int last) noexcept {
  constexpr int width = vec<T>::width, group = columns == 3 ? 4 : columns;
  vec<T> sum[vectors][columns];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[v][j] = zero<T>();
  const T* a = tail.a + i;
  const T* b = tail.b;
  for (std::int64_t p = 0; p < tail.k; ++p, a += tail.lda, b += tail.ldb) {
    vec<T> y[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) y[j] = broadcast(b[j]);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      const vec<T> x = v + 1 < vectors ? load(a + v * width) : load_partial(a + v * width, last);
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) sum[v][j] = fma(x, y[j], sum[v][j]);
    }
  }
  T* c = tail.c + i * tail.ldc;
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) {
    vec<T> turned[group];
#pragma GCC unroll 4
    for (int j = 0; j < group; ++j)
      turned[j] = j >= columns                              ? zero<T>()
                  : tail.accumulate || tail.bias == nullptr ? sum[v][j]
                                                            : sum[v][j] + broadcast(tail.bias[j]);
    interleave_all(turned);
    alignas(64) T lanes[group * width];
#pragma GCC unroll 4
    for (int j = 0; j < group; ++j) store(lanes + j * width, turned[j]);
    const T* from = lanes;
    const T* const end = lanes + group * (v + 1 < vectors ? width : last);
    if (!tail.accumulate)
      for (; from < end; from += group, c += tail.ldc)
        __builtin_memcpy(c, from, columns * sizeof(T));
    else
      for (; from < end; from += group, c += tail.ldc)
        for (int j = 0; j < columns; ++j) c[j] += from[j];
  }
}

// A not transposed: inner products of `rows` rows with the columns, which are contiguous in
// `turned`, k elements each.
template <class T, int columns, int rows>
void tail_across(const Tail<T>& tail, std::int64_t i, const T* turned) noexcept {
  vec<T> sum[rows][columns];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[r][j] = zero<T>();
  const T* a = tail.a + i * tail.lda;
  for_each_vector<T>(0, tail.k, [&](std::int64_t p, int n) {
    vec<T> y[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) y[j] = load(turned + j * tail.k + p, n);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const vec<T> x = load(a + r * tail.lda + p, n);
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) sum[r][j] = fma(x, y[j], sum[r][j]);
    }
  });
  for (int r = 0; r < rows; ++r)
    for (int j = 0; j < columns; ++j)
      tail.c[(i + r) * tail.ldc + j] = reduce_add(sum[r][j]) + begin_with(tail, i + r, j);
}

template <class T, int columns, bool transpose_a, std::int64_t max_k>
void multiply_tail(const Tail<T>& tail) noexcept {
  constexpr int vectors = tail_vectors<columns>, width = vec<T>::width;
  std::int64_t i = 0;
  if constexpr (transpose_a) {
    for (; i + vectors * width <= tail.rows; i += vectors * width)
      tail_down<T, columns, vectors>(tail, i, width);
    for_each_vector<T>(i, tail.rows,
                       [&](std::int64_t at, int n) { tail_down<T, columns, 1>(tail, at, n); });
  } else {
    T turned[columns * max_k];
    for (std::int64_t p = 0; p < tail.k; ++p)
      for (int j = 0; j < columns; ++j) turned[j * tail.k + p] = tail.b[p * tail.ldb + j];
    for (; i + vectors <= tail.rows; i += vectors)
      tail_across<T, columns, vectors>(tail, i, turned);
    for (; i < tail.rows; ++i) tail_across<T, columns, 1>(tail, i, turned);
  }
}

template <class T, bool transpose_a, std::int64_t max_k, int columns = 1>
void multiply_tail(int count, const Tail<T>& tail) noexcept {
  if (count == columns) return multiply_tail<T, columns, transpose_a, max_k>(tail);
  if constexpr (columns < max_tail<T>)
    multiply_tail<T, transpose_a, max_k, columns + 1>(count, tail);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
