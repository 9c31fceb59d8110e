/*
 * Fine-tuning a graph with quantized weights and activations: trainers of libqnt between the values
 * and the layers that read them, and at the end the layers they become.
 *
 * The network's input keeps 8 bits, and so does what the last layer reads and has as weights, as
 * usual. Batch norm makes up for methods that do not keep the scale of weights; at the end it goes
 * into their scales and the biases.
 */
#ifndef TUNING_H
#define TUNING_H

#include "batches.h"
#include "gradient.h"
#include "quantized.h"

struct schedule {
    const char *name;
    int weight_method, value_method; /* QNT_LSQ and its neighbours; QNT_ALQ for both */
    int weight_bits, value_bits;     /* value_bits 0: values stay float */
    double mean_bits;  /* QNT_ALQ: of weights at the end; weight_bits are bases at the beginning, */
    double bases_rate; /* and how they move, in root mean squares of a layer's weights */
    double keep;       /* DropBits: probability at the beginning; 0: none */
    double rate;       /* of weights, at the beginning; it falls along half a cosine, */
    double numbers_rate; /* and so does that of numbers that trainers learn, over their size */
    bool adam;         /* moves the weights; else gradient descent with momentum */
    bool fresh;        /* weights are random: batch norm starts at gain 1 and bias 0 */
    double epochs;
    int batch;
    int shift;   /* images are moved by up to so many pixels, */
    bool mirror; /* and mirrored */
    uint64_t seed;
};

/* Numbers that an optimizer moves, with its memory. */
struct numbers {
    double *w, *g, *m, *v, *size;
    size_t count;
};

struct tuning {
    const qnt_context *context;
    struct graph *graph; /* its weights and biases change */
    const struct schedule *schedule;
    struct batches batches;
    struct tape tape;
    qnt_trainer *weight[GRAPH_NODES], *value[GRAPH_NODES];
    bool follows[GRAPH_NODES]; /* numbers of value[] are fitted to each batch, not learned */
    qnt_alq *alq[GRAPH_NODES]; /* in the place of weight[] */
    double size[GRAPH_NODES];  /* of weights: root mean square; alq moves in such steps */
    struct numbers weight_theta[GRAPH_NODES], value_theta[GRAPH_NODES];
    float *momentum[GRAPH_NODES]; /* of weights, then biases, then gains; Adam has squares behind */
    bool hard;                    /* trainers round, whatever training would do */
    int step, steps;
};

/* Weights as [out][depth], of one layer. */
qnt_tensor *weight_view(const struct graph *graph, int layer, float *data, struct view *view);

/* Floats of `momentum` of a layer. */
size_t tuning_momentum(const struct tuning *tuning, int layer);

/* All return NULL or a sentence about what went wrong. */
const char *tuning_begin(const qnt_context *context, qnt_pool *pool, struct graph *graph,
                         const struct schedule *schedule, const struct samples *samples,
                         struct tuning *out);

/* Goes on until so many steps are done; `steps` are all, after which batch norm's moments are taken
 * anew from the rounded network. The mean loss of the steps of this call. */
const char *tuning_run(struct tuning *tuning, int until, double *loss);

/* The layers of what was trained; the float graph may be used for the rest. */
const char *tuning_deploy(const struct tuning *tuning, const qnt_context *serial,
                          struct quantized *out);

/* Logits [count][classes] by the trained graph itself, with every trainer hard: what deployment
 * must repeat. */
const char *tuning_apply(struct tuning *tuning, const struct samples *samples, float *logits);

void tuning_free(struct tuning *tuning);

#endif
