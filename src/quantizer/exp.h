/* What the exponential scheme and its fit share. */
#ifndef QNT__QUANTIZER_EXP_H
#define QNT__QUANTIZER_EXP_H

#include "quantizer.h"

/* Magnitudes beside 0. */
int32_t qnt__exp_levels(const qnt_spec *spec);

/* The integer that the largest magnitude is snapped to; 0: levels are real. */
int32_t qnt__exp_snap(const qnt_spec *spec);

/* Beyond this base the ratio of the magnitudes would leave float32. */
double qnt__exp_largest_base(const qnt_spec *spec);

/* Sets a group's alpha and beta, and the snapping step that follows from them and the base. */
void qnt__exp_store(qnt_quantizer *quantizer, size_t group, double alpha, double beta);

#endif
