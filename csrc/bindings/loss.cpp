// Losses: one task for the rows, one that adds them up.
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

constexpr double flops_per_element = 30;

// Either int64 labels, one a row, or a matrix like `y`.
struct Target {
  const void* values = nullptr;
  const std::int64_t* labels = nullptr;
  Operand operand{};
};

Target target_for(Call& call, const Tensor& y, const py::array& array) {
  const Tensor tensor = call.input(array, "target");
  Target target;
  target.operand = tensor.read(true);
  if (tensor.kind == 'i') {
    target.labels = call.int64_buffer(array, "target", y.rows(), false);
  } else {
    call.require(tensor.size == y.size && tensor.same_type(y),
                 "target must be int64 labels or numbers like the outputs");
    target.values = tensor.data;
  }
  return target;
}

void run_loss(Call& call, const char* name, KernelId id, const Tensor& y, const Target& target,
              const py::array& loss_array, const py::array& dy_array, LossArgs args,
              double loss_factor) {
  const Tensor dy = call.real_output(dy_array, "gradient");
  call.require(dy.size == y.size && dy.same_type(y), "the gradient must be like the outputs");
  double* loss = call.float64_buffer(loss_array, "loss", 1, true);
  args.y = y.data;
  args.target = target.values;
  args.labels = target.labels;
  args.dy = dy.data;
  args.rows = y.rows();
  args.columns = y.columns();
  call.require(args.rows > 0, "an empty batch has no loss");
  const std::int64_t bytes = args.rows * static_cast<std::int64_t>(sizeof(double));
  Block scratch = allocate(bytes);
  args.row_loss = reinterpret_cast<double*>(scratch.get());
  const Operand losses{args.row_loss, bytes, Access::write, true};
  const SumLossesArgs sum{args.row_loss, loss, args.rows, loss_factor};
  std::vector<Task> tasks;
  tasks.push_back(make_task(name, id, y.scalar(), args, args.rows, 1,
                            flops_per_element * static_cast<double>(y.size),
                            {y.read(true), target.operand, dy.write(true), losses}));
  tasks.push_back(make_task(
      "sum_losses", KernelId::sum_losses, Scalar::float64, sum, 1, 1,
      static_cast<double>(args.rows),
      {Operand{args.row_loss, bytes, Access::read}, Operand{loss, sizeof(double), Access::write}}));
  call.run(std::move(tasks), std::move(scratch), bytes);
}

void class_loss(const char* name, KernelId id, const py::array& y_array, const py::array& target,
                const py::array& loss, const py::array& dy, double parameter, bool mean) {
  Call call(name);
  const Tensor y = call.real_input(y_array, "y");
  call.require(y.shape.size() == 2, "the outputs must be a matrix");
  LossArgs args{};
  args.parameter = parameter;
  const double share = mean && y.rows() > 0 ? 1.0 / static_cast<double>(y.rows()) : 1.0;
  args.gradient_factor = share;
  run_loss(call, name, id, y, target_for(call, y, target), loss, dy, args, share);
}

void squared_error(const py::array& y_array, const py::array& t_array, const py::array& loss,
                   const py::array& dy, double loss_factor, double gradient_factor) {
  Call call("squared_error");
  const Tensor y = call.real_input(y_array, "y");
  const Target target = target_for(call, y, t_array);
  call.require(target.labels == nullptr, "the target must be numbers like the outputs");
  LossArgs args{};
  args.gradient_factor = gradient_factor;
  run_loss(call, "squared_error", KernelId::squared_error, y, target, loss, dy, args, loss_factor);
}

void count_correct(const py::array& scores_array, const py::array& target_array,
                   const py::array& out) {
  Call call("count_correct");
  const Tensor scores = call.real_input(scores_array, "scores");
  call.require(scores.shape.size() == 2, "the scores must be a matrix");
  const Target target = target_for(call, scores, target_array);
  double* correct = call.float64_buffer(out, "out", 1, true);
  const CountCorrectArgs args{scores.data, target.values,   target.labels,
                              correct,     scores.shape[0], scores.shape[1]};
  Operand whole = target.operand;
  whole.by_slice = false;
  call.run(make_task("count_correct", KernelId::count_correct, scores.scalar(), args, 1, 1,
                     static_cast<double>(scores.size),
                     {scores.read(), whole, Operand{correct, sizeof(double), Access::write}}));
}

} // namespace

void register_loss(py::module_& module) {
  module.def(
      "softmax_cross_entropy",
      [](const py::array& logits, const py::array& target, const py::array& loss,
         const py::array& dlogits, double label_smoothing, bool mean) {
        class_loss("softmax_cross_entropy", KernelId::softmax_cross_entropy, logits, target, loss,
                   dlogits, label_smoothing, mean);
      },
      py::arg("logits"), py::arg("target"), py::arg("loss"), py::arg("dlogits"),
      py::arg("label_smoothing"), py::arg("mean"));
  module.def(
      "cross_entropy",
      [](const py::array& p, const py::array& target, const py::array& loss, const py::array& dp,
         double delta, bool mean) {
        class_loss("cross_entropy", KernelId::cross_entropy, p, target, loss, dp, delta, mean);
      },
      py::arg("p"), py::arg("target"), py::arg("loss"), py::arg("dp"), py::arg("delta"),
      py::arg("mean"));
  module.def("squared_error", &squared_error, py::arg("y"), py::arg("t"), py::arg("loss"),
             py::arg("dy"), py::arg("loss_factor"), py::arg("gradient_factor"));
  module.def("count_correct", &count_correct, py::arg("scores"), py::arg("target"), py::arg("out"));
}

} // namespace gyaku::bindings
