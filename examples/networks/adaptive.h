/*
 * Exponential codes with bits for every layer of a network: DNA-TEQ's adaptive loop on calibration samples,
 * of weights alone or in pairs with the inputs that they meet.
 */
#ifndef ADAPTIVE_H
#define ADAPTIVE_H

#include "quantized.h"

struct adaptation {
    qnt_quantizer *weights[GRAPH_NODES]; /* fitted, of one layer after the other */
    struct formats formats; /* these, and inputs of the calibration, so until the next search */
    double weight_bits;     /* of a weight with its sign, mean over all of them */
    double input_bits;      /* mean over what layers read, the image left out; 0: not exponential */
    double loss;            /* share of the calibration samples */
};

/* Bits of a quantizer's spec: what qnt_teq_search() tries for its weights. */
int32_t quantizer_bits(const qnt_context *context, const qnt_quantizer *quantizer);

/* Weights of the recipe's kind, and inputs with `pairs`: 3 to 7 bits of exponent for each layer that lose
 * at most 1 % of the samples; if the recipe is not adaptive, its own. To be freed in any case. */
bool adapt(const qnt_context *context, const qnt_context *serial, const struct crew *crew,
           const struct calibration *calibration, const struct samples *samples,
           const struct recipe *recipe, struct adaptation *out);
void adaptation_free(struct adaptation *adaptation);

#endif
