// Activations by name.
#pragma once

#include <string>

#include "kernels/args/activation.h"

namespace gyaku::bindings {

// A row of kernels/args/activations.inc.
struct NamedActivation {
  const char* name;
  const char* backward; // name of the gradient in listings of programs
  Activation function;
  double flops, backward_flops; // per element
};

const NamedActivation& find_activation(const std::string& name); // throws ValueError

} // namespace gyaku::bindings
