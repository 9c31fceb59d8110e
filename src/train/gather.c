/* The values of a tensor group by group, where a method needs all of them at once. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/chunk.h"
#include "tensor/range.h"
#include "trainer.h"

enum { REPORT = 64 /* groups between two reports of progress */ };

qnt_status qnt__train_open(const qnt_context *context, const qnt_trainer *trainer,
                           const qnt_tensor *x, struct qnt__view *view,
                           struct qnt__grouping *grouping)
{
    if (!trainer) return qnt__fail(context, QNT_E_INVALID, "trainer is NULL");
    if (trainer->groups == 0) {
        return qnt__fail(context, QNT_E_STATE,
                         "trainer has no numbers yet; call qnt_trainer_start first");
    }
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, view));
    QNT__TRY(qnt__grouping_of(context, "x", &trainer->spec, view->ndim, view->shape, grouping));
    if (grouping->groups == trainer->groups) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "x has %zu groups, but the trainer has %zu",
                     grouping->groups, trainer->groups);
}

qnt_status qnt__train_finite(const qnt_context *context, const char *name,
                             const struct qnt__view *view)
{
    struct qnt__view flat = *view;
    float buffer[QNT__CHUNK];
    qnt__view_flatten(&flat);
    for (size_t at = 0; at < view->count; at += QNT__CHUNK) {
        size_t n = qnt__min(view->count - at, QNT__CHUNK);
        const float *x = qnt__range_f32(&context->simd, &flat, at, n, buffer);
        for (size_t i = 0; i < n; i++) {
            if (isfinite(x[i])) continue;
            return qnt__fail(context, QNT_E_INVALID,
                             "%s: element %zu is %g, expected finite numbers", name, at + i,
                             (double)x[i]);
        }
    }
    return QNT_OK;
}

/* Where the values of each group begin, and how many of them are there so far. */
struct place {
    size_t first, filled;
};

static void fill(const qnt_context *context, const struct qnt__grouping *grouping,
                 const struct qnt__view *x, float *values, struct place *places)
{
    struct qnt__view flat = *x;
    float buffer[QNT__CHUNK];
    qnt__view_flatten(&flat);
    for (size_t p = 0; p < qnt__group_pieces(grouping); p++) {
        size_t group, end, n;
        struct qnt__chunk chunk = {0};
        struct qnt__piece piece = qnt__group_piece(grouping, p, &group, &end);
        while (qnt__piece_next(grouping, &piece, &chunk)) {
            const float *from = qnt__chunk_f32(&context->simd, &flat, &chunk, buffer);
            for (size_t at = 0; qnt__chunk_segment(grouping, &chunk, at, &group, &n); at += n) {
                struct place *to = &places[group];
                memcpy(values + to->first + to->filled, from + at, n * sizeof *values);
                to->filled += n;
            }
        }
    }
}

qnt_status qnt__train_gather(const qnt_context *context, const struct qnt__grouping *grouping,
                             const struct qnt__view *x, qnt__group_fn *visit, void *user)
{
    size_t place_bytes, value_bytes, first = 0;
    void *places_block, *values_block;
    if (!qnt__mul(grouping->groups, sizeof(struct place), &place_bytes)) place_bytes = SIZE_MAX;
    if (!qnt__mul(x->count, sizeof(float), &value_bytes)) value_bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &context->memory, place_bytes, &places_block));
    qnt_status status = qnt__allocate(context, &context->memory, value_bytes, &values_block);
    if (status != QNT_OK) {
        qnt__free(&context->memory, places_block, place_bytes);
        return status;
    }
    struct place *places = places_block;
    float *values = values_block;
    for (size_t g = 0; g < grouping->groups; g++) {
        places[g] = (struct place){first, 0};
        first += qnt__group_size(grouping, g);
    }
    fill(context, grouping, x, values, places);
    for (size_t g = 0; g < grouping->groups && status == QNT_OK; g++) {
        if (places[g].filled > 0) visit(user, g, values + places[g].first, places[g].filled);
        bool report = (g + 1) % REPORT == 0 || g + 1 == grouping->groups;
        if (report) status = qnt__progress(context, g + 1, grouping->groups);
    }
    qnt__free(&context->memory, places_block, place_bytes);
    qnt__free(&context->memory, values_block, value_bytes);
    return status;
}

struct facts {
    const qnt_trainer *trainer;
    double *facts;
};

static void find_facts(void *user, size_t group, float *x, size_t n)
{
    struct facts *job = user;
    job->trainer->method->facts(job->trainer, x, n, job->facts + group * QNT__FACTS);
}

size_t qnt__train_facts_bytes(const struct qnt__grouping *grouping)
{
    size_t bytes;
    return qnt__mul(grouping->groups, QNT__FACTS * sizeof(double), &bytes) ? bytes : SIZE_MAX;
}

qnt_status qnt__train_facts(const qnt_context *context, const qnt_trainer *trainer,
                            const struct qnt__grouping *grouping, const struct qnt__view *x,
                            double **facts)
{
    void *block;
    size_t bytes = qnt__train_facts_bytes(grouping);
    *facts = NULL;
    if (!trainer->method->facts) return QNT_OK;
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    memset(block, 0, bytes);
    struct facts job = {trainer, block};
    const qnt_context quiet = qnt__train_quiet(context);
    qnt_status status = qnt__train_gather(&quiet, grouping, x, find_facts, &job);
    if (status == QNT_OK)
        *facts = block;
    else
        qnt__free(&context->memory, block, bytes);
    return status;
}
