/*
 * Encoding floats of one group by the affine scheme, 64 at a time.
 *
 * A division takes sixteen cycles for a vector, which is more than memory does. So codes of 8 bits are made
 * of products with 1 / scale where these leave no doubt (quotient.h). They are counted from the first code:
 * below it and above 255 packing clamps them, and the last code is a minimum of bytes.
 */
#ifndef QNT__SIMD_X86_ENCODE_AVX512VNNI_H
#define QNT__SIMD_X86_ENCODE_AVX512VNNI_H

#include "../quotient.h"
#include "codes_avx512vnni.h"

/* Parameters of sixteen elements. */
struct group {
    __m512 scale, offset, low, high;
    __m512 inverse, shift; /* struct qnt__quotient */
};

/* What all groups of a call have in common. */
struct ends {
    __m512 certain;      /* from the integer below: twice the doubt */
    __m512i first, most; /* the first code and how many follow, in all 32-bit lanes */
    __m512i first_byte, most_bytes;
};

INLINE struct ends ends_of(int32_t first, int32_t range)
{
    return (struct ends){_mm512_set1_ps(2 * qnt__doubt(range)), _mm512_set1_epi32(first),
                         _mm512_set1_epi32(range), _mm512_set1_epi8((char)first),
                         _mm512_set1_epi8((char)range)};
}

/* Codes less the first one, exactly. */
INLINE __m512i divide(const struct group *g, __m512 x)
{
    x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    __m512 t = _mm512_div_ps(_mm512_sub_ps(x, g->offset), g->scale);
    t = _mm512_min_ps(g->high, _mm512_max_ps(g->low, t));
    return _mm512_sub_epi32(_mm512_cvtps_epi32(t), _mm512_cvtps_epi32(g->low));
}

/* The same, not yet clamped, in the lanes that are certain; `real`: there may be an offset. */
INLINE __m512i multiply(const struct group *g, const struct ends *e, bool real, __m512 x,
                        __mmask16 *certain)
{
    enum { DOWN = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC };
    if (real) x = _mm512_sub_ps(x, g->offset);
    __m512 p = _mm512_fmadd_ps(x, g->inverse, g->shift);
    __m512 apart = _mm512_reduce_ps(p, DOWN); /* p - floor(p) */
    *certain = _mm512_mask_cmp_ps_mask(*certain, apart, e->certain, _CMP_GE_OQ);
    return _mm512_cvt_roundps_epi32(p, DOWN);
}

/* Up to sixteen elements. */
INLINE void encode_some_8(const struct group *g, const struct ends *e, bool real, const float *from,
                          uint8_t *to, size_t n)
{
    __mmask16 certain = 0xffff;
    const __mmask16 some = first_lanes(n);
    const __m512 x = _mm512_maskz_loadu_ps(some, from);
    __m512i steps = multiply(g, e, real, x, &certain);
    if (__builtin_expect(certain != 0xffff, 0)) steps = divide(g, x);
    steps = _mm512_min_epi32(_mm512_max_epi32(steps, _mm512_setzero_si512()), e->most);
    put_some_8(_mm512_add_epi32(steps, e->first), to, some);
}

INLINE void encode_some_16(const struct group *g, const struct ends *e, bool real,
                           const float *from, uint16_t *to, size_t n)
{
    (void)real;
    const __mmask16 some = first_lanes(n);
    put_some_16(_mm512_add_epi32(divide(g, _mm512_maskz_loadu_ps(some, from)), e->first), to, some);
}

/* 64 elements; g[k] has the parameters of elements 16 k..16 k + 15. */
INLINE void encode_64_8(const struct group g[4], const struct ends *e, bool real, const float *x,
                        size_t ahead, uint8_t *to, bool stream)
{
    __m512i steps[4];
    __mmask16 certain = 0xffff;
    UNROLL for (int k = 0; k < 4; k++) {
        prefetch_at(x + 16 * k, ahead);
        steps[k] = multiply(&g[k], e, real, _mm512_loadu_ps(x + 16 * k), &certain);
    }
    if (__builtin_expect(certain != 0xffff, 0)) {
        UNROLL for (int k = 0; k < 4; k++) steps[k] = divide(&g[k], _mm512_loadu_ps(x + 16 * k));
    }
    __m512i ab = _mm512_packs_epi32(steps[0], steps[1]),
            cd = _mm512_packs_epi32(steps[2], steps[3]);
    __m512i code = _mm512_min_epu8(order_bytes(_mm512_packus_epi16(ab, cd)), e->most_bytes);
    put_64(to, _mm512_add_epi8(code, e->first_byte), stream);
}

INLINE void encode_64_16(const struct group g[4], const struct ends *e, bool real, const float *x,
                         size_t ahead, uint16_t *to, bool stream)
{
    (void)real;
    __m512i code[4];
    UNROLL for (int k = 0; k < 4; k++) {
        prefetch_at(x + 16 * k, ahead);
        code[k] = _mm512_add_epi32(divide(&g[k], _mm512_loadu_ps(x + 16 * k)), e->first);
    }
    put_64_codes_16(code, to, stream);
}

/* ---- n elements of a group ---- */

#define ENCODE_GROUP(width, type)                                                                  \
    INLINE void encode_group_##width(const struct group *g, const struct ends *e, bool real,       \
                                     const float *x, size_t n, type *codes, bool stream)           \
    {                                                                                              \
        const struct group all[4] = {*g, *g, *g, *g};                                              \
        size_t i = 0;                                                                              \
        for (; i + 64 <= n; i += 64) {                                                             \
            encode_64_##width(all, e, real, x + i, QNT__AHEAD, codes + i, stream);                 \
        }                                                                                          \
        for (; i < n; i += 16) encode_some_##width(g, e, real, x + i, codes + i, n - i);           \
    }

ENCODE_GROUP(8, uint8_t)
ENCODE_GROUP(16, uint16_t)

#endif
