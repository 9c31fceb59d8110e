/*
 * Solvers for codebooks: which levels, and which scale of given levels, cost the least. They know
 * nothing of quantizers; data are QNT__SIGNED (sorted.h). Nothing here allocates or fails.
 */
#ifndef QNT__QUANTIZER_LEVELS_H
#define QNT__QUANTIZER_LEVELS_H

#include "sorted.h"

enum {
    QNT__LEVELS = 256, /* most levels */
    /* Most values between which the boundaries of k-means are found exactly; of more, neighbours
     * are merged into so many cells first. */
    QNT__KMEANS_CELLS = 1 << 14
};

struct qnt__scale_fit {
    double scale;   /* > 0 */
    double error;   /* of the real scale: sum h (x - nearest scale * level)^2 */
    double bound;   /* no scale has a smaller error */
    double visited; /* intervals that were split */
};

/*
 * The best scale of `count` ascending levels, 1 to 256, some of them not 0: the global minimum over
 * scale > 0 and codes, by branch and bound on intervals of scales, unless `nodes` (0: no limit)
 * stops it. Data without energy give the scale 1 and no error, though levels without 0 have one.
 */
void qnt__exact_levels(const struct qnt__sorted *data, const double *level, int32_t count,
                       double nodes, void *space, struct qnt__scale_fit *out);
size_t qnt__exact_levels_bytes(int32_t count);

/*
 * The best `count` levels, 1 to 256, ascending: exact one-dimensional k-means by dynamic
 * programming (Wu 1991), divide and conquer over monotone boundaries; fewer distinct values than
 * levels repeat the largest. Returns the error. Exact up to QNT__KMEANS_CELLS values; more are
 * merged, and the levels that are best for the merged values are then improved on all of them by
 * qnt__lloyd().
 */
double qnt__kmeans(const struct qnt__sorted *data, int32_t count, void *space, double *level);
size_t qnt__kmeans_bytes(size_t n, int32_t count);

/*
 * Lloyd's iteration from given ascending levels: boundaries midway between levels, levels at the
 * means of their cells (empty cells keep theirs), until nothing changes or `rounds` are over.
 * Returns the error of the last levels; it never rises.
 */
double qnt__lloyd(const struct qnt__sorted *data, int32_t count, int32_t rounds, double *level);

/* `count` (even) levels of least expected squared error for a density with mean 0: Gauss with
 * standard deviation 1, or Laplace with mean magnitude 1. Only the positive half, count / 2
 * ascending levels. */
void qnt__density_levels(bool laplace, int32_t count, double *positive);

#endif
