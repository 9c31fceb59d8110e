/* Bits of exponents for every layer of a network. */
#include "adaptive.h"

#include <stdlib.h>
#include <string.h>

struct trial {
    const qnt_context *context, *serial;
    const struct crew *crew;
    const struct calibration *calibration;
    const struct samples *samples;
    struct recipe recipe;
    struct formats formats;        /* that are being tried */
    int node[GRAPH_NODES], layers; /* nodes with weights */
    qnt_quantizer *weights[GRAPH_NODES], *inputs[GRAPH_NODES]; /* of these */
    float *logits;
    int right; /* of the float network */
};

static bool count_right(const struct trial *t, const struct runner *runner, int *right)
{
    struct outcome outcome;
    bool good = evaluate(t->crew, runner, t->samples, t->logits, &outcome);
    *right = outcome.right;
    return good;
}

int32_t quantizer_bits(const qnt_context *context, const qnt_quantizer *quantizer)
{
    qnt_spec spec = {.size = sizeof spec};
    qnt_quantizer_spec(context, quantizer, &spec);
    return spec.bits;
}

/* What qnt_teq_search asks: the share of samples that the network then gets wrong besides. */
static int32_t measure(void *user, const qnt_quantizer *const *weights,
                       const qnt_quantizer *const *inputs, double *loss)
{
    struct trial *t = user;
    struct quantized quantized;
    struct runner runner;
    int right = 0;
    for (int l = 0; l < t->layers; l++) {
        t->formats.weights[t->node[l]] = weights[l];
        t->formats.input[t->node[l]] = inputs ? inputs[l] : NULL;
    }
    if (!quantize(t->context, t->calibration, &t->recipe, &quantized)) return 1;
    quantized.context = t->serial;
    bool good = quantized_runner(t->calibration->graph, &quantized, &runner) &&
                count_right(t, &runner, &right);
    quantized_free(&quantized);
    *loss = (double)(t->right - right) / t->samples->count;
    return !good;
}

/* Bits that are given need no measuring. */
static int32_t accept(void *user, const qnt_quantizer *const *weights,
                      const qnt_quantizer *const *inputs, double *loss)
{
    (void)user, (void)weights, (void)inputs;
    *loss = 0;
    return 0;
}

static bool observe_weights(const struct trial *t, int node, qnt_quantizer **out)
{
    struct view view;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_EXP,
                     .method = QNT_TEQ,
                     .grain = t->recipe.grain,
                     .flags = QNT_SIGNED | (t->recipe.literal ? QNT_LITERAL : 0)};
    view_weights(t->calibration->graph, node, &view);
    return !qnt_quantizer_create(t->context, &spec, out) &&
           !qnt_quantizer_observe(t->context, *out, &view.tensor, NULL);
}

static bool observe_layers(struct trial *t)
{
    const struct graph *graph = t->calibration->graph;
    for (int i = 1; i < graph->count; i++) {
        if (!node_has_weights(&graph->node[i])) continue;
        t->inputs[t->layers] = t->recipe.pairs ? t->calibration->input[i] : NULL;
        t->node[t->layers] = i;
        if (!observe_weights(t, i, &t->weights[t->layers++])) return false;
    }
    return true;
}

/* The loss of a network is measured against the float one's. */
static bool search(struct trial *t, double *loss)
{
    const int32_t given = t->recipe.adaptive ? 0 : t->recipe.weight_bits - 1;
    qnt_teq_spec spec = {.size = sizeof spec, .least_bits = given, .most_bits = given};
    struct runner runner;
    reference_runner(t->calibration->graph, &runner);
    bool good = (given || count_right(t, &runner, &t->right)) &&
                !qnt_teq_search(t->context, t->weights, t->inputs, (size_t)t->layers, &spec,
                                given ? accept : measure, t);
    *loss = spec.loss;
    return good;
}

static void take(const struct trial *t, struct adaptation *out)
{
    const struct graph *graph = t->calibration->graph;
    double bits[2] = {0, 0}, count[2] = {0, 0};
    for (int l = 0; l < t->layers; l++) {
        const int node = t->node[l], exponent = quantizer_bits(t->context, t->weights[l]);
        const double weights = (double)graph_weight_count(graph, node),
                     inputs = (double)node_elements(&graph->node[graph->node[node].input]);
        out->formats.weights[node] = t->weights[l];
        out->formats.input[node] = t->inputs[l];
        bits[0] += weights * (exponent + 1), count[0] += weights;
        if (t->inputs[l]) bits[1] += inputs * exponent, count[1] += inputs;
    }
    out->weight_bits = bits[0] / count[0];
    out->input_bits = count[1] > 0 ? bits[1] / count[1] : 0;
}

bool adapt(const qnt_context *context, const qnt_context *serial, const struct crew *crew,
           const struct calibration *calibration, const struct samples *samples,
           const struct recipe *recipe, struct adaptation *out)
{
    const struct graph *graph = calibration->graph;
    struct trial t = {.context = context,
                      .serial = serial,
                      .crew = crew,
                      .calibration = calibration,
                      .samples = samples,
                      .recipe = *recipe};
    *out = (struct adaptation){.loss = 0};
    t.recipe.formats = &t.formats;
    t.logits = malloc((size_t)samples->count * sizeof *t.logits *
                      (size_t)graph->node[graph->count - 1].channels);
    bool good = t.logits && observe_layers(&t) && search(&t, &out->loss);
    memcpy(out->weights, t.weights, sizeof t.weights);
    if (good) take(&t, out);
    free(t.logits);
    return good;
}

void adaptation_free(struct adaptation *adaptation)
{
    for (int i = 0; i < GRAPH_NODES; i++) qnt_quantizer_destroy(adaptation->weights[i]);
    *adaptation = (struct adaptation){.loss = 0};
}
