// The register tiles of convolutions: pixels of a row times vectors of channels.
#pragma once

#include "kernels/activate.h"
#include "kernels/conv.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// What a tile sums: `rows` window rows, `taps` window columns, `terms` channels.
template <class T> struct Walk {
  std::int64_t rows, row_x, row_w; // from one to the next, in the source and in the packed weights
  std::int64_t taps, tap_x, tap_w;
  std::int64_t terms;
  std::int64_t pixel_x, pixel_y;
  int left, right; // columns of the source that are padding, see `fused_tile`
  int last;        // lanes of the last vector that y has room for, or filters of the rest
  int last_bias;   // and those that have a bias
  int pixels;      // see `slim_tile`
  bool is_joined;  // the taps of a window row lie side by side in the source
  bool accumulate; // onto y, instead of starting from the bias
  bool rectifies;  // y = max(sum, 0)
};

template <int depth, class T, int pixels, int vectors>
GYAKU_INLINE void begin_tile(vec<T> (&sum)[pixels][vectors], const Walk<T>& walk, const T* y,
                             const T* bias) {
  constexpr int width = vec<T>::width;
  if constexpr (depth > 1) {
#pragma GCC unroll 32
    for (int i = 0; i < pixels; ++i) sum[i][0] = zero<T>();
    return;
  }
  if (!walk.accumulate) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      const vec<T> start = bias == nullptr   ? zero<T>()
                           : j + 1 < vectors ? load(bias + j * width)
                                             : load(bias + j * width, walk.last_bias);
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

template <class T> GYAKU_INLINE vec<T> rectified(vec<T> x) {
  return activate<Activation::relu>(x, zero<T>());
}

template <int depth, class T, int pixels, int vectors>
GYAKU_INLINE void end_tile(vec<T> (&sum)[pixels][vectors], const Walk<T>& walk, T* y,
                           const T* bias) {
  constexpr int width = vec<T>::width;
  if constexpr (depth > 1) {
    alignas(64) T lanes[pixels * width]; // the code is not worth a copy for each pixel
#pragma GCC unroll 32
    for (int i = 0; i < pixels; ++i) store(lanes + i * width, sum[i][0]);
    const vec<T> first = bias == nullptr ? zero<T>() : load_partial(bias, walk.last);
    for (int i = 0; i < pixels; ++i, y += walk.pixel_y) {
      const vec<T> start = walk.accumulate ? load_partial(y, walk.last) : first;
      const vec<T> some = load(lanes + i * width);
      const vec<T> all = start + add_lanes(some, typename Count<width>::type{});
      store_partial(y, walk.rectifies ? rectified(all) : all, walk.last);
    }
    return;
  }
  if (walk.rectifies)
#pragma GCC unroll 32
    for (int i = 0; i < pixels; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sum[i][j] = rectified(sum[i][j]);
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

// A term in all lanes, or for the rest as many as a filter has lanes, of which `left` are in
// memory.
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

// Any stride and dilation: all pixels of the tile see all taps of the walk. The weights of a tap
// lie [channel][vectors * width]; those of the rest [channels / depth][filter][depth].
template <class T, int pixels, int vectors, int depth = 1>
void plain_tile(const Walk<T>& walk, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, panel = vectors * width;
  constexpr int unroll = vectors * depth == 1 ? 2 : 1; // so that an address serves two products
  const std::int64_t step = walk.pixel_x, terms = walk.terms;
  vec<T> sum[pixels][vectors];
  begin_tile<depth>(sum, walk, y, bias);
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
      for (; c + depth <= terms; c += depth, a += depth, b += panel) {
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
            const vec<T> pixel = some_terms<depth>(p + i * step);
#pragma GCC unroll 2
            for (int j = 0; j < count; ++j)
              sum[i][first + j] = fma(pixel, row[j], sum[i][first + j]);
          }
        }
      }
      if constexpr (depth > 1)
        if (c < terms) {
          const vec<T> row = load(b);
#pragma GCC unroll 32
          for (int i = 0; i < pixels; ++i)
            sum[i][0] = fma(repeat(a + i * step, terms - c), row, sum[i][0]);
        }
      x_tap += walk.tap_x;
      w_tap += walk.tap_w;
    }
    x += walk.row_x;
    w += walk.row_w;
  }
  end_tile<depth>(sum, walk, y, bias);
}

// Stride and dilation 1: a window row at once. Column `column` of the source is loaded once and is
// tap t of pixel column - t. Columns in the padding are left out: `left` of the first window - 1,
// `right` of the last. Weights lie [channel][tap][vectors * width]; those of the rest
// [channels / depth][tap][filter][depth].
template <class T, int pixels, int vectors, int window, int depth = 1>
void fused_tile(const Walk<T>& walk, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, panel = vectors * width, columns = pixels + window - 1;
  const std::int64_t step = walk.pixel_x, terms = walk.terms;
  vec<T> sum[pixels][vectors];
  begin_tile<depth>(sum, walk, y, bias);
  for (std::int64_t r = 0; r < walk.rows; ++r) {
    const T* a = x;
    const T* b = w;
    for (std::int64_t c = 0; c < terms; c += depth, a += depth, b += window * panel) {
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
        const vec<T> pixel = some_terms<depth>(opaque(a + column * step), terms - c);
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
  end_tile<depth>(sum, walk, y, bias);
}

// The rest of the filters over one channel whose pixels lie side by side: a filter's lanes are as
// many pixels, of which there are `walk.pixels`. Weights lie [tap][filter][depth], all alike.
template <class T, int vectors>
void slim_tile(const Walk<T>& walk, const T* x, const T* w, T* y, const T* bias) noexcept {
  constexpr int width = vec<T>::width, depth = rest_depth<T>, filters = most_rest<T>;
  alignas(64) T lanes[vectors * width];
  store(lanes, zero<T>());
  if (bias != nullptr)
    for (int i = 0; i < walk.last * depth; ++i) lanes[i] = bias[i / depth];
  // Two taps in turn go to sums of their own, or each would wait for the last.
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
      const vec<T> pixels = i + 1 < vectors ? repeat(p) : repeat(p, walk.pixels - i * depth);
      to[i] = fma(pixels, row, to[i]);
    }
  };
  for (std::int64_t r = 0; r < walk.rows; ++r, x += walk.row_x, w += walk.row_w) {
    std::int64_t t = 0;
    for (; t + 2 <= walk.terms; t += 2) {
      add(sum[0], x + t, w + t * width);
      add(sum[1], x + t + 1, w + (t + 1) * width);
    }
    if (t < walk.terms) add(sum[0], x + t, w + t * width);
  }
#pragma GCC unroll 8
  for (int i = 0; i < vectors; ++i) {
    const vec<T> all = sum[0][i] + sum[1][i];
    store(lanes + i * width,
          pixel_by_pixel(walk.rectifies ? rectified(all) : all, typename Count<width>::type{}));
  }
  const std::int64_t step = walk.pixel_y, last = walk.last;
  const T *from = lanes, *end = lanes + walk.pixels * filters;
  if (last == filters)
    for (; from < end; from += filters, y += step) __builtin_memcpy(y, from, filters * sizeof(T));
  else
    for (; from < end; from += filters, y += step)
      for (std::int64_t j = 0; j < last; ++j) y[j] = from[j];
}

template <class T>
using ConvTile = void (*)(const Walk<T>&, const T*, const T*, T*, const T*) noexcept;

// Tiles by their number of pixels, from 1 to `most`.
template <class T, int most> struct ConvTiles {
  ConvTile<T> of[most];
};
template <class T, int vectors, int depth, int... i>
constexpr auto make_plain_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{plain_tile<T, i + 1, vectors, depth>...}};
}
template <class T, int vectors, int window, int depth, int... i>
constexpr auto make_fused_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{fused_tile<T, i + 1, vectors, window, depth>...}};
}

template <class T, int... i> constexpr auto make_slim_tiles(Integers<i...>) {
  return ConvTiles<T, sizeof...(i)>{{slim_tile<T, i + 1>...}};
}

// More pixels would gain nothing, and their code would be large.
template <int vectors, int depth = 1>
constexpr int plain_pixels = static_cast<int>(least(depth > 1 ? 8 : 14, accumulators / vectors));
template <class T, int vectors, int depth = 1>
constexpr auto plain_tiles =
    make_plain_tiles<T, vectors, depth>(typename Count<plain_pixels<vectors, depth>>::type{});

constexpr int slim_vectors = 8;
template <class T>
constexpr auto slim_tiles = make_slim_tiles<T>(typename Count<slim_vectors>::type{});

// A fused tile holds the weights of a window row too; 0 where there is no room for them, and in
// float64, which is there for checks.
template <class T, int vectors, int window> constexpr int make_fused_pixels() {
  if (sizeof(T) > 4 || (window > 3 && vectors > 2)) return 0;
  if (accumulators >= 24) return vectors > 2 ? 4 : window > 3 && vectors == 2 ? 10 : 14;
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
