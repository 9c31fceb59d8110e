/*
 * Encoding floats of one group by the affine scheme, 64 at a time.
 *
 * A division takes sixteen cycles for a vector, which is more than memory does. So the quotient is first
 * approximated by a product with 1 / scale: near an integer both round alike, and only where the product
 * comes close to the middle between two codes, or is no number, one has to divide (quotient.h).
 */
#ifndef QNT__SIMD_X86_ENCODE_AVX512VNNI_H
#define QNT__SIMD_X86_ENCODE_AVX512VNNI_H

#include "../quotient.h"
#include "codes_avx512vnni.h"

/* Parameters of sixteen elements; the zero points are broadcast if they belong to one group. */
struct group {
    __m512 scale, offset, low, high, inverse, limit;
    __m512i zero;
};

/* A NaN stays one. */
INLINE __m512 clamp(const struct group *g, __m512 t)
{
    return _mm512_min_ps(g->high, _mm512_max_ps(g->low, t));
}

INLINE __m512i divide(const struct group *g, __m512 x)
{
    x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    return _mm512_cvtps_epi32(clamp(g, _mm512_div_ps(_mm512_sub_ps(x, g->offset), g->scale)));
}

/* Codes less the zero point: the low 16 bits of the rounded product. */
INLINE __m512i steps_16(const struct group *g, __m512 x, __mmask16 *doubtful)
{
    const __m512 shift = _mm512_set1_ps(QNT__TO_INTEGER);
    __m512 t = clamp(g, _mm512_mul_ps(_mm512_sub_ps(x, g->offset), g->inverse));
    __m512 sum = _mm512_add_ps(t, shift);
    __m512 apart = _mm512_abs_ps(_mm512_sub_ps(t, _mm512_sub_ps(sum, shift)));
    *doubtful |= _mm512_cmp_ps_mask(apart, g->limit, _CMP_NLT_UQ);
    return _mm512_castps_si512(sum);
}

INLINE void steps_64(const struct group *g, const float *x, __m512i steps[4])
{
    __mmask16 doubtful = 0;
    UNROLL for (int k = 0; k < 4; k++) {
        prefetch(x + 16 * k);
        steps[k] = steps_16(g, _mm512_loadu_ps(x + 16 * k), &doubtful);
    }
    if (__builtin_expect(doubtful, 0)) {
        steps[0] = divide(g, _mm512_loadu_ps(x));
        steps[1] = divide(g, _mm512_loadu_ps(x + 16));
        steps[2] = divide(g, _mm512_loadu_ps(x + 32));
        steps[3] = divide(g, _mm512_loadu_ps(x + 48));
    }
}

INLINE __m512i codes_16(const struct group *g, __m512 x)
{
    __mmask16 doubtful = 0;
    __m512i steps = steps_16(g, x, &doubtful);
    if (__builtin_expect(doubtful, 0)) steps = divide(g, x);
    return _mm512_add_epi32(steps, g->zero);
}

/* ---- storing ---- */

INLINE void put_codes_8(__m512i code, uint8_t *to, bool stream)
{
    __m128i v = _mm512_cvtepi32_epi8(code);
    if (stream && aligned(to, 16)) _mm_stream_si128((__m128i *)to, v);
    else _mm_storeu_si128((__m128i *)to, v);
}

INLINE void put_codes_16(__m512i code, uint16_t *to, bool stream)
{
    __m256i v = _mm512_cvtepi32_epi16(code);
    if (stream && aligned(to, 32)) _mm256_stream_si256((__m256i *)to, v);
    else _mm256_storeu_si256((__m256i *)to, v);
}

/* ---- n elements of a group ---- */

#define ENCODE_GROUP(width, type)                                                                  \
    INLINE void encode_group_##width(const struct group *g, const float *x, size_t n, type *codes, \
                                     bool stream)                                                  \
    {                                                                                              \
        const int32_t zero = _mm512_cvtsi512_si32(g->zero);                                        \
        size_t i = 0;                                                                              \
        for (; i + 64 <= n; i += 64) {                                                             \
            __m512i steps[4];                                                                      \
            steps_64(g, x + i, steps);                                                             \
            put_64_steps_##width(steps, zero, codes + i, stream);                                  \
        }                                                                                          \
        for (; i + 16 <= n; i += 16) {                                                             \
            prefetch(x + i);                                                                       \
            put_codes_##width(codes_16(g, _mm512_loadu_ps(x + i)), codes + i, stream);             \
        }                                                                                          \
        if (i >= n) return;                                                                        \
        const __mmask16 some = first_lanes(n - i);                                                 \
        put_some_##width(codes_16(g, _mm512_maskz_loadu_ps(some, x + i)), codes + i, some);        \
    }

ENCODE_GROUP(8, uint8_t)
ENCODE_GROUP(16, uint16_t)

#endif
