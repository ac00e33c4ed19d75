// Shared by both passes through recurrent cells: the position of a step, products with weights.
#pragma once

#include "kernels/args/recurrent.h"
#include "kernels/gemm_tile.h"
#include "kernels/precision_tile.h"
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
#ifdef GYAKU_IN_PAIRS
// The words of a are packed, `rows` for each step.
void multiply_panels(const PanelProduct& shape, int rows, const std::uint32_t* a,
                     const std::uint32_t* b, float* c) noexcept;
#endif

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

// The left operand of a product of some sequences. In a file that defines GYAKU_IN_PAIRS the
// elements of both are words of two neighbours in bfloat16.
#ifdef GYAKU_IN_PAIRS
template <class T> using Term = std::uint32_t;
constexpr std::int64_t operand_length(std::int64_t elements) { return ceil_div(elements, 2); }
#else
template <class T> using Term = T;
constexpr std::int64_t operand_length(std::int64_t elements) { return elements; }
#endif
template <class T> struct LeftOperand {
  const T* a;
  std::int64_t lda;
};

// It is a itself, a copy that is rounded to bfloat16, or one packed in pairs.
template <class T>
LeftOperand<Term<T>> left_operand([[maybe_unused]] const RecurrentShape& shape,
                                  const LeftOperand<T>& given, std::int64_t k, int rows, T* left) {
#ifdef GYAKU_IN_PAIRS
  auto* const words = reinterpret_cast<std::uint32_t*>(left);
  pack_panels_of_pairs({given.a, words, nullptr, nullptr, k, rows, 1, given.lda, rows}, 0, 1,
                       words);
  return {words, 1};
#else
  if (!shape.rounds) return given;
  for (int i = 0; i < rows; ++i)
    for_each_vector<T>(0, k, [=, &shape](std::int64_t j, int n) GYAKU_INLINED {
      store(left + i * std::int64_t{shape.operand} + j,
            rounded_to_bfloat16(load(given.a + i * given.lda + j, n)), n);
    });
  return {left, shape.operand};
#endif
}

// Scratch memory of a group: for each sequence a row of `room`, and one of `left`.
template <class T> struct Scratch {
  T* room;
  T* left;
};
template <class T, class Args> Scratch<T> scratch_at(const Args& args, std::int64_t row) {
  return {static_cast<T*>(args.room) + row * args.shape.room,
          static_cast<T*>(args.left) + row * args.shape.operand};
}

// Into the second-level cache, while a product takes the time for it.
template <class T> GYAKU_INLINE void fetch(const T* from, Range range) {
  for (std::int64_t j = range.begin; j < range.end; j += 64 / static_cast<int>(sizeof(T)))
    __builtin_prefetch(from + j, 1, 2);
}

// Calls body(part) for parts of nearly equal size, at most `most` rows each.
template <class Body> GYAKU_INLINE void for_each_equal(Range rows, std::int64_t most, Body body) {
  const std::int64_t parts = ceil_div(rows.size(), most);
  for (std::int64_t i = 0; i < parts; ++i)
    body(Range{rows.begin + rows.size() * i / parts, rows.begin + rows.size() * (i + 1) / parts});
}

// Sequences that take the steps together. By rows the longest come first, so that the products of
// a step leave out those that have ended.
struct Group {
  const std::int64_t* rows;
  const Sequence* sequences;
  int count;

  // Those that hold a step.
  int holding(std::int64_t step) const {
    int found = count;
    while (found > 0 && !sequences[found - 1].holds(step)) --found;
    return found;
  }
};

// Rows of a slice that are sorted together.
constexpr int sorted_rows = 64;

// Calls body(group) for the sequences of some rows.
template <class Body>
GYAKU_INLINE void for_each_group(const RecurrentShape& shape, const std::int64_t* lengths,
                                 Range all, Body body) {
  for_each_equal(all, sorted_rows, [&](Range part) {
    std::int64_t rows[sorted_rows];
    Sequence sequences[sorted_rows];
    for (std::int64_t row = part.begin; row < part.end; ++row) {
      const Sequence found = sequence(shape, lengths, row);
      std::int64_t i = row - part.begin;
      for (; !shape.by_units && i > 0 && sequences[i - 1].length < found.length; --i) {
        rows[i] = rows[i - 1];
        sequences[i] = sequences[i - 1];
      }
      rows[i] = row;
      sequences[i] = found;
    }
    for_each_equal({0, part.size()}, tile_rows, [&](Range each) {
      body(Group{rows + each.begin, sequences + each.begin, static_cast<int>(each.size())});
    });
  });
}

// Zeros for the steps behind the end of a sequence.
template <class T>
GYAKU_INLINE void clear_padding(const RecurrentShape& shape, const Group& group, void* tensor,
                                std::int64_t columns) {
  for (int i = 0; i < group.count; ++i) {
    T* const of_row = static_cast<T*>(tensor) + group.rows[i] * shape.steps * columns;
    clear(of_row, {group.sequences[i].length * columns, shape.steps * columns});
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
