// Arguments of the normalisations.
#pragma once

#include <cstdint>

#include "kernels/args/activation.h"

namespace gyaku {

// x is rows x columns. Statistics are by column (batch) or by row (layer).
struct NormArgs {
  const void* x;
  const void* dy;
  const void* gamma;
  const void* beta;
  const void* addend; // shape of x, or null: y = activation(normalised + addend)
  void* y;            // or dx
  void* mean;
  void* inverse;  // 1 / standard deviation
  void* variance; // batch
  void* dgamma;
  void* dbeta;
  double* partial; // chunks x 2 x columns; null: the statistics are given
  std::int64_t rows, columns;
  std::int64_t chunk;  // rows
  std::int64_t chunks; // of a sample, if slices of the sums count samples; 0: they count chunks
  std::int64_t unit;   // rows in a unit of a slice
  double epsilon;
  Activation activation; // identity or ReLU
  bool by_row;           // norm_sums: mean and inverse are by row
};

struct RunningArgs { // running += momentum (new - running)
  const void* mean;
  const void* variance;
  void* running_mean;
  void* running_var;
  std::int64_t size;
  double momentum;
  double unbiased; // factor of the variance
};

} // namespace gyaku
