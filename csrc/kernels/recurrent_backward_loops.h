// The backward pass through recurrent cells, from the last step to the first.
//
// dh holds the gradient with respect to the state after a step, then the part of that before it
// which does not pass through the gates; the product of the gates' gradients with the transposed
// weight is added before the next step.
#pragma once

#include "kernels/kernel.h"
#include "kernels/recurrent.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The tensors of one sequence at one step.
template <class T> struct Row {
  std::int64_t units;
  const T* gates; // tanh, relu: y
  const T* peepholes;
  const T* cells;    // lstm: c after the step
  const T* c;        // lstm: c before the step
  const T* inner;    // gru
  const T* previous; // gru, reset_gru: h before the step
  const T* dhidden;  // with respect to the output of the cell
  T* dh;
  T* dc; // lstm
  T* dgates;
  T* terms;  // the same, for the product
  T* dinner; // gru

  GYAKU_INLINE vec<T> gate(int gate, std::int64_t j, int n) const {
    return load(gates + gate * units + j, n);
  }
  GYAKU_INLINE void keep(int gate, std::int64_t j, vec<T> value, int n) const {
    store(dgates + gate * units + j, value, n);
    store(terms + gate * units + j, value, n);
  }
};

template <class T> GYAKU_INLINE vec<T> sigmoid_slope(vec<T> y) { return y * (vec<T>(T(1)) - y); }
template <class T> GYAKU_INLINE vec<T> tanh_slope(vec<T> y) { return vec<T>(T(1)) - y * y; }

template <class T, Cell cell> [[gnu::noinline]] void simple(const Row<T>& row, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> y = row.gate(0, j, n), dy = load(row.dh + j, n);
    row.keep(0, j, cell == Cell::relu ? select(y <= zero<T>(), zero<T>(), dy) : dy * tanh_slope(y),
             n);
    store(row.dh + j, zero<T>(), n);
  });
}

template <class T> [[gnu::noinline]] void lstm(const Row<T>& row, Range units) {
  const bool peeps = row.peepholes != nullptr;
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> i = row.gate(0, j, n), f = row.gate(1, j, n), g = row.gate(2, j, n),
                 o = row.gate(3, j, n), t = gate_tanh(load(row.cells + j, n)),
                 c = load(row.c + j, n), dy = load(row.dhidden + j, n);
    const vec<T> d_o = dy * t * sigmoid_slope(o);
    vec<T> dc = fma(dy * o, tanh_slope(t), load(row.dc + j, n));
    if (peeps) dc = fma(load(row.peepholes + 2 * row.units + j, n), d_o, dc);
    const vec<T> di = dc * g * sigmoid_slope(i), df = dc * c * sigmoid_slope(f),
                 dg = dc * i * tanh_slope(g);
    dc = dc * f;
    if (peeps) {
      dc = fma(load(row.peepholes + j, n), di, dc);
      dc = fma(load(row.peepholes + row.units + j, n), df, dc);
    }
    row.keep(0, j, di, n);
    row.keep(1, j, df, n);
    row.keep(2, j, dg, n);
    row.keep(3, j, d_o, n);
    store(row.dc + j, dc, n);
  });
}

template <class T> [[gnu::noinline]] void gru(const Row<T>& row, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> r = row.gate(0, j, n), z = row.gate(1, j, n), candidate = row.gate(2, j, n),
                 dy = load(row.dh + j, n);
    const vec<T> dn = dy * (vec<T>(T(1)) - z) * tanh_slope(candidate), dinner = dn * r;
    row.keep(0, j, dn * load(row.inner + j, n) * sigmoid_slope(r), n);
    row.keep(1, j, dy * (load(row.previous + j, n) - candidate) * sigmoid_slope(z), n);
    store(row.dgates + 2 * row.units + j, dn, n);
    store(row.terms + 2 * row.units + j, dinner, n);
    store(row.dinner + j, dinner, n);
    store(row.dh + j, dy * z, n);
  });
}

// The two halves of a GRU that resets the state before the product of the candidate.
template <class T> [[gnu::noinline]] void unmix(const Row<T>& row, T* terms, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> z = row.gate(1, j, n), candidate = row.gate(2, j, n), dy = load(row.dh + j, n);
    const vec<T> dn = dy * (vec<T>(T(1)) - z) * tanh_slope(candidate);
    row.keep(1, j, dy * (load(row.previous + j, n) - candidate) * sigmoid_slope(z), n);
    store(row.dgates + 2 * row.units + j, dn, n);
    store(terms + j, dn, n);
    store(row.dh + j, dy * z, n);
  });
}
template <class T>
[[gnu::noinline]] void unreset(const Row<T>& row, const T* dinners, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> r = row.gate(0, j, n), dinner = load(dinners + j, n);
    row.keep(0, j, dinner * load(row.previous + j, n) * sigmoid_slope(r), n);
    store(row.dh + j, fma(dinner, r, load(row.dh + j, n)), n);
  });
}

// Some sequences at one step: `rows`, the first of the group; `step` -1 only adds the last product.
template <class T> class Step {
public:
  Step(const RecurrentBackwardArgs& args, const Group& group, int rows, std::int64_t step,
       Range units, const Scratch<T>& scratch)
      : args_(args), shape_(args.shape), cell_(shape_.cell), group_(group), rows_(rows),
        step_(step), units_(units), room_(scratch.room), left_(scratch.left) {}

  void run() const noexcept {
    T* const sums = room_ + (shape_.by_units ? 2 : 1) * terms_size();
    for (int i = 0; i < rows_ && step_ >= 0; ++i) fetch_row(i);
    const int running =
        shape_.by_units ? (step_ + 1 < shape_.steps ? rows_ : 0) : group_.holding(step_ + 1);
    if (running > 0) {
      multiply({terms(step_ + 1), shape_.room}, running,
               gates_of_h(cell_) * std::int64_t{shape_.units}, args_.packed, shape_.outputs,
               outputs(), sums);
      for (int i = 0; i < running; ++i) add(sums + i * std::int64_t{shape_.room}, dh(i), outputs());
    }
    for (int i = running; i < rows_; ++i) begin(i);
    if (step_ < 0) return;
    add_dy();
    T* const second_terms = sums + padded<T>(shape_.outputs);
    T* const second = second_terms + padded<T>(shape_.units);
    const bool is_projected = cell_ == Cell::lstm && args_.second_packed != nullptr;
    if (is_projected)
      multiply({dh(0), shape_.room}, rows_, shape_.outputs, args_.second_packed, shape_.units,
               units_, second);
    for (int i = 0; i < rows_; ++i) each(i, is_projected ? second : nullptr, second_terms);
    if (cell_ == Cell::reset_gru) {
      multiply({second_terms, shape_.room}, rows_, shape_.units, args_.second_packed, shape_.units,
               units_, second);
      for (int i = 0; i < rows_; ++i)
        unreset(row_at(i), second + i * std::int64_t{shape_.room}, units_);
    }
  }

private:
  T* at(void* rows) const { return static_cast<T*>(rows); }
  const T* at(const void* rows) const { return static_cast<const T*>(rows); }

  T* dh(int i) const {
    return shape_.by_units ? at(args_.dh) + group_.rows[i] * shape_.outputs
                           : room_ + shape_.state + i * std::int64_t{shape_.room};
  }
  T* dc(int i) const { return at(args_.dc) + group_.rows[i] * shape_.units; }
  Range outputs() const { return shape_.by_units ? units_ : Range{0, shape_.outputs}; }
  bool holds(int i) const { return group_.sequences[i].holds(step_); }
  std::int64_t position(int i, std::int64_t step) const {
    return group_.rows[i] * shape_.steps + group_.sequences[i].time(step);
  }
  std::int64_t terms_size() const {
    return padded<T>(gates_of_h(cell_) * std::int64_t{shape_.units});
  }
  // Those of the step before are read meanwhile by other members.
  T* terms(std::int64_t step) const {
    return room_ + (shape_.by_units && step % 2 != 0 ? terms_size() : 0);
  }

  void multiply(const LeftOperand<T>& given, int rows, std::int64_t k, const void* packed,
                std::int64_t n, Range columns, T* c) const noexcept {
    constexpr std::int64_t panel = panel_width<T>;
    const auto [a, lda] = left_operand(shape_, given, k, rows, left_);
    // Every other step begins with the panels that the one before has left in the cache.
    multiply_panels({lda, operand_length(k), n, shape_.room, columns.begin / panel,
                     ceil_div(columns.end, panel), 0, step_ % 2 != 0},
                    rows, a, static_cast<const Term<T>*>(packed), c);
  }
  GYAKU_INLINE static void add(const T* from, T* to, Range range) {
    for_each_vector<T>(range.begin, range.end, [=](std::int64_t j, int n) GYAKU_INLINED {
      store(to + j, load(to + j, n) + load(from + j, n), n);
    });
  }

  // The last step of a sequence.
  void begin(int i) const noexcept {
    const std::int64_t row = group_.rows[i];
    copy(at(args_.dhn) + row * shape_.outputs, dh(i), outputs());
    if (cell_ == Cell::lstm) copy(at(args_.dcn) + row * shape_.units, dc(i), units_);
  }
  void add_dy() const noexcept {
    if (args_.dy == nullptr) return;
    for (int i = 0; i < rows_; ++i)
      if (holds(i)) add(at(args_.dy) + position(i, step_) * shape_.outputs, dh(i), outputs());
  }

  const T* c_before(int i) const {
    return step_ == 0 ? at(args_.c0) + group_.rows[i] * shape_.units
                      : at(args_.cells) + position(i, step_ - 1) * shape_.units;
  }
  Row<T> row_at(int i) const {
    const std::int64_t units = shape_.units, position = this->position(i, step_),
                       gates = position * gates_of(cell_) * units;
    const bool has_c = cell_ == Cell::lstm, has_inner = cell_ == Cell::gru;
    // Each field by name: all zeros at first would take as long as a short row.
    return {.units = units,
            .gates = at(args_.gates) + gates,
            .peepholes = at(args_.peepholes),
            .cells = has_c ? at(args_.cells) + position * units : nullptr,
            .c = has_c ? c_before(i) : nullptr,
            .inner = has_inner ? at(args_.inner) + position * units : nullptr,
            .previous = gates_of(cell_) == 3 ? at(args_.previous) + position * units : nullptr,
            .dhidden = dh(i),
            .dh = dh(i),
            .dc = has_c ? dc(i) : nullptr,
            .dgates = at(args_.dgates) + gates,
            .terms = terms(step_) + i * std::int64_t{shape_.room},
            .dinner = has_inner ? at(args_.dinner) + position * units : nullptr};
  }

  void fetch_row(int i) const noexcept {
    const std::int64_t units = shape_.units, position = this->position(i, step_),
                       at_gates = position * gates_of(cell_) * units, at_units = position * units;
    for (int gate = 0; gate < gates_of(cell_); ++gate) {
      fetch(at(args_.gates) + at_gates + gate * units, units_);
      fetch(at(args_.dgates) + at_gates + gate * units, units_);
    }
    if (args_.dy != nullptr) fetch(at(args_.dy) + position * shape_.outputs, outputs());
    if (cell_ == Cell::lstm) fetch(c_before(i), units_);
    if (gates_of(cell_) == 3) fetch(at(args_.previous) + at_units, units_);
    if (cell_ == Cell::gru) {
      fetch(at(args_.inner) + at_units, units_);
      fetch(at(args_.dinner) + at_units, units_);
    }
  }

  void each(int i, const T* projected, T* second_terms) const noexcept {
    const std::int64_t offset = i * std::int64_t{shape_.room};
    Row<T> found = row_at(i);
    if (!holds(i)) return pad(found);
    if (projected != nullptr) {
      found.dhidden = projected + offset;
      pass_projection(found, i);
    }
    switch (cell_) {
    case Cell::tanh:
      return simple<T, Cell::tanh>(found, units_);
    case Cell::relu:
      return simple<T, Cell::relu>(found, units_);
    case Cell::lstm:
      lstm(found, units_);
      return clear(found.dh, outputs());
    case Cell::gru:
      return gru(found, units_);
    case Cell::reset_gru:
      return unmix(found, second_terms + offset, units_);
    }
  }

  // The operands of the gradient with respect to the projection.
  [[gnu::noinline]] void pass_projection(const Row<T>& row, int i) const noexcept {
    const std::int64_t position = this->position(i, step_), units = shape_.units;
    copy(row.dh, at(args_.dhidden) + position * shape_.outputs, outputs());
    T* const hidden = at(args_.hidden) + position * units;
    const Row<T> read = row;
    for_each_part<T>(units_, [=](std::int64_t j, int n) GYAKU_INLINED {
      store(hidden + j, read.gate(3, j, n) * gate_tanh(load(read.cells + j, n)), n);
    });
  }

  // A step behind the end, by units: the gradients of the states remain, all others are zero.
  [[gnu::noinline]] void pad(const Row<T>& row) const noexcept {
    for (int gate = 0; gate < gates_of(cell_); ++gate) clear(row.dgates + gate * row.units, units_);
    for (int gate = 0; gate < gates_of_h(cell_); ++gate)
      clear(row.terms + gate * row.units, units_);
    if (cell_ == Cell::gru) clear(row.dinner, units_);
  }

  const RecurrentBackwardArgs& args_;
  const RecurrentShape& shape_;
  Cell cell_;
  const Group& group_;
  int rows_;
  std::int64_t step_;
  Range units_;
  T* room_;
  T* left_;
};

// All steps of a group, whose gradients with respect to h are in the scratch memory meanwhile.
template <class T>
void run_group(const RecurrentBackwardArgs& args, const Group& group,
               const Scratch<T>& scratch) noexcept {
  const RecurrentShape& shape = args.shape;
  const std::int64_t units = shape.units, outputs = shape.outputs;
  for (std::int64_t step = group.sequences[0].length - 1; step >= -1; --step)
    Step<T>(args, group, group.holding(step), step, {0, units}, scratch).run();
  for (int i = 0; i < group.count; ++i)
    copy(scratch.room + shape.state + i * std::int64_t{shape.room},
         static_cast<T*>(args.dh) + group.rows[i] * outputs, {0, outputs});
  if (args.lengths == nullptr) return;
  clear_padding<T>(shape, group, args.dgates, gates_of(shape.cell) * units);
  if (shape.cell == Cell::gru) clear_padding<T>(shape, group, args.dinner, units);
  if (shape.cell == Cell::lstm && args.second_packed != nullptr) {
    clear_padding<T>(shape, group, args.dhidden, outputs);
    clear_padding<T>(shape, group, args.hidden, units);
  }
}

template <class T> void backward(const RecurrentBackwardArgs& args, Slice slice) noexcept {
  const RecurrentShape& shape = args.shape;
  if (shape.by_units) {
    const Range units{slice.begin * panel_width<T>, slice.end * panel_width<T>};
    for_each_group(shape, args.lengths, {0, shape.rows}, [&](const Group& group) {
      Step<T>(args, group, group.count, shape.step, units, scratch_at<T>(args, group.rows[0]))
          .run();
    });
    return;
  }
  for_each_group(shape, args.lengths, {slice.begin, slice.end}, [&](const Group& group) {
    run_group(args, group, scratch_at<T>(args, slice.begin));
  });
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
