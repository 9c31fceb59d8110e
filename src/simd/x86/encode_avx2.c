/*
 * Encoding floats by the affine scheme, 32 at a time: products with 1 / scale, and divisions where
 * a product leaves a doubt (quotient.h).
 */
#include "../slots.h"
#include "codes_avx2.h"

struct group {
    __m256 scale, offset, low, high, inverse, limit;
    int32_t zero;
};

INLINE struct group load_group(const struct qnt__affine *q)
{
    struct qnt__quotient by = qnt__quotient_of(q);
    return (struct group){_mm256_set1_ps(q->scale),
                          _mm256_set1_ps(q->offset),
                          _mm256_set1_ps(q->low),
                          _mm256_set1_ps(q->high),
                          _mm256_set1_ps(by.inverse),
                          _mm256_set1_ps(by.limit),
                          q->zero};
}

/* A NaN stays one. */
INLINE __m256 clamp(const struct group *g, __m256 t)
{
    return _mm256_min_ps(g->high, _mm256_max_ps(g->low, t));
}

INLINE __m256i divide(const struct group *g, const float *p)
{
    __m256 x = _mm256_loadu_ps(p);
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    return _mm256_cvtps_epi32(clamp(g, _mm256_div_ps(_mm256_sub_ps(x, g->offset), g->scale)));
}

/* The low 16 bits are those of the rounded product. */
INLINE __m256i multiply(const struct group *g, const float *p, __m256 *certain)
{
    const __m256 shift = _mm256_set1_ps(QNT__TO_INTEGER);
    __m256 t = clamp(g, _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(p), g->offset), g->inverse));
    __m256 sum = _mm256_add_ps(t, shift);
    __m256 apart = _mm256_sub_ps(t, _mm256_sub_ps(sum, shift));
    apart = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), apart);
    *certain = _mm256_and_ps(*certain, _mm256_cmp_ps(apart, g->limit, _CMP_LT_OQ));
    return _mm256_castps_si256(sum);
}

INLINE void encode_32(const struct group *g, const float *x, __m256i code[4])
{
    __m256 certain = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    prefetch_32(x);
    UNROLL for (int k = 0; k < 4; k++) code[k] = multiply(g, x + 8 * k, &certain);
    if (__builtin_expect(_mm256_movemask_ps(certain) != 0xff, 0)) {
        code[0] = divide(g, x), code[1] = divide(g, x + 8);
        code[2] = divide(g, x + 16), code[3] = divide(g, x + 24);
    }
}

INLINE void store_8(const struct group *g, const __m256i code[4], uint8_t *to, bool stream)
{
    put_32(to, _mm256_add_epi8(low_bytes(code), _mm256_set1_epi8((char)g->zero)), stream);
}

INLINE void store_16(const struct group *g, const __m256i code[4], uint16_t *to, bool stream)
{
    const __m256i zero = _mm256_set1_epi16((short)g->zero);
    put_32(to, _mm256_add_epi16(low_words(code[0], code[1]), zero), stream);
    put_32(to + 16, _mm256_add_epi16(low_words(code[2], code[3]), zero), stream);
}

/* Codes before the next 32 bytes, at most n. */
INLINE size_t before_vector(const void *codes, size_t size, size_t n)
{
    size_t count = (0 - (uintptr_t)codes) % 32 / size;
    return count < n ? count : n;
}

/* One loop for each code width. Streaming saves reading the lines that are about to be overwritten.
 */
#define ENCODE(name, type, store_32)                                                               \
    void qnt__##name##_avx2(const struct qnt__affine *q, const float *x, size_t n, type *codes)    \
    {                                                                                              \
        struct group g = load_group(q);                                                            \
        size_t i = 0;                                                                              \
        __m256i code[4];                                                                           \
        if (q->stream) {                                                                           \
            i = before_vector(codes, sizeof *codes, n);                                            \
            qnt__##name##_c(q, x, i, codes);                                                       \
            for (; i + 32 <= n; i += 32) {                                                         \
                encode_32(&g, x + i, code);                                                        \
                store_32(&g, code, codes + i, true);                                               \
            }                                                                                      \
        }                                                                                          \
        for (; i + 32 <= n; i += 32) {                                                             \
            encode_32(&g, x + i, code);                                                            \
            store_32(&g, code, codes + i, false);                                                  \
        }                                                                                          \
        qnt__##name##_c(q, x + i, n - i, codes + i);                                               \
    }

ENCODE(encode_8, uint8_t, store_8)
ENCODE(encode_16, uint16_t, store_16)
