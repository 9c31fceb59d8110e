/*
 * Histograms whose bins are powers of two wide.
 *
 * The bins of a group are [k 2^e, (k + 1) 2^e) for whole k; e is the smallest exponent with which
 * min to max needs no more bins than there are, but at least 40 below that of the largest
 * magnitude, so that k is small. Hence a histogram depends on min and max only, and when the range
 * grows, bins merge in pairs without splitting any.
 */
#ifndef QNT__QUANTIZER_HISTOGRAM_H
#define QNT__QUANTIZER_HISTOGRAM_H

#include "statistics.h"

struct qnt__grid {
    int exponent;
    int64_t first; /* k of bin 0 */
    double inverse; /* 2^-exponent */
};

/* The grid of a group that has values. */
struct qnt__grid qnt__grid_of(const struct qnt__moments *moments, size_t bins);

/* The bin of a value between min and max. */
static inline size_t qnt__bin_of(const struct qnt__grid *grid, float x)
{
    double scaled = (double)x * grid->inverse; /* exact */
    int64_t k = (int64_t)scaled;
    k -= scaled < (double)k;
    return (size_t)(k - grid->first);
}

/* Adds the bins of a smaller range to those of a larger one. */
void qnt__bins_merge(const struct qnt__grid *from_grid, const struct qnt__bin *from, size_t bins,
                     const struct qnt__grid *grid, struct qnt__bin *bin);

#endif
