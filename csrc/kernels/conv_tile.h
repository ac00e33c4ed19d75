// The register tiles of convolutions: pixels of a row times vectors of channels.
#pragma once

#include "kernels/conv.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// What a tile sums: `rows` window rows, `taps` window columns, `terms` channels.
template <class T> struct Walk {
  std::int64_t rows, row_x, row_w; // from one to the next, in the source and in the packed weights
  std::int64_t taps, tap_x, tap_w;
  std::int64_t terms;
  std::int64_t filter_w; // see `rest_tile`
  std::int64_t pixel_x, pixel_y;
  int left, right; // columns of the source that are padding, see `fused_tile`
  int last;        // valid lanes of the last vector
  bool accumulate; // onto y, instead of starting from the bias
};

template <class T, int pixels, int vectors>
GYAKU_INLINE void begin_tile(vec<T> (&sum)[pixels][vectors], const Walk<T>& walk, const T* y,
                             const T* bias) {
  constexpr int width = vec<T>::width;
  if (!walk.accumulate) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const vec<T> start = bias == nullptr   ? zero<T>()
                           : j + 1 < vectors ? load(bias + j * width)
                                             : load(bias + j * width, walk.last);
#pragma GCC unroll 32
      for (int i = 0; i < pixels; ++i) {
        // The lines that will be written should be here by then.
        __builtin_prefetch(y + i * walk.pixel_y + j * width, 1);
        sum[i][j] = start;
      }
    }
    return;
  }
  const bool whole = walk.last == width;
#pragma GCC unroll 32
  for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const T* from = y + i * walk.pixel_y + j * width;
      sum[i][j] = j + 1 < vectors || whole ? load(from) : load_partial(from, walk.last);
    }
}

template <class T, int pixels, int vectors>
GYAKU_INLINE void end_tile(const vec<T> (&sum)[pixels][vectors], const Walk<T>& walk, T* y) {
  constexpr int width = vec<T>::width;
  const bool whole = walk.last == width;
#pragma GCC unroll 32
  for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      T* to = y + i * walk.pixel_y + j * width;
      if (j + 1 < vectors || whole)
        store(to, sum[i][j]);
      else
        store_partial(to, sum[i][j], walk.last);
    }
}

// The same pointer, but the compiler does not know it: it would keep a register for each of many
// offsets, or for each number behind them, and spill them.
template <class T> GYAKU_INLINE const T* opaque(const T* p) {
  asm("" : "+r"(p));
  return p;
}

// Any stride and dilation: all pixels of the tile see all taps of the walk. The weights of a tap
// lie [channel][vectors * width].
template <class T, int pixels, int vectors>
void plain_tile(const Walk<T>& walk, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, panel = vectors * width;
  constexpr int unroll = vectors == 1 ? 2 : 1; // so that an address serves two products
  const std::int64_t step = walk.pixel_x, terms = walk.terms;
  vec<T> sum[pixels][vectors];
  begin_tile(sum, walk, y, bias);
  for (std::int64_t r = 0; r < walk.rows; ++r) {
    const T* x_tap = x;
    const T* w_tap = w;
    for (std::int64_t t = 0; t < walk.taps; ++t) {
      const T* a = x_tap;
      const T* b = w_tap;
      std::int64_t c = 0;
      if constexpr (unroll > 1)
        for (; c + unroll <= terms; c += unroll, a += unroll, b += unroll * panel) {
          vec<T> row[unroll];
#pragma GCC unroll 2
          for (int u = 0; u < unroll; ++u) row[u] = load(b + u * panel);
#pragma GCC unroll 32
          for (int i = 0; i < pixels; ++i) {
            const T* p = opaque(a + i * step);
#pragma GCC unroll 2
            for (int u = 0; u < unroll; ++u) sum[i][0] = fma(broadcast(p[u]), row[u], sum[i][0]);
          }
        }
      for (; c < terms; ++c, a += 1, b += panel) {
        // Two vectors at a time: with all of them no register would be left for the pixel.
#pragma GCC unroll 2
        for (int first = 0; first < vectors; first += 2) {
          const int count = vectors - first < 2 ? vectors - first : 2;
          vec<T> row[2];
#pragma GCC unroll 2
          for (int j = 0; j < count; ++j) row[j] = load(b + (first + j) * width);
          const T* p = first > 0 ? opaque(a) : a;
#pragma GCC unroll 32
          for (int i = 0; i < pixels; ++i) {
            const vec<T> pixel = broadcast(p[i * step]);
#pragma GCC unroll 2
            for (int j = 0; j < count; ++j)
              sum[i][first + j] = fma(pixel, row[j], sum[i][first + j]);
          }
        }
      }
      x_tap += walk.tap_x;
      w_tap += walk.tap_w;
    }
    x += walk.row_x;
    w += walk.row_w;
  }
  end_tile(sum, walk, y);
}

// Stride and dilation 1: a window row at once. Column `column` of the source is loaded once and is
// tap t of pixel column - t. Columns in the padding are left out: `left` of the first window - 1,
// `right` of the last. Weights lie [channel][tap][vectors * width].
template <class T, int pixels, int vectors, int window>
void fused_tile(const Walk<T>& walk, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, panel = vectors * width, columns = pixels + window - 1;
  const std::int64_t step = walk.pixel_x, terms = walk.terms;
  vec<T> sum[pixels][vectors];
  begin_tile(sum, walk, y, bias);
  for (std::int64_t r = 0; r < walk.rows; ++r) {
    const T* a = x;
    const T* b = w;
    for (std::int64_t c = 0; c < terms; ++c, a += 1, b += window * panel) {
      vec<T> row[window][vectors];
#pragma GCC unroll 8
      for (int t = 0; t < window; ++t)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) row[t][j] = load(b + (t * vectors + j) * width);
      int left = walk.left, right = walk.right;
      asm("" : "+r"(left), "+r"(right)); // or the loop is copied for each of their values
#pragma GCC unroll 40
      for (int column = 0; column < columns; ++column) {
        if (column < window - 1 && column < left) continue;
        if (column >= pixels && column >= columns - right) continue;
        const vec<T> pixel = broadcast(*opaque(a + column * step));
#pragma GCC unroll 8
        for (int t = 0; t < window; ++t)
          if (const int i = column - t; i >= 0 && i < pixels) {
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j) sum[i][j] = fma(pixel, row[t][j], sum[i][j]);
          }
      }
    }
    x += walk.row_x;
    w += walk.row_w;
  }
  end_tile(sum, walk, y);
}

// The last few filters, which would leave a vector nearly empty: vectors run along the terms, their
// lanes are added up in the end. Weights lie [filter][tap][channel], a filter `filter_w` numbers.
template <class T, int pixels, int filters>
void rest_tile(const Walk<T>& walk, const T* x, const T* w, T* y, const T* bias) noexcept {
  vec<T> sum[pixels][filters];
#pragma GCC unroll 8
  for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < filters; ++j) sum[i][j] = zero<T>();
  for (std::int64_t r = 0; r < walk.rows; ++r, x += walk.row_x, w += walk.row_w) {
    const T* a = x;
    const T* b = w;
    for (std::int64_t t = 0; t < walk.taps; ++t, a += walk.tap_x, b += walk.tap_w)
      for (std::int64_t c = 0; c < walk.terms; c += vec<T>::width) {
        const int n = static_cast<int>(least(walk.terms - c, vec<T>::width));
        vec<T> row[filters];
#pragma GCC unroll 4
        for (int j = 0; j < filters; ++j) row[j] = load_some(b + j * walk.filter_w + c, n);
#pragma GCC unroll 8
        for (int i = 0; i < pixels; ++i) {
          const vec<T> pixel = load_some(opaque(a + i * walk.pixel_x + c), n);
#pragma GCC unroll 4
          for (int j = 0; j < filters; ++j) sum[i][j] = fma(pixel, row[j], sum[i][j]);
        }
      }
  }
#pragma GCC unroll 8
  for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < filters; ++j) {
      T& to = y[i * walk.pixel_y + j];
      const T start = walk.accumulate ? to : bias == nullptr ? T(0) : bias[j];
      to = start + reduce_add(sum[i][j]);
    }
}

template <class T>
using ConvTile = void (*)(const Walk<T>&, const T*, const T*, T*, const T*) noexcept;

// Tiles by their number of pixels, from 1 to `most`.
template <class T, int most> struct ConvTiles {
  ConvTile<T> of[most];
};
template <class T, int vectors, int... i> constexpr auto make_plain_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{plain_tile<T, i + 1, vectors>...}};
}
template <class T, int vectors, int window, int... i>
constexpr auto make_fused_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{fused_tile<T, i + 1, vectors, window>...}};
}

template <class T, int filters, int... i> constexpr auto make_rest_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{rest_tile<T, i + 1, filters>...}};
}

// More pixels would gain nothing, and their code would be large.
template <int vectors>
constexpr int plain_pixels = static_cast<int>(least(14, accumulators / vectors));
template <class T, int vectors>
constexpr auto plain_tiles =
    make_plain_tiles<T, vectors>(typename Count<plain_pixels<vectors>>::type{});

// A tile holds the weights of each filter.
template <int filters>
constexpr int rest_pixels = static_cast<int>(least(8, (accumulators - filters) / filters));
template <class T, int filters>
constexpr auto rest_tiles =
    make_rest_tiles<T, filters>(typename Count<rest_pixels<filters>>::type{});

// A fused tile holds the weights of a window row too; 0 where there is no room for them, and in
// float64, which is there for checks.
template <class T, int vectors, int window> constexpr int make_fused_pixels() {
  if (sizeof(T) > 4 || (window > 3 && vectors > 2)) return 0;
  if (accumulators >= 24) return vectors > 2 ? 4 : window > 3 && vectors == 2 ? 10 : 14;
  return window > 3 || vectors > 2 ? 0 : vectors == 2 ? 4 : 12;
}
template <class T, int vectors, int window>
constexpr int fused_pixels = make_fused_pixels<T, vectors, window>();
template <class T, int vectors, int window>
constexpr auto fused_tiles =
    make_fused_tiles<T, vectors, window>(typename Count<fused_pixels<T, vectors, window>>::type{});

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
