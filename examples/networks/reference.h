/*
 * The float reference: a graph in plain C loops, as a compiler vectorises them.
 *
 * Sums run in the order of k for every output, whatever the compiler does.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "plan.h"

/* Sees the value of every node, [batch][height][width][channels], right after it was computed. */
typedef void (*reference_witness)(void *user, int node, const float *value, int batch);

/* Bytes of memory for a run: the values first, scratch behind them. */
size_t reference_memory(const struct graph *graph, const struct plan *plan);

/* The input has to be at memory + plan->offset[0]. Returns the value of the last node. */
const float *reference_run(const struct graph *graph, const struct plan *plan, int batch,
                           void *memory, reference_witness witness, void *user);

/* y[rows][n] += a[rows][depth] times w[depth][n] */
void reference_multiply(const float *a, const float *w, float *y, int rows, int depth, int n);

/* The same for a[depth][rows]. */
void reference_multiply_turned(const float *a, const float *w, float *y, int rows, int depth,
                               int n);

/* The inputs of every output of one image: [height x width][depth]. Groups must be 1. */
void reference_patches(const struct graph *graph, int node, const float *image, float *patches);

/* to[columns][rows] from from[rows][columns] */
void reference_transpose(const float *from, float *to, int rows, int columns);

/* Nodes without weights, also used between quantized layers. */
void reference_max_pool(const struct node *from, const struct node *to, const float *x, float *y,
                        int batch);
void reference_mean(const float *x, float *y, int batch, int area, int channels);
void reference_shortcut(const struct node *from, const struct node *to, const float *x, float *y,
                        int batch);

#endif
