// Activations by their names.
#pragma once

#include <string>

#include "kernels/args/activation.h"

namespace gyaku::bindings {

// A row of kernels/args/activations.inc.
struct NamedActivation {
  const char* name;
  const char* backward; // the gradient's name in a program's listing
  Activation function;
  double flops, backward_flops; // of an element
};

const NamedActivation& find_activation(const std::string& name); // throws ValueError

} // namespace gyaku::bindings
