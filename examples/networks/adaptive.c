/* Bits of exponents for every layer of a network. */
#include "adaptive.h"

#include <stdlib.h>

struct trial {
    const qnt_context *context, *serial;
    const struct crew *crew;
    const struct calibration *calibration;
    const struct samples *samples;
    struct recipe recipe;
    int32_t bits[GRAPH_NODES];
    int node[GRAPH_NODES], layers; /* nodes with weights */
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
    (void)inputs;
    for (int l = 0; l < t->layers; l++)
        t->bits[t->node[l]] = quantizer_bits(t->context, weights[l]);
    if (!quantize(t->context, t->calibration, &t->recipe, &quantized)) return 1;
    quantized.context = t->serial;
    bool good = quantized_runner(t->calibration->graph, &quantized, &runner) &&
                count_right(t, &runner, &right);
    quantized_free(&quantized);
    *loss = (double)(t->right - right) / t->samples->count;
    return !good;
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

static void take(const struct trial *t, qnt_quantizer *const *weights, struct adaptation *out)
{
    double sum = 0, count = 0;
    for (int l = 0; l < t->layers; l++) {
        int bits = quantizer_bits(t->context, weights[l]), node = t->node[l];
        double n = (double)graph_weight_count(t->calibration->graph, node);
        out->bits[node] = bits;
        sum += n * (bits + 1);
        count += n;
    }
    out->mean = sum / count;
}

bool adapt(const qnt_context *context, const qnt_context *serial, const struct crew *crew,
           const struct calibration *calibration, const struct samples *samples,
           const struct recipe *recipe, struct adaptation *out)
{
    const struct graph *graph = calibration->graph;
    qnt_quantizer *weights[GRAPH_NODES] = {NULL};
    qnt_teq_spec spec = {.size = sizeof spec};
    struct runner runner;
    struct trial t = {.context = context,
                      .serial = serial,
                      .crew = crew,
                      .calibration = calibration,
                      .samples = samples,
                      .recipe = *recipe};
    t.recipe.node_bits = t.bits;
    t.logits = malloc((size_t)samples->count * sizeof *t.logits *
                      (size_t)graph->node[graph->count - 1].channels);
    reference_runner(graph, &runner);
    bool good = t.logits && count_right(&t, &runner, &t.right);
    for (int i = 1; good && i < graph->count; i++) {
        if (!node_has_weights(&graph->node[i])) continue;
        good = observe_weights(&t, i, &weights[t.layers]);
        t.node[t.layers++] = i;
    }
    good = good && !qnt_teq_search(context, weights, NULL, (size_t)t.layers, &spec, measure, &t);
    if (good) take(&t, weights, out);
    out->loss = spec.loss;
    for (int l = 0; l < t.layers; l++) qnt_quantizer_destroy(weights[l]);
    free(t.logits);
    return good;
}
