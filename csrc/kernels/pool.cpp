// Pooling of channels-last images: the maximum or the mean of each window, and their gradients.
//
// Vectors run along the channels; where a vector holds several pixels, along pixels and channels. A
// gradient is gathered: each pixel asks the windows that show it, so rows are independent.
#include "kernels/lanes.h"
#include "kernels/register.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

using Index = std::int64_t;
GYAKU_INLINE Index least(Index a, Index b) { return a < b ? a : b; }
GYAKU_INLINE Index most(Index a, Index b) { return a > b ? a : b; }
GYAKU_INLINE Index quotient_up(Index a, Index b) {
  return a <= 0 ? 0 : b == 1 ? a : (a + b - 1) / b;
}

struct Range {
  Index begin, end;
};

GYAKU_INLINE Index extent(const WindowAxis& axis) { return (axis.taps - 1) * axis.dilation + 1; }
GYAKU_INLINE Index start(const WindowAxis& axis, Index window) {
  return window * axis.stride - axis.before;
}
// The taps of a window that see the image.
GYAKU_INLINE Range taps_inside(const WindowAxis& axis, Index window) {
  const Index first = start(axis, window);
  const Index end = least(quotient_up(axis.size - first, axis.dilation), axis.taps);
  return {least(quotient_up(-first, axis.dilation), end), end};
}
// The windows that see nothing but the image.
GYAKU_INLINE Range whole_windows(const WindowAxis& axis) {
  const Index last = axis.size - extent(axis) + axis.before;
  const Index end = last < 0 ? 0 : least(last / axis.stride + 1, axis.windows);
  return {least(quotient_up(axis.before, axis.stride), end), end};
}
// What a mean over the window counts; a mean knows no dilation.
GYAKU_INLINE Index pixels_counted(const WindowAxis& axis, Index after, Index window, bool padding) {
  const Index first = start(axis, window), end = first + axis.taps;
  return padding ? least(end, axis.size + after) - first : least(end, axis.size) - most(first, 0);
}

template <class T> GYAKU_INLINE T share(const PoolArgs& args, Index row, Index column) {
  const Index height = pixels_counted(args.rows, args.after_rows, row, args.count_padding);
  const Index width = pixels_counted(args.columns, args.after_columns, column, args.count_padding);
  return T(1) / static_cast<T>(height * width);
}

// The taps of a window, row by row, and where they look: so many numbers from the first one.
struct Window {
  Range rows, columns;
  Index row_step, column_step, taps_in_row;

  GYAKU_INLINE Index first_tap() const {
    return rows.begin < rows.end && columns.begin < columns.end
               ? rows.begin * taps_in_row + columns.begin
               : 0;
  }
  template <class F> GYAKU_INLINE void each_tap(F f) const {
    for (Index i = rows.begin; i < rows.end; ++i)
      for (Index j = columns.begin; j < columns.end; ++j)
        f(i * row_step + j * column_step, i * taps_in_row + j);
  }
};
struct TwoByTwo {
  Index row_step, column_step;

  GYAKU_INLINE Index first_tap() const { return 0; }
  template <class F> GYAKU_INLINE void each_tap(F f) const {
    f(Index(0), Index(0));
    f(column_step, Index(1));
    f(row_step, Index(2));
    f(row_step + column_step, Index(3));
  }
};

template <class T> GYAKU_INLINE lanes<T> splat(Index tap) {
  return lanes<T>(static_cast<integer<T>>(tap));
}

// The first of the largest numbers, or the first NaN.
template <class T, class N> struct Largest {
  T* y;
  N* argmax;
  struct State {
    vec<T> value;
    lanes<T> tap;
  };

  GYAKU_INLINE explicit Largest(const PoolArgs& args)
      : y(static_cast<T*>(args.y)), argmax(static_cast<N*>(args.argmax)) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  GYAKU_INLINE State begin(Index first_tap) const {
    return {vec<T>(-number<T>::infinity), splat<T>(first_tap)};
  }
  GYAKU_INLINE void take(State& best, vec<T> value, Index tap) const {
    const mask<T> stays = (value <= best.value) | (best.value != best.value);
    best.value = select(stays, best.value, value);
    best.tap = select(mask<integer<T>>(stays.v), best.tap, splat<T>(tap));
  }
  GYAKU_INLINE void end(const State& best, Index at, int n) const {
    store(y + at, best.value, n);
    store_narrow<T>(argmax + at, best.tap, n);
  }
};

template <class T> struct Mean {
  T* y;
  vec<T> factor;

  GYAKU_INLINE explicit Mean(const PoolArgs& args) : y(static_cast<T*>(args.y)) {}
  GYAKU_INLINE void enter(const PoolArgs& args, Index row, Index column) {
    factor = vec<T>(share<T>(args, row, column));
  }
  GYAKU_INLINE vec<T> begin(Index) const { return zero<T>(); }
  GYAKU_INLINE void take(vec<T>& sum, vec<T> value, Index) const { sum = sum + value; }
  GYAKU_INLINE void end(vec<T> sum, Index at, int n) const { store(y + at, sum * factor, n); }
};

template <class T, class Op, class Taps, class Numbers>
GYAKU_INLINE void pool_vector(const Op& op, const Taps& window, const T* x, Index from, Index at,
                              const Numbers& numbers) {
  auto state = op.begin(window.first_tap());
  window.each_tap(
      [&](Index step, Index tap) { op.take(state, numbers.read(x + (from + step)), tap); });
  op.end(state, at, numbers.count);
}
template <class T, class Op, class Taps>
GYAKU_INLINE void pool_run(const Op& op, const Taps& window, const T* x, Index from, Index at,
                           Index count) {
  for_each_vector<T>(
      0, count, [&](Index j, int n) { pool_vector(op, window, x, from + j, at + j, Run<T>{n}); });
}

// f of lane, pixel and channel, where the lanes hold one pixel after the other.
template <class T, class F> GYAKU_INLINE lanes<T> lane_by_lane(Index channels, F f) {
  integer<T> each[vec<T>::width];
  for (int lane = 0; lane < vec<T>::width; ++lane)
    each[lane] = static_cast<integer<T>>(f(lane / channels, lane % channels));
  return load(each);
}
// What all rows have in common: the windows that see nothing but the image, and how many of them a
// vector holds. Where channels are few these are several, whose pixels lie `stride` apart.
template <class T> struct Together {
  Range whole;
  Index windows = 1;
  lanes<T> index;

  GYAKU_INLINE explicit Together(const PoolArgs& args)
      : whole(whole_windows(args.columns)), index(zero<integer<T>>()) {
    constexpr Index width = vec<T>::width;
    const Index channels = args.channels, stride = args.columns.stride;
    if (channels == 0 || 2 * channels > width) return;
    windows = least(width / channels, (2 * width / channels - 1) / stride + 1);
    index = lane_by_lane<T>(channels,
                            [=](Index pixel, Index c) { return pixel * stride * channels + c; });
  }
};

// A row of windows that see nothing but the image.
template <class T, class Op, class Taps>
GYAKU_INLINE void pool_whole(const PoolArgs& args, const Together<T>& together, const Op& op,
                             const Taps& window, Range columns, Index from, Index at) {
  const T* x = static_cast<const T*>(args.x);
  const Index channels = args.channels, step = args.columns.stride * channels;
  const Index count = columns.end - columns.begin;
  from += start(args.columns, columns.begin) * channels;
  at += columns.begin * channels;
  if (args.columns.stride == 1) return pool_run(op, window, x, from, at, count * channels);
  if (together.windows == 1) {
    for (Index i = 0; i < count; ++i)
      pool_run(op, window, x, from + i * step, at + i * channels, channels);
    return;
  }
  for (Index i = 0; i < count; i += together.windows) {
    const Index n = least(together.windows, count - i);
    const Picked<T> numbers{static_cast<int>(n * channels),
                            static_cast<int>((n - 1) * step + channels), together.index};
    pool_vector(op, window, x, from + i * step, at + i * channels, numbers);
  }
}

template <class T, class Op>
GYAKU_INLINE void pool_row(const PoolArgs& args, const Together<T>& together, Op op, Index sample,
                           Index row) {
  const T* x = static_cast<const T*>(args.x);
  const Index channels = args.channels, row_step = args.columns.size * channels;
  const Index from = (sample * args.rows.size + start(args.rows, row)) * row_step;
  const Index at = (sample * args.rows.windows + row) * args.columns.windows * channels;
  const Range whole = together.whole;
  const Index taps = args.columns.taps;
  Window window{taps_inside(args.rows, row),
                {0, taps},
                row_step * args.rows.dilation,
                channels * args.columns.dilation,
                taps};
  const auto at_the_edge = [&](Index column) {
    window.columns = taps_inside(args.columns, column);
    op.enter(args, row, column);
    pool_run(op, window, x, from + start(args.columns, column) * channels, at + column * channels,
             channels);
  };
  for (Index column = 0; column < whole.begin; ++column) at_the_edge(column);
  if (whole.begin < whole.end) {
    window.columns = {0, taps};
    op.enter(args, row, whole.begin);
    const bool all_rows = window.rows.end - window.rows.begin == args.rows.taps;
    if (all_rows && taps == 2 && args.rows.taps == 2)
      pool_whole(args, together, op, TwoByTwo{window.row_step, window.column_step}, whole, from,
                 at);
    else
      pool_whole(args, together, op, window, whole, from, at);
  }
  for (Index column = whole.end; column < args.columns.windows; ++column) at_the_edge(column);
}

// All that is called becomes one function: between calls, vectors would go through memory.
template <class T, class Op>
[[gnu::flatten]] void pool(const PoolArgs& args, Slice slice) noexcept {
  const Op op(args);
  const Together<T> together(args);
  for (Index row = slice.begin * args.unit; row < slice.end * args.unit; ++row)
    pool_row(args, together, op, row / args.rows.windows, row % args.rows.windows);
}

// A pixel among the windows: the last one that begins before it, and how far it is from there.
struct Place {
  Index window, distance;
};
GYAKU_INLINE Place place_of(const WindowAxis& axis, Index pixel) {
  return {(pixel + axis.before) / axis.stride, (pixel + axis.before) % axis.stride};
}
// The windows that see the pixel, and with which tap, in rising order of the taps.
template <class F> GYAKU_INLINE void each_window(const WindowAxis& axis, Place place, F f) {
  const Index reach = extent(axis);
  for (; place.window >= 0 && place.distance < reach;
       --place.window, place.distance += axis.stride) {
    if (place.window >= axis.windows) continue;
    if (axis.dilation == 1)
      f(place.window, place.distance);
    else if (place.distance % axis.dilation == 0)
      f(place.window, place.distance / axis.dilation);
  }
}

// What a window hands back to a pixel, given the tap that saw it; below 0 is none.
template <class T, class N> struct ToLargest {
  const T* dy;
  const N* argmax;
  struct Gradient {
    vec<T> dy;
    lanes<T> argmax;
  };

  GYAKU_INLINE explicit ToLargest(const PoolArgs& args)
      : dy(static_cast<const T*>(args.x)), argmax(static_cast<const N*>(args.argmax)) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  // The windows of a row that hand back what any of them would.
  GYAKU_INLINE Range alike(const PoolArgs& args) const { return {0, args.columns.windows}; }
  template <class Numbers> GYAKU_INLINE Gradient read(const Numbers& numbers, Index at) const {
    return {numbers.read(dy + at), numbers.read_narrow(argmax + at)};
  }
  GYAKU_INLINE vec<T> part(const Gradient& gradient, lanes<T> tap) const {
    return select(mask<T>((gradient.argmax == tap).v), gradient.dy, zero<T>());
  }
};

template <class T> struct ToAll {
  const T* dy;
  vec<T> factor;

  GYAKU_INLINE explicit ToAll(const PoolArgs& args) : dy(static_cast<const T*>(args.x)) {}
  GYAKU_INLINE void enter(const PoolArgs& args, Index row, Index column) {
    factor = vec<T>(share<T>(args, row, column));
  }
  GYAKU_INLINE Range alike(const PoolArgs& args) const { return whole_windows(args.columns); }
  template <class Numbers> GYAKU_INLINE vec<T> read(const Numbers& numbers, Index at) const {
    return numbers.read(dy + at) * factor;
  }
  GYAKU_INLINE vec<T> part(vec<T> gradient, lanes<T> tap) const {
    return select(mask<T>((tap >= zero<integer<T>>()).v), gradient, zero<T>());
  }
};

template <class T> GYAKU_INLINE void clear(T* p, Index count) {
  for_each_vector<T>(0, count, [=](Index i, int n) { store(p + i, zero<T>(), n); });
}

// What all rows have in common: the windows whose stride of pixels lies in the image, and how many
// of them a vector holds with all of these pixels, which only few channels allow.
template <class T> struct Spread {
  static constexpr Index none = INT32_MIN; // and none of a row's taps, however far down the row is
  Range whole;
  Index windows = 0;
  lanes<T> index, tap;

  GYAKU_INLINE explicit Spread(const PoolArgs& args)
      : index(zero<integer<T>>()), tap(zero<integer<T>>()) {
    const WindowAxis& axis = args.columns;
    const Index inside = least((axis.size + axis.before) / axis.stride, axis.windows);
    whole = {least(quotient_up(axis.before, axis.stride), inside), inside};
    const Index channels = args.channels, stride = args.columns.stride, taps = args.columns.taps;
    if (channels == 0 || stride > vec<T>::width / channels) return;
    windows = vec<T>::width / (stride * channels);
    index = lane_by_lane<T>(channels,
                            [=](Index pixel, Index c) { return pixel / stride * channels + c; });
    tap = lane_by_lane<T>(channels, [=](Index pixel, Index) {
      return pixel % stride < taps ? pixel % stride : none;
    });
  }
};

// Windows apart: each pixel is seen by one tap of one window at most, or by none.
template <class T, class Op>
GYAKU_INLINE void hand_back_apart(const PoolArgs& args, const Spread<T>& spread, Op op,
                                  Index sample, Place row, T* dx) {
  const WindowAxis& columns = args.columns;
  const Index channels = args.channels, stride = columns.stride, taps = columns.taps;
  if (row.window >= args.rows.windows || row.distance >= args.rows.taps)
    return clear(dx, columns.size * channels);
  const Index at = (sample * args.rows.windows + row.window) * columns.windows * channels;
  const Index first_tap = row.distance * taps;
  const auto at_the_edge = [&](Index begin, Index end) {
    for (Index column = begin; column < end; ++column) {
      const Index pixel = start(columns, column);
      const Range seen{most(-pixel, 0), least(columns.size - pixel, stride)};
      op.enter(args, row.window, column);
      for_each_vector<T>(0, channels, [&](Index c, int n) {
        const auto gradient = op.read(Run<T>{n}, at + column * channels + c);
        for (Index j = seen.begin; j < seen.end; ++j)
          store(dx + (pixel + j) * channels + c,
                op.part(gradient, splat<T>(j < taps ? first_tap + j : Spread<T>::none)), n);
      });
    }
  };
  const Range whole = spread.whole;
  at_the_edge(0, whole.begin);
  if (spread.windows > 0 && whole.begin < whole.end) {
    op.enter(args, row.window, whole.begin);
    const lanes<T> tap = spread.tap + splat<T>(first_tap);
    for (Index column = whole.begin; column < whole.end; column += spread.windows) {
      const Index n = least(spread.windows, whole.end - column);
      const Picked<T> numbers{static_cast<int>(n * stride * channels),
                              static_cast<int>(n * channels), spread.index};
      store(dx + start(columns, column) * channels,
            op.part(op.read(numbers, at + column * channels), tap), numbers.count);
    }
  } else if (stride == 2 && taps == 2 && whole.begin < whole.end) {
    op.enter(args, row.window, whole.begin);
    const lanes<T> left = splat<T>(first_tap), right = splat<T>(first_tap + 1);
    T* to = dx + start(columns, whole.begin) * channels;
    for (Index column = whole.begin; column < whole.end; ++column, to += 2 * channels)
      for_each_vector<T>(0, channels, [&](Index c, int n) {
        const auto gradient = op.read(Run<T>{n}, at + column * channels + c);
        store(to + c, op.part(gradient, left), n);
        store(to + channels + c, op.part(gradient, right), n);
      });
  } else {
    at_the_edge(whole.begin, whole.end);
  }
  at_the_edge(whole.end, columns.windows);
  const Index covered = least(start(columns, columns.windows), columns.size);
  clear(dx + covered * channels, (columns.size - covered) * channels);
}

template <class T, class Op>
GYAKU_INLINE void hand_back(const PoolArgs& args, Op op, Index sample, Place row, T* dx) {
  const WindowAxis& columns = args.columns;
  const Index channels = args.channels;
  // `count` numbers of pixels that windows in a run see with the same taps.
  const auto pixels = [&](Index pixel, Index count) {
    const Place column = place_of(columns, pixel);
    for_each_vector<T>(0, count, [&](Index j, int n) {
      vec<T> sum = zero<T>();
      each_window(args.rows, row, [&](Index o, Index tap_row) {
        const Index windows = (sample * args.rows.windows + o) * columns.windows;
        each_window(columns, column, [&](Index p, Index tap) {
          op.enter(args, o, p);
          sum = sum + op.part(op.read(Run<T>{n}, (windows + p) * channels + j),
                              splat<T>(tap_row * columns.taps + tap));
        });
      });
      store(dx + pixel * channels + j, sum, n);
    });
  };
  const Range alike = op.alike(args);
  Range run{0, 0};
  if (columns.stride == 1) {
    run.begin = least(most(alike.begin + extent(columns) - 1 - columns.before, 0), columns.size);
    run.end = most(least(alike.end - columns.before, columns.size), run.begin);
  }
  for (Index pixel = 0; pixel < run.begin; ++pixel) pixels(pixel, channels);
  if (run.begin < run.end) pixels(run.begin, (run.end - run.begin) * channels);
  for (Index pixel = run.end; pixel < columns.size; ++pixel) pixels(pixel, channels);
}

GYAKU_INLINE bool is_apart(const WindowAxis& axis) {
  return axis.dilation == 1 && axis.taps <= axis.stride;
}

template <class T, class Op>
[[gnu::flatten]] void pool_backward(const PoolArgs& args, Slice slice) noexcept {
  const Op op(args);
  const Spread<T> spread(args);
  const bool apart = is_apart(args.rows) && is_apart(args.columns);
  const Index row_size = args.columns.size * args.channels;
  T* dx = static_cast<T*>(args.y) + slice.begin * args.unit * row_size;
  for (Index i = slice.begin * args.unit; i < slice.end * args.unit; ++i, dx += row_size) {
    const Place row = place_of(args.rows, i % args.rows.size);
    if (apart)
      hand_back_apart(args, spread, op, i / args.rows.size, row, dx);
    else
      hand_back(args, op, i / args.rows.size, row, dx);
  }
}

template <class T> void max_pool(const PoolArgs& args, Slice slice) noexcept {
  if (args.wide)
    pool<T, Largest<T, std::int32_t>>(args, slice);
  else
    pool<T, Largest<T, std::uint8_t>>(args, slice);
}
template <class T> void max_pool_backward(const PoolArgs& args, Slice slice) noexcept {
  if (args.wide)
    pool_backward<T, ToLargest<T, std::int32_t>>(args, slice);
  else
    pool_backward<T, ToLargest<T, std::uint8_t>>(args, slice);
}

} // namespace

void register_pool(KernelTable& table) noexcept {
  enter<PoolArgs, max_pool<float>, max_pool<double>>(table, KernelId::max_pool);
  enter<PoolArgs, max_pool_backward<float>, max_pool_backward<double>>(table,
                                                                       KernelId::max_pool_backward);
  enter<PoolArgs, pool<float, Mean<float>>, pool<double, Mean<double>>>(table, KernelId::avg_pool);
  enter<PoolArgs, pool_backward<float, ToAll<float>>, pool_backward<double, ToAll<double>>>(
      table, KernelId::avg_pool_backward);
}

} // namespace gyaku::GYAKU_ISA_NAME
