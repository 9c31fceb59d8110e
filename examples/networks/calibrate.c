/* Calibration: the float network runs on samples, and every value that layers read is observed. */
#include <stdlib.h>
#include <string.h>

#include "quantized.h"
#include "reference.h"

enum {
    KEPT_VALUES = 1 << 16, /* after so many, statistics go on as histograms */
    GRAM_SAMPLES = 256,    /* products of inputs are dear: the first samples will do */
    KEPT_INPUTS = 8        /* of each of these, where inputs themselves are kept */
};

static bool is_read_by_layers(const struct graph *graph, int value)
{
    for (int i = value + 1; i < graph->count; i++)
        if (graph->node[i].input == value && node_has_weights(&graph->node[i])) return true;
    return false;
}

/* The image has 8 bits anyway. */
static int bits_of(const struct graph *graph, const struct recipe *recipe, int value)
{
    bool last = graph->node[graph->count - 1].input == value;
    return value == 0 || (recipe->ends8 && last) ? 8 : recipe->value_bits;
}

static bool prepare_quantizer(const qnt_context *context, const qnt_spec *spec, qnt_quantizer **out)
{
    const double kept = KEPT_VALUES;
    return qnt_quantizer_create(context, spec, out) == QNT_OK &&
           qnt_quantizer_set(context, *out, QNT_P_SAMPLES, &kept, 1) == QNT_OK;
}

/* One base for weights and inputs: each layer has a format of its own for what it reads. */
static bool prepare_pairs(const qnt_context *context, struct calibration *c, int value)
{
    const qnt_spec spec = {.size = sizeof spec,
                           .scheme = QNT_EXP,
                           .method = QNT_TEQ,
                           .flags = c->recipe.literal ? QNT_LITERAL : 0};
    for (int i = value + 1; i < c->graph->count; i++) {
        const struct node *node = &c->graph->node[i];
        if (node->input != value || !node_has_weights(node)) continue;
        if (!prepare_quantizer(context, &spec, &c->input[i])) return false;
    }
    return true;
}

static bool prepare(const qnt_context *context, struct calibration *c, int value)
{
    const struct graph *graph = c->graph;
    const qnt_spec spec = {.size = sizeof spec,
                           .method = c->recipe.scheme == QNT_AFFINE ? c->recipe.method : QNT_MSE,
                           .bits = bits_of(graph, &c->recipe, value)};
    size_t n = node_elements(&graph->node[value]);
    c->mean[value] = calloc(n, sizeof(double));
    c->square[value] = calloc(n, sizeof(double));
    if (!c->mean[value] || !c->square[value]) return false;
    if (!c->recipe.value_bits) return true;
    if (c->recipe.pairs && value) return prepare_pairs(context, c, value);
    return prepare_quantizer(context, &spec, &c->format[value]);
}

static bool prepare_gram(struct calibration *c, int layer)
{
    const struct node *node = &c->graph->node[layer];
    size_t depth = node_has_weights(node) ? (size_t)graph_depth(c->graph, layer) : 0;
    if (!c->recipe.feedback || !depth || node->groups > 1) return true;
    c->gram[layer] = calloc(depth * depth, sizeof(double));
    return c->gram[layer] != NULL;
}

/* Adds x x^T of all inputs x that a layer sees in one image. */
static bool add_products(struct calibration *c, int layer, const float *image)
{
    const struct node *node = &c->graph->node[layer];
    int rows = node->height * node->width, depth = graph_depth(c->graph, layer);
    size_t patch = (size_t)rows * (size_t)depth, square = (size_t)depth * (size_t)depth;
    float *x = malloc(2 * patch * sizeof *x), *sum = calloc(square, sizeof *sum);
    if (x && sum) {
        reference_patches(c->graph, layer, 0, image, x);
        reference_transpose(x, x + patch, rows, depth);
        reference_multiply(x + patch, x, sum, depth, rows, depth);
        for (size_t i = 0; i < square; i++) c->gram[layer][i] += (double)sum[i] / rows;
    }
    bool good = x && sum;
    free(x);
    free(sum);
    return good;
}

static bool prepare_inputs(struct calibration *c, int layer)
{
    const struct node *node = &c->graph->node[layer];
    if (!c->recipe.place || !node_has_weights(node) || node->groups > 1) return true;
    size_t rows = (size_t)KEPT_INPUTS * GRAM_SAMPLES;
    c->inputs[layer] = malloc(rows * (size_t)graph_depth(c->graph, layer) * sizeof(float));
    return c->inputs[layer] != NULL;
}

/* Keeps a few of the inputs that a layer sees in one image, from all over it. */
static bool keep_inputs(struct calibration *c, int layer, const float *image, int number)
{
    const struct node *node = &c->graph->node[layer];
    int rows = node->kind == NODE_DENSE ? 1 : node->height * node->width;
    int kept = rows < KEPT_INPUTS ? rows : KEPT_INPUTS;
    size_t depth = (size_t)graph_depth(c->graph, layer);
    float *x = malloc((size_t)rows * depth * sizeof *x);
    if (x) reference_patches(c->graph, layer, 0, image, x);
    for (int i = 0; x && i < kept; i++) {
        int from = (i * rows / kept + number * 7919) % rows;
        memcpy(c->inputs[layer] + (size_t)c->input_rows[layer]++ * depth, x + (size_t)from * depth,
               depth * sizeof *x);
    }
    bool good = x != NULL;
    free(x);
    return good;
}

struct witness {
    const qnt_context *context;
    struct calibration *calibration;
    bool failed;
    int seen; /* samples before this batch */
};

static void observe(void *user, int index, const float *value, int batch)
{
    struct witness *w = user;
    struct calibration *c = w->calibration;
    size_t n = node_elements(&c->graph->node[index]);
    if (!c->mean[index] || w->failed) return;
    for (size_t i = 0; i < n * (size_t)batch; i++) {
        c->mean[index][i % n] += value[i];
        c->square[index][i % n] += (double)value[i] * value[i];
    }
    struct view view;
    int64_t shape[] = {batch, (int64_t)n};
    const qnt_tensor *seen = view_floats(&view, value, 2, shape);
    if (c->format[index] && qnt_quantizer_observe(w->context, c->format[index], seen, NULL))
        w->failed = true;
    for (int layer = index + 1; layer < c->graph->count; layer++) {
        if (c->graph->node[layer].input != index) continue;
        if (c->input[layer] && qnt_quantizer_observe(w->context, c->input[layer], seen, NULL))
            w->failed = true;
        for (int b = 0; b < batch && w->seen + b < GRAM_SAMPLES; b++) {
            const float *image = value + (size_t)b * n;
            if (c->gram[layer]) w->failed |= !add_products(c, layer, image);
            if (c->inputs[layer]) w->failed |= !keep_inputs(c, layer, image, w->seen + b);
        }
    }
}

static bool run_samples(const qnt_context *context, const struct samples *s, struct calibration *c,
                        struct progress *progress)
{
    struct runner runner;
    struct witness witness = {context, c, false, 0};
    reference_runner(c->graph, &runner);
    char *memory = malloc(runner.memory);
    for (int first = 0; memory && first < s->count && !witness.failed; first += EVALUATE_BATCH) {
        int left = s->count - first, batch = left < EVALUATE_BATCH ? left : EVALUATE_BATCH;
        dataset_batch(s->set, s->input, s->first + first, batch,
                      (float *)(void *)(memory + runner.plan.offset[0]));
        witness.seen = first;
        reference_run(c->graph, &runner.plan, batch, memory, observe, &witness);
        progress_show(progress, (double)first / s->count);
    }
    free(memory);
    return memory && !witness.failed;
}

bool calibrate(const qnt_context *context, const struct graph *graph, const struct samples *samples,
               const struct recipe *recipe, struct progress *progress, struct calibration *out)
{
    *out = (struct calibration){.recipe = *recipe, .graph = graph};
    bool good = true;
    for (int i = 0; good && i < graph->count; i++)
        good = prepare_gram(out, i) && prepare_inputs(out, i) &&
               (!is_read_by_layers(graph, i) || prepare(context, out, i));
    good = good && run_samples(context, samples, out, progress);
    for (int i = 0; good && i < graph->count; i++) {
        if (out->format[i]) good = qnt_quantizer_fit(context, out->format[i]) == QNT_OK;
        for (size_t e = 0; out->mean[i] && e < node_elements(&graph->node[i]); e++) {
            out->mean[i][e] /= samples->count;
            out->square[i][e] /= samples->count;
        }
    }
    if (!good) calibration_free(out);
    return good;
}

void calibration_free(struct calibration *c)
{
    for (int i = 0; i < GRAPH_NODES; i++) {
        qnt_quantizer_destroy(c->format[i]);
        qnt_quantizer_destroy(c->input[i]);
        free(c->mean[i]);
        free(c->square[i]);
        free(c->gram[i]);
        free(c->inputs[i]);
    }
    *c = (struct calibration){.graph = NULL};
}

bool calibration_serves(const struct calibration *c, const struct graph *graph,
                        const struct recipe *recipe)
{
    const bool values = recipe->pairs
                            ? c->recipe.pairs && c->recipe.literal == recipe->literal
                            : !c->recipe.pairs && c->recipe.value_bits == recipe->value_bits;
    return c->graph == graph && values && c->recipe.method == recipe->method &&
           c->recipe.scheme == recipe->scheme && c->recipe.ends8 == recipe->ends8 &&
           c->recipe.feedback >= recipe->feedback && (c->recipe.place || !recipe->place);
}
