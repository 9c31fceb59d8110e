/*
 * One batch through a graph and back: the values and gradients of every node.
 *
 * Layers see `used` instead of what they read and `weight` instead of their own weights, so that
 * whoever quantizes can stand in between. Convolutions, dense layers, means, the largest of four,
 * shortcuts, sums, shuffles and ReLU; batch norm (normal.h) after every layer but the last, if wanted. The
 * batch is cut into slices that do not depend on the number of threads, and sums over slices are
 * made in their order: the same numbers on any number of threads.
 */
#ifndef GRADIENT_H
#define GRADIENT_H

#include "graph.h"
#include "qnt.h"

enum { SLICES = 8 };

struct tape {
    const struct graph *graph;
    int batch;
    qnt_pool *pool;
    bool normal;   /* layers but the last have batch norm; to be set before the first pass */
    bool learning; /* batch norm has the moments of the batch, else running ones, */
    double follow; /* which go so much of the way to those of each batch */
    float *value[GRAPH_NODES], *d_value[GRAPH_NODES];
    float *used[GRAPH_NODES]; /* of a value that layers read; the caller fills it */
    float *d_used[GRAPH_NODES];
    float *weight[GRAPH_NODES];   /* as the layer uses it, [out][depth]; the caller fills it */
    float *d_weight[GRAPH_NODES]; /* sums over the batch */
    float *product[GRAPH_NODES];  /* weight x */
    float *gain[GRAPH_NODES];     /* [out]: y = gain * (product - mean) / deviation + bias */
    float *d_gain[GRAPH_NODES], *d_bias[GRAPH_NODES];
    float *mean[GRAPH_NODES],
        *deviation[GRAPH_NODES]; /* of this pass; 0 and 1 without batch norm */
    float *running_mean[GRAPH_NODES], *running_square[GRAPH_NODES]; /* the latter of deviations */
    double *sums[SLICES]; /* [2][out] of the layer at hand, over a slice */
    float *slice[SLICES]; /* scratch and weight gradients of a slice */
    void *memory;
};

/* Rows of all images of a slice in a node's value: pixels. */
struct tape_rows {
    size_t first, count;
};
struct tape_rows tape_rows(const struct tape *tape, int node, size_t slice);

/* One node of a tape: the task of a pool. */
struct tape_job {
    struct tape *tape;
    int node;
};

/* False if memory runs out. */
bool tape_create(const struct graph *graph, int batch, qnt_pool *pool, struct tape *out);
void tape_free(struct tape *tape);

/* One node from used[input], weight and gain; value[0] is the caller's. */
void tape_forward(struct tape *tape, int node);

/* From d_value of the node: d_weight, d_gain, d_bias, d_used[input] added up, and d_value of what
 * it adds. The caller turns d_used into d_value before it goes on to the node that made the value.
 */
void tape_backward(struct tape *tape, int node);

/* Sets all gradients of values to 0. */
void tape_clear(struct tape *tape);

/* d_value of the last node for the mean cross entropy of softmax; returns that. */
double tape_loss(struct tape *tape, const unsigned char *label, double smoothing);

#endif
