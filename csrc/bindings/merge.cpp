// Merged branches: one task each.
#include "kernels/args/merge.h"
#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/args/activation.h"

#include <algorithm>
#include <vector>

namespace gyaku::bindings {

namespace {

py::object merge(const char* name, KernelId id, py::handle a_array, py::handle b_array,
                 py::handle out) {
  Call call(name);
  const Tensor a = call.real_input(a_array, "a"), b = call.real_input(b_array, "b");
  call.require(a.like(b), "a and b differ in shape or dtype");
  const py::object y_array = call.result(out, a.shape, a.scalar());
  const Tensor y = call.real_output(y_array, "out");
  call.require(y.like(a), "out and a differ in shape or dtype");
  for (const Tensor& each : {a, b})
    call.require(each.data == y.data || !each.read().overlaps(y.write()),
                 "out must be an input or lie apart from it");
  ElementwiseArgs args{};
  args.x = a.data;
  args.saved = b.data;
  args.y = y.data;
  args.size = y.size;
  const std::int64_t line = 64 / y.item_bytes;
  const bool by_sample = y.rows() >= enough_samples;
  args.unit = by_sample ? y.columns() : line;
  call.run(make_task(name, id, y.scalar(), args, by_sample ? y.rows() : (y.size + line - 1) / line,
                     1, Work{1, 1} * static_cast<double>(y.size),
                     {a.read(by_sample), b.read(by_sample), y.write(by_sample)}));
  return y_array;
}

py::object add(py::handle a, py::handle b, py::handle out) {
  return merge("add", KernelId::add, a, b, out);
}
py::object subtract(py::handle a, py::handle b, py::handle out) {
  return merge("subtract", KernelId::subtract, a, b, out);
}
py::object multiply(py::handle a, py::handle b, py::handle out) {
  return merge("multiply", KernelId::multiply, a, b, out);
}
py::object divide(py::handle a, py::handle b, py::handle out) {
  return merge("divide", KernelId::divide, a, b, out);
}

// Columns [x_start, ...) of x become columns [y_start, ...) of y.
void copy(Call& call, const char* name, const Tensor& x, const Tensor& y, std::int64_t x_start,
          std::int64_t y_start, std::int64_t columns) {
  CopyColumnsArgs args{};
  args.x = x.data;
  args.y = y.data;
  args.x_start = x_start;
  args.y_start = y_start;
  args.x_columns = x.shape.back();
  args.y_columns = y.shape.back();
  args.columns = columns;
  std::int64_t rows = 1;
  for (const py::ssize_t length : x.shape.first(x.shape.size() - 1)) rows *= length;
  const std::int64_t samples = x.shape.size() == 1 ? 1 : x.rows(); // a row is a single sample
  const Cut cut = cut_samples(samples, samples == 0 ? 0 : rows / samples);
  args.unit = cut.unit;
  Operand from = x.read(cut.by_sample), to = y.write(cut.by_sample);
  from.touched = to.touched = rows * columns * x.item_bytes;
  // The first columns write the matrix, the others update it.
  if (y_start > 0) to.access = Access::update;
  call.run(
      make_task(name, KernelId::copy_columns, x.scalar(), args, cut.extent, 1, {}, {from, to}));
}

bool same_rows(const Tensor& x, const Tensor& y) {
  return !x.shape.empty() && x.shape.size() == y.shape.size() &&
         std::equal(x.shape.begin(), x.shape.end() - 1, y.shape.begin());
}

void copy_columns(py::handle x_array, py::handle out, std::int64_t start) {
  Call call("copy_columns");
  const Tensor x = call.real_input(x_array, "x"), y = call.real_output(out, "out");
  call.require(x.same_type(y) && same_rows(x, y), "x and out differ in rows or dtype");
  call.require(start >= 0 && start <= y.shape.back() - x.shape.back(),
               "x does not fit into the columns of out");
  call.require(!x.read().overlaps(y.write()), "out must not share memory with x");
  copy(call, "copy_columns", x, y, 0, start, x.shape.back());
}

py::object take_columns(py::handle x_array, std::int64_t start, std::int64_t count) {
  Call call("take_columns");
  const Tensor x = call.real_input(x_array, "x");
  call.require(!x.shape.empty() && start >= 0 && count >= 0 && start <= x.shape.back() - count,
               "x does not have these columns");
  std::vector<py::ssize_t> shape(x.shape.begin(), x.shape.end());
  shape.back() = count;
  const py::object y_array = call.result(shape, x.scalar());
  copy(call, "take_columns", x, call.real_output(y_array, "out"), start, 0, count);
  return y_array;
}

} // namespace

void register_merge(py::module_& module) {
  module.def("add", &add, py::arg("a"), py::arg("b"), py::arg("out"));
  module.def("subtract", &subtract, py::arg("a"), py::arg("b"), py::arg("out"));
  module.def("multiply", &multiply, py::arg("a"), py::arg("b"), py::arg("out"));
  module.def("divide", &divide, py::arg("a"), py::arg("b"), py::arg("out"));
  module.def("copy_columns", &copy_columns, py::arg("x"), py::arg("out"), py::arg("start"));
  module.def("take_columns", &take_columns, py::arg("x"), py::arg("start"), py::arg("count"));
}

} // namespace gyaku::bindings
