// Winograd's convolution by 3 x 3 kernels with stride 1, and its gradient with respect to the
// images: see conv_winograd.h for the method and its transforms.
//
// A block of tiles at a time: their pixels are taken to the 36 places; at each place a product of
// tiles x inputs by the packed weights gives tiles x outputs; the sums are taken back to pixels of
// y. The values of a block stay in the second-level cache. An output depends on the pixels of its
// own tile alone, in an order that depends on the problem alone, whatever the block.
//
// A transform would spread an infinity or a NaN over the tile, and overflows before the sum does. A
// tile with any output that is not finite is therefore computed again, kernel element by kernel
// element, as the other convolutions do.
#include "kernels/conv_winograd.h"
#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/entry.h"
#include "kernels/gemm_tile.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int panel = panel_width<float>;
constexpr std::int64_t weights_of_kernel = 9;

constexpr std::int64_t whole_vectors(std::int64_t elements) {
  return ceil_div(elements, vec<float>::width) * vec<float>::width;
}

// What is read and what is written, and the packed weights: [place][panel][input][panel_width],
// with a cache line between places.
struct WinogradPlan {
  WinogradTiles tiles;
  bool backward;
  std::int64_t inputs, outputs, filters;

  WinogradPlan(const ConvShape& shape, bool b)
      : tiles(strided_axis(shape.rows, b, 0), strided_axis(shape.columns, b, 0)), backward(b),
        inputs(b ? shape.filters : shape.channels), outputs(b ? shape.channels : shape.filters),
        filters(shape.filters) {}
  std::int64_t panels() const { return ceil_div(outputs, panel); }
  std::int64_t place_size() const {
    return winograd_values(inputs, panels() * panel) / winograd_places;
  }
  // The weights of tap (i, j) of the adjoint are those of the flipped kernel.
  std::int64_t weights_at(std::int64_t i, std::int64_t j) const {
    const std::int64_t row = tiles.rows.tap + i * tiles.rows.tap_skip,
                       column = tiles.columns.tap + j * tiles.columns.tap_skip;
    return (row * winograd_taps + column) * inputs * outputs;
  }
};

// The weights of some inputs, at most a vector of them, and one vector of outputs: a vector along
// the outputs for each.
struct WeightBlock {
  alignas(64) float of[weights_of_kernel][vec<float>::width][vec<float>::width];

  void load_from(const WinogradPlan& plan, const float* w, Range inputs, std::int64_t output) {
    constexpr int width = vec<float>::width;
    const int valid = static_cast<int>(most(0, least(width, plan.outputs - output)));
    const int terms = static_cast<int>(inputs.size());
    for (int tap = 0; tap < weights_of_kernel; ++tap) {
      const float* from = w + plan.weights_at(tap / winograd_taps, tap % winograd_taps);
      vec<float> square[width];
      if (plan.backward) {
        for (int k = 0; k < width; ++k)
          square[k] = k < valid ? load(from + (output + k) * plan.filters + inputs.begin, terms)
                                : zero<float>();
        transpose_square(square);
      } else {
        for (int c = 0; c < terms; ++c) {
          const float* row = from + (inputs.begin + c) * plan.filters + output;
          square[c] = valid > 0 ? load(row, valid) : zero<float>();
        }
      }
      for (int c = 0; c < terms; ++c) store(of[tap][c], square[c]);
    }
  }
};

// A slice counts vectors of inputs.
void winograd_pack(const ConvPackArgs& args, Slice slice) noexcept {
  constexpr int width = vec<float>::width;
  const WinogradPlan plan(args.shape, args.backward);
  const Range inputs{slice.begin * width, least(slice.end * width, plan.inputs)};
  for (std::int64_t c = inputs.begin; c < inputs.end; c += width)
    for (std::int64_t k = 0; k < plan.panels() * panel; k += width) {
      const Range some{c, least(c + width, inputs.end)};
      WeightBlock block;
      block.load_from(plan, static_cast<const float*>(args.w), some, k);
      float* const to =
          static_cast<float*>(args.packed) + (k / panel * plan.inputs + c) * panel + k % panel;
      for (int i = 0; i < some.size(); ++i)
        transform<OfKernel<winograd_taps>>(
            [&](int r, int t) GYAKU_INLINED { return load(block.of[r * winograd_taps + t][i]); },
            [&](int r, const Floats(&row)[winograd_points]) GYAKU_INLINED {
              float* const place = to + i * panel + r * winograd_points * plan.place_size();
#pragma GCC unroll 6
              for (int t = 0; t < winograd_points; ++t)
                store(place + t * plan.place_size(), row[t]);
            });
    }
}

struct Winograd {
  const ConvArgs& args;
  WinogradPlan plan;
  std::int64_t whole_inputs; // of whole vectors
  float* sources;            // the workspace: [place][tile][input],
  float* sums;               // and [place][tile][output of a block]
  std::int64_t at_once;      // tiles of a block

  // `tiles` at once, for which the workspace has room.
  Winograd(const ConvArgs& a, const WinogradPlan& p, float* workspace, std::int64_t tiles)
      : args(a), plan(p), whole_inputs(whole_vectors(p.inputs)), sources(workspace),
        sums(workspace + winograd_values(tiles, whole_inputs)), at_once(tiles) {}

  // Tiles, counted over all images.
  void block(Range numbers) const {
    for (std::int64_t t = 0; t < numbers.size(); ++t)
      transform_patch<OfSource>(
          patch_of(WinogradTile(plan.tiles, numbers.begin + t)), {0, plan.inputs}, source_step(),
          [&](std::int64_t c) GYAKU_INLINED { return sources + t * whole_inputs + c; },
          [](std::int64_t, Floats, int) GYAKU_INLINED {});
    for (std::int64_t k = 0; k < plan.outputs; k += winograd_block) {
      const Range outputs{k, least(k + winograd_block, plan.outputs)};
      multiply(numbers.size(), outputs);
      for (std::int64_t t = 0; t < numbers.size(); ++t) {
        const WinogradTile tile(plan.tiles, numbers.begin + t);
        if (!store_sums(tile, t, outputs)) add_directly(tile, outputs);
      }
    }
    if (!is_rectifier(args.activation) || args.derivative != Activation::identity)
      for (std::int64_t t = 0; t < numbers.size(); ++t)
        finish(WinogradTile(plan.tiles, numbers.begin + t));
  }

private:
  // From one place to the next.
  std::int64_t source_step() const {
    return winograd_values(at_once, whole_inputs) / winograd_places;
  }
  std::int64_t sum_step() const {
    return winograd_values(at_once, winograd_block) / winograd_places;
  }
  Patch<winograd_points> patch_of(const WinogradTile& tile) const {
    const StridedAxis &rows = plan.tiles.rows, &columns = plan.tiles.columns;
    const std::int64_t image = tile.image * rows.sources * columns.sources * plan.inputs;
    return {static_cast<const float*>(args.x) + image,
            rows.sources,
            columns.sources,
            plan.inputs,
            rows.origin + tile.row,
            columns.origin + tile.column};
  }
  // The pixels of a tile in the image.
  std::int64_t rows_of(const WinogradTile& tile) const {
    return least(winograd_outputs, plan.tiles.rows.count - tile.row);
  }
  std::int64_t columns_of(const WinogradTile& tile) const {
    return least(winograd_outputs, plan.tiles.columns.count - tile.column);
  }
  std::int64_t pixel(const WinogradTile& tile, std::int64_t row, std::int64_t column) const {
    return ((tile.image * plan.tiles.rows.count + tile.row + row) * plan.tiles.columns.count +
            tile.column + column) *
           plan.outputs;
  }
  float* output(const WinogradTile& tile, std::int64_t row, std::int64_t column) const {
    return static_cast<float*>(args.y) + pixel(tile, row, column);
  }

  // The products at all places, a panel of weights for all tiles.
  void multiply(std::int64_t tiles, Range outputs) const {
    const std::int64_t heights = ceil_div(tiles, tile_rows), part = ceil_div(panel, heights);
    for (int place = 0; place < winograd_places; ++place)
      for (std::int64_t k = outputs.begin; k < outputs.end; k += panel) {
        const float* const b = static_cast<const float*>(args.packed) + place * plan.place_size() +
                               k / panel * plan.inputs * panel;
        const float* const a = sources + place * source_step();
        float* const c = sums + place * sum_step() + k - outputs.begin;
        const auto columns = static_cast<int>(least(panel, whole_vectors(outputs.end - k)));
        // Each tile of registers prefetches a part of the next panel.
        const float* next = b + plan.inputs * panel;
        for_each_piece(tiles, tile_rows, [&](Range some) {
          const TileShape<float> shape{plan.inputs, whole_inputs, 1, panel, winograd_block,
                                       columns,     {next, part}, {}};
          multiply_tile<float>(shape, static_cast<int>(some.size()), true,
                               a + some.begin * whole_inputs, b, c + some.begin * winograd_block,
                               nullptr, false);
          next += plan.inputs * part;
        });
      }
  }

  // Returns whether all outputs of the tile are finite.
  bool store_sums(const WinogradTile& tile, std::int64_t t, Range outputs) const {
    const std::int64_t rows = rows_of(tile), columns = columns_of(tile), step = sum_step();
    const auto* const bias = static_cast<const float*>(args.bias);
    const bool rectifies = args.activation == Activation::relu;
    float* const to = output(tile, 0, 0);
    const std::int64_t row_step = plan.tiles.columns.count * plan.outputs;
    Floats check = zero<float>(); // x * 0 is NaN where x is not finite
    for_each_vector<float>(outputs.begin, outputs.end, [&](std::int64_t k, int n) {
      const float* const from = sums + t * winograd_block + k - outputs.begin;
      const Floats start = bias == nullptr ? zero<float>() : load(bias + k, n);
      transform<OfSums<winograd_outputs>>(
          [&](int i, int j) GYAKU_INLINED { return load(from + (i * winograd_points + j) * step); },
          [&](int i, const Floats(&row)[winograd_outputs]) GYAKU_INLINED {
#pragma GCC unroll 4
            for (int j = 0; j < winograd_outputs; ++j) {
              check = fma(row[j], zero<float>(), check);
              if (i >= rows || j >= columns) continue;
              const Floats y = row[j] + start;
              store(to + i * row_step + j * plan.outputs + k,
                    rectifies ? activate<Activation::relu>(y, zero<float>()) : y, n);
            }
          });
    });
    return reduce_add(check) == 0;
  }

  // The outputs of a tile, one kernel element after the other; those in the padding are skipped.
  [[gnu::noinline]] void add_directly(const WinogradTile& tile, Range outputs) const {
    const Range rows{tile.row, tile.row + rows_of(tile)};
    const Range columns{tile.column, tile.column + columns_of(tile)};
    each_row(tile, outputs, [&](float* y, std::int64_t k, int n) {
      store(y,
            args.bias == nullptr ? zero<float>()
                                 : load(static_cast<const float*>(args.bias) + k, n),
            n);
    });
    for (std::int64_t i = 0; i < winograd_taps; ++i)
      for (std::int64_t j = 0; j < winograd_taps; ++j) {
        const Range seen_rows = both(rows, plan.tiles.rows.results_of(i)),
                    seen_columns = both(columns, plan.tiles.columns.results_of(j));
        if (!seen_rows.is_empty() && !seen_columns.is_empty())
          add_tap(tile, i, j, seen_rows, seen_columns, outputs);
      }
    if (args.activation == Activation::relu)
      each_row(tile, outputs, [&](float* y, std::int64_t, int n) {
        store(y, activate<Activation::relu>(load(y, n), zero<float>()), n);
      });
  }

  void add_tap(const WinogradTile& tile, std::int64_t i, std::int64_t j, Range rows, Range columns,
               Range outputs) const {
    constexpr std::int64_t terms = 128;
    alignas(64) float packed[terms * panel];
    const StridedAxis &down = plan.tiles.rows, &across = plan.tiles.columns;
    const float* const w = static_cast<const float*>(args.w) + plan.weights_at(i, j);
    for (std::int64_t k = outputs.begin; k < outputs.end; k += panel)
      for (std::int64_t c = 0; c < plan.inputs; c += terms) {
        const std::int64_t some = least(terms, plan.inputs - c);
        pack_panels(w, plan.filters, plan.outputs, plan.backward, c, some, k / panel, k / panel + 1,
                    packed);
        const TileShape<float> shape{some,
                                     plan.inputs,
                                     1,
                                     panel,
                                     plan.outputs,
                                     static_cast<int>(least(panel, outputs.end - k)),
                                     {packed, 0},
                                     {}};
        for (std::int64_t row = rows.begin; row < rows.end; ++row) {
          const std::int64_t at =
              (tile.image * down.sources + down.origin + row + i) * across.sources + across.origin +
              columns.begin + j;
          multiply_tile<float>(shape, static_cast<int>(columns.size()), true,
                               static_cast<const float*>(args.x) + at * plan.inputs + c, packed,
                               output(tile, row - tile.row, columns.begin - tile.column) + k,
                               nullptr, true);
        }
      }
  }

  // f(y, output, lanes) for each pixel of a tile.
  template <class F>
  GYAKU_INLINE void each_row(const WinogradTile& tile, Range outputs, F f) const {
    for (std::int64_t row = 0; row < rows_of(tile); ++row)
      for (std::int64_t column = 0; column < columns_of(tile); ++column)
        for_each_vector<float>(outputs.begin, outputs.end, [&](std::int64_t k, int n) {
          f(output(tile, row, column) + k, k, n);
        });
  }

  // Activations and derivatives but ReLU.
  void finish(const WinogradTile& tile) const {
    const auto alpha = static_cast<float>(args.alpha);
    const std::int64_t size = columns_of(tile) * plan.outputs;
    for (std::int64_t row = 0; row < rows_of(tile); ++row) {
      float* const y = output(tile, row, 0);
      if (!is_rectifier(args.activation)) activate_row(args.activation, alpha, y, size);
      if (args.derivative != Activation::identity)
        differentiate_row(args.derivative, alpha,
                          static_cast<const float*>(args.saved) + pixel(tile, row, 0), y, size);
    }
  }
};

void conv_winograd(const ConvArgs& args, Slice slice) noexcept {
  // Enough to reuse the weights; more values would leave the second-level cache.
  constexpr std::int64_t most_tiles = ceil_div(24, tile_rows) * tile_rows;
  const WinogradPlan plan(args.shape, args.backward);
  const std::int64_t units = slice.end - slice.begin;
  const std::int64_t unit = ceil_div(args.unit, winograd_outputs) * plan.tiles.across;
  const std::int64_t room = winograd_values(args.unit_tiles, whole_vectors(plan.inputs)) +
                            winograd_values(args.unit_tiles, winograd_block);
  float* const behind_weights =
      static_cast<float*>(const_cast<void*>(args.packed)) + winograd_places * plan.place_size();
  const Winograd problem(args, plan, behind_weights + slice.begin * room,
                         least(most_tiles, units * args.unit_tiles));
  for (std::int64_t tile = slice.begin * unit; tile < slice.end * unit; tile += problem.at_once)
    problem.block({tile, least(tile + problem.at_once, slice.end * unit)});
}

} // namespace

// Slices of vectors of inputs.
Entry conv_winograd_pack_kernel() noexcept { return float32_entry<ConvPackArgs, winograd_pack>; }
// Slices of units of rows of y: an image, or as many rows as a tile.
Entry conv_winograd_kernel() noexcept { return float32_entry<ConvArgs, conv_winograd>; }

} // namespace gyaku::GYAKU_ISA_NAME
