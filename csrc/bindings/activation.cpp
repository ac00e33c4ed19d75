#include "bindings/activations.h"

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/args/activation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

constexpr std::array activations{
#define GYAKU_ACTIVATION(name, ...)                                                                \
  NamedActivation{#name, #name "_backward", Activation::name, __VA_ARGS__},
#include "activations.inc"
};

constexpr double weight = 20; // per element, for any function

void run(Call& call, KernelId id, const char* name, double flops, const Tensor& shape_of,
         ElementwiseArgs args, std::vector<Operand> operands) {
  // By rows, like the neighbouring tasks, if there are enough of them; else by cache lines.
  const std::int64_t rows = shape_of.rows();
  const bool by_rows = rows >= 8;
  args.size = shape_of.size;
  args.unit = by_rows ? shape_of.columns() : 64 / shape_of.item_bytes;
  const std::int64_t extent = by_rows ? rows : (args.size + args.unit - 1) / args.unit;
  for (Operand& operand : operands) operand.by_slice = by_rows;
  call.run(make_task(name, id, shape_of.scalar(), args, extent, 1,
                     Work{flops, weight} * static_cast<double>(args.size), std::move(operands)));
}

py::object activation(py::handle name, py::handle x_array, py::handle alpha_number,
                      py::handle out) {
  const auto& [named, alpha] = choose_activation(name, alpha_number);
  Call call(named.name);
  const Tensor x = call.real_input(x_array, "x");
  const py::object y_array = call.result(out, x.shape, x.scalar());
  const Tensor y = call.real_output(y_array, "out");
  call.require(x.size == y.size && x.same_type(y), "x and out differ in size or dtype");
  ElementwiseArgs args{};
  args.x = x.data;
  args.y = y.data;
  args.alpha = alpha;
  args.activation = named.function;
  run(call, KernelId::activation, named.name, named.flops, x, args, {x.read(), y.write()});
  return y_array;
}

py::object activation_backward(py::handle name, py::handle dy_array, py::handle saved_array,
                               py::handle alpha_number, py::handle out) {
  const auto& [named, alpha] = choose_activation(name, alpha_number);
  Call call(named.backward);
  const Tensor dy = call.real_input(dy_array, "dy"), saved = call.real_input(saved_array, "saved");
  const py::object dx_array = call.result(out, saved.shape, saved.scalar());
  const Tensor dx = call.real_output(dx_array, "out");
  call.require(dy.like(saved) && dy.size == dx.size && dy.same_type(dx),
               "dy, saved and out differ in shape or dtype");
  ElementwiseArgs args{};
  args.x = dy.data;
  args.saved = saved.data;
  args.y = dx.data;
  args.alpha = alpha;
  args.activation = named.function;
  run(call, KernelId::activation_backward, named.backward, named.backward_flops, dy, args,
      {dy.read(), saved.read(), dx.write()});
  return dx_array;
}

} // namespace

ChosenActivation choose_activation(py::handle name, py::handle alpha) {
  if (name.is_none()) return {activations[static_cast<int>(Activation::identity)], 0};
  Py_ssize_t length = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(name.ptr(), &length);
  if (text == nullptr) throw py::error_already_set();
  const std::string_view wanted(text, static_cast<std::size_t>(length));
  const auto row = std::ranges::find(activations, wanted, &NamedActivation::name);
  require(row != activations.end(), "activation", "there is no activation of this name");
  const bool is_given = !alpha.is_none();
  const double number = is_given ? PyFloat_AsDouble(alpha.ptr()) : 0;
  if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  require(is_given || row->parameter == Alpha::none, row->name, "alpha is missing");
  require(!is_given || row->parameter != Alpha::none, row->name, "there is no alpha");
  require(row->parameter == Alpha::positive ? number > 0
          : row->parameter == Alpha::any    ? std::isfinite(number)
                                            : number >= 0,
          row->name, "alpha is out of range");
  return {*row, number};
}

void register_activation(py::module_& module) {
  module.def("activation", &activation, py::arg("name"), py::arg("x"),
             py::arg("alpha") = py::none(), py::arg("out") = py::none());
  module.def("activation_backward", &activation_backward, py::arg("name"), py::arg("dy"),
             py::arg("saved"), py::arg("alpha") = py::none(), py::arg("out") = py::none());
}

} // namespace gyaku::bindings
