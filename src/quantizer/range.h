/* Parameters from the values at hand: what QNT_DYNAMIC computes while a layer runs. */
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

/*
 * Signs: the scale of least squared error is the mean of the magnitudes (XNOR-Net, Rastegari et al.
 * 2016, equation 6). With 2^e the power of two at or below the largest one, each counts in whole
 * multiples of 2^(e - 23), rounded towards 0; so sums are exact and do not depend on their order.
 * What is not finite counts as 0.
 *
 * The largest magnitude of a range, the sum of n values in these multiples, and the mean of n from
 * it.
 */
float qnt__magnitude_largest(const float range[2]);
double qnt__magnitude_sum(float largest, const float *x, size_t n);
float qnt__magnitude_mean(float largest, double sum, size_t n);

#endif
