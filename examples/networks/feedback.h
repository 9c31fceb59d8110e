/*
 * Rounding with error feedback: the error of each weight is made good by those not yet rounded.
 *
 * Rounding to the nearest code minimises the error of the weights; what matters is the error of the
 * sums. With G the mean of x x^T over the inputs x of a layer, the codes of each output are chosen
 * one after another and the remaining weights move to the least-squares answer (OPTQ: Frantar,
 * Ashkboos, Hoefler, Alistarh, ICLR 2023, section 3).
 */
#ifndef FEEDBACK_H
#define FEEDBACK_H

#include <stdbool.h>
#include <stdint.h>

/* Where the codes of n x depth weights lie: value = (code - zero) * scale, one pair or n of
 * them. */
struct grid {
    const double *scale, *zero;
    bool each; /* a pair for each output */
    int low, high;
};

/* gram: [depth][depth]. False: out of memory, or gram is not positive. */
bool feedback_round(const float *weight, int n, int depth, const double *gram,
                    const struct grid *grid, int8_t *codes);

#endif
