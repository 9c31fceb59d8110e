/*
 * Encoding neighbours of different groups by the affine scheme: row by row a strip of groups that the rows
 * have in common, or a strip of runs, 32 elements at a time; single elements at the end of a run.
 */
#include "../runs.h"
#include "../strip.h"
#include "encode_avx2.h"

/* Are these groups of single elements, without offset and with one zero point? */
static bool are_even(const struct qnt__affine_each *q, size_t first, size_t count)
{
    if (q->run > 1 || q->offset || !q->zero) return q->run == 1 && !q->offset;
    const int32_t *zero = q->zero + first;
    const __m256i one = _mm256_set1_epi32(zero[0]);
    __m256i differ = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i some = _mm256_loadu_si256((const void *)(zero + i));
        differ = _mm256_or_si256(differ, _mm256_xor_si256(some, one));
    }
    for (; i < count; i++) {
        if (zero[i] != zero[0]) return false;
    }
    return _mm256_testz_si256(differ, differ);
}

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
    s->even = are_even(q, first, count);
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

/* The parameters of eight elements from element i of a strip of runs on; run 1, 16 or 32. Of single
 * elements in an even strip only the scales differ from those of `first`. */
INLINE struct group parameters(const struct qnt__strip *s, size_t i, size_t run, bool even,
                               const struct group *first)
{
    if (run > 1) return group_at(s, i / run);
    if (!even) return groups_at(s, i);
    struct group g = *first;
    g.scale = _mm256_loadu_ps(s->scale + i), g.inverse = _mm256_loadu_ps(s->inverse + i);
    return g;
}

#define ENCODE_STRIP(width, type)                                                                  \
    INLINE void encode_elements_##width(const struct qnt__strip *s, const struct ends *e,          \
                                        size_t run, bool even, const float *x, size_t n,           \
                                        type *codes, bool stream)                                  \
    {                                                                                              \
        const struct group first = group_at(s, 0); /* no store can change it */                    \
        const size_t ahead = s->ahead;                                                             \
        size_t i = 0;                                                                              \
        for (; i + 32 <= n; i += 32) {                                                             \
            const struct group g[4] = {parameters(s, i, run, even, &first),                        \
                                       parameters(s, i + 8, run, even, &first),                    \
                                       parameters(s, i + 16, run, even, &first),                   \
                                       parameters(s, i + 24, run, even, &first)};                  \
            encode_32_##width(g, e, !even, x + i, ahead, codes + i, stream);                       \
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
        for (; i + 32 <= n; i += 32) {                                                             \
            encode_32_##width(all, e, true, x + i, QNT__AHEAD, codes + i, stream);                 \
        }                                                                                          \
        if (i < n) qnt__encode_##width##_c(&rest, x + i, n - i, codes + i);                        \
    }                                                                                              \
                                                                                                   \
    static void encode_strip_##width(const struct qnt__strip *s, size_t run, const float *x,       \
                                     size_t n, type *codes, bool stream)                           \
    {                                                                                              \
        const struct ends e = ends_of(s->first, s->last - s->first);                               \
        if (run == 1 && s->even) {                                                                 \
            encode_elements_##width(s, &e, 1, true, x, n, codes, stream);                          \
        } else if (run == 1) {                                                                     \
            encode_elements_##width(s, &e, 1, false, x, n, codes, stream);                         \
        } else if (run == 16) {                                                                    \
            encode_elements_##width(s, &e, 16, false, x, n, codes, stream);                        \
        } else if (run == 32) {                                                                    \
            encode_elements_##width(s, &e, 32, false, x, n, codes, stream);                        \
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
