// Elementary functions on vectors: exp, expm1, log, log1p, tanh, sigmoid, erf and the normal
// distribution's tail. Subnormal numbers count as zero, on the way in and on the way out.
//
// The polynomials are minimax approximations made for this file: Remez exchange on the relative
// error of the function, in 60-digit arithmetic, coefficients rounded to nearest at the end. Every
// step that must be exact is exact without a fused multiply-add as well.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// ln 2 = ln2_high + ln2_low, where ln2_high is so short that its product with any exponent is
// exact. Adding `integers` rounds to an integer in the low bits of the sum.
template <class T> struct number;
template <> struct number<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr std::int32_t bias = 127;
  static constexpr std::int32_t bits_of_root_half = 0x3f3504f3;
  static constexpr float smallest = 0x1p-126f;
  static constexpr float infinity = __builtin_inff();
  static constexpr float integers = 0x1.8p23f;
  static constexpr float log2_e = 0x1.715476p+0f;
  static constexpr float ln2_high = 0x1.63p-1f;
  static constexpr float ln2_low = -0x1.bd0106p-13f;
  static constexpr float exp_highest = 0x1.62e42ep+6f; // beyond, exp rounds to infinity
  static constexpr float exp_lowest = -0x1.5d589ep+6f; // below, exp is subnormal
  static constexpr float tail_end = 92.0f;             // -x e^-x is subnormal
  static constexpr int tail_scale = 7;                 // 2^7 e^-92 is not
};
template <> struct number<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr std::int64_t bias = 1023;
  static constexpr std::int64_t bits_of_root_half = 0x3fe6a09e667f3bcd;
  static constexpr double smallest = 0x1p-1022;
  static constexpr double infinity = __builtin_inf();
  static constexpr double integers = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep+0;
  static constexpr double ln2_high = 0x1.62e42ffp-1;
  static constexpr double ln2_low = -0x1.718432a1b0e26p-35;
  static constexpr double exp_highest = 0x1.62e42fefa39efp+9;
  static constexpr double exp_lowest = -0x1.6232bdd7abcd2p+9;
  static constexpr double tail_end = 715.0;
  static constexpr int tail_scale = 10;
};

// c0 + c1 x + c2 x^2 + ..., in pairs of terms: a chain of half the length, on which vectors that
// overlap in the processor wait less.
template <class T> GYAKU_INLINE vec<T> in_pairs(vec<T>, vec<T>, T c0) { return vec<T>(c0); }
template <class T> GYAKU_INLINE vec<T> in_pairs(vec<T> x, vec<T>, T c0, T c1) {
  return fma(vec<T>(c1), x, vec<T>(c0));
}
template <class T, class... Rest>
GYAKU_INLINE vec<T> in_pairs(vec<T> x, vec<T> square, T c0, T c1, T c2, Rest... rest) {
  return fma(in_pairs<T>(x, square, c2, rest...), square, in_pairs<T>(x, square, c0, c1));
}
template <class T, class... Rest> GYAKU_INLINE vec<T> polynomial(vec<T> x, Rest... coefficients) {
  return in_pairs<T>(x, x * x, coefficients...);
}

// (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2; 0.2 ULP of e^r - 1.
GYAKU_INLINE vec<float> exp_rest(vec<float> r) {
  return polynomial(r, 0x1p-1f, 0x1.5554bp-3f, 0x1.555486p-5f, 0x1.122832p-7f, 0x1.6d9964p-10f);
}
GYAKU_INLINE vec<double> exp_rest(vec<double> r) {
  return polynomial(r, 0x1.0000000000005p-1, 0x1.555555555555cp-3, 0x1.55555555520cbp-5,
                    0x1.111111110e690p-7, 0x1.6c16c17f42f93p-10, 0x1.a01a01b5f2247p-13,
                    0x1.a019a660d7ae8p-16, 0x1.71dde9c73a312p-19, 0x1.28a2d238c6fa8p-22,
                    0x1.af77139997373p-26);
}

// x = n ln 2 + r, |r| <= ln(2) / 2; n is in the low bits of `shifted`, `minus_one` is e^r - 1.
template <class T> struct Exponential {
  vec<T> n, shifted, minus_one;
  // 2^(n + offset), which has to be a normal number.
  GYAKU_INLINE vec<T> power(integer<T> offset = 0) const {
    return from_bits<T>((bits(shifted) + vec<integer<T>>(number<T>::bias + offset))
                        << number<T>::mantissa_bits);
  }
};
// The exponential of x, or of x + low, where `low` is a small correction.
template <class T, class... Low> GYAKU_INLINE Exponential<T> exponential(vec<T> x, Low... low) {
  using N = number<T>;
  const vec<T> shifted = fma(x, vec<T>(N::log2_e), vec<T>(N::integers));
  const vec<T> n = shifted - vec<T>(N::integers);
  const vec<T> nearly = fma(n, vec<T>(-N::ln2_low), fma(n, vec<T>(-N::ln2_high), x));
  const vec<T> r = (nearly + ... + low);
  return {n, shifted, fma(r * r, exp_rest(r), r)};
}

// Within [low, high]; NaN stays.
template <class T> GYAKU_INLINE vec<T> clamp(vec<T> x, T low, T high) {
  return max(vec<T>(low), min(vec<T>(high), x));
}

template <class T> GYAKU_INLINE vec<T> exp(vec<T> x) {
  using N = number<T>;
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  const Exponential<T> e = exponential(clamp(x, N::exp_lowest - 1, N::exp_highest + 1));
  const vec<T> significand = vec<T>(T(1)) + e.minus_one;
  if constexpr (sizeof(T) == 4)
    return typename vec<T>::native(_mm512_maskz_scalef_ps(__mmask16(-1), significand.v, e.n.v));
  else
    return typename vec<T>::native(_mm512_maskz_scalef_pd(__mmask8(-1), significand.v, e.n.v));
#else
  const Exponential<T> e = exponential(x);
  const vec<T> significand = vec<T>(T(1)) + e.minus_one;
  const vec<T> y = from_bits<T>(bits(significand) + (bits(e.shifted) << N::mantissa_bits));
  const vec<T> not_tiny = select(x >= vec<T>(N::exp_lowest), y, zero<T>());
  return select(x <= vec<T>(N::exp_highest), not_tiny, x + vec<T>(N::infinity));
#endif
}

template <class T> GYAKU_INLINE vec<T> expm1(vec<T> x) {
  using N = number<T>;
  const Exponential<T> e = exponential(clamp(x, T(-40), N::exp_highest));
  // Half of the result, since 2^n itself may overflow.
  const vec<T> half = fma(e.power(-1), e.minus_one, e.power(-1) - vec<T>(T(0.5)));
  const vec<T> y = select(x > vec<T>(N::exp_highest), vec<T>(N::infinity), half + half);
  return select(abs(x) < vec<T>(T(1) / (T(4) * N::integers)), x, y);
}

// 1 + e^x for x in the range of `power`: one rounding more than e^r - 1.
template <class T> GYAKU_INLINE vec<T> one_plus_exp(vec<T> x) {
  const Exponential<T> e = exponential(x);
  const vec<T> power = e.power();
  return fma(power, e.minus_one, power + vec<T>(T(1)));
}

// 2^tail_scale e^x for -tail_end <= x < exp_highest / 2.
template <class T> GYAKU_INLINE vec<T> exp_scaled(vec<T> x) {
  const Exponential<T> e = exponential(x);
  // A product of the power and the rest alone would be subnormal, and lost where those are zero.
  return e.power(number<T>::tail_scale) * (vec<T>(T(1)) + e.minus_one);
}

// 2^scale / (1 + e^minus_x).
template <int scale, class T> GYAKU_INLINE vec<T> scaled_logistic(vec<T> minus_x) {
  const Exponential<T> e = exponential(minus_x);
  const vec<T> unit(T(1) / T(1 << scale));
  // The error of the sum 1 + 2^n matters where the two are 24 (or 53) binary places apart.
  const vec<T> power = e.power(-scale), sum = power + unit, lost = unit - (sum - power);
  return vec<T>(T(1)) / (sum + fma(power, e.minus_one, lost));
}
// 1 / (1 + e^-x). Where the quotient would be subnormal it is flushed to zero.
template <class T> GYAKU_INLINE vec<T> sigmoid(vec<T> x) {
  return scaled_logistic<0>(clamp(-x, T(-40), number<T>::exp_highest - T(0.5)));
}
// 2^tail_scale times as much, down to -tail_end.
template <class T> GYAKU_INLINE vec<T> sigmoid_scaled(vec<T> x) {
  using N = number<T>;
  return scaled_logistic<N::tail_scale>(clamp(-x, T(-40), N::tail_end));
}

// (tanh(sqrt z) / sqrt z - 1) / z on sqrt z <= 0.55
GYAKU_INLINE vec<float> tanh_rest(vec<float> z) {
  return polynomial(z, -0x1.55554cp-2f, 0x1.110d3cp-3f, -0x1.b92bc2p-5f, 0x1.5956bep-6f,
                    -0x1.9bbb4cp-8f);
}
GYAKU_INLINE vec<double> tanh_rest(vec<double> z) {
  return polynomial(z, -0x1.555555555554fp-2, 0x1.11111111107ebp-3, -0x1.ba1ba1b981b0ap-5,
                    0x1.664f485a55307p-6, -0x1.226e2f30b316ap-7, 0x1.d6d29fe65250ap-9,
                    -0x1.7d90098b5fbe4p-10, 0x1.34855dbbc68dap-11, -0x1.e9807b4d57fa3p-13,
                    0x1.5da31f47974e2p-14, -0x1.4781fd7a18847p-16);
}

template <class T> GYAKU_INLINE vec<T> tanh(vec<T> x) {
  const vec<T> a = abs(x), z = a * a;
  const vec<T> near = fma(a * z, tanh_rest(z), a);
  const vec<T> far = vec<T>(T(1)) - vec<T>(T(2)) / one_plus_exp(min(vec<T>(T(40)), a + a));
  return copysign(select(a < vec<T>(T(0.55)), near, far), x);
}

// log(1 + f) + exponent ln 2 for sqrt(1/2) <= 1 + f <= sqrt(2).
GYAKU_INLINE vec<float> log_sum(vec<float> f, vec<float> exponent) {
  using N = number<float>;
  const vec<float> rest =
      polynomial(f, 0x1.55554ap-2f, -0x1.00022p-2f, 0x1.99a59ap-3f, -0x1.547872p-3f, 0x1.226dfp-3f,
                 -0x1.0ce132p-3f, 0x1.07d3aep-3f, -0x1.41f07ap-4f);
  const vec<float> z = f * f;
  const vec<float> curve = z * fma(f, rest, vec<float>(-0.5f));
  return fma(exponent, vec<float>(N::ln2_high), f + fma(exponent, vec<float>(N::ln2_low), curve));
}
GYAKU_INLINE vec<double> log_sum(vec<double> f, vec<double> exponent) {
  using N = number<double>;
  // log((1 + s) / (1 - s)) = 2 s + s^3 R(s^2) with s = f / (2 + f)
  const vec<double> s = f / (vec<double>(2.0) + f), z = s * s;
  const vec<double> rest = polynomial(
      z, 0x1.5555555555593p-1, 0x1.999999997fccfp-2, 0x1.24924941ff64bp-2, 0x1.c71c51fcbed2cp-3,
      0x1.746641b1b2df0p-3, 0x1.39a16e0c1cb57p-3, 0x1.2f08959613fcep-3);
  const vec<double> half_square = vec<double>(0.5) * f * f;
  const vec<double> curve = s * fma(z, rest, half_square) - half_square; // 2 s = f - s f
  return fma(exponent, vec<double>(N::ln2_high), f + fma(exponent, vec<double>(N::ln2_low), curve));
}

// x = 2^exponent (1 + f) for normal x > 0.
template <class T> struct Significand {
  vec<T> f, exponent;
  vec<integer<T>> exponent_bits; // the exponent, in place
};
template <class T> GYAKU_INLINE Significand<T> significand(vec<T> x) {
  using N = number<T>;
  using I = vec<integer<T>>;
  constexpr integer<T> low_bits = (integer<T>(1) << N::mantissa_bits) - 1;
  const I exponent = (bits(x) - I(N::bits_of_root_half)) & I(~low_bits);
  const vec<T> n = from_bits<T>((exponent >> N::mantissa_bits) + bits(vec<T>(N::integers))) -
                   vec<T>(N::integers);
  return {from_bits<T>(bits(x) - exponent) - vec<T>(T(1)), n, exponent};
}

template <class T> GYAKU_INLINE vec<T> log(vec<T> x) {
  using N = number<T>;
  const Significand<T> s = significand(x);
  const vec<T> y = log_sum(s.f, s.exponent);
  // Infinity and NaN as they are, 0 to -infinity, negative numbers to NaN.
  const vec<T> finite = select(x >= vec<T>(N::smallest), y, vec<T>(-N::infinity));
  const vec<T> nan = vec<T>(N::infinity) - vec<T>(N::infinity);
  return select(x < vec<T>(N::infinity), select(x <= vec<T>(-N::smallest), nan, finite), x);
}

template <class T> GYAKU_INLINE vec<T> log1p(vec<T> x) {
  using N = number<T>;
  const vec<T> one(T(1)), u = one + x;
  const Significand<T> s = significand(u);
  // (1 + x) 2^-n - 1 without the rounding of 1 + x; exactly x where n = 0.
  const vec<T> scale = from_bits<T>(bits(one) - s.exponent_bits);
  const vec<T> f = select(x < vec<T>(N::integers), fma(scale, x, scale - one), s.f);
  const vec<T> y = log_sum(f, s.exponent);
  const vec<T> nan = vec<T>(N::infinity) - vec<T>(N::infinity);
  const vec<T> pole = select(u < zero<T>(), nan, vec<T>(-N::infinity));
  const vec<T> finite = select(u > zero<T>(), y, pole);
  return copysign(select(x < vec<T>(N::infinity), finite, x), x);
}

// log(1 + x) for 0 <= x <= 1, or NaN.
template <class T> GYAKU_INLINE vec<T> log1p_of_fraction(vec<T> x) {
  const vec<T> half(T(0.5));
  const mask<T> large = x > vec<T>(T(0.41421356));
  return log_sum(select(large, fma(half, x, -half), x), select(large, vec<T>(T(1)), zero<T>()));
}

// e^(x^2) erfc(x) for x >= 0: a polynomial in (x - 3) / (x + 3) over x + 3.
GYAKU_INLINE vec<float> erfc_scaled(vec<float> x) {
  const vec<float> reciprocal = vec<float>(1.0f) / (x + vec<float>(3.0f));
  return reciprocal * polynomial((x - vec<float>(3.0f)) * reciprocal, 0x1.12f21ep+0f,
                                 -0x1.c44c48p-1f, 0x1.2e3268p-1f, -0x1.3dead2p-2f, 0x1.e9971ap-4f,
                                 -0x1.b7bc62p-6f, -0x1.412e94p-10f, 0x1.93aca2p-9f,
                                 -0x1.fd2b42p-12f, -0x1.56710ap-12f);
}
GYAKU_INLINE vec<double> erfc_scaled(vec<double> x) {
  const vec<double> reciprocal = vec<double>(1.0) / (x + vec<double>(3.0));
  return reciprocal *
         polynomial((x - vec<double>(3.0)) * reciprocal, 0x1.12f21ddd9f5e2p+0,
                    -0x1.c44c471baa375p-1, 0x1.2e326945de2a4p-1, -0x1.3deb21415dd62p-2,
                    0x1.e995f11b19366p-4, -0x1.b78993d69d88ap-6, -0x1.3dd3e71cbf608p-10,
                    0x1.8dae3a1d7a9b9p-9, -0x1.1f78e021142c4p-11, -0x1.2238fb4cbf3fcp-12,
                    0x1.c324f6c2c5015p-14, 0x1.fdfe9c7a8b992p-16, -0x1.25166e7bc36f7p-16,
                    -0x1.3eaefa4d05927p-18, 0x1.72be3bcb2d09ep-19, 0x1.0bc702143ac82p-20,
                    -0x1.b065e7647871ap-22, -0x1.efd8841d86022p-23, 0x1.5ddc056011e5fp-25,
                    0x1.964911d5f1247p-25, 0x1.fdc0abdff9f18p-30, -0x1.9908b8ee0f729p-28,
                    -0x1.7c8f42c1579b6p-30);
}

// erf(sqrt z) / sqrt z on sqrt z <= 1; its value at 0 in two parts.
GYAKU_INLINE vec<float> erf_near(vec<float> z) {
  return vec<float>(0x1.2p+0f) + polynomial(z, 0x1.baea080000000p-9f, -0x1.81273ep-2f,
                                            0x1.ce2cf8p-4f, -0x1.b7f910p-6f, 0x1.5405bep-8f,
                                            -0x1.a3f71ep-11f, 0x1.496a12p-14f);
}
GYAKU_INLINE vec<double> erf_near(vec<double> z) {
  return vec<double>(0x1.2p+0) +
         polynomial(z, 0x1.baea08536da23p-9, -0x1.812746b0379e6p-2, 0x1.ce2f21a042b21p-4,
                    -0x1.b82ce312849afp-6, 0x1.565bcd0db0530p-8, -0x1.c02db3d8f264ep-11,
                    0x1.f9a321a195b9dp-14, -0x1.f4d1df40274b3p-17, 0x1.b9def1de3f8ebp-20,
                    -0x1.5f1d38354a7c9p-23, 0x1.f7a41b6768ef8p-27, -0x1.386acc14bb471p-30,
                    0x1.0579a08899394p-34);
}

template <class T> GYAKU_INLINE vec<T> erf(vec<T> x) {
  const vec<T> a = min(vec<T>(T(6)), abs(x)), z = a * a;
  const Exponential<T> e = exponential(-z);
  const vec<T> far = vec<T>(T(1)) - fma(e.power(), e.minus_one, e.power()) * erfc_scaled(a);
  return copysign(select(a < vec<T>(T(1)), a * erf_near(z), far), x);
}

// The standard normal distribution at -t, t >= 0: P(X < -t) = bell mills, its density is bell peak.
// `bell` is 256 e^(-t^2 / 2), so that a product is a normal number wherever its value is one.
template <class T> struct NormalTail {
  vec<T> t, bell, mills; // t is cut where all is zero
  static constexpr T peak = T(0x1.9884533d43651p-10);
};
template <class T> GYAKU_INLINE NormalTail<T> normal_tail(vec<T> distance) {
  constexpr T highest = sizeof(T) == 4 ? T(13.5) : T(37.75);
  constexpr integer<T> high_bits = ~((integer<T>(1) << (number<T>::mantissa_bits / 2 + 1)) - 1);
  const vec<T> t = min(vec<T>(highest), distance);
  // t^2 = high^2 + (t - high)(t + high), the first term exact: the tail keeps its relative
  // accuracy.
  const vec<T> high = from_bits<T>(bits(t) & vec<integer<T>>(high_bits));
  const vec<T> minus_half(T(-0.5));
  const Exponential<T> e =
      exponential(minus_half * high * high, minus_half * (t - high) * (t + high));
  const vec<T> power = e.power(8);
  return {t, fma(power, e.minus_one, power),
          vec<T>(T(0x1p-9)) * erfc_scaled(t * vec<T>(T(0x1.6a09e667f3bcdp-1)))};
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
