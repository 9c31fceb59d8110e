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

/* One loop for each code type: how to load sixteen codes, all of them or those of a mask. */
#define DECODE(name, type, widen, load, load_rest)                                                 \
    void qnt__##name##_avx512vnni(const struct qnt__affine *q, const type *codes, size_t n,        \
                                  float *y)                                                        \
    {                                                                                              \
        struct group g = load_group(q);                                                            \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            _mm512_storeu_ps(y + i, decode(&g, widen(load((const void *)(codes + i)))));           \
        }                                                                                          \
        if (i == n) return;                                                                        \
        __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);                                         \
        _mm512_mask_storeu_ps(y + i, rest, decode(&g, widen(load_rest(rest, codes + i))));         \
    }

DECODE(decode_s8, int8_t, _mm512_cvtepi8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(decode_u8, uint8_t, _mm512_cvtepu8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(decode_s16, int16_t, _mm512_cvtepi16_epi32, _mm256_loadu_si256, _mm256_maskz_loadu_epi16)
DECODE(decode_u16, uint16_t, _mm512_cvtepu16_epi32, _mm256_loadu_si256, _mm256_maskz_loadu_epi16)
