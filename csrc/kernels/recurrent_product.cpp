// Products of a few rows with weights, for recurrent cells.
#include "kernels/recurrent.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Panels of one row at the same time: enough sums that none waits for the one before it.
constexpr int panels_at_once = 4;

// A row of b to read later, when it is not packed.
constexpr std::int64_t rows_ahead = 8;

// Distances between rows of a panel, and between panels.
struct Strides {
  std::int64_t row, panel;
};

// One row, `panels_at_once` panels. Sums are in the order of the register tiles.
template <class T, bool packed>
void multiply_row(const PanelProduct& shape, Strides strides, const T* a, const T* b, T* c,
                  int columns) noexcept {
  constexpr int width = vec<T>::width;
  vec<T> sum[panels_at_once][tile_vectors];
  for (auto& panel : sum)
    for (auto& each : panel) each = zero<T>();
  for (std::int64_t p = 0; p < shape.k; ++p, b += strides.row) {
    const vec<T> x = broadcast(a[p]);
    if constexpr (!packed)
      for (int i = 0; i < panels_at_once * panel_width<T>; i += 64 / int{sizeof(T)})
        __builtin_prefetch(b + rows_ahead * strides.row + i, 0, 2);
#pragma GCC unroll 4
    for (int i = 0; i < panels_at_once; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < tile_vectors; ++j)
        sum[i][j] = fma(x, load(b + i * strides.panel + j * width), sum[i][j]);
  }
  for (int i = 0; i < panels_at_once; ++i)
    for (int j = 0; j < tile_vectors; ++j, columns -= width, c += width)
      if (columns > 0) store(c, sum[i][j], static_cast<int>(least(columns, width)));
}

template <class T>
void multiply(const PanelProduct& shape, int rows, const T* a, const T* b, T* c) noexcept {
  constexpr std::int64_t panel = panel_width<T>;
  const bool packed = shape.ldb == 0;
  const Strides strides = packed ? Strides{panel, panel * shape.k} : Strides{shape.ldb, panel};
  std::int64_t p = shape.first;
  b += p * strides.panel;
  TileShape<T> tile{shape.k, shape.lda, 1, strides.row, shape.ldc, 0, {}, {}};
  while (p < shape.last) {
    const auto columns = static_cast<int>(shape.n - p * panel);
    if (rows == 1 && p + panels_at_once <= shape.last) {
      (packed ? multiply_row<T, true> : multiply_row<T, false>)(shape, strides, a, b, c + p * panel,
                                                                columns);
      p += panels_at_once;
      b += panels_at_once * strides.panel;
      continue;
    }
    tile.columns = static_cast<int>(least(panel, columns));
    const T* next = b + strides.panel;
    tile.ahead = {p + 1 < shape.last ? next : b, strides.row};
    multiply_tile<T>(tile, rows, true, a, b, c + p * panel, nullptr, false);
    b = next;
    ++p;
  }
}

} // namespace

void multiply_panels(const PanelProduct& shape, int rows, const float* a, const float* b,
                     float* c) noexcept {
  multiply(shape, rows, a, b, c);
}
void multiply_panels(const PanelProduct& shape, int rows, const double* a, const double* b,
                     double* c) noexcept {
  multiply(shape, rows, a, b, c);
}

} // namespace gyaku::GYAKU_ISA_NAME
