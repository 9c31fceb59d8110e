/*
 * Forward and backward over a tensor. The contract is in qnt/train.h.
 *
 * Work is cut into pieces that do not depend on the workers. A tensor with one group has a sum of
 * gradients for each piece, added up in their order; with more groups a piece has whole groups,
 * whose sums are its own.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/chunk.h"
#include "tensor/range.h"
#include "trainer.h"

struct job {
    const qnt_context *context;
    const qnt_trainer *trainer;
    struct qnt__grouping grouping;
    struct qnt__view x, dy, out; /* flattened; out is y, or dx: count 0 if not wanted */
    const double *facts;
    double *sums; /* [groups][count], or [pieces][count] of one group */
    bool backward, single;
};

/* One chunk: x and dy in, y or dx out. */
static void visit_chunk(const struct job *job, const struct qnt__chunk *chunk, size_t group,
                        double *sums)
{
    const struct qnt__simd *simd = &job->context->simd;
    const qnt_trainer *t = job->trainer;
    float x_buffer[QNT__CHUNK], dy_buffer[QNT__CHUNK], out[QNT__CHUNK];
    const float *x = qnt__chunk_f32(simd, &job->x, chunk, x_buffer), *dy = NULL;
    if (job->backward) dy = qnt__chunk_f32(simd, &job->dy, chunk, dy_buffer);
    size_t n;
    for (size_t at = 0; qnt__chunk_segment(&job->grouping, chunk, at, &group, &n); at += n) {
        struct qnt__pass pass;
        struct qnt__span span = {n, chunk->first + at, 1};
        if (chunk->transposed) {
            span.first = chunk->first + at / chunk->rows;
            span.step = chunk->pitch;
        }
        qnt__train_pass(t, group, qnt__group_size(&job->grouping, group), job->facts, &pass);
        double *own = sums + (job->single ? 0 : group * t->count);
        if (job->backward)
            t->method->backward(&pass, &span, x + at, dy + at, out + at, own);
        else
            t->method->forward(&pass, &span, x + at, out + at);
    }
    if (job->out.count) qnt__chunk_write_f32(simd, &job->out, chunk, out);
}

static void visit_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    struct qnt__chunk chunk = {0};
    size_t group = 0, end;
    struct qnt__piece piece = job->single ? qnt__element_piece(&job->grouping, index)
                                          : qnt__group_piece(&job->grouping, index, &group, &end);
    double *sums = job->sums + (job->single ? index * job->trainer->count : 0);
    while (qnt__piece_next(&job->grouping, &piece, &chunk)) visit_chunk(job, &chunk, group, sums);
}

/* Adds the pieces' sums in their order, and what does not come from elements. */
static void add_up(const struct job *job, size_t pieces, double *dtheta)
{
    const qnt_trainer *t = job->trainer;
    memset(dtheta, 0, t->groups * t->count * sizeof *dtheta);
    size_t rows = job->single ? pieces : t->groups;
    for (size_t r = 0; r < rows; r++) {
        double *to = dtheta + (job->single ? 0 : r * t->count);
        for (size_t i = 0; i < t->count; i++) to[i] += job->sums[r * t->count + i];
    }
    for (size_t g = 0; g < t->groups && t->method->penalty; g++) {
        struct qnt__pass pass;
        qnt__train_pass(t, g, qnt__group_size(&job->grouping, g), job->facts, &pass);
        t->method->penalty(&pass, dtheta + g * t->count);
    }
}

static qnt_status visit_all(struct job *job, double *dtheta)
{
    const size_t count = job->trainer->count;
    job->single = job->grouping.groups == 1;
    size_t pieces =
        job->single ? qnt__element_pieces(&job->grouping) : qnt__group_pieces(&job->grouping);
    size_t bytes, rows = job->single ? pieces : job->trainer->groups;
    void *sums;
    if (!qnt__mul(rows, count * sizeof(double), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(job->context, &job->context->memory, bytes, &sums));
    memset(sums, 0, bytes);
    job->sums = sums;
    qnt__view_flatten(&job->x);
    qnt__view_flatten(&job->dy);
    qnt__view_flatten(&job->out);
    qnt_status status = qnt__parallel(job->context, visit_piece, job, pieces);
    if (status == QNT_OK && dtheta) add_up(job, pieces, dtheta);
    qnt__free(&job->context->memory, sums, bytes);
    return status;
}

/* A second tensor of the call, of the same shape as x. */
static qnt_status check_shape(const struct job *job, const char *name, const struct qnt__view *view)
{
    if (qnt__view_same_shape(&job->x, view)) return QNT_OK;
    return qnt__fail(job->context, QNT_E_SHAPE, "%s: shape differs from that of x", name);
}

/* The deployed quantizer, made for the tensor at hand where it depends on that. */
static qnt_status round_forward(const qnt_context *context, const qnt_trainer *trainer,
                                const qnt_tensor *x, qnt_tensor *y)
{
    qnt_quantizer *made = NULL;
    if (trainer->deployed) return qnt_quantizer_apply(context, trainer->deployed, x, y);
    QNT__TRY(qnt_trainer_export(context, trainer, x, &made));
    qnt_status status = qnt_quantizer_apply(context, made, x, y);
    qnt_quantizer_destroy(made);
    return status;
}

qnt_status qnt_trainer_forward(const qnt_context *context, const qnt_trainer *trainer,
                               const qnt_tensor *x, qnt_tensor *y)
{
    struct job job = {.context = context, .trainer = trainer};
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__train_open(context, trainer, x, &job.x, &job.grouping));
    QNT__TRY(qnt__view_open_output(context, "y", y, QNT__FLOATS, &job.out));
    QNT__TRY(check_shape(&job, "y", &job.out));
    QNT__TRY(qnt__view_apart(context, "x", &job.x, "y", &job.out, true));
    QNT__TRY(qnt__train_finite(context, "x", &job.x));
    if (!qnt__train_is_soft(trainer)) return round_forward(context, trainer, x, y);
    return visit_all(&job, NULL);
}

static qnt_status open_backward(struct job *job, const qnt_tensor *x, const qnt_tensor *dy,
                                qnt_tensor *dx)
{
    const qnt_context *context = job->context;
    QNT__TRY(qnt__train_open(context, job->trainer, x, &job->x, &job->grouping));
    QNT__TRY(qnt__view_open(context, "dy", dy, QNT__FLOATS, &job->dy));
    QNT__TRY(check_shape(job, "dy", &job->dy));
    if (dx) {
        QNT__TRY(qnt__view_open_output(context, "dx", dx, QNT__FLOATS, &job->out));
        QNT__TRY(check_shape(job, "dx", &job->out));
        QNT__TRY(qnt__view_apart(context, "x", &job->x, "dx", &job->out, true));
        QNT__TRY(qnt__view_apart(context, "dy", &job->dy, "dx", &job->out, true));
    }
    QNT__TRY(qnt__train_finite(context, "x", &job->x));
    return qnt__train_finite(context, "dy", &job->dy);
}

qnt_status qnt_trainer_backward(const qnt_context *context, const qnt_trainer *trainer,
                                const qnt_tensor *x, const qnt_tensor *dy, qnt_tensor *dx,
                                double *dtheta, size_t count)
{
    struct job job = {.context = context, .trainer = trainer, .backward = true};
    double *facts;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_backward(&job, x, dy, dx));
    if (dtheta && count != trainer->groups * trainer->count) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected %zu numbers of theta",
                         count, trainer->groups * trainer->count);
    }
    QNT__TRY(qnt__train_facts(context, trainer, &job.grouping, &job.x, &facts));
    job.facts = facts;
    qnt_status status = visit_all(&job, dtheta);
    qnt__free(&context->memory, facts, qnt__train_facts_bytes(&job.grouping));
    return status;
}
