/*
 * A scale seen from the data: where the thresholds (k - 1/2) s fall among the sorted magnitudes.
 *
 * At a fixed scale this gives the error of every grid s * {-below..above} at once; two scales give
 * a bound for all scales between them.
 */
#ifndef QNT__QUANTIZER_CUT_H
#define QNT__QUANTIZER_CUT_H

#include "sorted.h"

/* mark[t][k] belongs to the threshold (k - 1/2) s of side t, k = 1..levels[t] + 1; mark[t][0] is
 * the beginning. */
struct qnt__cut {
    double s;
    struct qnt__mark *mark[2];
};

/* Sums over a side for each number of levels that it may use; index is that number. */
struct qnt__part {
    double a, b; /* E(s) = energy - 2 s a + s^2 b */
    double w;    /* of a bound: energy of the values whose code is certain */
    double m;    /* of a bound: least error of the others */
};

struct qnt__grid {
    const struct qnt__sorted *data;
    int32_t steps, first, last; /* as in qnt__exact_grid() */
    size_t levels[2];           /* most levels above and below 0 */
    struct qnt__part *part[2];  /* [levels + 1], scratch of the functions below */
};

/* Candidates and bounds refer to one number of levels below 0. */
struct qnt__candidate {
    double error, scale;
    int32_t below;
};

/* Finds all marks of cut->s. The marks lie between those of `smaller` and `larger`, cuts of a
 * smaller and a larger scale; either may be NULL. */
void qnt__cut_place(const struct qnt__grid *grid, struct qnt__cut *cut,
                    const struct qnt__cut *smaller, const struct qnt__cut *larger);

/* Improves *best by the codes of this scale, each with its own best scale (Lemma 1 of the
 * derivation). */
void qnt__cut_improve(struct qnt__grid *grid, const struct qnt__cut *cut,
                      struct qnt__candidate *best);

/* The least error by clipping alone of any smaller scale; writes the range of `below` with less
 * than `limit`. */
double qnt__cut_clipping(const struct qnt__grid *grid, const struct qnt__cut *cut, double limit,
                         int32_t *first, int32_t *last);

/* Lower bound of the error of all scales from left->s to right->s; *settled tells that no code
 * changes between them. */
double qnt__cut_bound(struct qnt__grid *grid, const struct qnt__cut *left,
                      const struct qnt__cut *right, bool *settled);

#endif
