// Activations by name.
#pragma once

#include <pybind11/pybind11.h>

#include "kernels/args/activation.h"

namespace gyaku::bindings {

// A row of activations.inc, the list of what kernels/activate.h defines.
struct NamedActivation {
  const char* name;
  const char* backward; // name of the gradient in listings of programs
  Activation function;
  double flops, backward_flops; // per element
  Alpha parameter = Alpha::none;
};

// A function by name, None for the identity, and its parameter, None if it has none. Throws
// ValueError or TypeError.
struct ChosenActivation {
  const NamedActivation& row;
  double alpha;
};
ChosenActivation choose_activation(pybind11::handle name, pybind11::handle alpha);

} // namespace gyaku::bindings
