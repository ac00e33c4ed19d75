// Activations by name.
#pragma once

#include <string>

#include "kernels/args/activation.h"

namespace gyaku::bindings {

// A row of activations.inc, the list of what kernels/activate.h defines.
struct NamedActivation {
  const char* name;
  const char* backward; // name of the gradient in listings of programs
  Activation function;
  double flops, backward_flops; // per element
};

const NamedActivation& find_activation(const std::string& name); // throws ValueError

} // namespace gyaku::bindings
