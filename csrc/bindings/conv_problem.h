// The shape of a convolution: what its three products have in common.
#pragma once

#include "bindings/arrays.h"
#include "bindings/windows.h"
#include "kernels/args/conv.h"
#include "kernels/table.h"

#include <algorithm>
#include <array>

namespace gyaku::bindings {

using Shape4 = std::array<py::ssize_t, 4>;

struct Windows {
  Axis rows, columns;
  std::int64_t groups;
};

// A kernel reads nothing outside the image for any windows; its indices have 32 bits.
inline ConvAxis axis_of(const Call& call, const Axis& axis) {
  const auto [size, taps, stride, dilation, before, after, windows] = axis;
  constexpr std::int64_t most = INT32_MAX / 4;
  for (const std::int64_t number : {size, taps, stride, dilation, windows})
    call.require(1 <= number && number <= most, "an image or a window is empty or too large");
  call.require(0 <= before && before <= most, "padding is out of range");
  call.require((windows - 1) * stride <= most && (taps - 1) * dilation <= most,
               "the windows reach too far");
  const auto narrow = [](std::int64_t number) { return static_cast<std::int32_t>(number); };
  return {narrow(size),   narrow(windows),  narrow(taps),
          narrow(stride), narrow(dilation), narrow(before)};
}

// The shape of a convolution, for all three of its products.
struct Problem {
  ConvShape shape;
  std::int64_t images;
  Scalar scalar;
  std::int64_t item_bytes;

  // Channels are those of a group, filters those of all groups.
  Problem(const Call& call, const Windows& windows, std::int64_t count, std::int64_t channels,
          std::int64_t filters, const Tensor& like)
      : images(count), scalar(like.scalar()), item_bytes(like.item_bytes) {
    const std::int64_t groups = windows.groups;
    call.require(groups >= 1 && filters >= 1 && filters % groups == 0,
                 "filters do not divide into groups");
    call.require(filters <= INT32_MAX && 1 <= channels && channels <= INT32_MAX / groups,
                 "there are no channels or too many");
    shape.rows = axis_of(call, windows.rows);
    shape.columns = axis_of(call, windows.columns);
    shape.groups = static_cast<std::int32_t>(groups);
    shape.channels = static_cast<std::int32_t>(channels);
    shape.filters = static_cast<std::int32_t>(filters / groups);
  }

  Shape4 image_shape() const {
    return {images, shape.rows.size, shape.columns.size,
            std::int64_t{shape.groups} * shape.channels};
  }
  Shape4 window_shape() const { // of what has a pixel for each window
    return {images, shape.rows.windows, shape.columns.windows,
            std::int64_t{shape.groups} * shape.filters};
  }
  Shape4 weight_shape() const {
    return {shape.rows.taps, shape.columns.taps, shape.channels,
            std::int64_t{shape.groups} * shape.filters};
  }
  std::int64_t taps() const { return std::int64_t{shape.rows.taps} * shape.columns.taps; }
  std::int64_t windows() const { return std::int64_t{shape.rows.windows} * shape.columns.windows; }
  bool is_depthwise() const {
    return shape.groups > 1 && shape.channels == 1 && shape.filters == 1;
  }
  // Of multiplications and additions, if `given` has an element for each window; pooled windows
  // have fewer.
  Work work(const Tensor& given) const {
    const double weight = 2.0 * static_cast<double>(images) * static_cast<double>(windows()) *
                          static_cast<double>(taps()) * shape.groups * shape.channels *
                          shape.filters;
    return {2.0 * static_cast<double>(given.size) * static_cast<double>(taps()) * shape.channels,
            weight};
  }
  std::int64_t lanes() const { return kernels().lanes[static_cast<int>(scalar)]; }
  std::int64_t whole_vectors(std::int64_t elements) const {
    return ceil_div(elements, lanes()) * lanes();
  }

  // Shape of an array with an element for each 2 x 2 windows.
  Shape4 pooled_shape() const {
    return {images, shape.rows.windows / 2, shape.columns.windows / 2,
            std::int64_t{shape.groups} * shape.filters};
  }
  // Contiguous elements of a kernel row in the image.
  std::int64_t run() const { return std::int64_t{shape.columns.taps} * shape.channels; }
  // Whether the backward pass through a 2 x 2 max pooling behind the convolution uses the gradients
  // of the maxima directly: the image rows of a row of windows must fit, and vectors must be
  // filled.
  bool is_pooled_backward() const {
    const ConvAxis &rows = shape.rows, &columns = shape.columns;
    for (const ConvAxis& axis : {rows, columns})
      if (axis.stride > 1 || axis.dilation > 1 || axis.windows < 2) return false;
    if (scalar != Scalar::float32 || shape.groups > 1) return false;
    const bool is_few = shape.channels < few_channels;
    const std::int64_t copies = is_few ? 4 : 1;
    const std::int64_t seen = (columns.windows / 2 * 2 + columns.taps - 1) *
                              std::int64_t{shape.channels} * (rows.taps + 1);
    if (copies * seen > max_pooled_bytes / item_bytes - lanes()) return false;
    if (columns.windows / 2 > max_pooled_windows || columns.padding > columns.windows / 2 * 2)
      return false;
    if (!is_few) return 2 * run() >= whole_vectors(run());
    const auto is_padded = [](const ConvAxis& axis) {
      return axis.padding > 0 || axis.windows + axis.taps - 1 > axis.size;
    };
    return lanes() >= picking_lanes && !is_padded(rows) && !is_padded(columns);
  }

  // A 1 x 1 kernel treats neighbouring rows as one, as long as fits, so that tiles have equal
  // sizes.
  void join_rows() {
    ConvAxis &rows = shape.rows, &columns = shape.columns;
    constexpr std::int32_t long_enough = 112;
    if (taps() > 1 || rows.stride > 1 || columns.stride > 1) return;
    if (rows.padding > 0 || columns.padding > 0) return;
    if (rows.size != rows.windows || columns.size != columns.windows) return;
    std::int32_t joined = std::max(long_enough / columns.size, 1);
    while (rows.size % joined != 0) --joined;
    rows.size = rows.windows = rows.size / joined;
    columns.size = columns.windows = columns.size * joined;
  }
};

} // namespace gyaku::bindings
