/* Nodes of a tape that only move values: means, the largest of four, shortcuts, sums, shuffles. */
#ifndef WEIGHTLESS_H
#define WEIGHTLESS_H

#include "gradient.h"

/* value[node] from values. */
void weightless_forward(struct tape *tape, int node);

/* Adds d_value[node] to the d_value of what the node reads. */
void weightless_backward(struct tape *tape, int node);

#endif
