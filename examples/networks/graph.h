/*
 * A network as a list of nodes, each reading the outputs of earlier ones.
 *
 * Builders append a node and return its index; the first thing that goes wrong (a missing tensor, a
 * shape that does not fit) is kept in `problem`, and later calls do nothing, so that a model is
 * written without checks between its lines. Values are NHWC. Batch normalisation, additions and
 * ReLU are folded into the convolution or dense node that they follow:
 *
 *     y = relu(weight * x + bias + value of `add`)
 */
#ifndef GRAPH_H
#define GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "safetensors.h"

enum { GRAPH_NODES = 96, GRAPH_NAME = 64 };

enum node_kind {
    NODE_INPUT,
    NODE_CONV,     /* kernel, stride, pad, groups */
    NODE_DENSE,    /* of the flattened value */
    NODE_MAX_POOL, /* 2 x 2, stride 2 */
    NODE_MEAN,     /* over height and width */
    NODE_SHORTCUT, /* every second row and column; new channels are zero, half of them on each side
                    */
    NODE_SUM,      /* of the input and `add` */
    NODE_SHUFFLE   /* channel g * each + c of `groups` goes to c * groups + g (ShuffleNet) */
};

struct node {
    enum node_kind kind;
    char name[GRAPH_NAME];
    int input;                    /* the node that is read */
    int add;                      /* the node that is added before the activation, or -1 */
    bool relu;
    int height, width, channels;  /* of the output */
    int kernel[2], stride, groups;
    int shift;                    /* group g reads group (g + shift) mod groups */
    int pad[4];                   /* top, left, bottom, right */
    float *weight, *bias;         /* [out][down][right][in / groups]; [out] */
};

struct graph {
    struct node node[GRAPH_NODES];
    int count;
    const struct safetensors *file;
    char problem[128];
};

struct padding {
    int top, left, bottom, right;
};

/* A graph that takes its weights from `file`, which is used while building only; NULL: all are 0,
 * for graph_randomize. */
struct graph *graph_create(const struct safetensors *file, int height, int width, int channels);

/* Weights before any training: normal, of variance 2 / depth (He et al. 2015). The same seed gives
 * the same weights. */
void graph_randomize(struct graph *graph, uint64_t seed);

void graph_free(struct graph *graph);

int graph_conv(struct graph *graph, int input, const char *name, int channels, const int kernel[2],
               int stride, struct padding pad);
int graph_group_conv(struct graph *graph, int input, const char *name, int channels, int groups,
                     int shift, const int kernel[2], int stride, struct padding pad);
int graph_depthwise(struct graph *graph, int input, const char *name, const int kernel[2],
                    struct padding pad);
int graph_dense(struct graph *graph, int input, const char *name, int channels);
int graph_max_pool(struct graph *graph, int input);
int graph_mean(struct graph *graph, int input);
int graph_shortcut(struct graph *graph, int input, int channels);
int graph_sum(struct graph *graph, int input, int other);
int graph_shuffle(struct graph *graph, int input, int groups);

/* These change the node and return it. */
int graph_batch_norm(struct graph *graph, int node, const char *name, double epsilon);
int graph_add(struct graph *graph, int node, int other);
int graph_relu(struct graph *graph, int node);

bool node_has_weights(const struct node *node);
size_t node_elements(const struct node *node);      /* of its output, per image */
size_t graph_weight_count(const struct graph *graph, int node);
int graph_depth(const struct graph *graph, int node); /* inputs of one output: down x right x in */

#endif
