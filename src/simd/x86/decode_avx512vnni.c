/* Decoding codes of the affine scheme, sixteen at a time. */
#include <immintrin.h>

#include "../slots.h"

struct group {
    __m512i zero;
    __m512 scale, offset;
};

static inline struct group load_group(const struct qnt__affine *q)
{
    return (struct group){_mm512_set1_epi32(q->zero), _mm512_set1_ps(q->scale),
                          _mm512_set1_ps(q->offset)};
}

static inline __m512 decode(const struct group *g, __m512i code)
{
    __m512 t = _mm512_cvtepi32_ps(_mm512_sub_epi32(code, g->zero));
    return _mm512_add_ps(_mm512_mul_ps(t, g->scale), g->offset);
}

/* Floats before the next line of 64 bytes, at most n. */
static inline size_t before_line(const float *y, size_t n)
{
    size_t floats = (0 - (uintptr_t)y / sizeof *y) % 16;
    return floats < n ? floats : n;
}

/*
 * One loop for each code type: how to load sixteen codes, all of them or those of a mask. Streaming
 * saves reading the lines that are about to be overwritten, a third of the traffic.
 */
#define DECODE(name, type, widen, load, load_some)                                                 \
    static inline void name##_some(const struct group *g, const type *codes, size_t n, float *y)   \
    {                                                                                              \
        __mmask16 some = (__mmask16)((1u << n) - 1);                                               \
        _mm512_mask_storeu_ps(y, some, decode(g, widen(load_some(some, codes))));                  \
    }                                                                                              \
                                                                                                   \
    void qnt__##name##_avx512vnni(const struct qnt__affine *q, const type *codes, size_t n,        \
                                  float *y)                                                        \
    {                                                                                              \
        struct group g = load_group(q);                                                            \
        size_t i = 0;                                                                              \
        if (q->stream) {                                                                           \
            i = before_line(y, n);                                                                 \
            name##_some(&g, codes, i, y);                                                          \
            for (; i + 16 <= n; i += 16) {                                                         \
                _mm512_stream_ps(y + i, decode(&g, widen(load((const void *)(codes + i)))));       \
            }                                                                                      \
            _mm_sfence();                                                                          \
        }                                                                                          \
        for (; i + 16 <= n; i += 16) {                                                             \
            _mm512_storeu_ps(y + i, decode(&g, widen(load((const void *)(codes + i)))));           \
        }                                                                                          \
        name##_some(&g, codes + i, n - i, y + i);                                                  \
    }

DECODE(decode_s8, int8_t, _mm512_cvtepi8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(decode_u8, uint8_t, _mm512_cvtepu8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(decode_s16, int16_t, _mm512_cvtepi16_epi32, _mm256_loadu_si256, _mm256_maskz_loadu_epi16)
DECODE(decode_u16, uint16_t, _mm512_cvtepu16_epi32, _mm256_loadu_si256, _mm256_maskz_loadu_epi16)
