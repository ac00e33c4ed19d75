// The instructions of AVX-512 by their definition, for CPUs with AVX2: there the tests can run all
// widths, masks and remainders of the set avx512 (GYAKU_EMULATE in CMakeLists.txt). The same bits,
// slowly. The build includes this ahead of each kernel file. These functions, in the namespace of
// the set, hide those of <immintrin.h> that have the same names.
#pragma once

#include <cstdint>

#include <immintrin.h>

#if !defined(__FMA__) || defined(__AVX512F__)
#error "AVX-512 is emulated by AVX2 and FMA, where the compiler does not have it"
#endif
#define __AVX512F__ 1

#define GYAKU_EMULATED [[gnu::always_inline]] inline

namespace gyaku::GYAKU_ISA_NAME {
namespace {
namespace emulation {

typedef std::uint8_t Uint8x16 __attribute__((vector_size(16)));
typedef std::int16_t Int16x16 __attribute__((vector_size(32)));
typedef std::int32_t Int32x16 __attribute__((vector_size(64)));
typedef std::uint32_t Uint32x16 __attribute__((vector_size(64)));
typedef std::int64_t Int64x8 __attribute__((vector_size(64)));
typedef std::uint64_t Uint64x8 __attribute__((vector_size(64)));

// f(i) in each lane i whose bit is set, zero in the others. Not inlined: it would be compiled for
// each partial access of each kernel.
template <class V, class F> [[gnu::noinline]] V masked(unsigned mask, F f) {
  V y{};
  for (int i = 0; i < static_cast<int>(sizeof(V) / sizeof(V{}[0])); ++i)
    if (mask >> i & 1) y[i] = f(i);
  return y;
}
// x in the lanes whose bit is set; kernels set all of them.
template <class V> GYAKU_EMULATED V masked(unsigned mask, V x) {
  if (mask + 1 == 1u << sizeof(V) / sizeof(V{}[0])) return x;
  return masked<V>(mask, [&](int i) { return x[i]; });
}

// Only the lanes whose bit is set are read, or written.
template <class V, class T> V load(const void* p, unsigned mask) {
  return masked<V>(mask, [=](int i) {
    T lane;
    __builtin_memcpy(&lane, static_cast<const char*>(p) + i * sizeof(T), sizeof lane);
    return lane;
  });
}
template <class T, class V> [[gnu::noinline]] void store(void* p, unsigned mask, V x) {
  for (int i = 0; i < static_cast<int>(sizeof(V) / sizeof(T)); ++i)
    if (mask >> i & 1) {
      const T lane = x[i];
      __builtin_memcpy(static_cast<char*>(p) + i * sizeof(T), &lane, sizeof lane);
    }
}
// A bit for each negative lane.
template <class V> [[gnu::noinline]] unsigned signs(V x) {
  unsigned mask = 0;
  for (int i = 0; i < static_cast<int>(sizeof(V) / sizeof(x[0])); ++i)
    mask |= x[i] < 0 ? 1u << i : 0u;
  return mask;
}

// f of the lower and of the upper halves.
template <class Half, class F, class V, class... More>
GYAKU_EMULATED V by_halves(F f, V x, More... more) {
  struct Halves {
    Half low, high;
  };
  const auto of = [](V whole) { return __builtin_bit_cast(Halves, whole); };
  return __builtin_bit_cast(V,
                            Halves{f(of(x).low, of(more).low...), f(of(x).high, of(more).high...)});
}

// 2^n, for numbers with `digits` bits behind the binary point.
template <class T, class Bits, int digits> GYAKU_EMULATED T power_of_two(int n) {
  constexpr Bits bias = (Bits{1} << (8 * sizeof(T) - digits - 2)) - 1;
  return __builtin_bit_cast(T, (n + bias) << digits);
}
// a 2^floor(b). Of the three factors, of similar size, only the last can cause a rounding.
template <class T, class Bits, int digits> GYAKU_EMULATED T scaled(T a, T b) {
  constexpr T most = sizeof(T) == 4 ? 300 : 2200;
  if (b != b) return b;
  const T down = static_cast<T>(__builtin_floor(b));
  const int n = static_cast<int>(down < -most ? -most : down > most ? most : down);
  const int first = n / 3, second = (n - first) / 2, third = n - first - second;
  return a * power_of_two<T, Bits, digits>(first) * power_of_two<T, Bits, digits>(second) *
         power_of_two<T, Bits, digits>(third);
}

} // namespace emulation

GYAKU_EMULATED __m512 _mm512_set1_ps(float x) {
  return x - __m512{}; // -0 stays
}
GYAKU_EMULATED __m512d _mm512_set1_pd(double x) { return x - __m512d{}; }
GYAKU_EMULATED __m512i _mm512_set1_epi64(long long x) { return __m512i{} + x; }

GYAKU_EMULATED __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  const auto f = [](__m256 x, __m256 y, __m256 z) { return _mm256_fmadd_ps(x, y, z); };
  return emulation::by_halves<__m256>(f, a, b, c);
}
GYAKU_EMULATED __m512d _mm512_fmadd_pd(__m512d a, __m512d b, __m512d c) {
  const auto f = [](__m256d x, __m256d y, __m256d z) { return _mm256_fmadd_pd(x, y, z); };
  return emulation::by_halves<__m256d>(f, a, b, c);
}
GYAKU_EMULATED __m512 _mm512_maskz_max_ps(__mmask16 m, __m512 a, __m512 b) {
  const auto f = [](__m256 x, __m256 y) { return _mm256_max_ps(x, y); };
  return emulation::masked(m, emulation::by_halves<__m256>(f, a, b));
}
GYAKU_EMULATED __m512 _mm512_maskz_min_ps(__mmask16 m, __m512 a, __m512 b) {
  const auto f = [](__m256 x, __m256 y) { return _mm256_min_ps(x, y); };
  return emulation::masked(m, emulation::by_halves<__m256>(f, a, b));
}
GYAKU_EMULATED __m512 _mm512_maskz_sqrt_ps(__mmask16 m, __m512 x) {
  const auto f = [](__m256 half) { return _mm256_sqrt_ps(half); };
  return emulation::masked(m, emulation::by_halves<__m256>(f, x));
}
GYAKU_EMULATED __m512d _mm512_maskz_sqrt_pd(__mmask8 m, __m512d x) {
  const auto f = [](__m256d half) { return _mm256_sqrt_pd(half); };
  return emulation::masked(m, emulation::by_halves<__m256d>(f, x));
}
GYAKU_EMULATED __m512 _mm512_maskz_scalef_ps(__mmask16 m, __m512 a, __m512 b) {
  return emulation::masked<__m512>(
      m, [&](int i) { return emulation::scaled<float, std::int32_t, 23>(a[i], b[i]); });
}
GYAKU_EMULATED __m512d _mm512_maskz_scalef_pd(__mmask8 m, __m512d a, __m512d b) {
  return emulation::masked<__m512d>(
      m, [&](int i) { return emulation::scaled<double, std::int64_t, 52>(a[i], b[i]); });
}
// The products of the lower halves of the lanes.
GYAKU_EMULATED __m512i _mm512_maskz_mul_epu32(__mmask8 m, __m512i a, __m512i b) {
  using emulation::Uint64x8;
  const std::uint64_t low = 0xffffffff;
  return __m512i(emulation::masked(m, (Uint64x8(a) & low) * (Uint64x8(b) & low)));
}

GYAKU_EMULATED __m512i _mm512_maskz_loadu_epi32(__mmask16 m, const void* p) {
  return __m512i(emulation::load<emulation::Int32x16, std::int32_t>(p, m));
}
GYAKU_EMULATED __m512i _mm512_maskz_loadu_epi64(__mmask8 m, const void* p) {
  return __m512i(emulation::load<emulation::Int64x8, std::int64_t>(p, m));
}
GYAKU_EMULATED __m128i _mm_maskz_loadu_epi8(__mmask16 m, const void* p) {
  return __m128i(emulation::load<emulation::Uint8x16, std::uint8_t>(p, m));
}
GYAKU_EMULATED __m128 _mm_maskz_loadu_ps(__mmask8 m, const void* p) {
  return emulation::load<__m128, float>(p, m);
}
GYAKU_EMULATED void _mm512_mask_storeu_epi32(void* p, __mmask16 m, __m512i x) {
  emulation::store<std::int32_t>(p, m, emulation::Int32x16(x));
}
GYAKU_EMULATED void _mm512_mask_storeu_epi64(void* p, __mmask8 m, __m512i x) {
  emulation::store<std::int64_t>(p, m, emulation::Int64x8(x));
}
GYAKU_EMULATED void _mm_mask_storeu_epi8(void* p, __mmask16 m, __m128i x) {
  emulation::store<std::uint8_t>(p, m, emulation::Uint8x16(x));
}

// The sign of each lane.
GYAKU_EMULATED __mmask16 _mm512_movepi32_mask(__m512i x) {
  return static_cast<__mmask16>(emulation::signs(emulation::Int32x16(x)));
}
GYAKU_EMULATED __mmask8 _mm512_movepi64_mask(__m512i x) {
  return static_cast<__mmask8>(emulation::signs(emulation::Int64x8(x)));
}

// The lanes of the mask, one after the other; zero behind them.
GYAKU_EMULATED __m512i _mm512_maskz_compress_epi32(__mmask16 m, __m512i x) {
  const auto from = emulation::Int32x16(x);
  emulation::Int32x16 y{};
  int count = 0;
  for (int i = 0; i < 16; ++i)
    if (m >> i & 1) y[count++] = from[i];
  return __m512i(y);
}
// Lanes of two vectors: the index's lowest bits choose a lane, the next one a vector.
GYAKU_EMULATED __m512i _mm512_permutex2var_epi32(__m512i a, __m512i index, __m512i b) {
  const auto at = emulation::Int32x16(index), first = emulation::Int32x16(a),
             second = emulation::Int32x16(b);
  return __m512i(emulation::masked<emulation::Int32x16>(
      0xffff, [&](int i) { return (at[i] & 16 ? second : first)[at[i] & 15]; }));
}
GYAKU_EMULATED __m512i _mm512_permutex2var_epi64(__m512i a, __m512i index, __m512i b) {
  const auto at = emulation::Int64x8(index), first = emulation::Int64x8(a),
             second = emulation::Int64x8(b);
  return __m512i(emulation::masked<emulation::Int64x8>(
      0xff, [&](int i) { return (at[i] & 8 ? second : first)[at[i] & 7]; }));
}
// Lanes of each quarter by themselves.
GYAKU_EMULATED __m512 _mm512_maskz_permutevar_ps(__mmask16 m, __m512 x, __m512i index) {
  const auto at = emulation::Int32x16(index);
  return emulation::masked<__m512>(m, [&](int i) { return x[(i & ~3) | (at[i] & 3)]; });
}
GYAKU_EMULATED __m512 _mm512_maskz_broadcast_f32x4(__mmask16 m, __m128 x) {
  return emulation::masked<__m512>(m, [&](int i) { return x[i & 3]; });
}

// Conversions: widened with zeros, or cut off.
GYAKU_EMULATED __m512i _mm512_maskz_cvtepu8_epi32(__mmask16 m, __m128i x) {
  const auto from = emulation::Uint8x16(x);
  return __m512i(emulation::masked<emulation::Int32x16>(m, [&](int i) { return from[i]; }));
}
GYAKU_EMULATED __m512i _mm512_maskz_cvtepu8_epi64(__mmask8 m, __m128i x) {
  const auto from = emulation::Uint8x16(x);
  return __m512i(emulation::masked<emulation::Int64x8>(m, [&](int i) { return from[i]; }));
}
GYAKU_EMULATED __m128i _mm512_maskz_cvtepi32_epi8(__mmask16 m, __m512i x) {
  const auto from = emulation::Int32x16(x);
  return __m128i(emulation::masked<emulation::Uint8x16>(
      m, [&](int i) { return static_cast<std::uint8_t>(from[i]); }));
}
GYAKU_EMULATED __m128i _mm512_maskz_cvtepi64_epi8(__mmask8 m, __m512i x) {
  const auto from = emulation::Int64x8(x);
  return __m128i(emulation::masked<emulation::Uint8x16>(
      m, [&](int i) { return i < 8 ? static_cast<std::uint8_t>(from[i & 7]) : 0; }));
}
GYAKU_EMULATED __m256i _mm512_maskz_cvtepi32_epi16(__mmask16 m, __m512i x) {
  const auto from = emulation::Int32x16(x);
  return __m256i(emulation::masked<emulation::Int16x16>(
      m, [&](int i) { return static_cast<std::int16_t>(from[i]); }));
}

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
