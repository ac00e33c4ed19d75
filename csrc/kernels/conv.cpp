// Convolution of channels-last images without im2col, and its data gradient: the same loops.
//
// A tile of pixels x channels is summed in registers over window rows, window columns and channels;
// the source is read in place, the weights are packed in the order of the loops. The data gradient
// is a convolution of dy by the weights turned round, channels and filters exchanged; with a
// stride, one for each residue of the place. Taps in the padding are left out, not multiplied by
// zero. What a pixel sums in which order depends on its place in the image alone.
#include "kernels/conv.h"
#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/args/conv.h"
#include "kernels/conv_depthwise.h"
#include "kernels/conv_few_channels.h"
#include "kernels/conv_tile.h"
#include "kernels/entry.h"
#include "kernels/pool.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The tiles that do a row of pixels.
template <class T> struct TileSet {
  const ConvTile<T>* tiles;
  int pixels;    // of the widest
  bool is_fused; // and the weights lie accordingly
  int step = 1;  // pixels by which a tile is wider than the one before
  ConvTile<T> tile(std::int64_t count) const { return tiles[ceil_div(count, step) - 1]; }
};

template <class T, int vectors, int window, int depth>
constexpr TileSet<T> fused_set{fused_tiles<T, vectors, window, depth>.of,
                               fused_pixels<T, vectors, window, depth>, true};

template <class T, int vectors, int depth = 1> TileSet<T> tile_set_of(const Phase& columns) {
  // No more padding than a window less one column, or a pixel would see nothing else.
  const bool is_dense = columns.source_step == 1 && columns.tap_step == 1 &&
                        columns.origin > -columns.taps &&
                        columns.origin + columns.count <= columns.sources;
  if constexpr (fused_pixels<T, vectors, 3> > 0)
    if (is_dense && columns.taps == 3) return fused_set<T, vectors, 3, depth>;
  if constexpr (fused_pixels<T, vectors, 5> > 0)
    if (is_dense && columns.taps == 5) return fused_set<T, vectors, 5, depth>;
  return {plain_tiles<T, vectors, depth>.of, plain_pixels<vectors, depth>, false};
}

// Some channels of the result: those of a few vectors, or the rest of them, see `most_rest`.
struct OutputPanel {
  std::int64_t first;
  int vectors; // 0: the rest
  int channels;
  bool is_slim; // see `slim_tile`

  // Weights of a tap, for so many channels of the source.
  template <class T> std::int64_t weights(std::int64_t terms) const {
    return vectors > 0 ? terms * vectors * vec<T>::width
                       : ceil_div(terms, rest_depth<T>) * vec<T>::width;
  }
};

template <class T> TileSet<T> tile_set_of(const Phase& columns, const OutputPanel& panel) {
  if constexpr (most_rest<T> > 0) {
    constexpr int depth = rest_depth<T>;
    if (panel.is_slim) return {slim_tiles<T>.of, slim_vectors * depth, false, depth};
    if (panel.vectors == 0) return tile_set_of<T, 1, depth>(columns);
  }
  return panel.vectors == 1   ? tile_set_of<T, 1>(columns)
         : panel.vectors == 2 ? tile_set_of<T, 2>(columns)
                              : tile_set_of<T, 4>(columns);
}

// The channels of the result, cut into panels of 4, 2 or 1 vectors, and the rest.
template <class T> struct OutputPanels {
  std::int64_t channels, vectors;
  int widest;
  bool has_rest, is_slim;

  // `is_one`: the source has no more than these terms.
  OutputPanels(std::int64_t outputs, const Phase& columns, std::int64_t terms, bool is_one)
      : channels(outputs) {
    constexpr int width = vec<T>::width;
    const std::int64_t rest = channels % width;
    // No pixel may leave a tap out that others in its vector see.
    is_slim = terms == 1 && is_one && columns.source_step == 1 && columns.tap_step == 1 &&
              columns.origin >= 0 && columns.taps_of(columns.count - 1).end == columns.taps;
    has_rest = channels > width && rest > 0 && rest <= most_rest<T> && (is_slim || terms > 1);
    vectors = has_rest ? channels / width : ceil_div(channels, width);
    widest = vectors < 2 ? 1 : 2;
    // A few pixels alone would not keep the arithmetic busy.
    if (columns.count <= 4 && vectors > 2 &&
        tile_set_of<T, 4>(columns).is_fused == tile_set_of<T, 2>(columns).is_fused)
      widest = 4;
  }
  template <class F> GYAKU_INLINE void each(F f) const {
    constexpr int width = vec<T>::width;
    std::int64_t first = 0;
    const auto panel = [&](int size, std::int64_t numbers) {
      f(OutputPanel{first, size, static_cast<int>(least(numbers, channels - first)),
                    is_slim && size == 0});
      first += numbers;
    };
    for (int size = widest; size > 0; size /= 2)
      while (first + size * width <= vectors * width) panel(size, size * width);
    if (has_rest) panel(0, width);
  }
};

// One row phase with one column phase, and where its weights lie.
template <class T> struct Pass {
  Phase rows, columns;
  T* weights;
  std::int64_t taps() const { return rows.taps * columns.taps; }
};

// How a problem's channels are cut, and where its weights lie once they are packed:
// [group][pass][block of channels][panel][taps and channels of the block][vectors * width].
template <class T> struct ConvPlan {
  const ConvShape& shape;
  bool backward;
  std::int64_t inputs, outputs; // channels of a group, read and written
  std::int64_t block;           // of inputs

  ConvPlan(const ConvShape& s, bool b)
      : shape(s), backward(b), inputs(b ? s.filters : s.channels),
        outputs(b ? s.channels : s.filters) {
    // A panel's weights of one block stay in the second-level cache while rows pass by.
    constexpr std::int64_t budget = 128 * 1024 / (2 * vector_bytes<T>);
    const std::int64_t largest = most(16, budget / taps());
    block = ceil_div(inputs, ceil_div(inputs, largest));
  }
  std::int64_t taps() const { return std::int64_t{shape.rows.taps} * shape.columns.taps; }
  std::int64_t padded_outputs() const { return ceil_div(outputs, vec<T>::width) * vec<T>::width; }

  template <class W, class F>
  GYAKU_INLINE void for_each_pass(W* packed, std::int64_t group, F f) const {
    W* weights = packed + group * taps() * inputs * padded_outputs();
    for (std::int64_t r = 0; r < phases_of(shape.rows, backward); ++r)
      for (std::int64_t c = 0; c < phases_of(shape.columns, backward); ++c) {
        const Pass<W> pass{phase_of(shape.rows, backward, r), phase_of(shape.columns, backward, c),
                           weights};
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

// Tap `tap` of a window row, for the last channels of the result. What fills up the vectors is zero
// where it counts.
template <class T>
void pack_rest(const ConvPlan<T>& plan, const T* w, Range terms, const OutputPanel& panel,
               const Phase& columns, std::int64_t tap, T* to) noexcept {
  constexpr int depth = rest_depth<T>;
  const std::int64_t filters = std::int64_t{plan.shape.groups} * plan.shape.filters;
  const std::int64_t vectors = ceil_div(terms.size(), depth);
  const bool is_fused = tile_set_of<T>(columns, panel).is_fused;
  for (std::int64_t v = 0; v < vectors; ++v) {
    T* vector = to + (is_fused ? v * columns.taps + tap : tap * vectors + v) * vec<T>::width;
    for (int lane = 0; lane < vec<T>::width; ++lane) {
      const std::int64_t k = panel.first + lane / depth,
                         c = terms.begin + v * depth + (panel.is_slim ? 0 : lane % depth);
      const bool is_one = lane / depth < panel.channels && c < terms.end;
      vector[lane] = !is_one ? T(0) : w[plan.backward ? k * filters + c : c * filters + k];
    }
  }
}

// One tap of a panel: `terms` rows of `vectors` vectors, `step` apart, zero beyond the outputs.
template <class T>
void pack_tap(const ConvPlan<T>& plan, const T* w, Range terms, std::int64_t output, int vectors,
              T* to, std::int64_t step) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t filters = std::int64_t{plan.shape.groups} * plan.shape.filters;
  for (int j = 0; j < vectors; ++j, output += width, to += width) {
    const int valid = static_cast<int>(least(width, plan.outputs - output));
    if (!plan.backward) {
      for (std::int64_t c = 0; c < terms.size(); ++c)
        store(to + c * step, load(w + (terms.begin + c) * filters + output, valid));
      continue;
    }
    for_each_vector<T>(0, terms.size(), [&](std::int64_t c, int count) {
      vec<T> square[width];
#pragma GCC unroll 16
      for (int k = 0; k < width; ++k)
        square[k] =
            k < valid ? load(w + (output + k) * filters + terms.begin + c, count) : zero<T>();
      transpose_square(square);
      for (int k = 0; k < count; ++k) store(to + (c + k) * step, square[k]);
    });
  }
}

// A slice counts taps of the window, of all groups.
template <class T> void conv_pack(const ConvPackArgs& args, Slice slice) noexcept {
  const ConvPlan<T> plan(args.shape, args.backward);
  const ConvShape& shape = args.shape;
  const std::int64_t taps = plan.taps(), filters = std::int64_t{shape.groups} * shape.filters;
  for (std::int64_t g = slice.begin / taps; g * taps < slice.end; ++g)
    plan.for_each_pass(static_cast<T*>(args.packed), g, [&](const Pass<T>& pass) {
      const Phase &rows = pass.rows, &columns = pass.columns;
      for (std::int64_t i = 0; i < rows.taps; ++i)
        for (std::int64_t j = 0; j < columns.taps; ++j) {
          const std::int64_t tap = (rows.tap + i * rows.tap_skip) * shape.columns.taps +
                                   columns.tap + j * columns.tap_skip;
          if (g * taps + tap < slice.begin || g * taps + tap >= slice.end) continue;
          const T* w =
              static_cast<const T*>(args.w) + tap * shape.channels * filters + g * shape.filters;
          plan.for_each_panel(pass, [&](Range terms, const OutputPanel& panel, T* to) {
            to += i * columns.taps * panel.weights<T>(terms.size());
            if (panel.vectors == 0) return pack_rest(plan, w, terms, panel, columns, j, to);
            const bool is_fused = tile_set_of<T>(columns, panel).is_fused;
            const std::int64_t size = panel.vectors * vec<T>::width;
            pack_tap(plan, w, terms, panel.first, panel.vectors,
                     to + (is_fused ? j : j * terms.size()) * size,
                     is_fused ? columns.taps * size : size);
          });
        }
    });
}

// Rows of pixels, `width` of them with `channels` numbers each.
struct Raster {
  std::int64_t rows, width, channels;
  bool has_room = false; // behind the channels that count, for whole vectors
  std::int64_t row() const { return width * channels; }
};

template <class T> struct Conv {
  const ConvArgs& args;
  ConvPlan<T> plan;
  Raster x, y;

  explicit Conv(const ConvArgs& a) : args(a), plan(a.shape, a.backward) {
    const ConvShape& s = a.shape;
    const Raster image{s.rows.size, s.columns.size, std::int64_t{s.groups} * s.channels},
        windows{s.rows.windows, s.columns.windows, std::int64_t{s.groups} * s.filters};
    x = a.backward ? windows : image;
    y = a.backward ? image : windows;
  }

  // A stretch of y's rows, counted through all images, of which the first goes `to`.
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
      Walk<T> walk;
      walk.row_x = pass.rows.tap_step * x.row();
      walk.tap_x = pass.columns.tap_step * x.channels;
      walk.tap_w = panel.weights<T>(terms.size());
      walk.row_w = pass.columns.taps * walk.tap_w;
      walk.terms = terms.size();
      // Taps that lie side by side in the source are one tap of many channels.
      walk.is_joined = walk.tap_x == terms.size() && (panel.vectors > 0 || panel.is_slim);
      walk.pixel_x = pass.columns.source_step * x.channels;
      walk.pixel_y = pass.columns.step * y.channels;
      walk.last_bias = panel.channels - static_cast<int>(most(0, panel.vectors - 1)) * width;
      walk.last = panel.vectors > 0 && y.has_room ? width : walk.last_bias;
      walk.accumulate = terms.begin > 0;
      walk.rectifies = args.activation == Activation::relu && terms.end == plan.inputs;
      std::int64_t image = range.begin / y.rows, place = range.begin % y.rows - 1;
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        if (++place == y.rows) {
          ++image;
          place = 0;
        }
        if (pass.rows.step > 1 && place % pass.rows.step != pass.rows.first) continue;
        const std::int64_t q = place / pass.rows.step;
        const Range seen = pass.rows.taps_of(q);
        walk.rows = most(0, seen.size());
        const std::int64_t x_row =
            pass.rows.origin + q * pass.rows.source_step + seen.begin * pass.rows.tap_step;
        row(pass.columns, way, walk,
            static_cast<const T*>(args.x) + (image * x.rows + x_row) * x.row() +
                group * plan.inputs + terms.begin,
            w + seen.begin * walk.row_w,
            to + (i - range.begin) * y.row() + pass.columns.first * y.channels + output, bias,
            panel.channels, ahead);
      }
    });
  }

  // x is where column 0 of the source is, y the first pixel.
  GYAKU_INLINE void row(const Phase& columns, const TileSet<T>& way, Walk<T>& walk, const T* from,
                        const T* w, T* to, const T* bias, std::int64_t channels,
                        Ahead& ahead) const {
    const bool accumulate = walk.accumulate, rectifies = walk.rectifies;
    for_each_piece(columns.count, way.pixels, [&](Range pixels) {
      ahead.ask();
      if (!way.is_fused) {
        plain(columns, way, walk, pixels, from, w, to, bias, channels);
        walk.accumulate = accumulate;
        walk.rectifies = rectifies;
        return;
      }
      const std::int64_t at = columns.origin + pixels.begin;
      walk.left = static_cast<int>(most(0, -at));
      walk.right =
          static_cast<int>(most(0, at + pixels.size() + columns.taps - 1 - columns.sources));
      way.tile(pixels.size())(walk, from + at * x.channels, w, to + pixels.begin * walk.pixel_y,
                              bias);
    });
  }

  GYAKU_INLINE void plain(const Phase& columns, const TileSet<T>& way, Walk<T>& walk, Range pixels,
                          const T* from, const T* w, T* to, const T* bias,
                          std::int64_t channels) const {
    const std::int64_t terms = walk.terms;
    // Where pixels do not all see the same taps, their sums are not whole before the last view.
    const bool waits = walk.rectifies && !(columns.taps_of(pixels.begin).begin == 0 &&
                                           columns.taps_of(pixels.end - 1).end == columns.taps);
    if (waits) walk.rectifies = false;
    for_each_view(columns, pixels, [&](Range taps, Range some) {
      const std::int64_t column =
          columns.origin + some.begin * columns.source_step + taps.begin * columns.tap_step;
      walk.taps = taps.size();
      walk.pixels = static_cast<int>(some.size());
      if (walk.is_joined) {
        walk.terms = terms * walk.taps;
        walk.taps = 1;
      }
      way.tile(some.size())(walk, from + column * x.channels, w + taps.begin * walk.tap_w,
                            to + some.begin * walk.pixel_y, bias);
      walk.terms = terms;
      walk.accumulate = true;
    });
    if (waits)
      for (std::int64_t i = pixels.begin; i < pixels.end; ++i)
        activate_row(Activation::relu, T(0), to + i * walk.pixel_y, channels);
  }

  // What tiles have not done: they rectify.
  void finish(Range range, T* to) const {
    const bool activates = !is_rectifier(args.activation);
    if (!activates && args.derivative == Activation::identity) return;
    const T alpha = static_cast<T>(args.alpha);
    for (std::int64_t i = range.begin; i < range.end; ++i, to += y.row()) {
      if (activates) activate_row(args.activation, alpha, to, y.row());
      if (args.derivative != Activation::identity)
        differentiate_row(args.derivative, alpha, static_cast<const T*>(args.saved) + i * y.row(),
                          to, y.row());
    }
  }
};

// f(range, ahead) for rows of y, as many at a time as stay in the second-level cache while all
// panels pass by: multiples of `unit`, at most `most_rows`. Those behind, up to `end`, come next.
template <class T, class F>
void for_each_stretch(const Conv<T>& conv, Range rows, std::int64_t end, std::int64_t unit,
                      std::int64_t most_rows, F f) {
  const Raster &x = conv.x, &y = conv.y;
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
    // A row that does not fit into the cache cannot wait there either.
    Ahead ahead;
    if (pixels <= 2 * budget)
      ahead = Ahead(x_row(next), x_row(least(next + step, end)), (next - i) * tiles_a_row);
    f(Range{i, next}, ahead);
  }
}

// Rows of whole images that are pooled at once and forgotten.
template <class T> [[gnu::noinline]] void conv_pooled(Conv<T> conv, Range rows) noexcept {
  constexpr std::int64_t numbers = max_unpooled_bytes / sizeof(T);
  alignas(64) T unpooled[numbers];
  Raster& y = conv.y;
  const std::int64_t windows = y.rows / 2, columns = y.width / 2, channels = y.channels;
  // Where a pixel takes a vector or more of its own, whole vectors cross no cache line. Those of a
  // group would reach into the next one.
  const std::int64_t whole = ceil_div(channels, vec<T>::width) * vec<T>::width;
  if (conv.args.shape.groups == 1 && 2 * channels > vec<T>::width &&
      2 * y.width * whole <= numbers) {
    y = {y.rows, y.width, whole, true};
    __builtin_memset(unpooled, 0, sizeof unpooled); // for lanes that are compared in vain
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

Entry conv_pack_kernel() noexcept {
  return entry<ConvPackArgs, conv_pack<float>, conv_pack<double>>;
}
Entry conv_kernel() noexcept { return entry<ConvArgs, conv<float>, conv<double>>; }
Entry conv_narrow_pack_kernel() noexcept {
  return entry<ConvPackArgs, conv_narrow_pack<float>, conv_narrow_pack<double>>;
}
Entry conv_narrow_kernel() noexcept {
  return entry<ConvArgs, conv_narrow<float>, conv_narrow<double>>;
}
Entry depthwise_kernel() noexcept { return entry<ConvArgs, depthwise<float>, depthwise<double>>; }
Entry depthwise_weights_kernel() noexcept {
  return entry<ConvWeightsArgs, depthwise_weights<float>, depthwise_weights<double>>;
}
void conv_limits(Limits& limits) noexcept {
  limits.lanes[static_cast<int>(Scalar::float32)] = vec<float>::width;
  limits.lanes[static_cast<int>(Scalar::float64)] = vec<double>::width;
}

} // namespace gyaku::GYAKU_ISA_NAME
