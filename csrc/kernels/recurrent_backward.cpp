// The backward pass through recurrent cells, from the last step to the first.
#include "kernels/entry.h"
#include "kernels/recurrent_backward_loops.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> void peepholes(const PeepholeArgs& args, Slice slice) noexcept {
  const RecurrentShape& shape = args.shape;
  const std::int64_t units = shape.units;
  T* const to = static_cast<T*>(args.dpeepholes);
  const T* const dgates = static_cast<const T*>(args.dgates);
  const T* const cells = static_cast<const T*>(args.cells);
  const T* const c0 = static_cast<const T*>(args.c0);
  for_each_part<T>({slice.begin, slice.end}, [=](std::int64_t j, int n) GYAKU_INLINED {
    vec<T> sums[3] = {zero<T>(), zero<T>(), zero<T>()};
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      const Sequence steps = sequence(shape, args.lengths, row);
      vec<T> c = load(c0 + row * units + j, n);
      for (std::int64_t step = 0; steps.holds(step); ++step) {
        const std::int64_t position = row * shape.steps + steps.time(step);
        const T* const gates = dgates + position * 4 * units + j;
        sums[0] = fma(load(gates, n), c, sums[0]);
        sums[1] = fma(load(gates + units, n), c, sums[1]);
        c = load(cells + position * units + j, n);
        sums[2] = fma(load(gates + 3 * units, n), c, sums[2]);
      }
    }
    for (int gate = 0; gate < 3; ++gate) store(to + gate * units + j, sums[gate], n);
  });
}

} // namespace

// Slices like those of the forward pass.
Entry recurrent_backward_kernel() noexcept {
  return entry<RecurrentBackwardArgs, backward<float>, backward<double>>;
}
// Slices of units.
Entry peepholes_kernel() noexcept {
  return entry<PeepholeArgs, peepholes<float>, peepholes<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
