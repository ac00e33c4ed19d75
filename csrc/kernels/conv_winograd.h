// Winograd's minimal filtering F(4 x 4, 3 x 3): a tile of 6 x 6 pixels, the kernel and the sums are
// taken to 36 points, where a convolution is a product of numbers. 36 multiplications then do the
// work of 144. (Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast
// algorithms for convolutional neural networks", CVPR 2016.)
//
// The polynomials of an axis are evaluated at 0, +-5/8, +-3/2 and infinity: beside 0, +-1, +-2 this
// reduces the error to a quarter, and the factors of pixels and sums are exact in float32. The
// gradient with respect to the weights is F(3 x 3, 4 x 4), at the same points.
#pragma once

#include "kernels/conv.h"
#include "kernels/gemm_tile.h"

namespace gyaku::GYAKU_ISA_NAME {

Entry conv_weights_kernel() noexcept; // the direct way

namespace {

constexpr int winograd_points = 6, winograd_taps = 3; // of an axis
constexpr std::int64_t most_in_strip = 8;             // tiles

// The points, their squares, and the reciprocals of the products of their differences.
constexpr float point_a = 0.625F, point_b = 1.5F;
constexpr float square_a = point_a * point_a, square_b = point_b * point_b;
constexpr float scale_0 = 1 / (square_a * square_b);
constexpr float scale_a = 1 / (2 * square_a * (square_a - square_b));
constexpr float scale_b = 1 / (2 * square_b * (square_b - square_a));

using Floats = vec<float>;
GYAKU_INLINE Floats times(float factor, Floats x) { return Floats(factor) * x; }
GYAKU_INLINE Floats add_times(Floats sum, float factor, Floats x) {
  return fma(Floats(factor), x, sum);
}

// Even and odd parts at +-a and +-b.
GYAKU_INLINE void combine(Floats even, Floats odd, float point, Floats& plus, Floats& minus) {
  plus = add_times(even, point, odd);
  minus = add_times(even, -point, odd);
}

// Pixels to points.
struct OfSource {
  static constexpr int from = 6, to = winograd_points;
  GYAKU_INLINE static void apply(const Floats (&d)[from], Floats (&v)[to]) {
    constexpr float sum = square_a + square_b, product = square_a * square_b;
    v[0] = add_times(add_times(d[4], -sum, d[2]), product, d[0]);
    combine(add_times(d[4], -square_b, d[2]), add_times(d[3], -square_b, d[1]), point_a, v[1],
            v[2]);
    combine(add_times(d[4], -square_a, d[2]), add_times(d[3], -square_a, d[1]), point_b, v[3],
            v[4]);
    v[5] = add_times(add_times(d[5], -sum, d[3]), product, d[1]);
  }
};

// Three kernel elements, or four gradients, to points.
template <int count> struct OfKernel {
  static constexpr int from = count, to = winograd_points;
  GYAKU_INLINE static void apply(const Floats (&w)[from], Floats (&u)[to]) {
    u[0] = times(scale_0, w[0]);
    scaled(w, point_a, square_a, scale_a, u[1], u[2]);
    scaled(w, point_b, square_b, scale_b, u[3], u[4]);
    u[5] = w[count - 1];
  }

private:
  GYAKU_INLINE static void scaled(const Floats (&w)[from], float point, float square, float scale,
                                  Floats& plus, Floats& minus) {
    Floats odd = w[1];
    if constexpr (count > 3) odd = add_times(odd, square, w[3]);
    combine(times(scale, add_times(w[0], square, w[2])), times(scale, odd), point, plus, minus);
  }
};

// Sums at the points to four outputs, or to three gradients of kernel elements.
template <int count> struct OfSums {
  static constexpr int from = winograd_points, to = count;
  GYAKU_INLINE static void apply(const Floats (&m)[from], Floats (&y)[to]) {
    const Floats even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const Floats even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + (even_a + even_b);
    y[1] = add_times(times(point_a, odd_a), point_b, odd_b);
    y[2] = add_times(times(square_a, even_a), square_b, even_b);
    if constexpr (count > 3)
      y[3] = add_times(times(square_a * point_a, odd_a), square_b * point_b, odd_b);
    y[count - 1] = y[count - 1] + m[5];
  }
};

// A transform along both axes: load(i, j) are the elements, store(i, row) takes row i of the
// result. The loops stay loops: the elements between them do not fit the registers anyway.
template <class Axis, class Load, class Store> GYAKU_INLINE void transform(Load load, Store store) {
  Floats half[Axis::to][Axis::from];
#pragma GCC unroll 1
  for (int j = 0; j < Axis::from; ++j) {
    Floats column[Axis::from], result[Axis::to];
#pragma GCC unroll 6
    for (int i = 0; i < Axis::from; ++i) column[i] = load(i, j);
    Axis::apply(column, result);
#pragma GCC unroll 6
    for (int i = 0; i < Axis::to; ++i) half[i][j] = result[i];
  }
#pragma GCC unroll 1
  for (int i = 0; i < Axis::to; ++i) {
    Floats row[Axis::to];
    Axis::apply(half[i], row);
    store(i, row);
  }
}

// The tiles of images along both axes: their outputs, and the pixels that these see.
struct WinogradTiles {
  StridedAxis rows, columns;
  std::int64_t across, of_image; // tiles in a row, tiles of an image

  WinogradTiles(const StridedAxis& r, const StridedAxis& c)
      : rows(r), columns(c), across(ceil_div(c.count, winograd_outputs)),
        of_image(ceil_div(r.count, winograd_outputs) * across) {}
};

// One tile: its image, and its first output.
struct WinogradTile {
  std::int64_t image, row, column;
  WinogradTile(const WinogradTiles& tiles, std::int64_t number)
      : image(number / tiles.of_image),
        row(number % tiles.of_image / tiles.across * winograd_outputs),
        column(number % tiles.across * winograd_outputs) {}
  void advance(const WinogradTiles& tiles) { // to the next one
    column += winograd_outputs;
    if (column < tiles.columns.count) return;
    column = 0;
    row += winograd_outputs;
    if (row < tiles.rows.count) return;
    row = 0;
    ++image;
  }
};

// f(numbers) for the strips of some tiles: neighbours in a row of tiles.
template <class F>
GYAKU_INLINE void for_each_strip(const WinogradTiles& tiles, Range numbers, F f) {
  for (std::int64_t number = numbers.begin; number < numbers.end;) {
    const std::int64_t left = tiles.across - number % tiles.across;
    const std::int64_t end = least(numbers.end, number + least(left, most_in_strip));
    f(Range{number, end});
    number = end;
  }
}

// The pixels of neighbouring tiles, `size` rows from (top, left) on; those outside of the image are
// zero. `image` points to its first pixel.
template <int size> struct Strip {
  const float* origin; // the first row, in column 0 of the image
  std::int64_t row, channels;
  std::int64_t left;
  Range rows, columns; // inside the image: of the strip, and of the image

  Strip(const float* image, std::int64_t height, std::int64_t width, std::int64_t c,
        std::int64_t top, std::int64_t first)
      : origin(image + top * width * c), row(width * c), channels(c), left(first),
        rows(both({0, size}, {-top, height - top})), columns{0, width} {}
};

// The transform of the patches of `tiles` tiles: the value of channel c of tile t at place p goes
// to to(t, c)[p * step], whole vectors with zero in unused lanes. seen(c, sum, n) gets the sum of
// all pixels. Columns are transformed once for both tiles that they belong to.
template <class Axis, class To, class Seen>
GYAKU_INLINE void transform_strip(const Strip<Axis::from>& pixels, std::int64_t tiles,
                                  Range channels, std::int64_t place_step, To to, Seen seen) {
  constexpr int size = Axis::from;
  constexpr std::int64_t most_columns = (most_in_strip - 1) * winograd_outputs + size;
  Floats half[winograd_points][most_columns];
  for_each_vector<float>(channels.begin, channels.end, [&](std::int64_t c, int n) {
    // Copies, which no vector may alias.
    const Strip<size> strip = pixels;
    const std::int64_t count = tiles, step = place_step;
    const std::int64_t columns = (count - 1) * winograd_outputs + size;
    const Range inside =
        both({0, columns}, {strip.columns.begin - strip.left, strip.columns.end - strip.left});
    Floats sum = zero<float>();
    for (std::int64_t j = 0; j < columns; ++j) {
      Floats column[size], result[winograd_points];
      if (j < inside.begin || j >= inside.end) {
#pragma GCC unroll 6
        for (int i = 0; i < winograd_points; ++i) half[i][j] = zero<float>();
        continue;
      }
      const float* const from = strip.origin + (strip.left + j) * strip.channels + c;
#pragma GCC unroll 6
      for (int i = 0; i < size; ++i) {
        const bool is_inside = i >= strip.rows.begin && i < strip.rows.end;
        column[i] = is_inside ? load(from + i * strip.row, n) : zero<float>();
        sum = sum + column[i];
      }
      Axis::apply(column, result);
#pragma GCC unroll 6
      for (int i = 0; i < winograd_points; ++i) half[i][j] = result[i];
    }
    for (std::int64_t t = 0; t < count; ++t) {
      float* place = to(t, c);
#pragma GCC unroll 1
      for (int i = 0; i < winograd_points; ++i, place += winograd_points * step) {
        const Floats* const from = half[i] + t * winograd_outputs;
        Floats row[size], result[winograd_points];
#pragma GCC unroll 6
        for (int j = 0; j < size; ++j) row[j] = from[j];
        Axis::apply(row, result);
#pragma GCC unroll 6
        for (int j = 0; j < winograd_points; ++j) store(place + j * step, result[j]);
      }
    }
    seen(c, sum, n);
  });
}

// The rows of a product, at most a block of channels, in pieces for tiles of registers: the same at
// all places.
class Heights {
public:
  explicit Heights(std::int64_t rows) {
    for_each_piece(rows, tile_rows, [this](Range some) { pieces_[count_++] = some; });
  }
  const Range* begin() const { return pieces_; }
  const Range* end() const { return pieces_ + count_; }
  std::int64_t size() const { return count_; }

private:
  Range pieces_[ceil_div(winograd_block, tile_rows)];
  std::int64_t count_ = 0;
};

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
