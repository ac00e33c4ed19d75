// What a kernel is, the arguments of each, and the table that one instruction set fills.
//
// A kernel is serial: it does the slice [begin, end) of its parallel dimension and knows nothing of
// threads. Argument structs are plain data; pointers are to C-contiguous memory of the kernel's
// scalar type unless their declared type says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gyaku {

struct Slice {
  std::int64_t begin;
  std::int64_t end;
};

using Kernel = void (*)(const void* args, Slice) noexcept;

enum class Scalar : std::uint8_t { float32, float64 };
constexpr int scalar_count = 2;

enum class Activation : std::int32_t {
  identity,
  step,
  sigmoid,
  tanh,
  relu,
  leaky_relu,
  elu,
  selu,
  gelu,
  silu,
  softplus,
  hard_sigmoid,
  dropped_relu, // only as a derivative: that of dropout after relu, whose output is saved; alpha is
                // what dropout multiplied by
};

// The elementary functions that the kernels are built from, open to their tests.
enum class Function : std::int32_t { exp, expm1, log, log1p, tanh, sigmoid, erf };

// What a batch's rows are made of before they are gathered.
enum class Source : std::int32_t { uint8, float32, float64, int64 };

// One entry for every kernel of the table; a slice counts what the comment says.
enum class KernelId : int {
  pack,                  // panels of columns
  matmul,                // rows or panels of the result, see MatmulArgs::by_columns
  matmul_small,          // rows of the result
  matmul_rows,           // columns; m <= 4, B not transposed
  matmul_dot,            // columns; B transposed
  matvec,                // rows; n = 1, A not transposed
  sum_rows,              // columns
  activation,            // elements, in units of ElementwiseArgs::unit
  activation_backward,   // elements, in units of ElementwiseArgs::unit
  softmax,               // rows
  softmax_backward,      // rows
  log_softmax,           // rows
  log_softmax_backward,  // rows
  softmax_cross_entropy, // rows
  cross_entropy,         // rows
  squared_error,         // rows
  sum_losses,            // one
  dropout,               // units of DropoutArgs::unit elements
  gather,                // rows
  advance,               // one
  accumulate,            // one
  count_correct,         // one
  optimizer_tick,        // one
  sgd,                   // elements, in units of UpdateArgs::unit
  momentum,              // elements, in units of UpdateArgs::unit
  adam,                  // elements, in units of UpdateArgs::unit
  elementary,            // elements
  peak_flops,            // repetitions
  triad,                 // elements
  count
};
constexpr int kernel_count = static_cast<int>(KernelId::count);

// B or B^T (k x n) into panels: panel p holds columns [p * panel, ...) of each block of k_block
// rows, row by row, zero beyond n: packed[block][p][row][panel].
struct PackArgs {
  const void* b;
  void* packed;
  std::int64_t k, n, ldb;
  std::int64_t k_block, panel;
  bool transpose;
};

// C = activation(op(A) op(B) + bias) * derivative'(saved), C is m x n.
struct MatmulArgs {
  const void* a;
  const void* b;
  const void* packed; // panels made by `pack`, or null: B in place (then not transposed)
  const void* bias;   // n numbers or null
  const void* saved;  // m x n, what `derivative` needs of the forward pass
  void* c;
  void* column_sums; // of B (not transposed): n numbers or null
  std::int64_t m, n, k;
  std::int64_t lda, ldb, ldc;
  std::int64_t k_block;
  std::int64_t chunk_tiles;  // row tiles that pass by a panel before the next one
  std::int64_t group_panels; // panels that all rows pass by before the next ones
  double alpha;
  Activation activation;
  Activation derivative; // identity: none
  bool transpose_a;
  bool transpose_b;
  bool copies_a; // behind `packed` is room for k_block terms and a cache line of each row of A
  bool by_columns; // a slice counts panels of C's columns, packed on the spot, instead of its rows
};

struct SumRowsArgs { // y[j] = sum over i of x[i][j]
  const void* x;
  void* y;
  std::int64_t rows, columns;
};

struct ElementwiseArgs { // a slice [b, e) covers elements [b * unit, min(e * unit, size))
  const void* x;         // forward: x; backward: dy
  const void* saved;     // backward: what the forward pass kept
  void* y;               // forward: y; backward: dx
  std::int64_t size, unit;
  double alpha;
  Activation activation;
};

struct SoftmaxArgs { // forward: x -> y; backward: (dy in x, y in saved) -> dx in y
  const void* x;
  const void* saved;
  void* y;
  std::int64_t rows, columns;
};

struct LossArgs {
  const void* y;              // logits, probabilities or outputs: rows x columns
  const void* target;         // rows x columns of the scalar type, or null
  const std::int64_t* labels; // rows, or null
  double* row_loss;           // rows
  void* dy;                   // rows x columns
  std::int64_t rows, columns;
  double gradient_factor; // 1/rows for the mean, 1 for the sum; times what the loss asks
  double parameter;       // label smoothing, or the delta inside the logarithm
  // squared_error: the activation whose output y is, its derivative a factor of dy; or identity
  Activation derivative;
  double alpha; // of that activation
};

struct SumLossesArgs { // loss = factor * sum of row_loss, pairwise in a fixed tree
  const double* row_loss;
  double* loss;
  std::int64_t rows;
  double factor;
};

struct DropoutArgs { // units of `unit` elements; groups of 128 elements share 16 Philox blocks
  const void* x;
  const std::int64_t* clock;
  void* y;
  std::int64_t size, unit;
  std::uint64_t seed;
  std::uint32_t stream;
  std::uint32_t threshold; // kept where a 16-bit draw >= threshold
  double scale;
};

struct GatherArgs { // out[i] = source[order[cursor[0] + i]] * scale
  const void* source;
  const std::int64_t* order;
  const std::int64_t* cursor;
  void* out;
  std::int64_t rows, columns;        // of out
  std::int64_t source_rows, indices; // bounds: an index outside them gives a row of zeros
  double scale;
  Source type;
};

struct AdvanceArgs {
  std::int64_t* counter;
  std::int64_t amount;
};

struct AccumulateArgs { // totals[slot[0]] += weight * value[0], if the slot exists
  const double* value;
  double* totals;
  const std::int64_t* slot;
  std::int64_t slots;
  double weight;
};

struct CountCorrectArgs {
  const void* scores;
  const void* target;         // rows x columns of the scalar type, or null
  const std::int64_t* labels; // rows, or null
  double* correct;
  std::int64_t rows, columns;
};

struct TickArgs { // see ops.optimizer_tick
  double* clock;
  const double* rates;
  std::int64_t rate_count;
  double beta1, beta2;
};

// The flat updates; clock[1] is the learning rate, clock[2] and clock[3] are beta^step. A slice
// [b, e) covers numbers [b * unit, e * unit).
struct UpdateArgs {
  void* parameters;
  const void* gradients;
  void* first;  // velocity, or Adam's m
  void* second; // Adam's v
  const double* clock;
  std::int64_t size, unit;
  double weight_decay;
  double beta1, beta2, epsilon; // momentum is beta1
  bool nesterov;
};

struct ElementaryArgs { // y[i] = function(x[i])
  const void* x;
  void* y;
  std::int64_t size;
  Function function;
};

struct PeakArgs { // `repeats` rounds of independent fused multiply-adds; flops counts them
  void* sink;
  std::int64_t rounds;
};

struct TriadArgs { // a[i] = b[i] + s * c[i]
  void* a;
  const void* b;
  const void* c;
  double s;
};

// The register tile of the matrix product: `rows` x `panel` accumulators, over blocks of `k_block`
// terms at most.
struct Tile {
  std::int64_t rows, panel, k_block;
};

struct KernelTable {
  Kernel kernel[kernel_count][scalar_count];
  Tile tile[scalar_count];
  double peak_flops_per_round[scalar_count];
};

} // namespace gyaku
