// The flat gradients between the backward pass and an update: their sum over several batches, and
// their limits.
#include "kernels/args/optimizer.h"
#include "kernels/entry.h"
#include "kernels/range.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr std::int64_t chunk = 4096; // elements

// Of sum and mean: times the count, 0 only if all weights are.
template <class T> T weight_of(const GradientArgs& args) noexcept {
  return static_cast<T>(args.count == nullptr ? args.value : args.value * *args.count);
}

// total += weight g
template <class T> void add_gradients(const GradientArgs& args, Slice slice) noexcept {
  const T* gradients = static_cast<const T*>(args.gradients);
  T* total = static_cast<T*>(args.total);
  const vec<T> weight(weight_of<T>(args));
  for_each_vector<T>(slice.begin, slice.end, [=](std::int64_t i, int n) {
    store(total + i, fma(weight, load(gradients + i, n), load(total + i, n)), n);
  });
}

// g = total / divisor; total = 0
template <class T> void mean_gradients(const GradientArgs& args, Slice slice) noexcept {
  T* gradients = static_cast<T*>(args.gradients);
  T* total = static_cast<T*>(args.total);
  const T count = weight_of<T>(args);
  const vec<T> divisor(count == 0 ? T(1) : count);
  for_each_vector<T>(slice.begin, slice.end, [=](std::int64_t i, int n) {
    store(gradients + i, load(total + i, n) / divisor, n);
    store(total + i, zero<T>(), n);
  });
}

template <class T> void clip_values(const GradientArgs& args, Slice slice) noexcept {
  T* gradients = static_cast<T*>(args.gradients);
  const vec<T> limit(static_cast<T>(args.value));
  for_each_vector<T>(slice.begin, slice.end, [=](std::int64_t i, int n) {
    store(gradients + i, min(limit, max(-limit, load(gradients + i, n))), n);
  });
}

// In float64, where no square overflows; in eight interleaved sums, the same in every instruction
// set.
template <class T> double sum_of_squares(const T* x, std::int64_t n) noexcept {
  double sums[8] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = static_cast<double>(x[i]);
    sums[i % 8] += value * value;
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

template <class T> void square_gradients(const GradientArgs& args, Slice slice) noexcept {
  const T* gradients = static_cast<const T*>(args.gradients);
  for (std::int64_t c = slice.begin; c < slice.end; ++c)
    args.partial[c] = sum_of_squares(gradients + c * chunk, least(chunk, args.size - c * chunk));
}

// factor = min(1, limit / norm)
void limit_norm(const GradientArgs& args, Slice) noexcept {
  double sum = 0;
  for (std::int64_t c = 0; c < ceil_div(args.size, chunk); ++c) sum += args.partial[c];
  const double norm = __builtin_sqrt(sum);
  *args.factor = norm > args.value ? args.value / norm : 1;
}

template <class T> void scale_gradients(const GradientArgs& args, Slice slice) noexcept {
  if (*args.factor == 1) return;
  T* gradients = static_cast<T*>(args.gradients);
  const vec<T> factor(static_cast<T>(*args.factor));
  for_each_vector<T>(slice.begin, slice.end, [=](std::int64_t i, int n) {
    store(gradients + i, factor * load(gradients + i, n), n);
  });
}

// Element by element, so that the sum may be written over one of its terms.
template <class T> void sum_ranks(const SumRanksArgs& args, Slice slice) noexcept {
  const auto of = [&](std::int64_t rank) { return static_cast<const T*>(args.all[rank]); };
  T* const own = static_cast<T*>(args.own);
  const T *first = of(0), *second = of(args.ranks > 1 ? 1 : 0);
  if (args.ranks == 2)
    return for_each_vector<T>(slice.begin, slice.end, [=](std::int64_t i, int n) {
      store(own + i, load(first + i, n) + load(second + i, n), n);
    });
  for_each_vector<T>(slice.begin, slice.end, [&](std::int64_t i, int n) {
    vec<T> total = load(first + i, n);
    for (std::int64_t rank = 1; rank < args.ranks; ++rank) total = total + load(of(rank) + i, n);
    store(own + i, total, n);
  });
}

} // namespace

// Slices of elements.
Entry sum_ranks_kernel() noexcept {
  return entry<SumRanksArgs, sum_ranks<float>, sum_ranks<double>>;
}
// Slices of elements.
Entry add_gradients_kernel() noexcept {
  return entry<GradientArgs, add_gradients<float>, add_gradients<double>>;
}
// Slices of elements.
Entry mean_gradients_kernel() noexcept {
  return entry<GradientArgs, mean_gradients<float>, mean_gradients<double>>;
}
// Slices of elements.
Entry clip_values_kernel() noexcept {
  return entry<GradientArgs, clip_values<float>, clip_values<double>>;
}
// Slices of chunks of 4096 elements.
Entry square_gradients_kernel() noexcept {
  return entry<GradientArgs, square_gradients<float>, square_gradients<double>>;
}
// One slice.
Entry limit_norm_kernel() noexcept { return entry<GradientArgs, limit_norm, limit_norm>; }
// Slices of elements.
Entry scale_gradients_kernel() noexcept {
  return entry<GradientArgs, scale_gradients<float>, scale_gradients<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
