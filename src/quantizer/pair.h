/* Steps of fitting exponential codes, for one quantizer (fit_teq.c) or two that share a base
 * (fit_pair.c). */
#ifndef QNT__QUANTIZER_PAIR_H
#define QNT__QUANTIZER_PAIR_H

#include "quantizer.h"
#include "statistics.h"

struct qnt__teq;

/* Sorts the magnitudes of all groups; `next` has its parameters allocated. */
qnt_status qnt__teq_open(const qnt_context *context, const struct qnt__statistics *seen,
                         qnt_quantizer *next, struct qnt__teq **out);
void qnt__teq_close(struct qnt__teq *teq);

/* The base with the least sum of relative errors; reports progress. */
qnt_status qnt__teq_base(struct qnt__teq *const *teq, int count, double *base);

/* The relative mean absolute error of what was stored. */
double qnt__teq_rmae(const struct qnt__teq *teq);

/* Fits one quantizer or two with one base; their parameters are allocated. rmae [count], or NULL. */
qnt_status qnt__teq_fit(const qnt_context *context, qnt_quantizer *const *next, int count,
                        double *rmae);

/* Writes the base, and the alpha and beta of every group that are best with it. */
void qnt__teq_store(struct qnt__teq *teq, double base);

#endif
