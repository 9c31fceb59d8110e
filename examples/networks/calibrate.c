/* Calibration: the float network runs on samples, and every value that layers read is observed. */
#include <stdlib.h>

#include "quantized.h"
#include "reference.h"

enum { KEPT_VALUES = 1 << 16 }; /* after so many, statistics go on as histograms */

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

static bool prepare(const qnt_context *context, struct calibration *c, int value)
{
    const double kept = KEPT_VALUES;
    const struct graph *graph = c->graph;
    size_t n = node_elements(&graph->node[value]);
    qnt_spec spec = {.size = sizeof spec, .method = c->recipe.method,
                     .bits = bits_of(graph, &c->recipe, value)};
    c->mean[value] = calloc(n, sizeof(double));
    c->square[value] = calloc(n, sizeof(double));
    if (!c->mean[value] || !c->square[value]) return false;
    if (!c->recipe.value_bits) return true;
    return qnt_quantizer_create(context, &spec, &c->format[value]) == QNT_OK &&
           qnt_quantizer_set(context, c->format[value], QNT_P_SAMPLES, &kept, 1) == QNT_OK;
}

struct witness {
    const qnt_context *context;
    struct calibration *calibration;
    bool failed;
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
    if (c->format[index] && qnt_quantizer_observe(w->context, c->format[index],
                                                  view_floats(&view, value, 2, shape), NULL))
        w->failed = true;
}

static bool run_samples(const qnt_context *context, const struct samples *s, struct calibration *c,
                        struct progress *progress)
{
    struct runner runner;
    struct witness witness = {context, c, false};
    reference_runner(c->graph, &runner);
    char *memory = malloc(runner.memory);
    for (int first = 0; memory && first < s->count && !witness.failed; first += EVALUATE_BATCH) {
        int left = s->count - first, batch = left < EVALUATE_BATCH ? left : EVALUATE_BATCH;
        dataset_batch(s->set, s->input, s->first + first, batch,
                      (float *)(void *)(memory + runner.plan.offset[0]));
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
        if (is_read_by_layers(graph, i)) good = prepare(context, out, i);
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
        free(c->mean[i]);
        free(c->square[i]);
    }
    *c = (struct calibration){.graph = NULL};
}

bool calibration_serves(const struct calibration *c, const struct graph *graph,
                        const struct recipe *recipe)
{
    return c->graph == graph && c->recipe.value_bits == recipe->value_bits &&
           c->recipe.method == recipe->method && c->recipe.ends8 == recipe->ends8;
}
