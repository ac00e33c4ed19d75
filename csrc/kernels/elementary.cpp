// The elementary functions over arrays, exposed for their tests.
#include "kernels/args/elementary.h"
#include "kernels/entry.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> void elementary(const ElementaryArgs& args, Slice slice) noexcept {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  const auto map = [=](auto f) {
    for_each_vector<T>(slice.begin, slice.end, [=](std::int64_t i, int count) {
      store(y + i, f(load(x + i, count)), count);
    });
  };
  switch (args.function) {
  case Function::exp:
    return map([](vec<T> v) { return exp(v); });
  case Function::expm1:
    return map([](vec<T> v) { return expm1(v); });
  case Function::log:
    return map([](vec<T> v) { return log(v); });
  case Function::log1p:
    return map([](vec<T> v) { return log1p(v); });
  case Function::tanh:
    return map([](vec<T> v) { return tanh(v); });
  case Function::sigmoid:
    return map([](vec<T> v) { return sigmoid(v); });
  case Function::erf:
    return map([](vec<T> v) { return erf(v); });
  }
}

} // namespace

// Slices of elements.
Entry elementary_kernel() noexcept {
  return entry<ElementaryArgs, elementary<float>, elementary<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
