// Convolutions: the choice of kernels, and memory for packed weights.
#include "kernels/args/conv.h"
#include "bindings/activations.h"
#include "bindings/arrays.h"
#include "bindings/conv_problem.h"
#include "bindings/precision.h"
#include "bindings/register.h"
#include "bindings/windows.h"
#include "bindings/winograd.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

// A four-dimensional array, of the shape of a problem.
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

// Position of the maximum among 2 x 2 windows, for each element of a gradient; or null.
Tensor argmax_input(Call& call, py::handle array, const Problem& problem) {
  if (array.is_none()) return {};
  call.require(problem.is_pooled_backward(), "this convolution cannot use the gradients of maxima");
  const Tensor found = call.input(array, "argmax");
  const Shape4 shape = problem.pooled_shape();
  call.require(found.kind == 'u' && found.item_bytes == 1 &&
                   std::equal(found.shape.begin(), found.shape.end(), shape.begin(), shape.end()),
               "argmax must be uint8 with an element for each maximum");
  return found;
}

constexpr std::int64_t enough_images = 32;

// A convolution, or its gradient with respect to the images: checked arguments.
struct Convolution {
  Problem problem;
  bool backward, is_pooled;
  Tensor x, w, bias, argmax, y;
  double alpha;
  const NamedActivation& activation;
  bool is_paired = false; // x and w are words of two numbers in bfloat16

  // One slice for each image, so that a thread keeps its images from task to task; with few images,
  // rows.
  bool by_image() const {
    constexpr std::int64_t enough_images = 32;
    return is_pooled || problem.images >= enough_images;
  }
  std::int64_t rows() const {
    return backward ? problem.shape.rows.size : problem.shape.rows.windows;
  }
  Work work() const {
    Work work = problem.work(backward ? x : y);
    const double ending = (bias.data == nullptr ? 0 : 1) + activation.flops; // of an element
    if (is_paired) work = work * 2;
    work.flops += ending * static_cast<double>(y.size);
    return work;
  }
};

bool is_depthwise(const Convolution& convolution) { return convolution.problem.is_depthwise(); }

// Whether the contributions of a pixel of dy to a row of dx fill vectors better than the channels
// of dx do.
bool has_few_channels(const Convolution& convolution) {
  const Problem& problem = convolution.problem;
  const ConvShape& shape = problem.shape;
  const auto use = [&](std::int64_t elements) {
    return static_cast<double>(elements) / static_cast<double>(problem.whole_vectors(elements));
  };
  // A remainder of few channels needs no vector of its own either.
  const std::int64_t few = 4, remainder = shape.channels % problem.lanes();
  const bool is_shared = problem.scalar == Scalar::float32 && few < problem.lanes() &&
                         shape.channels > problem.lanes() && remainder <= few;
  constexpr double cost_of_adding_up = 0.8;
  return convolution.backward && !is_shared && shape.groups == 1 &&
         problem.run() <= 8 * problem.lanes() &&
         cost_of_adding_up * use(problem.run()) > use(shape.channels);
}

// Packed weights: elements, and the slices of the packing; with a workspace behind them for each
// unit of a slice.
struct Packed {
  std::int64_t elements, extent;
  std::int64_t workspace = 0, unit_tiles = 0;
};
Packed packed_by_rows(const Convolution& convolution) {
  const Problem& problem = convolution.problem;
  const ConvShape& shape = problem.shape;
  return {std::int64_t{shape.rows.taps} * shape.filters * problem.whole_vectors(problem.run()),
          shape.rows.taps};
}
Packed packed_by_taps(const Convolution& convolution) {
  const Problem& problem = convolution.problem;
  const ConvShape& shape = problem.shape;
  const std::int64_t extent = shape.groups * problem.taps();
  const auto [inputs, outputs] = convolution.backward ? std::pair(shape.filters, shape.channels)
                                                      : std::pair(shape.channels, shape.filters);
  return {extent * inputs * problem.whole_vectors(outputs), extent};
}

Packed packed_by_places(const Convolution& convolution) {
  const std::int64_t rows = convolution.by_image() ? convolution.rows() : winograd_outputs;
  const WinogradRoom room =
      winograd_room(convolution.problem.shape, convolution.backward, rows,
                    convolution.problem.images * ceil_div(convolution.rows(), rows));
  return {room.packed, room.pack_extent, room.workspace, room.unit_tiles};
}

// Paths through the kernels: the first one that applies is taken.
struct Path {
  bool (*applies)(const Convolution&);
  KernelId kernel;
  KernelId pack = KernelId::count;
  Packed (*packed)(const Convolution&) = nullptr; // null: weights in place
  std::int64_t unit_rows = 1;                     // of slices with less than an image
};
constexpr std::array paths{
    Path{[](const Convolution& convolution) { return convolution.is_paired; }, KernelId::conv_pairs,
         KernelId::conv_pack, packed_by_taps},
    Path{[](const Convolution& convolution) { return convolution.is_pooled; },
         KernelId::conv_pooled_backward, KernelId::conv_pooled_backward_pack, packed_by_rows},
    Path{is_depthwise, KernelId::depthwise},
    Path{[](const Convolution& convolution) {
           const Problem& problem = convolution.problem;
           return is_winograd(problem.shape, problem.images, problem.scalar, convolution.backward);
         },
         KernelId::conv_winograd, KernelId::conv_winograd_pack, packed_by_places, winograd_outputs},
    Path{has_few_channels, KernelId::conv_few_channels, KernelId::conv_few_channels_pack,
         packed_by_rows},
    Path{[](const Convolution&) { return true; }, KernelId::conv, KernelId::conv_pack,
         packed_by_taps},
};

// In bfloat16, by instructions for it where there are some: their words are two neighbouring
// channels of what is read.
bool goes_in_pairs(const Convolution& convolution) {
  const Problem& problem = convolution.problem;
  const ConvShape& shape = problem.shape;
  const std::int64_t inputs = convolution.backward ? shape.filters : shape.channels;
  constexpr double cost = 0.5;
  return precision() == Precision::bfloat16 && shape.groups == 1 && inputs % 2 == 0 &&
         convolution.x.size > 0 && !convolution.is_pooled && !has_few_channels(convolution) &&
         kernel(KernelId::conv_pairs, problem.scalar) != nullptr &&
         !is_winograd(shape, problem.images, problem.scalar, convolution.backward, cost);
}

void set_operands(Call& call, Convolution& convolution) {
  Tensor &x = convolution.x, &w = convolution.w;
  ConvShape& shape = convolution.problem.shape;
  convolution.is_paired = goes_in_pairs(convolution);
  if (!convolution.is_paired) {
    x = call.operand(x);
    w = call.operand(w);
    return;
  }
  x = call.pairs_of_elements(x, convolution.by_image());
  if (convolution.backward) {
    w = call.pairs_of_elements(w, false);
    shape.filters /= 2;
  } else {
    w = call.pairs_of_rows(w, w.size / shape.filters);
    shape.channels /= 2;
  }
}

ConvArgs args_of(const Convolution& convolution) {
  ConvArgs args{};
  args.x = convolution.x.data;
  args.packed = convolution.w.data;
  args.bias = convolution.bias.data;
  args.y = convolution.y.data;
  args.argmax = const_cast<void*>(convolution.argmax.data);
  args.shape = convolution.problem.shape;
  args.images = convolution.problem.images;
  args.alpha = convolution.alpha;
  args.activation = convolution.activation.function;
  args.backward = convolution.backward;
  return args;
}

void run(Call& call, const char* name, const Convolution& convolution) {
  const Problem& problem = convolution.problem;
  const Path& path =
      *std::ranges::find_if(paths, [&](const Path& each) { return each.applies(convolution); });
  const std::int64_t unit = convolution.by_image() ? convolution.rows() : path.unit_rows;
  const std::int64_t extent = problem.images * ceil_div(convolution.rows(), unit);
  ConvArgs args = args_of(convolution);
  args.unit = static_cast<std::int32_t>(unit);
  std::vector<Operand> operands{convolution.x.read(convolution.by_image()), convolution.w.read()};
  std::vector<Task> tasks;
  Block scratch;
  std::int64_t scratch_bytes = 0;
  if (path.packed != nullptr) {
    const auto [elements, pack_extent, workspace, unit_tiles] = path.packed(convolution);
    const std::int64_t weight_bytes = elements * problem.item_bytes;
    scratch_bytes = weight_bytes + extent * workspace * problem.item_bytes;
    scratch = allocate(scratch_bytes);
    args.packed = scratch.get();
    args.unit_tiles = unit_tiles;
    const ConvPackArgs pack{convolution.w.data, scratch.get(), problem.shape, convolution.backward};
    tasks.push_back(
        make_task("pack", path.pack, problem.scalar, pack, pack_extent, 1, {},
                  {convolution.w.read(),
                   {scratch.get(), scratch_bytes, Access::write, false, weight_bytes}}));
    if (path.kernel == KernelId::conv_winograd) {
      args.w = convolution.w.data;
      operands.push_back(convolution.w.read());
    }
    operands[1] = {scratch.get(), scratch_bytes, workspace > 0 ? Access::update : Access::read,
                   false, weight_bytes};
  }
  if (convolution.bias.data != nullptr) operands.push_back(convolution.bias.read());
  if (convolution.is_pooled) operands.push_back(convolution.argmax.read(true));
  operands.push_back(convolution.y.write(convolution.rows() % unit == 0));
  tasks.push_back(make_task(name, path.kernel, problem.scalar, args, extent, 1, convolution.work(),
                            std::move(operands)));
  call.run(tasks, std::move(scratch), scratch_bytes);
}

// y = activation(conv(x) + b), or backward: x has a pixel for each window and y is the image. Or x
// has one for each 2 x 2 windows, and argmax is the position of each maximum.
py::object convolve(const char* name, bool backward, py::handle x_array, py::handle w_array,
                    py::handle b_array, py::handle out, const Windows& windows,
                    const ChosenActivation& activation, py::handle argmax_array = py::none()) {
  Call call(name);
  const Tensor x = image_input(call, x_array, "images"), w = image_input(call, w_array, "w");
  const Problem problem(call, windows, x.rows(), w.shape[2], w.shape[3], x);
  const Tensor argmax = argmax_input(call, argmax_array, problem);
  const bool is_pooled = !argmax_array.is_none();
  const Shape4 image = problem.image_shape();
  const Shape4 window = is_pooled ? problem.pooled_shape() : problem.window_shape();
  const Shape4& result = backward ? image : window;
  require_fit(call, x, backward ? window : image, x, "the images do not fit the windows");
  require_fit(call, w, problem.weight_shape(), x, "w does not fit the images");
  Tensor bias;
  if (!b_array.is_none()) {
    bias = call.real_input(b_array, "b");
    call.require(bias.shape.size() == 1 && bias.size == result[3] && bias.same_type(x),
                 "b must hold one number for each channel of the result");
  }
  const py::object y_array = call.result(out, result, problem.scalar);
  const Tensor y = call.real_output(y_array, "out");
  require_fit(call, y, result, x, "the shape or dtype of out does not fit");
  for (const Tensor& input : {x, w, bias, argmax})
    call.require(!input.read().overlaps(y.write()), "out must not share memory with an input");
  Convolution convolution{problem, backward,         is_pooled,     x, w, bias, argmax,
                          y,       activation.alpha, activation.row};
  set_operands(call, convolution);
  if (convolution.by_image() && !is_pooled) convolution.problem.join_rows();
  run(call, name, convolution);
  return y_array;
}

py::object conv2d(py::handle x, py::handle w, py::handle b, py::handle out, const Axis& rows,
                  const Axis& columns, std::int64_t groups, py::handle activation,
                  py::handle alpha) {
  return convolve("conv2d", false, x, w, b, out, {rows, columns, groups},
                  choose_activation(activation, alpha));
}

py::object conv2d_backward_data(py::handle dy, py::handle w, py::handle out, const Axis& rows,
                                const Axis& columns, std::int64_t groups, py::handle argmax) {
  return convolve("conv2d_backward_data", true, dy, w, py::none(), out, {rows, columns, groups},
                  choose_activation(py::none(), py::none()), argmax);
}

// Whether the gradients are computed from those behind a 2 x 2 max pooling.
bool is_pooled_backward(const Axis& rows, const Axis& columns, std::int64_t channels,
                        std::int64_t filters, std::int64_t item_bytes) {
  Tensor like;
  like.item_bytes = item_bytes;
  return Problem(Call("conv2d_backward"), {rows, columns, 1}, 0, channels, filters, like)
      .is_pooled_backward();
}

py::object conv2d_transpose(py::handle x, py::handle w, py::handle b, py::handle out,
                            const Axis& rows, const Axis& columns, std::int64_t groups,
                            py::handle activation, py::handle alpha) {
  return convolve("conv2d_transpose", true, x, w, b, out, {rows, columns, groups},
                  choose_activation(activation, alpha));
}

// Number of partial sums over the images: a function of the problem alone, not of the threads or
// the instruction set. Few where they would be large or quickly computed.
std::int64_t parts_of(const Problem& problem, std::int64_t weight_bytes) {
  constexpr std::int64_t at_most = 16, memory = 2 << 20, pixels_a_part = 1024;
  const std::int64_t pixels = problem.images * problem.windows();
  return std::clamp(std::min(memory / weight_bytes, pixels / pixels_a_part), std::int64_t{1},
                    std::clamp(problem.images, std::int64_t{1}, at_most));
}

// The gradients with respect to weights and biases: checked arguments.
struct WeightGradients {
  Problem problem;
  Tensor dy, x, argmax, dw, db;
  bool is_pooled;
  bool is_paired = false; // x and dy are words of an element of two images

  std::int64_t parts() const { return parts_of(problem, dw.bytes()); }
  std::int64_t stride() const { return dw.size + db.size; } // elements of a part
  std::int64_t rows() const {                               // of dw
    return problem.taps() * problem.shape.channels * problem.shape.groups;
  }
  // Parts are added up; those computed filter by filter are transposed.
  bool has_parts() const { return parts() > 1 || is_pooled; }
  bool is_transposed() const { return is_pooled && problem.shape.channels >= few_channels; }
};

// Paths through the kernels: the first one that applies is taken.
struct WeightsPath {
  bool (*applies)(const WeightGradients&);
  KernelId kernel;
  std::int64_t (*extent_of_part)(const WeightGradients&);
};
constexpr std::array weights_paths{
    WeightsPath{[](const WeightGradients& g) { return g.is_paired; }, KernelId::conv_weights_pairs,
                [](const WeightGradients& g) { return g.rows(); }},
    WeightsPath{[](const WeightGradients& g) { return g.is_pooled; },
                KernelId::conv_pooled_backward_weights,
                [](const WeightGradients& g) { return std::int64_t{g.db.size}; }},
    WeightsPath{[](const WeightGradients& g) { return g.problem.is_depthwise(); },
                KernelId::depthwise_weights,
                [](const WeightGradients&) { return std::int64_t{1}; }},
    WeightsPath{[](const WeightGradients&) { return true; }, KernelId::conv_weights,
                [](const WeightGradients& g) { return g.rows(); }},
};

// The task that adds the parts.
Task sum_of(const WeightGradients& gradients, void* parts_memory, std::int64_t bytes) {
  const auto& [problem, dy, x, argmax, dw, db, is_pooled, is_paired] = gradients;
  const std::int64_t parts = gradients.parts(), stride = gradients.stride();
  const Work work{0, static_cast<double>(parts * stride)};
  std::vector<Operand> operands{{parts_memory, bytes, Access::read}, dw.write(), db.write()};
  if (gradients.is_transposed()) {
    constexpr std::int64_t block = 16; // rows of a square
    const TransposePartsArgs args{parts_memory, dw.data, db.data, parts, gradients.rows(), db.size};
    return make_task("add_parts", KernelId::transpose_parts, problem.scalar, args, gradients.rows(),
                     block, work, std::move(operands));
  }
  constexpr std::int64_t strip = 64; // whole cache lines for each member
  const AddPartsArgs args{parts_memory, dw.data, db.data, parts, dw.size, stride};
  return make_task("add_parts", KernelId::add_parts, problem.scalar, args, stride, strip, work,
                   std::move(operands));
}

// By Winograd's method: sums, gradients from them, and the direct way if these are not finite.
void run_winograd(Call& call, const WeightGradients& gradients) {
  const auto& [problem, dy, x, argmax, dw, db, is_pooled, is_paired] = gradients;
  WinogradWeightsArgs args = winograd_weights_args(problem.shape, problem.images);
  const std::int64_t bytes = winograd_weights_elements(args) * dw.item_bytes;
  const std::int64_t sum_bytes = args.checks() * dw.item_bytes;
  Block scratch = allocate(bytes);
  args.scratch = scratch.get();
  args.x = x.data;
  args.dy = dy.data;
  args.dw = dw.data;
  args.db = db.data;
  const auto task = [&](const char* name, KernelId id, std::int64_t extent, Work work,
                        std::vector<Operand> operands, Access access, std::int64_t touched) {
    operands.push_back({scratch.get(), bytes, access, false, touched});
    return make_task(name, id, problem.scalar, args, extent, 1, work, std::move(operands));
  };
  Work work = problem.work(dy);
  work.flops += static_cast<double>(dy.size); // sums for the biases
  std::array tasks{task("conv2d_backward_weights", KernelId::conv_winograd_weights,
                        args.parts * args.blocks(), work, {x.read(), dy.read()}, Access::write,
                        sum_bytes),
                   task("add_parts", KernelId::conv_winograd_weights_end, problem.shape.channels,
                        {0, static_cast<double>(args.checks())}, {dw.write(), db.write()},
                        Access::update, sum_bytes),
                   task("repair", KernelId::conv_winograd_weights_repair, gradients.rows(), {},
                        {x.read(), dy.read(), dw.update(), db.update()}, Access::read, 0)};
  for (Operand& operand : tasks[2].operands) operand.touched = 0; // but in the rare case
  call.run(tasks, std::move(scratch), bytes);
}

bool goes_in_pairs(const WeightGradients& gradients) {
  const Problem& problem = gradients.problem;
  constexpr double cost = 0.5;
  return precision() == Precision::bfloat16 && !gradients.is_pooled && problem.images > 1 &&
         !problem.is_depthwise() &&
         kernel(KernelId::conv_weights_pairs, problem.scalar) != nullptr &&
         !is_winograd_weights(problem.shape, problem.images, problem.scalar, cost);
}

void set_operands(Call& call, WeightGradients& gradients) {
  auto& [problem, dy, x, argmax, dw, db, is_pooled, is_paired] = gradients;
  is_paired = goes_in_pairs(gradients);
  if (!is_paired) {
    dy = call.operand(dy);
    x = call.operand(x);
    return;
  }
  dy = call.pairs_of_rows(dy, problem.images);
  x = call.pairs_of_rows(x, problem.images);
  problem.images = ceil_div(problem.images, std::int64_t{2});
}

void run(Call& call, const WeightGradients& gradients) {
  const auto& [problem, dy, x, argmax, dw, db, is_pooled, is_paired] = gradients;
  if (!is_pooled && !is_paired &&
      is_winograd_weights(problem.shape, problem.images, problem.scalar))
    return run_winograd(call, gradients);
  ConvWeightsArgs args{};
  args.x = x.data;
  args.dy = dy.data;
  args.argmax = argmax.data;
  args.dw = dw.data;
  args.db = db.data;
  args.shape = problem.shape;
  args.images = problem.images;
  args.parts = static_cast<std::int32_t>(gradients.parts());
  args.stride = gradients.stride();
  std::vector<Operand> operands{x.read(), dy.read()};
  if (is_pooled) operands.push_back(argmax.read());
  Block scratch;
  std::int64_t scratch_bytes = 0;
  if (gradients.has_parts()) {
    scratch_bytes = args.parts * args.stride * dw.item_bytes;
    scratch = allocate(scratch_bytes);
    args.dw = scratch.get();
    args.db = nullptr;
    operands.push_back({scratch.get(), scratch_bytes, Access::write});
  } else {
    operands.insert(operands.end(), {dw.write(), db.write()});
  }
  const WeightsPath& path = *std::ranges::find_if(
      weights_paths, [&](const WeightsPath& each) { return each.applies(gradients); });
  Work work = problem.work(dy);
  work.flops += static_cast<double>(dy.size); // sums for the biases
  if (is_paired) work = work * 2;
  std::vector<Task> tasks;
  tasks.push_back(make_task("conv2d_backward_weights", path.kernel, problem.scalar, args,
                            args.parts * path.extent_of_part(gradients), 1, work,
                            std::move(operands)));
  if (gradients.has_parts()) tasks.push_back(sum_of(gradients, scratch.get(), scratch_bytes));
  call.run(tasks, std::move(scratch), scratch_bytes);
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
  const bool is_pooled = !argmax_array.is_none();
  require_fit(call, dy, is_pooled ? problem.pooled_shape() : problem.window_shape(), x,
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
  if (!is_pooled) problem.join_rows();
  WeightGradients gradients{problem, dy, x, argmax, dw, db, is_pooled};
  set_operands(call, gradients);
  run(call, gradients);
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
  module.def("takes_maxima", &is_pooled_backward, py::arg("rows"), py::arg("columns"),
             py::arg("channels"), py::arg("filters"), py::arg("item_bytes"));
  module.def("conv2d_transpose", &conv2d_transpose, py::arg("x"), py::arg("w"), py::arg("b"),
             py::arg("out"), py::arg("rows"), py::arg("columns"), py::arg("groups"),
             py::arg("activation"), py::arg("alpha"));
  module.def("conv2d_backward_weights", &conv2d_backward_weights, py::arg("dy"), py::arg("x"),
             py::arg("dw"), py::arg("db"), py::arg("rows"), py::arg("columns"), py::arg("groups"),
             py::arg("argmax") = py::none());
}

} // namespace gyaku::bindings
