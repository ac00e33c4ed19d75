// One function a family of bindings; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace gyaku::bindings {

void register_activation(pybind11::module_& module);
void register_conv(pybind11::module_& module);
void register_gather(pybind11::module_& module);
void register_gemm(pybind11::module_& module);
void register_loss(pybind11::module_& module);
void register_machine(pybind11::module_& module);
void register_merge(pybind11::module_& module);
void register_norm(pybind11::module_& module);
void register_optimizer(pybind11::module_& module);
void register_pool(pybind11::module_& module);
void register_program(pybind11::module_& module);
void register_random(pybind11::module_& module);
void register_softmax(pybind11::module_& module);

} // namespace gyaku::bindings
