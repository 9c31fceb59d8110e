/*
 * The parameters of a strip of neighbouring groups, ready for encoding. What is computed from a scale and
 * a zero point is computed once for a strip and then loaded, by as many rows as have the same groups, or
 * broadcast to the elements of a run.
 */
#ifndef QNT__SIMD_STRIP_H
#define QNT__SIMD_STRIP_H

#include "quotient.h"
#include "runs.h"

enum { QNT__STRIP = 512 /* groups */ };

struct qnt__strip {
    const struct qnt__affine_each *each;
    size_t begin; /* the strip's first group */
    float scale[QNT__STRIP], offset[QNT__STRIP], low[QNT__STRIP], high[QNT__STRIP];
    float inverse[QNT__STRIP], shift[QNT__STRIP]; /* struct qnt__quotient */
    int32_t first, last; /* codes */
    size_t ahead;        /* bytes from where floats are read to where they are prefetched */
    bool even;           /* of single elements, no offset, one zero point; only set where it is used */
};

/* Where rows are longer than a strip, what comes next is not behind it but in the next row; the one
 * after that is as far as AHEAD. */
static inline size_t qnt__strip_ahead(size_t n, size_t row, size_t wide)
{
    return row < n && row > wide ? 2 * row * sizeof(float) : QNT__AHEAD;
}

/* Group `group` becomes number i of the strip. */
static inline void qnt__strip_set(const struct qnt__affine_each *q, size_t group,
                                  struct qnt__strip *s, size_t i)
{
    const struct qnt__affine one = qnt__affine_at(q, group);
    const struct qnt__quotient by =
        qnt__quotient_of(one.scale, one.low, qnt__doubt(q->last - q->first));
    s->scale[i] = one.scale, s->offset[i] = one.offset;
    s->low[i] = one.low, s->high[i] = one.high;
    s->inverse[i] = by.inverse, s->shift[i] = by.shift;
}

static inline struct qnt__affine qnt__strip_get(const struct qnt__strip *s, size_t i)
{
    return (struct qnt__affine){.scale = s->scale[i], .offset = s->offset[i], .low = s->low[i],
                                .high = s->high[i],
                                .zero = s->first - (int32_t)s->low[i]};
}

/*
 * Defines the slots encode_each_8 and encode_each_16 of a level: strip by strip, a strip row by row.
 *     load_strip(q, first, count, strip): groups first..first + count - 1
 *     encode_strip_8, _16(strip, run, x, n, codes, stream): n elements, the first that of the strip
 */
#define QNT__ENCODE_EACH(isa, width, type)                                                         \
    void qnt__encode_each_##width##_##isa(const struct qnt__affine_each *each, const float *x,     \
                                          size_t n, type *codes)                                   \
    {                                                                                              \
        const struct qnt__affine_each q = *each; /* no store can change it */                      \
        struct qnt__strip strip;                                                                   \
        const size_t row = q.period && q.period < n ? q.period : n, wide = q.run * QNT__STRIP;     \
        strip.each = &q, strip.first = q.first, strip.last = q.last;                               \
        strip.ahead = qnt__strip_ahead(n, row, wide);                                              \
        for (size_t first = 0; first < row; first += wide) {                                       \
            strip.begin = first / q.run;                                                           \
            const size_t columns = row - first < wide ? row - first : wide;                        \
            load_strip(&q, first / q.run, (columns + q.run - 1) / q.run, &strip);                  \
            for (size_t at = first; at < n; at += row) {                                           \
                const size_t part = n - at < columns ? n - at : columns;                           \
                encode_strip_##width(&strip, q.run, x + at, part, codes + at, q.stream);           \
            }                                                                                      \
        }                                                                                          \
    }

/* Defines the slot pack_each of a level, with the same functions, through a buffer that stays in the first
 * cache: a strip has the groups that it holds. */
#define QNT__PACK_EACH(isa)                                                                        \
    void qnt__pack_each_##isa(const struct qnt__affine_each *each, const float *x, size_t n,       \
                              int bits, uint8_t *packed)                                           \
    {                                                                                              \
        enum { CODES = 4096 };                                                                     \
        uint8_t codes[CODES];                                                                      \
        const struct qnt__affine_each q = *each; /* no store can change it */                      \
        struct qnt__strip strip;                                                                   \
        const size_t row = q.period && q.period < n ? q.period : n, fit = CODES / q.run;           \
        const size_t wide = q.run * (fit < 1 ? 1 : fit < QNT__STRIP ? fit : QNT__STRIP);           \
        strip.each = &q, strip.first = q.first, strip.last = q.last;                               \
        strip.ahead = qnt__strip_ahead(n, row, wide);                                              \
        for (size_t first = 0; first < row; first += wide) {                                       \
            strip.begin = first / q.run;                                                           \
            const size_t columns = row - first < wide ? row - first : wide;                        \
            load_strip(&q, first / q.run, (columns + q.run - 1) / q.run, &strip);                  \
            for (size_t at = first; at < n; at += row) {                                           \
                const size_t end = n - at < columns ? n - at : columns;                            \
                for (size_t done = 0, part; done < end; done += part) {                            \
                    part = end - done < CODES ? end - done : CODES;                                \
                    encode_strip_8(&strip, q.run, x + at + done, part, codes, false);              \
                    qnt__pack_codes_##isa(codes, part, bits, q.stream,                             \
                                          packed + (at + done) / 8 * (size_t)bits);                \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

#endif
