/* The error that given parameters make. */
#ifndef QNT__QUANTIZER_MEASURE_H
#define QNT__QUANTIZER_MEASURE_H

#include <stddef.h>

#include "simd/slots.h"

/* sum h (x - level)^2 over n finite values; h NULL: all 1. Codes are those of the encode slots;
 * levels are scale * (code - zero) + offset without rounding, so that no bound over real levels can
 * exceed it. */
double qnt__measure(const struct qnt__affine *q, const float *x, const double *h, size_t n);

#endif
