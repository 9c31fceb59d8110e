/* Decoding codes of the affine scheme, eight at a time. */
#include "../slots.h"
#include "decode_avx2.h"

static inline struct group load_group(const struct qnt__affine *q)
{
    return (struct group){_mm256_set1_epi32(q->zero), _mm256_set1_ps(q->scale),
                          _mm256_set1_ps(q->offset)};
}

/* Floats before the next 32 bytes, at most n. */
static inline size_t before_vector(const float *y, size_t n)
{
    size_t floats = (0 - (uintptr_t)y / sizeof *y) % 8;
    return floats < n ? floats : n;
}

/* One loop for each code type: how to load and widen eight codes. */
#define DECODE(name, type, widen, load)                                                            \
    void qnt__##name##_avx2(const struct qnt__affine *q, const type *codes, size_t n, float *y)    \
    {                                                                                              \
        struct group g = load_group(q);                                                            \
        size_t i = 0;                                                                              \
        if (q->stream) {                                                                           \
            i = before_vector(y, n);                                                               \
            qnt__##name##_c(q, codes, i, y);                                                       \
            for (; i + 8 <= n; i += 8) {                                                           \
                _mm256_stream_ps(y + i, decode(&g, widen(load((const void *)(codes + i)))));       \
            }                                                                                      \
        }                                                                                          \
        for (; i + 8 <= n; i += 8) {                                                               \
            _mm256_storeu_ps(y + i, decode(&g, widen(load((const void *)(codes + i)))));           \
        }                                                                                          \
        qnt__##name##_c(q, codes + i, n - i, y + i);                                               \
    }

DECODE(decode_s8, int8_t, _mm256_cvtepi8_epi32, _mm_loadl_epi64)
DECODE(decode_u8, uint8_t, _mm256_cvtepu8_epi32, _mm_loadl_epi64)
DECODE(decode_s16, int16_t, _mm256_cvtepi16_epi32, _mm_loadu_si128)
DECODE(decode_u16, uint16_t, _mm256_cvtepu16_epi32, _mm_loadu_si128)
