/*
 * Where a layer's extra points go: to the outputs that gain most, evenly, or to outputs drawn at
 * random. All three fit coefficients in the same way, so that nothing but the places differs.
 */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include "quantized.h"

/* Fits weights of a layer with recipe->extra more points than outputs; NULL after the context's log
 * was told why. */
qnt_quantizer *placement_fit(const qnt_context *context, const struct calibration *calibration,
                             const struct recipe *recipe, int index, const qnt_spec *spec,
                             const qnt_tensor *weights);

#endif
