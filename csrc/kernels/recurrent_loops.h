// The forward pass through recurrent cells.
//
// Few sequences at a time run through all steps, so that their states stay in the first-level
// cache: the product of h with the packed weight, whose panels come from the second level, then the
// cell. With `by_units`, one step of all sequences for some units: the threads meet after each.
#pragma once

#include "kernels/kernel.h"
#include "kernels/recurrent.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The tensors of one sequence at one step, and the row of its product with u.
template <class T> struct Row {
  std::int64_t units;
  const T* bias;
  const T* peepholes;
  const T* h; // the states before
  const T* c; // lstm
  T* gates;
  T* cells;    // lstm
  T* inner;    // gru, reset_gru
  T* previous; // h before, saved
  T* y;        // the states after
  T* next_h;
  T* next_c; // lstm
  const T* sums = nullptr;

  GYAKU_INLINE vec<T> input(int gate, std::int64_t j, int n) const {
    return load(gates + gate * units + j, n);
  }
  GYAKU_INLINE vec<T> sum(int gate, std::int64_t j, int n) const {
    return load(sums + gate * units + j, n);
  }
  GYAKU_INLINE void keep(int gate, std::int64_t j, vec<T> value, int n) const {
    store(gates + gate * units + j, value, n);
  }
  GYAKU_INLINE void set_h(std::int64_t j, vec<T> value, int n) const {
    store(y + j, value, n);
    store(next_h + j, value, n);
  }
};

template <class T, Cell cell> [[gnu::noinline]] void simple(const Row<T>& row, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> x = row.input(0, j, n) + row.sum(0, j, n);
    const vec<T> h = cell == Cell::relu ? max(zero<T>(), x) : gate_tanh(x);
    row.keep(0, j, h, n);
    row.set_h(j, h, n);
  });
}

// The gates, then the cells: a processor overlaps more of two short chains than of a long one.
template <class T> [[gnu::noinline]] void lstm(const Row<T>& row, Range units) {
  const bool peeps = row.peepholes != nullptr;
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    vec<T> i = row.input(0, j, n) + row.sum(0, j, n), f = row.input(1, j, n) + row.sum(1, j, n),
           o = row.input(3, j, n) + row.sum(3, j, n);
    const vec<T> g = gate_tanh(row.input(2, j, n) + row.sum(2, j, n));
    if (peeps) {
      const vec<T> c = load(row.c + j, n);
      i = fma(load(row.peepholes + j, n), c, i);
      f = fma(load(row.peepholes + row.units + j, n), c, f);
    } else {
      o = gate_sigmoid(o);
    }
    row.keep(0, j, gate_sigmoid(i), n);
    row.keep(1, j, gate_sigmoid(f), n);
    row.keep(2, j, g, n);
    row.keep(3, j, o, n);
  });
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> next =
        fma(row.input(0, j, n), row.input(2, j, n), row.input(1, j, n) * load(row.c + j, n));
    vec<T> o = row.input(3, j, n);
    if (peeps) {
      o = gate_sigmoid(fma(load(row.peepholes + 2 * row.units + j, n), next, o));
      row.keep(3, j, o, n);
    }
    store(row.cells + j, next, n);
    store(row.next_c + j, next, n);
    row.set_h(j, o * gate_tanh(next), n);
  });
}

template <class T> [[gnu::noinline]] void gru(const Row<T>& row, Range units) {
  const auto biased = [=](int gate, std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> sum = row.sum(gate, j, n);
    return row.bias == nullptr ? sum : sum + load(row.bias + gate * row.units + j, n);
  };
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    row.keep(0, j, gate_sigmoid(row.input(0, j, n) + biased(0, j, n)), n);
    row.keep(1, j, gate_sigmoid(row.input(1, j, n) + biased(1, j, n)), n);
  });
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> r = row.input(0, j, n), z = row.input(1, j, n), inner = biased(2, j, n),
                 candidate = gate_tanh(fma(r, inner, row.input(2, j, n))), h = load(row.h + j, n);
    row.keep(2, j, candidate, n);
    store(row.inner + j, inner, n);
    row.set_h(j, fma(z, h - candidate, candidate), n);
  });
}

// The two halves of a GRU that resets the state before the product of the candidate.
template <class T> [[gnu::noinline]] void reset(const Row<T>& row, T* reset_h, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> r = gate_sigmoid(row.input(0, j, n) + row.sum(0, j, n)),
                 z = gate_sigmoid(row.input(1, j, n) + row.sum(1, j, n)),
                 inner = r * load(row.h + j, n);
    row.keep(0, j, r, n);
    row.keep(1, j, z, n);
    store(row.inner + j, inner, n);
    store(reset_h + j, inner, n);
  });
}
template <class T> [[gnu::noinline]] void mix(const Row<T>& row, const T* sums, Range units) {
  for_each_part<T>(units, [=](std::int64_t j, int n) GYAKU_INLINED {
    const vec<T> candidate = gate_tanh(row.input(2, j, n) + load(sums + j, n)),
                 z = load(row.gates + row.units + j, n), h = load(row.h + j, n);
    row.keep(2, j, candidate, n);
    row.set_h(j, fma(z, h - candidate, candidate), n);
  });
}

// Some sequences at one step: `rows`, the first of the group.
template <class T> class Step {
public:
  Step(const RecurrentArgs& args, const Group& group, int rows, std::int64_t step, Range units,
       const Scratch<T>& scratch)
      : args_(args), shape_(args.shape), cell_(shape_.cell), group_(group), rows_(rows),
        step_(step), units_(units), room_(scratch.room), left_(scratch.left) {
    if (shape_.by_units) {
      const bool from_other = (shape_.steps - step) % 2 != 0;
      const std::int64_t first = group.rows[0] * shape_.outputs;
      h_ = first + (step == 0 ? at(args.h0) : from_other ? at(args.other_h) : at(args.h));
      next_h_ = first + (from_other ? at(args.h) : at(args.other_h));
      between_states_ = shape_.outputs;
    } else {
      h_ = next_h_ = room_ + shape_.state;
      between_states_ = shape_.room;
    }
    if (cell_ == Cell::lstm) c_ = step == 0 ? at(args.c0) : at(args.c);
  }

  void run() const noexcept {
    const std::int64_t units = shape_.units;
    for (int i = 0; i < rows_; ++i) fetch_row(i);
    multiply({h_, between_states_}, shape_.outputs, args_.packed, gates_of_h(cell_) * units,
             gates_of_h(cell_), room_);
    const bool is_projected = cell_ == Cell::lstm && args_.second_packed != nullptr;
    T* const between = room_ + padded<T>(gates_of_h(cell_) * units);
    T* const second = between + padded<T>(units);
    for (int i = 0; i < rows_; ++i) each(i, is_projected ? between : nullptr, between);
    if (is_projected || cell_ == Cell::reset_gru) {
      multiply({between, shape_.room}, units, args_.second_packed,
               is_projected ? shape_.outputs : units, 1, second);
      for (int i = 0; i < rows_; ++i) finish(i, second);
    }
  }

private:
  T* at(void* rows) const { return static_cast<T*>(rows); }
  const T* at(const void* rows) const { return static_cast<const T*>(rows); }

  // Columns of `units` for each gate; by rows, all of them at once.
  void multiply(const LeftOperand<T>& given, std::int64_t k, const void* packed, std::int64_t n,
                int gates, T* c) const noexcept {
    constexpr std::int64_t panel = panel_width<T>;
    const auto [a, lda] = left_operand(shape_, given, k, rows_, left_);
    const auto* const b = static_cast<const Term<T>*>(packed);
    // Every other step begins with the panels that the one before has left in the cache.
    const bool backwards = step_ % 2 != 0;
    PanelProduct product{
        lda,      operand_length(k), n, shape_.room, 0, ceil_div(n, panel), shape_.in_place ? n : 0,
        backwards};
    if (!shape_.by_units) return multiply_panels(product, rows_, a, b, c);
    for (int i = 0; i < gates; ++i) {
      const std::int64_t gate = backwards ? gates - 1 - i : i,
                         before = gate * std::int64_t{shape_.units};
      product.first = (before + units_.begin) / panel;
      product.last = (before + units_.end) / panel;
      multiply_panels(product, rows_, a, b, c);
    }
  }

  Range outputs() const { return shape_.by_units ? units_ : Range{0, shape_.outputs}; }
  std::int64_t position(int i) const {
    return group_.rows[i] * shape_.steps + group_.sequences[i].time(step_);
  }
  bool holds(int i) const { return group_.sequences[i].holds(step_); }
  Row<T> row_at(int i) const {
    const std::int64_t units = shape_.units, position = this->position(i), h = i * between_states_,
                       c = group_.rows[i] * units;
    const bool has_c = cell_ == Cell::lstm, has_inner = gates_of(cell_) == 3;
    // Each field by name: all zeros at first would take as long as a short row.
    return {.units = units,
            .bias = at(args_.bias),
            .peepholes = at(args_.peepholes),
            .h = h_ + h,
            .c = has_c ? c_ + c : nullptr,
            .gates = at(args_.gates) + position * gates_of(cell_) * units,
            .cells = has_c ? at(args_.cells) + position * units : nullptr,
            .inner = has_inner ? at(args_.inner) + position * units : nullptr,
            .previous = at(args_.previous) + position * shape_.outputs,
            .y = at(args_.y) + position * shape_.outputs,
            .next_h = next_h_ + h,
            .next_c = has_c ? at(args_.c) + c : nullptr};
  }

  void fetch_row(int i) const noexcept {
    const std::int64_t position = this->position(i), units = shape_.units;
    const T* gates = at(args_.gates) + position * gates_of(cell_) * units;
    for (int gate = 0; gate < gates_of(cell_); ++gate, gates += units) fetch(gates, units_);
    fetch(at(args_.y) + position * shape_.outputs, outputs());
    fetch(at(args_.previous) + position * shape_.outputs, outputs());
    if (cell_ == Cell::lstm) fetch(at(args_.cells) + position * units, units_);
    if (gates_of(cell_) == 3) fetch(at(args_.inner) + position * units, units_);
  }

  // The cell after the product with u. `hidden`: where a projection reads.
  void each(int i, T* hidden, T* between) const noexcept {
    const std::int64_t offset = i * std::int64_t{shape_.room};
    Row<T> found = row_at(i);
    if (!holds(i)) return pad(found);
    copy(found.h, found.previous, outputs());
    found.sums = room_ + offset;
    if (hidden != nullptr) found.y = found.next_h = hidden + offset;
    switch (cell_) {
    case Cell::tanh:
      return simple<T, Cell::tanh>(found, units_);
    case Cell::relu:
      return simple<T, Cell::relu>(found, units_);
    case Cell::lstm:
      return lstm(found, units_);
    case Cell::gru:
      return gru(found, units_);
    case Cell::reset_gru:
      return reset(found, between + offset, units_);
    }
  }

  // A step behind the end, by units: states remain, all else is zero.
  [[gnu::noinline]] void pad(const Row<T>& row) const noexcept {
    for (int gate = 0; gate < gates_of(cell_); ++gate)
      clear(row.gates + gate * shape_.units, units_);
    clear(row.y, outputs());
    clear(row.previous, outputs());
    copy(row.h, row.next_h, outputs());
    if (cell_ == Cell::lstm) {
      clear(row.cells, units_);
      if (row.c != row.next_c) copy(row.c, row.next_c, units_);
    }
    if (gates_of(cell_) == 3) clear(row.inner, units_);
  }

  // The cell after the second product.
  void finish(int i, const T* second) const noexcept {
    const Row<T> found = row_at(i);
    const T* const sums = second + i * std::int64_t{shape_.room};
    if (cell_ == Cell::reset_gru) {
      mix(found, sums, units_);
    } else {
      copy(sums, found.y, outputs());
      copy(sums, found.next_h, outputs());
    }
  }

  const RecurrentArgs& args_;
  const RecurrentShape& shape_;
  Cell cell_;
  const Group& group_;
  int rows_;
  std::int64_t step_;
  Range units_;
  T* room_;
  T* left_;
  const T* h_; // the states before the step, and the distance from one sequence to the next
  const T* c_ = nullptr;
  T* next_h_;
  std::int64_t between_states_;
};

// All steps of a group, whose states are in the scratch memory meanwhile.
template <class T>
void run_group(const RecurrentArgs& args, const Group& group, const Scratch<T>& scratch) noexcept {
  const RecurrentShape& shape = args.shape;
  const std::int64_t units = shape.units, outputs = shape.outputs;
  const Range all{0, outputs};
  for (int i = 0; i < group.count; ++i) {
    const std::int64_t row = group.rows[i];
    copy(static_cast<const T*>(args.h0) + row * outputs,
         scratch.room + shape.state + i * std::int64_t{shape.room}, all);
    if (shape.cell == Cell::lstm && !group.sequences[i].holds(0))
      copy(static_cast<const T*>(args.c0) + row * units, static_cast<T*>(args.c) + row * units,
           {0, units});
  }
  for (std::int64_t step = 0; group.sequences[0].holds(step); ++step)
    Step<T>(args, group, group.holding(step), step, {0, units}, scratch).run();
  for (int i = 0; i < group.count; ++i)
    copy(scratch.room + shape.state + i * std::int64_t{shape.room},
         static_cast<T*>(args.h) + group.rows[i] * outputs, all);
  if (args.lengths == nullptr) return;
  clear_padding<T>(shape, group, args.gates, gates_of(shape.cell) * units);
  clear_padding<T>(shape, group, args.y, outputs);
  clear_padding<T>(shape, group, args.previous, outputs);
  if (shape.cell == Cell::lstm) clear_padding<T>(shape, group, args.cells, units);
  if (gates_of(shape.cell) == 3) clear_padding<T>(shape, group, args.inner, units);
}

template <class T> void recurrent(const RecurrentArgs& args, Slice slice) noexcept {
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
