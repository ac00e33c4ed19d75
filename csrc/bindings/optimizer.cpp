// The flat updates: one pass over parameters, gradients and state.
#include "kernels/args/optimizer.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

void optimizer_tick(py::handle clock_array, py::handle rates_array, double beta1, double beta2) {
  Call call("optimizer_tick");
  const auto clock = call.float64_buffer(clock_array, "clock", 4, true);
  const auto rates = call.float64_buffer(rates_array, "rates", -1, false);
  call.require(rates.size() >= 2, "rates must hold the first step and at least one rate");
  call.require(rates.front() <= clock.front(), "rates begin after the clock");
  const TickArgs args{clock.data(), rates.data(), static_cast<std::int64_t>(rates.size()), beta1,
                      beta2};
  call.run(make_task(
      "optimizer_tick", KernelId::optimizer_tick, Scalar::float64, args, 1, 1, 4,
      {Operand{args.clock, 4 * sizeof(double), Access::update},
       Operand{args.rates, static_cast<std::int64_t>(rates.size_bytes()), Access::read}}));
}

// The parts that all updates share; `flops` counts one element.
class Update {
public:
  Update(const char* name, py::handle params, py::handle grads, py::handle clock)
      : name_(name), call_(name) {
    params_ = call_.real_output(params, "params");
    operands_.push_back(params_.update(true));
    const Tensor g = call_.buffer(grads, "grads");
    call_.require(g.like(params_), "grads must be like params");
    operands_.push_back(g.read(true));
    const auto time = call_.float64_buffer(clock, "clock", 4, false);
    call_.require(time.front() >= 1, "the clock must be at step 1 or later");
    operands_.push_back({time.data(), 4 * sizeof(double), Access::read});
    args.parameters = params_.data;
    args.gradients = g.data;
    args.clock = time.data();
    args.size = params_.size;
    args.unit = 1;
  }

  void* state(py::handle array, const char* name) {
    const Tensor tensor = call_.output(array, name);
    call_.require(tensor.like(params_), "the state must be like params");
    operands_.push_back(tensor.update(true));
    return tensor.data;
  }

  void run(KernelId id, double flops) {
    // Whole cache lines of float32, so that no two members write to one.
    constexpr std::int64_t grain = 64;
    call_.run(make_task(name_, id, params_.scalar(), args, args.size, grain,
                        flops * static_cast<double>(args.size), std::move(operands_)));
  }

  UpdateArgs args{};

private:
  const char* name_;
  Call call_;
  Tensor params_;
  std::vector<Operand> operands_;
};

void sgd(py::handle params, py::handle grads, py::handle clock, double weight_decay) {
  Update update("sgd", params, grads, clock);
  update.args.weight_decay = weight_decay;
  update.run(KernelId::sgd, 4);
}

void momentum(py::handle params, py::handle grads, py::handle velocity, py::handle clock,
              double factor, bool nesterov, double weight_decay) {
  Update update("momentum", params, grads, clock);
  update.args.first = update.state(velocity, "velocity");
  update.args.beta1 = factor;
  update.args.nesterov = nesterov;
  update.args.weight_decay = weight_decay;
  update.run(KernelId::momentum, 8);
}

void adam(py::handle params, py::handle grads, py::handle m, py::handle v, py::handle clock,
          double beta1, double beta2, double epsilon, double weight_decay) {
  Update update("adam", params, grads, clock);
  update.args.first = update.state(m, "m");
  update.args.second = update.state(v, "v");
  update.args.beta1 = beta1;
  update.args.beta2 = beta2;
  update.args.epsilon = epsilon;
  update.args.weight_decay = weight_decay;
  update.run(KernelId::adam, 14);
}

} // namespace

void register_optimizer(py::module_& module) {
  module.def("optimizer_tick", &optimizer_tick, py::arg("clock"), py::arg("rates"),
             py::arg("beta1"), py::arg("beta2"));
  module.def("sgd", &sgd, py::arg("params"), py::arg("grads"), py::arg("clock"),
             py::arg("weight_decay"));
  module.def("momentum", &momentum, py::arg("params"), py::arg("grads"), py::arg("velocity"),
             py::arg("clock"), py::arg("momentum"), py::arg("nesterov"), py::arg("weight_decay"));
  module.def("adam", &adam, py::arg("params"), py::arg("grads"), py::arg("m"), py::arg("v"),
             py::arg("clock"), py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"),
             py::arg("weight_decay"));
}

} // namespace gyaku::bindings
