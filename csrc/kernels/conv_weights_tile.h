// Register tiles of the gradient with respect to the weights of a convolution: elements of x x
// vectors of dy.
#pragma once

#include "kernels/conv.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Counts and strides of the pixels that a tile sums over.
template <class T> struct PixelLoop {
  std::int64_t images, image_x, image_dy;
  std::int64_t rows, row_x, row_dy;
  std::int64_t columns, column_x, column_dy;
  std::int64_t row_dw;
  int height; // contiguous elements of x
  int last;   // valid lanes of the last vector of filters
  // For `shared_tile` only.
  std::int64_t step_x, tap_dw;
  int left, right; // columns of x that are padding, as in `TileLoop`
};

// The outer product of one pixel.
template <class T, int height, int vectors>
GYAKU_INLINE void add_outer_product(vec<T> (&sum)[height][vectors], const T* x, const T* dy,
                                    int last) {
  constexpr int width = vec<T>::width;
  vec<T> row[vectors];
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j)
    row[j] = j + 1 < vectors || !partial_is_free ? load(dy + j * width)
                                                 : load_partial(dy + j * width, last);
#pragma GCC unroll 32
  for (int i = 0; i < height; ++i) {
    const vec<T> pixel = broadcast(x[i]);
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sum[i][j] = add_product(pixel, row[j], sum[i][j]);
  }
}

// dw += outer products of `height` contiguous elements of x with `vectors` vectors of dy.
template <class T, int height, int vectors>
void outer_tile(const PixelLoop<T>& loop, const T* x, const T* dy, T* dw) noexcept {
  constexpr int width = vec<T>::width;
  // A small tile has independent sums for consecutive pixels: no addition waits for the one before.
  constexpr int turns = height * vectors >= 8 ? 1 : height * vectors >= 4 ? 2 : 4;
  const int last = loop.last;
  vec<T> sum[turns][height][vectors];
#pragma GCC unroll 32
  for (int i = 0; i < height; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      __builtin_prefetch(dw + i * loop.row_dw + j * width, 1);
#pragma GCC unroll 4
      for (int turn = 0; turn < turns; ++turn) sum[turn][i][j] = zero<T>();
    }
  for (std::int64_t n = 0; n < loop.images; ++n, x += loop.image_x, dy += loop.image_dy) {
    const T* x_row = x;
    const T* dy_row = dy;
    for (std::int64_t r = 0; r < loop.rows; ++r, x_row += loop.row_x, dy_row += loop.row_dy) {
      const T* a = x_row;
      const T* b = dy_row;
      std::int64_t c = 0;
      if constexpr (turns > 1)
        for (; c + turns <= loop.columns; c += turns) {
#pragma GCC unroll 4
          for (int turn = 0; turn < turns; ++turn, a += loop.column_x, b += loop.column_dy)
            add_outer_product(sum[turn], a, b, last);
        }
      for (; c < loop.columns; ++c, a += loop.column_x, b += loop.column_dy)
        add_outer_product(sum[0], a, b, last);
    }
  }
  const bool whole = last == width;
#pragma GCC unroll 32
  for (int i = 0; i < height; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      vec<T> total = sum[0][i][j];
#pragma GCC unroll 4
      for (int turn = 1; turn < turns; ++turn) total = total + sum[turn][i][j];
      T* to = dw + i * loop.row_dw + j * width;
      if (j + 1 < vectors || whole)
        store(to, load(to) + total);
      else
        store_partial(to, load_partial(to, last) + total, last);
    }
}

// The same for the remaining filters, which would leave a vector nearly empty: vectors run along x.
template <class T, int filters>
void remainder_tile(const PixelLoop<T>& loop, const T* x, const T* dy, T* dw) noexcept {
  constexpr int turns = filters > 2 ? 2 : 4;
  for_each_vector<T>(0, loop.height, [&](std::int64_t row, int n) {
    vec<T> sum[turns][filters];
#pragma GCC unroll 4
    for (int turn = 0; turn < turns; ++turn)
#pragma GCC unroll 4
      for (int j = 0; j < filters; ++j) sum[turn][j] = zero<T>();
    const auto add = [=](vec<T>(&to)[filters], const T* a, const T* b) {
      const vec<T> pixel = load_some(a + row, n);
#pragma GCC unroll 4
      for (int j = 0; j < filters; ++j) to[j] = add_product(pixel, broadcast(b[j]), to[j]);
    };
    for (std::int64_t i = 0; i < loop.images; ++i)
      for (std::int64_t r = 0; r < loop.rows; ++r) {
        const T* a = x + i * loop.image_x + r * loop.row_x;
        const T* b = dy + i * loop.image_dy + r * loop.row_dy;
        std::int64_t c = 0;
        for (; c + turns <= loop.columns; c += turns) {
#pragma GCC unroll 4
          for (int turn = 0; turn < turns; ++turn, a += loop.column_x, b += loop.column_dy)
            add(sum[turn], a, b);
        }
        for (; c < loop.columns; ++c, a += loop.column_x, b += loop.column_dy) add(sum[0], a, b);
      }
#pragma GCC unroll 4
    for (int j = 0; j < filters; ++j) {
      vec<T> total = sum[0][j];
#pragma GCC unroll 4
      for (int turn = 1; turn < turns; ++turn) total = total + sum[turn][j];
      T lanes[vec<T>::width];
      store(lanes, total);
      for (int i = 0; i < n; ++i) dw[(row + i) * loop.row_dw + j] += lanes[i];
    }
  });
}

template <class T> using OuterTile = void (*)(const PixelLoop<T>&, const T*, const T*, T*) noexcept;

// Tiles by height, from 1 to `most`.
template <class T, int most> struct OuterTiles {
  OuterTile<T> of[most];
};
template <class T, int vectors, int... i> constexpr auto make_outer_tiles(Integers<i...>) {
  return OuterTiles<T, sizeof...(i)>{{outer_tile<T, i + 1, vectors>...}};
}
// In float64, which serves checks, higher ones than 16 vectors are composed of two, each of which
// still keeps all multipliers busy.
template <class T, int vectors>
constexpr int outer_height =
    static_cast<int>(sizeof(T) > 4 ? least(16, accumulators) : accumulators) / vectors;
template <class T, int vectors>
constexpr auto outer_tiles =
    make_outer_tiles<T, vectors>(typename Count<outer_height<T, vectors>>::type{});
template <class T, int vectors>
void multiply_outer(const PixelLoop<T>& loop, const T* x, const T* dy, T* dw) noexcept {
  const int height = loop.height, upper = height > outer_height<T, vectors> ? height / 2 : 0;
  const OuterTile<T>* const tiles = outer_tiles<T, vectors>.of;
  if (upper > 0) tiles[upper - 1](loop, x, dy, dw);
  tiles[height - upper - 1](loop, x + upper, dy, dw + upper * loop.row_dw);
}

template <class T, int filters = 1> OuterTile<T> remainder_tile_of(std::int64_t count) {
  if constexpr (filters <= max_remainder<T>)
    return count == filters ? remainder_tile<T, filters> : remainder_tile_of<T, filters + 1>(count);
  return nullptr;
}

// Stride and dilation 1: all taps of a kernel row at once, for elements of x with stride `step_x`
// and one vector of filters. As many pixels of dy stay in registers, and each column of x is loaded
// once. Taps in the padding and pixels outside the range are skipped.
template <class T, int height, int window>
void shared_tile(const PixelLoop<T>& loop, const T* x, const T* dy, T* dw) noexcept {
  const std::int64_t last_pixel = loop.columns - 1, end = loop.columns + window - 1 - loop.right;
  vec<T> sum[window][height];
#pragma GCC unroll 8
  for (int t = 0; t < window; ++t)
#pragma GCC unroll 8
    for (int i = 0; i < height; ++i) sum[t][i] = zero<T>();
  for (std::int64_t n = 0; n < loop.images; ++n, x += loop.image_x, dy += loop.image_dy) {
    const T* x_row = x;
    const T* dy_row = dy;
    for (std::int64_t r = 0; r < loop.rows; ++r, x_row += loop.row_x, dy_row += loop.row_dy) {
      vec<T> pixel[window]; // of each tap
#pragma GCC unroll 8
      for (int t = 0; t < window; ++t) pixel[t] = zero<T>();
      const T* a = x_row;
      const T* b = dy_row;
      for (std::int64_t c = 0; c < end; ++c, a += loop.column_x, b += loop.column_dy) {
#pragma GCC unroll 8
        for (int t = window - 1; t > 0; --t) pixel[t] = pixel[t - 1];
        if (c <= last_pixel) pixel[0] = load_some(b, loop.last);
        if (c < loop.left) continue;
        const T* p = a;
        if (c >= window - 1 && c <= last_pixel) {
#pragma GCC unroll 8
          for (int i = 0; i < height; ++i, p += loop.step_x) {
            const vec<T> number = broadcast(*p);
#pragma GCC unroll 8
            for (int t = 0; t < window; ++t) sum[t][i] = add_product(number, pixel[t], sum[t][i]);
          }
          continue;
        }
#pragma GCC unroll 8
        for (int t = 0; t < window; ++t) {
          if (t > c || t < c - last_pixel) continue;
          p = a;
#pragma GCC unroll 8
          for (int i = 0; i < height; ++i, p += loop.step_x)
            sum[t][i] = add_product(broadcast(*opaque(p)), pixel[t], sum[t][i]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < window; ++t)
#pragma GCC unroll 8
    for (int i = 0; i < height; ++i) {
      T* to = dw + t * loop.tap_dw + i * loop.row_dw;
      store(to, load(to, loop.last) + sum[t][i], loop.last);
    }
}

// The same for the remaining filters over one channel without padding: each has lanes for as many
// contiguous pixels. Layout of dy: [group of pixels][filter][pixel], zero at the end.
template <class T, int height, int window>
void shared_tail_tile(const PixelLoop<T>& loop, const T* x, const T* dy, T* dw) noexcept {
  constexpr int depth = remainder_depth<T>;
  vec<T> sum[window][height];
#pragma GCC unroll 8
  for (int t = 0; t < window; ++t)
#pragma GCC unroll 8
    for (int i = 0; i < height; ++i) sum[t][i] = zero<T>();
  const auto add = [&](const T* a, const T* b, auto number) {
    const vec<T> pixels = load(b);
#pragma GCC unroll 8
    for (int i = 0; i < height; ++i, a += loop.step_x)
#pragma GCC unroll 8
      for (int t = 0; t < window; ++t) sum[t][i] = add_product(number(a + t), pixels, sum[t][i]);
  };
  for (std::int64_t n = 0; n < loop.images; ++n)
    for (std::int64_t r = 0; r < loop.rows; ++r) {
      const T* a = x + n * loop.image_x + r * loop.row_x;
      const T* b = dy + n * loop.image_dy + r * loop.row_dy;
      std::int64_t left = loop.columns;
      for (; left >= depth; left -= depth, a += depth, b += vec<T>::width)
        add(a, b, [](const T* p) { return repeat(p); });
      if (left > 0) add(a, b, [=](const T* p) { return repeat(p, left); });
    }
#pragma GCC unroll 8
  for (int t = 0; t < window; ++t)
#pragma GCC unroll 8
    for (int i = 0; i < height; ++i) {
      T* to = dw + t * loop.tap_dw + i * loop.row_dw;
      const vec<T> total = add_lanes(sum[t][i], typename Count<vec<T>::width>::type{});
      store_partial(to, load_partial(to, loop.last) + total, loop.last);
    }
}

// Height of the largest shared tile; 0 where there are too few registers.
template <class T, int window>
constexpr int shared_height = sizeof(T) > 4 || accumulators < 24 ? 0
                              : window > 3                       ? 5
                                                                 : 8;

template <class T, int window, int... i> constexpr auto make_shared_tiles(Integers<i...>) {
  return OuterTiles<T, sizeof...(i)>{{shared_tile<T, i + 1, window>...}};
}
template <class T, int window, int... i> constexpr auto make_tail_tiles(Integers<i...>) {
  return OuterTiles<T, sizeof...(i)>{{shared_tail_tile<T, i + 1, window>...}};
}
template <class T, int window>
constexpr auto shared_tiles =
    make_shared_tiles<T, window>(typename Count<shared_height<T, window>>::type{});
// At most as high as wide.
template <class T, int window>
constexpr auto shared_tail_tiles = make_tail_tiles<T, window>(
    typename Count<static_cast<int>(least(window, shared_height<T, window>))>::type{});

// The shared tiles for a kernel width.
template <class T> struct SharedTiles {
  const OuterTile<T>* of;
  const OuterTile<T>* tail; // for the remaining filters; null: none
  int height;
};
template <class T> SharedTiles<T> shared_tiles_of(std::int64_t window) {
  if constexpr (shared_height<T, 3> > 0) {
    const OuterTile<T>*tail3 = nullptr, *tail5 = nullptr;
    if constexpr (max_remainder<T> > 0) {
      tail3 = shared_tail_tiles<T, 3>.of;
      tail5 = shared_tail_tiles<T, 5>.of;
    }
    if (window == 3) return {shared_tiles<T, 3>.of, tail3, shared_height<T, 3>};
    if (window == 5) return {shared_tiles<T, 5>.of, tail5, shared_height<T, 5>};
  }
  return {};
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
