/*
 * How many points each group gets, once it is known what every number of points costs and saves.
 *
 * QNT_P_TOLERANCE: each group as few as keep its error small. QNT_P_EXTRA, QNT_P_BUDGET: as many as
 * there are rows or bits for, where they save most. Else all of them.
 */
#ifndef QNT__QUANTIZER_POINT_COUNTS_H
#define QNT__QUANTIZER_POINT_COUNTS_H

#include "quantizer.h"
#include "statistics.h"

struct qnt__point_errors {
    const qnt_quantizer *quantizer;     /* its spec and options; points + 1 is `most` + 1 below */
    const struct qnt__moments *moments; /* [groups] */
    const double *error; /* [groups][most + 1], never larger with one point more; with 0 points it
                            is the energy of the group */
};

/* The fewest points of a group: bases may have none. */
int32_t qnt__points_least(const qnt_spec *spec);

/* Writes how many points each group gets. QNT_E_INVALID if numbers of points cannot keep the
 * budget, or if it leaves nothing to choose. */
qnt_status qnt__point_counts(const qnt_context *context, const struct qnt__point_errors *errors,
                             int32_t *counts);

#endif
