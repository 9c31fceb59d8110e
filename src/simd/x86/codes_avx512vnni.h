/*
 * What codecs do at both ends of a register: floats are prefetched, 32-bit numbers become bytes or
 * words, and results may go past the caches, so that no line is read before it is overwritten.
 */
#ifndef QNT__SIMD_X86_CODES_AVX512VNNI_H
#define QNT__SIMD_X86_CODES_AVX512VNNI_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "../quotient.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4")

INLINE void prefetch_at(const void *x, size_t ahead)
{
    _mm_prefetch((const void *)((uintptr_t)x + ahead), _MM_HINT_T0);
}

INLINE void prefetch(const void *x)
{
    prefetch_at(x, QNT__AHEAD);
}

INLINE __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1u);
}

/* Bytes packed twice from four registers, which leaves them lane by lane. */
INLINE __m512i order_bytes(__m512i bytes)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, bytes);
}

/* 64 numbers from 0 to 255 as bytes, in order. */
INLINE __m512i join_bytes(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab = _mm512_packus_epi32(a, b), cd = _mm512_packus_epi32(c, d);
    return order_bytes(_mm512_packus_epi16(ab, cd));
}

/* The low bytes of 64 numbers, in order; packing saturates, so the others are cleared before. */
INLINE __m512i low_bytes(const __m512i v[4])
{
    const __m512i low = _mm512_set1_epi32(0xff);
    return join_bytes(_mm512_and_si512(v[0], low), _mm512_and_si512(v[1], low),
                      _mm512_and_si512(v[2], low), _mm512_and_si512(v[3], low));
}

/* The low halves of 32 numbers, in order. */
INLINE __m512i low_words(__m512i a, __m512i b)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7),
                  low = _mm512_set1_epi32(0xffff);
    __m512i both = _mm512_packus_epi32(_mm512_and_si512(a, low), _mm512_and_si512(b, low));
    return _mm512_permutexvar_epi64(order, both);
}

INLINE bool aligned(const void *to, size_t to_what)
{
    return (uintptr_t)to % to_what == 0;
}

/* Stores of whole registers; streamed where the address allows it, which for large blocks of malloc() is
 * in quarters. */
INLINE void put_64(void *to, __m512i v, bool stream)
{
    if (stream && aligned(to, 64)) {
        _mm512_stream_si512(to, v);
    } else if (stream && aligned(to, 16)) {
        __m128i *quarter = to;
        _mm_stream_si128(quarter, _mm512_castsi512_si128(v));
        _mm_stream_si128(quarter + 1, _mm512_extracti32x4_epi32(v, 1));
        _mm_stream_si128(quarter + 2, _mm512_extracti32x4_epi32(v, 2));
        _mm_stream_si128(quarter + 3, _mm512_extracti32x4_epi32(v, 3));
    } else {
        _mm512_storeu_si512(to, v);
    }
}

/* 64 codes of 8 or 16 bits. */
INLINE void put_64_codes_8(const __m512i code[4], uint8_t *to, bool stream)
{
    put_64(to, low_bytes(code), stream);
}

INLINE void put_64_codes_16(const __m512i code[4], uint16_t *to, bool stream)
{
    put_64(to, low_words(code[0], code[1]), stream);
    put_64(to + 32, low_words(code[2], code[3]), stream);
}

/* Up to sixteen codes; a store with a mask takes longer. */
INLINE void put_some_8(__m512i code, uint8_t *to, __mmask16 some)
{
    if (some == 0xffff) _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(code));
    else _mm512_mask_cvtepi32_storeu_epi8(to, some, code);
}

INLINE void put_some_16(__m512i code, uint16_t *to, __mmask16 some)
{
    if (some == 0xffff) _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(code));
    else _mm512_mask_cvtepi32_storeu_epi16(to, some, code);
}

#endif
