#include "bindings/arrays.h"
#include "bindings/register.h"

namespace gyaku::bindings {

namespace {

constexpr double flops_per_element = 20;

void forward(KernelId id, const char* name, const py::array& x_array, const py::array& y_array) {
  Call call(name);
  const Tensor x = call.real_input(x_array, "x"), y = call.real_output(y_array, "out");
  call.require(x.shape.size() == 2 && x.shape == y.shape && x.same_type(y),
               "x and out must be matrices of the same shape and dtype");
  const SoftmaxArgs args{x.data, nullptr, y.data, x.shape[0], x.shape[1]};
  call.run(make_task(name, id, x.scalar(), args, args.rows, 1,
                     flops_per_element * static_cast<double>(x.size),
                     {x.read(true), y.write(true)}));
}

void backward(KernelId id, const char* name, const py::array& dy_array, const py::array& y_array,
              const py::array& dx_array) {
  Call call(name);
  const Tensor dy = call.real_input(dy_array, "dy"), y = call.real_input(y_array, "y");
  const Tensor dx = call.real_output(dx_array, "out");
  call.require(dy.shape.size() == 2 && dy.shape == y.shape && dy.shape == dx.shape &&
                   dy.same_type(y) && dy.same_type(dx),
               "dy, y and out must be matrices of the same shape and dtype");
  const SoftmaxArgs args{dy.data, y.data, dx.data, dy.shape[0], dy.shape[1]};
  call.run(make_task(name, id, dy.scalar(), args, args.rows, 1,
                     flops_per_element * static_cast<double>(dy.size),
                     {dy.read(true), y.read(true), dx.write(true)}));
}

} // namespace

void register_softmax(py::module_& module) {
  module.def(
      "softmax",
      [](const py::array& x, const py::array& out) {
        forward(KernelId::softmax, "softmax", x, out);
      },
      py::arg("x"), py::arg("out"));
  module.def(
      "log_softmax",
      [](const py::array& x, const py::array& out) {
        forward(KernelId::log_softmax, "log_softmax", x, out);
      },
      py::arg("x"), py::arg("out"));
  module.def(
      "softmax_backward",
      [](const py::array& dy, const py::array& y, const py::array& out) {
        backward(KernelId::softmax_backward, "softmax_backward", dy, y, out);
      },
      py::arg("dy"), py::arg("y"), py::arg("out"));
  module.def(
      "log_softmax_backward",
      [](const py::array& dy, const py::array& y, const py::array& out) {
        backward(KernelId::log_softmax_backward, "log_softmax_backward", dy, y, out);
      },
      py::arg("dy"), py::arg("y"), py::arg("out"));
}

} // namespace gyaku::bindings
