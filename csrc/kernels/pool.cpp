// Pooling of channels-last images, and its gradients: each pixel gathers from the windows that
// cover it, so that rows are independent.
#include "kernels/pool.h"
#include "kernels/args/pool.h"
#include "kernels/entry.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The sum of magnitudes, or the root of the sum of squares.
template <class T> struct Norm {
  static constexpr bool is_slow = false;
  T* y;
  mask<T> squares;

  GYAKU_INLINE explicit Norm(const PoolArgs& args)
      : y(static_cast<T*>(args.y)), squares(vec<T>(static_cast<T>(args.norm)) == vec<T>(T(2))) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  GYAKU_INLINE vec<T> begin(Index) const { return zero<T>(); }
  GYAKU_INLINE vec<T> first(vec<T> value) const { return value * factor(value); }
  GYAKU_INLINE void update(vec<T>& sum, vec<T> value, Index) const {
    sum = fma(value, factor(value), sum);
  }
  GYAKU_INLINE void end(vec<T> sum, Index at, int n) const {
    store(y + at, select(squares, sqrt(sum), sum), n);
  }

private:
  GYAKU_INLINE vec<T> factor(vec<T> value) const {
    return select(squares, value, copysign(vec<T>(T(1)), value));
  }
};

// x^p for x >= 0 and p > 0; not inlined, for its length.
template <class T> [[gnu::noinline]] vec<T> power(vec<T> x, vec<T> p) noexcept {
  return exp(p * log(x));
}

// (sum |x|^p)^(1/p) for any p: a sum of powers of ratios to the largest magnitude so far, none of
// which can overflow.
template <class T> struct AnyNorm {
  static constexpr bool is_slow = false;
  T* y;
  vec<T> p, root;
  struct State {
    vec<T> largest, sum;
  };

  GYAKU_INLINE explicit AnyNorm(const PoolArgs& args)
      : y(static_cast<T*>(args.y)), p(static_cast<T>(args.norm)),
        root(static_cast<T>(1 / args.norm)) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  GYAKU_INLINE State begin(Index) const { return {vec<T>(number<T>::smallest), zero<T>()}; }
  GYAKU_INLINE State first(vec<T> value) const {
    State state = begin(0);
    update(state, value, 0);
    return state;
  }
  GYAKU_INLINE void update(State& state, vec<T> value, Index) const {
    const vec<T> one(T(1)), size = abs(value), largest = state.largest;
    const mask<T> grows = size > largest;
    const vec<T> ratio = select(grows, largest, size) / select(grows, size, largest);
    const vec<T> share = power(select(size == largest, one, ratio), p); // infinities are equal
    state.largest = select(grows, size, largest);
    state.sum = select(grows, fma(state.sum, share, one), state.sum + share);
  }
  GYAKU_INLINE void end(const State& state, Index at, int n) const {
    store(y + at, state.largest * power(state.sum, root), n);
  }
};

// Whether an operation is so long that windows and pixels are done one by one, with a single copy
// of the code. So are windows in float64, which serves checks.
template <class Op> constexpr bool is_long = false;
template <class T> constexpr bool is_long<AnyNorm<T>> = true;

// Everything is inlined into one function: otherwise vectors would go through memory between calls.
template <class T, class Op>
[[gnu::flatten]] void pool_any(const PoolArgs& args, Slice slice) noexcept {
  const Op op(args);
  WindowVectors<T> vectors(args);
  if constexpr (is_long<Op> || sizeof(T) > sizeof(float)) vectors.whole = {0, 0};
  for (Index row = slice.begin * args.unit; row < slice.end * args.unit; ++row)
    pool_row(args, vectors, op, row / args.rows.windows, row % args.rows.windows);
}

// Non-overlapping windows of 2 x 2 pixels inside the image, as in most networks.
GYAKU_INLINE bool is_paired(const WindowAxis& axis) {
  return axis.taps == 2 && axis.stride == 2 && axis.dilation == 1 && axis.before == 0 &&
         2 * axis.windows <= axis.size;
}
template <class T> GYAKU_INLINE bool are_tiles(const PoolArgs& args) {
  return is_paired(args.rows) && is_paired(args.columns) && 2 * args.channels > vec<T>::width;
}
template <class T, class Op>
[[gnu::flatten]] void pool_tiles(const PoolArgs& given, Slice slice) noexcept {
  const PoolArgs args = given; // which vectors that are stored cannot change
  const T* x = static_cast<const T*>(args.x);
  const Index channels = args.channels, row_step = args.columns.size * channels;
  const TwoByTwo window{row_step, channels};
  Op op(args);
  op.enter(args, 0, 0);
  for (Index row = slice.begin * args.unit; row < slice.end * args.unit; ++row) {
    const Index sample = row / args.rows.windows, first = 2 * (row % args.rows.windows);
    const Index from = (sample * args.rows.size + first) * row_step;
    const Index at = row * args.columns.windows * channels;
    for (Index i = 0; i < args.columns.windows; ++i) {
      const Index pair = from + 2 * i * channels;
      if constexpr (Op::is_slow)
        for (Index ahead = pair + 2 * row_step; ahead < pair + 2 * (row_step + channels);
             ahead += 64 / sizeof(T)) {
          __builtin_prefetch(x + ahead);
          __builtin_prefetch(x + ahead + row_step);
        }
      cover<T>(channels, [&](Index c, int n) {
        pool_vector(op, window, x, pair + c, at + i * channels + c, Run<T>{n});
      });
    }
  }
}

template <class T, class Op> void pool(const PoolArgs& args, Slice slice) noexcept {
  if (are_tiles<T>(args))
    pool_tiles<T, Op>(args, slice);
  else
    pool_any<T, Op>(args, slice);
}

// The position of a pixel relative to windows: the last window that begins before it, and the
// distance from its beginning.
struct Place {
  Index window, distance;
};
GYAKU_INLINE Place place_of(const WindowAxis& axis, Index pixel) {
  return {(pixel + axis.before) / axis.stride, (pixel + axis.before) % axis.stride};
}
// The windows that cover the pixel, each with the tap (kernel element) at the pixel, in ascending
// order of the taps.
template <class F> GYAKU_INLINE void each_window(const WindowAxis& axis, Place place, F f) {
  const Index reach = extent(axis);
  for (; place.window >= 0 && place.distance < reach;
       --place.window, place.distance += axis.stride) {
    if (place.window >= axis.windows) continue;
    Index tap = place.distance;
    if (axis.dilation != 1) {
      if (tap % axis.dilation != 0) continue;
      tap /= axis.dilation;
    }
    f(place.window, tap);
  }
}

// The pixel's value, for gradients that do not depend on it.
struct NoValue {};

// The contribution of a window to the gradient of a pixel at the given tap; below 0 is none.
template <class T, class N> struct MaxGradient {
  const T* dy;
  const N* argmax;
  struct Gradient {
    vec<T> dy;
    lanes<T> argmax;
  };

  GYAKU_INLINE explicit MaxGradient(const PoolArgs& args)
      : dy(static_cast<const T*>(args.x)), argmax(static_cast<const N*>(args.argmax)) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  // The windows of a row with equal factors.
  GYAKU_INLINE Range uniform_windows(const PoolArgs& args) const {
    return {0, args.columns.windows};
  }
  template <class Numbers> GYAKU_INLINE Gradient read(const Numbers& numbers, Index at) const {
    return {numbers.read(dy + at), numbers.read_narrow(argmax + at)};
  }
  GYAKU_INLINE NoValue value(const T*, int) const { return {}; }
  GYAKU_INLINE vec<T> part(const Gradient& gradient, lanes<T> tap, NoValue) const {
    return select(mask<T>((gradient.argmax == tap).v), gradient.dy, zero<T>());
  }
  GYAKU_INLINE vec<T> part_of_tap(const Gradient& gradient, lanes<T> tap, NoValue value) const {
    return part(gradient, tap, value);
  }
};

template <class T> struct MeanGradient {
  const T* dy;
  vec<T> factor;

  GYAKU_INLINE explicit MeanGradient(const PoolArgs& args) : dy(static_cast<const T*>(args.x)) {}
  GYAKU_INLINE void enter(const PoolArgs& args, Index row, Index column) {
    factor = vec<T>(mean_factor<T>(args, row, column));
  }
  GYAKU_INLINE Range uniform_windows(const PoolArgs& args) const {
    return whole_windows(args.columns);
  }
  template <class Numbers> GYAKU_INLINE vec<T> read(const Numbers& numbers, Index at) const {
    return numbers.read(dy + at) * factor;
  }
  GYAKU_INLINE NoValue value(const T*, int) const { return {}; }
  GYAKU_INLINE vec<T> part(vec<T> gradient, lanes<T> tap, NoValue) const {
    return select(mask<T>((tap >= zero<integer<T>>()).v), gradient, zero<T>());
  }
  GYAKU_INLINE vec<T> part_of_tap(vec<T> gradient, lanes<T>, NoValue) const { return gradient; }
};

// The gradient of a norm depends on the pixel's value: dy sign(x) (|x| / y)^(p - 1).
template <class T> struct SavedNorms {
  const T *dy, *norms, *images, *dx;

  GYAKU_INLINE explicit SavedNorms(const PoolArgs& args)
      : dy(static_cast<const T*>(args.x)), norms(static_cast<const T*>(args.argmax)),
        images(static_cast<const T*>(args.images)), dx(static_cast<const T*>(args.y)) {}
  GYAKU_INLINE void enter(const PoolArgs&, Index, Index) {}
  GYAKU_INLINE Range uniform_windows(const PoolArgs& args) const {
    return {0, args.columns.windows};
  }
  GYAKU_INLINE vec<T> value(const T* to, int n) const { return load(images + (to - dx), n); }
};
template <class T> struct NormGradient : SavedNorms<T> {
  mask<T> squares;

  GYAKU_INLINE explicit NormGradient(const PoolArgs& args)
      : SavedNorms<T>(args), squares(vec<T>(static_cast<T>(args.norm)) == vec<T>(T(2))) {}
  template <class Numbers> GYAKU_INLINE vec<T> read(const Numbers& numbers, Index at) const {
    const vec<T> gradient = numbers.read(this->dy + at), norm = numbers.read(this->norms + at);
    return select(norm == zero<T>(), zero<T>(), select(squares, gradient / norm, gradient));
  }
  GYAKU_INLINE vec<T> part_of_tap(vec<T> gradient, lanes<T>, vec<T> value) const {
    const vec<T> one(T(1));
    const vec<T> sign = select(value < zero<T>(), -one, select(value > zero<T>(), one, value));
    return gradient * select(squares, value, sign);
  }
  GYAKU_INLINE vec<T> part(vec<T> gradient, lanes<T> tap, vec<T> value) const {
    const mask<T> is_covered((tap >= zero<integer<T>>()).v);
    return select(is_covered, part_of_tap(gradient, tap, value), zero<T>());
  }
};
template <class T> struct AnyNormGradient : SavedNorms<T> {
  vec<T> exponent;
  struct Gradient {
    vec<T> dy, norm;
  };

  GYAKU_INLINE explicit AnyNormGradient(const PoolArgs& args)
      : SavedNorms<T>(args), exponent(static_cast<T>(args.norm - 1)) {}
  template <class Numbers> GYAKU_INLINE Gradient read(const Numbers& numbers, Index at) const {
    const vec<T> norm = numbers.read(this->norms + at);
    return {numbers.read(this->dy + at), max(vec<T>(number<T>::smallest), norm)};
  }
  GYAKU_INLINE vec<T> part_of_tap(const Gradient& gradient, lanes<T>, vec<T> value) const {
    return gradient.dy * copysign(power(abs(value) / gradient.norm, exponent), value);
  }
};
template <class T> constexpr bool is_long<AnyNormGradient<T>> = true;

template <class T> GYAKU_INLINE void clear(T* p, Index count) {
  for_each_vector<T>(0, count, [=](Index i, int n) { store(p + i, zero<T>(), n); });
}

// Common to all rows: the windows with a whole stride of pixels inside the image, and how many of
// them fit into a vector with these pixels, if channels are few.
template <class T> struct ScatterVectors {
  static constexpr Index none = INT32_MIN; // no tap, whatever row is added
  Range whole;
  Index windows = 0;
  lanes<T> index, tap;

  GYAKU_INLINE explicit ScatterVectors(const PoolArgs& args)
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

// Disjoint windows: each pixel is covered by one tap of one window, or by none.
template <class T, class Op>
GYAKU_INLINE void scatter_disjoint(const PoolArgs& args, const ScatterVectors<T>& vectors, Op op,
                                   Index sample, Place row, T* dx) {
  const WindowAxis& columns = args.columns;
  const Index channels = args.channels, stride = columns.stride, taps = columns.taps;
  if (row.window >= args.rows.windows || row.distance >= args.rows.taps)
    return clear(dx, columns.size * channels);
  const Index at = (sample * args.rows.windows + row.window) * columns.windows * channels;
  const Index first_tap = row.distance * taps;
  // By the vector, where channels are few; all others one by one.
  const Range by_vector = vectors.windows > 0 ? vectors.whole : Range{0, 0};
  const Range others[] = {{0, by_vector.begin}, {by_vector.end, columns.windows}};
  for (const Range range : others)
    for (Index column = range.begin; column < range.end; ++column) {
      const Index pixel = start(columns, column);
      const Range seen{most(-pixel, 0), least(columns.size - pixel, stride)};
      op.enter(args, row.window, column);
      for_each_vector<T>(0, channels, [&](Index c, int n) {
        const auto gradient = op.read(Run<T>{n}, at + column * channels + c);
        for (Index j = seen.begin; j < seen.end; ++j) {
          T* const to = dx + (pixel + j) * channels + c;
          const lanes<T> tap = splat<T>(j < taps ? first_tap + j : ScatterVectors<T>::none);
          store(to, op.part(gradient, tap, op.value(to, n)), n);
        }
      });
    }
  if (!by_vector.is_empty()) {
    op.enter(args, row.window, by_vector.begin);
    const lanes<T> tap = vectors.tap + splat<T>(first_tap);
    for (Index column = by_vector.begin; column < by_vector.end; column += vectors.windows) {
      const Index n = least(vectors.windows, by_vector.end - column);
      const Picked<T> numbers{static_cast<int>(n * stride * channels),
                              static_cast<int>(n * channels), vectors.index};
      T* const to = dx + start(columns, column) * channels;
      store(to, op.part(op.read(numbers, at + column * channels), tap, op.value(to, numbers.count)),
            numbers.count);
    }
  }
  const Index covered = least(start(columns, columns.windows), columns.size);
  clear(dx + covered * channels, (columns.size - covered) * channels);
}

template <class T, class Op>
GYAKU_INLINE void scatter_overlapping(const PoolArgs& args, Op op, Index sample, Place row, T* dx) {
  const WindowAxis& columns = args.columns;
  const Index channels = args.channels;
  // A run of pixels with the same taps of their windows; all others one by one.
  const Range uniform_windows = op.uniform_windows(args);
  Range run{0, 0};
  if (!is_long<Op> && columns.stride == 1) {
    run.begin =
        least(most(uniform_windows.begin + extent(columns) - 1 - columns.before, 0), columns.size);
    run.end = least(uniform_windows.end - columns.before, columns.size);
  }
  for (Index pixel = 0, count; pixel < columns.size; pixel += count) {
    count = pixel == run.begin ? most(run.size(), 1) : 1;
    const Place column = place_of(columns, pixel);
    for_each_vector<T>(0, count * channels, [&](Index j, int n) {
      T* const to = dx + pixel * channels + j;
      const auto value = op.value(to, n);
      vec<T> sum = zero<T>();
      each_window(args.rows, row, [&](Index o, Index tap_row) {
        const Index windows = (sample * args.rows.windows + o) * columns.windows;
        each_window(columns, column, [&](Index p, Index tap) {
          op.enter(args, o, p);
          sum = sum + op.part_of_tap(op.read(Run<T>{n}, (windows + p) * channels + j),
                                     splat<T>(tap_row * columns.taps + tap), value);
        });
      });
      store(to, sum, n);
    });
  }
}

GYAKU_INLINE bool is_disjoint(const WindowAxis& axis) {
  return axis.dilation == 1 && axis.taps <= axis.stride;
}

template <class T, class Op>
[[gnu::flatten]] void scatter_any(const PoolArgs& args, Slice slice) noexcept {
  const Op op(args);
  const ScatterVectors<T> vectors(args);
  const bool disjoint = is_disjoint(args.rows) && is_disjoint(args.columns);
  const Index row_size = args.columns.size * args.channels;
  T* dx = static_cast<T*>(args.y) + slice.begin * args.unit * row_size;
  for (Index i = slice.begin * args.unit; i < slice.end * args.unit; ++i, dx += row_size) {
    const Place row = place_of(args.rows, i % args.rows.size);
    if constexpr (!is_long<Op>)
      if (disjoint) {
        scatter_disjoint(args, vectors, op, i / args.rows.size, row, dx);
        continue;
      }
    scatter_overlapping(args, op, i / args.rows.size, row, dx);
  }
}

template <class T, class Op>
[[gnu::flatten]] void scatter_tiles(const PoolArgs& given, Slice slice) noexcept {
  const PoolArgs args = given; // which vectors that are stored cannot change
  const Index channels = args.channels, windows = args.columns.windows;
  const Index row_size = args.columns.size * channels, covered = 2 * windows * channels;
  // Larger than the caches: prefetching pays; otherwise it only costs time.
  constexpr Index line = 64 / sizeof(T), large = (4 << 20) / sizeof(T);
  const bool is_large = (slice.end - slice.begin) * args.unit * row_size > large;
  Op op(args);
  op.enter(args, 0, 0);
  for (Index i = slice.begin * args.unit; i < slice.end * args.unit; ++i) {
    T* to = static_cast<T*>(args.y) + i * row_size;
    const Index sample = i / args.rows.size, row = i % args.rows.size;
    if (row >= 2 * args.rows.windows) {
      clear(to, row_size);
      continue;
    }
    Index at = (sample * args.rows.windows + row / 2) * windows * channels;
    const lanes<T> left = splat<T>(row % 2 * 2), right = splat<T>(row % 2 * 2 + 1);
    for (Index column = 0; column < windows; ++column, at += channels, to += 2 * channels) {
      if (is_large)
        for (Index c = 0; c < 2 * channels; c += line) __builtin_prefetch(to + row_size + c, 1);
      cover<T>(channels, [&](Index c, int n) {
        const auto gradient = op.read(Run<T>{n}, at + c);
        T *const one = to + c, *const other = one + channels;
        store(one, op.part_of_tap(gradient, left, op.value(one, n)), n);
        store(other, op.part_of_tap(gradient, right, op.value(other, n)), n);
      });
    }
    clear(to, row_size - covered);
  }
}

template <class T, class Op> void pool_backward(const PoolArgs& args, Slice slice) noexcept {
  if (are_tiles<T>(args))
    scatter_tiles<T, Op>(args, slice);
  else
    scatter_any<T, Op>(args, slice);
}

template <class T> void max_pool(const PoolArgs& args, Slice slice) noexcept {
  if (!args.wide && are_tiles<T>(args))
    pool_tiles<T, Largest<T, Indices::bytes>>(args, slice);
  else
    pool_any<T, Largest<T, Indices::any>>(args, slice);
}
template <class T> void max_pool_backward(const PoolArgs& args, Slice slice) noexcept {
  if (args.wide)
    scatter_any<T, MaxGradient<T, std::int32_t>>(args, slice);
  else
    pool_backward<T, MaxGradient<T, std::uint8_t>>(args, slice);
}
template <class T> void lp_pool(const PoolArgs& args, Slice slice) noexcept {
  if (args.norm == 1 || args.norm == 2)
    pool<T, Norm<T>>(args, slice);
  else
    pool_any<T, AnyNorm<T>>(args, slice);
}
template <class T> void lp_pool_backward(const PoolArgs& args, Slice slice) noexcept {
  if (args.norm == 1 || args.norm == 2)
    pool_backward<T, NormGradient<T>>(args, slice);
  else
    scatter_any<T, AnyNormGradient<T>>(args, slice);
}

} // namespace

// Slices of rows of windows, in units of PoolArgs::unit.
Entry max_pool_kernel() noexcept { return entry<PoolArgs, max_pool<float>, max_pool<double>>; }
// Slices of rows of pixels, in units of PoolArgs::unit.
Entry max_pool_backward_kernel() noexcept {
  return entry<PoolArgs, max_pool_backward<float>, max_pool_backward<double>>;
}
// Slices of rows of windows, in units of PoolArgs::unit.
Entry avg_pool_kernel() noexcept {
  return entry<PoolArgs, pool<float, Mean<float>>, pool<double, Mean<double>>>;
}
// Slices of rows of pixels, in units of PoolArgs::unit.
Entry avg_pool_backward_kernel() noexcept {
  return entry<PoolArgs, pool_backward<float, MeanGradient<float>>,
               pool_backward<double, MeanGradient<double>>>;
}
// Slices of rows of windows, in units of PoolArgs::unit.
Entry lp_pool_kernel() noexcept { return entry<PoolArgs, lp_pool<float>, lp_pool<double>>; }
// Slices of rows of pixels, in units of PoolArgs::unit.
Entry lp_pool_backward_kernel() noexcept {
  return entry<PoolArgs, lp_pool_backward<float>, lp_pool_backward<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
