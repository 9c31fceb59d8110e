/* Small layers of every kind, for the contract tests. */
#ifndef RECIPES_H
#define RECIPES_H

#include "context/context.h"
#include "fixtures.h"

enum { FLOATS, BYTES, DYNAMIC, LEVELS, SIGNS, OWN_SIGNS };

struct recipe {
    const char *name;
    qnt_layer_spec spec;
    int64_t weight[4], x[4];
    int ndim;
    int bits, flags, grain; /* of the weights; bits below 0: codebook number -1 - bits */
    int64_t block;
    int input, output;
    bool bias;
};

#define WITH(...) {.size = sizeof(qnt_layer_spec), __VA_ARGS__}
#define CONV(...) WITH(.kind = QNT_CONV, .pad = {1, 1, 1, 1}, __VA_ARGS__)
#define SYMMETRIC (QNT_SIGNED | QNT_SYMMETRIC)

/* Every arithmetic, granularity, layout and combination of input and output at least once. */
static UNUSED const struct recipe recipes[] = {
    {"dense, float", WITH(.kind = QNT_DENSE), {19, 37}, {5, 37}, 2, 4, SYMMETRIC, QNT_PER_AXIS, 0,
     FLOATS, FLOATS, true},
    {"dense, float, blocks", WITH(.kind = QNT_DENSE), {19, 80}, {3, 80}, 2, 3, 0, QNT_PER_BLOCK, 32,
     FLOATS, FLOATS, false},
    {"dense, dynamic", WITH(.kind = QNT_DENSE), {35, 37}, {13, 37}, 2, 8, SYMMETRIC, QNT_PER_AXIS,
     0, DYNAMIC, FLOATS, true},
    {"dense, dynamic, blocks", WITH(.kind = QNT_DENSE), {35, 96}, {2, 96}, 2, 4, SYMMETRIC,
     QNT_PER_BLOCK, 32, DYNAMIC, FLOATS, true},
    {"dense, bytes to floats", WITH(.kind = QNT_DENSE), {17, 30}, {14, 30}, 2, 2, 0, QNT_PER_TENSOR,
     0, BYTES, FLOATS, true},
    {"dense, bytes to bytes", WITH(.activation = QNT_RELU), {16, 64}, {1, 64}, 2, 8, SYMMETRIC,
     QNT_PER_AXIS, 0, BYTES, BYTES, true},
    {"dense, accumulate", WITH(.flags = QNT_ACCUMULATE), {9, 20}, {4, 20}, 2, 8, SYMMETRIC,
     QNT_PER_AXIS, 0, BYTES, FLOATS, false},
    {"conv, float", CONV(.groups = 1), {5, 3, 3, 4}, {1, 6, 5, 4}, 4, 8, SYMMETRIC, QNT_PER_AXIS, 0,
     FLOATS, FLOATS, true},
    {"conv, bytes", CONV(.groups = 2, .stride = {2, 1}), {6, 3, 3, 5}, {2, 7, 6, 10}, 4, 4,
     SYMMETRIC, QNT_PER_AXIS, 0, BYTES, BYTES, true},
    {"conv, bytes where they are", CONV(.groups = 1), {6, 3, 3, 8}, {2, 6, 13, 8}, 4, 8, SYMMETRIC,
     QNT_PER_AXIS, 0, BYTES, BYTES, true},
    {"conv, shifted groups", CONV(.groups = 2, .group_shift = 1, .dilation = {1, 2}), {4, 3, 3, 3},
     {1, 6, 9, 6}, 4, 3, 0, QNT_PER_TENSOR, 0, BYTES, FLOATS, false},
    {"conv, NCHW", CONV(.layout = QNT_NCHW), {7, 3, 3, 3}, {2, 3, 6, 7}, 4, 8, SYMMETRIC,
     QNT_PER_AXIS, 0, BYTES, BYTES, true},
    {"conv, depthwise", CONV(.groups = 11), {11, 3, 3, 1}, {1, 6, 8, 11}, 4, 8, SYMMETRIC,
     QNT_PER_AXIS, 0, BYTES, BYTES, true},
    {"dense, integer levels", WITH(.kind = QNT_DENSE), {19, 37}, {5, 37}, 2, -1, 0, QNT_PER_AXIS, 0,
     LEVELS, FLOATS, true},
    {"dense, real levels", WITH(.kind = QNT_DENSE), {19, 37}, {5, 37}, 2, -5, 0, QNT_PER_AXIS, 0, FLOATS,
     FLOATS, true},
    {"conv, points", CONV(.groups = 1), {5, 3, 3, 4}, {1, 6, 5, 4}, 4, -6, 0, QNT_PER_AXIS, 0, LEVELS,
     BYTES, true},
    {"dense, planes", WITH(.kind = QNT_DENSE), {100, 120}, {5, 120}, 2, -9, 0, QNT_PER_AXIS, 0, SIGNS,
     FLOATS, false},
    {"conv, planes", WITH(.kind = QNT_CONV, .groups = 2), {180, 3, 3, 14}, {1, 5, 4, 28}, 4, -9, 0,
     QNT_PER_TENSOR, 0, SIGNS, BYTES, false},
    {"conv, signs of each image", CONV(.layout = QNT_NCHW), {7, 3, 3, 3}, {2, 3, 6, 7}, 4, -9, 0,
     QNT_PER_AXIS, 0, OWN_SIGNS, FLOATS, true},
    {"conv, filtered", CONV(.groups = 1), {32, 3, 3, 32}, {1, 9, 7, 32}, 4, 8, SYMMETRIC, QNT_PER_AXIS, 0,
     BYTES, BYTES, true},
    {"conv, filtered, packed", CONV(.groups = 2, .group_shift = 1), {64, 3, 3, 32}, {1, 4, 7, 64}, 4, 3,
     SYMMETRIC, QNT_PER_AXIS, 0, DYNAMIC, FLOATS, true},
    {"conv, filtered, tables", CONV(.layout = QNT_NCHW), {32, 32, 3, 3}, {2, 32, 6, 5}, 4, -4, 0,
     QNT_PER_AXIS, 0, LEVELS, FLOATS, false},
};

enum { RECIPES = sizeof recipes / sizeof *recipes, MOST_OUTPUTS = 256 };

/* May the layer run by minimal filtering? */
static UNUSED bool is_filtered(const struct recipe *r)
{
    const char *name = "conv, filtered";
    return !strncmp(r->name, name, strlen(name));
}

/* Layers that may run by minimal filtering do, even if they are as small as these. */
static UNUSED void filter_everywhere(qnt_context *context)
{
    context->winograd = 1;
}

/* What a layer is made of; the numbers follow from the seed. */
struct parts {
    qnt_quantizer *weight_q, *input_q, *output_q;
    float *weights, biases[MOST_OUTPUTS];
    check_tensor weight_view, bias_view;
    const qnt_tensor *weight, *bias;
};

static UNUSED struct parts *open_parts(const qnt_context *context, const struct recipe *r)
{
    struct parts *p = calloc(1, sizeof *p);
    size_t count = product(r->weight, r->ndim);
    p->weights = malloc(count * sizeof *p->weights);
    fill_floats(p->weights, count);
    fill_floats(p->biases, MOST_OUTPUTS);
    if (r->weight[0] > MOST_OUTPUTS) exit(2);
    p->weight = check_view(&p->weight_view, p->weights, QNT_FLOAT, 32, r->ndim, r->weight);
    if (r->bias) p->bias = check_view(&p->bias_view, p->biases, QNT_FLOAT, 32, 1, r->weight);
    int axis = r->grain == QNT_PER_BLOCK;
    qnt_spec spec = r->bits < 0 ? codebook(-1 - r->bits, r->grain, axis, r->block)
                                : grained(QNT_MINMAX, r->bits, r->flags, r->grain, axis, r->block);
    p->weight_q = fitted_quantizer(context, spec, p->weight);
    if (r->input == BYTES) p->input_q = byte_quantizer(context);
    if (r->input == DYNAMIC) p->input_q = dynamic_quantizer(context);
    if (r->input == LEVELS) p->input_q = fitted_quantizer(context, codebook(3, 0, 0, 0), p->weight);
    if (r->input == SIGNS) p->input_q = fitted_quantizer(context, codebook(8, 0, 0, 0), p->weight);
    qnt_spec own = codebook(8, 0, 0, 0);
    own.flags = QNT_DYNAMIC;
    if (r->input == OWN_SIGNS) p->input_q = new_quantizer(context, own);
    if (r->output == BYTES) p->output_q = byte_quantizer(context);
    return p;
}

static UNUSED void close_parts(struct parts *p)
{
    qnt_quantizer_destroy(p->weight_q);
    qnt_quantizer_destroy(p->input_q);
    qnt_quantizer_destroy(p->output_q);
    free(p->weights);
    free(p);
}

static UNUSED qnt_status make_layer(const qnt_context *context, const struct recipe *r,
                                    const struct parts *p, qnt_layer **out)
{
    return qnt_layer_create(context, &r->spec, p->weight, p->weight_q, p->bias, p->input_q,
                            p->output_q, out);
}

static UNUSED qnt_layer *new_layer(const qnt_context *context, const struct recipe *r)
{
    struct parts *p = open_parts(context, r);
    qnt_layer *layer = NULL;
    MUST(make_layer(context, r, p, &layer));
    close_parts(p);
    return layer;
}

/* The description of what a layer gives for a recipe's input. */
static UNUSED qnt_tensor *result_view(const qnt_context *context, const qnt_layer *layer,
                                      const qnt_tensor *x, check_tensor *v)
{
    v->t = (qnt_tensor){.shape = v->shape, .strides = v->strides};
    MUST(qnt_layer_view(context, layer, x, &v->t));
    return &v->t;
}

static UNUSED size_t view_bytes(const qnt_context *context, const qnt_tensor *t)
{
    uint64_t bytes = 0;
    MUST(qnt_tensor_bytes(context, t, &bytes));
    return (size_t)bytes;
}

#endif
