// Activations by the names that people write.
#pragma once

#include <string>

#include "kernels/args/activation.h"

namespace gyaku::bindings {

Activation to_activation(const std::string& name); // throws ValueError

} // namespace gyaku::bindings
