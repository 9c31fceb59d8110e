/* A network as a list of nodes. */
#include "graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct graph *graph_create(const struct safetensors *file, int height, int width, int channels)
{
    struct graph *graph = calloc(1, sizeof *graph);
    if (!graph) return NULL;
    graph->file = file;
    graph->count = 1;
    graph->node[0] = (struct node){.kind = NODE_INPUT, .name = "input", .input = -1, .add = -1,
                                   .height = height, .width = width, .channels = channels};
    return graph;
}

void graph_free(struct graph *graph)
{
    for (int i = 0; graph && i < graph->count; i++) {
        free(graph->node[i].weight);
        free(graph->node[i].bias);
    }
    free(graph);
}

/* Uniform in (0, 1): xorshift64* (Vigna 2016). */
static double uniform(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((double)(*state * 0x2545f4914f6cdd1du >> 12) + 0.5) * 0x1p-52;
}

void graph_randomize(struct graph *graph, uint64_t seed)
{
    const double pi = 3.141592653589793;
    uint64_t state = seed * 2 + 1;
    for (int i = 1; i < graph->count; i++) {
        const struct node *node = &graph->node[i];
        if (!node_has_weights(node)) continue;
        const double spread = sqrt(2.0 / graph_depth(graph, i));
        for (size_t k = 0; k < graph_weight_count(graph, i); k++) { /* Box, Muller 1958 */
            double length = sqrt(-2 * log(uniform(&state)));
            node->weight[k] = (float)(spread * length * cos(2 * pi * uniform(&state)));
        }
    }
}

bool node_has_weights(const struct node *node)
{
    return node->kind == NODE_CONV || node->kind == NODE_DENSE;
}

size_t node_elements(const struct node *node)
{
    return (size_t)(node->height * node->width * node->channels);
}

int graph_depth(const struct graph *graph, int index)
{
    const struct node *node = &graph->node[index], *input = &graph->node[node->input];
    if (node->kind == NODE_DENSE) return (int)node_elements(input);
    return node->kernel[0] * node->kernel[1] * (input->channels / node->groups);
}

size_t graph_weight_count(const struct graph *graph, int index)
{
    return (size_t)graph->node[index].channels * (size_t)graph_depth(graph, index);
}

static int fail(struct graph *graph, const char *name, const char *what)
{
    if (!graph->problem[0]) snprintf(graph->problem, sizeof graph->problem, "%s %s", name, what);
    return 0;
}

static int append(struct graph *graph, const struct node *node)
{
    if (graph->count == GRAPH_NODES) return fail(graph, node->name, "does not fit: too many nodes");
    if (node->height < 1 || node->width < 1)
        return fail(graph, node->name, "has nothing left to see");
    graph->node[graph->count] = *node;
    return graph->count++;
}

/* Tensor "name.part" of the file, or NULL. */
static float *load(const struct graph *graph, const char *name, const char *part, int ndim,
                   const int64_t *shape)
{
    char full[2 * GRAPH_NAME];
    size_t count = 1;
    for (int i = 0; i < ndim; i++) count *= (size_t)shape[i];
    if (!graph->file) return calloc(count, sizeof(float));
    snprintf(full, sizeof full, "%s.%s", name, part);
    return safetensors_floats(graph->file, full, ndim, shape);
}

/* The files keep channels before the area, we keep them last: [n][c][area] becomes [n][area][c]. */
static float *channels_last(float *from, int n, int channels, int area)
{
    float *to = from ? malloc((size_t)(n * channels * area) * sizeof *to) : NULL;
    for (int i = 0; to && i < n; i++)
        for (int c = 0; c < channels; c++)
            for (int p = 0; p < area; p++)
                to[(i * area + p) * channels + c] = from[(i * channels + c) * area + p];
    free(from);
    return to;
}

/* Weights of the appended node; the bias is zero where the file has none. */
static int load_weights(struct graph *graph, int index, int ndim, const int64_t *shape,
                        int channels, int area)
{
    struct node *node = &graph->node[index];
    int64_t n = node->channels;
    node->weight = channels_last(load(graph, node->name, "weight", ndim, shape), node->channels,
                                 channels, area);
    node->bias = load(graph, node->name, "bias", 1, &n);
    if (!node->bias) node->bias = calloc((size_t)n, sizeof *node->bias);
    if (!node->weight || !node->bias)
        return fail(graph, node->name, "has no weights of the expected shape in the file");
    return index;
}

static int convolution(struct graph *graph, int input, const char *name, int channels, int groups,
                       const int kernel[2], int stride, struct padding pad)
{
    if (graph->problem[0]) return 0;
    const struct node *x = &graph->node[input];
    struct node node = {.kind = NODE_CONV, .input = input, .add = -1, .channels = channels,
                        .kernel = {kernel[0], kernel[1]}, .stride = stride, .groups = groups,
                        .pad = {pad.top, pad.left, pad.bottom, pad.right}};
    snprintf(node.name, sizeof node.name, "%s", name);
    node.height = (x->height + pad.top + pad.bottom - kernel[0]) / stride + 1;
    node.width = (x->width + pad.left + pad.right - kernel[1]) / stride + 1;
    int inside = x->channels / groups, index = append(graph, &node);
    int64_t shape[] = {channels, inside, kernel[0], kernel[1]};
    return index ? load_weights(graph, index, 4, shape, inside, kernel[0] * kernel[1]) : 0;
}

int graph_conv(struct graph *graph, int input, const char *name, int channels, const int kernel[2],
               int stride, struct padding pad)
{
    return convolution(graph, input, name, channels, 1, kernel, stride, pad);
}

int graph_group_conv(struct graph *graph, int input, const char *name, int channels, int groups,
                     int shift, const int kernel[2], int stride, struct padding pad)
{
    int index = convolution(graph, input, name, channels, groups, kernel, stride, pad);
    if (index) graph->node[index].shift = shift;
    return index;
}

int graph_depthwise(struct graph *graph, int input, const char *name, const int kernel[2],
                    struct padding pad)
{
    int channels = graph->node[input].channels;
    return convolution(graph, input, name, channels, channels, kernel, 1, pad);
}

int graph_dense(struct graph *graph, int input, const char *name, int channels)
{
    if (graph->problem[0]) return 0;
    const struct node *x = &graph->node[input];
    struct node node = {.kind = NODE_DENSE, .input = input, .add = -1, .height = 1, .width = 1,
                        .channels = channels, .groups = 1};
    snprintf(node.name, sizeof node.name, "%s", name);
    int index = append(graph, &node);
    int64_t shape[] = {channels, (int64_t)node_elements(x)};
    return index ? load_weights(graph, index, 2, shape, x->channels, x->height * x->width) : 0;
}

static int weightless(struct graph *graph, int input, enum node_kind kind, const char *name,
                      int height, int width, int channels)
{
    if (graph->problem[0]) return 0;
    struct node node = {.kind = kind, .input = input, .add = -1, .height = height, .width = width,
                        .channels = channels, .groups = 1};
    snprintf(node.name, sizeof node.name, "%s", name);
    return append(graph, &node);
}

int graph_max_pool(struct graph *graph, int input)
{
    const struct node *x = &graph->node[input];
    return weightless(graph, input, NODE_MAX_POOL, "max pool", x->height / 2, x->width / 2,
                      x->channels);
}

int graph_mean(struct graph *graph, int input)
{
    return weightless(graph, input, NODE_MEAN, "mean", 1, 1, graph->node[input].channels);
}

int graph_shortcut(struct graph *graph, int input, int channels)
{
    const struct node *x = &graph->node[input];
    return weightless(graph, input, NODE_SHORTCUT, "shortcut", (x->height + 1) / 2,
                      (x->width + 1) / 2, channels);
}

int graph_sum(struct graph *graph, int input, int other)
{
    const struct node *x = &graph->node[input];
    int index = weightless(graph, input, NODE_SUM, "sum", x->height, x->width, x->channels);
    return index ? graph_add(graph, index, other) : 0;
}

int graph_shuffle(struct graph *graph, int input, int groups)
{
    const struct node *x = &graph->node[input];
    int index = weightless(graph, input, NODE_SHUFFLE, "shuffle", x->height, x->width, x->channels);
    if (index) graph->node[index].groups = groups;
    return index;
}

/* y = (x - mean) / sqrt(variance + epsilon) * gain + bias, taken into weight and bias. */
static void fold(struct node *node, size_t depth, const float *gain, const float *bias,
                 const float *mean, const float *variance, double epsilon)
{
    for (int n = 0; n < node->channels; n++) {
        double factor = gain[n] / sqrt(variance[n] + epsilon);
        float *row = node->weight + (size_t)n * depth;
        for (size_t k = 0; k < depth; k++) row[k] = (float)(row[k] * factor);
        node->bias[n] = (float)(((double)node->bias[n] - mean[n]) * factor + bias[n]);
    }
}

int graph_batch_norm(struct graph *graph, int index, const char *name, double epsilon)
{
    if (graph->problem[0]) return 0;
    struct node *node = &graph->node[index];
    static const char *const part[4] = {"weight", "bias", "running_mean", "running_var"};
    int64_t n = node->channels;
    float *v[4];
    bool all = true;
    for (int i = 0; i < 4; i++) all &= (v[i] = load(graph, name, part[i], 1, &n)) != NULL;
    if (all) fold(node, (size_t)graph_depth(graph, index), v[0], v[1], v[2], v[3], epsilon);
    for (int i = 0; i < 4; i++) free(v[i]);
    return all ? index : fail(graph, name, "is not in the file");
}

int graph_add(struct graph *graph, int node, int other)
{
    if (graph->problem[0]) return 0;
    if (node_elements(&graph->node[node]) != node_elements(&graph->node[other]))
        return fail(graph, graph->node[node].name, "is added to a value of another shape");
    graph->node[node].add = other;
    return node;
}

int graph_relu(struct graph *graph, int node)
{
    if (!graph->problem[0]) graph->node[node].relu = true;
    return node;
}
