// Register tiles of the matrix product, called by its loops (`gemm.cpp`) for each tile of C.
#include "kernels/gemm_tile.h"
#include "kernels/activate.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Number of steps before the end at which a tile prefetches the lines of C: earlier, they would be
// evicted again.
constexpr std::int64_t soon = 64;

// The contiguous elements of A: those of a row, those of a step (A is transposed then), or either.
enum class Adjacent { row, step, either };

// c[rows][vectors * width] (+)= a b, see TileKernel.
template <class T, int rows, int vectors, Adjacent adjacent, Last lanes>
void tile(const TileShape<T>& shape, const T* a, const T* b, T* c, const T* bias,
          bool accumulate) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t a_row = adjacent == Adjacent::step ? 1 : shape.a_row;
  const std::int64_t a_step = adjacent == Adjacent::row ? 1 : shape.a_step;
  const std::int64_t ldb = shape.ldb, ldc = shape.ldc;
  const int last = shape.columns - (vectors - 1) * width; // valid lanes of the last vector
  vec<T> sum[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = accumulate || bias == nullptr
                      ? zero<T>()
                      : zero<T>() + load(bias + j * width, j + 1 < vectors ? width : last);
  Prefetch<T> ahead = shape.ahead;
  std::int64_t p = 0;
  for (std::int64_t stop = shape.k > soon ? shape.k - soon : 0; p < shape.k; stop = shape.k) {
    for (; p < stop; ++p) {
      vec<T> row[vectors];
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j)
        row[j] = lanes == Last::whole || j + 1 < vectors ? load(b + j * width)
                                                         : load_partial(b + j * width, last);
      if constexpr (vectors > 1) { // else the load units have no time for it
        __builtin_prefetch(ahead.data, 0, 2);
        ahead.data += ahead.step;
      }
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) {
        const vec<T> x = broadcast(a[i * a_row]);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) sum[i][j] = fma(x, row[j], sum[i][j]);
      }
      a += a_step;
      b += ldb;
    }
    if (p < shape.k)
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) __builtin_prefetch(c + i * ldc + j * width, 1);
  }
  // All reads before the first write: rows at a stride of whole pages would seem to overlap.
  if (accumulate)
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        const T* from = c + i * ldc + j * width;
        sum[i][j] = sum[i][j] + (j + 1 < vectors ? load(from) : load(from, last));
      }
  if (shape.epilogue.rectifies)
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j)
        sum[i][j] = activate<Activation::relu>(sum[i][j], zero<T>());
  if (shape.epilogue.saved != nullptr)
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        const T* saved = shape.epilogue.saved + i * ldc + j * width;
        sum[i][j] = differentiate<Activation::dropped_relu>(
            sum[i][j], j + 1 < vectors ? load(saved) : load(saved, last),
            broadcast(shape.epilogue.alpha));
      }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      T* to = c + i * ldc + j * width;
      if (j + 1 < vectors)
        store(to, sum[i][j]);
      else
        store(to, sum[i][j], last);
    }
}

template <class T, int rows, int vectors, Adjacent adjacent, Last lanes>
constexpr TileKernel<T> tile_or_null() {
  if constexpr (is_tile_height<T>(rows)) return tile<T, rows, vectors, adjacent, lanes>;
  return nullptr;
}

template <class T, Adjacent adjacent, Last lanes, int vectors, int... i>
constexpr void fill_heights(TileKernel<T> (&to)[tile_rows], Integers<i...>) {
  ((to[i] = tile_or_null<T, i + 1, vectors, adjacent, lanes>()), ...);
}

template <class T, Adjacent adjacent, Last lanes>
constexpr void fill_widths(TileKernels<T>& tiles) {
  auto& to = tiles.of[adjacent == Adjacent::step][static_cast<int>(lanes)];
  fill_heights<T, adjacent, lanes, 1>(to[0], typename Count<tile_rows>::type{});
  fill_heights<T, adjacent, lanes, 2>(to[1], typename Count<tile_rows>::type{});
}

template <class T, Adjacent adjacent> constexpr void fill_tiles(TileKernels<T>& tiles) {
  fill_widths<T, adjacent, Last::partial>(tiles);
  if constexpr (!partial_is_free) fill_widths<T, adjacent, Last::whole>(tiles);
}

constexpr TileKernels<float> make_float_tiles() {
  TileKernels<float> tiles{};
  fill_tiles<float, Adjacent::row>(tiles);
  fill_tiles<float, Adjacent::step>(tiles);
  return tiles;
}
constexpr TileKernels<double> make_double_tiles() {
  TileKernels<double> tiles{};
  fill_tiles<double, Adjacent::either>(tiles);
  return tiles;
}

} // namespace

constexpr TileKernels<float> float_tiles = make_float_tiles();
constexpr TileKernels<double> double_tiles = make_double_tiles();

} // namespace gyaku::GYAKU_ISA_NAME
