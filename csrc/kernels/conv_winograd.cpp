// Winograd's convolution by 3 x 3 kernels with stride 1, and its gradient with respect to the
// images: see conv_winograd.h for the method and its transforms.
//
// A block of tiles at a time: their pixels are taken to the 36 places; at each place a product of
// tiles x inputs by the packed weights gives tiles x outputs; the sums are taken back to pixels of
// y. The values of a block stay in the second-level cache; on the stack, if they fit, so that a
// thread has them in its cache from one call to the next. An output depends on the pixels of its
// own tile alone, in an order that depends on the problem alone, whatever the block.
//
// A transform would spread an infinity or a NaN over the tile, and overflows before the sum does. A
// tile with any output that is not finite is therefore computed again, kernel element by kernel
// element, as the other convolutions do.
#include "kernels/conv_winograd.h"
#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/entry.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int panel = panel_width<float>;
constexpr std::int64_t weights_of_kernel = 9;
// Of a block: enough to reuse the weights; more values would leave the second-level cache.
constexpr std::int64_t most_tiles = ceil_div(24, tile_rows) * tile_rows;

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

// An operand with an element for each output, or the same number for all.
class Beside {
public:
  Beside(const void* elements, float neutral) {
    store(neutral_, Floats(neutral));
    at_ = elements == nullptr ? neutral_ : static_cast<const float*>(elements);
    mask_ = elements == nullptr ? 0 : -1;
  }
  Beside(const Beside&) = delete;
  GYAKU_INLINE Floats load(std::int64_t output, int n) const {
    return GYAKU_ISA_NAME::load(at_ + (output & mask_), n);
  }

private:
  alignas(64) float neutral_[vec<float>::width];
  const float* at_;
  std::int64_t mask_; // whatever the output
};

struct Winograd {
  const ConvArgs& args;
  WinogradPlan plan;
  std::int64_t whole_inputs; // of whole vectors
  std::int64_t sum_row;      // outputs of a block, of whole vectors
  float* sources;            // the workspace: [place][tile][input],
  float* sums;               // and [place][tile][output of a block]
  std::int64_t at_once;      // tiles of a block
  Beside addend, saved;      // for the derivative of ReLU

  // `tiles` at once, for which the workspace has room.
  Winograd(const ConvArgs& a, const WinogradPlan& p, float* workspace, std::int64_t tiles)
      : args(a), plan(p), whole_inputs(whole_vectors(p.inputs)),
        sum_row(least(winograd_block, whole_vectors(p.outputs))), sources(workspace),
        sums(workspace + winograd_values(tiles, whole_inputs)), at_once(tiles),
        addend(a.addend, -0.0F), // x + -0 is x, -0 included
        saved(a.derivative == Activation::relu ? a.saved : nullptr, 1) {}

  // All tiles of some units, as many at a time as fit.
  void units(Range some) const {
    const std::int64_t unit = ceil_div(args.unit, winograd_outputs) * plan.tiles.across;
    const std::int64_t tiles = some.size() * unit;
    Ahead ahead = ahead_of(some, tiles);
    for_each_piece(tiles, at_once, [&](Range piece) {
      block({some.begin * unit + piece.begin, some.begin * unit + piece.end}, ahead);
    });
  }

private:
  // Tiles, counted over all images.
  void block(Range numbers, Ahead& ahead) const {
    for_each_strip(plan.tiles, numbers, [&](Range some) {
      float* const to = sources + (some.begin - numbers.begin) * whole_inputs;
      transform_strip<OfSource>(
          strip_at(WinogradTile(plan.tiles, some.begin)), some.size(), {0, plan.inputs},
          source_step(),
          [&](std::int64_t t, std::int64_t c) GYAKU_INLINED { return to + t * whole_inputs + c; },
          [](std::int64_t, Floats, int) GYAKU_INLINED {});
    });
    for (std::int64_t k = 0; k < plan.outputs; k += winograd_block) {
      const Range outputs{k, least(k + winograd_block, plan.outputs)};
      multiply(numbers, outputs, ahead);
      WinogradTile tile(plan.tiles, numbers.begin);
      for (std::int64_t t = 0; t < numbers.size(); ++t, tile.advance(plan.tiles)) {
        const bool is_finite = has_operands() ? store_sums<true>(tile, t, outputs)
                                              : store_sums<false>(tile, t, outputs);
        if (!is_finite) add_directly(tile, outputs);
      }
    }
    if (!is_rectifier(args.activation) || !is_rectifier(args.derivative))
      for (std::int64_t t = 0; t < numbers.size(); ++t)
        finish(WinogradTile(plan.tiles, numbers.begin + t));
  }

  // What the task ahead will touch for the units behind these; each product prefetches a part.
  Ahead ahead_of(Range some, std::int64_t tiles) const {
    if (args.ahead[0] == nullptr) return {};
    const std::int64_t unit_count = args.images * ceil_div(plan.tiles.rows.count, args.unit);
    const auto offset = [&](std::int64_t unit) {
      return least(unit + some.size(), unit_count) * args.ahead_bytes;
    };
    const std::int64_t blocks = ceil_div(tiles, at_once);
    const std::int64_t products =
        blocks * winograd_places * plan.panels() * ceil_div(tiles / blocks, tile_rows);
    return {args.ahead, offset(some.begin), offset(some.end) - offset(some.begin), products};
  }

  // From one place to the next.
  std::int64_t source_step() const {
    return winograd_values(at_once, whole_inputs) / winograd_places;
  }
  std::int64_t sum_step() const { return winograd_values(at_once, sum_row) / winograd_places; }
  Strip<winograd_points> strip_at(const WinogradTile& tile) const {
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

  // Prefetches what `store_sums` will write and read.
  void prefetch(const WinogradTile& tile, Range outputs) const {
    constexpr std::int64_t line = 64 / sizeof(float);
    for (std::int64_t row = 0; row < rows_of(tile); ++row)
      for (std::int64_t column = 0; column < columns_of(tile); ++column) {
        const std::int64_t at = pixel(tile, row, column);
        for (std::int64_t k = outputs.begin; k < outputs.end; k += line) {
          __builtin_prefetch(static_cast<const float*>(args.y) + at + k, 1);
          if (args.addend != nullptr)
            __builtin_prefetch(static_cast<const float*>(args.addend) + at + k);
          if (args.saved != nullptr)
            __builtin_prefetch(static_cast<const float*>(args.saved) + at + k);
        }
      }
  }

  // The products at all places, a panel of weights for all tiles.
  void multiply(Range numbers, Range outputs, Ahead& ahead) const {
    const std::int64_t tiles = numbers.size();
    const Heights heights(tiles);
    const std::int64_t part = ceil_div(panel, heights.size());
    WinogradTile tile(plan.tiles, numbers.begin);
    for (int place = 0; place < winograd_places; ++place) {
      for (std::int64_t t = tiles * place / winograd_places;
           t < tiles * (place + 1) / winograd_places; ++t, tile.advance(plan.tiles))
        prefetch(tile, outputs);
      for (std::int64_t k = outputs.begin; k < outputs.end; k += panel) {
        const float* const b = static_cast<const float*>(args.packed) + place * plan.place_size() +
                               k / panel * plan.inputs * panel;
        const float* const a = sources + place * source_step();
        float* const c = sums + place * sum_step() + k - outputs.begin;
        const auto columns = static_cast<int>(least(panel, whole_vectors(outputs.end - k)));
        // Each tile of registers prefetches a part of the next panel.
        const float* next = b + plan.inputs * panel;
        for (const Range& some : heights) {
          const TileShape<float> shape{plan.inputs, whole_inputs, 1, panel, sum_row,
                                       columns,     {next, part}, {}};
          ahead.ask();
          multiply_tile<float>(shape, static_cast<int>(some.size()), true,
                               a + some.begin * whole_inputs, b, c + some.begin * sum_row, nullptr,
                               false);
          next += plan.inputs * part;
        }
      }
    }
  }

  bool has_operands() const {
    return args.addend != nullptr || args.derivative == Activation::relu;
  }
  // y = relu(y + addend), or (y + addend) relu'(saved), of the outputs from `at` on.
  template <bool with_operands>
  GYAKU_INLINE Floats ended(Floats y, bool rectifies, std::int64_t at, int n) const {
    if constexpr (with_operands) y = y + addend.load(at, n);
    if (rectifies) y = activate<Activation::relu>(y, zero<float>());
    if constexpr (with_operands)
      y = differentiate<Activation::relu>(y, saved.load(at, n), zero<float>());
    return y;
  }

  // Returns whether all sums of the tile are finite.
  template <bool with_operands>
  bool store_sums(const WinogradTile& tile, std::int64_t t, Range outputs) const {
    Floats check = zero<float>(); // x * 0 is NaN where x, or a sum with it, is not finite
    for_each_vector<float>(outputs.begin, outputs.end, [&](std::int64_t k, int n) {
      // Copies, which no vector may alias.
      const std::int64_t rows = rows_of(tile), columns = columns_of(tile), step = sum_step();
      const std::int64_t pixel_step = plan.outputs,
                         row_step = plan.tiles.columns.count * pixel_step;
      const bool rectifies = args.activation == Activation::relu;
      const float* const from = sums + t * sum_row + k - outputs.begin;
      const auto* const bias = static_cast<const float*>(args.bias);
      const Floats start = bias == nullptr ? zero<float>() : load(bias + k, n);
      auto* const y = static_cast<float*>(args.y);
      std::int64_t at = pixel(tile, 0, 0) + k;
      Floats seen = zero<float>();
      transform<OfSums<winograd_outputs>>(
          [=](int i, int j) GYAKU_INLINED { return load(from + (i * winograd_points + j) * step); },
          [&](int i, const Floats(&row)[winograd_outputs]) GYAKU_INLINED {
            seen = seen + ((row[0] + row[1]) + (row[2] + row[3]));
            if (i >= rows) return;
#pragma GCC unroll 4
            for (int j = 0; j < winograd_outputs; ++j) {
              if (j >= columns) break;
              const std::int64_t place = at + j * pixel_step;
              store(y + place, ended<with_operands>(row[j] + start, rectifies, place, n), n);
            }
            at += row_step;
          });
      check = fma(seen, zero<float>(), check);
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
    each_row(tile, outputs, [&](float* y, std::int64_t, int n) {
      store(y,
            ended<true>(load(y, n), args.activation == Activation::relu,
                        y - static_cast<float*>(args.y), n),
            n);
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

  // Activations and derivatives that are not applied in registers.
  void finish(const WinogradTile& tile) const {
    const auto alpha = static_cast<float>(args.alpha);
    const std::int64_t size = columns_of(tile) * plan.outputs;
    for (std::int64_t row = 0; row < rows_of(tile); ++row) {
      float* const y = output(tile, row, 0);
      if (!is_rectifier(args.activation)) activate_row(args.activation, alpha, y, size);
      if (!is_rectifier(args.derivative))
        differentiate_row(args.derivative, alpha,
                          static_cast<const float*>(args.saved) + pixel(tile, row, 0), y, size);
    }
  }
};

// The workspace is on the stack: a function of its own, so that the stacks do not add up.
[[gnu::noinline]] void winograd_on_stack(const ConvArgs& args, const WinogradPlan& plan,
                                         Range units) noexcept {
  alignas(64) float workspace[winograd_stack];
  std::int64_t tiles = most_tiles;
  while (winograd_workspace(tiles, whole_vectors(plan.inputs), whole_vectors(plan.outputs)) >
         winograd_stack)
    --tiles;
  Winograd(args, plan, workspace, tiles).units(units);
}

void conv_winograd(const ConvArgs& args, Slice slice) noexcept {
  const WinogradPlan plan(args.shape, args.backward);
  const Range units{slice.begin, slice.end};
  if (args.unit_tiles == 0) return winograd_on_stack(args, plan, units);
  float* const behind_weights =
      static_cast<float*>(const_cast<void*>(args.packed)) + winograd_places * plan.place_size();
  const std::int64_t room =
      winograd_workspace(args.unit_tiles, whole_vectors(plan.inputs), whole_vectors(plan.outputs));
  Winograd(args, plan, behind_weights + units.begin * room,
           least(most_tiles, units.size() * args.unit_tiles))
      .units(units);
}

} // namespace

// Slices of vectors of inputs.
Entry conv_winograd_pack_kernel() noexcept { return float32_entry<ConvPackArgs, winograd_pack>; }
// Slices of units of rows of y: an image, or as many rows as a tile.
Entry conv_winograd_kernel() noexcept { return float32_entry<ConvArgs, conv_winograd>; }

} // namespace gyaku::GYAKU_ISA_NAME
