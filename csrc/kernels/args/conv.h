// Arguments of the convolutions.
#pragma once

#include <cstdint>

#include "kernels/args/activation.h"

namespace gyaku {

// One axis of an image. Window o is at the pixels o * stride - padding + i * dilation, one for each
// kernel element i < taps along the axis; a "tap" is such a kernel element.
struct ConvAxis {
  std::int32_t size, windows, taps, stride, dilation, padding;
};

struct ConvShape { // channels and filters are those of a group
  ConvAxis rows, columns;
  std::int32_t groups, channels, filters;
};

struct ConvPackArgs { // (taps, channels, filters) into what `conv` or `conv_few_channels` reads
  const void* w;
  void* packed;
  ConvShape shape;
  bool backward;
};

// Bytes on the stack for two rows that a convolution pools.
constexpr std::int64_t max_unpooled_bytes = 64 * 1024;

// Limits of the backward pass through convolution and 2 x 2 max pooling, which works on the stack:
// bytes for the rows of the image that a row of windows covers (four times where channels are few),
// and windows at a time.
constexpr std::int64_t max_pooled_bytes = 48 * 1024, max_pooled_windows = 1024;
// With fewer channels than these, vectors run along the filters, which must fill as many lanes.
constexpr std::int64_t few_channels = 4, picking_lanes = 8;

// Winograd's F(4 x 4, 3 x 3), see conv_winograd.h: outputs of a tile along an axis, and places,
// each of which has a product of matrices. Channels of a block whose values stay in the cache.
constexpr std::int64_t winograd_outputs = 4, winograd_places = 36, winograd_block = 64;
// Elements of a workspace with `columns` elements for each tile at each place. A cache line more,
// so that the places of an element fall into different sets of the cache.
[[gnu::always_inline]] constexpr std::int64_t winograd_values(std::int64_t tiles,
                                                              std::int64_t columns) {
  return winograd_places * (tiles * columns + 16);
}
// Elements of the workspace for so many tiles: `inputs`, and `outputs` of a block at most, both up
// to whole vectors. Where it fits, it is on the stack, and stays in the cache from call to call.
[[gnu::always_inline]] constexpr std::int64_t
winograd_workspace(std::int64_t tiles, std::int64_t inputs, std::int64_t outputs) {
  return winograd_values(tiles, inputs) +
         winograd_values(tiles, outputs < winograd_block ? outputs : winograd_block);
}
constexpr std::int64_t winograd_stack =
    winograd_workspace(12, winograd_block, winograd_block); // 221 KB

// y = activation(conv(x) + bias + addend) * derivative'(saved); backward, x is dy and y is dx.
struct ConvArgs {
  const void* x;
  const void* packed; // depthwise: the weights themselves
  const void* bias;   // one for each channel of y, or null
  const void* saved;  // shape of y: the values of the forward pass that `derivative` needs
  const void* addend; // shape of y, or null: for `conv` without pooling, and Winograd
  void* y;
  void* argmax; // position of the maximum in each 2 x 2 max-pooling window, or null: forward, y is
                // the pooled output; backward, x is the gradient with respect to the pooled output
  // For `conv` and Winograd: memory that another task will touch for the next images, `ahead_bytes`
  // for each unit of a slice, to prefetch during these; null: none.
  const void* ahead[3];
  const void* w; // Winograd: the weights, for tiles whose values are not finite
  ConvShape shape;
  std::int32_t unit; // rows of y, over all images, in a unit of a slice
  std::int64_t images;
  // Winograd: tiles for which each unit has room, behind the packed weights; 0: on the stack
  std::int64_t unit_tiles;
  double alpha;
  Activation activation;
  Activation derivative; // identity: none
  bool backward;
  std::int64_t ahead_bytes;
};

// The chunks of the images are distributed over `parts`, each of which has its own gradients.
struct ConvWeightsArgs {
  const void* x;
  const void* dy;
  const void* argmax; // dy is the gradient of pooled outputs: position of each maximum; or null
  void* dw;           // (taps, channels, filters), parts are `stride` apart
  void* db;           // (filters); null: at the end of each part's stride
  ConvShape shape;
  std::int32_t parts;
  std::int64_t images, stride;
};

// Winograd's gradients, by three tasks with the same scratch memory: the sums at the places for
// each part of the tiles; dw and db from these; and, if these are not finite, `conv_weights`.
struct WinogradWeightsArgs {
  const void* x;
  const void* dy;
  void* scratch;
  void* dw;
  void* db;
  ConvShape shape;
  std::int32_t parts;
  std::int64_t images, tiles;               // tiles at a time
  std::int64_t row;                         // filters, up to whole vectors
  std::int64_t channel_block, filter_block; // at a time, up to whole vectors and panels

  // Positions in the scratch memory: sums (part, place, channel, row), biases (part, row), a number
  // for each channel that is 0 if its gradients are finite, the workspace of each part and block.
  [[gnu::always_inline]] constexpr std::int64_t sums(std::int64_t part, std::int64_t place) const {
    return part * winograd_values(shape.channels, row) + place * (shape.channels * row + 16);
  }
  [[gnu::always_inline]] constexpr std::int64_t biases(std::int64_t part) const {
    return sums(parts, 0) + part * row;
  }
  [[gnu::always_inline]] constexpr std::int64_t checks() const { return biases(parts); }
  [[gnu::always_inline]] constexpr std::int64_t workspace(std::int64_t unit) const {
    return checks() + (shape.channels + 15) / 16 * 16 +
           unit * (winograd_values(tiles, channel_block) + winograd_values(tiles, filter_block));
  }
  [[gnu::always_inline]] constexpr std::int64_t blocks() const {
    return (shape.channels + winograd_block - 1) / winograd_block;
  }
};

// Sums over p of x[p * stride + i], in ascending order of p: the first `size` to y, the remainder
// of a stride to `remainder`.
struct AddPartsArgs {
  const void* x;
  void* y;
  void* remainder;
  std::int64_t parts, size, stride;
};

// The same for gradients of shape (filter, tap, channel), transposed to (tap, channel, filter). The
// biases of each part are behind its weights.
struct TransposePartsArgs {
  const void* x;
  void* dw;
  void* db;
  std::int64_t parts, weights, filters; // weights of a filter
};

} // namespace gyaku
