// The flat updates: one pass over parameters, gradients and state.
#include "kernels/args/optimizer.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <array>
#include <cstddef>
#include <string>
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

struct NamedUpdate { // a row of updates.inc, the list of what kernels/optimizer.cpp defines
  const char* name;
  Update rule;
  std::size_t states;
  Work work; // per element
};

constexpr std::array updates{
#define GYAKU_UPDATE(name, states, flops, weight)                                                  \
  NamedUpdate{#name, Update::name, states, {flops, weight}},
#include "updates.inc"
};

const NamedUpdate& find_update(const std::string& name) {
  for (const NamedUpdate& row : updates)
    if (name == row.name) return row;
  throw py::value_error("update: no update is called '" + name + "'");
}

void update(const std::string& name, py::handle params_array, py::handle grads,
            const std::vector<py::handle>& states, py::handle clock_array, double weight_decay,
            double beta1, double beta2, double epsilon, bool nesterov) {
  const NamedUpdate& named = find_update(name);
  Call call(named.name);
  const Tensor params = call.real_output(params_array, "params");
  const Tensor g = call.buffer(grads, "grads");
  call.require(g.like(params), "grads must be like params");
  const auto clock = call.float64_buffer(clock_array, "clock", 4, false);
  call.require(clock.front() >= 1, "the clock must be at step 1 or later");
  std::vector<Operand> operands{
      params.update(true), g.read(true), {clock.data(), 4 * sizeof(double), Access::read}};
  UpdateArgs args{.parameters = params.data,
                  .gradients = g.data,
                  .first = nullptr,
                  .second = nullptr,
                  .clock = clock.data(),
                  .size = params.size,
                  .unit = 1,
                  .weight_decay = weight_decay,
                  .beta1 = beta1,
                  .beta2 = beta2,
                  .epsilon = epsilon,
                  .rule = named.rule,
                  .nesterov = nesterov};
  call.require(states.size() == named.states, "the states are not those of this update");
  void** const members[] = {&args.first, &args.second};
  for (std::size_t i = 0; i < states.size(); i++) {
    const Tensor state = call.output(states[i], "state");
    call.require(state.like(params), "the state must be like params");
    operands.push_back(state.update(true));
    *members[i] = state.data;
  }
  // Whole cache lines of float32: none is written by two members.
  constexpr std::int64_t grain = 64;
  call.run(make_task(named.name, KernelId::update, params.scalar(), args, args.size, grain,
                     named.work * static_cast<double>(args.size), std::move(operands)));
}

} // namespace

void register_optimizer(py::module_& module) {
  module.def("optimizer_tick", &optimizer_tick, py::arg("clock"), py::arg("rates"),
             py::arg("beta1"), py::arg("beta2"));
  module.def("update", &update, py::arg("name"), py::arg("params"), py::arg("grads"),
             py::arg("states"), py::arg("clock"), py::arg("weight_decay"), py::arg("beta1") = 0.0,
             py::arg("beta2") = 0.0, py::arg("epsilon") = 0.0, py::arg("nesterov") = false);
}

} // namespace gyaku::bindings
