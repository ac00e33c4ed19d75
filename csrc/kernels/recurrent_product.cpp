// Products of a few rows with weights, for recurrent cells.
#include "kernels/recurrent.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Panels of one row at the same time: enough sums that none waits for the one before it.
constexpr int panels_at_once = 4;

// Distances between rows of a panel, and between panels.
struct Strides {
  std::int64_t row, panel;
};

// Rows of b in place that one row of c takes at once: as many streams of memory.
constexpr int rows_at_once = 4;

// One row, `panels_at_once` packed panels. Sums are in the order of the register tiles.
template <class T>
void multiply_row(const PanelProduct& shape, const T* a, const T* b, T* c, int columns) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t panel = panel_width<T> * shape.k;
  vec<T> sum[panels_at_once][tile_vectors];
  for (auto& each : sum)
    for (auto& part : each) part = zero<T>();
  for (std::int64_t p = 0; p < shape.k; ++p, b += panel_width<T>) {
    const vec<T> x = broadcast(a[p]);
#pragma GCC unroll 4
    for (int i = 0; i < panels_at_once; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < tile_vectors; ++j)
        sum[i][j] = fma(x, load(b + i * panel + j * width), sum[i][j]);
  }
  for (int i = 0; i < panels_at_once; ++i)
    for (int j = 0; j < tile_vectors; ++j, columns -= width, c += width)
      if (columns > 0) store(c, sum[i][j], static_cast<int>(least(columns, width)));
}

// c[columns] (+)= a b for some rows of b, in the same order.
template <class T, int rows>
void add_rows(const T* a, const T* b, std::int64_t ldb, bool accumulate, T* c,
              std::int64_t columns) noexcept {
  vec<T> x[rows];
  for (int i = 0; i < rows; ++i) x[i] = broadcast(a[i]);
  for (std::int64_t j = 0; j < columns; j += vec<T>::width) {
    vec<T> sum = accumulate ? load(c + j) : zero<T>();
#pragma GCC unroll 4
    for (int i = 0; i < rows; ++i) sum = fma(x[i], load(b + i * ldb + j), sum);
    store(c + j, sum);
  }
}
template <class T>
void multiply_row_in_place(const PanelProduct& shape, const T* a, const T* b, T* c) noexcept {
  const std::int64_t begin = shape.first * panel_width<T>,
                     columns = shape.last * panel_width<T> - begin;
  b += begin;
  c += begin;
  std::int64_t p = 0;
  for (; p + rows_at_once <= shape.k; p += rows_at_once)
    add_rows<T, rows_at_once>(a + p, b + p * shape.ldb, shape.ldb, p > 0, c, columns);
  for (; p < shape.k; ++p) add_rows<T, 1>(a + p, b + p * shape.ldb, shape.ldb, p > 0, c, columns);
}

template <class T>
void multiply(const PanelProduct& shape, int rows, const T* a, const T* b, T* c) noexcept {
  constexpr std::int64_t panel = panel_width<T>;
  const bool packed = shape.ldb == 0;
  const Strides strides = packed ? Strides{panel, panel * shape.k} : Strides{shape.ldb, panel};
  if (rows == 1 && !packed) return multiply_row_in_place(shape, a, b, c);
  TileShape<T> tile{shape.k, shape.lda, 1, strides.row, shape.ldc, 0, {}, {}};
  const std::int64_t panels = shape.last - shape.first;
  for (std::int64_t done = 0; done < panels;) {
    const int count = rows == 1 && panels - done >= panels_at_once ? panels_at_once : 1;
    const std::int64_t p = shape.backwards ? shape.last - done - count : shape.first + done;
    const T* const from = b + p * strides.panel;
    const auto columns = static_cast<int>(shape.n - p * panel);
    done += count;
    if (count > 1) {
      multiply_row(shape, a, from, c + p * panel, columns);
      continue;
    }
    tile.columns = static_cast<int>(least(panel, columns));
    const std::int64_t next = done == panels ? 0 : shape.backwards ? -1 : 1;
    tile.ahead = {from + next * strides.panel, strides.row};
    multiply_tile<T>(tile, rows, true, a, from, c + p * panel, nullptr, false);
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
