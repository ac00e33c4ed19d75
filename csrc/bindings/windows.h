// Positions of windows on images, as given by Python.
#pragma once

#include <array>
#include <cstdint>

namespace gyaku::bindings {

// One axis, in the order of the fields of gyaku's own Axis: size, taps, stride, dilation, before,
// after, windows.
using Axis = std::array<std::int64_t, 7>;

} // namespace gyaku::bindings
