/*
 * Runs a network over a dataset with several threads and measures it.
 *
 * Batches are handed out to the threads of a qnt_pool; each has memory of its own. Results do not
 * depend on the number of threads. Time is CPU time inside the network, preparing its input
 * excluded.
 */
#ifndef EVALUATE_H
#define EVALUATE_H

#include "dataset.h"
#include "plan.h"
#include "qnt.h"

/* A network in some form: float reference or quantized. */
struct runner {
    const struct graph *graph;
    struct plan plan;
    size_t memory; /* bytes that one run needs */
    const float *(*run)(const struct runner *runner, int batch, void *memory); /* NULL: failed */
    const void *self;
};

struct samples {
    const struct dataset *set;
    const struct normalisation *input;
    int first, count;
};

struct crew {
    qnt_pool *pool;
    int threads;
};

struct outcome {
    int right, count;
    double seconds; /* of CPU time for all of them */
};

enum { EVALUATE_BATCH = 16, EVALUATE_THREADS = 64 };

void reference_runner(const struct graph *graph, struct runner *out);

/* logits: [count][classes]. False if a run failed or memory ran out. */
bool evaluate(const struct crew *crew, const struct runner *runner, const struct samples *samples,
              float *logits, struct outcome *out);

/* 10 log10(sum a^2 / sum (a - b)^2) */
double signal_to_noise(const float *a, const float *b, size_t count);

#endif
