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
// bindings.inc, written by the build, has the FAMILY rows of families.inc that are built.
#define FAMILY(family) gyaku::bindings::register_##family(module);
#include "bindings.inc"
#undef FAMILY
}
