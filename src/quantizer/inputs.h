/*
 * What a layer's inputs say about the errors of its weights: their mean outer product G.
 *
 * A row of weights that is off by r makes outputs that are off by <r, x>, in the mean square by
 * r' G r with G the mean of x x' over the inputs x: the output error of Liu et al. (AAAI 2021),
 * without keeping any input.
 */
#ifndef QNT__QUANTIZER_INPUTS_H
#define QNT__QUANTIZER_INPUTS_H

#include "context/context.h"

struct qnt__inputs {
    struct qnt__memory memory;
    size_t depth;    /* elements of one input */
    size_t triangle; /* numbers of the upper triangle, rows one after the other */
    uint64_t count;  /* inputs */
    double *sum;     /* [triangle]: of x x' */
};

/* r' G r for r of `depth` elements. A trace of the mean square is added to the diagonal, so that
 * weights of inputs that never differed from 0 count a little, and all alike if none did. */
double qnt__inputs_error(const struct qnt__inputs *inputs, const double *r);

/* The diagonal of the same matrix: importances, all above 0. */
void qnt__inputs_diagonal(const struct qnt__inputs *inputs, double *h);

/* NULL is allowed. */
void qnt__inputs_free(struct qnt__inputs *inputs);

#endif
