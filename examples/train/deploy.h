/* From trained weights and trainers to quantizers: what layers of any kind are made of. */
#ifndef DEPLOY_H
#define DEPLOY_H

#include "tuning.h"

/* What the layer's trainer or bases have become, and the weights it is for. False after the
 * context's log was told why. */
bool deploy_weights(const struct tuning *tuning, int layer, float *weights, qnt_quantizer **out);

#endif
