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

void optimizer_tick(py::handle clock_array, py::handle rates_array, double beta1, double beta2,
                    double warmup) {
  Call call("optimizer_tick");
  const auto clock = call.float64_buffer(clock_array, "clock", 4, true);
  const auto rates = call.float64_buffer(rates_array, "rates", -1, false);
  call.require(rates.size() >= 2, "rates must hold the first step and at least one rate");
  call.require(rates.front() <= clock.front(), "rates begin after the clock");
  const TickArgs args{clock.data(), rates.data(), static_cast<std::int64_t>(rates.size()),
                      beta1,        beta2,        warmup};
  call.run(make_task(
      "optimizer_tick", KernelId::optimizer_tick, Scalar::float64, args, 1, 1, {3, 4},
      {Operand{args.clock, 4 * sizeof(double), Access::update},
       Operand{args.rates, static_cast<std::int64_t>(rates.size_bytes()), Access::read}}));
}

// Whole cache lines of float32: none is written by two members.
constexpr std::int64_t grain = 64;
constexpr std::int64_t chunk = 4096; // elements, of the sums behind a norm

GradientArgs gradient_args(const Tensor& gradients, double value) {
  return {gradients.data, nullptr, nullptr, nullptr, nullptr, gradients.size, value};
}

// A task over the elements of the gradients.
Task element_task(const char* name, KernelId id, const GradientArgs& args, Scalar scalar,
                  double flops, std::vector<Operand> operands) {
  return make_task(name, id, scalar, args, args.size, grain,
                   Work{flops, 2} * static_cast<double>(args.size), std::move(operands));
}

// Operands, with those of a count that is a factor of the arguments' value.
std::vector<Operand> with_count(Call& call, py::handle count_array, GradientArgs& args,
                                std::vector<Operand> operands) {
  if (!count_array.is_none()) {
    args.count = call.float64_buffer(count_array, "count", 1, false).data();
    operands.push_back(Operand{args.count, sizeof(double), Access::read});
  }
  return operands;
}

void add_gradients(py::handle total_array, py::handle grads, double weight, py::handle count) {
  Call call("add_gradients");
  const Tensor total = call.real_output(total_array, "total"), g = call.buffer(grads, "grads");
  call.require(g.like(total), "grads must be like total");
  GradientArgs args = gradient_args(g, weight);
  args.total = total.data;
  std::vector<Operand> operands = with_count(call, count, args, {g.read(true), total.update(true)});
  call.run(element_task("add_gradients", KernelId::add_gradients, args, g.scalar(), 2,
                        std::move(operands)));
}

void mean_gradients(py::handle grads, py::handle total_array, double weight, py::handle count) {
  Call call("mean_gradients");
  const Tensor g = call.real_output(grads, "grads"), total = call.real_output(total_array, "total");
  call.require(g.like(total), "total must be like grads");
  call.require(weight > 0, "weight must be positive");
  GradientArgs args = gradient_args(g, weight);
  args.total = total.data;
  std::vector<Operand> operands =
      with_count(call, count, args, {g.write(true), total.update(true)});
  call.run(element_task("mean_gradients", KernelId::mean_gradients, args, g.scalar(), 1,
                        std::move(operands)));
}

void clip_by_value(py::handle grads, double limit) {
  Call call("clip_by_value");
  const Tensor g = call.real_output(grads, "grads");
  call.require(limit > 0, "limit must be positive");
  call.run(element_task("clip_by_value", KernelId::clip_values, gradient_args(g, limit), g.scalar(),
                        2, {g.update(true)}));
}

void clip_by_norm(py::handle grads, double norm) {
  Call call("clip_by_norm");
  const Tensor g = call.real_output(grads, "grads");
  call.require(norm > 0 && g.size > 0, "norm must be positive, and there must be gradients");
  const std::int64_t chunks = ceil_div(g.size, chunk);
  const auto bytes = chunks * static_cast<std::int64_t>(sizeof(double));
  Block scratch = allocate(bytes);
  const py::object factor_array = call.number();
  GradientArgs args = gradient_args(g, norm);
  args.partial = reinterpret_cast<double*>(scratch.get());
  args.factor = static_cast<double*>(call.output(factor_array, "factor").data);
  const Operand partial{args.partial, bytes, Access::write};
  const Operand factor{args.factor, sizeof(double), Access::write};
  const auto read = [](Operand operand) {
    operand.access = Access::read;
    return operand;
  };
  const auto elements = static_cast<double>(g.size);
  std::vector<Task> tasks;
  tasks.push_back(make_task("square_gradients", KernelId::square_gradients, g.scalar(), args,
                            chunks, 1, Work{2, 2} * elements, {g.read(), partial}));
  tasks.push_back(make_task("limit_norm", KernelId::limit_norm, Scalar::float64, args, 1, 1,
                            {0, static_cast<double>(chunks)}, {read(partial), factor}));
  tasks.push_back(element_task("clip_by_norm", KernelId::scale_gradients, args, g.scalar(), 1,
                               {read(factor), g.update(true)}));
  call.run(tasks, std::move(scratch), bytes);
}

struct NamedUpdate { // a row of updates.inc, the list of what kernels/optimizer.cpp defines
  const char* name;
  Update rule;
  std::size_t states;
  Work work; // per element

  bool has_coarse_state() const { return rule == Update::adam || rule == Update::adamw; }
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
            double beta1, double beta2, double epsilon, double extra, bool nesterov, bool variant) {
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
                  .third = nullptr,
                  .clock = clock.data(),
                  .size = params.size,
                  .unit = 1,
                  .begin = 0,
                  .weight_decay = weight_decay,
                  .beta1 = beta1,
                  .beta2 = beta2,
                  .epsilon = epsilon,
                  .extra = extra,
                  .rule = named.rule,
                  .nesterov = nesterov,
                  .variant = variant,
                  .is_coarse = false};
  call.require(states.size() == named.states, "the states are not those of this update");
  void** const members[] = {&args.first, &args.second, &args.third};
  for (std::size_t i = 0; i < states.size(); i++) {
    const Tensor state = call.output(states[i], "state");
    const bool is_coarse = state.kind == 'u' && state.item_bytes == 2;
    if (i == 0) args.is_coarse = is_coarse && named.has_coarse_state();
    call.require(state.same_shape(params) && (args.is_coarse ? is_coarse && params.item_bytes == 4
                                                             : state.same_type(params)),
                 "the state must be like params");
    operands.push_back(state.update(true));
    *members[i] = state.data;
  }
  call.run(make_task(named.name, KernelId::update, params.scalar(), args, args.size, grain,
                     named.work * static_cast<double>(args.size), std::move(operands)));
}

} // namespace

void register_optimizer(py::module_& module) {
  module.def("optimizer_tick", &optimizer_tick, py::arg("clock"), py::arg("rates"),
             py::arg("beta1"), py::arg("beta2"), py::arg("warmup"));
  module.def("add_gradients", &add_gradients, py::arg("total"), py::arg("grads"), py::arg("weight"),
             py::arg("count"));
  module.def("mean_gradients", &mean_gradients, py::arg("grads"), py::arg("total"),
             py::arg("weight"), py::arg("count"));
  module.def("clip_by_value", &clip_by_value, py::arg("grads"), py::arg("limit"));
  module.def("clip_by_norm", &clip_by_norm, py::arg("grads"), py::arg("norm"));
  module.def("update", &update, py::arg("name"), py::arg("params"), py::arg("grads"),
             py::arg("states"), py::arg("clock"), py::arg("weight_decay"), py::arg("beta1") = 0.0,
             py::arg("beta2") = 0.0, py::arg("epsilon") = 0.0, py::arg("extra") = 0.0,
             py::arg("nesterov") = false, py::arg("variant") = false);
}

} // namespace gyaku::bindings
