// Register tiles of the backward pass through a convolution followed by 2 x 2 max pooling.
#pragma once

#include "kernels/conv.h"
#include "simd/narrow.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr int positions = 4;

// Elements of dy, zero where argmax is not a position.
template <class T> GYAKU_INLINE vec<T> of_maxima(const T* dy, const std::uint8_t* argmax, int n) {
  const lanes<T> pixel = load_narrow<T>(argmax, n);
  return select(mask<T>((pixel < lanes<T>(integer<T>{positions})).v), load(dy, n), zero<T>());
}

// A tile keeps `rows` x `vectors` sums of some kernel rows in registers.
constexpr int most_tile_rows = 5, most_tile_vectors = 4;
constexpr bool has_tile(int rows, int vectors) {
  return rows == 1 || (rows != 4 && rows * vectors <= accumulators - 4);
}

// The nonzero elements of dy of one filter, and the positions of their windows in the image.
template <class T> struct Nonzeros {
  const std::int32_t* places;
  const T* values;
  std::int64_t count;
};

// sums += the windows of a filter, times its elements of dy. Lanes behind `last` of the last vector
// read beyond the row.
template <class T, int rows, int vectors>
void collect_tile(const Nonzeros<T>& nonzeros, const T* x, std::int64_t x_row, T* sums,
                  std::int64_t sums_row, int last) noexcept {
  constexpr int width = vec<T>::width;
  vec<T> sum[rows][vectors];
#pragma GCC unroll 5
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) sum[r][j] = zero<T>();
  for (std::int64_t i = 0; i < nonzeros.count; ++i) {
    const T* from = x + nonzeros.places[i];
    const vec<T> value = broadcast(nonzeros.values[i]);
#pragma GCC unroll 5
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j)
        sum[r][j] = fma(load(from + r * x_row + j * width), value, sum[r][j]);
  }
#pragma GCC unroll 5
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      T* to = sums + r * sums_row + j * width;
      const int n = j + 1 < vectors ? width : last;
      store(to, load(to, n) + sum[r][j], n);
    }
}

// Adds the weights of a filter, times its elements of dy, to their windows.
template <class T, int rows, int vectors, bool whole>
GYAKU_INLINE void scatter(const Nonzeros<T>& nonzeros, const T* w, T* to, std::int64_t to_row,
                          int last) {
  constexpr int width = vec<T>::width;
  const auto [places, values, count] = nonzeros;
  vec<T> weight[rows][vectors];
#pragma GCC unroll 5
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) weight[r][j] = load(w + (r * vectors + j) * width);
  for (std::int64_t i = 0; i < count; ++i) {
    T* at = to + places[i];
    const vec<T> value = broadcast(values[i]);
#pragma GCC unroll 5
    for (int r = 0; r < rows; ++r, at += to_row)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) {
        T* place = at + j * width;
        if (j + 1 < vectors || whole)
          store(place, fma(weight[r][j], value, load(place)));
        else
          store_partial(place, fma(weight[r][j], value, load_partial(place, last)), last);
      }
  }
}
template <class T, int rows, int vectors>
void scatter_tile(const Nonzeros<T>& nonzeros, const T* w, T* to, std::int64_t to_row,
                  int last) noexcept {
  if (last == vec<T>::width) return scatter<T, rows, vectors, true>(nonzeros, w, to, to_row, last);
  scatter<T, rows, vectors, false>(nonzeros, w, to, to_row, last);
}

// Elements of dy, window after window, and for each image element of the first window the four at
// its pixel and at those to the right, below, and below right.
template <class T> struct Windows {
  const T* dy;
  const std::uint8_t* argmax;
  std::int64_t rows, columns,
      filters; // of windows; filters: stride from one window of dy to the next
  const T* fours;
  std::int64_t row, channels; // strides of the image
  T* db;                      // += the elements of dy, unless null
};

// For images with few channels: `terms` elements of a kernel row, (column, channel). Vectors run
// along the filters, and each lane picks one of four elements. The last vector has `last` lanes.
template <class T, int vectors, int terms>
void pick_tile(const Windows<T>& some, T* dw, std::int64_t dw_row, int last) noexcept {
  constexpr int width = vec<T>::width;
  vec<T> sum[vectors][terms], biases[vectors];
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) {
    biases[v] = zero<T>();
#pragma GCC unroll 8
    for (int t = 0; t < terms; ++t) sum[v][t] = zero<T>();
  }
  const T* dy = some.dy;
  const std::uint8_t* argmax = some.argmax;
  for (std::int64_t row = 0; row < some.rows; ++row) {
    const T* fours = some.fours + 4 * 2 * row * some.row;
    for (std::int64_t column = 0; column < some.columns; ++column, fours += 4 * 2 * some.channels) {
      vec<T> value[vectors];
      lanes<T> pixel[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        const int n = v + 1 < vectors ? width : last;
        pixel[v] = load_narrow<T>(argmax + v * width, n);
        value[v] = of_maxima<T>(dy + v * width, argmax + v * width, n);
        biases[v] = biases[v] + value[v];
      }
#pragma GCC unroll 8
      for (int t = 0; t < terms; ++t)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v)
          sum[v][t] = fma(pick_of_four(fours + 4 * t, pixel[v]), value[v], sum[v][t]);
      dy += some.filters;
      argmax += some.filters;
    }
  }
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) {
    const int n = v + 1 < vectors ? width : last;
    const auto add = [n](T* to, vec<T> x) { store(to, load(to, n) + x, n); };
#pragma GCC unroll 8
    for (int t = 0; t < terms; ++t) add(dw + t * dw_row + v * width, sum[v][t]);
    if (some.db != nullptr) add(some.db + v * width, biases[v]);
  }
}

template <class T> using PickTile = void (*)(const Windows<T>&, T*, std::int64_t, int) noexcept;
template <class T, int vectors, int... terms>
PickTile<T> pick_tile_of(std::int64_t count, Integers<terms...>) {
  PickTile<T> found = nullptr;
  ((count == terms + 1 ? void(found = pick_tile<T, vectors, terms + 1>) : void()), ...);
  return found;
}
constexpr int most_picked = 6; // elements of a kernel row at a time

template <class T>
using CollectTile = void (*)(const Nonzeros<T>&, const T*, std::int64_t, T*, std::int64_t,
                             int) noexcept;
template <class T>
using ScatterTile = void (*)(const Nonzeros<T>&, const T*, T*, std::int64_t, int) noexcept;

template <class T> struct Tiles {
  CollectTile<T> collect[most_tile_rows][most_tile_vectors];
  ScatterTile<T> scatter[most_tile_rows][most_tile_vectors];
};
template <class T, int rows, int... vectors>
constexpr void fill_tiles(Tiles<T>& tiles, Integers<vectors...>) {
  const auto fill = [&]<int v>() {
    if constexpr (has_tile(rows, v)) {
      tiles.collect[rows - 1][v - 1] = collect_tile<T, rows, v>;
      tiles.scatter[rows - 1][v - 1] = scatter_tile<T, rows, v>;
    }
  };
  (fill.template operator()<vectors + 1>(), ...);
}
template <class T> constexpr Tiles<T> make_tiles() {
  Tiles<T> all{};
  using Widths = typename Count<most_tile_vectors>::type;
  fill_tiles<T, 1>(all, Widths{});
  fill_tiles<T, 2>(all, Widths{});
  fill_tiles<T, 3>(all, Widths{});
  fill_tiles<T, 5>(all, Widths{});
  return all;
}
template <class T> constexpr Tiles<T> tiles = make_tiles<T>();

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
