/*
 * Weights of a training as sums of bases of signs: ALQ (Qu et al., CVPR 2020).
 *
 * The bits of all layers but the ends fall to a mean in rounds: bases move, coordinates move, then
 * the coordinates that the loss needs least go. At the end a float copy of the weights moves.
 */
#ifndef BASES_H
#define BASES_H

#include "tuning.h"

/* All return false after the context's log was told why. */
bool bases_start(struct tuning *tuning, int layer);
bool bases_use(struct tuning *tuning, int layer);
bool bases_move(struct tuning *tuning); /* all layers, by the tape's gradients */

/* Mean bits of a weight, over all that have bases. */
double bases_bits(const struct tuning *tuning);

#endif
