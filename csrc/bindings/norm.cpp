// Normalisation: sums over chunks of the batch, a task that combines them into statistics, then the
// rows.
#include "kernels/args/norm.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

// Long enough for few partial sums, short enough that a chunk stays in the second-level cache for
// two passes.
constexpr std::int64_t chunk_size = 32768; // elements
constexpr std::int64_t fewest_rows = 64;
// The same for parts of samples, which stay in the first-level cache; with fewer rows, their
// partial sums would be too many.
constexpr std::int64_t part_size = 4096, fewest_part_rows = 32;

// A result: the array and its properties.
struct Result {
  py::object array;
  Tensor tensor;
};

// x as rows by columns; slices count the rows of samples.
class Normalisation {
public:
  Normalisation(Call& call, const char* name, const Tensor& x, std::int64_t columns)
      : call_(call), name_(name), x_(x) {
    args.x = x.data;
    args.columns = columns;
    args.rows = columns == 0 ? 0 : x.size / columns;
    args.chunk = std::max(fewest_rows, chunk_size / std::max<std::int64_t>(columns, 1));
    // The features of layer normalisation may be all axes: then there is one row only.
    const std::int64_t samples = std::min(args.rows, x.rows());
    cut_ = cut_samples(samples, samples == 0 ? 0 : args.rows / samples);
    args.unit = cut_.unit;
  }

  // Sums over parts of samples, so that a thread goes on with its own samples, if these have enough
  // rows and divide into parts.
  void sum_by_sample() {
    if (!cut_.by_sample) return;
    std::int64_t rows = std::min(cut_.unit, std::max(fewest_part_rows, part_size / args.columns));
    while (cut_.unit % rows != 0) --rows;
    if (rows < fewest_part_rows) return;
    args.chunk = rows;
    args.chunks = cut_.unit / rows;
  }

  // The arrays, each for the given member of the arguments.
  template <class T> Tensor read(py::handle array, const char* name, T NormArgs::* member) {
    const Tensor tensor = call_.real_input(array, name);
    args.*member = tensor.data;
    return tensor;
  }
  Result write(py::handle out, Shape shape, const char* name, void* NormArgs::* member) {
    Result result{call_.result(out, shape, x_.scalar()), {}};
    result.tensor = call_.real_output(result.array, name);
    args.*member = result.tensor.data;
    return result;
  }
  Result write(Shape shape, const char* name, void* NormArgs::* member) {
    return write(py::none(), shape, name, member);
  }

  std::int64_t columns() const { return args.columns; }
  bool fits(const Tensor& parameter) const {
    return parameter.same_type(x_) && parameter.size == args.columns;
  }
  bool is_row_statistic(const Tensor& statistic) const {
    return statistic.same_type(x_) && statistic.size == args.rows;
  }

  // Sums over the batch, chunk by chunk, for `finish`.
  void add_sums(KernelId id, const char* name, std::vector<Operand> operands, KernelId finish,
                const char* finish_name, std::vector<Operand> finished, Work work) {
    const std::int64_t chunks = (args.rows + args.chunk - 1) / args.chunk;
    bytes_ = chunks * 2 * args.columns * static_cast<std::int64_t>(sizeof(double));
    scratch_ = allocate(bytes_);
    args.partial = reinterpret_cast<double*>(scratch_.get());
    operands.push_back({args.partial, bytes_, Access::write, true});
    finished.push_back({args.partial, bytes_, Access::read});
    add(id, name, std::move(operands), args.chunks > 0 ? cut_.extent : chunks, work);
    add_columns(finish, finish_name, std::move(finished));
  }
  void add_columns(KernelId id, const char* name, std::vector<Operand> operands) {
    constexpr std::int64_t line = 16; // no cache line is written by two members
    tasks_.push_back(
        make_task(name, id, x_.scalar(), args, args.columns, line, {}, std::move(operands)));
  }
  void add_rows(KernelId id, std::vector<Operand> operands, Work work) {
    add(id, name_, std::move(operands), cut_.extent, work);
  }
  // A slice has the rows of one sample.
  Operand own(Operand operand) const {
    operand.by_slice = true;
    return operand;
  }
  Operand summed(Operand operand) const {
    operand.by_slice = args.chunks > 0;
    return operand;
  }
  void run() { call_.run(tasks_, std::move(scratch_), bytes_); }

  NormArgs args{};

private:
  void add(KernelId id, const char* name, std::vector<Operand> operands, std::int64_t extent,
           Work work) {
    tasks_.push_back(make_task(name, id, x_.scalar(), args, extent, 1,
                               work * static_cast<double>(x_.size), std::move(operands)));
  }

  Call& call_;
  const char* name_;
  const Tensor& x_;
  Cut cut_{};
  std::vector<Task> tasks_;
  Block scratch_;
  std::int64_t bytes_ = 0;
};

std::int64_t last(const Call& call, const Tensor& x) {
  call.require(!x.shape.empty(), "a single number has no columns");
  return x.shape.back();
}

py::tuple batch_norm(py::handle x_array, py::handle gamma_array, py::handle beta_array,
                     double epsilon) {
  Call call("batch_norm");
  const Tensor x = call.real_input(x_array, "x");
  Normalisation norm(call, "batch_norm", x, last(call, x));
  const Tensor gamma = norm.read(gamma_array, "gamma", &NormArgs::gamma),
               beta = norm.read(beta_array, "beta", &NormArgs::beta);
  call.require(norm.fits(gamma) && norm.fits(beta), "gamma or beta does not fit x");
  call.require(norm.args.rows > 0, "an empty batch has no statistics");
  const std::array<py::ssize_t, 1> columns{norm.columns()};
  const auto [y_array, y] = norm.write(x.shape, "y", &NormArgs::y);
  const auto [mean_array, mean] = norm.write(columns, "mean", &NormArgs::mean);
  const auto [inverse_array, inverse] = norm.write(columns, "inverse", &NormArgs::inverse);
  const auto [variance_array, variance] = norm.write(columns, "variance", &NormArgs::variance);
  norm.args.epsilon = epsilon;
  norm.sum_by_sample();
  Operand large = x.read(); // seldom looked at
  large.touched = 0;
  norm.add_sums(KernelId::batch_statistics, "batch_statistics", {norm.summed(x.read())},
                KernelId::batch_finish, "batch_finish",
                {mean.write(), inverse.write(), variance.write(), large}, {4, 4});
  norm.add_rows(KernelId::batch_norm,
                {norm.own(x.read()), gamma.read(), beta.read(), mean.read(), inverse.read(),
                 norm.own(y.write())},
                {4, 4});
  norm.run();
  return py::make_tuple(y_array, mean_array, inverse_array, variance_array);
}

py::tuple batch_norm_inference(py::handle x_array, py::handle gamma_array, py::handle beta_array,
                               py::handle mean_array, py::handle variance_array, double epsilon) {
  Call call("batch_norm_inference");
  const Tensor x = call.real_input(x_array, "x");
  Normalisation norm(call, "batch_norm_inference", x, last(call, x));
  const Tensor gamma = norm.read(gamma_array, "gamma", &NormArgs::gamma),
               beta = norm.read(beta_array, "beta", &NormArgs::beta),
               mean = norm.read(mean_array, "mean", &NormArgs::mean),
               variance = norm.read(variance_array, "variance", &NormArgs::variance);
  call.require(norm.fits(gamma) && norm.fits(beta) && norm.fits(mean) && norm.fits(variance),
               "gamma, beta, mean or variance does not fit x");
  const std::array<py::ssize_t, 1> columns{norm.columns()};
  const auto [y_array, y] = norm.write(x.shape, "y", &NormArgs::y);
  const auto [inverse_array, inverse] = norm.write(columns, "inverse", &NormArgs::inverse);
  norm.args.epsilon = epsilon;
  norm.add_columns(KernelId::batch_finish, "batch_finish", {variance.read(), inverse.write()});
  norm.add_rows(KernelId::batch_norm,
                {norm.own(x.read()), gamma.read(), beta.read(), mean.read(), inverse.read(),
                 norm.own(y.write())},
                {4, 4});
  norm.run();
  return py::make_tuple(y_array, inverse_array);
}

// Results must not overlap inputs, or each other.
void require_apart(const Call& call, std::span<const Operand> read,
                   std::span<const Operand> written) {
  for (std::size_t i = 0; i < written.size(); ++i) {
    for (const Operand& operand : read)
      call.require(!operand.overlaps(written[i]), "out must not share memory with an input");
    for (std::size_t j = 0; j < i; ++j)
      call.require(!written[j].overlaps(written[i]), "the arrays of out must not share memory");
  }
}

py::tuple backward(const char* name, bool by_row, py::handle dy_array, py::handle x_array,
                   py::handle gamma_array, py::handle mean_array, py::handle inverse_array,
                   bool training, py::handle dx_out, py::handle dgamma_out, py::handle dbeta_out) {
  Call call(name);
  const Tensor x = call.real_input(x_array, "x"), gamma = call.real_input(gamma_array, "gamma");
  Normalisation norm(call, name, x, by_row ? gamma.size : last(call, x));
  NormArgs& args = norm.args;
  args.gamma = gamma.data;
  args.by_row = by_row;
  const Tensor dy = norm.read(dy_array, "dy", &NormArgs::dy),
               mean = norm.read(mean_array, "mean", &NormArgs::mean),
               inverse = norm.read(inverse_array, "inverse", &NormArgs::inverse);
  const auto is_statistic = [&](const Tensor& each) {
    return by_row ? norm.is_row_statistic(each) : norm.fits(each);
  };
  call.require(dy.like(x) && norm.fits(gamma) && is_statistic(mean) && is_statistic(inverse),
               "dy, gamma, mean or inverse does not fit x");
  const auto [dx_array, dx] = norm.write(dx_out, x.shape, "dx", &NormArgs::y);
  const auto [dgamma_array, dgamma] =
      norm.write(dgamma_out, gamma.shape, "dgamma", &NormArgs::dgamma);
  const auto [dbeta_array, dbeta] = norm.write(dbeta_out, gamma.shape, "dbeta", &NormArgs::dbeta);
  call.require(dx.like(x) && dgamma.like(gamma) && dbeta.like(gamma),
               "an array of out differs from its argument in shape or dtype");
  if (!by_row) norm.sum_by_sample();
  require_apart(call, std::array{dy.read(), x.read(), gamma.read(), mean.read(), inverse.read()},
                std::array{dx.write(), dgamma.write(), dbeta.write()});
  norm.add_sums(KernelId::norm_sums, "norm_sums",
                {norm.summed(dy.read()), norm.summed(x.read()), mean.read(), inverse.read()},
                KernelId::norm_sums_finish, "norm_sums_finish",
                {inverse.read(), dgamma.write(), dbeta.write()}, {4, 4});
  std::vector<Operand> operands{norm.own(dy.read()), norm.own(x.read()), gamma.read(),
                                norm.own(dx.write())};
  for (const Tensor& statistic : {mean, inverse})
    operands.push_back(by_row ? norm.own(statistic.read()) : statistic.read());
  if (!by_row && training)
    operands.insert(operands.end(), {dgamma.read(), dbeta.read()});
  else
    args.dgamma = args.dbeta = nullptr;
  norm.add_rows(by_row ? KernelId::layer_norm_backward : KernelId::batch_norm_backward,
                std::move(operands), {by_row ? 10.0 : 6.0, 6});
  norm.run();
  return py::make_tuple(dx_array, dgamma_array, dbeta_array);
}

py::tuple batch_norm_backward(py::handle dy, py::handle x, py::handle gamma, py::handle mean,
                              py::handle inverse, bool training, py::handle dx, py::handle dgamma,
                              py::handle dbeta) {
  return backward("batch_norm_backward", false, dy, x, gamma, mean, inverse, training, dx, dgamma,
                  dbeta);
}

py::tuple layer_norm_backward(py::handle dy, py::handle x, py::handle gamma, py::handle mean,
                              py::handle inverse, py::handle dx, py::handle dgamma,
                              py::handle dbeta) {
  return backward("layer_norm_backward", true, dy, x, gamma, mean, inverse, true, dx, dgamma,
                  dbeta);
}

py::tuple layer_norm(py::handle x_array, py::handle gamma_array, py::handle beta_array,
                     double epsilon) {
  Call call("layer_norm");
  const Tensor x = call.real_input(x_array, "x"), gamma = call.real_input(gamma_array, "gamma");
  call.require(gamma.shape.size() <= x.shape.size() && !gamma.shape.empty() &&
                   std::equal(gamma.shape.begin(), gamma.shape.end(),
                              x.shape.end() - static_cast<std::ptrdiff_t>(gamma.shape.size())),
               "the axes of gamma must be the last ones of x");
  Normalisation norm(call, "layer_norm", x, gamma.size);
  norm.args.gamma = gamma.data;
  norm.args.epsilon = epsilon;
  const Tensor beta = norm.read(beta_array, "beta", &NormArgs::beta);
  call.require(norm.fits(gamma) && beta.like(gamma), "gamma or beta does not fit x");
  call.require(gamma.size > 0, "a sample without features has no statistics");
  const Shape samples = x.shape.first(x.shape.size() - gamma.shape.size());
  const auto [y_array, y] = norm.write(x.shape, "y", &NormArgs::y);
  const auto [mean_array, mean] = norm.write(samples, "mean", &NormArgs::mean);
  const auto [inverse_array, inverse] = norm.write(samples, "inverse", &NormArgs::inverse);
  norm.add_rows(KernelId::layer_norm,
                {norm.own(x.read()), gamma.read(), beta.read(), norm.own(y.write()),
                 norm.own(mean.write()), norm.own(inverse.write())},
                {8, 8});
  norm.run();
  return py::make_tuple(y_array, mean_array, inverse_array);
}

void update_running(py::handle running_mean_array, py::handle running_var_array,
                    py::handle mean_array, py::handle variance_array, std::int64_t samples,
                    double momentum) {
  Call call("update_running");
  const Tensor running_mean = call.real_output(running_mean_array, "running_mean"),
               running_var = call.real_output(running_var_array, "running_var"),
               mean = call.input(mean_array, "mean"),
               variance = call.input(variance_array, "variance");
  call.require(running_var.like(running_mean) && mean.like(running_mean) &&
                   variance.like(running_mean),
               "the statistics differ in shape or dtype");
  call.require(samples > 0, "samples must be at least 1");
  call.require(momentum >= 0 && momentum <= 1, "momentum must be 0 to 1");
  RunningArgs args{};
  args.mean = mean.data;
  args.variance = variance.data;
  args.running_mean = running_mean.data;
  args.running_var = running_var.data;
  args.size = running_mean.size;
  args.momentum = momentum;
  args.unbiased =
      static_cast<double>(samples) / static_cast<double>(std::max<std::int64_t>(samples - 1, 1));
  call.run(make_task("update_running", KernelId::update_running, running_mean.scalar(), args,
                     args.size, 64, Work{7, 6} * static_cast<double>(args.size),
                     {mean.read(), variance.read(), running_mean.update(), running_var.update()}));
}

} // namespace

void register_norm(py::module_& module) {
  module.def("batch_norm", &batch_norm, py::arg("x"), py::arg("gamma"), py::arg("beta"),
             py::arg("epsilon"));
  module.def("batch_norm_inference", &batch_norm_inference, py::arg("x"), py::arg("gamma"),
             py::arg("beta"), py::arg("mean"), py::arg("variance"), py::arg("epsilon"));
  module.def("batch_norm_backward", &batch_norm_backward, py::arg("dy"), py::arg("x"),
             py::arg("gamma"), py::arg("mean"), py::arg("inverse"), py::arg("training"),
             py::arg("dx"), py::arg("dgamma"), py::arg("dbeta"));
  module.def("layer_norm", &layer_norm, py::arg("x"), py::arg("gamma"), py::arg("beta"),
             py::arg("epsilon"));
  module.def("layer_norm_backward", &layer_norm_backward, py::arg("dy"), py::arg("x"),
             py::arg("gamma"), py::arg("mean"), py::arg("inverse"), py::arg("dx"),
             py::arg("dgamma"), py::arg("dbeta"));
  module.def("update_running", &update_running, py::arg("running_mean"), py::arg("running_var"),
             py::arg("mean"), py::arg("variance"), py::arg("samples"), py::arg("momentum"));
}

} // namespace gyaku::bindings
