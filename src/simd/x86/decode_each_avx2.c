/* Decoding neighbours of different groups: eight of them at a time, or run after run. */
#include "../runs.h"
#include "decode_avx2.h"

#define INLINE static inline __attribute__((always_inline))

/* The parameters from element i on. */
static inline struct qnt__affine_each from(const struct qnt__affine_each *q, size_t i)
{
    struct qnt__affine_each rest = *q;
    rest.scale += i;
    if (q->offset) rest.offset += i;
    if (q->zero) rest.zero += i;
    return rest;
}

/* The same where there is none, which the compiler sees. */
static inline struct qnt__affine_each without_offset(const struct qnt__affine_each *q)
{
    struct qnt__affine_each plain = *q;
    plain.offset = NULL;
    return plain;
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

/*
 * A slot for each code type: how to load and widen eight codes, and the portable kernel for one group.
 * Whole registers are decoded in loops of their own for streams, and for rows without offsets.
 */
#define DECODE(kind, type, widen, load)                                                            \
    INLINE void decode_8_##kind(const struct group *g, const type *codes, float *y, bool stream)   \
    {                                                                                              \
        put_8(y, decode(g, widen(load((const void *)codes))), stream);                             \
    }                                                                                              \
                                                                                                   \
    INLINE void decode_run_##kind(const struct group *g, const type *codes, size_t n, float *y,    \
                                  bool stream)                                                     \
    {                                                                                              \
        for (size_t i = 0; i < n; i += 8) decode_8_##kind(g, codes + i, y + i, stream);            \
    }                                                                                              \
                                                                                                   \
    INLINE void decode_runs_##kind(const struct qnt__affine_each *q, const type *codes, size_t n,  \
                                   float *y, bool stream)                                          \
    {                                                                                              \
        for (size_t g = 0, i = 0; i < n; g++, i += q->run) {                                       \
            const struct group group = group_at(q, g);                                             \
            const size_t length = n - i < q->run ? n - i : q->run, whole = length / 8 * 8;         \
            if (whole == 32) decode_run_##kind(&group, codes + i, 32, y + i, stream);              \
            else decode_run_##kind(&group, codes + i, whole, y + i, stream);                       \
            if (whole == length) continue;                                                         \
            const struct qnt__affine one = qnt__affine_at(q, g);                                   \
            qnt__decode_##kind##_c(&one, codes + i + whole, length - whole, y + i + whole);        \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    INLINE void decode_row_##kind(const struct qnt__affine_each *q, const type *codes, size_t n,   \
                                  float *y, bool stream)                                           \
    {                                                                                              \
        for (size_t i = 0; i < n; i += 8) {                                                        \
            const struct group group = groups_at(q, i);                                            \
            decode_8_##kind(&group, codes + i, y + i, stream);                                     \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void qnt__decode_each_##kind##_avx2(const struct qnt__affine_each *q, const type *codes,       \
                                        size_t n, float *y)                                        \
    {                                                                                              \
        const struct qnt__affine_each all = *q; /* no store can change it */                       \
        QNT__BY_ROWS(qnt__decode_each_##kind##_avx2, &all, codes, n, y)                            \
        const bool stream = all.stream && (uintptr_t)y % 32 == 0;                                  \
        if (all.run > 1) {                                                                         \
            if (stream) decode_runs_##kind(&all, codes, n, y, true);                               \
            else decode_runs_##kind(&all, codes, n, y, false);                                     \
            return;                                                                                \
        }                                                                                          \
        const struct qnt__affine_each plain = without_offset(&all);                                \
        const size_t whole = n / 8 * 8;                                                            \
        if (all.offset) decode_row_##kind(&all, codes, whole, y, all.stream);                      \
        else if (stream) decode_row_##kind(&plain, codes, whole, y, true);                         \
        else decode_row_##kind(&plain, codes, whole, y, false);                                    \
        const struct qnt__affine_each rest = from(&all, whole);                                    \
        qnt__decode_each_##kind##_c(&rest, codes + whole, n - whole, y + whole);                   \
    }

DECODE(s8, int8_t, _mm256_cvtepi8_epi32, _mm_loadl_epi64)
DECODE(u8, uint8_t, _mm256_cvtepu8_epi32, _mm_loadl_epi64)
DECODE(s16, int16_t, _mm256_cvtepi16_epi32, _mm_loadu_si128)
DECODE(u16, uint16_t, _mm256_cvtepu16_epi32, _mm_loadu_si128)
