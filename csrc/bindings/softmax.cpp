#include "kernels/args/softmax.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

namespace gyaku::bindings {

namespace {

// Of an element.
constexpr Work forward_work{5, 20}, backward_work{4, 20};

// Along the last axis; the other axes count rows.
SoftmaxArgs args_for(const Call& call, const Tensor& like) {
  call.require(!like.shape.empty(), "a single number has no rows");
  SoftmaxArgs args{};
  args.columns = like.shape.back();
  args.rows = args.columns == 0 ? 0 : like.size / args.columns;
  return args;
}

// The kernels take the last axis; others are transposed to it.
void require_last(const Call& call, std::int64_t axis) {
  call.require(axis == -1, "axis must be the last one");
}

py::object forward(KernelId id, const char* name, py::handle x_array, std::int64_t axis) {
  Call call(name);
  require_last(call, axis);
  const Tensor x = call.real_input(x_array, "x");
  SoftmaxArgs args = args_for(call, x);
  const py::object y_array = call.result(x.shape, x.scalar());
  const Tensor y = call.real_output(y_array, "y");
  args.x = x.data;
  args.y = y.data;
  call.run(make_task(name, id, x.scalar(), args, args.rows, 1,
                     forward_work * static_cast<double>(x.size), {x.read(true), y.write(true)}));
  return y_array;
}

py::object backward(KernelId id, const char* name, py::handle dy_array, py::handle y_array,
                    std::int64_t axis) {
  Call call(name);
  require_last(call, axis);
  const Tensor dy = call.real_input(dy_array, "dy"), y = call.real_input(y_array, "y");
  call.require(dy.like(y), "dy and y differ in shape or dtype");
  SoftmaxArgs args = args_for(call, y);
  const py::object dx_array = call.result(y.shape, y.scalar());
  const Tensor dx = call.real_output(dx_array, "dx");
  args.x = dy.data;
  args.saved = y.data;
  args.y = dx.data;
  call.run(make_task(name, id, dy.scalar(), args, args.rows, 1,
                     backward_work * static_cast<double>(dy.size),
                     {dy.read(true), y.read(true), dx.write(true)}));
  return dx_array;
}

} // namespace

void register_softmax(py::module_& module) {
  module.def(
      "softmax",
      [](py::handle x, std::int64_t axis) {
        return forward(KernelId::softmax, "softmax", x, axis);
      },
      py::arg("x"), py::arg("axis"));
  module.def(
      "log_softmax",
      [](py::handle x, std::int64_t axis) {
        return forward(KernelId::log_softmax, "log_softmax", x, axis);
      },
      py::arg("x"), py::arg("axis"));
  module.def(
      "softmax_backward",
      [](py::handle dy, py::handle y, std::int64_t axis) {
        return backward(KernelId::softmax_backward, "softmax_backward", dy, y, axis);
      },
      py::arg("dy"), py::arg("y"), py::arg("axis"));
  module.def(
      "log_softmax_backward",
      [](py::handle dy, py::handle y, std::int64_t axis) {
        return backward(KernelId::log_softmax_backward, "log_softmax_backward", dy, y, axis);
      },
      py::arg("dy"), py::arg("y"), py::arg("axis"));
}

} // namespace gyaku::bindings
