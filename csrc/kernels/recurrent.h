// Shared by both passes through recurrent cells: the position of a step, products with weights.
#pragma once

#include "kernels/args/recurrent.h"
#include "kernels/gemm_tile.h"
#include "kernels/range.h"
#include "simd/bfloat16.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {

// c[rows][columns of panels] = a b for at most `tile_rows` rows; b (k x n) is packed in panels, or
// in place, as whole panels of rows `ldb` apart.
struct PanelProduct {
  std::int64_t lda, k, n, ldc;
  std::int64_t first, last; // panels
  std::int64_t ldb = 0;     // 0: packed
  bool backwards = false;   // from the last panel to the first
};
void multiply_panels(const PanelProduct& shape, int rows, const float* a, const float* b,
                     float* c) noexcept;
void multiply_panels(const PanelProduct& shape, int rows, const double* a, const double* b,
                     double* c) noexcept;

namespace {

constexpr int gates_of(Cell cell) {
  return cell == Cell::lstm ? 4 : cell == Cell::gru || cell == Cell::reset_gru ? 3 : 1;
}
// Gates whose weight is multiplied by h.
constexpr int gates_of_h(Cell cell) { return cell == Cell::reset_gru ? 2 : gates_of(cell); }

// The steps of one sequence: those from `length` on are padding.
struct Sequence {
  std::int64_t length;
  bool reverse;

  bool holds(std::int64_t step) const { return step < length; }
  std::int64_t time(std::int64_t step) const {
    return reverse && step < length ? length - 1 - step : step;
  }
};
GYAKU_INLINE Sequence sequence(const RecurrentShape& shape, const std::int64_t* lengths,
                               std::int64_t row) {
  const std::int64_t length =
      lengths == nullptr ? shape.steps : most(0, least(lengths[row], shape.steps));
  return {length, shape.reverse};
}

// Sigmoid and tanh of a cell, within 3 ULP in float32 and 5 in float64: cheaper than those in
// simd/math.h. tanh(x) = m / (m + 2) for m = expm1(2 x).
template <class T> GYAKU_INLINE vec<T> gate_sigmoid(vec<T> x) {
  return vec<T>(T(1)) / one_plus_exp(clamp(-x, T(-40), number<T>::exp_highest - T(0.5)));
}
template <class T> GYAKU_INLINE vec<T> gate_tanh(vec<T> x) {
  const Exponential<T> e = exponential(clamp(x + x, T(-40), T(40)));
  const vec<T> power = e.power(), m = fma(power, e.minus_one, power - vec<T>(T(1)));
  return m / (m + vec<T>(T(2)));
}

// Columns of a matrix in the scratch memory.
template <class T> GYAKU_INLINE std::int64_t padded(std::int64_t columns) {
  return ceil_div(columns, panel_width<T>) * panel_width<T>;
}

// Calls f(index, count) for the vectors of a range. Unlike with `for_each_vector` the remainder
// shares the body: cells are long, and take no longer with a branch at each access.
template <class T, class F> GYAKU_INLINE void for_each_part(Range range, F f) {
  constexpr int width = vec<T>::width;
  for (std::int64_t i = range.begin; i < range.end; i += width)
    f(i, static_cast<int>(least(width, range.end - i)));
}

template <class T> GYAKU_INLINE void copy(const T* from, T* to, Range range) {
  for_each_vector<T>(range.begin, range.end, [=](std::int64_t j, int n) GYAKU_INLINED {
    store(to + j, load(from + j, n), n);
  });
}
template <class T> [[gnu::noinline]] void clear(T* to, Range range) {
  for_each_vector<T>(range.begin, range.end,
                     [=](std::int64_t j, int n) GYAKU_INLINED { store(to + j, zero<T>(), n); });
}

// The left operand of a product of some sequences: a itself, or rounded to bfloat16 in their rows
// of the scratch memory.
template <class T> struct LeftOperand {
  const T* a;
  std::int64_t lda;
};
template <class T>
LeftOperand<T> left_operand(const RecurrentShape& shape, const LeftOperand<T>& given,
                            std::int64_t k, int rows, T* room) {
  if (!shape.rounds) return given;
  T* const to = room + shape.operand;
  for (int i = 0; i < rows; ++i)
    for_each_vector<T>(0, k, [=, &shape](std::int64_t j, int n) GYAKU_INLINED {
      store(to + i * std::int64_t{shape.room} + j,
            rounded_to_bfloat16(load(given.a + i * given.lda + j, n)), n);
    });
  return {to, shape.room};
}

// Into the second-level cache, while a product takes the time for it.
template <class T> GYAKU_INLINE void fetch(const T* from, Range range) {
  for (std::int64_t j = range.begin; j < range.end; j += 64 / static_cast<int>(sizeof(T)))
    __builtin_prefetch(from + j, 1, 2);
}

// Calls body(first row, rows) for groups of nearly equal size.
template <class Body> GYAKU_INLINE void for_each_group(Range rows, Body body) {
  const std::int64_t groups = ceil_div(rows.size(), tile_rows);
  for (std::int64_t i = 0; i < groups; ++i) {
    const std::int64_t first = rows.begin + rows.size() * i / groups,
                       last = rows.begin + rows.size() * (i + 1) / groups;
    body(first, static_cast<int>(last - first));
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
