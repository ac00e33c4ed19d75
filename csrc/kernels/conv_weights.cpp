// Gradients with respect to the weights and biases of a convolution.
//
// dw[tap][c][k] sums x[pixel at tap][c] dy[pixel][k]: a tile of channels x filters is summed in
// registers over the pixels of a chunk and added to dw. The chunks depend on the problem; each
// passes through all tiles, so that its pixels stay in the caches. Taps in the padding are skipped.
#include "kernels/args/conv.h"
#include "kernels/conv_weights_loops.h"
#include "kernels/entry.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// A slice counts elements of a stride.
template <class T> void add_parts(const AddPartsArgs& args, Slice slice) noexcept {
  const auto add = [&](Range range, T* to) {
    const T* x = static_cast<const T*>(args.x);
    for_each_vector<T>(range.begin, range.end, [&](std::int64_t i, int n) {
      vec<T> sum = load(x + i, n);
      for (std::int64_t p = 1; p < args.parts; ++p) sum = sum + load(x + p * args.stride + i, n);
      store(to + i, sum, n);
    });
  };
  add(both({slice.begin, slice.end}, {0, args.size}), static_cast<T*>(args.y));
  add(both({slice.begin, slice.end}, {args.size, args.stride}),
      static_cast<T*>(args.remainder) - args.size);
}

} // namespace

// Slices of parts x rows of dw: (group, tap, channel).
Entry conv_weights_kernel() noexcept {
  return entry<ConvWeightsArgs, conv_weights<float>, conv_weights<double>>;
}
// Slices of elements.
Entry add_parts_kernel() noexcept {
  return entry<AddPartsArgs, add_parts<float>, add_parts<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
