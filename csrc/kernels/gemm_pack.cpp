// Panels of B for the tiles of the matrix product.
#include "kernels/args/gemm.h"
#include "kernels/entry.h"
#include "kernels/gemm_tile.h"
#include "kernels/range.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Adjacent panels of `rows` rows of `columns` columns, zero up to the width of the last panel.
template <class T>
void pack_rows(const T* b, std::int64_t ldb, std::int64_t rows, std::int64_t columns,
               T* to) noexcept {
  constexpr int width = vec<T>::width;
  constexpr std::int64_t panel = panel_width<T>;
  for (std::int64_t p = 0; p < rows; ++p, b += ldb, to += panel) {
    std::int64_t first = 0;
    for (; first + panel <= columns; first += panel) {
      // Rows may be pages apart, beyond hardware prefetching.
      __builtin_prefetch(b + 16 * ldb + first);
      for (int j = 0; j < panel; j += width) store(to + first * rows + j, load(b + first + j));
    }
    for (std::int64_t j = first; first < columns && j < first + panel; j += width)
      store(to + first * rows + j - first,
            j < columns ? load(b + j, static_cast<int>(least(width, columns - j))) : zero<T>());
  }
}

// One panel of the transpose of a matrix of `columns` rows of `rows` elements.
template <class T>
void pack_transposed(const T* b, std::int64_t ldb, std::int64_t rows, std::int64_t columns,
                     T* to) noexcept {
  constexpr int width = vec<T>::width;
  constexpr std::int64_t panel = panel_width<T>;
  for (int j = 0; j < panel; j += width)
    for (std::int64_t p = 0; p < rows; p += width) {
      const int terms = static_cast<int>(least(width, rows - p));
      const T* from = b + j * ldb + p;
      vec<T> square[width];
      if (terms == width && j + width <= columns)
#pragma GCC unroll 16
        for (int c = 0; c < width; ++c, from += ldb) square[c] = load(from);
      else
#pragma GCC unroll 16
        for (int c = 0; c < width; ++c, from += ldb)
          square[c] = j + c < columns ? load_partial(from, terms) : zero<T>();
      transpose_square(square);
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t)
        if (t < terms) store(to + (p + t) * panel + j, square[t]);
    }
}

// Panels [first, last) of B in a block of rows.
template <class T>
void pack_any(const T* b, std::int64_t ldb, std::int64_t n, bool transposed, std::int64_t row,
              std::int64_t rows, std::int64_t first, std::int64_t last, T* to) noexcept {
  constexpr std::int64_t panel = panel_width<T>;
  if (!transposed) {
    pack_rows(b + row * ldb + first * panel, ldb, rows, least(last * panel, n) - first * panel, to);
    return;
  }
  for (std::int64_t p = first; p < last; ++p, to += rows * panel)
    pack_transposed(b + p * panel * ldb + row, ldb, rows, least(panel, n - p * panel), to);
}

// Several panels of one block at a time, for longer contiguous reads of B.
template <class T> void pack(const PackArgs& args, Slice slice) noexcept {
  constexpr std::int64_t panel = panel_width<T>, panels_at_once = 8;
  const std::int64_t panels = ceil_div(args.n, panel);
  for (std::int64_t i = slice.begin; i < slice.end;) {
    const std::int64_t block = i / panels, first = i % panels, row = block * args.k_block;
    const std::int64_t rows = least(args.k_block, args.k - row);
    const std::int64_t last = least(first + least(slice.end - i, panels_at_once), panels);
    T* to = static_cast<T*>(args.packed) + (block * panels * args.k_block + first * rows) * panel;
    pack_panels(static_cast<const T*>(args.b), args.ldb, args.n, args.transpose, row, rows, first,
                last, to);
    i += last - first;
  }
}

} // namespace

void pack_panels(const float* b, std::int64_t ldb, std::int64_t n, bool transposed,
                 std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t last,
                 float* to) noexcept {
  pack_any(b, ldb, n, transposed, row, rows, first, last, to);
}
void pack_panels(const double* b, std::int64_t ldb, std::int64_t n, bool transposed,
                 std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t last,
                 double* to) noexcept {
  pack_any(b, ldb, n, transposed, row, rows, first, last, to);
}

// Slices of panels of columns.
Entry pack_kernel() noexcept { return entry<PackArgs, pack<float>, pack<double>>; }

} // namespace gyaku::GYAKU_ISA_NAME
