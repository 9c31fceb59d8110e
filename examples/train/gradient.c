/* One batch through a graph and back. */
#include "gradient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "normal.h"
#include "reference.h"
#include "weightless.h"

enum { CHANNELS = 64 /* that are worked on at once */ };

static int area_of(const struct node *node)
{
    return node->height * node->width;
}

static size_t depth_of(const struct graph *graph, int node)
{
    return (size_t)graph_depth(graph, node);
}

/* Floats that a slice needs for a layer: transposed weights or its own gradient of them, and the
 * patches of one image. */
static size_t slice_floats(const struct graph *graph, int index)
{
    size_t patches = (size_t)area_of(&graph->node[index]) * depth_of(graph, index);
    return patches + graph_weight_count(graph, index);
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
    size_t at = 0, most = 0, widest = 0;
    for (int i = 0; i < g->count; i++) {
        const struct node *node = &g->node[i];
        size_t n = node_elements(node) * (size_t)t->batch, channels = (size_t)node->channels;
        float **const each[] = {&t->value[i], &t->d_value[i], &t->used[i], &t->d_used[i],
                                &t->product[i]};
        for (size_t k = 0; k < sizeof each / sizeof *each; k++) *each[k] = take(t, &at, n);
        if (!node_has_weights(node)) continue;
        t->weight[i] = take(t, &at, graph_weight_count(g, i));
        t->d_weight[i] = take(t, &at, graph_weight_count(g, i));
        float **const channel[] = {&t->gain[i],          &t->d_gain[i],    &t->d_bias[i],
                                   &t->mean[i],          &t->deviation[i], &t->running_mean[i],
                                   &t->running_square[i]};
        for (size_t k = 0; k < sizeof channel / sizeof *channel; k++)
            *channel[k] = take(t, &at, channels);
        if (most < slice_floats(g, i)) most = slice_floats(g, i);
        if (widest < channels) widest = channels;
    }
    for (int s = 0; s < SLICES; s++) {
        t->slice[s] = take(t, &at, most);
        t->sums[s] = (double *)(void *)take(t, &at, 2 * widest * sizeof(double) / sizeof(float));
    }
    return at;
}

bool tape_create(const struct graph *graph, int batch, qnt_pool *pool, struct tape *out)
{
    *out = (struct tape){.graph = graph, .batch = batch, .pool = pool, .follow = 0.1};
    out->memory = calloc(lay_out(out), sizeof(float));
    if (!out->memory) return false;
    lay_out(out);
    for (int i = 1; i < graph->count; i++)
        for (int c = 0; node_has_weights(&graph->node[i]) && c < graph->node[i].channels; c++)
            out->gain[i][c] = out->deviation[i][c] = out->running_square[i][c] = 1;
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

struct tape_rows tape_rows(const struct tape *t, int node, size_t slice)
{
    const size_t area = (size_t)area_of(&t->graph->node[node]);
    int first, end;
    bounds(t, slice, &first, &end);
    return (struct tape_rows){(size_t)first * area, (size_t)(end - first) * area};
}

static void multiply_slice(void *task, size_t slice, size_t worker)
{
    (void)worker;
    const struct tape_job *job = task;
    struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node];
    const size_t in = node_elements(&t->graph->node[node->input]), out = node_elements(node);
    const int depth = graph_depth(t->graph, job->node), n = node->channels, area = area_of(node),
              own = n / node->groups;
    float *transposed = t->slice[slice],
          *patches = transposed + graph_weight_count(t->graph, job->node);
    int first, end;
    bounds(t, slice, &first, &end);
    reference_transpose(t->weight[job->node], transposed, n, depth);
    for (int b = first; b < end; b++) {
        float *y = t->product[job->node] + (size_t)b * out;
        const float *x = t->used[node->input] + (size_t)b * in;
        memset(y, 0, out * sizeof *y);
        for (int g = 0; g < node->groups; g++) {
            reference_patches(t->graph, job->node, g, x, patches);
            reference_multiply_part(&(struct reference_product){
                patches, transposed + g * own, y + g * own, area, depth, own, depth, 1, n, n});
        }
    }
}

/* Batch norm, the sum and ReLU. */
static void finish_slice(void *task, size_t slice, size_t worker)
{
    (void)worker;
    const struct tape_job *job = task;
    const struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node];
    const int n = node->channels;
    const struct tape_rows rows = tape_rows(t, job->node, slice);
    float *value = t->value[job->node];
    const float *product = t->product[job->node], *add = node->add < 0 ? NULL : t->value[node->add];
    for (int first = 0; first < n; first += CHANNELS) {
        const int channels = n - first < CHANNELS ? n - first : CHANNELS;
        float scale[CHANNELS], shift[CHANNELS];
        for (int c = 0; c < channels; c++) {
            struct affine affine = normal_affine(t, job->node, first + c);
            scale[c] = affine.scale, shift[c] = affine.shift;
        }
        for (size_t r = rows.first; r < rows.first + rows.count; r++) {
            const size_t at = r * (size_t)n + (size_t)first;
            const float *x = product + at, *other = add ? add + at : NULL;
            float *y = value + at;
            for (int c = 0; c < channels; c++) {
                float v = scale[c] * x[c] + shift[c] + (other ? other[c] : 0);
                y[c] = node->relu && v < 0 ? 0 : v;
            }
        }
    }
}

static void layer_forward(struct tape *t, int index)
{
    struct tape_job job = {t, index};
    qnt_pool_run(t->pool, multiply_slice, &job, SLICES);
    normal_measure(t, index);
    qnt_pool_run(t->pool, finish_slice, &job, SLICES);
}

void tape_forward(struct tape *t, int index)
{
    if (node_has_weights(&t->graph->node[index]))
        layer_forward(t, index);
    else
        weightless_forward(t, index);
}

/* Adds what every place of a patch hands back to the image it was read from. */
static void scatter(const struct node *x, const struct node *node, const float *patches,
                    float *image)
{
    const size_t c = (size_t)(x->channels / node->groups);
    if (node->kind == NODE_DENSE) {
        for (size_t i = 0; i < node_elements(x); i++) image[i] += patches[i];
        return;
    }
    for (int p = 0; p < area_of(node); p++) {
        for (int k = 0; k < node->kernel[0] * node->kernel[1]; k++, patches += c) {
            int down = p / node->width * node->stride - node->pad[0] + k / node->kernel[1];
            int right = p % node->width * node->stride - node->pad[1] + k % node->kernel[1];
            if (down < 0 || down >= x->height || right < 0 || right >= x->width) continue;
            float *to = image + (size_t)((down * x->width + right) * x->channels);
            for (size_t i = 0; i < c; i++) to[i] += patches[i];
        }
    }
}

/* ReLU and the sum; sums for gain and bias. */
static void open_slice(void *task, size_t slice, size_t worker)
{
    (void)worker;
    const struct tape_job *job = task;
    struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node];
    const int n = node->channels;
    const struct tape_rows rows = tape_rows(t, job->node, slice);
    const size_t at = rows.first * (size_t)n;
    float *dy = t->d_value[job->node] + at, *d_add = NULL;
    const float *value = t->value[job->node] + at, *product = t->product[job->node] + at;
    const float *mean = t->mean[job->node], *deviation = t->deviation[job->node];
    double *gain = t->sums[slice], *bias = gain + n;
    if (node->add >= 0) d_add = t->d_value[node->add] + at;
    memset(gain, 0, 2 * (size_t)n * sizeof *gain);
    for (size_t r = 0; r < rows.count; r++, dy += n, value += n, product += n) {
        for (int c = 0; c < n; c++) {
            dy[c] = node->relu && value[c] <= 0 ? 0 : dy[c];
            gain[c] += (double)(dy[c] * (product[c] - mean[c]));
            bias[c] += (double)dy[c];
        }
        if (!d_add) continue;
        for (int c = 0; c < n; c++) d_add[c] += dy[c];
        d_add += n;
    }
    for (int c = 0; c < n; c++) gain[c] /= (double)deviation[c];
}

/* d_value of the node becomes the gradient of the product. With the moments of the batch
 *
 *     d product = gain / deviation (dy - mean dy - z mean (dy z)),  z = (product - mean) /
 * deviation
 */
static void product_slice(struct tape *t, int index, size_t slice)
{
    const struct node *node = &t->graph->node[index];
    const int n = node->channels;
    const struct tape_rows rows = tape_rows(t, index, slice);
    const bool batch = normal_applies(t, index) && t->learning;
    const float share = batch ? 1.0f / (float)((size_t)t->batch * (size_t)area_of(node)) : 0.0f;
    for (int first = 0; first < n; first += CHANNELS) {
        const int channels = n - first < CHANNELS ? n - first : CHANNELS;
        float scale[CHANNELS], tilt[CHANNELS], base[CHANNELS];
        for (int c = 0; c < channels; c++) {
            const int at = first + c;
            const float deviation = t->deviation[index][at];
            scale[c] = t->gain[index][at] / deviation;
            tilt[c] = share * t->d_gain[index][at] / deviation;
            base[c] = share * t->d_bias[index][at] - tilt[c] * t->mean[index][at];
        }
        for (size_t r = rows.first; r < rows.first + rows.count; r++) {
            float *dy = t->d_value[index] + r * (size_t)n + first;
            const float *product = t->product[index] + r * (size_t)n + first;
            for (int c = 0; c < channels; c++)
                dy[c] = scale[c] * (dy[c] - (base[c] + tilt[c] * product[c]));
        }
    }
}

static void backward_slice(void *task, size_t slice, size_t worker)
{
    (void)worker;
    const struct tape_job *job = task;
    struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node], *x = &t->graph->node[node->input];
    const size_t in = node_elements(x), out = node_elements(node);
    const int depth = graph_depth(t->graph, job->node), n = node->channels, area = area_of(node),
              own = n / node->groups;
    const size_t weights = graph_weight_count(t->graph, job->node),
                 patch = (size_t)area * (size_t)depth;
    float *sum = t->slice[slice], *patches = sum + weights; /* [depth][out] */
    int first, end;
    bounds(t, slice, &first, &end);
    product_slice(t, job->node, slice);
    memset(sum, 0, weights * sizeof *sum);
    for (int b = first; b < end; b++) {
        const float *value = t->used[node->input] + (size_t)b * in;
        float *d_value = t->d_used[node->input] + (size_t)b * in;
        for (int g = 0; g < node->groups; g++) {
            const float *dy = t->d_value[job->node] + (size_t)b * out + g * own;
            const float *weight = t->weight[job->node] + g * own * depth;
            reference_patches(t->graph, job->node, g, value, patches);
            reference_multiply_part(&(struct reference_product){patches, dy, sum + g * own, depth,
                                                                area, own, 1, depth, n, n});
            if (node->input == 0) continue; /* nobody asks for the image's */
            memset(patches, 0, patch * sizeof *patches);
            reference_multiply_part(&(struct reference_product){dy, weight, patches, area, own,
                                                                depth, n, 1, depth, depth});
            scatter(x, node, patches, d_value + reference_group(t->graph, job->node, g));
        }
    }
}

static void layer_backward(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index];
    struct tape_job job = {t, index};
    const int depth = graph_depth(t->graph, index), n = node->channels;
    qnt_pool_run(t->pool, open_slice, &job, SLICES);
    normal_add_up(t, index);
    qnt_pool_run(t->pool, backward_slice, &job, SLICES);
    memset(t->d_weight[index], 0, graph_weight_count(t->graph, index) * sizeof(float));
    for (int s = 0; s < SLICES; s++)
        for (int k = 0; k < depth; k++)
            for (int c = 0; c < n; c++) t->d_weight[index][c * depth + k] += t->slice[s][k * n + c];
}

void tape_backward(struct tape *t, int index)
{
    if (node_has_weights(&t->graph->node[index]))
        layer_backward(t, index);
    else
        weightless_backward(t, index);
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
        for (int c = 1; c < classes; c++) {
            if (y[c] > top) top = y[c]; /* gcc 12 for AArch64 cannot compile fmax here */
        }
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
