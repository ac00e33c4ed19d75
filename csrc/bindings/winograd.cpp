#include "bindings/winograd.h"

#include "bindings/arrays.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace gyaku::bindings {

namespace {

const Limits& limits() { return kernels(); }
std::int64_t lanes() { return limits().lanes[static_cast<int>(Scalar::float32)]; }
std::int64_t whole(std::int64_t elements, std::int64_t step) {
  return ceil_div(elements, step) * step;
}

// Pairs of a window and a kernel element that it has inside the image, along an axis.
std::int64_t pairs(const ConvAxis& axis) {
  std::int64_t sum = 0;
  for (std::int64_t tap = 0; tap < axis.taps; ++tap) {
    const std::int64_t first = std::max<std::int64_t>(0, axis.padding - tap),
                       end = std::min<std::int64_t>(axis.windows, axis.size + axis.padding - tap);
    sum += std::max<std::int64_t>(0, end - first);
  }
  return sum;
}

std::int64_t tiles_of(const ConvShape& shape, bool backward) {
  const auto along = [&](const ConvAxis& axis) {
    return ceil_div(backward ? axis.size : axis.windows, winograd_outputs);
  };
  return along(shape.rows) * along(shape.columns);
}

bool can_be_winograd(const ConvShape& shape, Scalar scalar) {
  for (const ConvAxis& axis : {shape.rows, shape.columns})
    if (axis.taps != 3 || axis.stride != 1 || axis.dilation != 1) return false;
  return shape.groups == 1 && scalar == Scalar::float32;
}

// Whether it is faster than the direct way, in multiplications of that way, those in the padding
// left out: in a product each costs `product`, and the transforms of a tile `transform` for each
// channel and filter, up to whole vectors; those of the weights or their gradients count as some
// more tiles. With AVX2 (Zen 3), images of 8 x 8 to 32 x 32 pixels and as many filters as channels,
// it is 0.8 times as fast as the direct way with 8 channels, 1.3 to 1.5 times with 16, 1.5 with 24,
// 1.8 with 32 and 2.2 with 48 and 64; for the weights 1.1, 1.2 to 1.7, 1.7, 1.8 and 2.2 times. With
// AVX-512 (Zen 4) 1.7 with 16, 2.2 with 32 and 64, 1.6 with 64 on 7 x 7; for the weights 2.1, 1.9
// and 1.4 to 1.7.
bool decide(const ConvShape& shape, std::int64_t images, Scalar scalar, std::int64_t tiles,
            std::int64_t more_tiles, double cost) {
  if (!can_be_winograd(shape, scalar) || images == 0) return false;
  const char* const wish = std::getenv("GYAKU_WINOGRAD");
  const std::string_view wished = wish == nullptr ? "" : wish;
  if (wished == "0" || wished == "1") return wished == "1";
  constexpr double product = 1.3, transform = 380;
  const auto channels = static_cast<double>(whole(shape.channels, lanes())),
             filters = static_cast<double>(whole(shape.filters, lanes()));
  const double ours = winograd_places * product * channels * filters *
                          static_cast<double>(images * tiles + more_tiles) +
                      transform * (channels + filters) * static_cast<double>(images * tiles);
  const double direct = cost *
                        static_cast<double>(images * pairs(shape.rows) * pairs(shape.columns)) *
                        shape.channels * shape.filters;
  return direct >= ours;
}

} // namespace

bool is_winograd(const ConvShape& shape, std::int64_t images, Scalar scalar, bool backward,
                 double cost) {
  return decide(shape, images, scalar, tiles_of(shape, backward), 10, cost);
}

bool is_winograd_weights(const ConvShape& shape, std::int64_t images, Scalar scalar, double cost) {
  return decide(shape, images, scalar, tiles_of(shape, false), 32, cost);
}

WinogradRoom winograd_room(const ConvShape& shape, bool backward, std::int64_t unit_rows,
                           std::int64_t units) {
  const std::int64_t inputs = backward ? shape.filters : shape.channels,
                     outputs = backward ? shape.channels : shape.filters,
                     width = backward ? shape.columns.size : shape.columns.windows;
  const std::int64_t panel = limits().tile[static_cast<int>(Scalar::float32)].panel;
  WinogradRoom room{};
  room.packed = winograd_values(inputs, whole(outputs, panel));
  room.pack_extent = ceil_div(inputs, lanes());
  const auto workspace = [&](std::int64_t tiles) {
    return winograd_workspace(tiles, whole(inputs, lanes()), whole(outputs, lanes()));
  };
  constexpr std::int64_t enough_tiles = 12;
  if (workspace(enough_tiles) <= winograd_stack) return room;
  // A slice of several units has room for several times as many tiles: for 24 if there are 16
  // slices, and for some in any case.
  const std::int64_t tiles = std::clamp<std::int64_t>(ceil_div(24 * 16, units), 6, 24);
  room.unit_tiles =
      std::min(tiles, ceil_div(unit_rows, winograd_outputs) * ceil_div(width, winograd_outputs));
  room.workspace = workspace(room.unit_tiles);
  return room;
}

WinogradWeightsArgs winograd_weights_args(const ConvShape& shape, std::int64_t images) {
  constexpr std::int64_t tiles_at_once = 48, most_parts = 16, memory = 4 << 20; // in elements
  WinogradWeightsArgs args{};
  args.shape = shape;
  args.images = images;
  args.row = whole(shape.filters, lanes());
  args.tiles = tiles_at_once;
  const std::int64_t panel = limits().tile[static_cast<int>(Scalar::float32)].panel;
  args.channel_block = std::min(winograd_block, whole(shape.channels, lanes()));
  args.filter_block = std::min(winograd_block, whole(shape.filters, panel));
  const std::int64_t sums = winograd_values(shape.channels, args.row),
                     tiles = images * tiles_of(shape, false);
  args.parts = static_cast<std::int32_t>(std::clamp<std::int64_t>(
      std::min(memory / sums, tiles / (2 * tiles_at_once)), 1, most_parts));
  return args;
}

std::int64_t winograd_weights_elements(const WinogradWeightsArgs& args) {
  return args.workspace(args.parts * args.blocks());
}

} // namespace gyaku::bindings
