/*
 * Batch norm (Ioffe, Szegedy 2015) of a layer's products: what is trained apart from the weights.
 *
 * A tape without batch norm, and the last layer, have the same form with mean 0 and deviation 1.
 */
#ifndef NORMAL_H
#define NORMAL_H

#include "gradient.h"

bool normal_applies(const struct tape *tape, int node);

/* Mean and deviation of this pass: of the batch, which the running ones then follow, or these. */
void normal_measure(struct tape *tape, int node);

/* The running moments become those of the present batch. */
void normal_settle(struct tape *tape, int node);

/* y = scale * product + shift is gain, batch norm and bias with the mean and deviation of the
 * pass. */
struct affine {
    float scale, shift;
};
struct affine normal_affine(const struct tape *tape, int node, int channel);

/* The same with the running moments: what a layer becomes. */
struct affine normal_deployed(const struct tape *tape, int node, int channel);

/* From the sums of slices to d_gain and d_bias. */
void normal_add_up(struct tape *tape, int node);

#endif
