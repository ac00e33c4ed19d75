// Convolutions: which way through the kernels a problem takes, and memory for packed weights.
#include "kernels/args/conv.h"
#include "bindings/activations.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

// As gyaku.reference.windows.Axis has it: size, taps, stride, dilation, before, after, windows.
using Axis = std::array<std::int64_t, 7>;
using Shape4 = std::array<py::ssize_t, 4>;

struct Windows {
  Axis rows, columns;
  std::int64_t groups;
};

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// A kernel reads nothing outside of the image, wherever the windows lie; it counts in 32 bits.
ConvAxis axis_of(const Call& call, const Axis& axis) {
  const auto [size, taps, stride, dilation, before, after, windows] = axis;
  constexpr std::int64_t most = INT32_MAX / 4;
  for (const std::int64_t number : {size, taps, stride, dilation, windows})
    call.require(1 <= number && number <= most, "an image or a window is empty or too large");
  call.require(0 <= before && before <= most, "padding is out of range");
  call.require((windows - 1) * stride <= most && (taps - 1) * dilation <= most,
               "the windows reach too far");
  const auto narrow = [](std::int64_t number) { return static_cast<std::int32_t>(number); };
  return {narrow(size),   narrow(windows),  narrow(taps),
          narrow(stride), narrow(dilation), narrow(before)};
}

// What a convolution is, whichever of its three products is asked for.
struct Problem {
  ConvShape shape;
  std::int64_t images;
  Scalar scalar;
  std::int64_t item_bytes;

  // Channels are those of a group, filters those of all groups.
  Problem(const Call& call, const Windows& windows, std::int64_t count, std::int64_t channels,
          std::int64_t filters, const Tensor& like)
      : images(count), scalar(like.scalar()), item_bytes(like.item_bytes) {
    const std::int64_t groups = windows.groups;
    call.require(groups >= 1 && filters >= 1 && filters % groups == 0,
                 "filters do not divide into groups");
    call.require(filters <= INT32_MAX && 1 <= channels && channels <= INT32_MAX / groups,
                 "there are no channels or too many");
    shape.rows = axis_of(call, windows.rows);
    shape.columns = axis_of(call, windows.columns);
    shape.groups = static_cast<std::int32_t>(groups);
    shape.channels = static_cast<std::int32_t>(channels);
    shape.filters = static_cast<std::int32_t>(filters / groups);
  }

  Shape4 image_shape() const {
    return {images, shape.rows.size, shape.columns.size,
            std::int64_t{shape.groups} * shape.channels};
  }
  Shape4 window_shape() const { // of what has a pixel for each window
    return {images, shape.rows.windows, shape.columns.windows,
            std::int64_t{shape.groups} * shape.filters};
  }
  Shape4 weight_shape() const {
    return {shape.rows.taps, shape.columns.taps, shape.channels,
            std::int64_t{shape.groups} * shape.filters};
  }
  std::int64_t taps() const { return std::int64_t{shape.rows.taps} * shape.columns.taps; }
  std::int64_t windows() const { return std::int64_t{shape.rows.windows} * shape.columns.windows; }
  bool is_depthwise() const {
    return shape.groups > 1 && shape.channels == 1 && shape.filters == 1;
  }
  double flops() const {
    return 2.0 * static_cast<double>(images) * static_cast<double>(windows()) *
           static_cast<double>(taps()) * shape.groups * shape.channels * shape.filters;
  }
  std::int64_t lanes() const { return kernels().lanes[static_cast<int>(scalar)]; }
  std::int64_t whole_vectors(std::int64_t numbers) const {
    return ceil_div(numbers, lanes()) * lanes();
  }

  // What has a number for each 2 x 2 windows.
  Shape4 pooled_shape() const {
    return {images, shape.rows.windows / 2, shape.columns.windows / 2,
            std::int64_t{shape.groups} * shape.filters};
  }
  // Numbers of a window row, side by side in the image.
  std::int64_t run() const { return std::int64_t{shape.columns.taps} * shape.channels; }
  // Whether gradients by the maxima of 2 x 2 windows need not be made to those of all windows
  // first: there must be room for what a row of windows sees, and vectors must be filled.
  bool takes_maxima() const {
    const ConvAxis &rows = shape.rows, &columns = shape.columns;
    for (const ConvAxis& axis : {rows, columns})
      if (axis.stride > 1 || axis.dilation > 1 || axis.windows < 2) return false;
    if (scalar != Scalar::float32 || shape.groups > 1) return false;
    const bool is_few = shape.channels < few_channels;
    const std::int64_t copies = is_few ? 4 : 1;
    const std::int64_t seen = (columns.windows / 2 * 2 + columns.taps - 1) *
                              std::int64_t{shape.channels} * (rows.taps + 1);
    if (copies * seen > max_maxima_bytes / item_bytes - lanes()) return false;
    if (columns.windows / 2 > max_maxima_windows || columns.padding > columns.windows / 2 * 2)
      return false;
    if (!is_few) return 2 * run() >= whole_vectors(run());
    const auto is_padded = [](const ConvAxis& axis) {
      return axis.padding > 0 || axis.windows + axis.taps - 1 > axis.size;
    };
    return lanes() >= picking_lanes && !is_padded(rows) && !is_padded(columns);
  }

  // A window of one pixel sees neighbouring rows as one: as long as fits, so that tiles come out
  // even.
  void join_rows() {
    ConvAxis &rows = shape.rows, &columns = shape.columns;
    constexpr std::int32_t long_enough = 112;
    if (taps() > 1 || rows.stride > 1 || columns.stride > 1) return;
    if (rows.padding > 0 || columns.padding > 0) return;
    if (rows.size != rows.windows || columns.size != columns.windows) return;
    std::int32_t joined = std::max(long_enough / columns.size, 1);
    while (rows.size % joined != 0) --joined;
    rows.size = rows.windows = rows.size / joined;
    columns.size = columns.windows = columns.size * joined;
  }
};

// An array of four axes, of what a problem needs.
void require_fit(const Call& call, const Tensor& tensor, const Shape4& shape, const Tensor& like,
                 const char* message) {
  call.require(tensor.same_type(like) &&
                   std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end()),
               message);
}

Tensor image_input(Call& call, py::handle array, const char* name) {
  const Tensor found = call.real_input(array, name);
  call.require(found.shape.size() == 4, "images and weights must have four axes");
  return found;
}

// Which of 2 x 2 windows was the largest, for each number of a gradient; or null.
Tensor argmax_input(Call& call, py::handle array, const Problem& problem) {
  if (array.is_none()) return {};
  call.require(problem.takes_maxima(), "there is no way from maxima for this convolution");
  const Tensor found = call.input(array, "argmax");
  const Shape4 shape = problem.pooled_shape();
  call.require(found.kind == 'u' && found.item_bytes == 1 &&
                   std::equal(found.shape.begin(), found.shape.end(), shape.begin(), shape.end()),
               "argmax must hold an unsigned byte for each maximum");
  return found;
}

// As many slices as images, so that what comes before and after may be carried image by image; of a
// few images, rows.
constexpr std::int64_t enough_images = 32;

// Whether what a pixel of dy gives to a row of dx fills vectors better than dx's channels do.
bool is_narrow(const Problem& problem) {
  const ConvShape& shape = problem.shape;
  const auto use = [&](std::int64_t numbers) {
    return static_cast<double>(numbers) / static_cast<double>(problem.whole_vectors(numbers));
  };
  // Nor do a few channels beyond whole vectors need one of their own.
  const std::int64_t few = 4, rest = shape.channels % problem.lanes();
  if (problem.scalar == Scalar::float32 && few < problem.lanes() &&
      shape.channels > problem.lanes() && rest <= few)
    return false;
  constexpr double cost_of_adding_up = 0.8;
  return shape.groups == 1 && problem.run() <= 8 * problem.lanes() &&
         cost_of_adding_up * use(problem.run()) > use(shape.channels);
}

// The weights as a kernel reads them.
struct Packing {
  KernelId id = KernelId::conv_pack, reader = KernelId::conv;
  std::int64_t numbers, extent;

  Packing(const Problem& problem, bool backward, bool of_maxima) {
    const ConvShape& shape = problem.shape;
    const std::int64_t run_weights =
        std::int64_t{shape.rows.taps} * shape.filters * problem.whole_vectors(problem.run());
    extent = shape.rows.taps;
    numbers = run_weights;
    if (of_maxima) {
      id = KernelId::conv_maxima_pack;
      reader = KernelId::conv_maxima;
    } else if (backward && is_narrow(problem)) {
      id = KernelId::conv_narrow_pack;
      reader = KernelId::conv_narrow;
    } else {
      const std::int64_t inputs = backward ? shape.filters : shape.channels;
      numbers = shape.groups * problem.taps() * inputs *
                problem.whole_vectors(backward ? shape.channels : shape.filters);
      extent = shape.groups * problem.taps();
    }
  }
};

// y = activation(conv(x) + b), or backward: x has a pixel for each window and y is the image.
// Or x has one for each 2 x 2 windows, and argmax says which it is from.
py::object slide(const char* name, bool backward, py::handle x_array, py::handle w_array,
                 py::handle b_array, py::handle out, const Windows& windows, Activation activation,
                 double alpha, py::handle argmax_array = py::none()) {
  Call call(name);
  const Tensor x = image_input(call, x_array, "images"), w = image_input(call, w_array, "w");
  call.require(alpha >= 0, "alpha must be at least 0");
  Problem problem(call, windows, x.rows(), w.shape[2], w.shape[3], x);
  const Tensor argmax = argmax_input(call, argmax_array, problem);
  const bool of_maxima = !argmax_array.is_none();
  const Shape4 image = problem.image_shape();
  const Shape4 window = of_maxima ? problem.pooled_shape() : problem.window_shape();
  const Shape4& result = backward ? image : window;
  require_fit(call, x, backward ? window : image, x, "the images do not fit the windows");
  require_fit(call, w, problem.weight_shape(), x, "w does not fit the images");
  std::vector<Operand> operands{x.read(), w.read()};
  Tensor bias;
  if (!b_array.is_none()) {
    bias = call.real_input(b_array, "b");
    call.require(bias.shape.size() == 1 && bias.size == result[3] && bias.same_type(x),
                 "b must hold one number for each channel of the result");
    operands.push_back(bias.read());
  }
  if (of_maxima) operands.push_back(argmax.read(true));
  const py::object y_array = call.result(out, result, problem.scalar);
  const Tensor y = call.real_output(y_array, "out");
  require_fit(call, y, result, x, "the shape or dtype of out does not fit");
  for (const Operand& operand : operands)
    call.require(!operand.overlaps(y.write()), "out must not share memory with an input");

  const bool by_image = of_maxima || problem.images >= enough_images;
  if (by_image && !of_maxima) problem.join_rows();
  const ConvShape& shape = problem.shape;
  const std::int64_t rows = backward ? shape.rows.size : shape.rows.windows;
  operands[0] = x.read(by_image);
  operands.push_back(y.write(true));
  ConvArgs args{};
  args.x = x.data;
  args.packed = w.data;
  args.bias = bias.data;
  args.y = y.data;
  args.argmax = const_cast<void*>(argmax.data);
  args.shape = shape;
  args.unit = static_cast<std::int32_t>(by_image ? rows : 1);
  args.images = problem.images;
  args.alpha = alpha;
  args.activation = activation;
  args.backward = backward;

  std::vector<Task> tasks;
  Block scratch;
  std::int64_t scratch_bytes = 0;
  KernelId id = KernelId::depthwise;
  if (!problem.is_depthwise()) {
    const Packing packing(problem, backward, of_maxima);
    id = packing.reader;
    scratch_bytes = packing.numbers * problem.item_bytes;
    scratch = allocate(scratch_bytes);
    args.packed = scratch.get();
    const Operand packed{scratch.get(), scratch_bytes, Access::write};
    tasks.push_back(make_task("pack", packing.id, problem.scalar,
                              ConvPackArgs{w.data, scratch.get(), shape, backward}, packing.extent,
                              1, 0, {w.read(), packed}));
    operands[1] = {scratch.get(), scratch_bytes, Access::read};
  }
  tasks.push_back(make_task(name, id, problem.scalar, args,
                            by_image ? problem.images : problem.images * rows, 1, problem.flops(),
                            std::move(operands)));
  call.run(std::move(tasks), std::move(scratch), scratch_bytes);
  return y_array;
}

py::object conv2d(py::handle x, py::handle w, py::handle b, py::handle out, const Axis& rows,
                  const Axis& columns, std::int64_t groups, const std::string& activation,
                  double alpha) {
  return slide("conv2d", false, x, w, b, out, {rows, columns, groups}, to_activation(activation),
               alpha);
}

py::object conv2d_backward_data(py::handle dy, py::handle w, py::handle out, const Axis& rows,
                                const Axis& columns, std::int64_t groups, py::handle argmax) {
  return slide("conv2d_backward_data", true, dy, w, py::none(), out, {rows, columns, groups},
               Activation::identity, 0, argmax);
}

// Whether the gradients can be had from those of the maxima of 2 x 2 windows, and should.
bool takes_maxima(const Axis& rows, const Axis& columns, std::int64_t channels,
                  std::int64_t filters, std::int64_t item_bytes) {
  Tensor like;
  like.item_bytes = item_bytes;
  return Problem(Call("conv2d_backward"), {rows, columns, 1}, 0, channels, filters, like)
      .takes_maxima();
}

py::object conv2d_transpose(py::handle x, py::handle w, py::handle b, py::handle out,
                            const Axis& rows, const Axis& columns, std::int64_t groups,
                            const std::string& activation, double alpha) {
  return slide("conv2d_transpose", true, x, w, b, out, {rows, columns, groups},
               to_activation(activation), alpha);
}

// How many partial sums the images are shared out among: the problem says it, so that neither the
// threads nor the instruction set do. Few where they would be large or quickly made.
std::int64_t parts_of(const Problem& problem, std::int64_t weight_bytes) {
  constexpr std::int64_t at_most = 16, memory = 2 << 20, pixels_a_part = 1024;
  const std::int64_t pixels = problem.images * problem.windows();
  return std::clamp(std::min(memory / weight_bytes, pixels / pixels_a_part), std::int64_t{1},
                    std::clamp(problem.images, std::int64_t{1}, at_most));
}

py::tuple conv2d_backward_weights(py::handle dy_array, py::handle x_array, py::handle dw_out,
                                  py::handle db_out, const Axis& rows, const Axis& columns,
                                  std::int64_t groups, py::handle argmax_array) {
  Call call("conv2d_backward_weights");
  const Tensor dy = image_input(call, dy_array, "dy"), x = image_input(call, x_array, "x");
  call.require(groups >= 1 && x.shape[3] % groups == 0, "channels do not divide into groups");
  Problem problem(call, {rows, columns, groups}, x.rows(), x.shape[3] / groups, dy.shape[3], x);
  require_fit(call, x, problem.image_shape(), x, "the images do not fit the windows");
  const Tensor argmax = argmax_input(call, argmax_array, problem);
  const bool of_maxima = !argmax_array.is_none();
  require_fit(call, dy, of_maxima ? problem.pooled_shape() : problem.window_shape(), x,
              "dy does not fit the windows");
  const Shape4 weights = problem.weight_shape();
  const py::object dw_array = call.result(dw_out, weights, problem.scalar);
  const Tensor dw = call.real_output(dw_array, "dw");
  require_fit(call, dw, weights, x, "the shape or dtype of dw does not fit");
  const py::object db_array = call.result(db_out, Shape(weights).last(1), problem.scalar);
  const Tensor db = call.real_output(db_array, "db");
  call.require(db.shape.size() == 1 && db.size == weights[3] && db.same_type(x),
               "the shape or dtype of db does not fit");
  for (const Operand& result : {dw.write(), db.write()})
    call.require(!x.read().overlaps(result) && !dy.read().overlaps(result),
                 "a result must not share memory with an input");
  call.require(!db.read().overlaps(dw.write()), "dw and db must not share memory");

  if (!of_maxima) problem.join_rows();
  ConvWeightsArgs args{};
  args.x = x.data;
  args.dy = dy.data;
  args.argmax = argmax.data;
  args.dw = dw.data;
  args.db = db.data;
  args.shape = problem.shape;
  args.images = problem.images;
  args.parts = static_cast<std::int32_t>(parts_of(problem, dw.bytes()));
  args.stride = dw.size + db.size;
  std::vector<Operand> operands{x.read(), dy.read()};
  if (of_maxima) operands.push_back(argmax.read());
  Block scratch;
  std::int64_t scratch_bytes = 0;
  if (args.parts > 1 || of_maxima) {
    scratch_bytes = args.parts * args.stride * dw.item_bytes;
    scratch = allocate(scratch_bytes);
    args.dw = scratch.get();
    args.db = nullptr;
    operands.push_back({scratch.get(), scratch_bytes, Access::write});
  } else {
    operands.insert(operands.end(), {dw.write(), db.write()});
  }
  const std::int64_t dw_rows = problem.taps() * problem.shape.channels * problem.shape.groups;
  KernelId id = KernelId::conv_weights;
  std::int64_t extent = args.parts * dw_rows;
  if (of_maxima) {
    id = KernelId::conv_maxima_weights;
    extent = args.parts * weights[3];
  } else if (problem.is_depthwise()) {
    id = KernelId::depthwise_weights;
    extent = args.parts;
  }
  std::vector<Task> tasks;
  tasks.push_back(make_task("conv2d_backward_weights", id, problem.scalar, args, extent, 1,
                            problem.flops(), operands));
  const double sums = static_cast<double>(args.parts * args.stride);
  operands = {Operand{scratch.get(), scratch_bytes, Access::read}, dw.write(), db.write()};
  if (of_maxima && problem.shape.channels >= few_channels) {
    constexpr std::int64_t block = 16; // rows of a square
    tasks.push_back(
        make_task("add_parts", KernelId::turn_parts, problem.scalar,
                  TurnPartsArgs{scratch.get(), dw.data, db.data, args.parts, dw_rows, weights[3]},
                  dw_rows, block, sums, std::move(operands)));
  } else if (args.parts > 1 || of_maxima) {
    constexpr std::int64_t strip = 64; // whole cache lines for each member
    tasks.push_back(
        make_task("add_parts", KernelId::add_parts, problem.scalar,
                  AddPartsArgs{scratch.get(), dw.data, db.data, args.parts, dw.size, args.stride},
                  args.stride, strip, sums, std::move(operands)));
  }
  call.run(std::move(tasks), std::move(scratch), scratch_bytes);
  return py::make_tuple(dw_array, db_array);
}

} // namespace

void register_conv(py::module_& module) {
  module.def("conv2d", &conv2d, py::arg("x"), py::arg("w"), py::arg("b"), py::arg("out"),
             py::arg("rows"), py::arg("columns"), py::arg("groups"), py::arg("activation"),
             py::arg("alpha"));
  module.def("conv2d_backward_data", &conv2d_backward_data, py::arg("dy"), py::arg("w"),
             py::arg("out"), py::arg("rows"), py::arg("columns"), py::arg("groups"),
             py::arg("argmax") = py::none());
  module.def("takes_maxima", &takes_maxima, py::arg("rows"), py::arg("columns"),
             py::arg("channels"), py::arg("filters"), py::arg("item_bytes"));
  module.def("conv2d_transpose", &conv2d_transpose, py::arg("x"), py::arg("w"), py::arg("b"),
             py::arg("out"), py::arg("rows"), py::arg("columns"), py::arg("groups"),
             py::arg("activation"), py::arg("alpha"));
  module.def("conv2d_backward_weights", &conv2d_backward_weights, py::arg("dy"), py::arg("x"),
             py::arg("dw"), py::arg("db"), py::arg("rows"), py::arg("columns"), py::arg("groups"),
             py::arg("argmax") = py::none());
}

} // namespace gyaku::bindings
