// Panels of matrices in pairs of bfloat16 along k, where there is an instruction for their
// products.
#include "kernels/args/precision.h"
#include "kernels/entry.h"
#include "kernels/gemm_epilogue.h"
#include "kernels/precision_tile.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

// Panels that are packed together where columns are contiguous in memory: long pieces of rows.
constexpr int panels_at_once = 4;

// A vector of a panel: its first column, how many of its lanes are columns, and how many are in the
// panel.
struct Part {
  std::int64_t column;
  int valid, room;
  std::uint32_t* to;
};

// Columns contiguous in memory, `step` from one row to the next: `count` panels.
void pack_across(const PairArgs& args, std::int64_t first, int count, std::uint32_t* to) noexcept {
  constexpr int size = Pairs::width;
  Part parts[panels_at_once * tile_vectors];
  int found = 0;
  for (int panel = 0; panel < count; ++panel, to += ceil_div(args.k, 2) * args.width)
    for (std::int64_t j = 0; j < args.width; j += size) {
      const std::int64_t column = first + panel * args.width + j;
      const auto room = static_cast<int>(least(args.width - j, size)),
                 valid = static_cast<int>(most(0, least(args.n - column, room)));
      parts[found++] = {valid == 0 ? 0 : column, valid, room, to + j};
    }
  const float* even = static_cast<const float*>(args.x);
  for (std::int64_t p = 0; p < args.k; p += 2, even += 2 * args.step) {
    const float* const odd = even + args.step;
    for (int i = 0; i < found; ++i) {
      Part& part = parts[i];
      const vec<float> upper = p + 1 < args.k ? load(odd + part.column, part.valid) : zero<float>();
      store(part.to, pairs_across(load(even + part.column, part.valid), upper), part.room);
      part.to += args.width;
    }
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

// The sums of the columns of a panel, in the order of `sum_rows`.
void sum_panel(const PairArgs& args, std::int64_t panel, const std::uint32_t* words) noexcept {
  constexpr std::int64_t pairs_at_once = 32, width = panel_width<float>;
  const std::int64_t first = panel * width, pairs = ceil_div(args.k, 2),
                     columns = least(width, args.n - first);
  ColumnSums<float> to{static_cast<float*>(args.sums) + first,
                       args.totals == nullptr ? nullptr : args.totals + first};
  float rows[2 * pairs_at_once * width];
  for (std::int64_t p = 0; p < pairs; p += pairs_at_once) {
    const std::int64_t here = least(pairs_at_once, pairs - p);
    for (std::int64_t i = 0; i < here; ++i, words += width)
      for (std::int64_t j = 0; j < width; j += Pairs::width) {
        const vec<std::int32_t> both = vec<std::int32_t>::native(load(words + j).v);
        store(rows + 2 * i * width + j, from_bits<float>(both << 16));
        store(rows + (2 * i + 1) * width + j, from_bits<float>(both & vec<std::int32_t>(-0x10000)));
      }
    to.first = p == 0;
    to.last = p + here == pairs;
    sum_columns(rows, width, least(2 * here, args.k - 2 * p), columns, to);
  }
}

void pack_pairs(const PairArgs& args, Slice panels) noexcept {
  const std::int64_t pairs = ceil_div(args.k, 2), size = pairs * args.width;
  auto* const packed = static_cast<std::uint32_t*>(args.packed);
  std::uint16_t* const marks = marks_behind(packed, ceil_div(args.n, args.width) * size);
  for (std::int64_t panel = panels.begin; panel < panels.end;) {
    const auto count = static_cast<int>(least(panels_at_once, panels.end - panel));
    pack_panels_of_pairs(args, panel * args.width, count, packed + panel * size);
    for (const std::int64_t end = panel + count; panel < end; ++panel) {
      if (args.sums != nullptr) sum_panel(args, panel, packed + panel * size);
      if (args.marks == PairMarks::steps)
        list_steps(args, packed + panel * size, marks + 2 * panel * list_length(pairs));
      else if (args.marks == PairMarks::finite)
        marks[panel] = is_finite(packed + panel * size, size);
    }
  }
}

constexpr Entry packing = float32_entry<PairArgs, pack_pairs>;

} // namespace

void pack_panels_of_pairs(const PairArgs& args, std::int64_t first, int count,
                          std::uint32_t* to) noexcept {
  if (args.stride == 1) return pack_across(args, first, count, to);
  for (int i = 0; i < count; ++i, first += args.width, to += ceil_div(args.k, 2) * args.width)
    if (args.width == 1)
      pack_vector(static_cast<const float*>(args.x) + first * args.stride, args.k, to);
    else
      pack_along(args, first, least(args.width, args.n - first), to);
}
#else
namespace {
constexpr Entry packing{};
} // namespace
#endif

// Slices of panels.
Entry pack_pairs_kernel() noexcept { return packing; }

} // namespace gyaku::GYAKU_ISA_NAME
