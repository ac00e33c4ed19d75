// Elements narrower than a lane, and pixels of few channels picked out of two vectors, for pooling.
#pragma once

#include "simd/vec.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

template <class T> using lanes = vec<integer<T>>;

// As many narrow elements as a vector has lanes.
template <class N, class T> struct narrow_of {
  typedef N type __attribute__((vector_size(vec<T>::width * sizeof(N))));
};
template <class N, class T> using narrow = typename narrow_of<N, T>::type;

// Widened to lanes, and back. Compilers unpack bytes one by one unless told how.
template <class T, class N> GYAKU_INLINE lanes<T> widened(narrow<N, T> x) {
#if !defined(GYAKU_SCALAR) && defined(__SSE4_1__)
  if constexpr (sizeof(N) == 1) {
    using native = typename lanes<T>::native;
    constexpr bool four = sizeof(T) == 4;
    __m128i bytes{};
    __builtin_memcpy(&bytes, &x, sizeof x);
#if defined(__AVX512F__)
    if constexpr (four)
      return native(_mm512_maskz_cvtepu8_epi32(__mmask16(-1), bytes));
    else
      return native(_mm512_maskz_cvtepu8_epi64(__mmask8(-1), bytes));
#elif defined(__AVX2__)
    return native(four ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepu8_epi64(bytes));
#else
    return native(four ? _mm_cvtepu8_epi32(bytes) : _mm_cvtepu8_epi64(bytes));
#endif
  }
#endif
  return __builtin_convertvector(x, typename lanes<T>::native);
}
template <class T, class N> GYAKU_INLINE narrow<N, T> narrowed(lanes<T> x) {
#if !defined(GYAKU_SCALAR) && defined(__SSE4_1__)
  if constexpr (sizeof(N) == 1) {
    constexpr bool four = sizeof(T) == 4;
    __m128i bytes;
#if defined(__AVX512F__)
    if constexpr (four)
      bytes = _mm512_maskz_cvtepi32_epi8(__mmask16(-1), __m512i(x.v));
    else
      bytes = _mm512_maskz_cvtepi64_epi8(__mmask8(-1), __m512i(x.v));
#else
    // The lowest byte of each lane, moved to the front of its half.
    const __m128i first = four ? _mm_set1_epi32(0x0c080400) : _mm_set1_epi16(0x0800);
#if defined(__AVX2__)
    const __m128i low = _mm_shuffle_epi8(_mm256_castsi256_si128(__m256i(x.v)), first);
    const __m128i high = _mm_shuffle_epi8(_mm256_extracti128_si256(__m256i(x.v), 1), first);
    bytes = four ? _mm_unpacklo_epi32(low, high) : _mm_unpacklo_epi16(low, high);
#else
    bytes = _mm_shuffle_epi8(__m128i(x.v), first);
#endif
#endif
    narrow<N, T> y;
    __builtin_memcpy(&y, &bytes, sizeof y);
    return y;
  }
#endif
  return __builtin_convertvector(x.v, narrow<N, T>);
}

// The first n elements in memory, zero in the other lanes.
template <class T, class N> GYAKU_INLINE lanes<T> load_narrow(const N* p, int n) {
  narrow<N, T> x{};
  if (n == vec<T>::width) {
    __builtin_memcpy(&x, p, sizeof x);
    return widened<T, N>(x);
  }
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  if constexpr (sizeof(N) == 1) {
    const __m128i bytes = _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n) - 1), p);
    __builtin_memcpy(&x, &bytes, sizeof x);
    return widened<T, N>(x);
  }
#endif
#pragma GCC unroll 8
  for (int i = 0; i < vec<T>::width; ++i)
    if (i < n) x[i] = p[i];
  return widened<T, N>(x);
}

template <class T, class N> GYAKU_INLINE void store_narrow(N* p, lanes<T> x, int n) {
  const narrow<N, T> y = narrowed<T, N>(x);
  if (n == vec<T>::width) {
    __builtin_memcpy(p, &y, sizeof y);
    return;
  }
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  if constexpr (sizeof(N) == 1) {
    __m128i bytes{};
    __builtin_memcpy(&bytes, &y, sizeof y);
    return _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << n) - 1), bytes);
  }
#endif
#pragma GCC unroll 8
  for (int i = 0; i < vec<T>::width; ++i)
    if (i < n) p[i] = y[i];
}

// Lane i takes element index[i] of two vectors.
template <class T> GYAKU_INLINE vec<T> pick(vec<T> a, vec<T> b, lanes<T> index) {
#if !defined(GYAKU_SCALAR) && defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return typename vec<T>::native(
        _mm512_permutex2var_epi32(__m512i(a.v), __m512i(index.v), __m512i(b.v)));
  else
    return typename vec<T>::native(
        _mm512_permutex2var_epi64(__m512i(a.v), __m512i(index.v), __m512i(b.v)));
#else
#if !defined(GYAKU_SCALAR) && defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    using native = typename lanes<T>::native;
    const lanes<T> low = native(_mm256_permutevar8x32_epi32(__m256i(a.v), __m256i(index.v)));
    const lanes<T> high = native(_mm256_permutevar8x32_epi32(__m256i(b.v), __m256i(index.v)));
    return from_bits<T>(select(index < lanes<T>(integer<T>(vec<T>::width)), low, high));
  }
#endif
  constexpr int width = vec<T>::width;
  T both[2 * width];
  store(both, a);
  store(both + width, b);
  vec<T> x;
#pragma GCC unroll 8
  for (int i = 0; i < width; ++i) x.v[i] = both[index.v[i]];
  return x;
#endif
}

// Lane i takes element index[i] of the four at p.
template <class T> GYAKU_INLINE vec<T> pick_of_four(const T* p, lanes<T> index) {
#if !defined(GYAKU_SCALAR) && defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m128 four = _mm_loadu_ps(p);
#if defined(__AVX512F__)
    constexpr __mmask16 all(-1);
    return typename vec<T>::native(
        _mm512_maskz_permutevar_ps(all, _mm512_maskz_broadcast_f32x4(all, four), __m512i(index.v)));
#else
    return
        typename vec<T>::native(_mm256_permutevar_ps(_mm256_broadcast_ps(&four), __m256i(index.v)));
#endif
  }
#endif
  vec<T> x;
#pragma GCC unroll 8
  for (int i = 0; i < vec<T>::width; ++i) x.v[i] = p[index.v[i] & 3];
  return x;
}

// Calls f(index, count) for vectors that cover `count` elements. The last one may overlap the one
// before it, which is faster than a partial vector.
template <class T, class F> GYAKU_INLINE void cover(std::int64_t count, F f) {
  constexpr int width = vec<T>::width;
  std::int64_t i = 0;
  for (; i + width <= count; i += width) f(i, width);
  if (i == count) return;
  if (count > width)
    f(count - width, width);
  else
    f(0, static_cast<int>(count));
}

// The elements of a vector in memory: contiguous, ...
template <class T> struct Run {
  int count;
  GYAKU_INLINE vec<T> read(const T* p) const { return load(p, count); }
  template <class N> GYAKU_INLINE lanes<T> read_narrow(const N* p) const {
    return load_narrow<T>(p, count);
  }
};
// ... or gathered from the first `span` elements of two vectors, by `index`.
template <class T> struct Picked {
  int count, span;
  lanes<T> index;
  GYAKU_INLINE vec<T> read(const T* p) const {
    constexpr int width = vec<T>::width;
    const int ahead = span < width ? span : width;
    return pick(load_partial(p, ahead), load_partial(p + width, span - ahead), index);
  }
  template <class N> GYAKU_INLINE lanes<T> read_narrow(const N* p) const {
    constexpr int width = vec<T>::width;
    const int ahead = span < width ? span : width;
    return pick(load_narrow<T>(p, ahead), load_narrow<T>(p + width, span - ahead), index);
  }
};

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
