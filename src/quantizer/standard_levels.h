/* Level tables that are the same for all data. */
#ifndef QNT__QUANTIZER_STANDARD_LEVELS_H
#define QNT__QUANTIZER_STANDARD_LEVELS_H

#include "qnt/quantizer.h"

/* The 2^bits levels of a method that has such a table, ascending; fewer different ones repeat the largest.
 * Integers for the int8 kernels, unless QNT_LITERAL asks for the published numbers. */
void qnt__standard_levels(const qnt_spec *spec, float *level);

/* Does the method serve so many bits? Tells the reason if not. */
qnt_status qnt__standard_levels_check(const qnt_context *context, const qnt_spec *spec);

#endif
