/* One network, one dataset, many recipes: prints a table. */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "quantized.h"

struct experiment {
    const char *title;
    const char *weights;                                     /* path of a safetensors file */
    struct graph *(*model)(const struct safetensors *file);
    struct samples test, calibration; /* disjoint; calibration.count may be 0 */
    const struct recipe *recipe;                             /* bits 0 draws a gap */
    int recipes;
};

/* Threads and contexts of the whole program; the log goes to stderr. */
struct laboratory {
    qnt_context *context; /* lends the pool's threads to fits */
    qnt_context *serial;  /* for layers: each thread runs batches of its own */
    struct crew crew;
};

bool laboratory_open(struct laboratory *laboratory);
void laboratory_close(struct laboratory *laboratory);

/* 0, or 1 after telling what failed. Recipes with quantized activations need calibration
 * samples. */
int experiment_run(const struct laboratory *laboratory, const struct experiment *experiment);

#endif
