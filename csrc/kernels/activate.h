// The activation functions and their derivatives, on one vector at a time.
//
// `y` is the function of x; `dx` is dy times its derivative, from what the forward pass saves: the
// output y or the input x, as the row in python/gyaku/ops/activation.py says. `Flops` counts the
// floating-point operations of an element forward and backward, where an elementary function is
// one; `Alpha` is the range of its parameter, if there is one. The build lists them in
// activations.inc, from the lines that begin with `template <> struct Function` and name them.
//
// NaN in, NaN out: `max` and `min` keep their second operand where a comparison fails.
#pragma once

#include "kernels/args/activation.h"
#include "simd/math.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <int forward, int backward, Alpha = Alpha::none> struct Flops {};
template <Activation> struct Function;

template <class T> GYAKU_INLINE vec<T> one() { return vec<T>(T(1)); }

// x e^x is a normal number where e^x is none: there the exponentials are multiplied by
// 2^tail_scale, and the result by this.
template <class T> constexpr T scale_back = T(1) / T(1 << number<T>::tail_scale);

template <> struct Function<Activation::identity> : Flops<0, 0> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) { return x; }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T>, vec<T>) { return dy; }
};

template <> struct Function<Activation::step> : Flops<1, 0> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    return select(x > zero<T>(), one<T>(), select(x <= zero<T>(), zero<T>(), x));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T>, vec<T>, vec<T>) { return zero<T>(); }
};

template <> struct Function<Activation::sigmoid> : Flops<3, 3> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) { return sigmoid(x); }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T>) {
    return dy * (y * (one<T>() - y));
  }
};

template <> struct Function<Activation::tanh> : Flops<1, 3> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) { return tanh(x); }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T>) {
    return dy * fma(-y, y, one<T>());
  }
};

template <> struct Function<Activation::relu> : Flops<1, 1> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) { return max(zero<T>(), x); }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T>) {
    return select(y <= zero<T>(), zero<T>(), dy);
  }
};

template <> struct Function<Activation::leaky_relu> : Flops<2, 2, Alpha::any> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T> alpha) {
    return select(x > zero<T>(), x, alpha * x);
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T> alpha) {
    return select(y <= zero<T>(), alpha * dy, dy);
  }
};

template <> struct Function<Activation::elu> : Flops<4, 4, Alpha::nonnegative> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T> alpha) {
    return select(x > zero<T>(), x, alpha * expm1(x));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T> alpha) {
    return select(x > zero<T>(), dy, dy * (alpha * exp(x)));
  }
};

template <> struct Function<Activation::selu> : Flops<5, 4> {
  // Klambauer et al. 2017: the fixed point of mean 0 and variance 1.
  template <class T> static constexpr T scale = T(1.0507009873554804934193349852946);
  template <class T> static constexpr T alpha = T(1.6732632423543772848170429916717);

  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    return vec<T>(scale<T>) * select(x > zero<T>(), x, vec<T>(alpha<T>) * expm1(x));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    return dy * select(x > zero<T>(), vec<T>(scale<T>), vec<T>(scale<T> * alpha<T>) * exp(x));
  }
};

template <> struct Function<Activation::gelu> : Flops<5, 11> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    // x P(X <= x) = max(x, 0) - |x| P(X <= -|x|)
    const NormalTail<T> tail = normal_tail(abs(x));
    return max(zero<T>(), x) - tail.bell * tail.t * tail.mills;
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    // P(X <= x) + x density(x); at x and -x these add up to one
    const NormalTail<T> tail = normal_tail(abs(x));
    const vec<T> slope = tail.bell * fma(-tail.t, vec<T>(tail.peak), tail.mills);
    return dy * select(x > zero<T>(), one<T>() - slope, slope);
  }
};

template <> struct Function<Activation::gelu_tanh> : Flops<10, 17> {
  // (1 + tanh(u / 2)) / 2 = sigmoid(u)
  template <class T>
  static constexpr T slope = T(1.5957691216057307117597842397375); // 2 sqrt(2/pi)
  template <class T> static constexpr T cubic = slope<T> * T(0.044715);
  template <class T> static constexpr T highest = T(40); // beyond which the sigmoid is 0 or 1

  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    const vec<T> u = x * fma(x * x, vec<T>(cubic<T>), vec<T>(slope<T>));
    return max(vec<T>(-highest<T>), x) * sigmoid(u); // 0 at -inf
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    const vec<T> near = clamp(x, -highest<T>, highest<T>), square = near * near;
    const vec<T> s = sigmoid(near * fma(square, vec<T>(cubic<T>), vec<T>(slope<T>)));
    const vec<T> du = fma(square, vec<T>(T(3) * cubic<T>), vec<T>(slope<T>));
    return dy * (s * fma(near * du, one<T>() - s, one<T>()));
  }
};

template <> struct Function<Activation::silu> : Flops<4, 8> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    const vec<T> tail = max(vec<T>(-number<T>::tail_end), x) * sigmoid_scaled(x);
    return select(x > vec<T>(number<T>::tail_end), x, tail * vec<T>(scale_back<T>));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    const vec<T> scaled = sigmoid_scaled(x), back(scale_back<T>);
    const vec<T> finite = clamp(x, -number<T>::tail_end, number<T>::tail_end);
    return dy * (scaled * fma(finite, one<T>() - scaled * back, one<T>()) * back);
  }
};

template <> struct Function<Activation::softplus> : Flops<3, 4> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    return max(zero<T>(), x) + log1p_of_fraction(exp(-abs(x)));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    return dy * sigmoid(x);
  }
};

template <> struct Function<Activation::hard_sigmoid> : Flops<4, 3> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    return min(one<T>(), max(zero<T>(), x / vec<T>(T(6)) + vec<T>(T(0.5))));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T>) {
    return select((y <= zero<T>()) | (y >= one<T>()), zero<T>(), dy * vec<T>(T(1) / T(6)));
  }
};

template <> struct Function<Activation::mish> : Flops<6, 15> {
  // tanh(softplus(x)) = n / (n + 2) with n = e^x (e^x + 2); 1 beyond
  template <class T> static constexpr T highest = T(40);

  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    const vec<T> two(T(2)), near = clamp(x, -number<T>::tail_end, highest<T>);
    const vec<T> scaled = exp_scaled(near), e = scaled * vec<T>(scale_back<T>);
    const vec<T> n = e * (e + two), tail = near * (scaled * (e + two) / (n + two));
    return select(x > vec<T>(highest<T>), x, tail * vec<T>(scale_back<T>));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    const vec<T> two(T(2)), back(scale_back<T>), near = clamp(x, -number<T>::tail_end, highest<T>);
    const vec<T> scaled = exp_scaled(near), e = scaled * back;
    const vec<T> part = one<T>() / (e * (e + two) + two);
    // its derivative is 4 e^x (e^x + 1) / (n + 2)^2, whose denominator would overflow
    const vec<T> slope = (two * part) * (two * (scaled * (e + one<T>())) * part);
    return dy * (fma(near, slope, scaled * (e + two) * part) * back);
  }
};

template <> struct Function<Activation::hard_swish> : Flops<5, 5> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    const vec<T> above = clamp(x + vec<T>(T(3)), T(0), T(6));
    return max(vec<T>(T(-3)), x) * (above / vec<T>(T(6))); // 0 at -inf
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T>) {
    const vec<T> inner = dy * fma(x, vec<T>(T(1) / T(3)), vec<T>(T(0.5)));
    const vec<T> rising = select(x >= vec<T>(T(3)), dy, inner);
    return select(x <= vec<T>(T(-3)), zero<T>(), rising);
  }
};

template <> struct Function<Activation::softsign> : Flops<3, 4> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) {
    const vec<T> finite = clamp(x, T(-0x1p60), T(0x1p60)); // where it is 1 to all digits
    return finite / (one<T>() + abs(finite));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T>) {
    const vec<T> rest = one<T>() - abs(y); // 1 / (1 + |x|)
    return dy * (rest * rest);
  }
};

template <> struct Function<Activation::celu> : Flops<5, 4, Alpha::positive> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T> alpha) {
    return select(x > zero<T>(), x, alpha * expm1(x / alpha));
  }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> x, vec<T> alpha) {
    return select(x > zero<T>(), dy, dy * exp(x / alpha));
  }
};

// Only as a derivative, which see in args/activation.h.
template <> struct Function<Activation::dropped_relu> {
  template <class T> GYAKU_INLINE static vec<T> y(vec<T> x, vec<T>) { return x; }
  template <class T> GYAKU_INLINE static vec<T> dx(vec<T> dy, vec<T> y, vec<T> alpha) {
    return select(y <= zero<T>(), zero<T>(), alpha * dy);
  }
};

template <Activation function, class T> GYAKU_INLINE vec<T> activate(vec<T> x, vec<T> alpha) {
  return Function<function>::y(x, alpha);
}

template <Activation function, class T>
GYAKU_INLINE vec<T> differentiate(vec<T> dy, vec<T> saved, vec<T> alpha) {
  return Function<function>::dx(dy, saved, alpha);
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
#define GYAKU_ACTIVATION(name, ...)                                                                \
  case Activation::name:                                                                           \
    return f(Chosen<Activation::name>{});
#include "activations.inc"
  case Activation::dropped_relu:
    return f(Chosen<Activation::dropped_relu>{});
  }
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
