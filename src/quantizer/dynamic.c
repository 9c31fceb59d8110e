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

static void find_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    struct job *job = task;
    size_t first, end, group, n;
    struct qnt__piece piece = qnt__group_piece(job->grouping, index, &first, &end);
    struct qnt__chunk chunk = {0};
    float buffer[QNT__CHUNK], range[2];

    for (group = first; group < end; group++) {
        job->found->scale[group] = INFINITY;
        job->found->offset[group] = -INFINITY;
    }
    while (qnt__piece_next(job->grouping, &piece, &chunk)) {
        const float *x = qnt__chunk_f32(job->simd, &job->x, &chunk, buffer);
        for (size_t at = 0; qnt__chunk_segment(job->grouping, &chunk, at, &group, &n); at += n) {
            job->simd->minmax(x + at, n, range);
            widen(job->found, group, range);
        }
    }
    for (group = first; group < end; group++) {
        range[0] = job->found->scale[group];
        range[1] = job->found->offset[group];
        struct qnt__affine q = qnt__affine_of_range(&job->found->spec, range);
        job->found->scale[group] = q.scale;
        job->found->offset[group] = 0;
        job->found->zero[group] = q.zero;
    }
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
