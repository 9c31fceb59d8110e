/* The public transforms: one block, any floats. Pictures go through slots with the same arithmetic. */
#include "qnt/qtable.h"

#include <string.h>

#include "simd/dct.h"

typedef void (*transform_fn)(const float x[8][8], float out[8][8]);

static void apply(transform_fn transform, const float *from, float *to)
{
    float x[8][8], y[8][8];
    memcpy(x, from, sizeof x);
    transform((const float(*)[8])x, y);
    memcpy(to, y, sizeof y);
}

void qnt_dct_forward(const float *pixels, float *coefficients)
{
    apply(qnt__dct_forward, pixels, coefficients);
}

void qnt_dct_inverse(const float *coefficients, float *pixels)
{
    apply(qnt__dct_inverse, coefficients, pixels);
}
