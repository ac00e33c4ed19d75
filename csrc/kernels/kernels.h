// What a kernel is, the arguments of each, and the table that one instruction set fills.
//
// A kernel is serial: it does the slice [begin, end) of its parallel dimension and knows nothing of
// threads. Argument structs are plain data, pointers first; these are to C-contiguous memory of the
// kernel's scalar type unless their declared type says otherwise.
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
#define GYAKU_ACTIVATION(name, flops, backward_flops) name,
#include "kernels/activations.inc"
  dropped_relu, // only as a derivative: that of dropout after relu, whose output is saved; alpha is
                // what dropout multiplied by
};

// The elementary functions that the kernels are built from, open to their tests.
enum class Function : std::int32_t { exp, expm1, log, log1p, tanh, sigmoid, erf };

// What a batch's rows are made of before they are gathered.
enum class Source : std::int32_t { uint8, float32, float64, int32, int64 };

// One entry for every kernel of the table; a slice counts what the comment says.
enum class KernelId : int {
  pack,                  // panels of columns
  matmul,                // rows or columns of the result, see MatmulArgs::by_columns
  matmul_small,          // rows of the result
  matmul_rows,           // columns; m <= 4, B not transposed
  matmul_dot,            // columns; B transposed
  matvec,                // rows; n = 1, A not transposed
  sum_rows,              // columns
  conv_pack,             // taps of all groups
  conv,                  // units of rows of y, see ConvArgs::unit
  conv_narrow_pack,      // rows of the window
  conv_narrow,           // units of rows of y; backward, few channels
  conv_weights,          // parts x rows of dw: (group, tap, channel)
  depthwise,             // units of rows of y
  depthwise_weights,     // parts
  add_parts,             // elements
  conv_maxima_pack,      // rows of the window
  conv_maxima,           // images
  conv_maxima_weights,   // parts x filters
  turn_parts,            // rows of dw: (tap, channel)
  max_pool,              // rows of windows, in units of PoolArgs::unit
  max_pool_backward,     // rows of pixels, in units of PoolArgs::unit
  avg_pool,              // rows of windows, in units of PoolArgs::unit
  avg_pool_backward,     // rows of pixels, in units of PoolArgs::unit
  batch_statistics,      // chunks
  batch_finish,          // columns
  batch_norm,            // rows, in units of NormArgs::unit
  batch_norm_backward,   // rows, in units of NormArgs::unit
  layer_norm,            // rows, in units of NormArgs::unit
  layer_norm_backward,   // rows, in units of NormArgs::unit
  norm_sums,             // chunks
  norm_sums_finish,      // columns
  update_running,        // columns
  add,                   // elements, in units of ElementwiseArgs::unit
  copy_columns,          // rows, in units of CopyColumnsArgs::unit
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
  gather_images,         // rows
  rescale,               // elements, in units of RescaleArgs::unit
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

// Most terms of a block where panels are packed on the spot, see MatmulArgs::by_columns, and bytes
// of a term of all panels that are packed together.
constexpr std::int64_t columns_k_block = 256, panels_bytes = 512;

// C = activation(op(A) op(B) + bias) * derivative'(saved), C is m x n.
struct MatmulArgs {
  const void* a;
  const void* b;
  const void* packed; // panels made by `pack`, or null: B in place (then not transposed);
                      // by_columns: room for a block of terms of each panel (slices are
                      // whole panels then), or null
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
  bool copies_a;    // behind `packed` is room for k_block terms and a cache line of each row of A
  bool by_columns;  // a slice counts C's columns instead of its rows; B is packed on the spot
  bool skips_zeros; // terms of A that are zero in all rows of a tile may be left out; reads `b`
};

struct SumRowsArgs { // y[j] = sum over i of x[i][j]
  const void* x;
  void* y;
  std::int64_t rows, columns;
};

// One axis of an image: window o looks at o * stride - padding + i * dilation, i < taps.
struct ConvAxis {
  std::int32_t size, windows, taps, stride, dilation, padding;
};

struct ConvShape { // channels and filters are those of a group
  ConvAxis rows, columns;
  std::int32_t groups, channels, filters;
};

struct ConvPackArgs { // (taps, channels, filters) into what `conv` or `conv_narrow` reads
  const void* w;
  void* packed;
  ConvShape shape;
  bool backward;
};

// Two rows that a convolution is to pool must fit into this much memory on the stack.
constexpr std::int64_t max_unpooled_bytes = 64 * 1024;

// What the gradients of pooled rows may take of the stack: at least the rows of the image that a
// row of windows sees must fit into it, four times where channels are few; and so many windows at
// once.
constexpr std::int64_t max_maxima_bytes = 48 * 1024, max_maxima_windows = 1024;
// Fewer channels than these do not fill a vector, so that the filters must, with as many lanes.
constexpr std::int64_t few_channels = 4, picking_lanes = 8;

// y = activation(conv(x) + bias) * derivative'(saved); backward, x is dy and y is dx.
struct ConvArgs {
  const void* x;
  const void* packed; // depthwise: the weights themselves
  const void* bias;   // a number for each channel of y, or null
  const void* saved;  // of y's shape, what `derivative` needs of the forward pass
  void* y;
  void* argmax; // which of 2 x 2 pixels was the largest, or null: forward of y, which is pooled;
                // backward of what was pooled, of which x is the gradient
  ConvShape shape;
  std::int32_t unit; // a slice counts this many rows of y, of all images
  std::int64_t images;
  double alpha;
  Activation activation;
  Activation derivative; // identity: none
  bool backward;
};

// The chunks of the images are shared out among `parts`, each of which has gradients of its own.
struct ConvWeightsArgs {
  const void* x;
  const void* dy;
  const void* argmax; // which of 2 x 2 pixels dy is the gradient of, or null
  void* dw;           // (taps, channels, filters), each part's `stride` behind the last one's
  void* db;           // filters; null: at the end of each part's stride
  ConvShape shape;
  std::int32_t parts;
  std::int64_t images, stride;
};

// The sums over p of x[p * stride + i], in rising order of p: the first `size` to y, the rest of a
// stride to `rest`.
struct AddPartsArgs {
  const void* x;
  void* y;
  void* rest;
  std::int64_t parts, size, stride;
};

// The same of gradients (filter, tap, channel), which become (tap, channel, filter); behind each
// part's weights lie its biases.
struct TurnPartsArgs {
  const void* x;
  void* dw;
  void* db;
  std::int64_t parts, weights, filters; // weights of a filter
};

struct ElementwiseArgs { // a slice [b, e) covers elements [b * unit, min(e * unit, size))
  const void* x;         // forward: x; backward: dy
  const void* saved;     // backward: what the forward pass kept
  void* y;               // forward: y; backward: dx
  std::int64_t size, unit;
  double alpha;
  Activation activation;
};

// Window o of an axis looks at the pixels o * stride - before + i * dilation, i < taps; those
// outside [0, size) are padding.
struct WindowAxis {
  std::int64_t size, taps, stride, dilation, before, windows;
};

// Forward: images x -> one number a window, y. Backward: dy in x -> dx in y.
struct PoolArgs {
  const void* x;
  void* y;
  void* argmax; // the maximum's tap, row by row, for each window; uint8, or int32 if `wide`
  std::int64_t channels;
  WindowAxis rows, columns;
  std::int32_t after_rows, after_columns; // padding behind the images that a mean counts
  std::int32_t unit;                      // a slice counts this many rows
  bool wide;
  bool count_padding;
};

// x is rows x columns. Statistics are by column (batch) or by row (layer).
struct NormArgs {
  const void* x;
  const void* dy;
  const void* gamma;
  const void* beta;
  void* y; // or dx
  void* mean;
  void* inverse;  // of the deviation
  void* variance; // batch
  void* dgamma;
  void* dbeta;
  double* partial; // chunks x 2 x columns; null: the statistics are given
  std::int64_t rows, columns;
  std::int64_t chunk; // rows
  std::int64_t unit;  // a slice counts this many rows
  double epsilon;
  bool by_row; // norm_sums: mean and inverse are the rows'
};

struct RunningArgs { // running += momentum (new - running)
  const void* mean;
  const void* variance;
  void* running_mean;
  void* running_var;
  std::int64_t size;
  double momentum;
  double unbiased; // the variance's factor
};

struct CopyColumnsArgs { // y[i][y_start + j] = x[i][x_start + j]
  const void* x;
  void* y;
  std::int64_t x_start, y_start;
  std::int64_t x_columns, y_columns; // of the matrices
  std::int64_t columns;              // to copy
  std::int64_t unit;                 // a slice counts this many rows
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

struct GatherImagesArgs { // each image mirrored and moved as a function of seed, epoch and row
  const std::int64_t* epoch;
  GatherArgs rows;
  std::int64_t height, width, channels;
  std::uint64_t seed;
  std::int32_t shift; // the most pixels in each direction, less than the image has
  bool flip;
};

struct RescaleArgs { // y = x * scale + offset; a slice counts units of `unit` elements
  const void* x;
  void* y;
  std::int64_t size, unit;
  double scale, offset;
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
// terms at most. A matrix B of more than `large_b` bytes is worth a copy.
struct Tile {
  std::int64_t rows, panel, k_block, large_b;
};

struct KernelTable {
  Kernel kernel[kernel_count][scalar_count];
  Tile tile[scalar_count];
  double peak_flops_per_round[scalar_count];
  std::int64_t lanes[scalar_count]; // numbers in a vector
};

} // namespace gyaku
