/*
 * Encoding neighbours of different groups by the affine scheme: row by row a strip of groups that the rows
 * have in common, or a strip of runs, 32 elements at a time; single elements at the end of a run.
 */
#include "../runs.h"
#include "../strip.h"
#include "encode_avx2.h"

/* Eight groups from number `at`. */
static void load_eight(const struct qnt__affine_each *q, size_t at, struct qnt__strip *s, size_t i)
{
    const __m256 shift = _mm256_set1_ps(0.5f + qnt__doubt(q->last - q->first));
    __m256 scale = _mm256_loadu_ps(q->scale + at), offset = _mm256_setzero_ps();
    __m256i zero = _mm256_setzero_si256();
    if (q->offset) offset = _mm256_loadu_ps(q->offset + at);
    if (q->zero) zero = _mm256_loadu_si256((const void *)(q->zero + at));
    __m256 low = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_set1_epi32(q->first), zero));
    __m256 high = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_set1_epi32(q->last), zero));
    __m256 inverse = _mm256_div_ps(_mm256_set1_ps(1.0f), scale);
    __m256 normal = _mm256_and_ps(_mm256_cmp_ps(inverse, _mm256_set1_ps(FLT_MIN), _CMP_GE_OQ),
                                  _mm256_cmp_ps(inverse, _mm256_set1_ps(FLT_MAX), _CMP_LE_OQ));
    inverse = _mm256_blendv_ps(_mm256_set1_ps(NAN), inverse, normal);
    _mm256_storeu_ps(s->scale + i, scale);
    _mm256_storeu_ps(s->offset + i, offset);
    _mm256_storeu_ps(s->low + i, low);
    _mm256_storeu_ps(s->high + i, high);
    _mm256_storeu_ps(s->inverse + i, inverse);
    _mm256_storeu_ps(s->shift + i, _mm256_sub_ps(shift, low));
}

static void load_strip(const struct qnt__affine_each *q, size_t first, size_t count,
                       struct qnt__strip *s)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) load_eight(q, first + i, s, i);
    for (; i < count; i++) qnt__strip_set(q, first + i, s, i);
}

/* Groups i..i + 7, one for each element. */
INLINE struct group groups_at(const struct qnt__strip *s, size_t i)
{
    return (struct group){_mm256_loadu_ps(s->scale + i),   _mm256_loadu_ps(s->offset + i),
                          _mm256_loadu_ps(s->low + i),     _mm256_loadu_ps(s->high + i),
                          _mm256_loadu_ps(s->inverse + i), _mm256_loadu_ps(s->shift + i)};
}

/* Group i for all elements. */
INLINE struct group group_at(const struct qnt__strip *s, size_t i)
{
    return (struct group){_mm256_broadcast_ss(s->scale + i),   _mm256_broadcast_ss(s->offset + i),
                          _mm256_broadcast_ss(s->low + i),     _mm256_broadcast_ss(s->high + i),
                          _mm256_broadcast_ss(s->inverse + i), _mm256_broadcast_ss(s->shift + i)};
}

#define ENCODE_STRIP(width, type)                                                                  \
    INLINE void encode_elements_##width(const struct qnt__strip *s, const struct ends *e,          \
                                        size_t run, const float *x, size_t n, type *codes,         \
                                        bool stream)                                               \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 32 <= n; i += 32) {                                                             \
            struct group g[4];                                                                     \
            UNROLL for (size_t k = 0; k < 4; k++)                                                  \
            {                                                                                      \
                g[k] = run == 1 ? groups_at(s, i + 8 * k) : group_at(s, (i + 8 * k) / run);        \
            }                                                                                      \
            encode_32_##width(g, e, true, x + i, codes + i, stream);                               \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            const struct qnt__affine one = qnt__strip_get(s, i / run);                             \
            qnt__encode_##width##_c(&one, x + i, 1, codes + i);                                    \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    INLINE void encode_run_##width(const struct qnt__strip *s, const struct ends *e, size_t at,    \
                                   const float *x, size_t n, type *codes, bool stream)             \
    {                                                                                              \
        const struct group g = group_at(s, at), all[4] = {g, g, g, g};                             \
        const struct qnt__affine rest = qnt__strip_get(s, at);                                     \
        size_t i = 0;                                                                              \
        for (; i + 32 <= n; i += 32) encode_32_##width(all, e, true, x + i, codes + i, stream);    \
        if (i < n) qnt__encode_##width##_c(&rest, x + i, n - i, codes + i);                        \
    }                                                                                              \
                                                                                                   \
    static void encode_strip_##width(const struct qnt__strip *s, size_t run, const float *x,       \
                                     size_t n, type *codes, bool stream)                           \
    {                                                                                              \
        const struct ends e = ends_of(s->first, s->last - s->first);                               \
        if (run == 1) {                                                                            \
            encode_elements_##width(s, &e, 1, x, n, codes, stream);                                \
        } else if (run == 16) {                                                                    \
            encode_elements_##width(s, &e, 16, x, n, codes, stream);                               \
        } else if (run == 32) {                                                                    \
            encode_elements_##width(s, &e, 32, x, n, codes, stream);                               \
        } else {                                                                                   \
            for (size_t g = 0, i = 0; i < n; g++, i += run) {                                      \
                encode_run_##width(s, &e, g, x + i, n - i < run ? n - i : run, codes + i, stream); \
            }                                                                                      \
        }                                                                                          \
    }

ENCODE_STRIP(8, uint8_t)
ENCODE_STRIP(16, uint16_t)
QNT__ENCODE_EACH(avx2, 8, uint8_t)
QNT__ENCODE_EACH(avx2, 16, uint16_t)
