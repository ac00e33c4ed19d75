// Panels of matrices in pairs of bfloat16 along k, where there is an instruction for their
// products.
#include "kernels/args/precision.h"
#include "kernels/entry.h"
#include "kernels/precision_tile.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

// Columns contiguous in memory: `step` from one row to the next.
void pack_across(const PairArgs& args, std::int64_t first, std::int64_t columns,
                 std::uint32_t* to) noexcept {
  const float* x = static_cast<const float*>(args.x) + first;
  for (std::int64_t p = 0; p < args.k; p += 2, x += 2 * args.step, to += args.width)
    for (std::int64_t j = 0; j < args.width; j += Pairs::width) {
      const auto room = static_cast<int>(least(args.width - j, Pairs::width)),
                 valid = static_cast<int>(most(0, least(columns - j, Pairs::width)));
      const vec<float> even = valid == 0 ? zero<float>() : load(x + j, valid),
                       odd = valid == 0 || p + 1 == args.k ? zero<float>()
                                                           : load(x + args.step + j, valid);
      store(to + j, pairs_across(even, odd), room);
    }
}

// Rows contiguous in memory: `stride` from one column to the next. Squares of words.
void pack_along(const PairArgs& args, std::int64_t first, std::int64_t columns,
                std::uint32_t* to) noexcept {
  constexpr int size = Pairs::width;
  for (std::int64_t j = 0; j < args.width; j += size) {
    const auto room = static_cast<int>(least(args.width - j, size));
    const float* const x = static_cast<const float*>(args.x) + (first + j) * args.stride;
    for (std::int64_t p = 0; p < args.k; p += 2 * size) {
      const auto left = static_cast<int>(least(args.k - p, 2 * size));
      Pairs square[size];
#pragma GCC unroll 16
      for (int i = 0; i < size; ++i)
        square[i] =
            j + i >= columns ? zero<std::uint32_t>() : load_pairs(x + i * args.stride + p, left);
      transpose_square(square);
      const int pairs = (left + 1) / 2;
      for (int i = 0; i < pairs; ++i) store(to + (p / 2 + i) * args.width + j, square[i], room);
    }
  }
}

// A single column.
void pack_vector(const float* x, std::int64_t k, std::uint32_t* to) noexcept {
  constexpr int size = 2 * Pairs::width;
  for (std::int64_t p = 0; p < k; p += size) {
    const auto left = static_cast<int>(least(k - p, size));
    store(to + p / 2, load_pairs(x + p, left), (left + 1) / 2);
  }
}

// The steps that are not zero in all rows, for each half of a panel of A.
void list_steps(const PairArgs& args, const std::uint32_t* words, std::uint16_t* lists) noexcept {
  using Words = vec<std::int32_t>;
  constexpr std::int32_t but_signs = 0x7fff7fff;
  const std::int64_t pairs = ceil_div(args.k, 2);
  const auto width = static_cast<int>(args.width);
  const unsigned upper = (1u << upper_rows(width)) - 1;
  std::uint16_t* const of[2] = {lists, lists + list_length(pairs)};
  std::int64_t count[2] = {};
  for (std::int64_t p = 0; p < pairs; ++p, words += width) {
    const Words row = Words::native(load_partial(words, width).v) & Words(but_signs);
    const unsigned set = set_lanes(row != zero<std::int32_t>());
    for (int half = 0; half < 2; ++half) {
      of[half][1 + count[half]] = static_cast<std::uint16_t>(p);
      count[half] += (set & (half == 0 ? upper : ~upper)) != 0;
    }
  }
  for (int half = 0; half < 2; ++half) *of[half] = static_cast<std::uint16_t>(count[half]);
}

// Whether no element of a panel is infinite or NaN.
bool is_finite(const std::uint32_t* words, std::int64_t count) noexcept {
  using Words = vec<std::int32_t>;
  constexpr std::int32_t lower = 0x7f80, upper = lower << 16;
  mask<std::int32_t> found = zero<std::int32_t>() != zero<std::int32_t>();
  for_each_vector<std::uint32_t>(0, count, [&](std::int64_t i, int n) {
    const Words here = Words::native(load(words + i, n).v);
    found =
        found | ((here & Words(lower)) == Words(lower)) | ((here & Words(upper)) == Words(upper));
  });
  return set_lanes(found) == 0;
}

void pack_pairs(const PairArgs& args, Slice panels) noexcept {
  const std::int64_t pairs = ceil_div(args.k, 2), size = pairs * args.width;
  auto* const packed = static_cast<std::uint32_t*>(args.packed);
  std::uint16_t* const marks = marks_behind(packed, ceil_div(args.n, args.width) * size);
  for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
    std::uint32_t* const to = packed + panel * size;
    pack_panel_of_pairs(args, panel * args.width, to);
    if (args.marks == PairMarks::steps)
      list_steps(args, to, marks + 2 * panel * list_length(pairs));
    else if (args.marks == PairMarks::finite)
      marks[panel] = is_finite(to, size);
  }
}

constexpr Entry packing = float32_entry<PairArgs, pack_pairs>;

} // namespace

void pack_panel_of_pairs(const PairArgs& args, std::int64_t first, std::uint32_t* to) noexcept {
  if (args.width == 1 && args.step == 1)
    return pack_vector(static_cast<const float*>(args.x) + first * args.stride, args.k, to);
  (args.stride == 1 ? pack_across : pack_along)(args, first, least(args.width, args.n - first), to);
}
#else
namespace {
constexpr Entry packing{};
} // namespace
#endif

// Slices of panels.
Entry pack_pairs_kernel() noexcept { return packing; }

} // namespace gyaku::GYAKU_ISA_NAME
