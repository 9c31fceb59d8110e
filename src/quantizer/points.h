/* What the points scheme and its methods share. */
#ifndef QNT__QUANTIZER_POINTS_H
#define QNT__QUANTIZER_POINTS_H

#include "multipoint.h"
#include "quantizer.h"

/* Points of a group: its coefficients that are not 0. */
size_t qnt__points_of(const qnt_quantizer *quantizer, size_t group);

#endif
