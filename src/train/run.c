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

enum way { FORWARD, BACKWARD, PULL };

struct job {
    const qnt_context *context;
    const qnt_trainer *trainer;
    struct qnt__grouping grouping;
    struct qnt__view x, dy, out; /* flattened; out is y, or dx: count 0 if not wanted */
    const double *facts;
    double *sums; /* [groups][each], or [pieces][each] of one group */
    size_t each;
    enum way way;
    bool single;
};

/* One chunk: x and dy in, y or dx out. */
static void visit_chunk(const struct job *job, const struct qnt__chunk *chunk, size_t group,
                        double *sums)
{
    const struct qnt__simd *simd = &job->context->simd;
    const qnt_trainer *t = job->trainer;
    float x_buffer[QNT__CHUNK], dy_buffer[QNT__CHUNK], out[QNT__CHUNK];
    const float *x = qnt__chunk_f32(simd, &job->x, chunk, x_buffer), *dy = NULL;
    if (job->way != FORWARD) dy = qnt__chunk_f32(simd, &job->dy, chunk, dy_buffer);
    size_t n;
    for (size_t at = 0; qnt__chunk_segment(&job->grouping, chunk, at, &group, &n); at += n) {
        struct qnt__pass pass;
        struct qnt__span span = {n, chunk->first + at, 1};
        if (chunk->transposed) {
            span.first = chunk->first + at / chunk->rows;
            span.step = chunk->pitch;
        }
        qnt__train_pass(t, group, qnt__group_size(&job->grouping, group), job->facts, &pass);
        double *own = sums + (job->single ? 0 : group * job->each);
        if (job->way == BACKWARD)
            t->method->backward(&pass, &span, x + at, dy + at, out + at, own);
        else if (job->way == FORWARD)
            t->method->forward(&pass, &span, x + at, out + at);
        else
            for (size_t i = at; i < at + n; i++)
                *own += t->method->pull(&pass, (double)x[i], (double)dy[i]);
    }
    if (job->way != PULL && job->out.count) qnt__chunk_write_f32(simd, &job->out, chunk, out);
}

static void visit_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    struct qnt__chunk chunk = {0};
    size_t group = 0, end;
    struct qnt__piece piece = job->single ? qnt__element_piece(&job->grouping, index)
                                          : qnt__group_piece(&job->grouping, index, &group, &end);
    double *sums = job->sums + (job->single ? index * job->each : 0);
    while (qnt__piece_next(&job->grouping, &piece, &chunk)) visit_chunk(job, &chunk, group, sums);
}

/* Adds the pieces' sums in their order to those of each group, `stride` numbers apart. */
static void add_up(const struct job *job, size_t pieces, double *to, size_t stride)
{
    const size_t each = job->each, groups = job->grouping.groups;
    for (size_t g = 0; g < groups; g++) memset(to + g * stride, 0, each * sizeof *to);
    for (size_t r = 0; r < (job->single ? pieces : groups); r++) {
        double *sum = to + (job->single ? 0 : r * stride);
        for (size_t i = 0; i < each; i++) sum[i] += job->sums[r * each + i];
    }
}

/* Visits all pieces; `sums`, if wanted, becomes the groups' sums of `each` numbers. */
static qnt_status visit_all(struct job *job, size_t each, double *sums, size_t stride)
{
    job->single = job->grouping.groups == 1;
    job->each = each;
    size_t pieces =
        job->single ? qnt__element_pieces(&job->grouping) : qnt__group_pieces(&job->grouping);
    size_t bytes, rows = job->single ? pieces : job->trainer->groups;
    void *block;
    if (!qnt__mul(rows, each * sizeof(double), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(job->context, &job->context->memory, bytes, &block));
    memset(block, 0, bytes);
    job->sums = block;
    qnt__view_flatten(&job->x);
    qnt__view_flatten(&job->dy);
    qnt__view_flatten(&job->out);
    qnt_status status = qnt__parallel(job->context, visit_piece, job, pieces);
    if (status == QNT_OK && sums) add_up(job, pieces, sums, stride);
    qnt__free(&job->context->memory, block, bytes);
    return status;
}

/* What does not come from elements. */
static void add_penalties(const struct job *job, double *dtheta)
{
    const qnt_trainer *t = job->trainer;
    for (size_t g = 0; g < t->groups && t->method->penalty; g++) {
        struct qnt__pass pass;
        qnt__train_pass(t, g, qnt__group_size(&job->grouping, g), job->facts, &pass);
        t->method->penalty(&pass, dtheta + g * t->count);
    }
}

/* A second tensor of the call, of the same shape as x. */
static qnt_status check_shape(const struct job *job, const char *name, const struct qnt__view *view)
{
    return qnt__view_same_shape(job->context, "x", &job->x, name, view);
}

/* The deployed quantizer, made for the tensor at hand where it depends on that. */
static qnt_status round_forward(const qnt_context *context, const qnt_trainer *trainer,
                                const qnt_tensor *x, qnt_tensor *y)
{
    qnt_quantizer *made = NULL;
    const qnt_context quiet = qnt__train_quiet(context);
    if (trainer->deployed) return qnt_quantizer_apply(context, trainer->deployed, x, y);
    QNT__TRY(qnt_trainer_export(&quiet, trainer, x, &made));
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
    return visit_all(&job, 0, NULL, 0);
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

static qnt_status backward(struct job *job, double *facts, double *dtheta)
{
    const qnt_trainer *t = job->trainer;
    job->facts = facts;
    if (facts && t->method->pull && (t->spec.flags & QNT_SIGNED)) {
        job->way = PULL;
        QNT__TRY(visit_all(job, 1, facts + t->method->pulled, QNT__FACTS));
    }
    job->way = BACKWARD;
    QNT__TRY(visit_all(job, t->count, dtheta, t->count));
    if (dtheta) add_penalties(job, dtheta);
    return QNT_OK;
}

qnt_status qnt_trainer_backward(const qnt_context *context, const qnt_trainer *trainer,
                                const qnt_tensor *x, const qnt_tensor *dy, qnt_tensor *dx,
                                double *dtheta, size_t count)
{
    struct job job = {.context = context, .trainer = trainer};
    double *facts;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_backward(&job, x, dy, dx));
    if (dtheta && count != trainer->groups * trainer->count) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected %zu numbers of theta",
                         count, trainer->groups * trainer->count);
    }
    QNT__TRY(qnt__train_facts(context, trainer, &job.grouping, &job.x, &facts));
    qnt_status status = backward(&job, facts, dtheta);
    qnt__free(&context->memory, facts, qnt__train_facts_bytes(&job.grouping));
    return status;
}
