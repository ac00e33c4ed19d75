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

// y = activation(conv(x) + bias + addend) * derivative'(saved); backward, x is dy and y is dx.
struct ConvArgs {
  const void* x;
  const void* packed; // depthwise: the weights themselves
  const void* bias;   // one for each channel of y, or null
  const void* saved;  // shape of y: the values of the forward pass that `derivative` needs
  const void* addend; // shape of y, or null: for `conv` without pooling
  void* y;
  void* argmax; // position of the maximum in each 2 x 2 max-pooling window, or null: forward, y is
                // the pooled output; backward, x is the gradient with respect to the pooled output
  // For `conv`: memory that another task will touch for the next images, `ahead_bytes` for each
  // unit of a slice, to prefetch during these; null: none.
  const void* ahead[3];
  ConvShape shape;
  std::int32_t unit; // rows of y, over all images, in a unit of a slice
  std::int64_t images;
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
