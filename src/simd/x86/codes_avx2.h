/* What codecs do at both ends of a register, as in codes_avx512vnni.h. */
#ifndef QNT__SIMD_X86_CODES_AVX2_H
#define QNT__SIMD_X86_CODES_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "../quotient.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4")

/* Two lines, 32 floats. */
INLINE void prefetch_32(const float *x, size_t ahead)
{
    _mm_prefetch((const void *)((uintptr_t)x + ahead), _MM_HINT_T0);
    _mm_prefetch((const void *)((uintptr_t)(x + 16) + ahead), _MM_HINT_T0);
}

/* The low halves of 16 numbers, in order; packing saturates, so the high halves are cleared before. */
INLINE __m256i low_words(__m256i a, __m256i b)
{
    const __m256i low = _mm256_set1_epi32(0xffff);
    __m256i both = _mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    return _mm256_permute4x64_epi64(both, _MM_SHUFFLE(3, 1, 2, 0));
}

/* Bytes packed twice from four registers, which leaves them lane by lane. */
INLINE __m256i order_bytes(__m256i bytes)
{
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* Codes of 4 bits, lane by lane like these, as packed pairs of neighbours, and their order. */
INLINE __m256i pack_pairs(__m256i a, __m256i b)
{
    const __m256i pairs = _mm256_set1_epi16(1 | 16 << 8);
    return _mm256_packus_epi16(_mm256_maddubs_epi16(a, pairs), _mm256_maddubs_epi16(b, pairs));
}

INLINE __m256i order_pairs(__m256i packed)
{
    const __m128i words = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
    packed = _mm256_permute4x64_epi64(packed, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm256_shuffle_epi8(packed, _mm256_broadcastsi128_si256(words));
}

/* 32 numbers from 0 to 255 as bytes, in order. */
INLINE __m256i join_bytes(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i ab = _mm256_packus_epi32(a, b), cd = _mm256_packus_epi32(c, d);
    return order_bytes(_mm256_packus_epi16(ab, cd));
}

/* The low bytes of 32 numbers, in order. */
INLINE __m256i low_bytes(const __m256i v[4])
{
    const __m256i low = _mm256_set1_epi32(0xff);
    return join_bytes(_mm256_and_si256(v[0], low), _mm256_and_si256(v[1], low),
                      _mm256_and_si256(v[2], low), _mm256_and_si256(v[3], low));
}

/* Stores of whole registers; streamed where the address allows it, in halves if need be. */
INLINE void put_32(void *to, __m256i v, bool stream)
{
    __m128i *half = to;
    if (stream && (uintptr_t)to % 32 == 0) {
        _mm256_stream_si256(to, v);
    } else if (stream && (uintptr_t)to % 16 == 0) {
        _mm_stream_si128(half, _mm256_castsi256_si128(v));
        _mm_stream_si128(half + 1, _mm256_extracti128_si256(v, 1));
    } else {
        _mm256_storeu_si256(to, v);
    }
}

/* 32 codes of 8 or 16 bits. */
INLINE void put_32_codes_8(const __m256i code[4], uint8_t *y, bool stream)
{
    put_32(y, low_bytes(code), stream);
}

INLINE void put_32_codes_16(const __m256i code[4], uint16_t *y, bool stream)
{
    put_32(y, low_words(code[0], code[1]), stream);
    put_32(y + 16, low_words(code[2], code[3]), stream);
}

#endif
