// One function a family of bindings; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace gyaku::bindings {

#define FAMILY(family) void register_##family(pybind11::module_& module);
#include "kernels/families.inc"

} // namespace gyaku::bindings
