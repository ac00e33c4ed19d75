// Losses: one task for the rows, one for their sum.
#include "kernels/args/loss.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

constexpr double loss_weight = 30; // per element, for any loss

// Either int64 labels, one a row, or a matrix like `y`.
struct Target {
  const void* values = nullptr;
  const std::int64_t* labels = nullptr;
  Operand operand{};
};

Target target_for(Call& call, const Tensor& y, py::handle array, std::int64_t classes) {
  const Tensor tensor = call.input(array, "target");
  Target target;
  target.operand = tensor.read(true);
  if (!tensor.is_int64()) {
    call.require(tensor.like(y), "target must be int64 labels or numbers like the outputs");
    target.values = tensor.data;
    return target;
  }
  call.require(tensor.size == y.rows() && tensor.rows() == tensor.size &&
                   (tensor.shape.size() == 1 || tensor.shape.size() == 2),
               "there must be one label for each row");
  target.labels = static_cast<const std::int64_t*>(tensor.data);
  call.require(std::all_of(target.labels, target.labels + tensor.size,
                           [&](std::int64_t label) { return label >= 0 && label < classes; }),
               "a label is out of range");
  return target;
}

// 1 / number of samples, or 1.
double per_sample(const Call& call, std::int64_t samples, const std::string& reduction) {
  call.require(samples > 0, "an empty batch has no loss");
  call.require(reduction == "mean" || reduction == "sum", "reduction must be mean or sum");
  return reduction == "mean" ? 1.0 / static_cast<double>(samples) : 1.0;
}

// Loss and gradient.
py::tuple run_loss(Call& call, const char* name, KernelId id, const Tensor& y, const Target& target,
                   LossArgs args, double loss_factor, double flops) {
  const py::object loss_array = call.number(), dy_array = call.result(y.shape, y.scalar());
  const Tensor loss = call.output(loss_array, "loss"), dy = call.output(dy_array, "gradient");
  args.y = y.data;
  args.target = target.values;
  args.labels = target.labels;
  args.dy = dy.data;
  args.rows = y.rows();
  args.columns = y.columns();
  const std::int64_t bytes = args.rows * static_cast<std::int64_t>(sizeof(double));
  Block scratch = allocate(bytes);
  args.row_loss = reinterpret_cast<double*>(scratch.get());
  const Operand losses{args.row_loss, bytes, Access::write, true};
  const SumLossesArgs sum{args.row_loss, static_cast<double*>(loss.data), args.rows, loss_factor};
  std::vector<Task> tasks;
  tasks.reserve(2);
  tasks.push_back(make_task(name, id, y.scalar(), args, args.rows, 1,
                            Work{flops, loss_weight} * static_cast<double>(y.size),
                            {y.read(true), target.operand, dy.write(true), losses}));
  tasks.push_back(make_task("sum_losses", KernelId::sum_losses, Scalar::float64, sum, 1, 1,
                            {0, static_cast<double>(args.rows)},
                            {Operand{args.row_loss, bytes, Access::read}, loss.write()}));
  call.run(std::move(tasks), std::move(scratch), bytes);
  return py::make_tuple(loss_array, dy_array);
}

py::tuple class_loss(const char* name, KernelId id, py::handle y_array, py::handle target,
                     double parameter, const std::string& reduction, double flops) {
  Call call(name);
  const Tensor y = call.real_input(y_array, "y");
  call.require(y.shape.size() == 2, "the outputs must be a matrix");
  LossArgs args{};
  args.parameter = parameter;
  args.gradient_factor = per_sample(call, y.rows(), reduction);
  return run_loss(call, name, id, y, target_for(call, y, target, y.columns()), args,
                  args.gradient_factor, flops);
}

py::tuple softmax_cross_entropy(py::handle logits, py::handle target, double label_smoothing,
                                const std::string& reduction) {
  require(label_smoothing >= 0 && label_smoothing <= 1, "softmax_cross_entropy",
          "label_smoothing must be 0 to 1");
  return class_loss("softmax_cross_entropy", KernelId::softmax_cross_entropy, logits, target,
                    label_smoothing, reduction, 10);
}

py::tuple cross_entropy(py::handle p, py::handle target, double delta,
                        const std::string& reduction) {
  require(delta > 0, "cross_entropy", "delta must be above 0");
  return class_loss("cross_entropy", KernelId::cross_entropy, p, target, delta, reduction, 6);
}

py::tuple squared_error(py::handle y_array, py::handle t_array, bool mean_over_features,
                        const std::string& reduction) {
  Call call("squared_error");
  const Tensor y = call.real_input(y_array, "y"), t = call.real_input(t_array, "t");
  call.require(t.like(y) && !y.shape.empty(), "y and t must have the same shape, of some samples");
  const double scale = per_sample(call, y.rows(), reduction);
  LossArgs args{};
  args.gradient_factor =
      mean_over_features ? 2 * scale / static_cast<double>(std::max<std::int64_t>(y.columns(), 1))
                         : scale;
  return run_loss(call, "squared_error", KernelId::squared_error, y,
                  {t.data, nullptr, t.read(true)}, args, args.gradient_factor / 2, 4);
}

py::object count_correct(py::handle scores_array, py::handle target_array) {
  Call call("count_correct");
  const Tensor scores = call.real_input(scores_array, "scores");
  call.require(scores.shape.size() == 2 && scores.shape[1] > 0,
               "the scores must be a matrix that has a column");
  // One column means two classes.
  const Target target =
      target_for(call, scores, target_array, std::max<std::int64_t>(scores.shape[1], 2));
  const py::object count = call.number();
  const Tensor correct = call.output(count, "count");
  const CountCorrectArgs args{scores.data,     target.values,
                              target.labels,   static_cast<double*>(correct.data),
                              scores.shape[0], scores.shape[1]};
  Operand whole = target.operand;
  whole.by_slice = false;
  call.run(make_task("count_correct", KernelId::count_correct, scores.scalar(), args, 1, 1,
                     Work{1, 1} * static_cast<double>(scores.size),
                     {scores.read(), whole, correct.write()}));
  return count;
}

} // namespace

void register_loss(py::module_& module) {
  module.def("softmax_cross_entropy", &softmax_cross_entropy, py::arg("logits"), py::arg("target"),
             py::arg("label_smoothing"), py::arg("reduction"));
  module.def("cross_entropy", &cross_entropy, py::arg("p"), py::arg("target"), py::arg("delta"),
             py::arg("reduction"));
  module.def("squared_error", &squared_error, py::arg("y"), py::arg("t"),
             py::arg("mean_over_features"), py::arg("reduction"));
  module.def("count_correct", &count_correct, py::arg("scores"), py::arg("target"));
}

} // namespace gyaku::bindings
