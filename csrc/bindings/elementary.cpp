// The elementary functions, exposed for their tests: built with GYAKU_TESTING only.
#include "kernels/args/elementary.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <array>
#include <string>
#include <utility>

namespace gyaku::bindings {

namespace {

void elementary(py::handle x_array, py::handle out, const std::string& name) {
  constexpr std::array<std::pair<const char*, Function>, 7> functions{{
      {"exp", Function::exp},
      {"expm1", Function::expm1},
      {"log", Function::log},
      {"log1p", Function::log1p},
      {"tanh", Function::tanh},
      {"sigmoid", Function::sigmoid},
      {"erf", Function::erf},
  }};
  Call call("elementary");
  const Tensor x = call.real_input(x_array, "x"), y = call.real_output(out, "out");
  call.require(x.size == y.size && x.same_type(y), "x and out differ in size or dtype");
  for (const auto& [known, function] : functions)
    if (name == known) {
      const ElementaryArgs args{x.data, y.data, x.size, function};
      call.run(make_task(known, KernelId::elementary, x.scalar(), args, x.size, 64,
                         Work{1, 20} * static_cast<double>(x.size), {x.read(), y.write()}));
      return;
    }
  throw py::value_error("elementary: no function is called '" + name + "'");
}

} // namespace

void register_elementary(py::module_& module) {
  module.def("elementary", &elementary, py::arg("x"), py::arg("out"), py::arg("name"));
}

} // namespace gyaku::bindings
