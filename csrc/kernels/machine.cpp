// The peak of the machine: fused multiply-adds in registers, and a triad through memory.
#include "kernels/args/machine.h"
#include "kernels/entry.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Enough independent chains to hide the latency of two pipes, few enough to stay in registers.
constexpr int chains = 12;
constexpr int steps_per_round = 64;

template <class T> void peak_flops(const PeakArgs& args, Slice slice) noexcept {
  vec<T> sum[chains];
#pragma GCC unroll 16
  for (int c = 0; c < chains; ++c) sum[c] = broadcast(static_cast<T>(c));
  const vec<T> factor = broadcast(static_cast<T>(0.5)), addend = broadcast(static_cast<T>(1));
  for (std::int64_t i = slice.begin; i < slice.end; ++i)
    for (int step = 0; step < steps_per_round; ++step) {
#pragma GCC unroll 16
      for (int c = 0; c < chains; ++c) sum[c] = fma(sum[c], factor, addend);
    }
  vec<T> total = zero<T>();
#pragma GCC unroll 16
  for (int c = 0; c < chains; ++c) total = total + sum[c];
  // One cell a slice, so that the work is not thrown away.
  static_cast<T*>(args.sink)[slice.begin] = reduce_add(total);
}

template <class T> void triad(const TriadArgs& args, Slice slice) noexcept {
  T* a = static_cast<T*>(args.a);
  const T* b = static_cast<const T*>(args.b);
  const T* c = static_cast<const T*>(args.c);
  const vec<T> s = broadcast(static_cast<T>(args.s));
  for_each_vector<T>(slice.begin, slice.end, [&](std::int64_t i, int n) {
    store(a + i, fma(s, load(c + i, n), load(b + i, n)), n);
  });
}

} // namespace

// Slices of repetitions.
Entry peak_flops_kernel() noexcept {
  return entry<PeakArgs, peak_flops<float>, peak_flops<double>>;
}
// Slices of elements.
Entry triad_kernel() noexcept { return entry<TriadArgs, triad<float>, triad<double>>; }
void machine_limits(Limits& limits) noexcept {
  constexpr double fmas = 2.0 * chains * steps_per_round;
  limits.peak_flops_per_round[static_cast<int>(Scalar::float32)] = fmas * vec<float>::width;
  limits.peak_flops_per_round[static_cast<int>(Scalar::float64)] = fmas * vec<double>::width;
}

} // namespace gyaku::GYAKU_ISA_NAME
