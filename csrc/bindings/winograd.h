// Where convolutions by 3 x 3 kernels with stride 1 are computed by Winograd's F(4 x 4, 3 x 3),
// with fewer multiplications and a larger rounding error: the rule, and sizes of memory.
#pragma once

#include <cstdint>

#include "kernels/args/conv.h"
#include "kernels/table.h"

namespace gyaku::bindings {

// A convolution, or its gradient with respect to the images (`backward`) or the weights. A function
// of the problem alone, unless the variable GYAKU_WINOGRAD decides: 0 never, 1 wherever it can.
// `cost` is that of a multiplication by the direct way, less than 1 in bfloat16.
bool is_winograd(const ConvShape& shape, std::int64_t images, Scalar scalar, bool backward,
                 double cost = 1);
bool is_winograd_weights(const ConvShape& shape, std::int64_t images, Scalar scalar,
                         double cost = 1);

// Memory of a convolution, in elements: packed weights, and the workspace of each unit of a slice,
// unless it is on the stack. There are `units`, of so many rows.
struct WinogradRoom {
  std::int64_t packed, pack_extent, unit_tiles, workspace;
};
WinogradRoom winograd_room(const ConvShape& shape, bool backward, std::int64_t unit_rows,
                           std::int64_t units);

// Parts of the sums of the gradient with respect to the weights, and sizes in elements.
WinogradWeightsArgs winograd_weights_args(const ConvShape& shape, std::int64_t images);
std::int64_t winograd_weights_elements(const WinogradWeightsArgs& args);

} // namespace gyaku::bindings
