/*
 * Encoding floats by the affine scheme, eight at a time: products with 1 / scale, and divisions where a
 * product leaves a doubt (quotient.h).
 */
#ifndef QNT__SIMD_X86_ENCODE_AVX2_H
#define QNT__SIMD_X86_ENCODE_AVX2_H

#include "../slots.h"
#include "codes_avx2.h"

/* Parameters of eight elements. */
struct group {
    __m256 scale, offset, low, high, inverse, limit;
    __m256i zero;
};

/* A NaN stays one. */
INLINE __m256 clamp(const struct group *g, __m256 t)
{
    return _mm256_min_ps(g->high, _mm256_max_ps(g->low, t));
}

/* Codes, exactly. */
INLINE __m256i divide(const struct group *g, __m256 x)
{
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    __m256 t = clamp(g, _mm256_div_ps(_mm256_sub_ps(x, g->offset), g->scale));
    return _mm256_add_epi32(_mm256_cvtps_epi32(t), g->zero);
}

/* Codes where it is certain: the low 16 bits of the rounded product and the zero point. */
INLINE __m256i multiply(const struct group *g, __m256 x, __m256 *certain)
{
    const __m256 shift = _mm256_set1_ps(QNT__TO_INTEGER);
    __m256 t = clamp(g, _mm256_mul_ps(_mm256_sub_ps(x, g->offset), g->inverse));
    __m256 sum = _mm256_add_ps(t, shift);
    __m256 apart = _mm256_sub_ps(t, _mm256_sub_ps(sum, shift));
    apart = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), apart);
    *certain = _mm256_and_ps(*certain, _mm256_cmp_ps(apart, g->limit, _CMP_LT_OQ));
    return _mm256_add_epi32(_mm256_castps_si256(sum), g->zero);
}

/* 32 codes; g[k] has the parameters of elements 8 k..8 k + 7. */
INLINE void codes_32(const struct group g[4], const float *x, __m256i code[4])
{
    __m256 certain = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    prefetch_32(x);
    UNROLL for (int k = 0; k < 4; k++) {
        code[k] = multiply(&g[k], _mm256_loadu_ps(x + 8 * k), &certain);
    }
    if (__builtin_expect(_mm256_movemask_ps(certain) == 0xff, 1)) return;
    UNROLL for (int k = 0; k < 4; k++) code[k] = divide(&g[k], _mm256_loadu_ps(x + 8 * k));
}

/* The same for one group. */
INLINE void codes_32_alike(const struct group *g, const float *x, __m256i code[4])
{
    const struct group all[4] = {*g, *g, *g, *g};
    codes_32(all, x, code);
}

#endif
