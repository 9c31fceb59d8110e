/*
 * A graph quantized with libqnt: calibration on real inputs, one prepared layer for each node with
 * weights.
 *
 * Values that only layers read travel between them as codes; where a value is added to another one
 * or averaged it stays float. Weights are int, activations unsigned codes with an integer zero
 * point.
 */
#ifndef QUANTIZED_H
#define QUANTIZED_H

#include "evaluate.h"
#include "progress.h"
#include "qnt.h"

struct recipe {
    int scheme;           /* of weights */
    int method;           /* of weights and activations; QNT_ENTROPY: weights MINMAX; activations
                             with weights that are not QNT_AFFINE are QNT_MSE */
    int weight_bits;
    int value_bits;       /* of activations; 0: they stay float (weight-only) */
    int grain;            /* of weights: QNT_PER_TENSOR or QNT_PER_AXIS */
    bool ends8;           /* first and last layer: 8-bit weights and inputs */
    bool importance;      /* weights count by the mean square of the inputs they meet */
    bool correct;         /* bias correction: takes away the mean error of the outputs */
    bool offset;          /* weights with a zero point of their own */
    bool feedback;        /* rounding with error feedback (feedback.h), of QNT_AFFINE */
    bool literal;         /* weights as published, and inputs of `pairs` */
    int points;           /* of QNT_POINTS: at most so many */
    double budget;        /* of QNT_POINTS: mean bits of a weight, coefficients included; 0: no limit */
    bool pairs;           /* of QNT_EXP: inputs of layers are exponential as well, with the base and the
                             bits of their weights (adaptive.h); value_bits is one less: no sign */
    bool adaptive;        /* of QNT_EXP: every layer gets bits of its own (adaptive.h) */
    const struct formats *formats; /* found beforehand; NULL: weights are fitted one by one */
    double extra;         /* of QNT_MULTIPOINT: share of outputs that get one point more */
    enum place {
        PLACE_WEIGHTS, /* where the error of weights falls most for a bit */
        PLACE_OUTPUTS, /* where the error of outputs falls most, on calibration samples */
        PLACE_EVENLY,
        PLACE_RANDOM
    } place; /* of those points */
    int seed; /* of PLACE_RANDOM */
};

/* For each node with weights. An input that is NULL has the format of its value. */
struct formats {
    const qnt_quantizer *weights[GRAPH_NODES], *input[GRAPH_NODES];
};

/* What is known of the values of a graph. */
struct calibration {
    struct recipe recipe;
    const struct graph *graph;
    qnt_quantizer *format[GRAPH_NODES]; /* of a value that layers read; else NULL */
    qnt_quantizer *input[GRAPH_NODES]; /* of `pairs`: what a layer reads, not fitted; NULL: an image */
    double *mean[GRAPH_NODES], *square[GRAPH_NODES]; /* per element, over the samples */
    double *gram[GRAPH_NODES]; /* of a layer with groups = 1: mean of x x^T over its inputs x */
    float *inputs[GRAPH_NODES];  /* of such a layer: some of these inputs */
    int input_rows[GRAPH_NODES]; /* how many */
};

/* Both return false after the context's log was told why. */
bool calibrate(const qnt_context *context, const struct graph *graph, const struct samples *samples,
               const struct recipe *recipe, struct progress *progress, struct calibration *out);
void calibration_free(struct calibration *calibration);
bool calibration_serves(const struct calibration *calibration, const struct graph *graph,
                        const struct recipe *recipe);

struct quantized {
    const qnt_context *context; /* serial: the threads run batches of their own */
    qnt_layer *layer[GRAPH_NODES];
    bool codes[GRAPH_NODES]; /* the value is held as uint8 codes */
    size_t weight_bytes;     /* codes, scales, zero points and biases */
    size_t workspace;
};

bool quantize(const qnt_context *context, const struct calibration *calibration,
              const struct recipe *recipe, struct quantized *out);
void quantized_free(struct quantized *quantized);
bool quantized_runner(const struct graph *graph, struct quantized *quantized, struct runner *out);

/* One node of such a runner, in its memory; for who runs the others in another way. */
bool quantized_run_node(const struct runner *runner, int index, int batch, char *base);

struct view;

/* The weights of a node, outputs first; returns the extent of the last axis. */
int view_weights(const struct graph *graph, int index, struct view *view);

/* A compact view of CPU memory; the arrays live in the caller. */
struct view {
    qnt_tensor tensor;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
};
qnt_tensor *view_floats(struct view *view, const float *data, int ndim, const int64_t *shape);
qnt_tensor *view_bytes(struct view *view, const uint8_t *data, int ndim, const int64_t *shape);

#endif
