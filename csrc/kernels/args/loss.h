// Arguments of the losses and of the metrics computed with them.
#pragma once

#include <cstdint>

#include "kernels/args/activation.h"

namespace gyaku {

struct LossArgs {
  const void* y;               // logits, probabilities or outputs: rows x columns
  const void* target;          // rows x columns of the scalar type, or null
  const std::int64_t* labels;  // rows, or null
  double* row_loss;            // rows
  void* dy;                    // rows x columns
  const std::int64_t* lengths; // real steps of each sample, or null if all steps are real
  const double* count;         // the divisor of the loss that depends on lengths, or null
  std::int64_t rows, columns;
  // Of a padded sequence: rows of a sample and of a step; of losses by element, whose rows are
  // samples, columns of a sample and of a step.
  std::int64_t sample, step;
  double gradient_factor; // 1/rows for the mean, 1 for the sum; times the factor of the loss
  double parameter;       // label smoothing, or delta
  // squared_error: the activation with output y, whose derivative is a factor of dy; or identity
  Activation derivative;
  double alpha; // of that activation
};

struct SumLossesArgs { // loss = factor / count * sum of row_loss, pairwise in a fixed tree
  const double* row_loss;
  double* loss;
  const double* count; // or null
  std::int64_t rows;
  double factor;
};

// Of sample weights: the loss of each row and its gradient, times the row's weight.
struct WeighLossesArgs {
  const double* weights;
  double* row_loss;            // rows
  void* dy;                    // rows x columns
  const std::int64_t* lengths; // or null, see LossArgs
  std::int64_t rows, columns;
  std::int64_t rows_per_weight;
  std::int64_t sample, step; // rows
};

struct SumWeightsArgs { // sum = weights of the real steps
  const double* weights;
  double* sum;
  const std::int64_t* lengths; // or null
  std::int64_t samples, steps;
  std::int64_t per_step; // weights of a step, 0 if a sample has one weight
};

struct CountStepsArgs { // count = sum of lengths, each at most steps
  const std::int64_t* lengths;
  double* count;
  std::int64_t samples, steps;
};

struct CountCorrectArgs {
  const void* scores;
  const void* target;         // rows x columns of the scalar type, or null
  const std::int64_t* labels; // rows, or null
  double* correct;
  const std::int64_t* lengths; // or null, see LossArgs
  const double* weights;       // or null: each row counts 1
  std::int64_t rows, columns;
  std::int64_t rows_per_weight;
  std::int64_t sample, step; // rows
  std::int64_t top;          // number of largest scores, 0 for the first maximum
  double threshold;          // of a single column
};

// Of the slot of totals: a matrix by true and predicted class, or one of 2 x 2 for each column.
struct CountConfusionsArgs {
  const void* scores;
  const void* target;         // rows x columns of the scalar type, or null
  const std::int64_t* labels; // rows, or null
  double* totals;
  const std::int64_t* slot;
  const std::int64_t* lengths; // or null, see LossArgs
  const double* weights;       // or null: each row counts 1
  std::int64_t rows, columns;
  std::int64_t slots, classes;
  std::int64_t rows_per_weight;
  std::int64_t sample, step; // rows
  double threshold;          // of a single column, and of labels
  bool by_label;             // a matrix for each column
};

} // namespace gyaku
