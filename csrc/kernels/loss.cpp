// Losses and their gradients, one loss value a row, and the accuracy.
//
// A label outside [0, columns) is never an index: loss and gradient of its row are NaN. Rows behind
// the end of a sequence have no loss and no gradient, whatever they hold.
#include "kernels/args/loss.h"
#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/entry.h"
#include "kernels/range.h"
#include "kernels/rows.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The part of a sample that is real, in the unit of `sample` and `step`.
template <class Args> GYAKU_INLINE std::int64_t real_part(const Args& args, std::int64_t n) {
  return most(0, least(args.lengths[n] * args.step, args.sample));
}
template <class Args> GYAKU_INLINE bool is_padding(const Args& args, std::int64_t row) {
  return args.lengths != nullptr && row % args.sample >= real_part(args, row / args.sample);
}
GYAKU_INLINE double over_count(double factor, const double* count) {
  if (count == nullptr) return factor;
  return *count == 0 ? 0 : factor / *count; // 0 only if all weights are
}
template <class T> void clear(T* dx, std::int64_t count) {
  __builtin_memset(dx, 0, static_cast<std::size_t>(count) * sizeof(T));
}

template <class T>
constexpr T not_a_number = sizeof(T) == 4 ? T(__builtin_nanf("")) : T(__builtin_nan(""));

// The target distribution of a row, a vector at a time, zero beyond the end: one class, or
// probabilities in memory; smoothed: t' = (1 - smoothing) t + smoothing / columns.
template <class T> struct OneClass {
  const std::int64_t* labels;
  std::int64_t columns, label = -1;
  vec<T> here, elsewhere, share, whole;

  GYAKU_INLINE OneClass(const LossArgs& args, T smoothing)
      : labels(args.labels), columns(args.columns),
        here(broadcast(T(1) - smoothing + smoothing / static_cast<T>(args.columns))),
        elsewhere(broadcast(smoothing / static_cast<T>(args.columns))) {}
  GYAKU_INLINE void enter(std::int64_t row) {
    label = labels[row];
    // Not in the row: every value is NaN, and so are all results.
    const bool inside = static_cast<std::uint64_t>(label) < static_cast<std::uint64_t>(columns);
    share = inside ? elsewhere : vec<T>(not_a_number<T>);
    whole = inside ? vec<T>(T(1)) : vec<T>(not_a_number<T>);
  }
  GYAKU_INLINE vec<T> at(std::int64_t j, int n) const {
    // The label may have any value, so the difference wraps around.
    const std::uint64_t lane = static_cast<std::uint64_t>(label) - static_cast<std::uint64_t>(j);
    const integer<T> hit = lane < static_cast<unsigned>(n) ? static_cast<integer<T>>(lane) : -1;
    const mask<T> is_label = (iota<integer<T>>() == vec<integer<T>>(hit)).v;
    return fill_behind(select(is_label, here, share), n, zero<T>());
  }
  // The sum over the row, from the sums in the lanes.
  GYAKU_INLINE vec<T> total(vec<T>) const { return whole; }
};
template <class T> struct Distribution {
  const T* all;
  const T* target = nullptr;
  std::int64_t columns;
  vec<T> kept, share;

  GYAKU_INLINE Distribution(const LossArgs& args, T smoothing)
      : all(static_cast<const T*>(args.target)), columns(args.columns),
        kept(broadcast(T(1) - smoothing)),
        share(broadcast(smoothing / static_cast<T>(args.columns))) {}
  GYAKU_INLINE void enter(std::int64_t row) { target = all + row * columns; }
  GYAKU_INLINE vec<T> at(std::int64_t j, int n) const {
    return fill_behind(fma(kept, load(target + j, n), share), n, zero<T>());
  }
  GYAKU_INLINE vec<T> total(vec<T> sums) const { return add_across(sums); }
};

// t x, where a class of target zero adds nothing, even at -inf.
template <class T> GYAKU_INLINE vec<T> weighted(vec<T> t, vec<T> x) {
  return select(t == zero<T>(), zero<T>(), t * x);
}

// The remaining parts of the loss of a row: weight log(sum) - product.
template <class T> struct RowTerms {
  T sum, weight, product;
};

// loss = -sum t log p; dx = factor (p sum t - t)
template <class T, class Target>
GYAKU_INLINE RowTerms<T> softmax_cross_entropy_row(const T* x, const Target& target, T* dx,
                                                   std::int64_t columns, vec<T> factor) {
  if (columns <= vec<T>::width) { // the common case stays in registers
    const int n = static_cast<int>(columns);
    const vec<T> scores = load_scores(x, n), shifted = scores - max_across(scores);
    const vec<T> e = exp(shifted), t = target.at(0, n);
    const vec<T> sum = add_across(e), weight = target.total(t);
    store(dx, factor * fma(e, weight / sum, -t), n);
    return {first(sum), first(weight), reduce_add(weighted(t, shifted))};
  }
  const Exponentials<T> e = exponentials(x, dx, columns);
  vec<T> weights = zero<T>(), products = zero<T>();
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
    const vec<T> t = target.at(j, n);
    weights = weights + t;
    products = products + weighted(t, load(x + j, n) - e.largest);
  });
  const vec<T> weight = target.total(weights), scale = weight / e.sum;
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
    store(dx + j, factor * fma(load(dx + j, n), scale, -target.at(j, n)), n);
  });
  return {first(e.sum), first(weight), reduce_add(products)};
}

// Rows in blocks, so that one logarithm serves a whole vector of them.
template <class T, class Target>
GYAKU_INLINE void softmax_cross_entropy_rows(const LossArgs& args, Slice slice) {
  constexpr int width = vec<T>::width;
  const std::int64_t columns = args.columns;
  const vec<T> factor = broadcast(static_cast<T>(over_count(args.gradient_factor, args.count)));
  const T* x = static_cast<const T*>(args.y);
  T* dx = static_cast<T*>(args.dy);
  Target target(args, static_cast<T>(args.parameter));
  for (std::int64_t row = slice.begin; row < slice.end; row += width) {
    const int count = slice.end - row < width ? static_cast<int>(slice.end - row) : width;
    T sum[width] = {}, weight[width], product[width];
    for (int k = 0; k < count; ++k) {
      const std::int64_t at = (row + k) * columns;
      if (is_padding(args, row + k)) {
        clear(dx + at, columns);
        sum[k] = 1;
        weight[k] = product[k] = 0;
        continue;
      }
      target.enter(row + k);
      const RowTerms<T> terms = softmax_cross_entropy_row(x + at, target, dx + at, columns, factor);
      sum[k] = terms.sum;
      weight[k] = terms.weight;
      product[k] = terms.product;
    }
    T logs[width];
    store(logs, log(load(sum)));
    for (int k = 0; k < count; ++k)
      args.row_loss[row + k] = static_cast<double>(weight[k]) * static_cast<double>(logs[k]) -
                               static_cast<double>(product[k]);
  }
}
template <class T> void softmax_cross_entropy(const LossArgs& args, Slice slice) noexcept {
  if (args.labels != nullptr)
    softmax_cross_entropy_rows<T, OneClass<T>>(args, slice);
  else
    softmax_cross_entropy_rows<T, Distribution<T>>(args, slice);
}

// loss = -sum t log(p + delta); dp = -factor t / (p + delta)
template <class T, class Target>
GYAKU_INLINE void cross_entropy_rows(const LossArgs& args, Slice slice) {
  const std::int64_t columns = args.columns;
  const vec<T> minus_factor =
      broadcast(static_cast<T>(-over_count(args.gradient_factor, args.count)));
  const vec<T> delta = broadcast(static_cast<T>(args.parameter));
  Target target(args, T(0));
  for (std::int64_t row = slice.begin; row < slice.end; ++row) {
    const T* p = static_cast<const T*>(args.y) + row * columns;
    T* dp = static_cast<T*>(args.dy) + row * columns;
    if (is_padding(args, row)) {
      clear(dp, columns);
      args.row_loss[row] = 0;
      continue;
    }
    target.enter(row);
    vec<T> sums = zero<T>();
    for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
      const vec<T> t = target.at(j, n);
      const vec<T> shifted = fill_behind(load(p + j, n) + delta, n, vec<T>(T(1)));
      sums = fma(t, log(shifted), sums);
      store(dp + j, minus_factor * t / shifted, n);
    });
    args.row_loss[row] = -static_cast<double>(reduce_add(sums));
  }
}
template <class T> void cross_entropy(const LossArgs& args, Slice slice) noexcept {
  if (args.labels != nullptr)
    cross_entropy_rows<T, OneClass<T>>(args, slice);
  else
    cross_entropy_rows<T, Distribution<T>>(args, slice);
}

// loss = sum (y - t)^2; dy = factor (y - t), times the derivative at y: derive(dy, y, address of y,
// lanes)
template <class T, class Derive>
void squared_error_rows(const LossArgs& args, Slice slice, Derive derive) noexcept {
  const std::int64_t columns = args.columns;
  const vec<T> factor = broadcast(static_cast<T>(over_count(args.gradient_factor, args.count)));
  for (std::int64_t row = slice.begin; row < slice.end; ++row) {
    const T* y = static_cast<const T*>(args.y) + row * columns;
    const T* t = static_cast<const T*>(args.target) + row * columns;
    T* dy = static_cast<T*>(args.dy) + row * columns;
    const std::int64_t real = args.lengths == nullptr ? columns : real_part(args, row);
    vec<T> sums = zero<T>();
    for_each_vector<T>(0, real, [&](std::int64_t j, int n) {
      const bool is_short = n <= few<T>; // read by products one by one
      const vec<T> output = is_short ? load_few(y + j, n) : load(y + j, n);
      const vec<T> difference = output - (is_short ? load_few(t + j, n) : load(t + j, n));
      sums = fma(difference, difference, sums);
      const vec<T> gradient = derive(factor * difference, output, y + j, n);
      if (is_short)
        store_few(dy + j, gradient, n);
      else
        store(dy + j, gradient, n);
    });
    for (std::int64_t j = real; j < columns; j += vec<T>::width) { // zeros, but for their sign
      const int n = static_cast<int>(least(vec<T>::width, columns - j));
      store(dy + j, derive(zero<T>(), load(y + j, n), y + j, n), n);
    }
    args.row_loss[row] = static_cast<double>(reduce_add(sums));
  }
}
// In float64, which serves checks, all derivatives share one loop.
template <class T> void squared_error(const LossArgs& args, Slice slice) noexcept {
  const T alpha = static_cast<T>(args.alpha);
  if constexpr (sizeof(T) == sizeof(float))
    choose(args.derivative, [&]<Activation function>(Chosen<function>) {
      squared_error_rows<T>(args, slice, [=](vec<T> dy, vec<T> y, const T*, int) GYAKU_INLINED {
        return differentiate<function>(dy, y, broadcast(alpha));
      });
    });
  else
    squared_error_rows<T>(args, slice, [&](vec<T> dy, vec<T>, const T* y, int n) {
      if (args.derivative == Activation::identity) return dy;
      T lanes[vec<T>::width];
      store(lanes, dy);
      differentiate_row(args.derivative, alpha, y, lanes, n);
      return load(lanes);
    });
}

// The loss of an element and its derivative.
template <class T> struct Element {
  vec<T> loss, slope;
};

// loss = sum of those of the elements; dy = factor slope
template <class T, class Formula>
GYAKU_INLINE void element_rows(const LossArgs& args, Slice slice, Formula formula) {
  const std::int64_t columns = args.columns;
  const vec<T> factor = broadcast(static_cast<T>(over_count(args.gradient_factor, args.count)));
  for (std::int64_t row = slice.begin; row < slice.end; ++row) {
    const T* y = static_cast<const T*>(args.y) + row * columns;
    const T* t = static_cast<const T*>(args.target) + row * columns;
    T* dy = static_cast<T*>(args.dy) + row * columns;
    const std::int64_t real = args.lengths == nullptr ? columns : real_part(args, row);
    vec<T> sums = zero<T>();
    for_each_vector<T>(0, real, [&](std::int64_t j, int n) GYAKU_INLINED {
      const Element<T> element = formula(load(y + j, n), load(t + j, n));
      sums = sums + fill_behind(element.loss, n, zero<T>());
      store(dy + j, factor * element.slope, n);
    });
    if (real < columns) clear(dy + real, columns - real);
    args.row_loss[row] = static_cast<double>(reduce_add(sums));
  }
}

// |y - t|; sign(y - t), by comparison: a difference may be flushed to zero
template <class T> void absolute_error(const LossArgs& args, Slice slice) noexcept {
  element_rows<T>(args, slice, [](vec<T> y, vec<T> t) GYAKU_INLINED {
    const vec<T> difference = y - t; // otherwise zero or NaN
    return Element<T>{abs(difference),
                      select(y < t, -one<T>(), select(y > t, one<T>(), difference))};
  });
}

// c (|d| - c / 2) with c = min(|d|, delta), d = y - t; c with the sign of d
template <class T> void huber(const LossArgs& args, Slice slice) noexcept {
  const vec<T> delta = broadcast(static_cast<T>(args.parameter));
  element_rows<T>(args, slice, [=](vec<T> y, vec<T> t) GYAKU_INLINED {
    const vec<T> difference = y - t, size = abs(difference), near = min(delta, size);
    return Element<T>{near * fma(near, vec<T>(T(-0.5)), size), copysign(near, difference)};
  });
}

// -t log(p + delta) - (1 - t) log(1 - p + delta)
template <class T> void binary_cross_entropy(const LossArgs& args, Slice slice) noexcept {
  const vec<T> delta = broadcast(static_cast<T>(args.parameter));
  element_rows<T>(args, slice, [=](vec<T> p, vec<T> t) GYAKU_INLINED {
    const vec<T> yes = p + delta, no = one<T>() - p + delta, rest = one<T>() - t;
    return Element<T>{-fma(t, log(yes), rest * log(no)), rest / no - t / yes};
  });
}

// With p = sigmoid(x), the same without overflow: max(x, 0) - x t + log(1 + e^-|x|); p - t
template <class T> void sigmoid_cross_entropy(const LossArgs& args, Slice slice) noexcept {
  element_rows<T>(args, slice, [](vec<T> x, vec<T> t) GYAKU_INLINED {
    const vec<T> e = exp(-abs(x)), p = select(x < zero<T>(), e, one<T>()) / (one<T>() + e);
    return Element<T>{fma(-x, t, max(zero<T>(), x)) + log1p_of_fraction(e), p - t};
  });
}

// Pairwise sum: halves down to blocks of at most 128, a block in eight interleaved sums; the same
// tree in every instruction set.
double pairwise_sum(const double* x, std::int64_t n) noexcept {
  constexpr std::int64_t block = 128;
  if (n > block) {
    const std::int64_t half = (n / 2 + block - 1) / block * block;
    return pairwise_sum(x, half) + pairwise_sum(x + half, n - half);
  }
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) sums[k] += x[i + k];
  for (int k = 0; i + k < n; ++k) sums[k] += x[i + k];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

void sum_losses(const SumLossesArgs& args, Slice) noexcept {
  *args.loss = over_count(args.factor, args.count) * pairwise_sum(args.row_loss, args.rows);
}

void count_steps(const CountStepsArgs& args, Slice) noexcept {
  std::int64_t count = 0;
  for (std::int64_t n = 0; n < args.samples; ++n)
    count += most(0, least(args.lengths[n], args.steps));
  *args.count = static_cast<double>(count);
}

// A row of weight zero is not there, whatever it holds.
template <class T> void weigh_losses(const WeighLossesArgs& args, Slice slice) noexcept {
  for (std::int64_t row = slice.begin; row < slice.end; ++row) {
    T* dy = static_cast<T*>(args.dy) + row * args.columns;
    const double weight = is_padding(args, row) ? 0 : args.weights[row / args.rows_per_weight];
    if (weight == 0) {
      args.row_loss[row] = 0;
      clear(dy, args.columns);
      continue;
    }
    args.row_loss[row] *= weight;
    const vec<T> factor = broadcast(static_cast<T>(weight));
    for_each_vector<T>(0, args.columns,
                       [&](std::int64_t j, int n) { store(dy + j, factor * load(dy + j, n), n); });
  }
}

void sum_weights(const SumWeightsArgs& args, Slice) noexcept {
  const std::int64_t each = most(1, args.steps * args.per_step); // weights of a sample
  double sum = 0;
  for (std::int64_t n = 0; n < args.samples; ++n) {
    const std::int64_t real =
        args.lengths == nullptr ? args.steps : most(0, least(args.lengths[n], args.steps));
    const double* weights = args.weights + n * each;
    if (args.per_step == 0)
      sum += weights[0] * static_cast<double>(args.lengths == nullptr ? 1 : real);
    else
      sum += pairwise_sum(weights, real * args.per_step);
  }
  *args.sum = sum;
}

// The first of the largest elements; the first NaN if there is one.
template <class T> GYAKU_INLINE std::int64_t argmax(const T* x, std::int64_t columns) {
  const vec<T> largest = largest_in_row(x, columns);
  std::int64_t first = columns, first_nan = columns;
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
    if (first_nan < columns) return;
    const vec<T> scores = load_scores(x + j, n);
    const int hit = first_set(scores == largest), nan = first_set(scores != scores);
    if (first == columns && hit < n) first = j + hit;
    if (nan < n) first_nan = j + nan;
  });
  return first_nan < columns ? first_nan : first;
}

// Whether fewer than `top` scores are larger than that of a class.
template <class T>
GYAKU_INLINE bool is_among(const T* scores, std::int64_t columns, std::int64_t label,
                           std::int64_t top) {
  if (static_cast<std::uint64_t>(label) >= static_cast<std::uint64_t>(columns)) return false;
  std::int64_t larger = 0;
  for (std::int64_t j = 0; j < columns; ++j) larger += scores[j] > scores[label];
  return larger < top;
}

template <class T> GYAKU_INLINE bool is_correct(const CountCorrectArgs& args, std::int64_t row) {
  const T* scores = static_cast<const T*>(args.scores);
  const T* target = static_cast<const T*>(args.target);
  const std::int64_t columns = args.columns;
  if (columns == 1) {
    const bool expected = args.labels != nullptr ? args.labels[row] > 0 : target[row] > T(0.5);
    return (scores[row] > static_cast<T>(args.threshold)) == expected;
  }
  const std::int64_t expected =
      args.labels != nullptr ? args.labels[row] : argmax(target + row * columns, columns);
  if (args.top > 0) return is_among(scores + row * columns, columns, expected, args.top);
  return argmax(scores + row * columns, columns) == expected;
}
template <class T> void count_correct(const CountCorrectArgs& args, Slice) noexcept {
  double correct = 0; // exact without weights
  for (std::int64_t row = 0; row < args.rows; ++row)
    if (!is_padding(args, row) && is_correct<T>(args, row))
      correct += args.weights == nullptr ? 1 : args.weights[row / args.rows_per_weight];
  *args.correct = correct;
}

// The class of a row of scores, which is one column for two classes.
template <class T>
GYAKU_INLINE std::int64_t class_of(const T* scores, std::int64_t columns, double threshold) {
  return columns == 1 ? *scores > static_cast<T>(threshold) : argmax(scores, columns);
}
template <class T> void count_confusions(const CountConfusionsArgs& args, Slice) noexcept {
  const std::int64_t columns = args.columns, classes = args.classes;
  const std::int64_t cells = args.by_label ? columns * 4 : classes * classes;
  if (static_cast<std::uint64_t>(*args.slot) >= static_cast<std::uint64_t>(args.slots)) return;
  double* totals = args.totals + *args.slot * cells;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    if (is_padding(args, row)) continue;
    const double weight = args.weights == nullptr ? 1 : args.weights[row / args.rows_per_weight];
    const T* scores = static_cast<const T*>(args.scores) + row * columns;
    const T* target = static_cast<const T*>(args.target);
    if (target != nullptr) target += row * columns;
    if (args.by_label) {
      const T threshold = static_cast<T>(args.threshold);
      for (std::int64_t k = 0; k < columns; ++k)
        totals[4 * k + 2 * (target[k] > T(0.5)) + (scores[k] > threshold)] += weight;
      continue;
    }
    const std::int64_t expected =
        args.labels != nullptr ? args.labels[row] : class_of(target, columns, 0.5);
    const std::int64_t predicted = class_of(scores, columns, args.threshold);
    if (static_cast<std::uint64_t>(expected) < static_cast<std::uint64_t>(classes))
      totals[expected * classes + predicted] += weight;
  }
}

} // namespace

// Slices of rows.
Entry softmax_cross_entropy_kernel() noexcept {
  return entry<LossArgs, softmax_cross_entropy<float>, softmax_cross_entropy<double>>;
}
// Slices of rows.
Entry cross_entropy_kernel() noexcept {
  return entry<LossArgs, cross_entropy<float>, cross_entropy<double>>;
}
// Slices of rows.
Entry squared_error_kernel() noexcept {
  return entry<LossArgs, squared_error<float>, squared_error<double>>;
}
// Slices of rows.
Entry absolute_error_kernel() noexcept {
  return entry<LossArgs, absolute_error<float>, absolute_error<double>>;
}
// Slices of rows.
Entry huber_kernel() noexcept { return entry<LossArgs, huber<float>, huber<double>>; }
// Slices of rows.
Entry binary_cross_entropy_kernel() noexcept {
  return entry<LossArgs, binary_cross_entropy<float>, binary_cross_entropy<double>>;
}
// Slices of rows.
Entry sigmoid_cross_entropy_kernel() noexcept {
  return entry<LossArgs, sigmoid_cross_entropy<float>, sigmoid_cross_entropy<double>>;
}
// One slice.
Entry sum_losses_kernel() noexcept { return entry<SumLossesArgs, sum_losses, sum_losses>; }
// Slices of rows.
Entry weigh_losses_kernel() noexcept {
  return entry<WeighLossesArgs, weigh_losses<float>, weigh_losses<double>>;
}
// One slice.
Entry sum_weights_kernel() noexcept { return entry<SumWeightsArgs, sum_weights, sum_weights>; }
// One slice.
Entry count_steps_kernel() noexcept { return entry<CountStepsArgs, count_steps, count_steps>; }
// One slice.
Entry count_correct_kernel() noexcept {
  return entry<CountCorrectArgs, count_correct<float>, count_correct<double>>;
}
// One slice.
Entry count_confusions_kernel() noexcept {
  return entry<CountConfusionsArgs, count_confusions<float>, count_confusions<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
