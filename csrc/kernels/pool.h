// Pooling of channels-last images: the maximum or the mean of each window.
//
// Vectors run along the channels; a vector that holds several pixels, along pixels and channels.
#pragma once

#include "kernels/args/pool.h"
#include "kernels/range.h"
#include "kernels/rows.h"
#include "simd/narrow.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

using Index = std::int64_t;
GYAKU_INLINE Index quotient_up(Index a, Index b) {
  return a <= 0 ? 0 : b == 1 ? a : (a + b - 1) / b;
}

GYAKU_INLINE Index extent(const WindowAxis& axis) { return (axis.taps - 1) * axis.dilation + 1; }
GYAKU_INLINE Index start(const WindowAxis& axis, Index window) {
  return window * axis.stride - axis.before;
}
// The taps (kernel elements) of a window inside the image.
GYAKU_INLINE Range taps_inside(const WindowAxis& axis, Index window) {
  const Index first = start(axis, window);
  const Index end = least(quotient_up(axis.size - first, axis.dilation), axis.taps);
  return {least(quotient_up(-first, axis.dilation), end), end};
}
// The windows without padding.
GYAKU_INLINE Range whole_windows(const WindowAxis& axis) {
  const Index last = axis.size - extent(axis) + axis.before;
  const Index end = last < 0 ? 0 : least(last / axis.stride + 1, axis.windows);
  return {least(quotient_up(axis.before, axis.stride), end), end};
}
// The number of pixels of a window that count in a mean.
GYAKU_INLINE Index pixels_counted(const WindowAxis& axis, Index after, Index window, bool padding) {
  if (!padding) return taps_inside(axis, window).size();
  const Index padded = axis.size + after - start(axis, window);
  return least(quotient_up(padded, axis.dilation), axis.taps);
}

template <class T> GYAKU_INLINE T mean_factor(const PoolArgs& args, Index row, Index column) {
  if (args.divisor != 0) return T(1) / static_cast<T>(args.divisor);
  const Index height = pixels_counted(args.rows, args.after_rows, row, args.count_padding);
  const Index width = pixels_counted(args.columns, args.after_columns, column, args.count_padding);
  return T(1) / static_cast<T>(most(height * width, 1));
}

// The taps of a window, row by row, as offsets in elements from the first one.
struct Window {
  Range rows, columns;
  Index row_step, column_step, taps_in_row;

  GYAKU_INLINE Index first_tap() const {
    return rows.begin < rows.end && columns.begin < columns.end
               ? rows.begin * taps_in_row + columns.begin
               : 0;
  }
  template <class Op, class Read> GYAKU_INLINE auto reduce(const Op& op, Read read) const {
    auto state = op.begin(first_tap());
    if constexpr (requires { Op::block; })
      if (Op::block < (rows.end - rows.begin) * (columns.end - columns.begin))
        return sum_blocks(op, read); // the error would grow with the window
    for (Index i = rows.begin; i < rows.end; ++i)
      for (Index j = columns.begin; j < columns.end; ++j)
        op.update(state, read(i * row_step + j * column_step), i * taps_in_row + j);
    return state;
  }

private:
  template <class Op, class Read> GYAKU_INLINE auto sum_blocks(const Op& op, Read read) const {
    auto part = op.begin(0);
    LongSum<typename Op::Scalar> total;
    Index inside = 0;
    for (Index i = rows.begin; i < rows.end; ++i)
      for (Index j = columns.begin; j < columns.end; ++j) {
        op.update(part, read(i * row_step + j * column_step), 0);
        if (++inside < Op::block) continue;
        total.add(part);
        part = op.begin(0);
        inside = 0;
      }
    total.add(part);
    return total.value();
  }
};
struct TwoByTwo {
  Index row_step, column_step;

  template <class Op, class Read> GYAKU_INLINE auto reduce(const Op& op, Read read) const {
    auto state = op.first(read(0));
    op.update(state, read(column_step), 1);
    op.update(state, read(row_step), 2);
    op.update(state, read(row_step + column_step), 3);
    return state;
  }
};

template <class T> GYAKU_INLINE lanes<T> splat(Index tap) {
  return lanes<T>(static_cast<integer<T>>(tap));
}

// The first of the largest elements, or the first NaN; Indices says whether argmax may be wide.
enum class Indices { bytes, any };
template <class T, Indices indices> struct Largest {
  static constexpr bool is_slow = true; // too slow for out-of-order execution to look far ahead
  T* y;
  void* argmax;
  bool wide;
  struct State {
    vec<T> value;
    lanes<T> tap;
  };

  GYAKU_INLINE explicit Largest(const PoolArgs& args)
      : y(static_cast<T*>(args.y)), argmax(args.argmax),
        wide(indices == Indices::any && args.wide) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  GYAKU_INLINE State begin(Index first_tap) const {
    return {vec<T>(-number<T>::infinity), splat<T>(first_tap)};
  }
  GYAKU_INLINE State first(vec<T> value, Index tap = 0) const { return {value, splat<T>(tap)}; }
  GYAKU_INLINE void update(State& best, vec<T> value, Index tap) const {
    update(best, State{value, splat<T>(tap)});
  }
  GYAKU_INLINE void update(State& best, const State& later) const {
    const mask<T> wins = (!(later.value <= best.value)) & (best.value == best.value);
    best.value = select(wins, later.value, best.value);
    best.tap = select(mask<integer<T>>(wins.v), later.tap, best.tap);
  }
  GYAKU_INLINE void end(const State& best, Index at, int n) const {
    store(y + at, best.value, n);
    if (indices == Indices::any && wide)
      store_narrow<T>(static_cast<std::int32_t*>(argmax) + at, best.tap, n);
    else
      store_narrow<T>(static_cast<std::uint8_t*>(argmax) + at, best.tap, n);
  }
};

template <class T> struct Mean {
  static constexpr bool is_slow = false;
  static constexpr Index block = 256;
  using Scalar = T;
  T* y;
  vec<T> factor;

  GYAKU_INLINE explicit Mean(const PoolArgs& args) : y(static_cast<T*>(args.y)) {}
  GYAKU_INLINE void enter(const PoolArgs& args, Index row, Index column) {
    factor = vec<T>(mean_factor<T>(args, row, column));
  }
  GYAKU_INLINE vec<T> begin(Index) const { return zero<T>(); }
  GYAKU_INLINE vec<T> first(vec<T> value) const { return zero<T>() + value; }
  GYAKU_INLINE void update(vec<T>& sum, vec<T> value, Index) const { sum = sum + value; }
  GYAKU_INLINE void end(vec<T> sum, Index at, int n) const { store(y + at, sum * factor, n); }
};

template <class T, class Op, class Taps, class Numbers>
GYAKU_INLINE void pool_vector(const Op& op, const Taps& window, const T* x, Index from, Index at,
                              const Numbers& numbers) {
  const auto state = window.reduce(op, [&](Index step) { return numbers.read(x + from + step); });
  op.end(state, at, numbers.count);
}
template <class T, class Op, class Taps>
GYAKU_INLINE void pool_run(const Op& op, const Taps& window, const T* x, Index from, Index at,
                           Index count) {
  for_each_vector<T>(
      0, count, [&](Index j, int n) { pool_vector(op, window, x, from + j, at + j, Run<T>{n}); });
}

// f(lane, pixel, channel) in the lanes, pixel after pixel.
template <class T, class F> GYAKU_INLINE lanes<T> lane_by_lane(Index channels, F f) {
  integer<T> each[vec<T>::width];
  for (int lane = 0; lane < vec<T>::width; ++lane)
    each[lane] = static_cast<integer<T>>(f(lane / channels, lane % channels));
  return load(each);
}
// Common to all rows: the windows without padding, and how many of them a vector holds: several,
// with pixels at a distance of `stride`, if channels are few.
template <class T> struct WindowVectors {
  Range whole;
  Index windows = 1;
  lanes<T> index;

  GYAKU_INLINE explicit WindowVectors(const PoolArgs& args)
      : whole(whole_windows(args.columns)), index(zero<integer<T>>()) {
    constexpr Index width = vec<T>::width;
    const Index channels = args.channels, stride = args.columns.stride;
    if (channels == 0 || 2 * channels > width) return;
    windows = least(width / channels, (2 * width / channels - 1) / stride + 1);
    index = lane_by_lane<T>(channels,
                            [=](Index pixel, Index c) { return pixel * stride * channels + c; });
  }
};

// A row of windows without padding.
template <class T, class Op, class Taps>
GYAKU_INLINE void pool_whole(const PoolArgs& args, const WindowVectors<T>& vectors, const Op& op,
                             const Taps& window, Range columns, Index from, Index at) {
  const T* x = static_cast<const T*>(args.x);
  const Index channels = args.channels, step = args.columns.stride * channels;
  const Index count = columns.end - columns.begin;
  from += start(args.columns, columns.begin) * channels;
  at += columns.begin * channels;
  if (args.columns.stride == 1) return pool_run(op, window, x, from, at, count * channels);
  if (vectors.windows == 1) {
    for (Index i = 0; i < count; ++i)
      pool_run(op, window, x, from + i * step, at + i * channels, channels);
    return;
  }
  for (Index i = 0; i < count; i += vectors.windows) {
    const Index n = least(vectors.windows, count - i);
    const Picked<T> numbers{static_cast<int>(n * channels),
                            static_cast<int>((n - 1) * step + channels), vectors.index};
    pool_vector(op, window, x, from + i * step, at + i * channels, numbers);
  }
}

template <class T, class Op>
GYAKU_INLINE void pool_row(const PoolArgs& args, const WindowVectors<T>& vectors, Op op,
                           Index sample, Index row) {
  const T* x = static_cast<const T*>(args.x);
  const Index channels = args.channels, row_step = args.columns.size * channels;
  const Index from = (sample * args.rows.size + start(args.rows, row)) * row_step;
  const Index at = (sample * args.rows.windows + row) * args.columns.windows * channels;
  const Range whole = vectors.whole;
  const Index taps = args.columns.taps;
  Window window{taps_inside(args.rows, row),
                {0, taps},
                row_step * args.rows.dilation,
                channels * args.columns.dilation,
                taps};
  const Range edges[] = {{0, whole.begin}, {whole.end, args.columns.windows}};
  for (const Range edge : edges)
    for (Index column = edge.begin; column < edge.end; ++column) {
      window.columns = taps_inside(args.columns, column);
      op.enter(args, row, column);
      pool_run(op, window, x, from + start(args.columns, column) * channels, at + column * channels,
               channels);
    }
  if (whole.is_empty()) return;
  window.columns = {0, taps};
  op.enter(args, row, whole.begin);
  const bool all_rows = window.rows.end - window.rows.begin == args.rows.taps;
  if (all_rows && taps == 2 && args.rows.taps == 2)
    pool_whole(args, vectors, op, TwoByTwo{window.row_step, window.column_step}, whole, from, at);
  else
    pool_whole(args, vectors, op, window, whole, from, at);
}

// 2 x 2 max pooling of pairs of rows, with the positions of the maxima.
template <class T>
[[gnu::flatten]] void max_pool_pairs(const T* x, Index pairs, Index width, Index channels, T* y,
                                     std::uint8_t* argmax) noexcept {
  PoolArgs args{};
  args.x = x;
  args.y = y;
  args.argmax = argmax;
  args.channels = channels;
  args.columns = {width, 2, 2, 1, 0, width / 2};
  const Largest<T, Indices::bytes> op(args);
  const WindowVectors<T> vectors(args);
  const Index row = width * channels;
  for (Index i = 0; i < pairs; ++i)
    pool_whole(args, vectors, op, TwoByTwo{row, channels}, vectors.whole, 2 * i * row,
               i * (width / 2) * channels);
}

// The same where a pixel of x takes `step` elements, whole vectors, the first `channels` of which
// count.
template <class T>
void max_pool_pairs(const T* x, Index step, Index pairs, Index width, Index channels, T* y,
                    std::uint8_t* argmax) noexcept {
  PoolArgs args{};
  args.y = y;
  args.argmax = argmax;
  const Largest<T, Indices::bytes> op(args);
  const Index row = width * step;
  Index at = 0;
  for (Index i = 0; i < pairs; ++i, x += 2 * row)
    for (Index j = 0; j < width / 2; ++j, at += channels) {
      const T *upper = x + 2 * j * step, *lower = upper + row;
      for (Index c = 0; c < channels;
           c += vec<T>::width, upper += vec<T>::width, lower += vec<T>::width) {
        // In pairs: not every comparison waits for the one before.
        auto best = op.first(load(upper));
        op.update(best, load(upper + step), 1);
        auto later = op.first(load(lower), 2);
        op.update(later, load(lower + step), 3);
        op.update(best, later);
        op.end(best, at + c, static_cast<int>(least(vec<T>::width, channels - c)));
      }
    }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
