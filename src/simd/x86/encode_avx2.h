/*
 * Encoding floats by the affine scheme, eight at a time: products with 1 / scale, and divisions where a
 * product leaves a doubt or codes have 16 bits (quotient.h). As in encode_avx512vnni.h codes are counted
 * from the first one and clamped as bytes.
 */
#ifndef QNT__SIMD_X86_ENCODE_AVX2_H
#define QNT__SIMD_X86_ENCODE_AVX2_H

#include "../slots.h"
#include "codes_avx2.h"

/* Parameters of eight elements. */
struct group {
    __m256 scale, offset, low, high;
    __m256 inverse, shift; /* struct qnt__quotient */
};

/* What all groups of a call have in common. */
struct ends {
    __m256 certain;     /* from the integer below: twice the doubt */
    int32_t first;      /* code */
    __m256i most_bytes; /* how many codes follow it */
};

INLINE struct ends ends_of(int32_t first, int32_t range)
{
    return (struct ends){_mm256_set1_ps(2 * qnt__doubt(range)), first,
                         _mm256_set1_epi8((char)range)};
}

/* Codes less the first one, exactly. */
INLINE __m256i divide(const struct group *g, __m256 x)
{
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    __m256 t = _mm256_div_ps(_mm256_sub_ps(x, g->offset), g->scale);
    t = _mm256_min_ps(g->high, _mm256_max_ps(g->low, t));
    return _mm256_sub_epi32(_mm256_cvtps_epi32(t), _mm256_cvtps_epi32(g->low));
}

/* The same, not yet clamped, in the lanes that are certain; `real`: there may be an offset. */
INLINE __m256i multiply(const struct group *g, const struct ends *e, bool real, __m256 x,
                        __m256 *certain)
{
    if (real) x = _mm256_sub_ps(x, g->offset);
    __m256 p = _mm256_add_ps(_mm256_mul_ps(x, g->inverse), g->shift), floor = _mm256_floor_ps(p);
    __m256 far = _mm256_cmp_ps(_mm256_sub_ps(p, floor), e->certain, _CMP_GE_OQ);
    *certain = _mm256_and_ps(*certain, far);
    return _mm256_cvtps_epi32(floor);
}

/* 32 elements; g[k] has the parameters of elements 8 k..8 k + 7. */
INLINE void encode_32_8(const struct group g[4], const struct ends *e, bool real, const float *x,
                        size_t ahead, uint8_t *to, bool stream)
{
    __m256i steps[4];
    __m256 certain = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    prefetch_32(x, ahead);
    UNROLL for (int k = 0; k < 4; k++) {
        steps[k] = multiply(&g[k], e, real, _mm256_loadu_ps(x + 8 * k), &certain);
    }
    if (__builtin_expect(_mm256_movemask_ps(certain) != 0xff, 0)) {
        UNROLL for (int k = 0; k < 4; k++) steps[k] = divide(&g[k], _mm256_loadu_ps(x + 8 * k));
    }
    __m256i ab = _mm256_packs_epi32(steps[0], steps[1]),
            cd = _mm256_packs_epi32(steps[2], steps[3]);
    __m256i code = _mm256_min_epu8(order_bytes(_mm256_packus_epi16(ab, cd)), e->most_bytes);
    put_32(to, _mm256_add_epi8(code, _mm256_set1_epi8((char)e->first)), stream);
}

INLINE void encode_32_16(const struct group g[4], const struct ends *e, bool real, const float *x,
                         size_t ahead, uint16_t *to, bool stream)
{
    __m256i code[4];
    (void)real;
    prefetch_32(x, ahead);
    UNROLL for (int k = 0; k < 4; k++) {
        code[k] = _mm256_add_epi32(divide(&g[k], _mm256_loadu_ps(x + 8 * k)),
                                   _mm256_set1_epi32(e->first));
    }
    put_32_codes_16(code, to, stream);
}

#endif
