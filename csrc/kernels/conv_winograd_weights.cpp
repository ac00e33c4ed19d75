// Gradients of a convolution by 3 x 3 kernels with stride 1 with respect to weights and biases, by
// Winograd's method: see conv_winograd.h.
//
// A block of tiles at a time, the pixels of x and of dy are taken to the 36 places; at each place
// the product of channels x tiles by tiles x filters is added to its sums, which are taken back to
// the nine kernel elements at the end. Each part of the tiles has its own sums.
#include "kernels/conv_winograd.h"
#include "kernels/entry.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int panel = panel_width<float>;

// The sums of one part for one block of channels.
struct WeightSums {
  const WinogradWeightsArgs& args;
  WinogradTiles tiles;
  std::int64_t part;
  Range channels;
  float* scratch;
  float* sources;   // [place][tile][channel of the block],
  float* gradients; // and [place][panel of a block of filters][tile][panel_width]

  WeightSums(const WinogradWeightsArgs& a, std::int64_t p, std::int64_t block, std::int64_t unit)
      : args(a), tiles(forward_axis(a.shape.rows), forward_axis(a.shape.columns)), part(p),
        channels{block * winograd_block, least((block + 1) * winograd_block, a.shape.channels)},
        scratch(static_cast<float*>(a.scratch)), sources(scratch + a.workspace(unit)),
        gradients(sources + winograd_values(a.tiles, a.channel_block)) {}

  void add_all() const {
    const std::int64_t all = args.images * tiles.of_image;
    const Range own{all * part / args.parts, all * (part + 1) / args.parts};
    for_each_piece(own.size(), args.tiles, [&](Range some) {
      const Range numbers{own.begin + some.begin, own.begin + some.end};
      add(numbers, {numbers.end, least(numbers.end + some.size(), own.end)}, some.begin == 0);
    });
  }

private:
  // From one place to the next.
  std::int64_t source_step() const {
    return winograd_values(args.tiles, args.channel_block) / winograd_places;
  }
  std::int64_t gradient_step() const {
    return winograd_values(args.tiles, args.filter_block) / winograd_places;
  }

  // Tiles, counted over all images; meanwhile prefetches the pixels of the next ones.
  void add(Range numbers, Range next, bool is_first) const {
    const auto row = [&](const void* images, std::int64_t number, std::int64_t rows,
                         std::int64_t width) {
      const WinogradTile tile(tiles, number);
      return static_cast<const float*>(images) + (tile.image * rows + tile.row) * width;
    };
    const auto& [rows, columns, across, of_image] = tiles;
    const std::int64_t products = winograd_places * ceil_div(args.shape.filters, panel) *
                                  ceil_div(channels.size(), tile_rows);
    const std::int64_t x_width = columns.sources * args.shape.channels,
                       dy_width = columns.count * args.shape.filters;
    Ahead x_ahead(row(args.x, next.begin, rows.sources, x_width),
                  row(args.x, next.end, rows.sources, x_width), products);
    Ahead dy_ahead(row(args.dy, next.begin, rows.count, dy_width),
                   row(args.dy, next.end, rows.count, dy_width), products);
    for_each_strip(tiles, numbers, [&](Range some) {
      float* const to = sources + (some.begin - numbers.begin) * args.channel_block;
      transform_strip<OfSource>(
          pixels_at(WinogradTile(tiles, some.begin)), some.size(), channels, source_step(),
          [&](std::int64_t t, std::int64_t c)
              GYAKU_INLINED { return to + t * args.channel_block + c - channels.begin; },
          [](std::int64_t, Floats, int) GYAKU_INLINED {});
    });
    for (std::int64_t k = 0; k < args.shape.filters; k += winograd_block) {
      const Range filters{k, least(k + winograd_block, args.shape.filters)};
      for_each_strip(tiles, numbers, [&](Range some) {
        const std::int64_t first = some.begin - numbers.begin;
        transform_gradients(some, first, filters, is_first && first == 0);
      });
      multiply(numbers.size(), filters, !is_first, x_ahead, dy_ahead);
    }
  }

  Strip<winograd_points> pixels_at(const WinogradTile& tile) const {
    const auto& [rows, columns, across, of_image] = tiles;
    const std::int64_t image = rows.sources * columns.sources * args.shape.channels;
    return {static_cast<const float*>(args.x) + tile.image * image,
            rows.sources,
            columns.sources,
            args.shape.channels,
            rows.origin + tile.row,
            columns.origin + tile.column};
  }

  // Of a strip, whose first tile is the one at `first`. The first block of channels adds the biases
  // as well.
  void transform_gradients(Range numbers, std::int64_t first, Range filters, bool is_first) const {
    const WinogradTile tile(tiles, numbers.begin);
    const auto& [rows, columns, across, of_image] = tiles;
    const std::int64_t image = rows.count * columns.count * args.shape.filters;
    const Strip<winograd_outputs> strip(static_cast<const float*>(args.dy) + tile.image * image,
                                        rows.count, columns.count, args.shape.filters, tile.row,
                                        tile.column);
    float* const biases = scratch + args.biases(part);
    transform_strip<OfKernel<winograd_outputs>>(
        strip, numbers.size(), filters, gradient_step(),
        [&](std::int64_t t, std::int64_t k) GYAKU_INLINED {
          const std::int64_t place = k - filters.begin;
          return gradients + (place / panel * args.tiles + first + t) * panel + place % panel;
        },
        [&](std::int64_t k, Floats sum, int) GYAKU_INLINED {
          if (channels.begin == 0) store(biases + k, is_first ? sum : load(biases + k) + sum);
        });
  }

  void multiply(std::int64_t count, Range filters, bool accumulate, Ahead& x_ahead,
                Ahead& dy_ahead) const {
    const Heights heights(channels.size());
    for (int place = 0; place < winograd_places; ++place)
      for (std::int64_t k = filters.begin; k < filters.end; k += panel) {
        const float* const a = sources + place * source_step();
        const float* const b =
            gradients + place * gradient_step() + (k - filters.begin) / panel * args.tiles * panel;
        float* const c = scratch + args.sums(part, place) + channels.begin * args.row + k;
        const auto columns = static_cast<int>(least(panel, args.row - k));
        const TileShape<float> shape{count,  1, args.channel_block, panel, args.row, columns,
                                     {b, 0}, {}};
        for (const Range& some : heights) {
          x_ahead.ask();
          dy_ahead.ask();
          multiply_tile<float>(shape, static_cast<int>(some.size()), true, a + some.begin, b,
                               c + some.begin * args.row, nullptr, accumulate);
        }
      }
  }
};

// A slice counts parts x blocks of channels.
void winograd_weights(const WinogradWeightsArgs& args, Slice slice) noexcept {
  for (std::int64_t i = slice.begin; i < slice.end; ++i)
    WeightSums(args, i / args.blocks(), i % args.blocks(), slice.begin).add_all();
}

// A slice counts channels.
void winograd_weights_end(const WinogradWeightsArgs& args, Slice slice) noexcept {
  const std::int64_t channels = args.shape.channels, filters = args.shape.filters;
  auto* const scratch = static_cast<float*>(args.scratch);
  // The sum of all parts, which are `step` apart.
  const auto add_parts = [&](const float* from, std::int64_t step) {
    Floats sum = load(from);
    for (std::int64_t part = 1; part < args.parts; ++part) sum = sum + load(from + part * step);
    return sum;
  };
  for (std::int64_t c = slice.begin; c < slice.end; ++c) {
    Floats check = zero<float>(); // x * 0 is NaN where x is not finite
    for_each_vector<float>(0, filters, [&](std::int64_t k, int n) {
      const float* const from = scratch + c * args.row + k;
      transform<OfSums<winograd_taps>>(
          [&](int i, int j) GYAKU_INLINED {
            return add_parts(from + args.sums(0, i * winograd_points + j), args.sums(1, 0));
          },
          [&](int i, const Floats(&row)[winograd_taps]) GYAKU_INLINED {
#pragma GCC unroll 3
            for (int j = 0; j < winograd_taps; ++j) {
              check = fma(row[j], zero<float>(), check);
              store(static_cast<float*>(args.dw) +
                        ((i * winograd_taps + j) * channels + c) * filters + k,
                    row[j], n);
            }
          });
    });
    scratch[args.checks() + c] = reduce_add(check);
  }
  if (slice.begin == 0)
    for_each_vector<float>(0, filters, [&](std::int64_t k, int n) {
      store(static_cast<float*>(args.db) + k, add_parts(scratch + args.biases(0) + k, args.row), n);
    });
}

// A slice counts rows of dw, as in `conv_weights`.
void winograd_weights_repair(const WinogradWeightsArgs& args, Slice slice) noexcept {
  const float* const checks = static_cast<const float*>(args.scratch) + args.checks();
  bool is_finite = true;
  for (std::int64_t c = 0; c < args.shape.channels; ++c) is_finite = is_finite && checks[c] == 0;
  if (is_finite) return;
  const ConvWeightsArgs direct{args.x,     args.dy, nullptr,     args.dw, args.db,
                               args.shape, 1,       args.images, 0};
  conv_weights_kernel().kernel[static_cast<int>(Scalar::float32)](&direct, slice);
}

} // namespace

// Slices of parts x blocks of channels.
Entry conv_winograd_weights_kernel() noexcept {
  return float32_entry<WinogradWeightsArgs, winograd_weights>;
}
// Slices of channels.
Entry conv_winograd_weights_end_kernel() noexcept {
  return float32_entry<WinogradWeightsArgs, winograd_weights_end>;
}
// Slices of rows of dw: (tap, channel).
Entry conv_winograd_weights_repair_kernel() noexcept {
  return float32_entry<WinogradWeightsArgs, winograd_weights_repair>;
}

} // namespace gyaku::GYAKU_ISA_NAME
