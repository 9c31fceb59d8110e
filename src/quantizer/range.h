/* Affine parameters from a range, in float32: what QNT_DYNAMIC computes while a layer runs. */
#ifndef QNT__QUANTIZER_RANGE_H
#define QNT__QUANTIZER_RANGE_H

#include "qnt/quantizer.h"
#include "simd/slots.h"

/*
 * range[0] and range[1] come from the minmax slot. With 0 put into the range:
 *   symmetric: scale = max(|low|, |high|) / (highest code - zero)
 *   else       scale = (high - low) / (highest code - lowest code),
 *              zero = round_half_even(lowest code - low / scale), saturated
 * which is ONNX DynamicQuantizeLinear. A range of 0 has the scale 1.
 */
struct qnt__affine qnt__affine_of_range(const qnt_spec *spec, const float range[2]);

#endif
