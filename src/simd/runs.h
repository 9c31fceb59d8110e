/* Several groups of the affine scheme, one after the other, by the kernel for one group; rows of groups. */
#ifndef QNT__SIMD_RUNS_H
#define QNT__SIMD_RUNS_H

#include "slots.h"

/* Group g of many. */
static inline struct qnt__affine qnt__affine_at(const struct qnt__affine_each *q, size_t g)
{
    int32_t zero = q->zero ? q->zero[g] : 0;
    return (struct qnt__affine){.scale = q->scale[g],
                                .offset = q->offset ? q->offset[g] : 0.0f,
                                .low = (float)(q->first - zero),
                                .high = (float)(q->last - zero),
                                .zero = zero,
                                .stream = q->stream};
}

#define QNT__BY_RUNS(kernel, q, from, n, to)                                                       \
    for (size_t g_ = 0, i_ = 0; i_ < (n); g_++, i_ += (q)->run) {                                  \
        struct qnt__affine one_ = qnt__affine_at(q, g_);                                           \
        kernel(&one_, (from) + i_, (n)-i_ < (q)->run ? (n)-i_ : (q)->run, (to) + i_);              \
    }

/* Row after row by the kernel that does not repeat groups, where they repeat; then it returns. */
#define QNT__BY_ROWS(kernel, q, from, n, to)                                                       \
    if ((q)->period) {                                                                             \
        struct qnt__affine_each row_ = *(q);                                                       \
        row_.period = 0;                                                                           \
        for (size_t i_ = 0; i_ < (n); i_ += (q)->period) {                                         \
            size_t part_ = (n)-i_ < (q)->period ? (n)-i_ : (q)->period;                            \
            kernel(&row_, (from) + i_, part_, (to) + i_);                                          \
        }                                                                                          \
        return;                                                                                    \
    }

#endif
