/* Decoding neighbours of different groups: eight of them at a time, or run after run. */
#include "../runs.h"
#include "decode_avx2.h"

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

/* Groups i..i + 7, one for each element. */
static inline struct group groups_at(const struct qnt__affine_each *q, size_t i)
{
    return (struct group){
        q->zero ? load_s32(q->zero + i) : _mm256_setzero_si256(),
        _mm256_loadu_ps(q->scale + i),
        q->offset ? _mm256_loadu_ps(q->offset + i) : _mm256_setzero_ps(),
    };
}

/* Group g for all of them. */
static inline struct group group_at(const struct qnt__affine_each *q, size_t g)
{
    return (struct group){q->zero ? _mm256_set1_epi32(q->zero[g]) : _mm256_setzero_si256(),
                          _mm256_set1_ps(q->scale[g]),
                          q->offset ? _mm256_set1_ps(q->offset[g]) : _mm256_setzero_ps()};
}

/* A slot for each code type: how to load and widen eight codes, and the portable kernel for one group. */
#define DECODE(kind, type, widen, load)                                                            \
    static void decode_runs_##kind(const struct qnt__affine_each *q, const type *codes, size_t n,  \
                                   float *y)                                                       \
    {                                                                                              \
        for (size_t g = 0, i = 0; i < n; g++, i += q->run) {                                       \
            const struct group group = group_at(q, g);                                             \
            const size_t length = n - i < q->run ? n - i : q->run;                                 \
            size_t k = 0;                                                                          \
            for (; k + 8 <= length; k += 8) {                                                      \
                __m256i code = widen(load((const void *)(codes + i + k)));                         \
                put_8(y + i + k, decode(&group, code), q->stream);                                 \
            }                                                                                      \
            if (k == length) continue;                                                             \
            const struct qnt__affine one = qnt__affine_at(q, g);                                   \
            qnt__decode_##kind##_c(&one, codes + i + k, length - k, y + i + k);                    \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void qnt__decode_each_##kind##_avx2(const struct qnt__affine_each *q, const type *codes,       \
                                        size_t n, float *y)                                        \
    {                                                                                              \
        const struct qnt__affine_each copy = *q; /* no store can change it */                      \
        QNT__BY_ROWS(qnt__decode_each_##kind##_avx2, &copy, codes, n, y)                           \
        if (copy.run > 1) {                                                                        \
            decode_runs_##kind(&copy, codes, n, y);                                                \
            return;                                                                                \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) {                                                               \
            const struct group group = groups_at(&copy, i);                                        \
            __m256i code = widen(load((const void *)(codes + i)));                                 \
            put_8(y + i, decode(&group, code), copy.stream);                                       \
        }                                                                                          \
        struct qnt__affine_each rest = from(&copy, i);                                             \
        qnt__decode_each_##kind##_c(&rest, codes + i, n - i, y + i);                               \
    }

DECODE(s8, int8_t, _mm256_cvtepi8_epi32, _mm_loadl_epi64)
DECODE(u8, uint8_t, _mm256_cvtepu8_epi32, _mm_loadl_epi64)
DECODE(s16, int16_t, _mm256_cvtepi16_epi32, _mm_loadu_si128)
DECODE(u16, uint16_t, _mm256_cvtepu16_epi32, _mm_loadu_si128)
