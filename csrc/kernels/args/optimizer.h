// Arguments of the optimizers.
#pragma once

#include <cstdint>

namespace gyaku {

struct TickArgs { // see ops.optimizer_tick
  double* clock;
  const double* rates;
  std::int64_t rate_count;
  double beta1, beta2;
  double warmup; // q: beta1 of step t is beta1 (1 - q^t / 2)
};

enum class Update : std::int32_t { // the updates that kernels/optimizer.cpp defines
#define GYAKU_UPDATE(name, states, flops, weight) name,
#include "updates.inc"
};

// Of the flat gradients, in place.
struct GradientArgs {
  void* gradients;
  void* total;         // of add and mean: sum over several batches
  double* partial;     // of the norm: sums of squares of chunks
  double* factor;      // of the norm: what the gradients are multiplied by
  const double* count; // of add and mean: another factor of `value`, or null
  std::int64_t size;
  double value; // weight, divisor, or limit
};

// The sum of the gradients of several ranks, in their order, over those of one.
struct SumRanksArgs {
  void* own;
  const void* const* all;
  std::int64_t ranks;
};

// The flat updates. The step counter `clock` holds [step, learning rate, beta1^step, beta2^step]. A
// slice [b, e) covers elements [b * unit, e * unit).
struct UpdateArgs {
  void* parameters;
  const void* gradients;
  void *first, *second, *third; // what an update keeps between steps, in the order of its operation
  const double* clock;
  std::int64_t size, unit;
  std::int64_t begin; // of the elements among all parameters
  double weight_decay;
  double beta1, beta2, epsilon, extra; // each rule states what they are to it
  Update rule;
  bool nesterov, variant;
  bool is_coarse; // `first` and `second` are bfloat16, rounded stochastically

  std::int64_t state_bytes(std::int64_t item_bytes) const { return is_coarse ? 2 : item_bytes; }
};

// The update by the gradient from a single sample, the outer product a b of a column and a row, of
// which a slice counts rows of `update.unit` elements. The gradient is stored only if `*keeps`; the
// column sums of b, or null, always.
struct OuterUpdateArgs {
  const void *a, *b;
  void* column_sums;
  const bool* keeps;
  UpdateArgs update;
};
constexpr std::int64_t most_outer_columns = 2048; // a row of the gradient is kept on the stack

} // namespace gyaku
