/* Bits of exponents for every layer of a network: DNA-TEQ's adaptive loop on calibration samples. */
#ifndef ADAPTIVE_H
#define ADAPTIVE_H

#include "quantized.h"

struct adaptation {
    int32_t bits[GRAPH_NODES]; /* of exponents, for each node with weights */
    double mean;               /* bits of a weight, signs included, over all weights */
    double loss;               /* share of the calibration samples */
};

/* Bits of a quantizer's spec: what qnt_teq_search() tries for its weights. */
int32_t quantizer_bits(const qnt_context *context, const qnt_quantizer *quantizer);

/* Weights of the recipe's kind, 3 to 7 bits of exponent for each layer; loses at most 1 % of the samples.
 */
bool adapt(const qnt_context *context, const qnt_context *serial, const struct crew *crew,
           const struct calibration *calibration, const struct samples *samples,
           const struct recipe *recipe, struct adaptation *out);

#endif
