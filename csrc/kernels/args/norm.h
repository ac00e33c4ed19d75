// Arguments of the normalisations.
#pragma once

#include <cstdint>

namespace gyaku {

// x is rows x columns. Statistics are by column (batch) or by row (layer).
struct NormArgs {
  const void* x;
  const void* dy;
  const void* gamma;
  const void* beta;
  void* y; // or dx
  void* mean;
  void* inverse;  // 1 / standard deviation
  void* variance; // batch
  void* dgamma;
  void* dbeta;
  double* partial; // chunks x 2 x columns; null: the statistics are given
  std::int64_t rows, columns;
  std::int64_t chunk; // rows
  std::int64_t unit;  // rows in a unit of a slice
  double epsilon;
  bool by_row; // norm_sums: mean and inverse are by row
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
