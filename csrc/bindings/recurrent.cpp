// Recurrent cells: the weights are packed, then one task runs through all steps; or one task a step
// where there are too few sequences for a team.
#include "kernels/args/recurrent.h"
#include "bindings/arrays.h"
#include "bindings/precision.h"
#include "bindings/register.h"
#include "kernels/args/gemm.h"
#include "kernels/args/precision.h"
#include "program/team.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

struct NamedCell {
  const char* name;
  Cell cell;
  int gates;
  double flops; // of the gates, for each unit
};
constexpr std::array cells{NamedCell{"tanh", Cell::tanh, 1, 2}, NamedCell{"relu", Cell::relu, 1, 2},
                           NamedCell{"lstm", Cell::lstm, 4, 13}, NamedCell{"gru", Cell::gru, 3, 11},
                           NamedCell{"reset_gru", Cell::reset_gru, 3, 11}};

// A step that takes less is not worth a barrier.
constexpr double worth_a_barrier = 200e3; // operations

// The memory of the packed weights and of the rows of a slice, in one block.
class Room {
public:
  // A part of the block; its address is valid after `reserve`.
  std::int64_t add(std::int64_t bytes) {
    constexpr std::int64_t line = 64;
    return std::exchange(bytes_, bytes_ + ceil_div(bytes, line) * line);
  }
  void reserve() { block_ = allocate(bytes_); }
  void* at(std::int64_t offset) const { return block_.get() + offset; }
  std::int64_t bytes() const { return bytes_; }
  Block release() { return std::move(block_); }

private:
  Block block_;
  std::int64_t bytes_ = 0;
};

// The weights of a cell, and what follows from them for both passes.
class Recurrence {
public:
  Recurrence(Call& call, const char* name, const std::string& cell, py::handle u_array,
             py::handle peepholes_array, py::handle projection_array, py::handle lengths_array,
             Shape gates, bool reverse, bool backward)
      : u(weight(call, call.real_input(u_array, "u"))), call_(call), name_(name) {
    const auto* found =
        std::ranges::find_if(cells, [&](const NamedCell& each) { return each.name == cell; });
    call.require(found != cells.end(), "there is no such cell");
    named = *found;
    call.require(gates.size() == 3 && u.shape.size() == 2 && u.shape[1] > 0 &&
                     u.shape[1] % named.gates == 0 && gates[2] == u.shape[1] && gates[1] > 0,
                 "x w must have the shape (samples, steps, columns of u)");
    shape.rows = gates[0];
    shape.steps = static_cast<std::int32_t>(gates[1]);
    shape.units = static_cast<std::int32_t>(u.shape[1] / named.gates);
    shape.outputs = static_cast<std::int32_t>(u.shape[0]);
    shape.cell = named.cell;
    shape.reverse = reverse;
    shape.rounds = precision() == Precision::bfloat16;
    is_paired_ = is_paired(u);
    if (!peepholes_array.is_none()) {
      peepholes = call.real_input(peepholes_array, "peepholes");
      call.require(is_lstm() && peepholes.same_type(u) && peepholes.shape.size() == 2 &&
                       peepholes.shape[0] == 3 && peepholes.shape[1] == shape.units,
                   "peepholes must have the shape (3, units)");
    }
    if (!projection_array.is_none()) {
      projection = call.real_input(projection_array, "projection");
      call.require(is_lstm() && projection.same_type(u) && projection.shape.size() == 2 &&
                       projection.shape[0] == shape.units && projection.shape[1] == shape.outputs,
                   "projection must have the shape (units, rows of u)");
      projection = weight(call, projection);
    }
    call.require(is_projected() || shape.outputs == shape.units, "u must have a row for each unit");
    if (!lengths_array.is_none()) {
      const Tensor found_lengths = call.buffer(lengths_array, "lengths");
      call.require(found_lengths.is_int64() && found_lengths.shape.size() == 1 &&
                       found_lengths.size == shape.rows,
                   "lengths must be int64, one for each sample");
      lengths = static_cast<const std::int64_t*>(found_lengths.data);
      operands.push_back(found_lengths.read());
    }
    for (const Tensor& each : {peepholes, projection})
      if (each.data != nullptr) operands.push_back(each.read());
    choose_slices();
    // One step of few sequences reads u once, so that a copy does not pay.
    shape.in_place = !is_paired_ && !backward && shape.steps == 1 && !has_second() &&
                     shape.rows <= kernels().tile[static_cast<int>(u.scalar())].rows &&
                     u.shape[1] % panel() == 0;
    plan(backward);
  }

  bool is_lstm() const { return named.cell == Cell::lstm; }
  bool is_gru() const { return named.gates == 3; }
  bool is_projected() const { return projection.data != nullptr; }
  bool has_second() const { return is_projected() || named.cell == Cell::reset_gru; }

  std::array<py::ssize_t, 2> states(bool of_cell) const {
    return {shape.rows, of_cell ? shape.units : shape.outputs};
  }
  std::array<py::ssize_t, 3> sequences(std::int64_t columns) const {
    return {shape.rows, shape.steps, columns};
  }
  // A state; zeros for None.
  Tensor state(py::handle array, const char* name, bool of_cell) {
    const auto expected = states(of_cell);
    if (array.is_none()) {
      const py::array zeros =
          empty(name_, expected,
                u.item_bytes == 4 ? py::dtype::of<float>() : py::dtype::of<double>(), true);
      keep_alive(zeros);
      zeros_.push_back(zeros);
      return call_.real_input(zeros, name);
    }
    const Tensor found = call_.real_input(array, name);
    call_.require(found.same_type(u) && std::ranges::equal(found.shape, expected),
                  "a state must have the shape (samples, units)");
    return found;
  }
  py::object result(Shape expected) const { return call_.result(expected, u.scalar()); }

  // Adds the tasks that pack the weights.
  template <class Args> void pack(Args& args, bool backward) {
    room_.reserve();
    args.packed = shape.in_place ? u.data : room_.at(first_at_);
    if (!shape.in_place)
      add_pack(u.data, first_gates() * shape.units, first_at_, backward, shape.outputs);
    if (is_projected()) {
      args.second_packed = room_.at(second_at_);
      add_pack_of(projection.data, shape.units, shape.outputs, shape.outputs, second_at_, backward);
    } else if (has_second()) {
      args.second_packed = room_.at(second_at_);
      const auto* candidate =
          static_cast<const std::byte*>(u.data) + 2 * shape.units * u.item_bytes;
      add_pack(candidate, shape.units, second_at_, backward, shape.outputs);
    }
    args.room = room_.at(rows_at_);
    if (shape.rounds) args.left = room_.at(left_at_);
    args.lengths = lengths;
    args.peepholes = peepholes.data;
    operands.push_back(shape.in_place ? u.read() : Operand{room_.at(0), rows_at_, Access::read});
    operands.push_back({room_.at(rows_at_), left_at_ - rows_at_, Access::update, !shape.by_units});
    if (shape.rounds)
      operands.push_back({room_.at(left_at_), other_at_ - left_at_, Access::update, true});
    if (shape.by_units)
      operands.push_back({room_.at(other_at_), room_.bytes() - other_at_, Access::update});
  }
  void* other_h() const { return room_.at(other_at_); }

  // Slices of rows take the rows of these operands only.
  template <class Args> void add(Args& args, const std::vector<Operand>& by_row, bool backward) {
    const KernelId id =
        backward ? (is_paired_ ? KernelId::recurrent_backward_pairs : KernelId::recurrent_backward)
                 : (is_paired_ ? KernelId::recurrent_pairs : KernelId::recurrent);
    std::vector<Operand> all = operands;
    for (Operand operand : by_row) {
      operand.by_slice = !shape.by_units;
      // A step writes a part only.
      if (shape.by_units && operand.writes()) operand.access = Access::update;
      all.push_back(operand);
    }
    args.shape = shape;
    const double steps = static_cast<double>(shape.steps) * static_cast<double>(shape.rows),
                 products =
                     2.0 * shape.outputs * (named.gates + (is_projected() ? 1 : 0)) * shape.units;
    const Work step{steps * (products + named.flops * (backward ? 2 : 1) * shape.units),
                    steps * (products + 16 * named.flops * shape.units)};
    if (!shape.by_units) {
      tasks_.push_back(make_task(name_, id, u.scalar(), args, shape.rows, 1, step, std::move(all)));
      return;
    }
    const std::int64_t panels = shape.units / panel();
    for (std::int32_t i = 0; i < shape.steps + (backward ? 1 : 0); ++i) {
      args.shape.step = backward ? shape.steps - 1 - i : i;
      // Backward, the first task has no product, and the last one nothing else: counted once.
      Work work = step * (1.0 / shape.steps);
      if (i == shape.steps) work.flops = 0;
      tasks_.push_back(make_task(name_, id, u.scalar(), args, panels, 1, work, all));
    }
  }
  void add(Task task) { tasks_.push_back(std::move(task)); }
  void run() { call_.run(tasks_, room_.release(), room_.bytes()); }

  const Tensor u;
  Tensor peepholes, projection;
  const std::int64_t* lengths = nullptr;
  NamedCell named{};
  RecurrentShape shape{};
  std::vector<Operand> operands;

private:
  static bool is_paired(const Tensor& weight) {
    return precision() == Precision::bfloat16 &&
           kernel(KernelId::recurrent_pairs, weight.scalar()) != nullptr;
  }
  // A weight as its packing or the cells read it.
  static Tensor weight(Call& call, const Tensor& given) {
    return is_paired(given) ? given : call.operand(given);
  }
  // Elements of memory for so many along k.
  std::int64_t of_pairs(std::int64_t k) const {
    return is_paired_ ? ceil_div(k, std::int64_t{2}) : k;
  }

  std::int64_t panel() const { return kernels().tile[static_cast<int>(u.scalar())].panel; }
  std::int64_t padded(std::int64_t columns) const { return ceil_div(columns, panel()) * panel(); }
  std::int64_t first_gates() const { return named.cell == Cell::reset_gru ? 2 : named.gates; }

  void choose_slices() {
    const std::int64_t most_rows = kernels().tile[static_cast<int>(u.scalar())].rows;
    const double step = 2.0 * static_cast<double>(shape.rows) * static_cast<double>(u.size);
    // Members that share the rows would all round their operands.
    shape.by_units = !shape.rounds && thread_limit().threads > 1 && shape.rows > 0 &&
                     shape.rows <= most_rows && !has_second() && shape.units % panel() == 0 &&
                     step >= worth_a_barrier;
  }

  void plan(bool backward) {
    const std::int64_t terms = padded(first_gates() * shape.units), outputs = padded(shape.outputs),
                       units = padded(shape.units), item = u.item_bytes;
    const std::int64_t longest = std::max({backward ? terms : 0, outputs, units}),
                       state = backward ? terms * (shape.by_units ? 2 : 1) + outputs + 2 * units
                                        : terms + units + std::max(units, outputs),
                       columns = state + (shape.by_units ? 0 : outputs);
    if (shape.rounds) shape.operand = static_cast<std::int32_t>(of_pairs(longest));
    shape.state = static_cast<std::int32_t>(state);
    shape.room = static_cast<std::int32_t>(columns);
    const std::int64_t packed = backward ? outputs * of_pairs(first_gates() * shape.units)
                                         : terms * of_pairs(shape.outputs);
    first_at_ = room_.add(shape.in_place ? 0 : packed * item);
    if (has_second())
      second_at_ = room_.add((backward ? units * of_pairs(shape.outputs)
                                       : std::max(units, outputs) * of_pairs(shape.units)) *
                             item);
    rows_at_ = room_.add(shape.rows * columns * item);
    left_at_ = room_.add(shape.rows * shape.operand * item);
    other_at_ = room_.add(shape.by_units ? shape.rows * shape.outputs * item : 0);
  }

  // Packs columns of u, (outputs x columns), or their transpose.
  void add_pack(const void* from, std::int64_t columns, std::int64_t at, bool transpose,
                std::int64_t rows) {
    add_pack_of(from, rows, columns, u.shape[1], at, transpose);
  }
  void add_pack_of(const void* from, std::int64_t rows, std::int64_t columns, std::int64_t leading,
                   std::int64_t at, bool transpose) {
    const std::int64_t k = transpose ? columns : rows, n = transpose ? rows : columns,
                       panels = ceil_div(n, panel()), item = u.item_bytes;
    const std::vector<Operand> touched{
        {from, ((rows - 1) * leading + columns) * item, Access::read},
        {room_.at(at), panels * panel() * of_pairs(k) * item, Access::write}};
    const PackArgs args{from, room_.at(at), k, n, leading, k, panel(), transpose};
    const PairArgs pairs{from,
                         room_.at(at),
                         nullptr,
                         nullptr,
                         k,
                         n,
                         transpose ? 1 : leading,
                         transpose ? leading : 1,
                         panel()};
    tasks_.push_back(
        is_paired_ ? make_task("pack in bfloat16", KernelId::pack_pairs, u.scalar(), pairs, panels,
                               1, {}, touched)
                   : make_task("pack", KernelId::pack, u.scalar(), args, panels, 1, {}, touched));
  }

  Call& call_;
  const char* name_;
  Room room_;
  bool is_paired_ = false; // products by instructions for bfloat16
  std::int64_t first_at_ = 0, second_at_ = 0, rows_at_ = 0, left_at_ = 0, other_at_ = 0;
  std::vector<Task> tasks_;
  std::vector<py::array> zeros_;
};

// (y, h, c, cells, inner, previous); None for those that the cell does not have. `gates` holds
// x w + b, and is overwritten.
py::tuple recurrent(const std::string& cell, py::handle gates_array, py::handle u,
                    py::handle bias_array, py::handle h0_array, py::handle c0_array,
                    py::handle peepholes, py::handle projection, py::handle lengths, bool reverse) {
  Call call("recurrent");
  const Tensor gates = call.real_output(gates_array, "gates");
  Recurrence cells(call, "recurrent", cell, u, peepholes, projection, lengths, gates.shape, reverse,
                   false);
  call.require(gates.same_type(cells.u), "x w and u differ in dtype");
  RecurrentArgs args{};
  std::vector<Operand> by_row{gates.update()};
  if (!bias_array.is_none()) {
    const Tensor bias = call.real_input(bias_array, "bias");
    call.require(cells.named.cell == Cell::gru && bias.same_type(cells.u) &&
                     bias.shape.size() == 1 && bias.size == cells.u.shape[1],
                 "b_recurrent must have an element for each column of u");
    args.bias = bias.data;
    cells.operands.push_back(bias.read());
  }
  const auto write = [&](Shape shape, void* RecurrentArgs::* member) {
    py::object array = cells.result(shape);
    const Tensor tensor = call.real_output(array, "a result");
    args.*member = tensor.data;
    by_row.push_back(tensor.write());
    return array;
  };
  const auto read = [&](py::handle array, bool of_cell, const void* RecurrentArgs::* member) {
    const Tensor state = cells.state(array, of_cell ? "c0" : "h0", of_cell);
    args.*member = state.data;
    by_row.push_back(state.read());
  };
  const RecurrentShape& shape = cells.shape;
  args.gates = gates.data;
  read(h0_array, false, &RecurrentArgs::h0);
  const py::object y = write(cells.sequences(shape.outputs), &RecurrentArgs::y),
                   previous = write(cells.sequences(shape.outputs), &RecurrentArgs::previous),
                   h = write(cells.states(false), &RecurrentArgs::h);
  py::object c = py::none(), c_of_steps = py::none(), inner = py::none();
  if (cells.is_lstm()) {
    read(c0_array, true, &RecurrentArgs::c0);
    c = write(cells.states(true), &RecurrentArgs::c);
    c_of_steps = write(cells.sequences(shape.units), &RecurrentArgs::cells);
  }
  if (cells.is_gru()) inner = write(cells.sequences(shape.units), &RecurrentArgs::inner);
  cells.pack(args, false);
  args.other_h = cells.other_h();
  cells.add(args, by_row, false);
  cells.run();
  return py::make_tuple(y, h, c, c_of_steps, inner, previous);
}

// (dgates, dinner, hidden, dhidden, dh0, dc0, dpeepholes); None for those that the cell does not
// have.
py::tuple recurrent_backward(const std::string& cell, py::handle dy_array, py::handle dhn,
                             py::handle dcn, py::handle u, py::handle gates_array,
                             py::handle cells_array, py::handle inner_array,
                             py::handle previous_array, py::handle c0, py::handle peepholes,
                             py::handle projection, py::handle lengths, bool reverse) {
  Call call("recurrent_backward");
  const Tensor gates = call.real_input(gates_array, "gates");
  Recurrence cells(call, "recurrent_backward", cell, u, peepholes, projection, lengths, gates.shape,
                   reverse, true);
  call.require(gates.same_type(cells.u), "gates and u differ in dtype");
  const RecurrentShape& shape = cells.shape;
  RecurrentBackwardArgs args{};
  std::vector<Operand> by_row{gates.read()};
  args.gates = gates.data;
  const auto write = [&](Shape expected, void* RecurrentBackwardArgs::* member) {
    py::object array = cells.result(expected);
    const Tensor tensor = call.real_output(array, "a result");
    args.*member = tensor.data;
    by_row.push_back(tensor.write());
    return array;
  };
  const auto read = [&](py::handle array, std::int64_t columns,
                        const void* RecurrentBackwardArgs::* member) {
    const Tensor tensor = call.real_input(array, "a tensor of the forward pass");
    call.require(tensor.same_type(cells.u) &&
                     std::ranges::equal(tensor.shape, cells.sequences(columns)),
                 "dy or a tensor of the forward pass does not fit u");
    args.*member = tensor.data;
    by_row.push_back(tensor.read());
    return tensor;
  };
  const auto read_state = [&](py::handle array, bool of_cell,
                              const void* RecurrentBackwardArgs::* member) {
    const Tensor state = cells.state(array, of_cell ? "a state c" : "a state h", of_cell);
    args.*member = state.data;
    by_row.push_back(state.read());
    return state;
  };
  if (!dy_array.is_none()) read(dy_array, shape.outputs, &RecurrentBackwardArgs::dy);
  read_state(dhn, false, &RecurrentBackwardArgs::dhn);
  const py::object dgates =
                       write(cells.sequences(cells.u.shape[1]), &RecurrentBackwardArgs::dgates),
                   dh0 = write(cells.states(false), &RecurrentBackwardArgs::dh);
  py::object dinner = py::none(), hidden = py::none(), dhidden = py::none(), dc0 = py::none(),
             dpeepholes = py::none();
  Tensor saved_cells, first_c;
  if (cells.is_lstm()) {
    saved_cells = read(cells_array, shape.units, &RecurrentBackwardArgs::cells);
    first_c = read_state(c0, true, &RecurrentBackwardArgs::c0);
    read_state(dcn, true, &RecurrentBackwardArgs::dcn);
    dc0 = write(cells.states(true), &RecurrentBackwardArgs::dc);
  }
  if (cells.is_gru()) read(previous_array, shape.units, &RecurrentBackwardArgs::previous);
  if (cells.named.cell == Cell::gru) {
    read(inner_array, shape.units, &RecurrentBackwardArgs::inner);
    dinner = write(cells.sequences(shape.units), &RecurrentBackwardArgs::dinner);
  }
  if (cells.is_projected()) {
    hidden = write(cells.sequences(shape.units), &RecurrentBackwardArgs::hidden);
    dhidden = write(cells.sequences(shape.outputs), &RecurrentBackwardArgs::dhidden);
  }
  cells.pack(args, true);
  cells.add(args, by_row, true);
  if (cells.peepholes.data != nullptr) {
    dpeepholes = cells.result(cells.peepholes.shape);
    const Tensor to = call.real_output(dpeepholes, "dpeepholes"),
                 from = call.real_input(dgates, "dgates");
    const PeepholeArgs sums{from.data,     saved_cells.data, first_c.data,
                            cells.lengths, to.data,          shape};
    std::vector<Operand> operands{from.read(), saved_cells.read(), first_c.read(), to.write()};
    if (cells.lengths != nullptr) operands.push_back({cells.lengths, shape.rows * 8, Access::read});
    cells.add(make_task("peepholes", KernelId::peepholes, cells.u.scalar(), sums, shape.units, 16,
                        Work{6, 6} * static_cast<double>(saved_cells.size), std::move(operands)));
  }
  cells.run();
  return py::make_tuple(dgates, dinner, hidden, dhidden, dh0, dc0, dpeepholes);
}

} // namespace

void register_recurrent(py::module_& module) {
  module.def("recurrent", &recurrent, py::arg("cell"), py::arg("gates"), py::arg("u"),
             py::arg("bias"), py::arg("h0"), py::arg("c0"), py::arg("peepholes"),
             py::arg("projection"), py::arg("lengths"), py::arg("reverse"));
  module.def("recurrent_backward", &recurrent_backward, py::arg("cell"), py::arg("dy"),
             py::arg("dhn"), py::arg("dcn"), py::arg("u"), py::arg("gates"), py::arg("cells"),
             py::arg("inner"), py::arg("previous"), py::arg("c0"), py::arg("peepholes"),
             py::arg("projection"), py::arg("lengths"), py::arg("reverse"));
}

} // namespace gyaku::bindings
