/*
 * QNT_BALANCED in training (Zhou et al. 2017): bins and scale are found anew from the weights at
 * every step, by the quantizer of the same name, and count as constants: the gradient passes as it
 * is.
 */
#include <string.h>

#include "rows.h"

QNT__TRAIN_BACKWARD(balanced)
{
    (void)pass, (void)x, (void)dtheta;
    memmove(dx, dy, span->n * sizeof *dx);
}
