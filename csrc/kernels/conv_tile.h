// Register tiles of convolutions: pixels of a row x vectors of channels.
#pragma once

#include "kernels/activate.h"
#include "kernels/conv.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Counts and strides of the loops in a tile: `rows` kernel rows, `taps` kernel columns, `terms`
// channels.
template <class T> struct TileLoop {
  std::int64_t rows, row_x, row_w; // count, and strides in the source and in the packed weights
  std::int64_t taps, tap_x, tap_w;
  std::int64_t terms;
  std::int64_t pixel_x, pixel_y;
  int left, right; // columns of the source that are padding, see `fused_tile`
  int last;        // lanes of the last vector to store, or number of remaining filters
  int last_bias;   // of them, lanes with a bias
  int pixels;      // see `tail_tile`
  bool is_joined;  // the taps of a kernel row are contiguous in the source
  bool accumulate; // add to y instead of starting from the bias
  bool rectifies;  // y = max(sum, 0)
};

template <int depth, class T, int pixels, int vectors>
GYAKU_INLINE void begin_tile(vec<T> (&sum)[pixels][vectors], const TileLoop<T>& loop, const T* y,
                             const T* bias) {
  constexpr int width = vec<T>::width;
  if constexpr (depth > 1) {
#pragma GCC unroll 32
    for (int i = 0; i < pixels; ++i) sum[i][0] = zero<T>();
    return;
  }
  if (!loop.accumulate) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const vec<T> start = bias == nullptr   ? zero<T>()
                           : j + 1 < vectors ? load(bias + j * width)
                                             : load(bias + j * width, loop.last_bias);
#pragma GCC unroll 32
      for (int i = 0; i < pixels; ++i) {
        // Prefetch the cache lines of the result.
        __builtin_prefetch(y + i * loop.pixel_y + j * width, 1);
        sum[i][j] = start;
      }
    }
    return;
  }
  const bool whole = loop.last == width;
#pragma GCC unroll 32
  for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const T* from = y + i * loop.pixel_y + j * width;
      sum[i][j] = j + 1 < vectors || whole ? load(from) : load_partial(from, loop.last);
    }
}

template <class T> GYAKU_INLINE vec<T> rectified(vec<T> x) {
  return activate<Activation::relu>(x, zero<T>());
}

template <int depth, class T, int pixels, int vectors>
GYAKU_INLINE void end_tile(vec<T> (&sum)[pixels][vectors], const TileLoop<T>& loop, T* y,
                           const T* bias) {
  constexpr int width = vec<T>::width;
  if constexpr (depth > 1) {
    alignas(64) T lanes[pixels * width]; // one copy of the code for all pixels
#pragma GCC unroll 32
    for (int i = 0; i < pixels; ++i) store(lanes + i * width, sum[i][0]);
    const vec<T> first = bias == nullptr ? zero<T>() : load_partial(bias, loop.last);
    for (int i = 0; i < pixels; ++i, y += loop.pixel_y) {
      const vec<T> start = loop.accumulate ? load_partial(y, loop.last) : first;
      const vec<T> some = load(lanes + i * width);
      const vec<T> all = start + add_lanes(some, typename Count<width>::type{});
      store_partial(y, loop.rectifies ? rectified(all) : all, loop.last);
    }
    return;
  }
  if (loop.rectifies)
#pragma GCC unroll 32
    for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sum[i][j] = rectified(sum[i][j]);
  const bool whole = loop.last == width;
#pragma GCC unroll 32
  for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      T* to = y + i * loop.pixel_y + j * width;
      if (j + 1 < vectors || whole)
        store(to, sum[i][j]);
      else
        store_partial(to, sum[i][j], loop.last);
    }
}

// An element in all lanes, or for the remaining filters as many as a filter has lanes, of which
// `left` are in memory.
template <int depth, class T> GYAKU_INLINE vec<T> some_terms(const T* p) {
  if constexpr (depth == 1)
    return broadcast(*p);
  else
    return repeat(p);
}
template <int depth, class T> GYAKU_INLINE vec<T> some_terms(const T* p, std::int64_t left) {
  if constexpr (depth == 1)
    return broadcast(*p);
  else
    return repeat(p, left);
}

// Any stride and dilation: all pixels of the tile have all taps of the loop. Layout of the weights
// of a tap: [channel][vectors * width]; for the remainder [channels / depth][filter][depth].
template <class T, int pixels, int vectors, int depth = 1>
void plain_tile(const TileLoop<T>& loop, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, panel = vectors * width;
  constexpr int unroll = vectors * depth == 1 ? 2 : 1; // one address for two products
  const std::int64_t step = loop.pixel_x, terms = loop.terms;
  vec<T> sum[pixels][vectors];
  begin_tile<depth>(sum, loop, y, bias);
  for (std::int64_t r = 0; r < loop.rows; ++r) {
    const T* x_tap = x;
    const T* w_tap = w;
    for (std::int64_t t = 0; t < loop.taps; ++t) {
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
            for (int u = 0; u < unroll; ++u)
              sum[i][0] = add_product(broadcast(p[u]), row[u], sum[i][0]);
          }
        }
      for (; c + depth <= terms; c += depth, a += depth, b += panel) {
        // Two vectors at a time: all of them would leave no register for the pixel.
#pragma GCC unroll 2
        for (int first = 0; first < vectors; first += 2) {
          const int count = vectors - first < 2 ? vectors - first : 2;
          vec<T> row[2];
#pragma GCC unroll 2
          for (int j = 0; j < count; ++j) row[j] = load(b + (first + j) * width);
          const T* p = first > 0 ? opaque(a) : a;
#pragma GCC unroll 32
          for (int i = 0; i < pixels; ++i) {
            const vec<T> pixel = some_terms<depth>(p + i * step);
#pragma GCC unroll 2
            for (int j = 0; j < count; ++j)
              sum[i][first + j] = add_product(pixel, row[j], sum[i][first + j]);
          }
        }
      }
      if constexpr (depth > 1)
        if (c < terms) {
          const vec<T> row = load(b);
#pragma GCC unroll 32
          for (int i = 0; i < pixels; ++i)
            sum[i][0] = add_product(repeat(a + i * step, terms - c), row, sum[i][0]);
        }
      x_tap += loop.tap_x;
      w_tap += loop.tap_w;
    }
    x += loop.row_x;
    w += loop.row_w;
  }
  end_tile<depth>(sum, loop, y, bias);
}

// Stride and dilation 1: a kernel row at once. Column `column` of the source is loaded once and is
// tap t of pixel column - t. Columns in the padding are skipped: `left` of the first kernel columns
// - 1, `right` of the last. Layout of weights: [channel][tap][vectors * width]; for the remainder
// [channels / depth][tap][filter][depth].
template <class T, int pixels, int vectors, int window, int depth = 1>
void fused_tile(const TileLoop<T>& loop, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, panel = vectors * width, columns = pixels + window - 1;
  const std::int64_t step = loop.pixel_x, terms = loop.terms;
  vec<T> sum[pixels][vectors];
  begin_tile<depth>(sum, loop, y, bias);
  for (std::int64_t r = 0; r < loop.rows; ++r) {
    const T* a = x;
    const T* b = w;
    for (std::int64_t c = 0; c < terms; c += depth, a += depth, b += window * panel) {
      vec<T> row[window][vectors];
#pragma GCC unroll 8
      for (int t = 0; t < window; ++t)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j) row[t][j] = load(b + (t * vectors + j) * width);
      int left = loop.left, right = loop.right;
      asm("" : "+r"(left), "+r"(right)); // or the loop is copied for each of their values
#pragma GCC unroll 40
      for (int column = 0; column < columns; ++column) {
        if (column < window - 1 && column < left) continue;
        if (column >= pixels && column >= columns - right) continue;
        const vec<T> pixel = some_terms<depth>(opaque(a + column * step), terms - c);
#pragma GCC unroll 8
        for (int t = 0; t < window; ++t)
          if (const int i = column - t; i >= 0 && i < pixels) {
#pragma GCC unroll 4
            for (int j = 0; j < vectors; ++j) sum[i][j] = add_product(pixel, row[t][j], sum[i][j]);
          }
      }
    }
    x += loop.row_x;
    w += loop.row_w;
  }
  end_tile<depth>(sum, loop, y, bias);
}

// Narrow tail: the remaining filters over one channel with contiguous pixels. The lanes of a filter
// are as many pixels, `loop.pixels` in all. Layout of weights: [tap][filter][depth], equal along
// depth.
template <class T, int vectors>
void tail_tile(const TileLoop<T>& loop, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, depth = remainder_depth<T>, filters = max_remainder<T>;
  alignas(64) T lanes[vectors * width];
  store(lanes, zero<T>());
  if (bias != nullptr)
    for (int i = 0; i < loop.last * depth; ++i) lanes[i] = bias[i / depth];
  // Independent sums for even and odd taps: no addition waits for the one before.
  vec<T> sum[2][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < vectors; ++i) {
    sum[0][i] = load(lanes);
    sum[1][i] = zero<T>();
  }
  const auto add = [&](vec<T>(&to)[vectors], const T* a, const T* b) {
    const vec<T> row = load(b);
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i) {
      const T* p = a + i * depth;
      const vec<T> pixels = i + 1 < vectors ? repeat(p) : repeat(p, loop.pixels - i * depth);
      to[i] = add_product(pixels, row, to[i]);
    }
  };
  for (std::int64_t r = 0; r < loop.rows; ++r, x += loop.row_x, w += loop.row_w) {
    std::int64_t t = 0;
    for (; t + 2 <= loop.terms; t += 2) {
      add(sum[0], x + t, w + t * width);
      add(sum[1], x + t + 1, w + (t + 1) * width);
    }
    if (t < loop.terms) add(sum[0], x + t, w + t * width);
  }
#pragma GCC unroll 8
  for (int i = 0; i < vectors; ++i) {
    const vec<T> all = sum[0][i] + sum[1][i];
    store(lanes + i * width,
          pixel_by_pixel(loop.rectifies ? rectified(all) : all, typename Count<width>::type{}));
  }
  const std::int64_t step = loop.pixel_y, last = loop.last;
  const T *from = lanes, *end = lanes + loop.pixels * filters;
  if (last == filters)
    for (; from < end; from += filters, y += step) __builtin_memcpy(y, from, filters * sizeof(T));
  else
    for (; from < end; from += filters, y += step)
      for (std::int64_t j = 0; j < last; ++j) y[j] = from[j];
}

template <class T>
using ConvTile = void (*)(const TileLoop<T>&, const T*, const T*, T*, const T*) noexcept;

// Tiles by number of pixels, from 1 to `most`.
template <class T, int most> struct ConvTiles {
  ConvTile<T> of[most];
};
// In float64, which serves checks, more than eight pixels are two tiles, which keep the multipliers
// busy as well.
template <class T, int pixels, int vectors>
void pair_of_tiles(const TileLoop<T>& loop, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int first = pixels / 2;
  plain_tile<T, first, vectors>(loop, x, w, y, bias);
  plain_tile<T, pixels - first, vectors>(loop, x + first * loop.pixel_x, w,
                                         y + first * loop.pixel_y, bias);
}
template <class T, int pixels, int vectors, int depth> constexpr ConvTile<T> plain_tile_of() {
  if constexpr (sizeof(T) > sizeof(float) && pixels > 8)
    return pair_of_tiles<T, pixels, vectors>;
  else
    return plain_tile<T, pixels, vectors, depth>;
}
template <class T, int vectors, int depth, int... i>
constexpr auto make_plain_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{plain_tile_of<T, i + 1, vectors, depth>()...}};
}
template <class T, int vectors, int window, int depth, int... i>
constexpr auto make_fused_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{fused_tile<T, i + 1, vectors, window, depth>...}};
}

template <class T, int... i> constexpr auto make_tail_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{tail_tile<T, i + 1>...}};
}

constexpr int few_pixels = 4; // at most, where tiles have four vectors
// More pixels gain nothing and need much code.
template <int vectors, int depth = 1>
constexpr int plain_pixels = static_cast<int>(least(vectors > 2 ? few_pixels
                                                    : depth > 1 ? 8
                                                                : 14,
                                                    accumulators / vectors));
template <class T, int vectors, int depth = 1>
constexpr auto plain_tiles =
    make_plain_tiles<T, vectors, depth>(typename Count<plain_pixels<vectors, depth>>::type{});

constexpr int tail_vectors = 8;
template <class T>
constexpr auto tail_tiles = make_tail_tiles<T>(typename Count<tail_vectors>::type{});

// A fused tile keeps the weights of a kernel row in registers as well; 0 where there are too few,
// and in float64, which serves checks.
template <class T, int vectors, int window> constexpr int make_fused_pixels() {
  if (sizeof(T) > 4 || (window > 3 && vectors > 2)) return 0;
  if (accumulators >= 24) return vectors > 2 ? few_pixels : window > 3 && vectors == 2 ? 10 : 14;
  return window > 3 || vectors > 2 ? 0 : vectors == 2 ? 4 : 12;
}
template <class T, int vectors, int window, int depth = 1>
constexpr int fused_pixels = static_cast<int>(least(depth == 1   ? 14
                                                    : window > 3 ? 12
                                                                 : 8,
                                                    make_fused_pixels<T, vectors, window>()));
template <class T, int vectors, int window, int depth = 1>
constexpr auto fused_tiles = make_fused_tiles<T, vectors, window, depth>(
    typename Count<fused_pixels<T, vectors, window, depth>>::type{});

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
