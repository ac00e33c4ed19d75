// Matrix products of bfloat16 in pairs along k, where there is an instruction for them: operands
// are packed, then multiplied tile by tile. A set without it has no such kernels.
//
// Products of a data batch leave out the steps that are zero in all rows of a tile, as those in
// float32 do (`gemm_sparse.h`): the packing of A lists the others.
#include "kernels/args/gemm.h"
#include "kernels/args/precision.h"
#include "kernels/entry.h"
#include "kernels/gemm_epilogue.h"
#include "kernels/precision_tile.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

constexpr std::int64_t panel = panel_width<float>, wide_panel = wide_vectors * vec<float>::width;
constexpr int worth_listing = 7; // eighths of the steps: low tiles take longer for each

// Some rows of a tile of A by some columns.
struct Block {
  std::int64_t tile, first, height; // rows, from `first` in the tile
  std::int64_t column, columns;
};

class Product {
public:
  explicit Product(const MatmulArgs& args)
      : of_a(args.m, tile_rows), args_(args), pairs_(ceil_div(args.k, 2)),
        lists_(marks_behind(args.a, of_a.tiles * of_a.height * pairs_)),
        finite_(marks_behind(args.b, ceil_div(args.n, panel) * panel * pairs_)) {}

  // A tile over all steps.
  void multiply(std::int64_t tile, std::int64_t column) const noexcept {
    const std::int64_t columns = least(panel, args_.n - column);
    compute(pair_tiles.of[columns > vec<float>::width][of_a.height - 1],
            {tile, 0, of_a.height, column, columns}, nullptr);
  }
  // Two neighbouring tiles, without the steps that are zero.
  void multiply_listed(std::int64_t tile, std::int64_t column) const noexcept {
    const std::int64_t columns = least(wide_panel, args_.n - column),
                       upper = upper_rows(of_a.height), lower = of_a.height - upper;
    const std::uint16_t* const list = lists_ + 2 * tile * list_length(pairs_);
    const std::uint16_t* const next = list + list_length(pairs_);
    const bool is_finite =
        finite_[column / panel] && (columns <= panel || finite_[column / panel + 1]);
    if (!is_finite || (*list + *next) * 8 >= 2 * pairs_ * worth_listing) {
      multiply(tile, column);
      if (columns > panel) multiply(tile, column + panel);
      return;
    }
    const PairKernel* const kernels = pair_tiles.low[(columns - 1) / vec<float>::width];
    compute(kernels[upper - 1], {tile, 0, upper, column, columns}, list);
    if (lower > 0) compute(kernels[lower - 1], {tile, upper, lower, column, columns}, next);
  }

  const PairsOfA of_a;

private:
  // Rows beyond C are in spare memory.
  void compute(PairKernel kernel, const Block& block, const std::uint16_t* list) const noexcept {
    const std::int64_t row = block.tile * of_a.height + block.first,
                       rows = most(0, least(block.height, args_.m - row));
    const bool is_whole = rows == block.height;
    alignas(64) float spare[tile_rows * panel];
    static_assert(low_rows * wide_panel <= tile_rows * panel);
    const std::int64_t ldc = is_whole ? args_.ldc : block.columns > panel ? wide_panel : panel;
    const auto* const bias = static_cast<const float*>(args_.bias);
    float* const c = static_cast<float*>(args_.c) + row * args_.ldc + block.column;
    PairTile tile{static_cast<const std::uint32_t*>(args_.a) + block.tile * of_a.height * pairs_ +
                      block.first,
                  static_cast<const std::uint32_t*>(args_.b) + block.column * pairs_,
                  bias == nullptr ? nullptr : bias + block.column,
                  is_whole ? c : spare,
                  pairs_,
                  ldc,
                  of_a.height,
                  static_cast<int>(block.columns)};
    if (list != nullptr) {
      tile.list = list + 1;
      tile.count = *list;
    }
    kernel(tile);
    for (std::int64_t i = 0; i < rows; ++i) {
      if (!is_whole)
        for_each_vector<float>(0, block.columns, [&](std::int64_t j, int n) {
          store(c + i * args_.ldc + j, load(spare + i * ldc + j, n), n);
        });
      finish_row<float>(args_, row + i, block.column, block.columns);
    }
  }

  const MatmulArgs& args_;
  std::int64_t pairs_;
  const std::uint16_t* lists_;
  const std::uint16_t* finite_;
};

void matmul_pairs(const MatmulArgs& args, Slice slice) noexcept {
  const Product product(args);
  const std::int64_t tiles = product.of_a.tiles;
  if (!args.skips_zeros) {
    for (std::int64_t at = slice.begin; at < slice.end; ++at)
      product.multiply(at % tiles, at / tiles * panel);
    return;
  }
  for (std::int64_t column = 0; column < args.n; column += wide_panel)
    for (std::int64_t tile = slice.begin; tile < slice.end; ++tile)
      product.multiply_listed(tile, column);
}

constexpr Entry product = float32_entry<MatmulArgs, matmul_pairs>;

} // namespace
#else
namespace {
constexpr Entry product{};
} // namespace
#endif

// Slices of tiles of C, by columns; MatmulArgs::skips_zeros: of tiles of A.
Entry matmul_pairs_kernel() noexcept { return product; }

} // namespace gyaku::GYAKU_ISA_NAME
