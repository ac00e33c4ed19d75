// Operands of products, rounded to bfloat16.
#include "kernels/args/precision.h"
#include "kernels/entry.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> void round_rows(const RoundArgs& args, Slice slice) noexcept {
  for (std::int64_t row = slice.begin; row < slice.end; ++row) {
    const std::int64_t begin = row * args.columns;
    const T* const x = static_cast<const T*>(args.x) + row * args.stride;
    T* const y = static_cast<T*>(args.y) + begin;
    for_each_vector<T>(0, least(args.columns, args.size - begin), [=](std::int64_t j, int n) {
      store(y + j, rounded_to_bfloat16(load(x + j, n)), n);
    });
  }
}

} // namespace

// Slices of rows.
Entry round_rows_kernel() noexcept {
  return entry<RoundArgs, round_rows<float>, round_rows<double>>;
}

} // namespace gyaku::GYAKU_ISA_NAME
