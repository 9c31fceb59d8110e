/*
 * The parameters of a strip of neighbouring groups, ready for encoding. What is computed from a scale and
 * a zero point is computed once for a strip and then loaded, by as many rows as have the same groups, or
 * broadcast to the elements of a run.
 */
#ifndef QNT__SIMD_STRIP_H
#define QNT__SIMD_STRIP_H

#include "quotient.h"
#include "runs.h"

enum { QNT__STRIP = 1024 /* groups */ };

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

/* Groups of a strip. Runs have no rows that share them: fewer, so that what is computed for them does not
 * keep memory waiting, and no more elements than QNT__STRIP_RUNS unless one group has them. */
enum { QNT__STRIP_RUNS = 4096 };

static inline size_t qnt__strip_groups(size_t run)
{
    const size_t fit = QNT__STRIP_RUNS / run;
    return fit < 1 ? 1 : fit < QNT__STRIP ? fit : QNT__STRIP;
}

/* Strip by strip, and a strip row by row: `statement` has `part` elements from element `at` on, the first
 * of which is that of the strip.
 *     load_strip(q, first, count, strip): groups first..first + count - 1 */
#define QNT__BY_STRIPS(q, n, strip, statement)                                                     \
    do {                                                                                           \
        const size_t row_ = (q)->period && (q)->period < (n) ? (q)->period : (n);                  \
        const size_t wide_ = (q)->run * qnt__strip_groups((q)->run);                               \
        (strip)->each = (q), (strip)->first = (q)->first, (strip)->last = (q)->last;               \
        (strip)->ahead = qnt__strip_ahead(n, row_, wide_);                                         \
        for (size_t first_ = 0; first_ < row_; first_ += wide_) {                                  \
            (strip)->begin = first_ / (q)->run;                                                    \
            const size_t columns_ = row_ - first_ < wide_ ? row_ - first_ : wide_;                 \
            load_strip(q, (strip)->begin, (columns_ + (q)->run - 1) / (q)->run, strip);            \
            for (size_t at = first_; at < (n); at += row_) {                                       \
                const size_t part = (n)-at < columns_ ? (n)-at : columns_;                         \
                statement;                                                                         \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/*
 * Defines the slots encode_each_8 and encode_each_16 of a level.
 *     encode_strip_8, _16(strip, run, x, n, codes, stream): n elements, the first that of the strip
 */
#define QNT__ENCODE_EACH(isa, width, type)                                                         \
    void qnt__encode_each_##width##_##isa(const struct qnt__affine_each *each, const float *x,     \
                                          size_t n, type *codes)                                   \
    {                                                                                              \
        const struct qnt__affine_each q = *each; /* no store can change it */                      \
        struct qnt__strip strip;                                                                   \
        QNT__BY_STRIPS(&q, n, &strip,                                                              \
                       encode_strip_##width(&strip, q.run, x + at, part, codes + at, q.stream));   \
    }

/* A function that does what the slot pack_each does, at one level, through a buffer that stays in the first
 * cache. */
#define QNT__PACK_EACH(name, isa)                                                                  \
    void name(const struct qnt__affine_each *each, const float *x, size_t n, int bits,             \
              uint8_t *packed)                                                                     \
    {                                                                                              \
        enum { CODES = QNT__STRIP_RUNS };                                                          \
        uint8_t codes[CODES];                                                                      \
        const struct qnt__affine_each q = *each; /* no store can change it */                      \
        struct qnt__strip strip;                                                                   \
        QNT__BY_STRIPS(&q, n, &strip, {                                                            \
            for (size_t done = 0, some; done < part; done += some) {                               \
                some = part - done < CODES ? part - done : CODES;                                  \
                encode_strip_8(&strip, q.run, x + at + done, some, codes, false);                  \
                qnt__pack_codes_##isa(codes, some, bits, q.stream,                                 \
                                      packed + (at + done) / 8 * (size_t)bits);                    \
            }                                                                                      \
        });                                                                                        \
    }

#endif
