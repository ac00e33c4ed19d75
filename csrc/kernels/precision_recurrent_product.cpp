// Products of a few rows with weights in pairs of bfloat16, for recurrent cells, where there is an
// instruction for them.
#define GYAKU_IN_PAIRS
#include "kernels/recurrent.h"

namespace gyaku::GYAKU_ISA_NAME {

#if !defined(GYAKU_SCALAR) && defined(__AVX512BF16__)
namespace {

// Panels of one row at the same time: enough sums that none waits for the one before it.
constexpr int panels_at_once = 4;

void multiply_row(std::int64_t pairs, const std::uint32_t* a, const std::uint32_t* b, float* c,
                  std::int64_t columns) noexcept {
  constexpr int width = vec<float>::width, vectors = panels_at_once * tile_vectors;
  const std::int64_t panel = panel_width<float> * pairs;
  vec<float> sum[vectors];
  for (vec<float>& each : sum) each = zero<float>();
  for (std::int64_t p = 0; p < pairs; ++p, b += panel_width<float>) {
    const Pairs x(a[p]);
#pragma GCC unroll 8
    for (int i = 0; i < vectors; ++i)
      sum[i] =
          add_products(x, load(b + i / tile_vectors * panel + i % tile_vectors * width), sum[i]);
  }
  for (int i = 0; i < vectors; ++i, columns -= width)
    if (columns > 0) store(c + i * width, sum[i], static_cast<int>(least(columns, width)));
}

} // namespace

// See recurrent.h.
void multiply_panels(const PanelProduct& shape, int rows, const std::uint32_t* a,
                     const std::uint32_t* b, float* c) noexcept {
  constexpr std::int64_t panel = panel_width<float>;
  const std::int64_t panels = shape.last - shape.first;
  for (std::int64_t done = 0; done < panels;) {
    const int count = rows == 1 && panels - done >= panels_at_once ? panels_at_once : 1;
    const std::int64_t p = shape.backwards ? shape.last - done - count : shape.first + done,
                       columns = shape.n - p * panel;
    const std::uint32_t* const from = b + p * panel * shape.k;
    float* const to = c + p * panel;
    done += count;
    if (count > 1) {
      multiply_row(shape.k, a, from, to, columns);
      continue;
    }
    const auto here = static_cast<int>(least(panel, columns));
    pair_tiles.of[here > vec<float>::width][rows - 1](
        {a, from, nullptr, to, shape.k, shape.ldc, rows, here});
  }
}
#endif

} // namespace gyaku::GYAKU_ISA_NAME
