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
    float scale[QNT__STRIP], offset[QNT__STRIP], low[QNT__STRIP], high[QNT__STRIP];
    float inverse[QNT__STRIP], limit[QNT__STRIP]; /* struct qnt__quotient */
    int32_t zero[QNT__STRIP];
};

/* Group `group` becomes number i of the strip. */
static inline void qnt__strip_set(const struct qnt__affine_each *q, size_t group,
                                  struct qnt__strip *s, size_t i)
{
    const struct qnt__affine one = qnt__affine_at(q, group);
    const struct qnt__quotient by = qnt__quotient_of(&one);
    s->scale[i] = one.scale, s->offset[i] = one.offset, s->zero[i] = one.zero;
    s->low[i] = one.low, s->high[i] = one.high;
    s->inverse[i] = by.inverse, s->limit[i] = by.limit;
}

static inline struct qnt__affine qnt__strip_get(const struct qnt__strip *s, size_t i)
{
    return (struct qnt__affine){.scale = s->scale[i], .offset = s->offset[i], .low = s->low[i],
                                .high = s->high[i], .zero = s->zero[i]};
}

/*
 * Encodes n elements strip by strip, a strip row by row.
 *     load(q, first, count, strip): groups first..first + count - 1
 *     encode(strip, run, x, n, codes, stream): n elements of which the first is that of the strip
 */
#define QNT__BY_STRIPS(load, encode, q, x, n, codes)                                               \
    struct qnt__strip strip_;                                                                      \
    const size_t row_ = (q)->period && (q)->period < (n) ? (q)->period : (n);                      \
    const size_t run_ = (q)->run, wide_ = run_ * QNT__STRIP;                                       \
    for (size_t first_ = 0; first_ < row_; first_ += wide_) {                                      \
        const size_t width_ = row_ - first_ < wide_ ? row_ - first_ : wide_;                       \
        load((q), first_ / run_, (width_ + run_ - 1) / run_, &strip_);                             \
        for (size_t at_ = first_; at_ < (n); at_ += row_) {                                        \
            const size_t part_ = (n)-at_ < width_ ? (n)-at_ : width_;                              \
            encode(&strip_, run_, (x) + at_, part_, (codes) + at_, (q)->stream);                   \
        }                                                                                          \
    }

#endif
