// The loops of a convolution around its register tiles, see conv.cpp: the partition of the
// channels, rows of windows, and those that are pooled at once.
#pragma once

#include "kernels/activation_rows.h"
#include "kernels/args/conv.h"
#include "kernels/conv_tile.h"
#include "kernels/pool.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Tiles for a row of pixels.
template <class T> struct TileSet {
  const ConvTile<T>* tiles;
  int pixels;    // of the widest tile
  bool is_fused; // and weights are laid out for it
  int step = 1;  // difference in pixels from one tile to the next
  ConvTile<T> tile(std::int64_t count) const { return tiles[ceil_div(count, step) - 1]; }
};

template <class T, int vectors, int window, int depth>
constexpr TileSet<T> fused_set{fused_tiles<T, vectors, window, depth>.of,
                               fused_pixels<T, vectors, window, depth>, true};

template <class T, int vectors, int depth = 1> TileSet<T> tile_set_of(const StridedAxis& columns) {
  // Less padding than the kernel has columns, or a pixel would see padding only.
  const bool is_dense = columns.source_step == 1 && columns.tap_step == 1 &&
                        columns.origin > -columns.taps &&
                        columns.origin + columns.count <= columns.sources;
  if constexpr (fused_pixels<T, vectors, 3> > 0)
    if (is_dense && columns.taps == 3) return fused_set<T, vectors, 3, depth>;
  if constexpr (fused_pixels<T, vectors, 5> > 0)
    if (is_dense && columns.taps == 5) return fused_set<T, vectors, 5, depth>;
  return {plain_tiles<T, vectors, depth>.of, plain_pixels<vectors, depth>, false};
}

// Some output channels: those of a few vectors, or the remainder, see `max_remainder`.
struct OutputPanel {
  std::int64_t first;
  int vectors; // 0: the remainder
  int channels;
  bool is_tail; // see `tail_tile`

  // Weights of a tap, for a number of source channels.
  template <class T> std::int64_t weights(std::int64_t terms) const {
    return vectors > 0 ? terms * vectors * vec<T>::width
                       : ceil_div(terms, remainder_depth<T>) * vec<T>::width;
  }
};

template <class T> TileSet<T> tile_set_of(const StridedAxis& columns, const OutputPanel& panel) {
  if constexpr (max_remainder<T> > 0) {
    constexpr int depth = remainder_depth<T>;
    if (panel.is_tail) return {tail_tiles<T>.of, tail_vectors * depth, false, depth};
    if (panel.vectors == 0) return tile_set_of<T, 1, depth>(columns);
  }
  return panel.vectors == 1   ? tile_set_of<T, 1>(columns)
         : panel.vectors == 2 ? tile_set_of<T, 2>(columns)
                              : tile_set_of<T, 4>(columns);
}

// Output channels, cut into panels of 4, 2 or 1 vectors, and the remainder.
template <class T> struct OutputPanels {
  std::int64_t channels, vectors;
  int widest;
  bool has_remainder, is_tail;

  // `is_one`: the source has no other channels.
  OutputPanels(std::int64_t outputs, const StridedAxis& columns, std::int64_t terms, bool is_one)
      : channels(outputs) {
    constexpr int width = vec<T>::width;
    const std::int64_t remainder = channels % width;
    // No pixel may skip a tap that others in its vector have.
    is_tail = terms == 1 && is_one && columns.source_step == 1 && columns.tap_step == 1 &&
              columns.origin >= 0 && columns.taps_of(columns.count - 1).end == columns.taps;
    has_remainder = channels > width && remainder > 0 && remainder <= max_remainder<T> &&
                    (is_tail || terms > 1);
    vectors = has_remainder ? channels / width : ceil_div(channels, width);
    widest = vectors < 2 ? 1 : 2;
    // A few pixels alone would not keep the multipliers busy.
    if (columns.count <= few_pixels && vectors > 2 &&
        tile_set_of<T, 4>(columns).is_fused == tile_set_of<T, 2>(columns).is_fused)
      widest = 4;
  }
  template <class F> GYAKU_INLINE void each(F f) const {
    constexpr int width = vec<T>::width;
    std::int64_t first = 0;
    const auto panel = [&](int size, std::int64_t numbers) {
      f(OutputPanel{first, size, static_cast<int>(least(numbers, channels - first)),
                    is_tail && size == 0});
      first += numbers;
    };
    for (int size = widest; size > 0; size /= 2)
      while (first + size * width <= vectors * width) panel(size, size * width);
    if (has_remainder) panel(0, width);
  }
};

// One axis of rows with one of columns, and their packed weights.
template <class T> struct Pass {
  StridedAxis rows, columns;
  T* weights;
  std::int64_t taps() const { return rows.taps * columns.taps; }
};

// The partition of the channels, and the layout of packed weights: [group][pass][block of
// channels][panel][taps and channels of the block][vectors * width].
template <class T> struct ConvPlan {
  const ConvShape& shape;
  bool backward;
  std::int64_t inputs, outputs; // channels of a group, read and written
  std::int64_t block;           // of inputs

  ConvPlan(const ConvShape& s, bool b)
      : shape(s), backward(b), inputs(b ? s.filters : s.channels),
        outputs(b ? s.channels : s.filters) {
    // The weights of a panel in one block stay in the second-level cache while all rows use them.
    constexpr std::int64_t budget = 128 * 1024 / (2 * vector_bytes<T>);
    const std::int64_t largest = most(16, budget / taps());
    block = ceil_div(inputs, ceil_div(inputs, largest));
  }
  std::int64_t taps() const { return std::int64_t{shape.rows.taps} * shape.columns.taps; }
  std::int64_t padded_outputs() const { return ceil_div(outputs, vec<T>::width) * vec<T>::width; }

  template <class W, class F>
  GYAKU_INLINE void for_each_pass(W* packed, std::int64_t group, F f) const {
    W* weights = packed + group * taps() * inputs * padded_outputs();
    for (std::int64_t r = 0; r < strided_axis_count(shape.rows, backward); ++r)
      for (std::int64_t c = 0; c < strided_axis_count(shape.columns, backward); ++c) {
        const Pass<W> pass{strided_axis(shape.rows, backward, r),
                           strided_axis(shape.columns, backward, c), weights};
        f(pass);
        weights += pass.taps() * inputs * padded_outputs();
      }
  }
  // f(inputs of the block, panel, its weights)
  template <class W, class F> GYAKU_INLINE void for_each_panel(const Pass<W>& pass, F f) const {
    for (std::int64_t begin = 0; begin < inputs; begin += block) {
      const Range terms{begin, least(begin + block, inputs)};
      const bool is_one = shape.groups * inputs == terms.size();
      OutputPanels<T>(outputs, pass.columns, terms.size(), is_one)
          .each([&](const OutputPanel& panel) {
            f(terms, panel,
              pass.weights + pass.taps() * (begin * padded_outputs() + terms.size() * panel.first));
          });
    }
  }
};

// Rows of `width` pixels with `channels` elements each.
struct ImageShape {
  std::int64_t rows, width, channels;
  bool has_room = false; // behind the channels, up to whole vectors
  std::int64_t row() const { return width * channels; }
};

template <class T> struct Conv {
  const ConvArgs& args;
  ConvPlan<T> plan;
  ImageShape x, y;

  explicit Conv(const ConvArgs& a) : args(a), plan(a.shape, a.backward) {
    const ConvShape& s = a.shape;
    const ImageShape image{s.rows.size, s.columns.size, std::int64_t{s.groups} * s.channels},
        windows{s.rows.windows, s.columns.windows, std::int64_t{s.groups} * s.filters};
    x = a.backward ? windows : image;
    y = a.backward ? image : windows;
  }

  // Rows of y, counted over all images, written from `to` on.
  void rows(Range range, T* to, Ahead& ahead) const {
    for (std::int64_t g = 0; g < args.shape.groups; ++g)
      plan.for_each_pass(static_cast<const T*>(args.packed), g, [&](const Pass<const T>& pass) {
        if (pass.columns.count > 0) group_rows(range, g, pass, to, ahead);
      });
    finish(range, to);
  }

private:
  void group_rows(Range range, std::int64_t group, const Pass<const T>& pass, T* to,
                  Ahead& ahead) const {
    constexpr int width = vec<T>::width;
    plan.for_each_panel(pass, [&](Range terms, const OutputPanel& panel, const T* w) {
      const TileSet<T> way = tile_set_of<T>(pass.columns, panel);
      const std::int64_t output = group * plan.outputs + panel.first;
      const T* bias = static_cast<const T*>(args.bias);
      if (bias != nullptr) bias += output;
      TileLoop<T> loop;
      loop.row_x = pass.rows.tap_step * x.row();
      loop.tap_x = pass.columns.tap_step * x.channels;
      loop.tap_w = panel.weights<T>(terms.size());
      loop.row_w = pass.columns.taps * loop.tap_w;
      loop.terms = terms.size();
      // Contiguous taps are summed as one tap of many channels.
      loop.is_joined = loop.tap_x == terms.size() && (panel.vectors > 0 || panel.is_tail);
      loop.pixel_x = pass.columns.source_step * x.channels;
      loop.pixel_y = pass.columns.step * y.channels;
      loop.last_bias = panel.channels - static_cast<int>(most(0, panel.vectors - 1)) * width;
      loop.last = panel.vectors > 0 && y.has_room ? width : loop.last_bias;
      loop.accumulate = terms.begin > 0;
      loop.rectifies = tiles_rectify() && terms.end == plan.inputs;
      std::int64_t image = range.begin / y.rows, place = range.begin % y.rows - 1;
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        if (++place == y.rows) {
          ++image;
          place = 0;
        }
        if (pass.rows.step > 1 && place % pass.rows.step != pass.rows.first) continue;
        const std::int64_t q = place / pass.rows.step;
        const Range seen = pass.rows.taps_of(q);
        loop.rows = most(0, seen.size());
        const std::int64_t x_row =
            pass.rows.origin + q * pass.rows.source_step + seen.begin * pass.rows.tap_step;
        row(pass.columns, way, loop,
            static_cast<const T*>(args.x) + (image * x.rows + x_row) * x.row() +
                group * plan.inputs + terms.begin,
            w + seen.begin * loop.row_w,
            to + (i - range.begin) * y.row() + pass.columns.first * y.channels + output, bias,
            panel.channels, ahead);
      }
    });
  }

  // x points to column 0 of the source, y to the first pixel.
  GYAKU_INLINE void row(const StridedAxis& columns, const TileSet<T>& way, TileLoop<T>& loop,
                        const T* from, const T* w, T* to, const T* bias, std::int64_t channels,
                        Ahead& ahead) const {
    const bool accumulate = loop.accumulate, rectifies = loop.rectifies;
    for_each_piece(columns.count, way.pixels, [&](Range pixels) {
      ahead.ask();
      if (!way.is_fused) {
        plain(columns, way, loop, pixels, from, w, to, bias, channels);
        loop.accumulate = accumulate;
        loop.rectifies = rectifies;
        return;
      }
      const std::int64_t at = columns.origin + pixels.begin;
      loop.left = static_cast<int>(most(0, -at));
      loop.right =
          static_cast<int>(most(0, at + pixels.size() + columns.taps - 1 - columns.sources));
      way.tile(pixels.size())(loop, from + at * x.channels, w, to + pixels.begin * loop.pixel_y,
                              bias);
    });
  }

  GYAKU_INLINE void plain(const StridedAxis& columns, const TileSet<T>& way, TileLoop<T>& loop,
                          Range pixels, const T* from, const T* w, T* to, const T* bias,
                          std::int64_t channels) const {
    const std::int64_t terms = loop.terms;
    // Where pixels have different taps, their sums are complete only after the last call.
    const bool waits = loop.rectifies && !(columns.taps_of(pixels.begin).begin == 0 &&
                                           columns.taps_of(pixels.end - 1).end == columns.taps);
    if (waits) loop.rectifies = false;
    for_each_view(columns, pixels, [&](Range taps, Range some) {
      const std::int64_t column =
          columns.origin + some.begin * columns.source_step + taps.begin * columns.tap_step;
      loop.taps = taps.size();
      loop.pixels = static_cast<int>(some.size());
      if (loop.is_joined) {
        loop.terms = terms * loop.taps;
        loop.taps = 1;
      }
      way.tile(some.size())(loop, from + column * x.channels, w + taps.begin * loop.tap_w,
                            to + some.begin * loop.pixel_y, bias);
      loop.terms = terms;
      loop.accumulate = true;
    });
    if (waits)
      for (std::int64_t i = pixels.begin; i < pixels.end; ++i)
        activate_row(Activation::relu, T(0), to + i * loop.pixel_y, channels);
  }

  bool tiles_rectify() const {
    return args.activation == Activation::relu && args.addend == nullptr;
  }

  // The addend, and activations and derivatives that tiles do not apply (they apply ReLU).
  void finish(Range range, T* to) const {
    const bool activates = args.activation != Activation::identity && !tiles_rectify();
    if (args.addend == nullptr && !activates && args.derivative == Activation::identity) return;
    const T alpha = static_cast<T>(args.alpha);
    for (std::int64_t i = range.begin; i < range.end; ++i, to += y.row()) {
      if (args.addend != nullptr) add_row(static_cast<const T*>(args.addend) + i * y.row(), to);
      if (activates) activate_row(args.activation, alpha, to, y.row());
      if (args.derivative != Activation::identity)
        differentiate_row(args.derivative, alpha, static_cast<const T*>(args.saved) + i * y.row(),
                          to, y.row());
    }
  }
  void add_row(const T* from, T* to) const {
    for_each_vector<T>(0, y.row(), [=](std::int64_t i, int n) {
      store(to + i, load(to + i, n) + load(from + i, n), n);
    });
  }
};

// f(range, ahead) for rows of y, as many at a time as stay in the second-level cache for all
// panels: multiples of `unit`, at most `most_rows`. The rows behind, up to `end`, are next.
template <class T, class F>
void for_each_stretch(const Conv<T>& conv, Range rows, std::int64_t end, std::int64_t unit,
                      std::int64_t most_rows, F f) {
  const ImageShape &x = conv.x, &y = conv.y;
  constexpr std::int64_t budget = 128 * 1024 / sizeof(T);
  const std::int64_t pixels = ceil_div(x.rows * x.row(), y.rows) + y.row();
  const std::int64_t step = most(1, least(budget / pixels, most_rows) / unit) * unit;
  const auto x_row = [&](std::int64_t i) {
    return static_cast<const T*>(conv.args.x) +
           (i / y.rows * x.rows + i % y.rows * x.rows / y.rows) * x.row();
  };
  const std::int64_t tiles_a_row =
      ceil_div(y.width, accumulators / 2) * ceil_div(y.channels, 2 * vec<T>::width);
  for (std::int64_t i = rows.begin; i < rows.end; i += step) {
    const std::int64_t next = least(i + step, rows.end);
    // A row larger than the cache cannot be prefetched into it.
    Ahead ahead;
    const std::int64_t tiles = (next - i) * tiles_a_row;
    if (const ConvArgs& args = conv.args; args.ahead[0] != nullptr) {
      const auto behind = [&](std::int64_t row) {
        return least(row + rows.size(), args.images * y.rows) * args.ahead_bytes / args.unit;
      };
      ahead = Ahead(args.ahead, behind(i), behind(next) - behind(i), tiles);
    } else if (pixels <= 2 * budget) {
      ahead = Ahead(x_row(next), x_row(least(next + step, end)), tiles);
    }
    f(Range{i, next}, ahead);
  }
}

// Rows of whole images that are pooled at once and never stored.
template <class T> [[gnu::noinline]] void conv_pooled(Conv<T> conv, Range rows) noexcept {
  constexpr std::int64_t numbers = max_unpooled_bytes / sizeof(T);
  alignas(64) T unpooled[numbers];
  ImageShape& y = conv.y;
  const std::int64_t windows = y.rows / 2, columns = y.width / 2, channels = y.channels;
  // With a vector or more for each pixel, padded to whole vectors, none crosses a cache line. In a
  // group they would reach into the next one.
  const std::int64_t whole = ceil_div(channels, vec<T>::width) * vec<T>::width;
  if (conv.args.shape.groups == 1 && 2 * channels > vec<T>::width &&
      2 * y.width * whole <= numbers) {
    y = {y.rows, y.width, whole, true};
    __builtin_memset(unpooled, 0, sizeof unpooled); // for unused lanes, which are compared too
  }
  for (std::int64_t top = rows.begin; top < rows.end; top += y.rows)
    for_each_stretch(conv, {top, top + 2 * windows}, rows.end, 2, numbers / y.row(),
                     [&](Range range, Ahead& ahead) {
                       conv.rows(range, unpooled, ahead);
                       const std::int64_t at =
                           (top / y.rows * windows + (range.begin - top) / 2) * columns * channels;
                       T* const to = static_cast<T*>(conv.args.y) + at;
                       auto* const argmax = static_cast<std::uint8_t*>(conv.args.argmax) + at;
                       const std::int64_t pairs = range.size() / 2;
                       if (y.has_room)
                         max_pool_pairs(unpooled, y.channels, pairs, y.width, channels, to, argmax);
                       else
                         max_pool_pairs(unpooled, pairs, y.width, channels, to, argmax);
                     });
}

template <class T> void conv(const ConvArgs& args, Slice slice) noexcept {
  const Conv<T> problem(args);
  const std::int64_t end = least(slice.end * args.unit, args.images * problem.y.rows);
  const Range rows{slice.begin * args.unit, end};
  if (args.argmax != nullptr) return conv_pooled(problem, rows);
  for_each_stretch(problem, rows, end, 1, INT64_MAX, [&](Range range, Ahead& ahead) {
    problem.rows(range, static_cast<T*>(args.y) + range.begin * problem.y.row(), ahead);
  });
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
