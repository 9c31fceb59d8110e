/* Decoding codes of the affine scheme, sixteen at a time, of one group or of different ones. */
#include "../runs.h"
#include "codes_avx512vnni.h"

enum { AHEAD = 1024 /* bytes from where codes are read to where they are prefetched */ };

struct group {
    __m512i zero;
    __m512 scale, offset;
};

INLINE struct group load_group(const struct qnt__affine *q)
{
    return (struct group){_mm512_set1_epi32(q->zero), _mm512_set1_ps(q->scale),
                          _mm512_set1_ps(q->offset)};
}

/* A group for each of sixteen elements. */
INLINE struct group load_groups(const struct qnt__affine_each *q, size_t i, __mmask16 some)
{
    return (struct group){
        q->zero ? _mm512_maskz_loadu_epi32(some, q->zero + i) : _mm512_setzero_si512(),
        _mm512_maskz_loadu_ps(some, q->scale + i),
        q->offset ? _mm512_maskz_loadu_ps(some, q->offset + i) : _mm512_setzero_ps(),
    };
}

/* Group g for all of them. */
INLINE struct group load_group_at(const struct qnt__affine_each *q, size_t g)
{
    return (struct group){q->zero ? _mm512_set1_epi32(q->zero[g]) : _mm512_setzero_si512(),
                          _mm512_set1_ps(q->scale[g]),
                          q->offset ? _mm512_set1_ps(q->offset[g]) : _mm512_setzero_ps()};
}

INLINE __m512 decode(const struct group *g, __m512i code)
{
    __m512 t = _mm512_cvtepi32_ps(_mm512_sub_epi32(code, g->zero));
    return _mm512_add_ps(_mm512_mul_ps(t, g->scale), g->offset);
}

INLINE void put_16(float *y, __m512 v, bool stream)
{
    put_64(y, _mm512_castps_si512(v), stream);
}

/* Floats before the next line of memory, at most n. */
INLINE size_t before_line(const float *y, size_t n)
{
    size_t floats = (0 - (uintptr_t)y / sizeof *y) % 16;
    return floats < n ? floats : n;
}

/* A pair of slots for each code type: how to load sixteen codes, all of them or those of a mask. Runs of 16
 * and 32 are so short that a loop over one would cost as much as what is in it. */
#define DECODE(kind, type, widen, load, load_some)                                                 \
    INLINE void decode_16_##kind(const struct group *g, const type *codes, float *y, bool stream)  \
    {                                                                                              \
        prefetch_at(codes, AHEAD);                                                                 \
        put_16(y, decode(g, widen(load((const void *)codes))), stream);                            \
    }                                                                                              \
                                                                                                   \
    INLINE void decode_group_##kind(const struct group *g, const type *codes, size_t n, float *y,  \
                                    bool stream)                                                   \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) decode_16_##kind(g, codes + i, y + i, stream);                \
        if (i == n) return;                                                                        \
        __mmask16 some = first_lanes(n - i);                                                       \
        _mm512_mask_storeu_ps(y + i, some, decode(g, widen(load_some(some, codes + i))));          \
    }                                                                                              \
                                                                                                   \
    void qnt__decode_##kind##_avx512vnni(const struct qnt__affine *q, const type *codes, size_t n, \
                                         float *y)                                                 \
    {                                                                                              \
        const struct group g = load_group(q);                                                      \
        size_t before = q->stream ? before_line(y, n) : 0;                                         \
        decode_group_##kind(&g, codes, before, y, false);                                          \
        decode_group_##kind(&g, codes + before, n - before, y + before, q->stream);                \
    }                                                                                              \
                                                                                                   \
    /* The elements of all whole runs. */                                                          \
    INLINE size_t decode_runs_##kind(const struct qnt__affine_each *q, size_t run,                 \
                                     const type *codes, size_t n, float *y)                        \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (size_t g = 0; i + run <= n; g++) {                                                    \
            const struct group group = load_group_at(q, g);                                        \
            for (size_t k = 0; k < run; k += 16, i += 16) {                                        \
                decode_16_##kind(&group, codes + i, y + i, q->stream);                             \
            }                                                                                      \
        }                                                                                          \
        return i;                                                                                  \
    }                                                                                              \
                                                                                                   \
    void qnt__decode_each_##kind##_avx512vnni(const struct qnt__affine_each *q, const type *codes, \
                                              size_t n, float *y)                                  \
    {                                                                                              \
        const struct qnt__affine_each copy = *q; /* no store can change it */                      \
        QNT__BY_ROWS(qnt__decode_each_##kind##_avx512vnni, &copy, codes, n, y)                     \
        size_t i = 0;                                                                              \
        if (copy.run == 16) i = decode_runs_##kind(&copy, 16, codes, n, y);                        \
        if (copy.run == 32) i = decode_runs_##kind(&copy, 32, codes, n, y);                        \
        for (; copy.run > 1 && i < n; i += copy.run) {                                             \
            const struct group group = load_group_at(&copy, i / copy.run);                         \
            size_t length = n - i < copy.run ? n - i : copy.run;                                   \
            decode_group_##kind(&group, codes + i, length, y + i, copy.stream);                    \
        }                                                                                          \
        for (; i + 16 <= n; i += 16) {                                                             \
            const struct group group = load_groups(&copy, i, 0xffff);                              \
            decode_16_##kind(&group, codes + i, y + i, copy.stream);                               \
        }                                                                                          \
        if (i >= n) return;                                                                        \
        __mmask16 some = first_lanes(n - i);                                                       \
        const struct group group = load_groups(&copy, i, some);                                    \
        _mm512_mask_storeu_ps(y + i, some, decode(&group, widen(load_some(some, codes + i))));     \
    }

DECODE(s8, int8_t, _mm512_cvtepi8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(u8, uint8_t, _mm512_cvtepu8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(s16, int16_t, _mm512_cvtepi16_epi32, _mm256_loadu_si256, _mm256_maskz_loadu_epi16)
DECODE(u16, uint16_t, _mm512_cvtepu16_epi32, _mm256_loadu_si256, _mm256_maskz_loadu_epi16)
