/* QNT_DYNAMIC outside of layers. */
#include "dynamic.h"

#include <math.h>

#include "base/try.h"
#include "chunk.h"
#include "grouping.h"
#include "range.h"
#include "tensor/range.h"

struct job {
    const struct qnt__simd *simd;
    const struct qnt__grouping *grouping;
    struct qnt__view x;
    qnt_quantizer *found;
};

/* Scales and offsets hold low and high ends until the ranges are known. */
static void widen(qnt_quantizer *found, size_t group, const float range[2])
{
    float *low = &found->scale[group], *high = &found->offset[group];
    if (range[0] < *low) *low = range[0];
    if (range[1] > *high) *high = range[1];
}

/* What is done with values of one group. */
typedef void visit_fn(struct job *job, size_t group, const float *x, size_t n);

static void visit_piece(struct job *job, size_t index, visit_fn *visit)
{
    size_t first, end, group, n;
    struct qnt__piece piece = qnt__group_piece(job->grouping, index, &first, &end);
    struct qnt__chunk chunk = {0};
    float buffer[QNT__CHUNK];
    while (qnt__piece_next(job->grouping, &piece, &chunk)) {
        const float *x = qnt__chunk_f32(job->simd, &job->x, &chunk, buffer);
        for (size_t at = 0; qnt__chunk_segment(job->grouping, &chunk, at, &group, &n); at += n)
            visit(job, group, x + at, n);
    }
}

static void visit_range(struct job *job, size_t group, const float *x, size_t n)
{
    float range[2];
    job->simd->minmax(x, n, range);
    widen(job->found, group, range);
}

/* The scale holds the largest magnitude; sums and counts are in arrays of certificates. */
static void visit_magnitudes(struct job *job, size_t group, const float *x, size_t n)
{
    job->found->error[group] += qnt__magnitude_sum(job->found->scale[group], x, n);
    job->found->visited[group] += (double)n;
}

static void find_signs(struct job *job, size_t index, size_t first, size_t end)
{
    qnt_quantizer *found = job->found;
    for (size_t g = first; g < end; g++) {
        const float range[2] = {found->scale[g], found->offset[g]};
        found->scale[g] = qnt__magnitude_largest(range);
    }
    visit_piece(job, index, visit_magnitudes);
    for (size_t g = first; g < end; g++) {
        found->scale[g] =
            qnt__magnitude_mean(found->scale[g], found->error[g], (size_t)found->visited[g]);
        found->error[g] = found->visited[g] = 0;
        found->offset[g] = 0;
        found->own[g] = 1;
    }
}

static void find_affine(struct job *job, size_t first, size_t end)
{
    qnt_quantizer *found = job->found;
    for (size_t g = first; g < end; g++) {
        const float range[2] = {found->scale[g], found->offset[g]};
        struct qnt__affine q = qnt__affine_of_range(&found->spec, range);
        found->scale[g] = q.scale;
        found->offset[g] = 0;
        found->zero[g] = q.zero;
    }
}

static void find_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    struct job *job = task;
    size_t first, end;
    qnt__group_piece(job->grouping, index, &first, &end);
    for (size_t g = first; g < end; g++) {
        job->found->scale[g] = INFINITY;
        job->found->offset[g] = -INFINITY;
    }
    visit_piece(job, index, visit_range);
    if (job->found->spec.scheme == QNT_POINTS)
        find_signs(job, index, first, end);
    else
        find_affine(job, first, end);
}

qnt_status qnt__dynamic_open(const qnt_context *context, const qnt_quantizer *quantizer,
                             const struct qnt__grouping *grouping, const struct qnt__view *x,
                             qnt_quantizer *found)
{
    *found = *quantizer;
    found->memory = context->memory;
    QNT__TRY(qnt__parameters_allocate(context, found, grouping->groups));
    struct job job = {&context->simd, grouping, *x, found};
    qnt__view_flatten(&job.x);
    qnt_status status =
        qnt__parallel(context, find_piece, &job, qnt__group_pieces(grouping));
    if (status != QNT_OK) qnt__parameters_free(found);
    return status;
}
