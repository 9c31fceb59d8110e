/*
 * Encoding floats by the affine scheme, eight at a time: products with 1 / scale, and divisions where a
 * product leaves a doubt or codes have 16 bits (quotient.h). As in encode_avx512vnni.h codes are counted
 * from the first one and clamped as bytes; they are also counted from the last one, and bytes of both
 * counts compared, which takes less than a floor and a comparison for every eight.
 */
#ifndef QNT__SIMD_X86_ENCODE_AVX2_H
#define QNT__SIMD_X86_ENCODE_AVX2_H

#include "../slots.h"
#include "codes_avx2.h"

/* Parameters of eight elements, for products: struct qnt__quotient. */
struct group {
    __m256 offset, inverse, shift;
};

/* The same for divisions. */
struct exact {
    __m256 scale, offset, low, high;
};

/* What all groups of a call have in common. */
struct ends {
    __m256 mirror;      /* qnt__mirror */
    int32_t first;      /* code */
    __m256i most_bytes; /* how many codes follow it */
};

INLINE struct ends ends_of(int32_t first, int32_t range)
{
    return (struct ends){_mm256_set1_ps(qnt__mirror(range)), first, _mm256_set1_epi8((char)range)};
}

/* Codes less the first one, exactly. */
INLINE __m256i divide(const struct exact *g, __m256 x)
{
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    __m256 t = _mm256_div_ps(_mm256_sub_ps(x, g->offset), g->scale);
    t = _mm256_min_ps(g->high, _mm256_max_ps(g->low, t));
    return _mm256_sub_epi32(_mm256_cvtps_epi32(t), _mm256_cvtps_epi32(g->low));
}

/* 32 numbers as bytes between 0 and 255, lane by lane. */
INLINE __m256i clamp_bytes(const __m256i v[4])
{
    return _mm256_packus_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
}

INLINE void put_steps(__m256i steps, const struct ends *e, uint8_t *to, bool stream)
{
    put_32(to, _mm256_add_epi8(order_bytes(steps), _mm256_set1_epi8((char)e->first)), stream);
}

/* 64 codes of 4 bits. */
INLINE void put_packed_steps(__m256i a, __m256i b, const struct ends *e, uint8_t *to, bool stream)
{
    const __m256i first = _mm256_set1_epi8((char)e->first), mask = _mm256_set1_epi8(15);
    a = _mm256_and_si256(_mm256_add_epi8(a, first), mask);
    b = _mm256_and_si256(_mm256_add_epi8(b, first), mask);
    put_32(to, order_pairs(pack_pairs(a, b)), stream);
}

/* 32 elements, lane by lane; g[k] has the parameters of elements 8 k..8 k + 7; `real`: there may be an
 * offset. Bytes of `same` are 0 where there is a doubt: then they have to be divided. */
INLINE __m256i multiply_32(const struct group g[4], const struct ends *e, bool real, const float *x,
                           size_t ahead, __m256i *same)
{
    __m256i up[4], down[4]; /* from the first code, from the last one */
    prefetch_32(x, ahead);
    UNROLL for (int k = 0; k < 4; k++) {
        __m256 p = _mm256_loadu_ps(x + 8 * k);
        if (real) p = _mm256_sub_ps(p, g[k].offset);
        p = _mm256_add_ps(_mm256_mul_ps(p, g[k].inverse), g[k].shift);
        up[k] = _mm256_cvttps_epi32(p);
        down[k] = _mm256_cvttps_epi32(_mm256_sub_ps(e->mirror, p));
    }
    __m256i steps = _mm256_min_epu8(clamp_bytes(up), e->most_bytes);
    *same = _mm256_cmpeq_epi8(steps, _mm256_subs_epu8(e->most_bytes, clamp_bytes(down)));
    return steps;
}

/* False if there is a doubt. */
INLINE bool encode_32_8(const struct group g[4], const struct ends *e, bool real, const float *x,
                        size_t ahead, uint8_t *to, bool stream)
{
    __m256i same;
    put_steps(multiply_32(g, e, real, x, ahead, &same), e, to, stream);
    return __builtin_expect(_mm256_movemask_epi8(same) == -1, 1);
}

INLINE bool encode_64_4(const struct group g[8], const struct ends *e, bool real, const float *x,
                        size_t ahead, uint8_t *to, bool stream)
{
    __m256i same_a, same_b;
    __m256i a = multiply_32(g, e, real, x, ahead, &same_a);
    __m256i b = multiply_32(g + 4, e, real, x + 32, ahead, &same_b);
    put_packed_steps(a, b, e, to, stream);
    return __builtin_expect(_mm256_movemask_epi8(_mm256_and_si256(same_a, same_b)) == -1, 1);
}

INLINE __m256i divide_32(const struct exact g[4], const float *x)
{
    __m256i steps[4];
    UNROLL for (int k = 0; k < 4; k++) steps[k] = divide(&g[k], _mm256_loadu_ps(x + 8 * k));
    return clamp_bytes(steps);
}

/* The same exactly; rare, so it is not worth a place in a loop. Streamed as what it replaces: another store
 * would throw the line out of its buffer. */
static __attribute__((noinline)) void divide_32_8(const struct exact g[4], const struct ends *e,
                                                  const float *x, uint8_t *to, bool stream)
{
    put_steps(divide_32(g, x), e, to, stream);
}

INLINE void divide_32_16(const struct exact g[4], const struct ends *e, const float *x, size_t ahead,
                         uint16_t *to, bool stream)
{
    __m256i code[4];
    prefetch_32(x, ahead);
    UNROLL for (int k = 0; k < 4; k++) {
        code[k] = _mm256_add_epi32(divide(&g[k], _mm256_loadu_ps(x + 8 * k)),
                                   _mm256_set1_epi32(e->first));
    }
    put_32_codes_16(code, to, stream);
}

#endif
