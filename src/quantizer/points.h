/* What the points scheme and its methods share. */
#ifndef QNT__QUANTIZER_POINTS_H
#define QNT__QUANTIZER_POINTS_H

#include "multipoint.h"
#include "quantizer.h"

/* Points of a group: its coefficients that are not 0. */
size_t qnt__points_of(const qnt_quantizer *quantizer, size_t group);

/* Does encoding use a code? Published digits are symmetric: codes with the lowest digit are left out.
 */
bool qnt__points_use(const qnt_spec *spec, uint32_t code);

#endif
