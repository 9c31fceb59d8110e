/* Encoding floats by the affine scheme, sixteen at a time. */
#include <immintrin.h>

#include "../slots.h"

struct group {
    __m512 scale, offset, low, high;
    __m512i zero;
};

static inline struct group load_group(const struct qnt__affine *q)
{
    return (struct group){_mm512_set1_ps(q->scale), _mm512_set1_ps(q->offset),
                          _mm512_set1_ps(q->low), _mm512_set1_ps(q->high),
                          _mm512_set1_epi32(q->zero)};
}

static inline __m512i encode(const struct group *g, __m512 x)
{
    x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    __m512 t = _mm512_div_ps(_mm512_sub_ps(x, g->offset), g->scale);
    t = _mm512_min_ps(g->high, _mm512_max_ps(g->low, t));
    return _mm512_add_epi32(_mm512_cvtps_epi32(t), g->zero);
}

/* Codes before the next line of 16 bytes, at most n. */
static inline size_t before_line(const void *codes, size_t size, size_t n)
{
    size_t count = (0 - (uintptr_t)codes) % 16 / size;
    return count < n ? count : n;
}

/*
 * One loop for each code width: how to narrow and store sixteen codes, and those of a mask. Streaming
 * saves reading the lines that are about to be overwritten.
 */
#define ENCODE(name, type, narrow, vector, store, store_past, store_some)                           \
    static inline void name##_some(const struct group *g, const float *x, size_t n, type *codes)   \
    {                                                                                              \
        __mmask16 some = (__mmask16)((1u << n) - 1);                                               \
        store_some(codes, some, encode(g, _mm512_maskz_loadu_ps(some, x)));                        \
    }                                                                                              \
                                                                                                   \
    void qnt__##name##_avx512vnni(const struct qnt__affine *q, const float *x, size_t n,           \
                                  type *codes)                                                     \
    {                                                                                              \
        struct group g = load_group(q);                                                            \
        size_t i = 0;                                                                              \
        if (q->stream) {                                                                           \
            i = before_line(codes, sizeof *codes, n);                                              \
            name##_some(&g, x, i, codes);                                                          \
            for (; i + 16 <= n; i += 16) {                                                         \
                store_past((vector *)(codes + i), narrow(encode(&g, _mm512_loadu_ps(x + i))));     \
            }                                                                                      \
            _mm_sfence();                                                                          \
        }                                                                                          \
        for (; i + 16 <= n; i += 16) {                                                             \
            store((vector *)(codes + i), narrow(encode(&g, _mm512_loadu_ps(x + i))));              \
        }                                                                                          \
        name##_some(&g, x + i, n - i, codes + i);                                                  \
    }

static inline void stream_256(__m256i *to, __m256i v)
{
    _mm_stream_si128((__m128i *)to, _mm256_castsi256_si128(v));
    _mm_stream_si128((__m128i *)to + 1, _mm256_extracti128_si256(v, 1));
}

ENCODE(encode_8, uint8_t, _mm512_cvtepi32_epi8, __m128i, _mm_storeu_si128, _mm_stream_si128,
       _mm512_mask_cvtepi32_storeu_epi8)
ENCODE(encode_16, uint16_t, _mm512_cvtepi32_epi16, __m256i, _mm256_storeu_si256, stream_256,
       _mm512_mask_cvtepi32_storeu_epi16)
