// Activation functions over arrays, forward and backward.
#include "kernels/activate.h"
#include "kernels/activation_rows.h"
#include "kernels/entry.h"
#include "kernels/range.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// y = f(x), n elements.
template <class T>
[[gnu::noinline]] void forward(Activation function, T alpha, const T* x, T* y,
                               std::int64_t n) noexcept {
  choose(function, [=]<Activation chosen>(Chosen<chosen>) {
    for_each_vector<T>(0, n, [=](std::int64_t i, int count) {
      store(y + i, activate<chosen>(load(x + i, count), broadcast(alpha)), count);
    });
  });
}

// dx = dy f'(saved), n elements.
template <class T>
[[gnu::noinline]] void backward(Activation function, T alpha, const T* dy, const T* saved, T* dx,
                                std::int64_t n) noexcept {
  choose(function, [=]<Activation chosen>(Chosen<chosen>) {
    for_each_vector<T>(0, n, [=](std::int64_t i, int count) {
      store(dx + i,
            differentiate<chosen>(load(dy + i, count), load(saved + i, count), broadcast(alpha)),
            count);
    });
  });
}

GYAKU_INLINE Range elements(const ElementwiseArgs& args, Slice slice) {
  return {slice.begin * args.unit, least(slice.end * args.unit, args.size)};
}

template <class T> void activation(const ElementwiseArgs& args, Slice slice) noexcept {
  const Range range = elements(args, slice);
  forward(args.activation, static_cast<T>(args.alpha), static_cast<const T*>(args.x) + range.begin,
          static_cast<T*>(args.y) + range.begin, range.size());
}

template <class T> void activation_backward(const ElementwiseArgs& args, Slice slice) noexcept {
  const Range range = elements(args, slice);
  backward(args.activation, static_cast<T>(args.alpha), static_cast<const T*>(args.x) + range.begin,
           static_cast<const T*>(args.saved) + range.begin, static_cast<T*>(args.y) + range.begin,
           range.size());
}

} // namespace

void activate_row(Activation function, float alpha, float* row, std::int64_t n) noexcept {
  if (function != Activation::identity) forward(function, alpha, row, row, n);
}
void activate_row(Activation function, double alpha, double* row, std::int64_t n) noexcept {
  if (function != Activation::identity) forward(function, alpha, row, row, n);
}
void differentiate_row(Activation function, float alpha, const float* saved, float* dy,
                       std::int64_t n) noexcept {
  backward(function, alpha, dy, saved, dy, n);
}
void differentiate_row(Activation function, double alpha, const double* saved, double* dy,
                       std::int64_t n) noexcept {
  backward(function, alpha, dy, saved, dy, n);
}

// Slices of elements, in units of ElementwiseArgs::unit.
Entry activation_kernel() noexcept {
  return entry<ElementwiseArgs, activation<float>, activation<double>>;
}
// Slices of elements, in units of ElementwiseArgs::unit.
Entry activation_backward_kernel() noexcept {
  return entry<ElementwiseArgs, activation_backward<float>, activation_backward<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
