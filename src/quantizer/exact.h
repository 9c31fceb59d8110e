/*
 * Exact solvers: the global minimum of sum h (x - level)^2 over the parameters and all codes, by
 * branch and bound on sorted values. doc/exact.md derives the bounds. Nothing here allocates or
 * fails.
 *
 * The minimum is over real parameters and exact up to QNT__SLACK of the energy sum h x^2; the
 * answer is then the best float32 beside it, and its error is measured with the arithmetic of
 * encoding.
 */
#ifndef QNT__QUANTIZER_EXACT_H
#define QNT__QUANTIZER_EXACT_H

#include "simd/slots.h"
#include "sorted.h"

#define QNT__SLACK 1e-14

struct qnt__exact {
    struct qnt__affine affine; /* low and high are codes - zero; zero itself stays 0 */
    double error;              /* of the float32 parameters */
    double bound;              /* no real parameters have a smaller error */
    double visited;            /* nodes: intervals or boxes that were split */
};

/*
 * Levels s * k, low <= k <= high, low + high = steps, low = -below, first <= below <= last; finds s
 * > 0 and `below`. One `below` with steps = 2 below takes QNT__FOLDED data, everything else
 * QNT__SIDES. Stops splitting after `nodes` nodes unless that is 0. Data without energy give the
 * scale 1.
 */
void qnt__exact_grid(const struct qnt__sorted *data, int32_t steps, int32_t first, int32_t last,
                     double nodes, void *space, struct qnt__exact *out);

/* Bytes of space for it, 64-byte aligned. */
size_t qnt__exact_grid_bytes(int32_t steps, int32_t first, int32_t last);

/*
 * Levels offset + s * k, low <= k <= high, s > 0 and the offset real; data are QNT__SIGNED.
 * `start`, if not NULL, is a good answer that is improved on. Exact unless `nodes` stops it; up to
 * 32 levels that is a matter of milliseconds, beyond it the bound is of little use for a long time.
 */
void qnt__exact_affine(const struct qnt__sorted *data, int32_t low, int32_t high,
                       const struct qnt__affine *start, double nodes, void *space,
                       struct qnt__exact *out);

/* Bytes of space for it, 64-byte aligned. */
size_t qnt__exact_affine_bytes(int32_t low, int32_t high);

#endif
