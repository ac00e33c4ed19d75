// The activation functions and their derivatives, on one vector at a time.
#pragma once

#include "kernels/args/activation.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Klambauer et al. 2017: the fixed point of mean 0 and variance 1.
template <class T> constexpr T selu_scale = T(1.0507009873554804934193349852946);
template <class T> constexpr T selu_alpha = T(1.6732632423543772848170429916717);

// NaN in, NaN out: `max` and `min` keep their second operand where a comparison fails.
template <Activation function, class T> GYAKU_INLINE vec<T> activate(vec<T> x, vec<T> alpha) {
  const vec<T> one(T(1));
  if constexpr (function == Activation::identity || function == Activation::dropped_relu) {
    return x;
  } else if constexpr (function == Activation::step) {
    return select(x > zero<T>(), one, select(x <= zero<T>(), zero<T>(), x));
  } else if constexpr (function == Activation::sigmoid) {
    return sigmoid(x);
  } else if constexpr (function == Activation::tanh) {
    return tanh(x);
  } else if constexpr (function == Activation::relu) {
    return max(zero<T>(), x);
  } else if constexpr (function == Activation::leaky_relu) {
    return select(x > zero<T>(), x, alpha * x);
  } else if constexpr (function == Activation::elu) {
    return select(x > zero<T>(), x, alpha * expm1(x));
  } else if constexpr (function == Activation::selu) {
    return vec<T>(selu_scale<T>) * select(x > zero<T>(), x, vec<T>(selu_alpha<T>) * expm1(x));
  } else if constexpr (function == Activation::gelu) {
    // x P(X <= x) = max(x, 0) - |x| P(X <= -|x|)
    const NormalTail<T> tail = normal_tail(abs(x));
    return max(zero<T>(), x) - tail.bell * tail.t * tail.mills;
  } else if constexpr (function == Activation::silu) {
    return max(vec<T>(-number<T>::exp_highest), x) * sigmoid(x); // 0 at -inf
  } else if constexpr (function == Activation::softplus) {
    return max(zero<T>(), x) + log1p_of_fraction(exp(-abs(x)));
  } else {
    static_assert(function == Activation::hard_sigmoid);
    return min(one, max(zero<T>(), x / vec<T>(T(6)) + vec<T>(T(0.5))));
  }
}

// dy times the derivative. `saved` is the input for gelu, silu and softplus, else the output.
template <Activation function, class T>
GYAKU_INLINE vec<T> differentiate(vec<T> dy, vec<T> saved, vec<T> alpha) {
  const vec<T> one(T(1));
  if constexpr (function == Activation::identity) {
    return dy;
  } else if constexpr (function == Activation::step) {
    return zero<T>();
  } else if constexpr (function == Activation::sigmoid) {
    return dy * (saved * (one - saved));
  } else if constexpr (function == Activation::tanh) {
    return dy * fma(-saved, saved, one);
  } else if constexpr (function == Activation::relu) {
    return select(saved > zero<T>(), dy, zero<T>());
  } else if constexpr (function == Activation::dropped_relu) {
    return select(saved > zero<T>(), alpha * dy, zero<T>());
  } else if constexpr (function == Activation::leaky_relu) {
    return select(saved > zero<T>(), dy, alpha * dy);
  } else if constexpr (function == Activation::elu) {
    return select(saved > zero<T>(), dy, dy * (saved + alpha));
  } else if constexpr (function == Activation::selu) {
    return select(saved > zero<T>(), vec<T>(selu_scale<T>) * dy,
                  dy * (saved + vec<T>(selu_scale<T> * selu_alpha<T>)));
  } else if constexpr (function == Activation::gelu) {
    // P(X <= x) + x density(x); at x and -x these add up to one
    const NormalTail<T> tail = normal_tail(abs(saved));
    const vec<T> slope = tail.bell * fma(-tail.t, vec<T>(tail.peak), tail.mills);
    return dy * select(saved > zero<T>(), one - slope, slope);
  } else if constexpr (function == Activation::silu) {
    const vec<T> s = sigmoid(saved);
    const vec<T> x = clamp(saved, -number<T>::exp_highest, number<T>::exp_highest);
    return dy * (s * fma(x, one - s, one));
  } else if constexpr (function == Activation::softplus) {
    return dy * sigmoid(saved);
  } else {
    static_assert(function == Activation::hard_sigmoid);
    return select((saved > zero<T>()) & (saved < one), dy * vec<T>(T(1) / T(6)), zero<T>());
  }
}

// Functions that tiles apply to their sums in registers. Others would need too many registers.
constexpr bool is_rectifier(Activation function) {
  return function == Activation::identity || function == Activation::relu ||
         function == Activation::dropped_relu;
}

template <Activation function> struct Chosen {};

// Calls f(Chosen<function>{}): the choice is made once, outside the loop over elements.
template <class F> GYAKU_INLINE void choose(Activation function, F f) {
  switch (function) {
#define GYAKU_ACTIVATION(name, flops, backward_flops)                                              \
  case Activation::name:                                                                           \
    return f(Chosen<Activation::name>{});
#include "kernels/args/activations.inc"
  case Activation::dropped_relu:
    return f(Chosen<Activation::dropped_relu>{});
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
