/* What planes_rows.c and planes_run.c share: the input of a layer of planes in the form of the path. */
#ifndef QNT__LAYER_PLANES_H
#define QNT__LAYER_PLANES_H

#include "kernel/bits.h"
#include "rows.h"

/* Bits of an input code, and whether tables take it in two digits. */
static inline int qnt__planes_code_bits(const struct qnt__run *run)
{
    return run->layer->head.input.bits;
}

static inline bool qnt__planes_two_digits(const struct qnt__run *run)
{
    return qnt__planes_code_bits(run) > QNT__DIGIT_MOST;
}

/* Does the path find sums of codes where the bits of a plane are 1? */
static inline bool qnt__planes_tables(const struct qnt__run *run)
{
    return run->planes.path != QNT__BITS_COUNT && run->planes.path != QNT__BITS_BYTES;
}

/* A row of the slab in the form of the path; the sum of its codes, or 1 when counting (planes_run.c). */
static inline uint8_t *qnt__planes_row(const struct qnt__run *run, size_t row)
{
    return run->space + run->places.rows + (row - run->planes.first) * run->planes.row_bytes;
}

static inline int32_t *qnt__planes_sum(const struct qnt__run *run, size_t row)
{
    void *sums = run->space + run->places.sums;
    return (int32_t *)sums + (row - run->planes.first);
}

/* Bytes to the input channels of the group that is being run. */
ptrdiff_t qnt__planes_slice(const struct qnt__run *run);

/* A task: twelve rows of the slab. */
void qnt__planes_prepare(void *run, size_t index, size_t worker);

#endif
