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

/* The same for matrices within others: a(row, k) lies at a[row * a_step + k * a_next], rows of w and y
 * are w_step and y_step apart. */
struct reference_product {
    const float *a, *w;
    float *y;
    int rows, depth, n;
    int a_step, a_next, w_step, y_step;
};
void reference_multiply_part(const struct reference_product *product);

/* The first input channel that a group of a convolution reads. */
int reference_group(const struct graph *graph, int node, int group);

/* The inputs of every output of one image, of one group: [height x width][depth]. */
void reference_patches(const struct graph *graph, int node, int group, const float *image,
                       float *patches);

/* to[columns][rows] from from[rows][columns] */
void reference_transpose(const float *from, float *to, int rows, int columns);

/* Nodes without weights, also used between quantized layers. */
void reference_max_pool(const struct node *from, const struct node *to, const float *x, float *y,
                        int batch);
void reference_mean(const float *x, float *y, int batch, int area, int channels);
void reference_shortcut(const struct node *from, const struct node *to, const float *x, float *y,
                        int batch);
void reference_sum(const float *a, const float *b, float *y, size_t count);
void reference_shuffle(const struct node *node, const float *x, float *y, int batch);

#endif
