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

// sums[j] (+)= sum over k rows of b, with leading dimension ldb, in ascending order.
template <class T>
void sum_columns(const T* b, std::int64_t ldb, std::int64_t k, std::int64_t columns, T* sums,
                 bool accumulate) noexcept {
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
    vec<T> sum = accumulate ? load(sums + j, n) : zero<T>();
    for (std::int64_t p = 0; p < k; ++p) sum = sum + load(b + p * ldb + j, n);
    store(sums + j, sum, n);
  });
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
