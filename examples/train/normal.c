/* Batch norm of a layer's products. */
#include "normal.h"

#include <math.h>
#include <string.h>

static const double epsilon = 1e-5;

bool normal_applies(const struct tape *t, int index)
{
    return t->normal && index != t->graph->count - 1;
}

/* sums: of products and of their squares. */
static void measure_slice(void *task, size_t slice, size_t worker)
{
    (void)worker;
    struct tape_job *job = task;
    struct tape *t = job->tape;
    const struct node *node = &t->graph->node[job->node];
    const int n = node->channels;
    double *sum = t->sums[slice], *square = sum + n;
    struct tape_rows rows = tape_rows(t, job->node, slice);
    const float *y = t->product[job->node] + rows.first * (size_t)n;
    memset(sum, 0, 2 * (size_t)n * sizeof *sum);
    for (size_t r = 0; r < rows.count; r++, y += n)
        for (int c = 0; c < n; c++) {
            sum[c] += (double)y[c];
            square[c] += (double)y[c] * (double)y[c];
        }
}

static void measure_batch(struct tape *t, int index)
{
    const struct node *node = &t->graph->node[index];
    const int n = node->channels;
    const double rows = (double)t->batch * node->height * node->width;
    struct tape_job job = {t, index};
    qnt_pool_run(t->pool, measure_slice, &job, SLICES);
    for (int c = 0; c < n; c++) {
        double sum = 0, square = 0;
        for (int s = 0; s < SLICES; s++) sum += t->sums[s][c], square += t->sums[s][n + c];
        double mean = sum / rows, variance = fmax(square / rows - mean * mean, 0) + epsilon;
        t->mean[index][c] = (float)mean;
        t->deviation[index][c] = (float)sqrt(variance);
    }
}

void normal_settle(struct tape *t, int index)
{
    for (int c = 0; c < t->graph->node[index].channels; c++) {
        t->running_mean[index][c] = t->mean[index][c];
        t->running_square[index][c] = t->deviation[index][c] * t->deviation[index][c];
    }
}

void normal_measure(struct tape *t, int index)
{
    const int n = t->graph->node[index].channels;
    float *mean = t->running_mean[index], *square = t->running_square[index];
    if (!normal_applies(t, index)) return;
    if (t->learning) measure_batch(t, index);
    for (int c = 0; c < n; c++) {
        if (!t->learning) {
            t->mean[index][c] = mean[c];
            t->deviation[index][c] = sqrtf(square[c]);
            continue;
        }
        double deviation = (double)t->deviation[index][c];
        mean[c] += (float)(t->follow * ((double)t->mean[index][c] - (double)mean[c]));
        square[c] += (float)(t->follow * (deviation * deviation - (double)square[c]));
    }
}

static struct affine affine_of(const struct tape *t, int index, int c, float mean, float deviation)
{
    float scale = t->gain[index][c] / deviation;
    return (struct affine){scale, t->graph->node[index].bias[c] - scale * mean};
}

struct affine normal_affine(const struct tape *t, int index, int c)
{
    return affine_of(t, index, c, t->mean[index][c], t->deviation[index][c]);
}

struct affine normal_deployed(const struct tape *t, int index, int c)
{
    if (!normal_applies(t, index)) return affine_of(t, index, c, 0, 1);
    return affine_of(t, index, c, t->running_mean[index][c], sqrtf(t->running_square[index][c]));
}

void normal_add_up(struct tape *t, int index)
{
    const int n = t->graph->node[index].channels;
    for (int c = 0; c < n; c++) {
        double gain = 0, bias = 0;
        for (int s = 0; s < SLICES; s++) gain += t->sums[s][c], bias += t->sums[s][n + c];
        t->d_gain[index][c] = (float)gain;
        t->d_bias[index][c] = (float)bias;
    }
}
