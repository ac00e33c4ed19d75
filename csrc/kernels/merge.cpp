// Merged branches: their sum, difference, product or quotient, and columns copied from one matrix
// to another.
#include "kernels/args/merge.h"
#include "kernels/args/activation.h"
#include "kernels/entry.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// y = combine(a, b) of all elements.
template <class T, class Combine>
GYAKU_INLINE void merge(const ElementwiseArgs& args, Slice slice, Combine combine) noexcept {
  const T* a = static_cast<const T*>(args.x);
  const T* b = static_cast<const T*>(args.saved);
  T* y = static_cast<T*>(args.y);
  const std::int64_t end = slice.end * args.unit;
  for_each_vector<T>(
      slice.begin * args.unit, end < args.size ? end : args.size,
      [=](std::int64_t i, int n) { store(y + i, combine(load(a + i, n), load(b + i, n)), n); });
}
template <class T> void add(const ElementwiseArgs& args, Slice slice) noexcept {
  merge<T>(args, slice, [](vec<T> a, vec<T> b) { return a + b; });
}
template <class T> void subtract(const ElementwiseArgs& args, Slice slice) noexcept {
  merge<T>(args, slice, [](vec<T> a, vec<T> b) { return a - b; });
}
template <class T> void multiply(const ElementwiseArgs& args, Slice slice) noexcept {
  merge<T>(args, slice, [](vec<T> a, vec<T> b) { return a * b; });
}
template <class T> void divide(const ElementwiseArgs& args, Slice slice) noexcept {
  merge<T>(args, slice, [](vec<T> a, vec<T> b) { return a / b; });
}

template <class T> void copy_columns(const CopyColumnsArgs& args, Slice slice) noexcept {
  const T* x = static_cast<const T*>(args.x) + args.x_start;
  T* y = static_cast<T*>(args.y) + args.y_start;
  for (std::int64_t row = slice.begin * args.unit; row < slice.end * args.unit; ++row) {
    const T* from = x + row * args.x_columns;
    T* to = y + row * args.y_columns;
    for_each_vector<T>(0, args.columns,
                       [=](std::int64_t j, int n) { store(to + j, load(from + j, n), n); });
  }
}

} // namespace

// Slices of elements, in units of ElementwiseArgs::unit.
Entry add_kernel() noexcept { return entry<ElementwiseArgs, add<float>, add<double>>; }
Entry subtract_kernel() noexcept {
  return entry<ElementwiseArgs, subtract<float>, subtract<double>>;
}
Entry multiply_kernel() noexcept {
  return entry<ElementwiseArgs, multiply<float>, multiply<double>>;
}
Entry divide_kernel() noexcept { return entry<ElementwiseArgs, divide<float>, divide<double>>; }
// Slices of rows, in units of CopyColumnsArgs::unit.
Entry copy_columns_kernel() noexcept {
  return entry<CopyColumnsArgs, copy_columns<float>, copy_columns<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
