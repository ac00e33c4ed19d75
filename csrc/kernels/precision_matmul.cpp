// Matrix products of bfloat16 in pairs along k, where there is an instruction for them: operands
// are packed, then multiplied tile by tile. A set without it has no such kernels.
#include "kernels/args/gemm.h"
#include "kernels/args/precision.h"
#include "kernels/entry.h"
#include "kernels/gemm_epilogue.h"
#include "kernels/gemm_tile.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

// Columns contiguous in memory: `step` from one row to the next.
void pack_across(const PairArgs& args, std::int64_t first, std::int64_t columns,
                 std::uint32_t* to) noexcept {
  const float* x = static_cast<const float*>(args.x) + first;
  for (std::int64_t p = 0; p < args.k; p += 2, x += 2 * args.step, to += args.width)
    for (std::int64_t j = 0; j < args.width; j += Pairs::width) {
      const auto room = static_cast<int>(least(args.width - j, Pairs::width)),
                 valid = static_cast<int>(most(0, least(columns - j, Pairs::width)));
      const vec<float> even = valid == 0 ? zero<float>() : load(x + j, valid),
                       odd = valid == 0 || p + 1 == args.k ? zero<float>()
                                                           : load(x + args.step + j, valid);
      store(to + j, pairs_across(even, odd), room);
    }
}

// Rows contiguous in memory: `stride` from one column to the next. Squares of words.
void pack_along(const PairArgs& args, std::int64_t first, std::int64_t columns,
                std::uint32_t* to) noexcept {
  constexpr int size = Pairs::width;
  for (std::int64_t j = 0; j < args.width; j += size) {
    const auto room = static_cast<int>(least(args.width - j, size));
    const float* const x = static_cast<const float*>(args.x) + (first + j) * args.stride;
    for (std::int64_t p = 0; p < args.k; p += 2 * size) {
      const auto left = static_cast<int>(least(args.k - p, 2 * size));
      Pairs square[size];
#pragma GCC unroll 16
      for (int i = 0; i < size; ++i) {
        const float* const from = x + i * args.stride + p;
        square[i] = j + i >= columns ? zero<std::uint32_t>()
                    : left == 2 * size
                        ? pairs_along(load(from), load(from + size))
                        : pairs_along(load(from, static_cast<int>(least(left, size))),
                                      left > size ? load(from + size, left - size) : zero<float>());
      }
      transpose_square(square);
      const int pairs = (left + 1) / 2;
      for (int i = 0; i < pairs; ++i) store(to + (p / 2 + i) * args.width + j, square[i], room);
    }
  }
}

void pack_pairs(const PairArgs& args, Slice panels) noexcept {
  const std::int64_t size = ceil_div(args.k, 2) * args.width;
  for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const std::int64_t first = panel * args.width;
    std::uint32_t* const to = static_cast<std::uint32_t*>(args.packed) + panel * size;
    (args.stride == 1 ? pack_across : pack_along)(args, first, least(args.width, args.n - first),
                                                  to);
  }
}

// A tile of C over all of k, in registers.
struct PairTile {
  const std::uint32_t* a; // pairs x height
  const std::uint32_t* b; // pairs x panel
  const float* bias;      // or null
  float* c;
  std::int64_t pairs, ldc;
  int columns;
};

template <int height, int vectors> void multiply_pairs(const PairTile& tile) noexcept {
  constexpr int width = vec<float>::width;
  const int last = tile.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<float> sum[height][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < height; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = tile.bias == nullptr
                      ? zero<float>()
                      : zero<float>() + load(tile.bias + j * width, j + 1 < vectors ? width : last);
  const std::uint32_t* a = tile.a;
  const std::uint32_t* b = tile.b;
  for (std::int64_t p = 0; p < tile.pairs; ++p, a += height, b += panel_width<float>) {
    Pairs row[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) row[j] = load(b + j * width);
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

using PairKernel = void (*)(const PairTile&) noexcept;
struct PairKernels {
  PairKernel of[tile_vectors][tile_rows]; // by the numbers of vectors and rows, less one
};
template <int vectors, int... i>
constexpr void fill_heights(PairKernel (&to)[tile_rows], Integers<i...>) {
  ((to[i] = multiply_pairs<i + 1, vectors>), ...);
}
constexpr PairKernels make_kernels() {
  PairKernels kernels{};
  fill_heights<1>(kernels.of[0], typename Count<tile_rows>::type{});
  fill_heights<2>(kernels.of[1], typename Count<tile_rows>::type{});
  return kernels;
}
constexpr PairKernels pair_kernels = make_kernels();

void matmul_pairs(const MatmulArgs& args, Slice slice) noexcept {
  constexpr std::int64_t panel = panel_width<float>;
  const PairsOfA of_a(args.m, tile_rows);
  const std::int64_t pairs = ceil_div(args.k, 2);
  const auto* const a = static_cast<const std::uint32_t*>(args.a);
  const auto* const b = static_cast<const std::uint32_t*>(args.b);
  const auto* const bias = static_cast<const float*>(args.bias);
  for (std::int64_t at = slice.begin; at < slice.end; ++at) {
    const std::int64_t column = at / of_a.tiles * panel, row = at % of_a.tiles * of_a.height;
    const auto columns = static_cast<int>(least(panel, args.n - column)),
               rows = static_cast<int>(least(of_a.height, args.m - row));
    const bool is_whole = rows == of_a.height;
    alignas(64) float spare[tile_rows * panel];
    float* const c = static_cast<float*>(args.c) + row * args.ldc + column;
    pair_kernels.of[columns > vec<float>::width][of_a.height - 1](
        {a + row * pairs, b + column * pairs, bias == nullptr ? nullptr : bias + column,
         is_whole ? c : spare, pairs, is_whole ? args.ldc : panel, columns});
    for (int i = 0; i < rows; ++i) {
      if (!is_whole)
        for_each_vector<float>(0, columns, [&](std::int64_t j, int n) {
          store(c + i * args.ldc + j, load(spare + i * panel + j, n), n);
        });
      finish_row<float>(args, row + i, column, columns);
    }
  }
}

constexpr Entry packing = float32_entry<PairArgs, pack_pairs>,
                product = float32_entry<MatmulArgs, matmul_pairs>;

} // namespace
#else
namespace {
constexpr Entry packing{}, product{};
} // namespace
#endif

// Slices of panels.
Entry pack_pairs_kernel() noexcept { return packing; }
// Slices of tiles of C, by columns.
Entry matmul_pairs_kernel() noexcept { return product; }

} // namespace gyaku::GYAKU_ISA_NAME
