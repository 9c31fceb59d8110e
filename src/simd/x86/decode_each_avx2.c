/* Decoding neighbours of different groups: eight of them at a time, or run after run. */
#include <immintrin.h>

#include "../runs.h"

/* The parameters from element i on. */
static inline struct qnt__affine_each from(const struct qnt__affine_each *q, size_t i)
{
    struct qnt__affine_each rest = *q;
    rest.scale += i;
    if (q->offset) rest.offset += i;
    if (q->zero) rest.zero += i;
    return rest;
}

static inline __m256i load_s32(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline __m256i zeros(const struct qnt__affine_each *q, size_t i)
{
    return q->zero ? load_s32(q->zero + i) : _mm256_setzero_si256();
}

static inline __m256 offsets(const struct qnt__affine_each *q, size_t i)
{
    return q->offset ? _mm256_loadu_ps(q->offset + i) : _mm256_setzero_ps();
}

static inline __m256 decode(const struct qnt__affine_each *q, size_t i, __m256i code)
{
    __m256 t = _mm256_cvtepi32_ps(_mm256_sub_epi32(code, zeros(q, i)));
    t = _mm256_mul_ps(t, _mm256_loadu_ps(q->scale + i));
    return _mm256_add_ps(t, offsets(q, i));
}

#define DECODE(name, single, type, widen, load)                                                    \
    void qnt__##name##_avx2(const struct qnt__affine_each *q, const type *codes, size_t n,         \
                            float *y)                                                              \
    {                                                                                              \
        QNT__BY_ROWS(qnt__##name##_avx2, q, codes, n, y)                                           \
        if (q->run > 1) {                                                                          \
            QNT__BY_RUNS(single, q, codes, n, y)                                                   \
            return;                                                                                \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) {                                                               \
            _mm256_storeu_ps(y + i, decode(q, i, widen(load((const void *)(codes + i)))));         \
        }                                                                                          \
        struct qnt__affine_each rest = from(q, i);                                                 \
        qnt__##name##_c(&rest, codes + i, n - i, y + i);                                           \
    }

DECODE(decode_each_s8, qnt__decode_s8_avx2, int8_t, _mm256_cvtepi8_epi32, _mm_loadl_epi64)
DECODE(decode_each_u8, qnt__decode_u8_avx2, uint8_t, _mm256_cvtepu8_epi32, _mm_loadl_epi64)
DECODE(decode_each_s16, qnt__decode_s16_avx2, int16_t, _mm256_cvtepi16_epi32, _mm_loadu_si128)
DECODE(decode_each_u16, qnt__decode_u16_avx2, uint16_t, _mm256_cvtepu16_epi32, _mm_loadu_si128)
