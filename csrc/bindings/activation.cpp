#include "bindings/activations.h"

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/args/activation.h"

#include <utility>

namespace gyaku::bindings {

namespace {

constexpr std::array activations{
#define GYAKU_ACTIVATION(name, flops, backward_flops)                                              \
  NamedActivation{#name, #name "_backward", Activation::name, flops, backward_flops},
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

py::object activation(py::handle x_array, py::handle out, const std::string& name, double alpha) {
  const NamedActivation& named = find_activation(name);
  Call call(named.name);
  call.require(alpha >= 0, "alpha must be at least 0");
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

py::object activation_backward(py::handle dy_array, py::handle saved_array, py::handle out,
                               const std::string& name, double alpha) {
  const NamedActivation& named = find_activation(name);
  Call call(named.backward);
  call.require(alpha >= 0, "alpha must be at least 0");
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

const NamedActivation& find_activation(const std::string& name) {
  for (const NamedActivation& row : activations)
    if (name == row.name) return row;
  throw py::value_error("activation: no activation is called '" + name + "'");
}

void register_activation(py::module_& module) {
  module.def("activation", &activation, py::arg("x"), py::arg("out"), py::arg("name"),
             py::arg("alpha"));
  module.def("activation_backward", &activation_backward, py::arg("dy"), py::arg("saved"),
             py::arg("out"), py::arg("name"), py::arg("alpha"));
}

} // namespace gyaku::bindings
