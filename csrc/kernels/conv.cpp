// Convolution of channels-last images without im2col, and its gradient with respect to the images,
// by the same loops.
//
// A tile of pixels x channels is summed in registers over kernel rows, kernel columns and channels;
// the source is read in place, weights are packed in the order of the loops. The gradient is a
// convolution of dy with the flipped kernel, channels and filters exchanged; with a stride, one for
// each residue of the position. Taps (kernel elements) in the padding are skipped, not multiplied
// by zero. The order of the sum of a pixel depends on its position in the image alone.
#include "kernels/conv.h"
#include "kernels/activate.h"
#include "kernels/args/conv.h"
#include "kernels/conv_depthwise.h"
#include "kernels/conv_few_channels.h"
#include "kernels/conv_loops.h"
#include "kernels/entry.h"
#include "simd/transpose.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Tap `tap` of a kernel row, for the remaining output channels. Unused lanes are zero where they
// count.
template <class T>
void pack_remainder(const ConvPlan<T>& plan, const T* w, Range terms, const OutputPanel& panel,
                    const StridedAxis& columns, std::int64_t tap, T* to) noexcept {
  constexpr int depth = remainder_depth<T>;
  const std::int64_t filters = std::int64_t{plan.shape.groups} * plan.shape.filters;
  const std::int64_t vectors = ceil_div(terms.size(), depth);
  const bool is_fused = tile_set_of<T>(columns, panel).is_fused;
  for (std::int64_t v = 0; v < vectors; ++v) {
    T* vector = to + (is_fused ? v * columns.taps + tap : tap * vectors + v) * vec<T>::width;
    for (int lane = 0; lane < vec<T>::width; ++lane) {
      const std::int64_t k = panel.first + lane / depth,
                         c = terms.begin + v * depth + (panel.is_tail ? 0 : lane % depth);
      const bool is_one = lane / depth < panel.channels && c < terms.end;
      vector[lane] = !is_one ? T(0) : w[plan.backward ? k * filters + c : c * filters + k];
    }
  }
}

// One tap of a panel: `terms` rows of `vectors` vectors, `step` apart, zero beyond the outputs.
template <class T>
void pack_tap(const ConvPlan<T>& plan, const T* w, Range terms, std::int64_t output, int vectors,
              T* to, std::int64_t step) noexcept {
  constexpr int width = vec<T>::width;
  const std::int64_t filters = std::int64_t{plan.shape.groups} * plan.shape.filters;
  for (int j = 0; j < vectors; ++j, output += width, to += width) {
    const int valid = static_cast<int>(least(width, plan.outputs - output));
    if (!plan.backward) {
      for (std::int64_t c = 0; c < terms.size(); ++c)
        store(to + c * step, load(w + (terms.begin + c) * filters + output, valid));
      continue;
    }
    for_each_vector<T>(0, terms.size(), [&](std::int64_t c, int count) {
      vec<T> square[width];
#pragma GCC unroll 16
      for (int k = 0; k < width; ++k)
        square[k] =
            k < valid ? load(w + (output + k) * filters + terms.begin + c, count) : zero<T>();
      transpose_square(square);
      for (int k = 0; k < count; ++k) store(to + (c + k) * step, square[k]);
    });
  }
}

// A slice counts kernel elements, of all groups.
template <class T> void conv_pack(const ConvPackArgs& args, Slice slice) noexcept {
  const ConvPlan<T> plan(args.shape, args.backward);
  const ConvShape& shape = args.shape;
  const std::int64_t taps = plan.taps(), filters = std::int64_t{shape.groups} * shape.filters;
  for (std::int64_t g = slice.begin / taps; g * taps < slice.end; ++g)
    plan.for_each_pass(static_cast<T*>(args.packed), g, [&](const Pass<T>& pass) {
      const StridedAxis &rows = pass.rows, &columns = pass.columns;
      for (std::int64_t i = 0; i < rows.taps; ++i)
        for (std::int64_t j = 0; j < columns.taps; ++j) {
          const std::int64_t tap = (rows.tap + i * rows.tap_skip) * shape.columns.taps +
                                   columns.tap + j * columns.tap_skip;
          if (g * taps + tap < slice.begin || g * taps + tap >= slice.end) continue;
          const T* w =
              static_cast<const T*>(args.w) + tap * shape.channels * filters + g * shape.filters;
          plan.for_each_panel(pass, [&](Range terms, const OutputPanel& panel, T* to) {
            to += i * columns.taps * panel.weights<T>(terms.size());
            if (panel.vectors == 0) return pack_remainder(plan, w, terms, panel, columns, j, to);
            const bool is_fused = tile_set_of<T>(columns, panel).is_fused;
            const std::int64_t size = panel.vectors * vec<T>::width;
            pack_tap(plan, w, terms, panel.first, panel.vectors,
                     to + (is_fused ? j : j * terms.size()) * size,
                     is_fused ? columns.taps * size : size);
          });
        }
    });
}

} // namespace

// Slices of taps of all groups.
Entry conv_pack_kernel() noexcept {
  return entry<ConvPackArgs, conv_pack<float>, conv_pack<double>>;
}
// Slices of units of rows of y, see ConvArgs::unit.
Entry conv_kernel() noexcept { return entry<ConvArgs, conv<float>, conv<double>>; }
// Slices of rows of the window.
Entry conv_few_channels_pack_kernel() noexcept {
  return entry<ConvPackArgs, conv_few_channels_pack<float>, conv_few_channels_pack<double>>;
}
// Slices of units of rows of y; backward, few channels.
Entry conv_few_channels_kernel() noexcept {
  return entry<ConvArgs, conv_few_channels<float>, conv_few_channels<double>>;
}
// Slices of units of rows of y.
Entry depthwise_kernel() noexcept { return entry<ConvArgs, depthwise<float>, depthwise<double>>; }
// Slices of parts.
Entry depthwise_weights_kernel() noexcept {
  return entry<ConvWeightsArgs, depthwise_weights<float>, depthwise_weights<double>>;
}
void conv_limits(Limits& limits) noexcept {
  limits.lanes[static_cast<int>(Scalar::float32)] = vec<float>::width;
  limits.lanes[static_cast<int>(Scalar::float64)] = vec<double>::width;
}

} // namespace gyaku::GYAKU_ISA_NAME
