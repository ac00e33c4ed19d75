// The vector type. One file per instruction set is compiled from the same source; the compiler's
// flags decide the width, intrinsics appear only where vector extensions have no word for it.
//
// Everything lives in a namespace named after the instruction set, with an anonymous one inside, so
// that no function compiled for one CPU can be merged with its twin compiled for another.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(GYAKU_SCALAR)
#elif defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef GYAKU_ISA_NAME
#error "compile kernels with -DGYAKU_ISA_NAME=<instruction set>"
#endif

#define GYAKU_INLINE [[gnu::always_inline]] inline
// Behind the parameters of a lambda: for one with many accesses, each of which would ask for the
// number of its lanes.
#define GYAKU_INLINED __attribute__((always_inline))

namespace gyaku::GYAKU_ISA_NAME {
namespace {

#if defined(GYAKU_SCALAR)
template <class T> constexpr int vector_bytes = sizeof(T);
#elif defined(__AVX512F__)
template <class T> constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
template <class T> constexpr int vector_bytes = 32;
#else
template <class T> constexpr int vector_bytes = 16;
#endif

// The signed integer of the same size, for comparisons and bit patterns.
template <int bytes> struct integer_of;
template <> struct integer_of<4> {
  using type = std::int32_t;
};
template <> struct integer_of<8> {
  using type = std::int64_t;
};
template <class T> using integer = typename integer_of<sizeof(T)>::type;

template <class T> struct native_of {
  typedef T type __attribute__((vector_size(vector_bytes<T>)));
};

// The type of sums: signed overflow is undefined, unsigned wraps around.
template <class T> struct wrapping_of {
  using type = T;
};
template <> struct wrapping_of<std::int32_t> {
  using type = std::uint32_t;
};
template <> struct wrapping_of<std::int64_t> {
  using type = std::uint64_t;
};

// A vector of `width` elements. Operators act on each lane.
template <class T> struct vec {
  static constexpr int width = vector_bytes<T> / static_cast<int>(sizeof(T));
  using native = typename native_of<T>::type;
  using wrapping = typename native_of<typename wrapping_of<T>::type>::type;
  native v;

  vec() = default;
  GYAKU_INLINE vec(native x) : v(x) {}
  GYAKU_INLINE vec(T x) : v(native{} + x) {} // x + (+0): exact but for -0, see `broadcast`

  GYAKU_INLINE friend vec operator+(vec a, vec b) { return native(wrapping(a.v) + wrapping(b.v)); }
  GYAKU_INLINE friend vec operator-(vec a, vec b) { return native(wrapping(a.v) - wrapping(b.v)); }
  GYAKU_INLINE friend vec operator*(vec a, vec b) { return a.v * b.v; }
  GYAKU_INLINE friend vec operator/(vec a, vec b) { return a.v / b.v; }
  GYAKU_INLINE friend vec operator-(vec a) { return -a.v; }
  GYAKU_INLINE friend vec operator&(vec a, vec b)
    requires(T(1) / 2 == 0)
  {
    return a.v & b.v;
  }
  GYAKU_INLINE friend vec operator|(vec a, vec b)
    requires(T(1) / 2 == 0)
  {
    return a.v | b.v;
  }
  GYAKU_INLINE friend vec operator^(vec a, vec b)
    requires(T(1) / 2 == 0)
  {
    return a.v ^ b.v;
  }
  GYAKU_INLINE friend vec operator<<(vec a, int n)
    requires(T(1) / 2 == 0)
  {
    return a.v << n;
  }
  GYAKU_INLINE friend vec operator>>(vec a, int n)
    requires(T(1) / 2 == 0)
  {
    return a.v >> n;
  }
};

// The result of a comparison: all bits of a lane set, or none.
template <class T> struct mask {
  using native = typename native_of<integer<T>>::type;
  native v;
  GYAKU_INLINE mask(native x) : v(x) {}
  GYAKU_INLINE friend mask operator&(mask a, mask b) { return a.v & b.v; }
  GYAKU_INLINE friend mask operator|(mask a, mask b) { return a.v | b.v; }
  GYAKU_INLINE friend mask operator!(mask a) { return ~a.v; }
};

template <class T> GYAKU_INLINE mask<T> operator<(vec<T> a, vec<T> b) { return a.v < b.v; }
template <class T> GYAKU_INLINE mask<T> operator<=(vec<T> a, vec<T> b) { return a.v <= b.v; }
template <class T> GYAKU_INLINE mask<T> operator>(vec<T> a, vec<T> b) { return a.v > b.v; }
template <class T> GYAKU_INLINE mask<T> operator>=(vec<T> a, vec<T> b) { return a.v >= b.v; }
template <class T> GYAKU_INLINE mask<T> operator==(vec<T> a, vec<T> b) { return a.v == b.v; }
template <class T> GYAKU_INLINE mask<T> operator!=(vec<T> a, vec<T> b) { return a.v != b.v; }

template <class T> GYAKU_INLINE vec<T> select(mask<T> m, vec<T> yes, vec<T> no) {
  return m.v ? yes.v : no.v;
}

template <class T> GYAKU_INLINE vec<T> load(const T* p) {
  vec<T> x;
  __builtin_memcpy(&x.v, p, sizeof x.v);
  return x;
}
template <class T> GYAKU_INLINE void store(T* p, vec<T> x) {
  __builtin_memcpy(p, &x.v, sizeof x.v);
}
template <class T> GYAKU_INLINE vec<T> zero() { return typename vec<T>::native{}; }

// A lane-exact splat (the converting constructor turns -0 into +0).
GYAKU_INLINE vec<float> broadcast(float x) {
#if defined(GYAKU_SCALAR)
  return vec<float>::native{x};
#elif defined(__AVX512F__)
  return vec<float>::native(_mm512_set1_ps(x));
#elif defined(__AVX2__)
  return vec<float>::native(_mm256_set1_ps(x));
#else
  return vec<float>::native{x, x, x, x};
#endif
}
GYAKU_INLINE vec<double> broadcast(double x) {
#if defined(GYAKU_SCALAR)
  return vec<double>::native{x};
#elif defined(__AVX512F__)
  return vec<double>::native(_mm512_set1_pd(x));
#elif defined(__AVX2__)
  return vec<double>::native(_mm256_set1_pd(x));
#else
  return vec<double>::native{x, x};
#endif
}

// a * b + c, rounded once where the instruction set can. Contraction by the compiler is switched
// off, so this is the only place where a product and a sum become one.
GYAKU_INLINE vec<float> fma(vec<float> a, vec<float> b, vec<float> c) {
#if defined(GYAKU_SCALAR)
  return a * b + c;
#elif defined(__AVX512F__)
  return vec<float>::native(_mm512_fmadd_ps(a.v, b.v, c.v));
#elif defined(__FMA__)
  return vec<float>::native(_mm256_fmadd_ps(a.v, b.v, c.v));
#elif defined(__aarch64__)
  return vec<float>::native(vfmaq_f32(c.v, a.v, b.v));
#else
  return a * b + c;
#endif
}
GYAKU_INLINE vec<double> fma(vec<double> a, vec<double> b, vec<double> c) {
#if defined(GYAKU_SCALAR)
  return a * b + c;
#elif defined(__AVX512F__)
  return vec<double>::native(_mm512_fmadd_pd(a.v, b.v, c.v));
#elif defined(__FMA__)
  return vec<double>::native(_mm256_fmadd_pd(a.v, b.v, c.v));
#elif defined(__aarch64__)
  return vec<double>::native(vfmaq_f64(c.v, a.v, b.v));
#else
  return a * b + c;
#endif
}
// Whether `fma` rounds once. Range reductions that need the exact remainder ask this.
#if !defined(GYAKU_SCALAR) && (defined(__FMA__) || defined(__aarch64__))
constexpr bool fma_is_exact = true;
#else
constexpr bool fma_is_exact = false;
#endif

// a > b ? a : b and a < b ? a : b, lane by lane: where a comparison fails (NaN, equal zeros) the
// SECOND operand is taken, as the x86 instructions do.
template <class T> GYAKU_INLINE vec<T> max(vec<T> a, vec<T> b) { return select(a > b, a, b); }
template <class T> GYAKU_INLINE vec<T> min(vec<T> a, vec<T> b) { return select(a < b, a, b); }
// The masked forms with all lanes on: the plain ones trip a false warning in gcc 12's header.
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
GYAKU_INLINE vec<float> max(vec<float> a, vec<float> b) {
  return vec<float>::native(_mm512_maskz_max_ps(__mmask16(-1), a.v, b.v));
}
GYAKU_INLINE vec<float> min(vec<float> a, vec<float> b) {
  return vec<float>::native(_mm512_maskz_min_ps(__mmask16(-1), a.v, b.v));
}
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
GYAKU_INLINE vec<float> max(vec<float> a, vec<float> b) {
  return vec<float>::native(_mm256_max_ps(a.v, b.v));
}
GYAKU_INLINE vec<float> min(vec<float> a, vec<float> b) {
  return vec<float>::native(_mm256_min_ps(a.v, b.v));
}
#endif

GYAKU_INLINE vec<float> sqrt(vec<float> x) {
#if defined(GYAKU_SCALAR)
  return vec<float>::native{__builtin_sqrtf(x.v[0])};
#elif defined(__AVX512F__)
  return vec<float>::native(_mm512_maskz_sqrt_ps(__mmask16(-1), x.v));
#elif defined(__AVX2__)
  return vec<float>::native(_mm256_sqrt_ps(x.v));
#elif defined(__x86_64__)
  return vec<float>::native(_mm_sqrt_ps(x.v));
#else
  return vec<float>::native(vsqrtq_f32(x.v));
#endif
}
GYAKU_INLINE vec<double> sqrt(vec<double> x) {
#if defined(GYAKU_SCALAR)
  return vec<double>::native{__builtin_sqrt(x.v[0])};
#elif defined(__AVX512F__)
  return vec<double>::native(_mm512_maskz_sqrt_pd(__mmask8(-1), x.v));
#elif defined(__AVX2__)
  return vec<double>::native(_mm256_sqrt_pd(x.v));
#elif defined(__x86_64__)
  return vec<double>::native(_mm_sqrt_pd(x.v));
#else
  return vec<double>::native(vsqrtq_f64(x.v));
#endif
}

// The bits of a lane as integers, and back.
template <class T> GYAKU_INLINE vec<integer<T>> bits(vec<T> x) {
  return typename vec<integer<T>>::native(x.v);
}
template <class T> GYAKU_INLINE vec<T> from_bits(vec<integer<T>> x) {
  return typename vec<T>::native(x.v);
}
// Conversion between integer and floating lanes of the same size (towards zero on the way down).
template <class T> GYAKU_INLINE vec<T> to_float(vec<integer<T>> x) {
  return __builtin_convertvector(x.v, typename vec<T>::native);
}
template <class T> GYAKU_INLINE vec<integer<T>> to_integer(vec<T> x) {
  return __builtin_convertvector(x.v, typename vec<integer<T>>::native);
}

template <class T> GYAKU_INLINE vec<T> abs(vec<T> x) {
  constexpr integer<T> all_but_sign =
      static_cast<integer<T>>(~(std::uint64_t{1} << (8 * sizeof(T) - 1)));
  return from_bits<T>(bits(x) & vec<integer<T>>(all_but_sign));
}
// |x| with the sign of `sign`.
template <class T> GYAKU_INLINE vec<T> copysign(vec<T> x, vec<T> sign) {
  constexpr integer<T> only_sign = static_cast<integer<T>>(std::uint64_t{1} << (8 * sizeof(T) - 1));
  return from_bits<T>((bits(x) & vec<integer<T>>(static_cast<integer<T>>(~only_sign))) |
                      (bits(sign) & vec<integer<T>>(only_sign)));
}

// 0, 1, 2, ... in the lanes.
template <class T> GYAKU_INLINE vec<T> iota() {
  typename vec<T>::native x;
  for (int i = 0; i < vec<T>::width; ++i) x[i] = static_cast<T>(i);
  return x;
}

// The first `n` lanes from memory, zero in the others; nothing behind p[n - 1] is read.
template <class T> GYAKU_INLINE vec<T> load_partial(const T* p, int n) {
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const auto m = static_cast<__mmask16>((1u << n) - 1);
    return typename vec<T>::native(_mm512_maskz_loadu_epi32(m, p));
  } else {
    const auto m = static_cast<__mmask8>((1u << n) - 1);
    return typename vec<T>::native(_mm512_maskz_loadu_epi64(m, p));
  }
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
  const auto m = (iota<integer<T>>() < vec<integer<T>>(static_cast<integer<T>>(n))).v;
  if constexpr (sizeof(T) == 4)
    return
        typename vec<T>::native(_mm256_maskload_epi32(reinterpret_cast<const int*>(p), __m256i(m)));
  else
    return typename vec<T>::native(
        _mm256_maskload_epi64(reinterpret_cast<const long long*>(p), __m256i(m)));
#else
  vec<T> x = zero<T>();
#pragma GCC unroll 4
  for (int i = 0; i < vec<T>::width; ++i) // not a call of memcpy
    if (i < n) x.v[i] = p[i];
  return x;
#endif
}
// Stores the first `n` lanes; nothing behind them is written.
template <class T> GYAKU_INLINE void store_partial(T* p, vec<T> x, int n) {
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1), __m512i(x.v));
  else
    _mm512_mask_storeu_epi64(p, static_cast<__mmask8>((1u << n) - 1), __m512i(x.v));
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
  const auto m = (iota<integer<T>>() < vec<integer<T>>(static_cast<integer<T>>(n))).v;
  if constexpr (sizeof(T) == 4)
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), __m256i(m), __m256i(x.v));
  else
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), __m256i(m), __m256i(x.v));
#else
#pragma GCC unroll 4
  for (int i = 0; i < vec<T>::width; ++i)
    if (i < n) p[i] = x.v[i];
#endif
}

// A few elements as a vector and back, without masks: a processor would wait for the stores of
// single elements before it loads them as a vector, and for those of a masked vector before it
// loads single elements. For rows of a sample or two, which pass from kernel to kernel at once.
template <class T> constexpr int few = vec<T>::width < 4 ? vec<T>::width : 3;
template <class T, class F> GYAKU_INLINE vec<T> make_few(std::int64_t n, F element) {
  vec<T> x = zero<T>();
#pragma GCC unroll 3
  for (int j = 0; j < few<T>; ++j)
    if (j < n) x.v[j] = element(j);
  return x;
}
template <class T> GYAKU_INLINE vec<T> load_few(const T* p, std::int64_t n) {
  return make_few<T>(n, [=](int j) { return p[j]; });
}
template <class T> GYAKU_INLINE void store_few(T* p, vec<T> x, std::int64_t n) {
#pragma GCC unroll 3
  for (int j = 0; j < few<T>; ++j)
    if (j < n) p[j] = x.v[j];
}

// The integers 0, 1, ... as template arguments.
template <int... i> struct Integers {};
template <int n, int... i> struct Count : Count<n - 1, n - 1, i...> {};
template <int... i> struct Count<0, i...> {
  using type = Integers<i...>;
};

// a0 b0 a1 b1 ... from the lower halves; the same from the upper halves.
template <int first, class T, int... i>
GYAKU_INLINE vec<T> interleave(vec<T> a, vec<T> b, Integers<i...>) {
  return __builtin_shufflevector(a.v, b.v, (first + i / 2 + (i % 2) * vec<T>::width)...);
}
template <class T> GYAKU_INLINE vec<T> interleave_low(vec<T> a, vec<T> b) {
  return interleave<0>(a, b, typename Count<vec<T>::width>::type{});
}
template <class T> GYAKU_INLINE vec<T> interleave_high(vec<T> a, vec<T> b) {
  return interleave<vec<T>::width / 2>(a, b, typename Count<vec<T>::width>::type{});
}

// Lane i takes lane i ^ distance.
template <int distance, class T, int... i> GYAKU_INLINE vec<T> exchange(vec<T> x, Integers<i...>) {
  return __builtin_shufflevector(x.v, x.v, (i ^ distance)...);
}
// The sum of all lanes, in every lane; added in a fixed tree that depends on the width alone.
template <class T, int distance = vec<T>::width / 2> GYAKU_INLINE vec<T> add_across(vec<T> x) {
  if constexpr (distance == 0)
    return x;
  else
    return add_across<T, distance / 2>(
        x + exchange<distance>(x, typename Count<vec<T>::width>::type{}));
}
// The largest lane, in every lane; with a NaN in a lane, NaN or the largest of some others.
template <class T, int distance = vec<T>::width / 2> GYAKU_INLINE vec<T> max_across(vec<T> x) {
  if constexpr (distance == 0)
    return x;
  else
    return max_across<T, distance / 2>(
        max(x, exchange<distance>(x, typename Count<vec<T>::width>::type{})));
}
template <class T> GYAKU_INLINE T first(vec<T> x) { return x.v[0]; }
template <class T> GYAKU_INLINE T reduce_add(vec<T> x) { return first(add_across(x)); }

#if defined(__AVX2__) && !defined(__AVX512F__)
// The indices of the set bits of a byte, a byte each.
struct SetBits {
  std::uint64_t of[256];
  constexpr SetBits() : of{} {
    for (unsigned set = 0; set < 256; ++set)
      for (unsigned bit = 8; bit-- > 0;)
        if (set >> bit & 1) of[set] = of[set] << 8 | bit;
  }
};
constexpr SetBits set_bits;
#endif

// A bit for each lane that is set.
template <class T> GYAKU_INLINE unsigned set_lanes(mask<T> m) {
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_movepi32_mask(__m512i(m.v));
  else
    return _mm512_movepi64_mask(__m512i(m.v));
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return static_cast<unsigned>(_mm256_movemask_ps(__m256(m.v)));
  else
    return static_cast<unsigned>(_mm256_movemask_pd(__m256d(m.v)));
#else
  unsigned set = 0;
  for (int i = 0; i < vec<T>::width; ++i) set |= m.v[i] != 0 ? 1u << i : 0u;
  return set;
#endif
}
// The first lane that is set, or the width if there is none.
template <class T> GYAKU_INLINE int first_set(mask<T> m) {
  const unsigned set = set_lanes(m);
  return set == 0 ? vec<T>::width : __builtin_ctz(set);
}
// begin + i for each lane i that is set, in ascending order; returns their number. Up to 16
// elements are written in any case.
template <class T> GYAKU_INLINE int store_set(std::uint16_t* to, mask<T> m, int begin) {
  const unsigned set = set_lanes(m);
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  const auto numbers = __m512i((iota<std::int32_t>() + vec<std::int32_t>(begin)).v);
  const __m512i kept = _mm512_maskz_compress_epi32(static_cast<__mmask16>(set), numbers);
  const __m256i narrow = _mm512_maskz_cvtepi32_epi16(__mmask16(-1), kept);
  __builtin_memcpy(to, &narrow, sizeof narrow);
  return __builtin_popcount(set);
#elif !defined(GYAKU_SCALAR) && defined(__AVX2__)
  static_assert(vec<T>::width <= 8);
  const __m128i bits =
      _mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<long long>(set_bits.of[set])));
  const __m128i kept = _mm_add_epi16(bits, _mm_set1_epi16(static_cast<short>(begin)));
  __builtin_memcpy(to, &kept, sizeof kept);
  return __builtin_popcount(set);
#else
  int count = 0;
  for (int i = 0; i < vec<T>::width; ++i) {
    to[count] = static_cast<std::uint16_t>(begin + i);
    count += static_cast<int>(set >> i & 1);
  }
  return count;
#endif
}

// Calls f(index, count) for the whole vectors of [begin, end), then for the remainder. In float64,
// which serves checks, both share one copy of the body.
template <class T, class F>
GYAKU_INLINE void for_each_vector(std::int64_t begin, std::int64_t end, F f) {
  constexpr int width = vec<T>::width;
  std::int64_t i = begin;
  if constexpr (sizeof(T) == sizeof(double)) {
    for (; i < end; i += width) f(i, end - i < width ? static_cast<int>(end - i) : width);
    return;
  }
  for (; i + width <= end; i += width) f(i, width);
  if (i < end) f(i, static_cast<int>(end - i));
}
// Whole or partial access by the count from `for_each_vector`.
template <class T> GYAKU_INLINE vec<T> load(const T* p, int n) {
  return n == vec<T>::width ? load(p) : load_partial(p, n);
}
template <class T> GYAKU_INLINE void store(T* p, vec<T> x, int n) {
  if (n == vec<T>::width)
    store(p, x);
  else
    store_partial(p, x, n);
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
