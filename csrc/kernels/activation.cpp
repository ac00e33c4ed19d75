// Activation functions over arrays, forward and backward.
#include "kernels/activate.h"
#include "kernels/register.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

struct Range {
  std::int64_t begin, end;
};
GYAKU_INLINE Range elements(const ElementwiseArgs& args, Slice slice) {
  const std::int64_t end = slice.end * args.unit;
  return {slice.begin * args.unit, end < args.size ? end : args.size};
}

template <class T> void activation(const ElementwiseArgs& args, Slice slice) noexcept {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  const vec<T> alpha = broadcast(static_cast<T>(args.alpha));
  const Range range = elements(args, slice);
  choose(args.activation, [=]<Activation function>(Chosen<function>) {
    for_each_vector<T>(range.begin, range.end, [=](std::int64_t i, int count) {
      store(y + i, activate<function>(load(x + i, count), alpha), count);
    });
  });
}

template <class T> void activation_backward(const ElementwiseArgs& args, Slice slice) noexcept {
  const T* dy = static_cast<const T*>(args.x);
  const T* saved = static_cast<const T*>(args.saved);
  T* dx = static_cast<T*>(args.y);
  const vec<T> alpha = broadcast(static_cast<T>(args.alpha));
  const Range range = elements(args, slice);
  choose(args.activation, [=]<Activation function>(Chosen<function>) {
    for_each_vector<T>(range.begin, range.end, [=](std::int64_t i, int count) {
      store(dx + i, differentiate<function>(load(dy + i, count), load(saved + i, count), alpha),
            count);
    });
  });
}

} // namespace

void register_activation(KernelTable& table) noexcept {
  enter<ElementwiseArgs, activation<float>, activation<double>>(table, KernelId::activation);
  enter<ElementwiseArgs, activation_backward<float>, activation_backward<double>>(
      table, KernelId::activation_backward);
}

} // namespace gyaku::GYAKU_ISA_NAME
