// The extension module: chooses the instruction set, then registers every family.
#include "bindings/register.h"

#include <string>

#include "kernels/table.h"
#include "runtime/cpu.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "Native kernels, programs and machine facts of gyaku.";
  for (const std::string& fault : {gyaku::fault_of_requested_threads(), gyaku::choose_isa()})
    if (!fault.empty()) throw py::import_error(fault);
  module.attr("__version__") = GYAKU_VERSION;
  gyaku::bindings::register_machine(module);
  gyaku::bindings::register_program(module);
  gyaku::bindings::register_gemm(module);
  gyaku::bindings::register_activation(module);
  gyaku::bindings::register_merge(module);
  gyaku::bindings::register_pool(module);
  gyaku::bindings::register_norm(module);
  gyaku::bindings::register_softmax(module);
  gyaku::bindings::register_loss(module);
  gyaku::bindings::register_random(module);
  gyaku::bindings::register_conv(module);
  gyaku::bindings::register_gather(module);
  gyaku::bindings::register_optimizer(module);
}
