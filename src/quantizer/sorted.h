/*
 * The values of one group in ascending order with running sums, the input of the exact solvers.
 *
 * The grid solvers see a group as two sides, the magnitudes of the values above and below 0; a grid
 * that is symmetric about 0 treats both alike, so all magnitudes then form one side. The affine
 * solver sees one side of signed values. Values of weight 0 are left out; so are zeros where only
 * magnitudes count.
 */
#ifndef QNT__QUANTIZER_SORTED_H
#define QNT__QUANTIZER_SORTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the values are seen. */
enum qnt__order {
    QNT__SIDES,  /* side[0]: values above 0; side[1]: magnitudes of those below */
    QNT__FOLDED, /* side[0]: all magnitudes */
    QNT__SIGNED  /* side[0]: all values */
};

/* Sums over the first i values of a side; powers are of x - origin. */
struct qnt__sums {
    double h, hx, hxx;
};

struct qnt__side {
    const float *x;  /* [n], ascending */
    const double *h; /* [n], > 0, or NULL: all 1 */
    size_t n;
    const struct qnt__sums *sums; /* [n + 1] */
};

struct qnt__sorted {
    struct qnt__side side[2];
    /* 0, or with QNT__SIGNED about the mean: keeps sums of squares from cancelling */
    double origin;
    double energy; /* sum of h (x - origin)^2 */
};

/* A threshold among the values of a side. */
struct qnt__mark {
    struct qnt__sums sum; /* of the values up to it */
    size_t index;         /* how many */
};

/* The mark of a threshold, known to lie between the indices low and high. */
static inline struct qnt__mark qnt__mark_at(const struct qnt__side *side, double threshold,
                                            size_t low, size_t high)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool below = (double)side->x[middle] <= threshold;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return (struct qnt__mark){side->sums[low], low};
}

/* The mark after all values. */
static inline struct qnt__mark qnt__mark_end(const struct qnt__side *side)
{
    return (struct qnt__mark){side->sums[side->n], side->n};
}

/* Bytes that qnt__sort() needs for n values; SIZE_MAX if that overflows. */
size_t qnt__sort_bytes(size_t n);

/* Sorts n < 2^32 finite values; h holds finite weights >= 0, or is NULL. The result lies in
 * `space`, qnt__sort_bytes(n) bytes, 64-byte aligned. */
void qnt__sort(const float *x, const double *h, size_t n, enum qnt__order order, void *space,
               struct qnt__sorted *out);

#endif
