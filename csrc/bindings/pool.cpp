// Pooling: one task each. The positions of windows are computed, and checked, in gyaku.windows.
#include "kernels/args/pool.h"
#include "bindings/arrays.h"
#include "bindings/register.h"
#include "bindings/windows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

WindowAxis window_axis(const Call& call, const Axis& axis) {
  const auto [size, taps, stride, dilation, before, after, windows] = axis;
  call.require(std::min({size, taps, stride, dilation, windows}) > 0 && before >= 0,
               "an axis must have pixels, windows and taps");
  return {size, taps, stride, dilation, before, windows};
}

// Shared by a pooling and its gradient: the images, and one element per window. Global pooling has
// one window; its output has no window axes.
class Pooling {
public:
  Pooling(Call& call, const Axis& rows, const Axis& columns, bool is_global)
      : call_(call), is_global_(is_global) {
    args.rows = window_axis(call, rows);
    args.columns = window_axis(call, columns);
    args.after_rows = static_cast<std::int32_t>(rows[5]);
    args.after_columns = static_cast<std::int32_t>(columns[5]);
    args.wide = is_global || taps() > most_taps_of_a_byte;
  }

  bool are_images(const Tensor& x) const {
    return x.shape.size() == 4 && x.shape[1] == args.rows.size && x.shape[2] == args.columns.size;
  }
  bool are_windows(const Tensor& y) const {
    if (is_global_) return y.shape.size() == 2;
    return y.shape.size() == 4 && y.shape[1] == args.rows.windows &&
           y.shape[2] == args.columns.windows;
  }
  py::array new_images(const Tensor& dy) const {
    const std::array<py::ssize_t, 4> shape{dy.shape.front(), args.rows.size, args.columns.size,
                                           dy.shape.back()};
    return empty(name(), shape, dtype(dy));
  }
  py::array new_windows(const Tensor& x, const py::dtype& dtype) const {
    const std::array<py::ssize_t, 4> shape{x.shape.front(), args.rows.windows, args.columns.windows,
                                           x.shape.back()};
    const std::array<py::ssize_t, 2> one_each{x.shape.front(), x.shape.back()};
    return is_global_ ? empty(name(), one_each, dtype) : empty(name(), shape, dtype);
  }
  py::array new_maxima(const Tensor& x) const { return new_windows(x, dtype(x)); }
  py::array new_argmax(const Tensor& x) const {
    return new_windows(x,
                       args.wide ? py::dtype::of<std::int32_t>() : py::dtype::of<std::uint8_t>());
  }
  bool is_argmax(const Tensor& argmax, const Tensor& y) const {
    return argmax.kind == (args.wide ? 'i' : 'u') && argmax.item_bytes == (args.wide ? 4 : 1) &&
           argmax.same_shape(y);
  }

  // `rows` are the rows of a sample that slices count.
  void run(const char* name, KernelId id, const Tensor& from, const Tensor& to,
           const Tensor* argmax, bool writes_argmax, std::int64_t rows,
           const Tensor* images = nullptr) {
    const std::int64_t samples = from.shape.front();
    args.x = from.data;
    args.y = to.data;
    args.channels = from.shape.back();
    const Cut cut = cut_samples(args.channels == 0 ? 0 : samples, rows);
    args.unit = static_cast<std::int32_t>(cut.unit);
    std::vector<Operand> operands{from.read(cut.by_sample), to.write(true)};
    if (argmax != nullptr) {
      args.argmax = argmax->data;
      operands.push_back(writes_argmax ? argmax->write(true) : argmax->read(cut.by_sample));
    }
    if (images != nullptr) {
      args.images = images->data;
      operands.push_back(images->read(cut.by_sample));
    }
    const auto [windows, pixels] = std::minmax(from.size, to.size);
    const Work work{static_cast<double>(pixels),
                    tap_cost * static_cast<double>(windows) *
                        static_cast<double>(std::min<std::int64_t>(taps(), 1 << 20))};
    call_.run(make_task(name, id, from.scalar(), args, cut.extent, 1, work, std::move(operands)));
  }

  PoolArgs args{};
  double tap_cost = 1; // in operations of a product

private:
  static constexpr std::int64_t most_taps_of_a_byte = 256;

  std::int64_t taps() const { return args.rows.taps * args.columns.taps; }
  static const char* name() { return "pooling"; }
  static py::dtype dtype(const Tensor& like) {
    return like.scalar() == Scalar::float32 ? py::dtype::of<float>() : py::dtype::of<double>();
  }

  Call& call_;
  bool is_global_;
};

py::tuple max_pool2d(py::handle x_array, const Axis& rows, const Axis& columns, bool is_global) {
  const char* name = is_global ? "global_max_pool2d" : "max_pool2d";
  Call call(name);
  Pooling pooling(call, rows, columns, is_global);
  const Tensor x = call.real_input(x_array, "x");
  call.require(pooling.are_images(x), "x does not have the shape that the windows are for");
  const py::array y_array = pooling.new_maxima(x), argmax_array = pooling.new_argmax(x);
  const Tensor y = call.output(y_array, "y"), argmax = call.output(argmax_array, "argmax");
  pooling.run(name, KernelId::max_pool, x, y, &argmax, true, pooling.args.rows.windows);
  return py::make_tuple(y_array, argmax_array);
}

py::object max_pool2d_backward(py::handle dy_array, py::handle argmax_array, const Axis& rows,
                               const Axis& columns, bool is_global) {
  const char* name = is_global ? "global_max_pool2d_backward" : "max_pool2d_backward";
  Call call(name);
  Pooling pooling(call, rows, columns, is_global);
  const Tensor dy = call.real_input(dy_array, "dy"), argmax = call.input(argmax_array, "argmax");
  call.require(pooling.are_windows(dy) && pooling.is_argmax(argmax, dy),
               "dy or argmax does not have the shape or dtype that the windows are for");
  const py::array dx_array = pooling.new_images(dy);
  pooling.run(name, KernelId::max_pool_backward, dy, call.output(dx_array, "dx"), &argmax, false,
              pooling.args.rows.size);
  return dx_array;
}

py::object avg_pool2d(py::handle x_array, const Axis& rows, const Axis& columns,
                      bool count_include_pad, std::int64_t divisor, bool is_global) {
  const char* name = is_global ? "global_avg_pool2d" : "avg_pool2d";
  Call call(name);
  Pooling pooling(call, rows, columns, is_global);
  const Tensor x = call.real_input(x_array, "x");
  call.require(pooling.are_images(x), "x does not have the shape that the windows are for");
  const py::array y_array = pooling.new_maxima(x);
  pooling.args.count_padding = count_include_pad;
  pooling.args.divisor = divisor;
  pooling.run(name, KernelId::avg_pool, x, call.output(y_array, "y"), nullptr, false,
              pooling.args.rows.windows);
  return y_array;
}

py::object avg_pool2d_backward(py::handle dy_array, const Axis& rows, const Axis& columns,
                               bool count_include_pad, std::int64_t divisor, bool is_global) {
  const char* name = is_global ? "global_avg_pool2d_backward" : "avg_pool2d_backward";
  Call call(name);
  Pooling pooling(call, rows, columns, is_global);
  const Tensor dy = call.real_input(dy_array, "dy");
  call.require(pooling.are_windows(dy), "dy does not have the shape that the windows are for");
  const py::array dx_array = pooling.new_images(dy);
  pooling.args.count_padding = count_include_pad;
  pooling.args.divisor = divisor;
  pooling.run(name, KernelId::avg_pool_backward, dy, call.output(dx_array, "dx"), nullptr, false,
              pooling.args.rows.size);
  return dx_array;
}

// Norms other than 1 and 2 cost a logarithm and an exponential for each tap. Beyond the largest
// norm, every power of a ratio below one is zero.
void set_norm(const Call& call, Pooling& pooling, double norm) {
  constexpr double largest_norm = 1e30, elementary_functions = 32;
  call.require(norm >= 1 && std::isfinite(norm), "norm_type must be at least 1");
  pooling.args.norm = std::min(norm, largest_norm);
  if (norm != 1 && norm != 2) pooling.tap_cost = elementary_functions;
}

py::object lp_pool2d(py::handle x_array, const Axis& rows, const Axis& columns, double norm_type) {
  Call call("lp_pool2d");
  Pooling pooling(call, rows, columns, false);
  const Tensor x = call.real_input(x_array, "x");
  call.require(pooling.are_images(x), "x does not have the shape that the windows are for");
  set_norm(call, pooling, norm_type);
  const py::array y_array = pooling.new_maxima(x);
  pooling.run("lp_pool2d", KernelId::lp_pool, x, call.output(y_array, "y"), nullptr, false,
              pooling.args.rows.windows);
  return y_array;
}

py::object lp_pool2d_backward(py::handle dy_array, py::handle x_array, py::handle y_array,
                              const Axis& rows, const Axis& columns, double norm_type) {
  Call call("lp_pool2d_backward");
  Pooling pooling(call, rows, columns, false);
  const Tensor dy = call.real_input(dy_array, "dy"), x = call.real_input(x_array, "x");
  const Tensor y = call.real_input(y_array, "y");
  call.require(pooling.are_windows(dy) && pooling.are_images(x) && y.like(dy) && x.same_type(dy) &&
                   x.shape[0] == dy.shape[0] && x.shape[3] == dy.shape[3],
               "dy, x or y does not have the shape or dtype that the windows are for");
  set_norm(call, pooling, norm_type);
  const py::array dx_array = pooling.new_images(dy);
  pooling.run("lp_pool2d_backward", KernelId::lp_pool_backward, dy, call.output(dx_array, "dx"), &y,
              false, pooling.args.rows.size, &x);
  return dx_array;
}

} // namespace

void register_pool(py::module_& module) {
  module.def("max_pool2d", &max_pool2d, py::arg("x"), py::arg("rows"), py::arg("columns"),
             py::arg("is_global"));
  module.def("max_pool2d_backward", &max_pool2d_backward, py::arg("dy"), py::arg("argmax"),
             py::arg("rows"), py::arg("columns"), py::arg("is_global"));
  module.def("avg_pool2d", &avg_pool2d, py::arg("x"), py::arg("rows"), py::arg("columns"),
             py::arg("count_include_pad"), py::arg("divisor"), py::arg("is_global"));
  module.def("avg_pool2d_backward", &avg_pool2d_backward, py::arg("dy"), py::arg("rows"),
             py::arg("columns"), py::arg("count_include_pad"), py::arg("divisor"),
             py::arg("is_global"));
  module.def("lp_pool2d", &lp_pool2d, py::arg("x"), py::arg("rows"), py::arg("columns"),
             py::arg("norm_type"));
  module.def("lp_pool2d_backward", &lp_pool2d_backward, py::arg("dy"), py::arg("x"), py::arg("y"),
             py::arg("rows"), py::arg("columns"), py::arg("norm_type"));
}

} // namespace gyaku::bindings
