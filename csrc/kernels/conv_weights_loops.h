// The loops of the gradients with respect to weights and biases around their register tiles, see
// conv_weights.cpp.
#pragma once

#include "kernels/args/conv.h"
#include "kernels/conv.h"
#include "kernels/conv_weights_tile.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// A range of images, rows and columns.
struct PixelBox {
  Range images, rows, columns;
  constexpr bool is_empty() const {
    return images.is_empty() || rows.is_empty() || columns.is_empty();
  }
};

// Pixels in memory: a pointer, and the strides of images, rows and columns.
template <class T> struct ImageView {
  const T* origin;
  std::int64_t image, row, column;
  const T* at(std::int64_t i, std::int64_t r, std::int64_t c) const {
    return origin + i * image + r * row + c * column;
  }
};

// db += sum of dy over a box, for `filters` filters.
template <class T>
void add_pixels(const ImageView<T>& dy, const PixelBox& box, std::int64_t filters, T* db) noexcept {
  constexpr int turns = 4; // independent sums: no addition waits for the one before
  for_each_vector<T>(0, filters, [&](std::int64_t k, int n) {
    vec<T> sum[turns];
#pragma GCC unroll 4
    for (int turn = 0; turn < turns; ++turn) sum[turn] = zero<T>();
    for (std::int64_t i = box.images.begin; i < box.images.end; ++i)
      for (std::int64_t r = box.rows.begin; r < box.rows.end; ++r) {
        const T* from = dy.at(i, r, box.columns.begin) + k;
        std::int64_t c = 0;
        for (; c + turns <= box.columns.size(); c += turns) {
#pragma GCC unroll 4
          for (int turn = 0; turn < turns; ++turn, from += dy.column)
            sum[turn] = add_element(sum[turn], load(from, n));
        }
        for (; c < box.columns.size(); ++c, from += dy.column)
          sum[0] = add_element(sum[0], load(from, n));
      }
    store(db + k, load(db + k, n) + ((sum[0] + sum[1]) + (sum[2] + sum[3])), n);
  });
}

// Pixels of a copy of dy on the stack, 25 KB.
constexpr std::int64_t copied_pixels = 200;

template <class T> struct WeightGradient {
  static constexpr int width = vec<T>::width;
  const ConvWeightsArgs& args;
  StridedAxis rows, columns;
  ImageView<T> x, dy;
  std::int64_t channels, filters; // of a group
  std::int64_t vectors, panels;   // vectors of filters in a panel, and panels
  std::int64_t remainder;         // filters of the last panel if its vectors run along x, else 0
  // Rows of dw, (tap, channel), in runs with contiguous elements of x; runs in tiles.
  std::int64_t run, runs, tiles_a_run;
  bool copies_dy;
  // The taps of a kernel row have one tile, see `shared_tile`, whose height counts kernel rows of
  // one channel, or channels of one kernel row. The rows of dw are counted accordingly.
  SharedTiles<T> shared{};
  bool by_rows;
  std::int64_t chunk_images, chunk_rows, chunk_columns; // number of chunks along each axis

  explicit WeightGradient(const ConvWeightsArgs& a)
      : args(a), rows(forward_axis(a.shape.rows)), columns(forward_axis(a.shape.columns)),
        channels(a.shape.channels), filters(a.shape.filters) {
    const std::int64_t all_channels = channels * a.shape.groups,
                       all_filters = filters * a.shape.groups;
    x = {static_cast<const T*>(a.x), rows.sources * columns.sources * all_channels,
         columns.sources * all_channels, all_channels};
    dy = {static_cast<const T*>(a.dy), rows.count * columns.count * all_filters,
          columns.count * all_filters, all_filters};
    vectors = filters > width ? 2 : 1;
    // With few channels a kernel row is one run.
    const bool joined = channels < 8 && a.shape.groups == 1 && columns.tap_step == 1;
    run = joined ? columns.taps * channels : channels;
    runs = rows.taps * columns.taps * channels / run;
    tiles_a_run = ceil_div(run, accumulators / vectors);
    remainder = filters > width && run >= width ? filters % width : 0;
    by_rows = all_channels == 1;
    if (columns.source_step == 1 && columns.tap_step == 1 &&
        (by_rows || (channels >= 8 && filters <= width)))
      shared = shared_tiles_of<T>(columns.taps);
    if (shared.of != nullptr) {
      vectors = 1;
      run = by_rows ? rows.taps * columns.taps : columns.taps * channels;
      runs = by_rows ? 1 : rows.taps;
      if (by_rows) shared.height = static_cast<int>(least(shared.height, columns.taps));
      tiles_a_run = ceil_div(heights(), shared.height);
      const bool is_padded =
          columns.origin < 0 || columns.taps_of(columns.count - 1).end < columns.taps;
      remainder = filters > width && by_rows && !is_padded ? filters % width : 0;
    }
    if (remainder > max_remainder<T>) remainder = 0;
    panels = ceil_div(filters - remainder, vectors * width) + (remainder > 0);
    // Pixels with a large stride fall into few cache sets: a copy pays if many tiles read it.
    copies_dy = ((filters - remainder) % width != 0 && !partial_is_free) ||
                (runs * tiles_a_run >= 8 && all_filters != vectors * width && shared.of == nullptr);
    // Long enough to hide the addition of a tile to dw; longer for few channels.
    const std::int64_t small =
        64 * 1024 / static_cast<int>(sizeof(T)) / (all_channels + all_filters);
    std::int64_t pixels = copies_dy ? copied_pixels : most(copied_pixels, small);
    if (packs_remainder()) pixels = least(pixels, 2 * copied_pixels); // at worst a vector each
    chunk_images = ceil_div(a.images, most(1, pixels / (rows.count * columns.count)));
    chunk_columns = ceil_div(columns.count, pixels);
    chunk_rows = ceil_div(rows.count, most(1, pixels / columns.count));
  }

  std::int64_t chunks() const { return chunk_images * chunk_rows * chunk_columns; }
  PixelBox chunk(std::int64_t number) const {
    const auto piece = [](std::int64_t count, std::int64_t i, std::int64_t pieces) {
      return Range{count * i / pieces, count * (i + 1) / pieces};
    };
    return {piece(args.images, number / (chunk_rows * chunk_columns), chunk_images),
            piece(rows.count, number / chunk_columns % chunk_rows, chunk_rows),
            piece(columns.count, number % chunk_columns, chunk_columns)};
  }

  // Rows of dw over all groups; and the first tile that begins at a row or behind it.
  std::int64_t dw_rows() const { return args.shape.groups * runs * run; }
  std::int64_t tiles_a_group() const { return runs * tiles_a_run; }
  std::int64_t tile_from(std::int64_t row) const {
    return row / run * tiles_a_run + ceil_div(row % run * tiles_a_run, run);
  }
  Range rows_of(std::int64_t tile) const {
    const std::int64_t begin = tile / tiles_a_run * run, part = tile % tiles_a_run;
    return {begin + run * part / tiles_a_run, begin + run * (part + 1) / tiles_a_run};
  }

  std::int64_t heights() const { return by_rows ? rows.taps : channels; }
  Range heights_of(std::int64_t tile) const {
    const std::int64_t part = tile % tiles_a_run;
    return {heights() * part / tiles_a_run, heights() * (part + 1) / tiles_a_run};
  }
  // Strides in rows of dw: to the next tap, and to the next element of x in a shared tile.
  std::int64_t tap_step() const { return by_rows ? 1 : channels; }
  std::int64_t height_step() const { return by_rows ? columns.taps : 1; }
  std::int64_t shared_row(std::int64_t tile) const {
    return tile / tiles_a_run * columns.taps * channels + heights_of(tile).begin * height_step();
  }
  // f(row of dw) for all rows of a tile.
  template <class F> GYAKU_INLINE void for_each_row(std::int64_t tile, F f) const {
    if (shared.of == nullptr) {
      const Range some = rows_of(tile);
      for (std::int64_t row = some.begin; row < some.end; ++row) f(row);
      return;
    }
    const std::int64_t size = heights_of(tile).size();
    for (std::int64_t t = 0; t < columns.taps; ++t)
      for (std::int64_t i = 0; i < size; ++i)
        f(shared_row(tile) + t * tap_step() + i * height_step());
  }

  // Pixels of a box with a tap inside the image.
  PixelBox seen(const PixelBox& box, std::int64_t tap) const {
    return {box.images, both(box.rows, rows.results_of(tap / columns.taps)),
            both(box.columns, columns.results_of(tap % columns.taps))};
  }

  // One tile over one chunk, of which `pixels` are dy; dw points to the first row of the tile.
  void tile(const PixelBox& box, const ImageView<T>& images, const ImageView<T>& pixels,
            Range tile_rows, std::int64_t panel, T* dw) const {
    const std::int64_t first = tile_rows.begin / channels, last = (tile_rows.end - 1) / channels;
    if (first == last) return sum(seen(box, first), images, pixels, tile_rows, panel, dw);
    // Taps of one kernel row: first the pixels that have all of them, then for each tap those to
    // the left and to the right.
    PixelBox inner = seen(box, first);
    for (std::int64_t tap = first + 1; tap <= last; ++tap)
      inner.columns = both(inner.columns, seen(box, tap).columns);
    if (inner.columns.is_empty()) inner.columns = {box.columns.begin, box.columns.begin};
    sum(inner, images, pixels, tile_rows, panel, dw);
    for (std::int64_t tap = first; tap <= last; ++tap) {
      const Range some = both(tile_rows, {tap * channels, (tap + 1) * channels});
      const PixelBox all = seen(box, tap);
      T* to = dw + (some.begin - tile_rows.begin) * dy.column;
      PixelBox side = all;
      side.columns.end = least(all.columns.end, inner.columns.begin);
      sum(side, images, pixels, some, panel, to);
      side.columns = {most(all.columns.begin, inner.columns.end), all.columns.end};
      sum(side, images, pixels, some, panel, to);
    }
  }

  PixelLoop<T> loop_of(const PixelBox& box, const ImageView<T>& images,
                       const ImageView<T>& pixels) const {
    PixelLoop<T> loop{};
    loop.images = box.images.size();
    loop.image_x = images.image;
    loop.image_dy = pixels.image;
    loop.rows = box.rows.size();
    loop.row_x = rows.source_step * images.row;
    loop.row_dy = pixels.row;
    loop.columns = box.columns.size();
    loop.column_x = columns.source_step * images.column;
    loop.column_dy = pixels.column;
    return loop;
  }

  // The same for a shared tile; dw points to the first row of all tiles.
  void add_shared_tile(const PixelBox& box, const ImageView<T>& images, const ImageView<T>& pixels,
                       std::int64_t tile, std::int64_t panel, T* dw) const {
    dw += shared_row(tile) * dy.column;
    const Range part = heights_of(tile);
    PixelBox some = box;
    if (!by_rows) {
      const std::int64_t row = tile / tiles_a_run;
      some.rows = both(box.rows, rows.results_of(row));
      return add_shared_tile(some, images, pixels, row, part, panel, dw);
    }
    // First the rows of pixels with all kernel rows inside the image, then the others one by one.
    some.rows = both(box.rows, both(rows.results_of(part.begin), rows.results_of(part.end - 1)));
    const Range inner = some.rows;
    add_shared_tile(some, images, pixels, part.begin, part, panel, dw);
    for (std::int64_t r = box.rows.begin; r < box.rows.end; ++r) {
      if (inner.begin <= r && r < inner.end) continue;
      some.rows = {r, r + 1};
      const Range seen = both(part, rows.taps_of(r));
      add_shared_tile(some, images, pixels, seen.begin, seen, panel,
                      dw + (seen.begin - part.begin) * height_step() * dy.column);
    }
  }
  void add_shared_tile(const PixelBox& box, const ImageView<T>& images, const ImageView<T>& pixels,
                       std::int64_t window_row, Range part, std::int64_t panel, T* dw) const {
    if (box.is_empty() || part.is_empty()) return;
    const std::int64_t column = columns.origin + box.columns.begin,
                       end = columns.origin + box.columns.end - 1 + columns.taps;
    PixelLoop<T> loop = loop_of(box, images, pixels);
    loop.row_dw = height_step() * dy.column;
    loop.tap_dw = tap_step() * dy.column;
    loop.last = static_cast<int>(filters_of(panel).size());
    loop.step_x = by_rows ? rows.tap_step * images.row : 1;
    loop.left = static_cast<int>(most(0, -column));
    loop.right = static_cast<int>(most(0, end - columns.sources));
    const T* from =
        images.at(box.images.begin,
                  rows.origin + box.rows.begin * rows.source_step + window_row * rows.tap_step,
                  column) +
        (by_rows ? 0 : part.begin);
    (is_remainder(panel) ? shared.tail : shared.of)[part.size() - 1](
        loop, from, pixels.at(box.images.begin, box.rows.begin, box.columns.begin), dw);
  }

  bool packs_remainder() const { return remainder > 0 && shared.of != nullptr; }
  bool is_remainder(std::int64_t panel) const { return remainder > 0 && panel + 1 == panels; }
  Range filters_of(std::int64_t panel) const {
    if (is_remainder(panel)) return {filters - remainder, filters};
    const std::int64_t size = vectors * width;
    return {panel * size, least((panel + 1) * size, filters - remainder)};
  }

  void sum(const PixelBox& box, const ImageView<T>& images, const ImageView<T>& pixels,
           Range tile_rows, std::int64_t panel, T* dw) const {
    if (box.is_empty()) return;
    const std::int64_t tap = tile_rows.begin / channels;
    const std::int64_t count = filters_of(panel).size(), n = ceil_div(count, width);
    PixelLoop<T> loop = loop_of(box, images, pixels);
    loop.row_dw = dy.column;
    loop.height = static_cast<int>(tile_rows.size());
    loop.last = static_cast<int>(count - (n - 1) * width);
    const T* from = images.at(box.images.begin,
                              rows.origin + box.rows.begin * rows.source_step +
                                  tap / columns.taps * rows.tap_step,
                              columns.origin + box.columns.begin * columns.source_step +
                                  tap % columns.taps * columns.tap_step) +
                    tile_rows.begin % channels;
    const OuterTile<T> tile = is_remainder(panel) ? remainder_tile_of<T>(count)
                              : n == 1            ? multiply_outer<T, 1>
                                                  : multiply_outer<T, 2>;
    tile(loop, from, pixels.at(box.images.begin, box.rows.begin, box.columns.begin), dw);
  }

  // A copy of one panel of dy in a chunk, padded to whole vectors.
  ImageView<T> copied(const PixelBox& box, const T* from_filter, std::int64_t panel, T* to) const {
    const std::int64_t n = filters_of(panel).size();
    const std::int64_t step = is_remainder(panel) ? n : ceil_div(n, width) * width;
    ImageView<T> copy{to, 0, box.columns.size() * step, step};
    copy.image = box.rows.size() * copy.row;
    copy.origin -= copy.at(box.images.begin, box.rows.begin, box.columns.begin) - to;
    const ImageView<T> source{from_filter, dy.image, dy.row, dy.column};
    for (std::int64_t i = box.images.begin; i < box.images.end; ++i)
      for (std::int64_t r = box.rows.begin; r < box.rows.end; ++r) {
        const T* from = source.at(i, r, box.columns.begin);
        for (std::int64_t c = 0; c < box.columns.size(); ++c, from += dy.column, to += step)
          for_each_vector<T>(0, n,
                             [&](std::int64_t k, int m) { store(to + k, load(from + k, m)); });
      }
    return copy;
  }

  // The remaining filters of dy in a chunk, in the layout of `shared_tail_tile`; adds their sum to
  // db unless that is null.
  ImageView<T> packed(const PixelBox& box, const T* from_filter, T* to, T* db) const {
    constexpr int depth = remainder_depth<T>, most_filters = max_remainder<T>;
    const std::int64_t size = box.columns.size(), padded = ceil_div(size, depth) * depth;
    ImageView<T> copy{to, 0, padded * most_filters, 0};
    copy.image = box.rows.size() * copy.row;
    copy.origin -= copy.at(box.images.begin, box.rows.begin, 0) - to;
    const ImageView<T> source{from_filter, dy.image, dy.row, dy.column};
    T* at = to;
    for (std::int64_t i = box.images.begin; i < box.images.end; ++i)
      for (std::int64_t r = box.rows.begin; r < box.rows.end; ++r) {
        const T* from = source.at(i, r, box.columns.begin);
        for (std::int64_t c = 0; c < size; ++c, from += dy.column, at += most_filters)
          if (remainder == most_filters)
            __builtin_memcpy(at, from, most_filters * sizeof(T));
          else
            for (int k = 0; k < most_filters; ++k) at[k] = k < remainder ? from[k] : T(0);
        for (std::int64_t c = size * most_filters; c < copy.row; ++c) *at++ = T(0);
      }
    constexpr typename Count<width>::type lanes{};
    vec<T> sum = zero<T>();
    for (T* vector = to; vector < at; vector += width) {
      const vec<T> some = filter_by_filter(load(vector), lanes);
      store(vector, some);
      sum = add_element(sum, some);
    }
    const int n = static_cast<int>(remainder);
    if (db != nullptr) store_partial(db, load_partial(db, n) + add_lanes(sum, lanes), n);
    return copy;
  }

  // Prefetches x and dy of a box during `tiles` tiles.
  Ahead ahead_x(const PixelBox& box, std::int64_t tiles) const {
    const auto source = [](const StridedAxis& axis, Range windows) {
      return both({0, axis.sources}, {axis.origin + windows.begin * axis.source_step,
                                      axis.origin + (windows.end - 1) * axis.source_step +
                                          (axis.taps - 1) * axis.tap_step + 1});
    };
    const Range top = source(rows, box.rows), left = source(columns, box.columns);
    return {x.at(box.images.begin, top.begin, left.begin),
            x.at(box.images.end - 1, top.end - 1, left.end), tiles};
  }
  Ahead ahead_dy(const PixelBox& box, std::int64_t tiles) const {
    return {dy.at(box.images.begin, box.rows.begin, box.columns.begin),
            dy.at(box.images.end - 1, box.rows.end - 1, box.columns.end), tiles};
  }
};

template <class T> void fill_zero(T* to, std::int64_t n) noexcept {
  for_each_vector<T>(0, n, [&](std::int64_t i, int m) { store(to + i, zero<T>(), m); });
}

// Some tiles of one part of the sum. Tile 0 of a group adds the biases as well.
template <class T> struct WeightTiles {
  const WeightGradient<T>& problem;
  Range tiles;
  PartGradients<T> sums;

  // f(group, its tiles)
  template <class F> GYAKU_INLINE void for_each_group(F f) const {
    const std::int64_t size = problem.tiles_a_group();
    for (std::int64_t g = tiles.begin / size; g * size < tiles.end; ++g)
      f(g, Range{most(0, tiles.begin - g * size), least(size, tiles.end - g * size)});
  }

  void clear() const {
    for_each_group([&](std::int64_t g, Range some) {
      for (std::int64_t tile = some.begin; tile < some.end; ++tile)
        problem.for_each_row(tile, [&](std::int64_t row) {
          fill_zero(sums.dw + row * problem.dy.column + g * problem.filters, problem.filters);
        });
      if (some.begin == 0) fill_zero(sums.db + g * problem.filters, problem.filters);
    });
  }

  void add(const PixelBox& box, Ahead& x_ahead, Ahead& dy_ahead) const {
    alignas(64) T copy[copied_pixels * 2 * vec<T>::width];
    for_each_group([&](std::int64_t g, Range some) {
      ImageView<T> images = problem.x;
      images.origin += g * problem.channels;
      for (std::int64_t panel = 0; panel < problem.panels; ++panel) {
        const Range filters = problem.filters_of(panel);
        const std::int64_t filter = g * problem.filters + filters.begin;
        ImageView<T> pixels = problem.dy;
        pixels.origin += filter;
        if (problem.copies_dy) pixels = problem.copied(box, pixels.origin, panel, copy);
        T* db = some.begin == 0 ? sums.db + filter : nullptr;
        if constexpr (max_remainder<T> > 0)
          if (problem.packs_remainder() && problem.is_remainder(panel)) {
            pixels = problem.packed(box, pixels.origin, copy, db);
            db = nullptr;
          }
        if (db != nullptr) add_pixels(pixels, box, filters.size(), db);
        for (std::int64_t tile = some.begin; tile < some.end; ++tile) {
          x_ahead.ask();
          dy_ahead.ask();
          if (problem.shared.of != nullptr) {
            problem.add_shared_tile(box, images, pixels, tile, panel, sums.dw + filter);
            continue;
          }
          const Range rows = problem.rows_of(tile);
          problem.tile(box, images, pixels, rows, panel,
                       sums.dw + rows.begin * problem.dy.column + filter);
        }
      }
    });
  }
};

// A slice counts rows of dw, (group, tap, channel), part by part; a tile belongs to the slice that
// contains its first row.
template <class T> void conv_weights(const ConvWeightsArgs& args, Slice slice) noexcept {
  const WeightGradient<T> problem(args);
  const std::int64_t rows = problem.dw_rows(), chunks = problem.chunks();
  for (std::int64_t part = slice.begin / rows; part * rows < slice.end; ++part) {
    const WeightTiles<T> some{problem,
                              {problem.tile_from(most(0, slice.begin - part * rows)),
                               problem.tile_from(least(rows, slice.end - part * rows))},
                              PartGradients<T>(args, part)};
    if (some.tiles.is_empty()) continue;
    some.clear();
    const Range part_chunks{chunks * part / args.parts, chunks * (part + 1) / args.parts};
    const std::int64_t tiles = some.tiles.size() * problem.panels;
    for (std::int64_t i = part_chunks.begin; i < part_chunks.end; ++i) {
      const PixelBox next = problem.chunk(least(i + 1, part_chunks.end - 1));
      Ahead x_ahead = problem.ahead_x(next, tiles), dy_ahead = problem.ahead_dy(next, tiles);
      some.add(problem.chunk(i), x_ahead, dy_ahead);
    }
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
