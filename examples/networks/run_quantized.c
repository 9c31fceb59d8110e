/* Runs the prepared layers of a graph. */
#include <string.h>

#include "quantized.h"
#include "reference.h"

static qnt_tensor *view_value(const struct graph *graph, const struct quantized *q, int value,
                              int batch, const void *data, bool flat, struct view *view)
{
    const struct node *node = &graph->node[value];
    int64_t image[] = {batch, node->height, node->width, node->channels};
    int64_t row[] = {batch, (int64_t)node_elements(node)};
    int ndim = flat ? 2 : 4;
    const int64_t *shape = flat ? row : image;
    return q->codes[value] ? view_bytes(view, data, ndim, shape)
                           : view_floats(view, data, ndim, shape);
}

/* Codes of one format are ordered like their values, so the largest code is the largest value. */
static void max_pool_codes(const struct node *from, const struct node *to, const uint8_t *x,
                           uint8_t *y, int batch)
{
    int c = to->channels, line = from->width * c;
    for (int b = 0; b < batch; b++, x += node_elements(from))
        for (int p = 0; p < to->height * to->width; p++, y += c) {
            const uint8_t *corner = x + p / to->width * 2 * line + p % to->width * 2 * c;
            for (int i = 0; i < c; i++) {
                uint8_t up = corner[i] > corner[i + c] ? corner[i] : corner[i + c];
                const uint8_t *below = corner + line;
                uint8_t down = below[i] > below[i + c] ? below[i] : below[i + c];
                y[i] = up > down ? up : down;
            }
        }
}

static bool run_layer(const struct runner *runner, int index, int batch, char *base)
{
    const struct graph *graph = runner->graph;
    const struct quantized *q = runner->self;
    const struct node *node = &graph->node[index];
    const size_t *offset = runner->plan.offset;
    bool flat = node->kind == NODE_DENSE;
    struct view x, y;
    view_value(graph, q, node->input, batch, base + offset[node->input], flat, &x);
    view_value(graph, q, index, batch, base + offset[index], flat, &y);
    if (node->add >= 0 && offset[node->add] != offset[index])
        memcpy(base + offset[index], base + offset[node->add],
               (size_t)batch * node_elements(node) * sizeof(float));
    return !qnt_layer_run(q->context, q->layer[index], &x.tensor, &y.tensor,
                          base + runner->plan.bytes, q->workspace);
}

static void run_rest(const struct runner *runner, int index, int batch, char *base)
{
    const struct graph *graph = runner->graph;
    const struct quantized *q = runner->self;
    const struct node *node = &graph->node[index], *in = &graph->node[node->input];
    void *x = base + runner->plan.offset[node->input], *y = base + runner->plan.offset[index];
    if (node->kind == NODE_MEAN) reference_mean(x, y, batch, in->height * in->width, in->channels);
    else if (node->kind == NODE_SHORTCUT) reference_shortcut(in, node, x, y, batch);
    else if (node->kind == NODE_SHUFFLE) reference_shuffle(node, x, y, batch);
    else if (node->kind == NODE_SUM)
        reference_sum(x, (const float *)(const void *)(base + runner->plan.offset[node->add]), y,
                      node_elements(node) * (size_t)batch);
    else if (q->codes[index]) max_pool_codes(in, node, x, y, batch);
    else reference_max_pool(in, node, x, y, batch);
}

bool quantized_run_node(const struct runner *runner, int index, int batch, char *base)
{
    if (node_has_weights(&runner->graph->node[index])) return run_layer(runner, index, batch, base);
    run_rest(runner, index, batch, base);
    return true;
}

static const float *run_quantized(const struct runner *runner, int batch, void *memory)
{
    const struct graph *graph = runner->graph;
    for (int i = 1; i < graph->count; i++)
        if (!quantized_run_node(runner, i, batch, memory)) return NULL;
    return (const float *)(const void *)((char *)memory + runner->plan.offset[graph->count - 1]);
}

bool quantized_runner(const struct graph *graph, struct quantized *q, struct runner *out)
{
    *out = (struct runner){.graph = graph, .run = run_quantized, .self = q};
    plan_make(graph, EVALUATE_BATCH, &out->plan);
    q->workspace = 0;
    for (int i = 1; i < graph->count; i++) {
        struct view x;
        size_t bytes = 0;
        const struct node *node = &graph->node[i];
        if (!q->layer[i]) continue;
        view_value(graph, q, node->input, EVALUATE_BATCH, NULL, node->kind == NODE_DENSE, &x);
        x.tensor.data = out; /* looked at for being there only */
        if (qnt_layer_workspace(q->context, q->layer[i], &x.tensor, &bytes)) return false;
        if (q->workspace < bytes) q->workspace = bytes;
    }
    out->memory = out->plan.bytes + q->workspace;
    return true;
}
