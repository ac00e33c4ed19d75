#include "bindings/precision.h"
#include "bindings/register.h"
#include "kernels/table.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace gyaku::bindings {

namespace {

constexpr std::array precisions{"float32", "bfloat16"}; // in the order of Precision
thread_local Precision of_thread = Precision::float32;

void set_precision(const std::string& name) {
  const auto* found = std::ranges::find(precisions, name);
  if (found == precisions.end())
    throw pybind11::value_error("precision: must be float32 or bfloat16, got '" + name + "'");
  of_thread = static_cast<Precision>(found - precisions.begin());
}

} // namespace

Precision precision() { return of_thread; }

WithPrecision::WithPrecision(Precision precision) : before_(std::exchange(of_thread, precision)) {}
WithPrecision::~WithPrecision() { of_thread = before_; }

void register_precision(pybind11::module_& module) {
  module.def("precision", [] { return precisions[static_cast<std::size_t>(of_thread)]; });
  module.def("multiplies_bfloat16",
             [] { return kernel(KernelId::matmul_pairs, Scalar::float32) != nullptr; });
  module.def("set_precision", &set_precision, pybind11::arg("name"));
}

} // namespace gyaku::bindings
