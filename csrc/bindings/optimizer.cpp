// The flat updates: one pass over parameters, gradients and state.
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

void optimizer_tick(const py::array& clock_array, const py::array& rates_array, double beta1,
                    double beta2) {
  Call call("optimizer_tick");
  const Tensor rates = call.input(rates_array, "rates");
  call.require(rates.size >= 2, "rates must hold the first step and at least one rate");
  const TickArgs args{call.float64_buffer(clock_array, "clock", 4, true),
                      call.float64_buffer(rates_array, "rates", -1, false), rates.size, beta1,
                      beta2};
  call.run(make_task("optimizer_tick", KernelId::optimizer_tick, Scalar::float64, args, 1, 1, 4,
                     {Operand{args.clock, 4 * sizeof(double), Access::update}, rates.read()}));
}

// The parts that all updates share; `flops` counts one element.
class Update {
public:
  Update(const char* name, const py::array& params, const py::array& grads, const py::array& clock)
      : name_(name), call_(name) {
    const Tensor p = real(params, "params"), g = call_.real_input(grads, "grads");
    call_.require(g.size == p.size && g.same_type(p), "grads must be like params");
    args.parameters = p.data;
    args.gradients = g.data;
    args.clock = call_.float64_buffer(clock, "clock", 4, false);
    args.size = p.size;
    scalar_ = p.scalar();
    operands_.push_back(g.read(true));
    operands_.push_back({args.clock, 4 * sizeof(double), Access::read});
  }

  void* state(const py::array& array, const char* name) {
    const Tensor tensor = real(array, name);
    call_.require(tensor.size == args.size && tensor.scalar() == scalar_,
                  std::string(name) + " must be like params");
    return tensor.data;
  }

  void run(KernelId id, double flops) {
    // Whole cache lines of float32, so that no two members write to one.
    constexpr std::int64_t grain = 64;
    call_.run(make_task(name_, id, scalar_, args, args.size, grain,
                        flops * static_cast<double>(args.size), std::move(operands_)));
  }

  UpdateArgs args{};

private:
  Tensor real(const py::array& array, const char* name) {
    const Tensor tensor = call_.real_output(array, name);
    operands_.push_back(tensor.update(true));
    return tensor;
  }

  const char* name_;
  Call call_;
  Scalar scalar_{};
  std::vector<Operand> operands_;
};

void sgd(const py::array& params, const py::array& grads, const py::array& clock,
         double weight_decay) {
  Update update("sgd", params, grads, clock);
  update.args.weight_decay = weight_decay;
  update.run(KernelId::sgd, 4);
}

void momentum(const py::array& params, const py::array& grads, const py::array& velocity,
              const py::array& clock, double factor, bool nesterov, double weight_decay) {
  Update update("momentum", params, grads, clock);
  update.args.first = update.state(velocity, "velocity");
  update.args.beta1 = factor;
  update.args.nesterov = nesterov;
  update.args.weight_decay = weight_decay;
  update.run(KernelId::momentum, 8);
}

void adam(const py::array& params, const py::array& grads, const py::array& m, const py::array& v,
          const py::array& clock, double beta1, double beta2, double epsilon, double weight_decay) {
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
