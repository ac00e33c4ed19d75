// Activation functions and their derivatives on a row of elements, in place: for other families,
// whose results are still in the cache. Defined in activation.cpp, once for the instruction set.
#pragma once

#include "kernels/args/activation.h"

namespace gyaku::GYAKU_ISA_NAME {

void activate_row(Activation function, float alpha, float* row, std::int64_t n) noexcept;
void activate_row(Activation function, double alpha, double* row, std::int64_t n) noexcept;

// dy times the derivative.
void differentiate_row(Activation function, float alpha, const float* saved, float* dy,
                       std::int64_t n) noexcept;
void differentiate_row(Activation function, double alpha, const double* saved, double* dy,
                       std::int64_t n) noexcept;

} // namespace gyaku::GYAKU_ISA_NAME
