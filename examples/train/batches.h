/*
 * Which images a step sees: shuffled anew for each epoch, moved and mirrored.
 *
 * All of it is a function of seed and step, so that a training that was interrupted goes on with
 * the same images.
 */
#ifndef BATCHES_H
#define BATCHES_H

#include "evaluate.h"

struct batches {
    const struct samples *samples;
    int size;    /* images of one batch; each epoch leaves out what is too few for another */
    int shift;   /* images are moved by up to so many pixels, */
    bool mirror; /* and mirrored */
    uint64_t seed;
    int *order, epoch; /* of this epoch */
};

/* False if memory runs out, or there are fewer samples than one batch takes. */
bool batches_open(const struct samples *samples, int size, uint64_t seed, struct batches *out);
void batches_close(struct batches *batches);

int batches_of_epoch(const struct batches *batches);

/* The batch of a step, [size][height][width][channels], and its labels. */
void batches_draw(struct batches *batches, int step, float *image, unsigned char *label);

#endif
