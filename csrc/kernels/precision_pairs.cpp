// Operands of convolutions as words of two numbers in bfloat16, for sets with an instruction for
// their products.
#include "kernels/args/precision.h"
#include "kernels/entry.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

void pair_elements(const PairElementsArgs& args, Slice slice) noexcept {
  constexpr int size = 2 * vec<float>::width;
  const std::int64_t end = least(slice.end * args.columns, args.size);
  const float* const x = static_cast<const float*>(args.x);
  auto* const words = static_cast<std::uint32_t*>(args.words);
  for (std::int64_t i = slice.begin * args.columns; i < end; i += size) {
    const auto left = static_cast<int>(least(end - i, size));
    store(words + i / 2, load_pairs(x + i, left), left / 2);
  }
}

void pair_rows(const PairRowsArgs& args, Slice slice) noexcept {
  for (std::int64_t pair = slice.begin; pair < slice.end; ++pair) {
    const float* const even = static_cast<const float*>(args.x) + 2 * pair * args.columns;
    const float* const odd = even + args.columns;
    std::uint32_t* const to = static_cast<std::uint32_t*>(args.words) + pair * args.columns;
    const bool has_odd = 2 * pair + 1 < args.rows;
    for_each_vector<float>(0, args.columns, [=](std::int64_t i, int n) {
      store(to + i, pairs_across(load(even + i, n), has_odd ? load(odd + i, n) : zero<float>()), n);
    });
  }
}

constexpr Entry of_elements = float32_entry<PairElementsArgs, pair_elements>,
                of_rows = float32_entry<PairRowsArgs, pair_rows>;

} // namespace
#else
namespace {
constexpr Entry of_elements{}, of_rows{};
} // namespace
#endif

// Slices of rows.
Entry pair_elements_kernel() noexcept { return of_elements; }
// Slices of pairs of rows.
Entry pair_rows_kernel() noexcept { return of_rows; }

} // namespace gyaku::GYAKU_ISA_NAME
