/*
 * What a quantizer has seen: moments of every group, and its values, exactly or as histograms.
 *
 * Every group's values are visited in row-major order by one worker, so nothing here depends on the
 * number of workers. A histogram depends on the smallest and the largest value only (histogram.h),
 * not on how the data came in batches.
 */
#ifndef QNT__QUANTIZER_STATISTICS_H
#define QNT__QUANTIZER_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "context/context.h"

/* Sums over the finite values whose importance h is above 0. */
struct qnt__moments {
    uint64_t count;    /* values */
    double weight;     /* sum h */
    double zero_weight;/* sum h over x = 0 */
    double sum;        /* sum h x */
    double abs_sum;    /* sum h |x| */
    double square_sum; /* sum h x^2 */
    float min, max;    /* +inf and -inf if there is none; never -0 */
};

/* One bin of a histogram: exact weight, and sum / weight is the exact centroid. */
struct qnt__bin {
    double weight; /* sum h */
    double sum;    /* sum h x */
};

struct qnt__statistics {
    struct qnt__memory memory;
    size_t groups;
    struct qnt__moments *moments; /* [groups] */

    /* Exact values: those of group g begin at g * capacity; there are moments[g].count of them. */
    size_t capacity;
    float *values;  /* [groups][capacity], or NULL */
    float *weights; /* the same, or NULL: all 1 */

    /* Histograms, once there are too many values: bin i of a group whose bins have the exponent e
     * holds the values with floor(x / 2^e) = floor(min / 2^e) + i. */
    size_t bins;
    struct qnt__bin *bin; /* [groups][bins], or NULL */
};

/* Copies the values of a group, or the centroids of its bins, and their weights if *weighted; returns how
 * many there are: at most moments[group].count, or `bins`. */
size_t qnt__group_values(const struct qnt__statistics *statistics, size_t group, float *x, double *h,
                         bool *weighted);

/* NULL is allowed. */
void qnt__statistics_free(struct qnt__statistics *statistics);

#endif
