// Arguments of the convolutions.
#pragma once

#include <cstdint>

#include "kernels/args/activation.h"

namespace gyaku {

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

} // namespace gyaku
