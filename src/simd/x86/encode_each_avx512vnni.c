/*
 * Encoding neighbours of different groups by the affine scheme: row by row a strip of groups that the rows
 * have in common, or a strip of runs, 64 elements at a time.
 */
#include <math.h>

#include "../strip.h"
#include "encode_avx512vnni.h"

/* Are these groups of single elements, without offset and with one zero point? */
static bool are_even(const struct qnt__affine_each *q, size_t first, size_t count)
{
    if (q->run > 1 || q->offset || !q->zero) return q->run == 1 && !q->offset;
    const __m512i one = _mm512_set1_epi32(q->zero[first]);
    __mmask16 differ = 0;
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 some = first_lanes(count - i);
        __m512i zero = _mm512_maskz_loadu_epi32(some, q->zero + first + i);
        differ |= _mm512_mask_cmpneq_epi32_mask(some, zero, one);
    }
    return !differ;
}

/*
 * Groups first..first + count - 1. VRCP14PS errs by 2^-14 at most, a step of Newton's iteration leaves
 * 2^-28 and what rounding adds, 2^-23 together, which the doubt has room for (quotient.h). Of an even
 * strip the first sixteen groups say all but the scales.
 */
static void load_strip(const struct qnt__affine_each *q, size_t first, size_t count,
                       struct qnt__strip *s)
{
    enum { NOT_POSITIVE_AND_NORMAL = 0xff };
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 shift = _mm512_set1_ps(0.5f + qnt__doubt(q->last - q->first));
    s->even = are_even(q, first, count);
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 some = first_lanes(count - i);
        const size_t at = first + i;
        __m512 scale = _mm512_mask_loadu_ps(one, some, q->scale + at), offset = _mm512_setzero_ps();
        __m512 inverse = _mm512_rcp14_ps(scale);
        inverse = _mm512_mul_ps(inverse, _mm512_fnmadd_ps(scale, inverse, _mm512_set1_ps(2.0f)));
        __mmask16 never = _mm512_fpclass_ps_mask(inverse, NOT_POSITIVE_AND_NORMAL);
        _mm512_storeu_ps(s->scale + i, scale);
        _mm512_storeu_ps(s->inverse + i, _mm512_mask_mov_ps(inverse, never, _mm512_set1_ps(NAN)));
        if (s->even && i) continue;
        __m512i zero = _mm512_setzero_si512();
        if (q->offset) offset = _mm512_maskz_loadu_ps(some, q->offset + at);
        if (q->zero) zero = _mm512_maskz_loadu_epi32(some, q->zero + at);
        __m512 low = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_set1_epi32(q->first), zero));
        __m512 high = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_set1_epi32(q->last), zero));
        _mm512_storeu_ps(s->offset + i, offset);
        _mm512_storeu_ps(s->low + i, low);
        _mm512_storeu_ps(s->high + i, high);
        _mm512_storeu_ps(s->shift + i, _mm512_sub_ps(shift, low));
    }
}

/* Groups i..i + 15, one for each element. */
INLINE struct group groups_at(const struct qnt__strip *s, size_t i)
{
    return (struct group){_mm512_loadu_ps(s->scale + i),   _mm512_loadu_ps(s->offset + i),
                          _mm512_loadu_ps(s->low + i),     _mm512_loadu_ps(s->high + i),
                          _mm512_loadu_ps(s->inverse + i), _mm512_loadu_ps(s->shift + i)};
}

/* Group i for all elements. */
INLINE struct group group_at(const struct qnt__strip *s, size_t i)
{
    return (struct group){_mm512_set1_ps(s->scale[i]),   _mm512_set1_ps(s->offset[i]),
                          _mm512_set1_ps(s->low[i]),     _mm512_set1_ps(s->high[i]),
                          _mm512_set1_ps(s->inverse[i]), _mm512_set1_ps(s->shift[i])};
}

/* The parameters of sixteen elements from element i of a strip of runs on; run 1, 16 or 32. Of single
 * elements in an even strip only the scales differ from those of `first`: one load instead of six. */
INLINE struct group parameters(const struct qnt__strip *s, size_t i, size_t run, bool even,
                               const struct group *first)
{
    if (run > 1) return group_at(s, i / run);
    if (!even) return groups_at(s, i);
    struct group g = *first;
    g.scale = _mm512_loadu_ps(s->scale + i), g.inverse = _mm512_loadu_ps(s->inverse + i);
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
        for (; i + 64 <= n; i += 64) {                                                             \
            const struct group g[4] = {parameters(s, i, run, even, &first),                        \
                                       parameters(s, i + 16, run, even, &first),                   \
                                       parameters(s, i + 32, run, even, &first),                   \
                                       parameters(s, i + 48, run, even, &first)};                  \
            encode_64_##width(g, e, !even, x + i, ahead, codes + i, stream);                       \
        }                                                                                          \
        for (; i < n; i += 16) {                                                                   \
            const struct group g = parameters(s, i, run, even, &first);                            \
            encode_some_##width(&g, e, !even, x + i, codes + i, n - i);                            \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    INLINE void encode_runs_##width(const struct qnt__strip *s, const struct ends *e, size_t run,  \
                                    const float *x, size_t n, type *codes, bool stream)            \
    {                                                                                              \
        for (size_t g = 0, i = 0; i < n; g++, i += run) {                                          \
            const struct group one = group_at(s, g);                                               \
            encode_group_##width(&one, e, true, x + i, n - i < run ? n - i : run, codes + i,       \
                                 stream);                                                          \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void encode_strip_##width(const struct qnt__strip *s, size_t run, const float *x,       \
                                     size_t n, type *codes, bool stream)                           \
    {                                                                                              \
        const struct ends e = ends_of(s->first, s->last - s->first);                               \
        if (run == 1 && s->even)                                                                   \
            encode_elements_##width(s, &e, 1, true, x, n, codes, stream);                          \
        else if (run == 1)                                                                         \
            encode_elements_##width(s, &e, 1, false, x, n, codes, stream);                         \
        else if (run == 16)                                                                        \
            encode_elements_##width(s, &e, 16, false, x, n, codes, stream);                        \
        else if (run == 32)                                                                        \
            encode_elements_##width(s, &e, 32, false, x, n, codes, stream);                        \
        else                                                                                       \
            encode_runs_##width(s, &e, run, x, n, codes, stream);                                  \
    }

ENCODE_STRIP(8, uint8_t)
ENCODE_STRIP(16, uint16_t)
QNT__ENCODE_EACH(avx512vnni, 8, uint8_t)
QNT__ENCODE_EACH(avx512vnni, 16, uint16_t)
QNT__PACK_EACH(qnt__pack_each_avx512vnni, avx512vnni)
