// Softmax and its logarithm over rows, and their gradients.
//
// A sum runs over vectors first and over lanes last: its order depends on the row's length alone.
#include "kernels/args/softmax.h"
#include "kernels/entry.h"
#include "kernels/rows.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// y = exp(x - largest) / sum
template <class T> GYAKU_INLINE void softmax_row(const T* x, T* y, std::int64_t columns) {
  const vec<T> one(T(1));
  if (columns <= vec<T>::width) { // the common case stays in registers
    const int n = static_cast<int>(columns);
    const vec<T> scores = load_scores(x, n), e = exp(scores - max_across(scores));
    store(y, e * (one / add_across(e)), n);
    return;
  }
  const vec<T> scale = one / exponentials(x, y, columns).sum;
  for_each_vector<T>(0, columns,
                     [=](std::int64_t j, int n) { store(y + j, load(y + j, n) * scale, n); });
}

// dx = y (dy - sum dy y)
template <class T>
GYAKU_INLINE void softmax_backward_row(const T* dy, const T* y, T* dx, std::int64_t columns) {
  vec<T> sums = zero<T>();
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
    sums = fma(load(dy + j, n), load(y + j, n), sums);
  });
  const vec<T> sum = add_across(sums);
  for_each_vector<T>(0, columns, [=](std::int64_t j, int n) {
    store(dx + j, load(y + j, n) * (load(dy + j, n) - sum), n);
  });
}

// y = x - largest - log sum
template <class T> GYAKU_INLINE void log_softmax_row(const T* x, T* y, std::int64_t columns) {
  const vec<T> largest = largest_in_row(x, columns);
  vec<T> sum = zero<T>();
  for_each_vector<T>(
      0, columns, [&](std::int64_t j, int n) { sum = sum + exp(load_scores(x + j, n) - largest); });
  const vec<T> log_sum = log(add_across(sum));
  for_each_vector<T>(0, columns, [=](std::int64_t j, int n) {
    store(y + j, load(x + j, n) - largest - log_sum, n);
  });
}

// dx = dy - exp(y) sum dy
template <class T>
GYAKU_INLINE void log_softmax_backward_row(const T* dy, const T* y, T* dx, std::int64_t columns) {
  vec<T> sums = zero<T>();
  for_each_vector<T>(0, columns, [&](std::int64_t j, int n) { sums = sums + load(dy + j, n); });
  const vec<T> sum = add_across(sums);
  for_each_vector<T>(0, columns, [=](std::int64_t j, int n) {
    store(dx + j, load(dy + j, n) - exp(load(y + j, n)) * sum, n);
  });
}

template <class T, void (*one_row)(const T*, T*, std::int64_t)>
void forward(const SoftmaxArgs& args, Slice slice) noexcept {
  const std::int64_t columns = args.columns, end = slice.end * columns;
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for (std::int64_t i = slice.begin * columns; i < end; i += columns)
    one_row(x + i, y + i, columns);
}
template <class T, void (*one_row)(const T*, const T*, T*, std::int64_t)>
void backward(const SoftmaxArgs& args, Slice slice) noexcept {
  const std::int64_t columns = args.columns, end = slice.end * columns;
  const T* dy = static_cast<const T*>(args.x);
  const T* y = static_cast<const T*>(args.saved);
  T* dx = static_cast<T*>(args.y);
  for (std::int64_t i = slice.begin * columns; i < end; i += columns)
    one_row(dy + i, y + i, dx + i, columns);
}

} // namespace

// Slices of rows.
Entry softmax_kernel() noexcept {
  return entry<SoftmaxArgs, forward<float, softmax_row>, forward<double, softmax_row>>;
}
// Slices of rows.
Entry softmax_backward_kernel() noexcept {
  return entry<SoftmaxArgs, backward<float, softmax_backward_row>,
               backward<double, softmax_backward_row>>;
}
// Slices of rows.
Entry log_softmax_kernel() noexcept {
  return entry<SoftmaxArgs, forward<float, log_softmax_row>, forward<double, log_softmax_row>>;
}
// Slices of rows.
Entry log_softmax_backward_kernel() noexcept {
  return entry<SoftmaxArgs, backward<float, log_softmax_backward_row>,
               backward<double, log_softmax_backward_row>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
