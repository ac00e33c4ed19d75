// Arguments of the losses and of the metrics computed with them.
#pragma once

#include <cstdint>

#include "kernels/args/activation.h"

namespace gyaku {

struct LossArgs {
  const void* y;              // logits, probabilities or outputs: rows x columns
  const void* target;         // rows x columns of the scalar type, or null
  const std::int64_t* labels; // rows, or null
  double* row_loss;           // rows
  void* dy;                   // rows x columns
  std::int64_t rows, columns;
  double gradient_factor; // 1/rows for the mean, 1 for the sum; times the factor of the loss
  double parameter;       // label smoothing, or the delta inside the logarithm
  // squared_error: the activation with output y, whose derivative is a factor of dy; or identity
  Activation derivative;
  double alpha; // of that activation
};

struct SumLossesArgs { // loss = factor * sum of row_loss, pairwise in a fixed tree
  const double* row_loss;
  double* loss;
  std::int64_t rows;
  double factor;
};

struct CountCorrectArgs {
  const void* scores;
  const void* target;         // rows x columns of the scalar type, or null
  const std::int64_t* labels; // rows, or null
  double* correct;
  std::int64_t rows, columns;
};

} // namespace gyaku
