// The last few columns of a product, fewer than would fill a quarter of a vector: 100 columns are
// six vectors of 16 and four columns more, not seven vectors.
//
// Vectors run along the rows of C if A is transposed, since its rows lie side by side then; else
// along the terms, and their lanes are added up at the end.
#pragma once

#include "kernels/product.h"
#include "kernels/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> constexpr int max_rest = vec<T>::width / 4;

// How many vectors meet all columns at once, registers permitting: operands need some as well.
template <int columns>
constexpr int rest_vectors = accumulators / columns > 9   ? 8
                             : accumulators / columns > 2 ? accumulators / columns - 1
                                                          : 1;

// Where a product's last columns are in memory: `rows` rows of C, k terms of a block.
template <class T> struct Rest {
  const T* a;
  const T* b; // k rows of `columns` numbers, ldb apart
  T* c;
  const T* bias; // or null
  std::int64_t rows, k, lda, ldb, ldc;
  bool accumulate;
};

template <class T> GYAKU_INLINE T begin_with(const Rest<T>& rest, std::int64_t i, int j) {
  return rest.accumulate ? rest.c[i * rest.ldc + j] : rest.bias != nullptr ? rest.bias[j] : T(0);
}

// A transposed: the sums of `vectors` vectors of rows, the last of `last` rows.
template <class T, int columns, int vectors>
void rest_down(const Rest<T>& rest, std::int64_t i, int last) noexcept {
  constexpr int width = vec<T>::width, together = columns == 3 ? 4 : columns;
  vec<T> sum[vectors][columns];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[v][j] = zero<T>();
  const T* a = rest.a + i;
  const T* b = rest.b;
  for (std::int64_t p = 0; p < rest.k; ++p, a += rest.lda, b += rest.ldb) {
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
  T* c = rest.c + i * rest.ldc;
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) {
    vec<T> turned[together];
#pragma GCC unroll 4
    for (int j = 0; j < together; ++j)
      turned[j] = j >= columns                              ? zero<T>()
                  : rest.accumulate || rest.bias == nullptr ? sum[v][j]
                                                            : sum[v][j] + broadcast(rest.bias[j]);
    interleave_all(turned);
    alignas(64) T lanes[together * width];
#pragma GCC unroll 4
    for (int j = 0; j < together; ++j) store(lanes + j * width, turned[j]);
    const T* from = lanes;
    const T* const end = lanes + together * (v + 1 < vectors ? width : last);
    if (!rest.accumulate)
      for (; from < end; from += together, c += rest.ldc)
        __builtin_memcpy(c, from, columns * sizeof(T));
    else
      for (; from < end; from += together, c += rest.ldc)
        for (int j = 0; j < columns; ++j) c[j] += from[j];
  }
}

// A not transposed: inner products of `rows` rows with the columns, which lie k numbers apart in
// `turned`.
template <class T, int columns, int rows>
void rest_across(const Rest<T>& rest, std::int64_t i, const T* turned) noexcept {
  vec<T> sum[rows][columns];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[r][j] = zero<T>();
  const T* a = rest.a + i * rest.lda;
  for_each_vector<T>(0, rest.k, [&](std::int64_t p, int n) {
    vec<T> y[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) y[j] = load(turned + j * rest.k + p, n);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const vec<T> x = load(a + r * rest.lda + p, n);
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) sum[r][j] = fma(x, y[j], sum[r][j]);
    }
  });
  for (int r = 0; r < rows; ++r)
    for (int j = 0; j < columns; ++j)
      rest.c[(i + r) * rest.ldc + j] = reduce_add(sum[r][j]) + begin_with(rest, i + r, j);
}

template <class T, int columns, bool transpose_a, std::int64_t max_k>
void multiply_rest(const Rest<T>& rest) noexcept {
  constexpr int vectors = rest_vectors<columns>, width = vec<T>::width;
  std::int64_t i = 0;
  if constexpr (transpose_a) {
    for (; i + vectors * width <= rest.rows; i += vectors * width)
      rest_down<T, columns, vectors>(rest, i, width);
    for_each_vector<T>(i, rest.rows,
                       [&](std::int64_t at, int n) { rest_down<T, columns, 1>(rest, at, n); });
  } else {
    T turned[columns * max_k];
    for (std::int64_t p = 0; p < rest.k; ++p)
      for (int j = 0; j < columns; ++j) turned[j * rest.k + p] = rest.b[p * rest.ldb + j];
    for (; i + vectors <= rest.rows; i += vectors)
      rest_across<T, columns, vectors>(rest, i, turned);
    for (; i < rest.rows; ++i) rest_across<T, columns, 1>(rest, i, turned);
  }
}

template <class T, bool transpose_a, std::int64_t max_k, int columns = 1>
void multiply_rest(int count, const Rest<T>& rest) noexcept {
  if (count == columns) return multiply_rest<T, columns, transpose_a, max_k>(rest);
  if constexpr (columns < max_rest<T>)
    multiply_rest<T, transpose_a, max_k, columns + 1>(count, rest);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
