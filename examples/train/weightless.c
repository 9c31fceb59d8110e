/* Nodes without weights, forward and backward. */
#include "weightless.h"

#include "reference.h"

void weightless_forward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index], *in = &t->graph->node[node->input];
    const float *x = t->value[node->input];
    float *y = t->value[index];
    switch (node->kind) {
    case NODE_MEAN: reference_mean(x, y, t->batch, in->height * in->width, in->channels); return;
    case NODE_MAX_POOL: reference_max_pool(in, node, x, y, t->batch); return;
    case NODE_SHORTCUT: reference_shortcut(in, node, x, y, t->batch); return;
    case NODE_SHUFFLE: reference_shuffle(node, x, y, t->batch); return;
    default:
        reference_sum(x, t->value[node->add], y, node_elements(node) * (size_t)t->batch);
    }
}

static void mean_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index], *in = &t->graph->node[node->input];
    const size_t each = node_elements(in), n = (size_t)node->channels;
    const float area = (float)(in->height * in->width);
    for (size_t i = 0; i < each * (size_t)t->batch; i++)
        t->d_value[node->input][i] += t->d_value[index][i / each * n + i % n] / area;
}

static void shortcut_backward(struct tape *t, int index)
{
    const struct node *to = &t->graph->node[index], *from = &t->graph->node[to->input];
    const float *dy = t->d_value[index];
    int side = (to->channels - from->channels) / 2;
    for (int b = 0; b < t->batch; b++) {
        float *dx = t->d_value[to->input] + (size_t)b * node_elements(from);
        for (int p = 0; p < to->height * to->width; p++, dy += to->channels) {
            int at = (p / to->width * 2 * from->width + p % to->width * 2) * from->channels;
            for (int c = 0; c < from->channels; c++) dx[at + c] += dy[side + c];
        }
    }
}

static void sum_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index];
    const float *dy = t->d_value[index];
    for (size_t i = 0; i < node_elements(node) * (size_t)t->batch; i++) {
        t->d_value[node->input][i] += dy[i];
        t->d_value[node->add][i] += dy[i];
    }
}

static void shuffle_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index];
    const int n = node->channels, groups = node->groups, each = n / groups;
    const float *dy = t->d_value[index];
    float *dx = t->d_value[node->input];
    for (int p = 0; p < t->batch * node->height * node->width; p++)
        for (int i = 0; i < n; i++) dx[p * n + i % groups * each + i / groups] += dy[p * n + i];
}

/* The first of four equal values gets it all. */
static void max_pool_backward(struct tape *t, int index)
{
    const struct node *to = &t->graph->node[index], *from = &t->graph->node[to->input];
    const int c = to->channels, line = from->width * c, corners[] = {0, c, line, line + c};
    const float *y = t->value[index], *dy = t->d_value[index];
    for (int b = 0; b < t->batch; b++) {
        for (int p = 0; p < to->height * to->width; p++, y += c, dy += c) {
            size_t at = (size_t)b * node_elements(from) +
                        (size_t)(p / to->width * 2 * line + p % to->width * 2 * c);
            const float *x = t->value[to->input] + at;
            float *dx = t->d_value[to->input] + at;
            for (int i = 0; i < c; i++) {
                int k = 0;
                while (k < 3 && x[corners[k] + i] != y[i]) k++;
                dx[corners[k] + i] += dy[i];
            }
        }
    }
}

void weightless_backward(struct tape *t, int index)
{
    switch (t->graph->node[index].kind) {
    case NODE_MEAN: mean_backward(t, index); return;
    case NODE_MAX_POOL: max_pool_backward(t, index); return;
    case NODE_SHORTCUT: shortcut_backward(t, index); return;
    case NODE_SHUFFLE: shuffle_backward(t, index); return;
    default: sum_backward(t, index);
    }
}
