/* One batch through a graph and back. */
#include "gradient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"

struct job {
    struct tape *tape;
    int node;
};

static int area_of(const struct node *node)
{
    return node->height * node->width;
}

static size_t depth_of(const struct graph *graph, int node)
{
    return (size_t)graph_depth(graph, node);
}

/* Floats that a slice needs for a layer: transposed weights, the patches of one image, their
 * transpose, and its own gradient of the weights. */
static size_t slice_floats(const struct graph *graph, int index)
{
    size_t patches = (size_t)area_of(&graph->node[index]) * depth_of(graph, index);
    return 2 * patches + 2 * graph_weight_count(graph, index);
}

static bool can_train(const struct node *node)
{
    bool pool = node->kind == NODE_MAX_POOL;
    return !pool && (node->kind != NODE_CONV || node->groups == 1);
}

/* Takes floats from the memory, or counts them while that is NULL. */
static float *take(struct tape *t, size_t *at, size_t count)
{
    float *block = t->memory ? (float *)t->memory + *at : NULL;
    *at += (count + 15) / 16 * 16;
    return block;
}

static size_t lay_out(struct tape *t)
{
    const struct graph *g = t->graph;
    size_t at = 0, most = 0;
    for (int i = 0; i < g->count; i++) {
        const struct node *node = &g->node[i];
        size_t n = node_elements(node) * (size_t)t->batch, channels = (size_t)node->channels;
        float **const each[] = {&t->value[i], &t->d_value[i], &t->used[i], &t->d_used[i],
                                &t->product[i]};
        for (size_t k = 0; k < sizeof each / sizeof *each; k++) *each[k] = take(t, &at, n);
        if (!node_has_weights(node)) continue;
        t->weight[i] = take(t, &at, graph_weight_count(g, i));
        t->d_weight[i] = take(t, &at, graph_weight_count(g, i));
        t->gain[i] = take(t, &at, channels);
        t->d_gain[i] = take(t, &at, channels);
        t->d_bias[i] = take(t, &at, channels);
        if (most < slice_floats(g, i)) most = slice_floats(g, i);
    }
    for (int s = 0; s < SLICES; s++) t->slice[s] = take(t, &at, most);
    return at;
}

bool tape_create(const struct graph *graph, int batch, qnt_pool *pool, struct tape *out)
{
    *out = (struct tape){.graph = graph, .batch = batch, .pool = pool};
    for (int i = 1; i < graph->count; i++)
        if (!can_train(&graph->node[i])) return false;
    out->memory = calloc(lay_out(out), sizeof(float));
    if (!out->memory) return false;
    lay_out(out);
    for (int i = 1; i < graph->count; i++)
        for (int c = 0; node_has_weights(&graph->node[i]) && c < graph->node[i].channels; c++)
            out->gain[i][c] = 1;
    return true;
}

void tape_free(struct tape *tape)
{
    free(tape->memory);
    tape->memory = NULL;
}

/* Images of a slice. */
static void bounds(const struct tape *t, size_t slice, int *first, int *end)
{
    *first = (int)slice * t->batch / SLICES;
    *end = ((int)slice + 1) * t->batch / SLICES;
}

static void layer_forward(void *task, size_t slice, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node];
    const size_t in = node_elements(&t->graph->node[node->input]), out = node_elements(node);
    const int depth = graph_depth(t->graph, job->node), n = node->channels, area = area_of(node);
    float *transposed = t->slice[slice],
          *patches = transposed + graph_weight_count(t->graph, job->node);
    int first, end;
    bounds(t, slice, &first, &end);
    reference_transpose(t->weight[job->node], transposed, n, depth);
    for (int b = first; b < end; b++) {
        float *y = t->product[job->node] + (size_t)b * out,
              *value = t->value[job->node] + (size_t)b * out;
        const float *add = node->add < 0 ? NULL : t->value[node->add] + (size_t)b * out;
        reference_patches(t->graph, job->node, t->used[node->input] + (size_t)b * in, patches);
        memset(y, 0, out * sizeof *y);
        reference_multiply(patches, transposed, y, area, depth, n);
        for (size_t i = 0; i < out; i++) {
            int c = (int)(i % (size_t)n);
            float v = t->gain[job->node][c] * y[i] + node->bias[c] + (add ? add[i] : 0);
            value[i] = node->relu && v < 0 ? 0 : v;
        }
    }
}

void tape_forward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index], *in = &t->graph->node[node->input];
    struct job job = {t, index};
    if (node_has_weights(node))
        qnt_pool_run(t->pool, layer_forward, &job, SLICES);
    else if (node->kind == NODE_MEAN)
        reference_mean(t->value[node->input], t->value[index], t->batch, area_of(in), in->channels);
    else
        reference_shortcut(in, node, t->value[node->input], t->value[index], t->batch);
}

/* Adds what every place of a patch hands back to the image it was read from. */
static void scatter(const struct node *x, const struct node *node, const float *patches,
                    float *image)
{
    size_t c = (size_t)x->channels;
    if (node->kind == NODE_DENSE) {
        for (size_t i = 0; i < node_elements(x); i++) image[i] += patches[i];
        return;
    }
    for (int p = 0; p < area_of(node); p++) {
        for (int k = 0; k < node->kernel[0] * node->kernel[1]; k++, patches += c) {
            int down = p / node->width * node->stride - node->pad[0] + k / node->kernel[1];
            int right = p % node->width * node->stride - node->pad[1] + k % node->kernel[1];
            if (down < 0 || down >= x->height || right < 0 || right >= x->width) continue;
            float *to = image + (size_t)(down * x->width + right) * c;
            for (size_t i = 0; i < c; i++) to[i] += patches[i];
        }
    }
}

/* ReLU, the sum, gain and bias: d_value of the node becomes the gradient of the product. */
static void open_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index];
    const size_t n = (size_t)node->channels, count = node_elements(node) * (size_t)t->batch;
    float *dy = t->d_value[index];
    const float *value = t->value[index], *product = t->product[index];
    memset(t->d_gain[index], 0, n * sizeof(float));
    memset(t->d_bias[index], 0, n * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        size_t c = i % n;
        if (node->relu && value[i] <= 0) dy[i] = 0;
        if (node->add >= 0) t->d_value[node->add][i] += dy[i];
        t->d_gain[index][c] += dy[i] * product[i];
        t->d_bias[index][c] += dy[i];
        dy[i] *= t->gain[index][c];
    }
}

static void layer_backward(void *task, size_t slice, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node], *x = &t->graph->node[node->input];
    const size_t in = node_elements(x), out = node_elements(node);
    const int depth = graph_depth(t->graph, job->node), n = node->channels, area = area_of(node);
    const size_t weights = graph_weight_count(t->graph, job->node),
                 patch = (size_t)area * (size_t)depth;
    float *sum = t->slice[slice], *patches = sum + 2 * weights, *turned = patches + patch;
    int first, end;
    bounds(t, slice, &first, &end);
    memset(sum, 0, weights * sizeof *sum);
    for (int b = first; b < end; b++) {
        const float *dy = t->d_value[job->node] + (size_t)b * out;
        reference_patches(t->graph, job->node, t->used[node->input] + (size_t)b * in, patches);
        reference_transpose(patches, turned, area, depth);
        reference_multiply(turned, dy, sum, depth, area, n); /* [depth][out] */
        if (node->input == 0) continue;                      /* nobody asks for the image's */
        memset(patches, 0, patch * sizeof *patches);
        reference_multiply(dy, t->weight[job->node], patches, area, n, depth);
        scatter(x, node, patches, t->d_used[node->input] + (size_t)b * in);
    }
}

static void mean_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index], *in = &t->graph->node[node->input];
    const size_t each = node_elements(in), n = (size_t)node->channels;
    for (size_t i = 0; i < each * (size_t)t->batch; i++)
        t->d_value[node->input][i] += t->d_value[index][i / each * n + i % n] / (float)area_of(in);
}

static void shortcut_backward(struct tape *t, int index)
{
    const struct node *to = &t->graph->node[index], *from = &t->graph->node[to->input];
    const float *dy = t->d_value[index];
    int side = (to->channels - from->channels) / 2;
    for (int b = 0; b < t->batch; b++) {
        float *dx = t->d_value[to->input] + (size_t)b * node_elements(from);
        for (int p = 0; p < area_of(to); p++, dy += to->channels) {
            int at = (p / to->width * 2 * from->width + p % to->width * 2) * from->channels;
            for (int c = 0; c < from->channels; c++) dx[at + c] += dy[side + c];
        }
    }
}

void tape_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index];
    struct job job = {t, index};
    if (node->kind == NODE_MEAN) {
        mean_backward(t, index);
        return;
    }
    if (node->kind == NODE_SHORTCUT) {
        shortcut_backward(t, index);
        return;
    }
    const int depth = graph_depth(t->graph, index), n = node->channels;
    open_backward(t, index);
    qnt_pool_run(t->pool, layer_backward, &job, SLICES);
    memset(t->d_weight[index], 0, graph_weight_count(t->graph, index) * sizeof(float));
    for (int s = 0; s < SLICES; s++)
        for (int k = 0; k < depth; k++)
            for (int c = 0; c < n; c++) t->d_weight[index][c * depth + k] += t->slice[s][k * n + c];
}

void tape_clear(struct tape *t)
{
    for (int i = 0; i < t->graph->count; i++) {
        size_t n = node_elements(&t->graph->node[i]) * (size_t)t->batch;
        memset(t->d_value[i], 0, n * sizeof(float));
        memset(t->d_used[i], 0, n * sizeof(float));
    }
}

double tape_loss(struct tape *t, const unsigned char *label, double smoothing)
{
    const int last = t->graph->count - 1, classes = t->graph->node[last].channels;
    double loss = 0;
    for (int b = 0; b < t->batch; b++) {
        const float *y = t->value[last] + b * classes;
        float *dy = t->d_value[last] + b * classes;
        double top = y[0], sum = 0;
        for (int c = 1; c < classes; c++) top = fmax(top, y[c]);
        for (int c = 0; c < classes; c++) sum += exp(y[c] - top);
        for (int c = 0; c < classes; c++) {
            double wanted = (c == label[b]) * (1 - smoothing) + smoothing / classes;
            double log_p = y[c] - top - log(sum);
            loss -= wanted * log_p / t->batch;
            dy[c] = (float)((exp(log_p) - wanted) / t->batch);
        }
    }
    return loss;
}
