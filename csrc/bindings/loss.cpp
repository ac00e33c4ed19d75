// Losses: one task for the rows, one for their sum.
#include "kernels/args/loss.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

constexpr double loss_weight = 30; // per element, for any loss

// Padded sequences of a batch: the number of real steps of each sample, 1 to `steps`.
struct Lengths {
  const std::int64_t* values = nullptr; // null if all steps are real
  std::int64_t samples = 0, steps = 0;
  Operand operand{};

  bool are_given() const { return values != nullptr; }
  // Whether a row is real, of `rows` in all.
  bool hold(std::int64_t row, std::int64_t rows) const {
    if (!are_given()) return true;
    const std::int64_t sample = rows / samples;
    return row % sample < values[row / sample] * (sample / steps);
  }
};

Lengths lengths_for(Call& call, const Tensor& y, py::handle array) {
  Lengths lengths;
  if (array.is_none()) return lengths;
  call.require(y.shape.size() >= 3, "lengths are for outputs with a time axis");
  const auto values = call.int64_buffer(array, "lengths", y.shape[0], false);
  const std::int64_t steps = y.shape[1];
  call.require(std::ranges::all_of(
                   values, [=](std::int64_t length) { return length >= 1 && length <= steps; }),
               "a length is out of range");
  lengths.values = values.data();
  lengths.samples = y.shape[0];
  lengths.steps = steps;
  lengths.operand = {lengths.values, lengths.samples * 8, Access::read};
  return lengths;
}

// Weights of the samples of a batch, or of positions: an array of the shape of the outputs' first
// axes.
struct Weights {
  const double* values = nullptr; // null if all weights are one
  std::int64_t size = 0;
  std::int64_t per_step = 0; // 0 if a sample has one weight
  std::size_t axes = 0;
  Operand operand{};

  bool are_given() const { return values != nullptr; }
  // The axes of the outputs whose positions count as samples in a weighted mean.
  std::size_t counted(const Lengths& lengths) const {
    return std::max<std::size_t>(axes, lengths.are_given() ? 2 : 1);
  }
};

std::int64_t product(Shape shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

Weights weights_of(Call& call, const Tensor& tensor) {
  call.require(tensor.is_float() && tensor.item_bytes == 8 && tensor.size > 0,
               "weights must be float64 and not empty");
  call.require(!tensor.shape.empty(), "weights must have a sample axis");
  Weights weights{static_cast<const double*>(tensor.data), tensor.size};
  weights.axes = tensor.shape.size();
  if (weights.axes > 1) weights.per_step = product(tensor.shape.subspan(2));
  weights.operand = tensor.read();
  return weights;
}

Weights weights_for(Call& call, const Tensor& y, py::handle array) {
  if (array.is_none()) return {};
  const Tensor tensor = call.input(array, "sample_weight");
  const std::size_t axes = tensor.shape.size();
  call.require(axes < std::max<std::size_t>(y.shape.size(), 2) &&
                   std::ranges::equal(tensor.shape, y.shape.first(axes)),
               "sample_weight must have the shape of the outputs' first axes");
  return weights_of(call, tensor);
}

// Either int64 labels, one a row, or a matrix like `y`.
struct Target {
  const void* values = nullptr;
  const std::int64_t* labels = nullptr;
  Operand operand{};
};

// `y` is rows of `columns`, on its last axis.
Target target_for(Call& call, const Tensor& y, py::handle array, std::int64_t classes,
                  const Lengths& lengths) {
  const Tensor tensor = call.input(array, "target");
  Target target;
  target.operand = tensor.read(true);
  if (!tensor.is_int64()) {
    call.require(tensor.like(y), "target must be int64 labels or numbers like the outputs");
    target.values = tensor.data;
    return target;
  }
  const Shape positions = y.shape.first(y.shape.size() - 1);
  Shape labelled = tensor.shape;
  if (labelled.size() == y.shape.size() && labelled.back() == 1)
    labelled = labelled.first(positions.size());
  call.require(std::ranges::equal(labelled, positions), "there must be one label for each row");
  target.labels = static_cast<const std::int64_t*>(tensor.data);
  for (std::int64_t row = 0; row < tensor.size; ++row)
    call.require((target.labels[row] >= 0 && target.labels[row] < classes) ||
                     !lengths.hold(row, tensor.size),
                 "a label is out of range");
  return target;
}

// 1 / number of samples, or 1.
double per_sample(const Call& call, std::int64_t samples, const std::string& reduction) {
  call.require(samples > 0, "an empty batch has no loss");
  call.require(reduction == "mean" || reduction == "sum", "reduction must be mean or sum");
  return reduction == "mean" ? 1.0 / static_cast<double>(samples) : 1.0;
}

Task count_task(const Lengths& lengths, const Tensor& count) {
  const CountStepsArgs args{lengths.values, static_cast<double*>(count.data), lengths.samples,
                            lengths.steps};
  return make_task("count_steps", KernelId::count_steps, Scalar::float64, args, 1, 1,
                   {0, static_cast<double>(lengths.samples)}, {lengths.operand, count.write()});
}

Task sum_task(const Weights& weights, const Lengths& lengths, std::int64_t samples,
              std::int64_t steps, const Tensor& sum) {
  const SumWeightsArgs args{weights.values, static_cast<double*>(sum.data),
                            lengths.values, samples,
                            steps,          weights.per_step};
  std::vector<Operand> operands{weights.operand, sum.write()};
  if (lengths.are_given()) operands.push_back(lengths.operand);
  return make_task("sum_weights", KernelId::sum_weights, Scalar::float64, args, 1, 1,
                   {0, static_cast<double>(weights.size)}, std::move(operands));
}

// Sets the rows or columns of a sample and of a step.
template <class Args> void set_lengths(Args& args, const Lengths& lengths, std::int64_t sample) {
  args.lengths = lengths.values;
  args.sample = sample;
  args.step = sample / lengths.steps;
}

// Loss and gradient of rows, times their weights.
Task weigh_task(const LossArgs& loss, const Weights& weights, const Lengths& lengths,
                std::int64_t samples, const Tensor& dy) {
  WeighLossesArgs args{};
  args.weights = weights.values;
  args.row_loss = loss.row_loss;
  args.dy = loss.dy;
  args.rows = loss.rows;
  args.columns = loss.columns;
  args.rows_per_weight = loss.rows / weights.size;
  const auto bytes = loss.rows * static_cast<std::int64_t>(sizeof(double));
  std::vector<Operand> operands{
      weights.operand, {loss.row_loss, bytes, Access::update, true}, dy.update(true)};
  if (lengths.are_given()) {
    set_lengths(args, lengths, loss.rows / samples);
    operands.push_back(lengths.operand);
  }
  return make_task("weigh_losses", KernelId::weigh_losses, dy.scalar(), args, args.rows, 1,
                   Work{1, 1} * static_cast<double>(dy.size), std::move(operands));
}

// Loss and gradient; with lengths or weights, the mean is that over the real steps, or weighted.
// Rows have weights, or else real parts.
py::tuple run_loss(Call& call, const char* name, KernelId id, const Tensor& y, const Target& target,
                   const Lengths& lengths, const Weights& weights, bool is_mean, LossArgs args,
                   double loss_factor, double flops) {
  const py::object loss_array = call.number(), dy_array = call.result(y.shape, y.scalar());
  const Tensor loss = call.output(loss_array, "loss"), dy = call.output(dy_array, "gradient");
  args.y = y.data;
  args.target = target.values;
  args.labels = target.labels;
  args.dy = dy.data;
  const std::int64_t bytes = args.rows * static_cast<std::int64_t>(sizeof(double));
  Block scratch = allocate(bytes);
  args.row_loss = reinterpret_cast<double*>(scratch.get());
  SumLossesArgs sum{args.row_loss, static_cast<double*>(loss.data), nullptr, args.rows,
                    loss_factor};
  std::vector<Operand> operands{
      y.read(true), target.operand, dy.write(true), {args.row_loss, bytes, Access::write, true}};
  std::vector<Operand> summed{{args.row_loss, bytes, Access::read}, loss.write()};
  std::vector<Task> tasks;
  tasks.reserve(4);
  if (args.lengths != nullptr) operands.push_back(lengths.operand);
  py::object count_array;
  if ((lengths.are_given() || weights.are_given()) && is_mean) {
    count_array = call.number();
    const Tensor count = call.output(count_array, "count");
    tasks.push_back(weights.are_given() ? sum_task(weights, lengths, y.shape[0],
                                                   y.shape.size() > 1 ? y.shape[1] : 1, count)
                                        : count_task(lengths, count));
    sum.count = args.count = static_cast<const double*>(count.data);
    operands.push_back(count.read());
    summed.push_back(count.read());
  }
  tasks.push_back(make_task(name, id, y.scalar(), args, args.rows, 1,
                            Work{flops, loss_weight} * static_cast<double>(y.size),
                            std::move(operands)));
  if (weights.are_given()) tasks.push_back(weigh_task(args, weights, lengths, y.shape[0], dy));
  tasks.push_back(make_task("sum_losses", KernelId::sum_losses, Scalar::float64, sum, 1, 1,
                            {0, static_cast<double>(args.rows)}, std::move(summed)));
  call.run(tasks, std::move(scratch), bytes);
  return py::make_tuple(loss_array, dy_array);
}

// The loss of rows of scores, on the last axis.
py::tuple class_loss(const char* name, KernelId id, py::handle y_array, py::handle target,
                     py::handle lengths_array, py::handle weights_array, double parameter,
                     const std::string& reduction, double flops) {
  Call call(name);
  const Tensor y = call.real_input(y_array, "y");
  call.require(y.shape.size() >= 2 && y.shape.back() > 0,
               "the outputs must be rows of scores that have a column");
  const Lengths lengths = lengths_for(call, y, lengths_array);
  LossArgs args{};
  args.columns = y.shape.back();
  args.rows = product(y.shape.first(y.shape.size() - 1));
  args.parameter = parameter;
  args.gradient_factor = per_sample(call, args.rows, reduction);
  const Weights weights = weights_for(call, y, weights_array);
  const bool is_mean = reduction == "mean";
  if (weights.are_given()) {
    const std::int64_t counted = product(y.shape.first(weights.counted(lengths)));
    if (is_mean)
      args.gradient_factor = static_cast<double>(counted) / static_cast<double>(args.rows);
  } else if (lengths.are_given()) {
    set_lengths(args, lengths, args.rows / lengths.samples);
    if (is_mean) args.gradient_factor = 1.0 / static_cast<double>(args.step);
  }
  return run_loss(call, name, id, y, target_for(call, y, target, args.columns, lengths), lengths,
                  weights, is_mean, args, args.gradient_factor, flops);
}

py::tuple softmax_cross_entropy(py::handle logits, py::handle target, py::handle lengths,
                                py::handle weights, double label_smoothing,
                                const std::string& reduction) {
  require(label_smoothing >= 0 && label_smoothing <= 1, "softmax_cross_entropy",
          "label_smoothing must be 0 to 1");
  return class_loss("softmax_cross_entropy", KernelId::softmax_cross_entropy, logits, target,
                    lengths, weights, label_smoothing, reduction, 10);
}

py::tuple cross_entropy(py::handle p, py::handle target, py::handle lengths, py::handle weights,
                        double delta, const std::string& reduction) {
  require(delta > 0, "cross_entropy", "delta must be above 0");
  return class_loss("cross_entropy", KernelId::cross_entropy, p, target, lengths, weights, delta,
                    reduction, 6);
}

// A loss by element of outputs and targets of one shape; `slope` is the factor of its derivative.
// The sum over the features is divided by it, the mean is not.
py::tuple element_loss(const char* name, KernelId id, py::handle y_array, py::handle t_array,
                       py::handle lengths_array, py::handle weights_array, double slope,
                       bool mean_over_features, const std::string& reduction, double flops,
                       double parameter = 0) {
  Call call(name);
  const Tensor y = call.real_input(y_array, "y"), t = call.real_input(t_array, "t");
  call.require(t.like(y) && !y.shape.empty(), "y and t must have the same shape, of some samples");
  const Lengths lengths = lengths_for(call, y, lengths_array);
  LossArgs args{};
  args.rows = y.rows();
  args.columns = y.columns();
  args.parameter = parameter;
  // The elements of a sample, or of a step, and the factor of its loss.
  std::int64_t features = args.columns;
  double scale = per_sample(call, y.rows(), reduction);
  const Weights weights = weights_for(call, y, weights_array);
  if (weights.are_given()) {
    args.rows = product(y.shape.first(weights.counted(lengths)));
    args.columns = features = y.size / args.rows;
    scale = 1;
  } else if (lengths.are_given()) {
    set_lengths(args, lengths, args.columns);
    features = args.step;
    scale = 1;
  }
  const double factor =
      scale /
      (mean_over_features ? static_cast<double>(std::max<std::int64_t>(features, 1)) : slope);
  args.gradient_factor = slope * factor;
  return run_loss(call, name, id, y, {t.data, nullptr, t.read(true)}, lengths, weights,
                  reduction == "mean", args, factor, flops);
}

py::tuple squared_error(py::handle y, py::handle t, py::handle lengths, py::handle weights,
                        bool mean_over_features, const std::string& reduction) {
  return element_loss("squared_error", KernelId::squared_error, y, t, lengths, weights, 2,
                      mean_over_features, reduction, 4);
}

py::tuple absolute_error(py::handle y, py::handle t, py::handle lengths, py::handle weights,
                         const std::string& reduction) {
  return element_loss("absolute_error", KernelId::absolute_error, y, t, lengths, weights, 1, true,
                      reduction, 3);
}

py::tuple huber(py::handle y, py::handle t, py::handle lengths, py::handle weights, double delta,
                const std::string& reduction) {
  require(delta > 0, "huber", "delta must be above 0");
  return element_loss("huber", KernelId::huber, y, t, lengths, weights, 1, true, reduction, 7,
                      delta);
}

py::tuple binary_cross_entropy(py::handle p, py::handle t, py::handle lengths, py::handle weights,
                               double delta, const std::string& reduction) {
  require(delta > 0, "binary_cross_entropy", "delta must be above 0");
  return element_loss("binary_cross_entropy", KernelId::binary_cross_entropy, p, t, lengths,
                      weights, 1, true, reduction, 14, delta);
}

py::tuple sigmoid_cross_entropy(py::handle logits, py::handle t, py::handle lengths,
                                py::handle weights, const std::string& reduction) {
  return element_loss("sigmoid_cross_entropy", KernelId::sigmoid_cross_entropy, logits, t, lengths,
                      weights, 1, true, reduction, 10);
}

py::object sum_weights(py::handle weights_array, py::handle lengths_array, std::int64_t steps) {
  Call call("sum_weights");
  const Tensor tensor = call.input(weights_array, "weights");
  const Weights weights = weights_of(call, tensor);
  Lengths lengths;
  if (!lengths_array.is_none()) {
    const auto values = call.int64_buffer(lengths_array, "lengths", tensor.shape[0], false);
    lengths.values = values.data();
    lengths.operand = {lengths.values, tensor.shape[0] * 8, Access::read};
  }
  const py::object sum = call.number();
  call.run(sum_task(weights, lengths, tensor.shape[0], weights.axes > 1 ? tensor.shape[1] : steps,
                    call.output(sum, "sum")));
  return sum;
}

py::object count_steps(py::handle lengths_array, std::int64_t steps) {
  Call call("count_steps");
  const auto values = call.int64_buffer(lengths_array, "lengths", -1, false);
  Lengths lengths;
  lengths.values = values.data();
  lengths.samples = static_cast<std::int64_t>(values.size());
  lengths.steps = steps;
  lengths.operand = {lengths.values, lengths.samples * 8, Access::read};
  const py::object count = call.number();
  call.run(count_task(lengths, call.output(count, "count")));
  return count;
}

py::object count_correct(py::handle scores_array, py::handle target_array, py::handle lengths_array,
                         py::handle weights_array, double threshold, std::int64_t top) {
  Call call("count_correct");
  const Tensor scores = call.real_input(scores_array, "scores");
  call.require(scores.shape.size() >= 2 && scores.shape.back() > 0,
               "the scores must be rows that have a column");
  const std::int64_t columns = scores.shape.back(), rows = scores.size / columns;
  const Lengths lengths = lengths_for(call, scores, lengths_array);
  // One column means two classes.
  const Target target =
      target_for(call, scores, target_array, std::max<std::int64_t>(columns, 2), lengths);
  const py::object count = call.number();
  const Tensor correct = call.output(count, "count");
  CountCorrectArgs args{};
  args.scores = scores.data;
  args.target = target.values;
  args.labels = target.labels;
  args.correct = static_cast<double*>(correct.data);
  args.rows = rows;
  args.columns = columns;
  args.threshold = threshold;
  args.top = top;
  call.require(top >= 0, "top must not be negative");
  Operand whole = target.operand;
  whole.by_slice = false;
  std::vector<Operand> operands{scores.read(), whole, correct.write()};
  if (lengths.are_given()) {
    set_lengths(args, lengths, rows / lengths.samples);
    operands.push_back(lengths.operand);
  }
  const Weights weights = weights_for(call, scores, weights_array);
  if (weights.are_given() && rows > 0) {
    args.weights = weights.values;
    args.rows_per_weight = rows / weights.size;
    operands.push_back(weights.operand);
  }
  call.run(make_task("count_correct", KernelId::count_correct, scores.scalar(), args, 1, 1,
                     Work{1, 1} * static_cast<double>(scores.size), std::move(operands)));
  return count;
}

void count_confusions(py::handle scores_array, py::handle target_array, py::handle totals_array,
                      py::handle slot_array, py::handle lengths_array, py::handle weights_array,
                      double threshold, bool by_label) {
  Call call("count_confusions");
  const Tensor scores = call.real_input(scores_array, "scores");
  call.require(scores.shape.size() >= 2 && scores.shape.back() > 0,
               "the scores must be rows that have a column");
  const Lengths lengths = lengths_for(call, scores, lengths_array);
  CountConfusionsArgs args{};
  args.columns = scores.shape.back();
  args.rows = scores.size / args.columns;
  args.classes = by_label ? 2 : std::max<std::int64_t>(args.columns, 2);
  const Target target = target_for(call, scores, target_array, args.classes, lengths);
  call.require(!by_label || target.labels == nullptr, "the target must be like the scores");
  const Tensor totals = call.real_output(totals_array, "totals");
  const std::int64_t cells = by_label ? args.columns * 4 : args.classes * args.classes;
  args.slots = totals.rows();
  call.require(totals.item_bytes == 8 && totals.shape.size() == (by_label ? 4 : 3) &&
                   totals.columns() == cells && totals.shape.back() == args.classes,
               "totals must be float64 matrices of the classes");
  const auto slot = call.int64_buffer(slot_array, "slot", 1, false);
  call.require(slot.front() >= 0 && slot.front() < args.slots, "the slot is not in totals");
  args.scores = scores.data;
  args.target = target.values;
  args.labels = target.labels;
  args.totals = static_cast<double*>(totals.data);
  args.slot = slot.data();
  args.threshold = threshold;
  args.by_label = by_label;
  Operand whole = target.operand;
  whole.by_slice = false;
  std::vector<Operand> operands{scores.read(), whole, totals.update(),
                                Operand{args.slot, sizeof(std::int64_t), Access::read}};
  if (lengths.are_given()) {
    set_lengths(args, lengths, args.rows / lengths.samples);
    operands.push_back(lengths.operand);
  }
  const Weights weights = weights_for(call, scores, weights_array);
  if (weights.are_given() && args.rows > 0) {
    args.weights = weights.values;
    args.rows_per_weight = args.rows / weights.size;
    operands.push_back(weights.operand);
  }
  call.run(make_task("count_confusions", KernelId::count_confusions, scores.scalar(), args, 1, 1,
                     Work{1, 1} * static_cast<double>(scores.size), std::move(operands)));
}

} // namespace

void register_loss(py::module_& module) {
  module.def("softmax_cross_entropy", &softmax_cross_entropy, py::arg("logits"), py::arg("target"),
             py::arg("lengths"), py::arg("sample_weight"), py::arg("label_smoothing"),
             py::arg("reduction"));
  module.def("cross_entropy", &cross_entropy, py::arg("p"), py::arg("target"), py::arg("lengths"),
             py::arg("sample_weight"), py::arg("delta"), py::arg("reduction"));
  module.def("squared_error", &squared_error, py::arg("y"), py::arg("t"), py::arg("lengths"),
             py::arg("sample_weight"), py::arg("mean_over_features"), py::arg("reduction"));
  module.def("absolute_error", &absolute_error, py::arg("y"), py::arg("t"), py::arg("lengths"),
             py::arg("sample_weight"), py::arg("reduction"));
  module.def("huber", &huber, py::arg("y"), py::arg("t"), py::arg("lengths"),
             py::arg("sample_weight"), py::arg("delta"), py::arg("reduction"));
  module.def("binary_cross_entropy", &binary_cross_entropy, py::arg("p"), py::arg("t"),
             py::arg("lengths"), py::arg("sample_weight"), py::arg("delta"), py::arg("reduction"));
  module.def("sigmoid_cross_entropy", &sigmoid_cross_entropy, py::arg("logits"), py::arg("t"),
             py::arg("lengths"), py::arg("sample_weight"), py::arg("reduction"));
  module.def("count_steps", &count_steps, py::arg("lengths"), py::arg("steps"));
  module.def("sum_weights", &sum_weights, py::arg("weights"), py::arg("lengths"), py::arg("steps"));
  module.def("count_correct", &count_correct, py::arg("scores"), py::arg("target"),
             py::arg("lengths"), py::arg("sample_weight"), py::arg("threshold"), py::arg("top"));
  module.def("count_confusions", &count_confusions, py::arg("scores"), py::arg("target"),
             py::arg("totals"), py::arg("slot"), py::arg("lengths"), py::arg("sample_weight"),
             py::arg("threshold"), py::arg("by_label"));
}

} // namespace gyaku::bindings
