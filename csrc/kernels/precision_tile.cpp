// Register tiles of products in pairs of bfloat16, where there is an instruction for them.
#include "kernels/precision_tile.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

template <int height, int vectors, bool listed> void tile(const PairTile& tile) noexcept {
  constexpr int width = vec<float>::width;
  constexpr std::int64_t panel = panel_width<float>;
  const int last = tile.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<float> sum[height][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < height; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = tile.bias == nullptr
                      ? zero<float>()
                      : zero<float>() + load(tile.bias + j * width, j + 1 < vectors ? width : last);
  const std::int64_t steps = listed ? tile.count : tile.pairs,
                     a_step = listed ? tile.a_step : height, next_panel = tile.pairs * panel;
  for (std::int64_t n = 0; n < steps; ++n) {
    const std::int64_t p = listed ? tile.list[n] : n;
    const std::uint32_t* const a = tile.a + p * a_step;
    const std::uint32_t* const b = tile.b + p * panel;
    Pairs row[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      row[j] = load(b + j / tile_vectors * next_panel + j % tile_vectors * width);
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
      const Pairs x(a[i]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sum[i][j] = add_products(x, row[j], sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < height; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      store(tile.c + i * tile.ldc + j * width, sum[i][j], j + 1 < vectors ? width : last);
}

template <int vectors, bool listed, int rows, int... i>
constexpr void fill_heights(PairKernel (&to)[rows], Integers<i...>) {
  ((to[i] = tile<i + 1, vectors, listed>), ...);
}
template <bool listed, int widths, int rows, int... j>
constexpr void fill(PairKernel (&to)[widths][rows], Integers<j...>) {
  (fill_heights<j + 1, listed>(to[j], typename Count<rows>::type{}), ...);
}
constexpr PairKernels make_tiles() {
  PairKernels tiles{};
  fill<false>(tiles.of, typename Count<tile_vectors>::type{});
  fill<true>(tiles.low, typename Count<wide_vectors>::type{});
  return tiles;
}

} // namespace

constexpr PairKernels pair_tiles = make_tiles();
#endif

} // namespace gyaku::GYAKU_ISA_NAME
