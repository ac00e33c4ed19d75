// The flat updates: one pass over parameters, gradients and state.
#include "kernels/args/optimizer.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <array>
#include <cstddef>
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
      "optimizer_tick", KernelId::optimizer_tick, Scalar::float64, args, 1, 1, {3, 4},
      {Operand{args.clock, 4 * sizeof(double), Access::update},
       Operand{args.rates, static_cast<std::int64_t>(rates.size_bytes()), Access::read}}));
}

// A call of an update: parameters, gradients, state and step counter, checked.
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

  void set_state(void* UpdateArgs::* member, py::handle array, const char* name) {
    const Tensor tensor = call_.output(array, name);
    call_.require(tensor.like(params_), "the state must be like params");
    operands_.push_back(tensor.update(true));
    args.*member = tensor.data;
  }

  // `work` is per element.
  void run(KernelId id, Work work) {
    // Whole cache lines of float32: none is written by two members.
    constexpr std::int64_t grain = 64;
    call_.run(make_task(name_, id, params_.scalar(), args, args.size, grain,
                        work * static_cast<double>(args.size), std::move(operands_)));
  }

  UpdateArgs args{};

private:
  const char* name_;
  Call call_;
  Tensor params_;
  std::vector<Operand> operands_;
};

// An argument of an update, by the member it sets.
template <class T> struct Argument {
  const char* name;
  T UpdateArgs::* member;
};
using State = Argument<void*>;

template <std::size_t> using Handle = py::handle;

// An optimizer: its kernel, the work per element, its state arrays and its hyperparameters.
template <std::size_t count, class... T>
void add(py::module_& module, const char* name, KernelId id, Work work,
         const std::array<State, count>& states, Argument<T>... numbers) {
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    module.def(
        name,
        [=](py::handle params, py::handle grads, Handle<i>... arrays, py::handle clock,
            T... values) {
          Update update(name, params, grads, clock);
          (update.set_state(states[i].member, arrays, states[i].name), ...);
          ((update.args.*numbers.member = values), ...);
          update.run(id, work);
        },
        py::arg("params"), py::arg("grads"), py::arg(states[i].name)..., py::arg("clock"),
        py::arg(numbers.name)...);
  }(std::make_index_sequence<count>());
}

} // namespace

void register_optimizer(py::module_& module) {
  module.def("optimizer_tick", &optimizer_tick, py::arg("clock"), py::arg("rates"),
             py::arg("beta1"), py::arg("beta2"));
  const Argument weight_decay{"weight_decay", &UpdateArgs::weight_decay};
  add(module, "sgd", KernelId::sgd, {2, 4}, std::array<State, 0>{}, weight_decay);
  add(module, "momentum", KernelId::momentum, {4, 8},
      std::array{State{"velocity", &UpdateArgs::first}}, Argument{"momentum", &UpdateArgs::beta1},
      Argument{"nesterov", &UpdateArgs::nesterov}, weight_decay);
  add(module, "adam", KernelId::adam, {14, 14},
      std::array{State{"m", &UpdateArgs::first}, State{"v", &UpdateArgs::second}},
      Argument{"beta1", &UpdateArgs::beta1}, Argument{"beta2", &UpdateArgs::beta2},
      Argument{"epsilon", &UpdateArgs::epsilon}, weight_decay);
}

} // namespace gyaku::bindings
