/* Weights as sums of bases of signs: making, ending, reading. The contract is in qnt/train.h, the
 * method in alq_step.c. */
#include "alq.h"

#include <string.h>

#include "base/carve.h"
#include "base/try.h"
#include "quantizer/names.h"
#include "tensor/range.h"

/* ---- groups ---- */

struct qnt__alq_group qnt__alq_group(const qnt_alq *q, size_t number)
{
    size_t per_row = qnt__ceil_div(q->row, q->each), row = number / per_row,
           block = number % per_row;
    size_t first = row * q->row + block * q->each;
    return (struct qnt__alq_group){first, qnt__min(q->each, q->row - block * q->each), number};
}

void qnt__alq_rebuild(qnt_alq *q, struct qnt__alq_group g)
{
    const double *alpha = q->alpha + g.number * QNT__BASES_MAX;
    for (size_t j = g.first; j < g.first + g.n; j++) {
        double sum = 0.0; /* as a quantizer decodes */
        for (int32_t i = 0; i < q->bases[g.number]; i++)
            sum += (double)(float)alpha[i] * qnt__alq_sign(q->code[j], i);
        q->weight[j] = (float)sum;
    }
}

/* ---- making and ending ---- */

static qnt_status open_block(const qnt_context *context, qnt_alq *q)
{
    size_t end = 0, at[12] = {0}, coordinates = 0;
    bool fits = qnt__mul(q->groups, QNT__BASES_MAX, &coordinates);
    const size_t n[] = {q->count,    q->count,    q->count,    q->count,
                        coordinates, coordinates, coordinates, coordinates};
    for (size_t i = 0; i < 8; i++) fits = fits && qnt__append(&end, n[i], sizeof(double), &at[i]);
    fits = fits && qnt__append(&end, q->count, sizeof(float), &at[8]) &&
           qnt__append(&end, q->count, 1, &at[9]) &&
           qnt__append(&end, q->groups, sizeof(int32_t), &at[10]);
    void *block;
    QNT__TRY(qnt__allocate(context, &q->memory, fits ? end : SIZE_MAX, &block));
    memset(block, 0, end);
    uint8_t *b = block;
    q->bytes = end;
    q->master = (double *)(void *)b;
    q->w = (struct qnt__alq_moments){(double *)(void *)(b + at[1]), (double *)(void *)(b + at[2]),
                                     (double *)(void *)(b + at[3]), 0.0};
    q->alpha = (double *)(void *)(b + at[4]);
    q->a = (struct qnt__alq_moments){(double *)(void *)(b + at[5]), (double *)(void *)(b + at[6]),
                                     (double *)(void *)(b + at[7]), 0.0};
    q->weight = (float *)(void *)(b + at[8]);
    q->code = b + at[9];
    q->bases = (int32_t *)(void *)(b + at[10]);
    return QNT_OK;
}

static qnt_status check_spec(const qnt_context *context, const qnt_spec *s)
{
    if (s->scheme != QNT_POINTS || s->method != QNT_ALQ) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: scheme is %d and method %d, expected QNT_POINTS (%d) and QNT_ALQ (%d)",
            (int)s->scheme, (int)s->method, QNT_POINTS, QNT_ALQ);
    }
    if (s->bits != 1 || s->flags != 0) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: bits is %d and flags %s, expected 1 and 0: signs", (int)s->bits,
                         qnt__flag_names(s->flags).text);
    }
    if (s->points < 1 || s->points > QNT__BASES_MAX) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 1 to %d",
                         (int)s->points, QNT__BASES_MAX);
    }
    if (s->grain < QNT_PER_TENSOR || s->grain > QNT_PER_BLOCK) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: grain is %d, expected %d (QNT_PER_TENSOR) to %d (QNT_PER_BLOCK)",
                         (int)s->grain, QNT_PER_TENSOR, QNT_PER_BLOCK);
    }
    if ((s->grain == QNT_PER_BLOCK) != (s->block != 0) || s->block < 0) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: block is %lld, expected a length with QNT_PER_BLOCK and else 0",
                         (long long)s->block);
    }
    if (s->grain == QNT_PER_AXIS && s->axis != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: axis is %d, expected 0 with QNT_PER_AXIS",
                         (int)s->axis);
    }
    return QNT_OK;
}

static qnt_status divide(const qnt_context *context, qnt_alq *q, const struct qnt__view *w)
{
    const int last = w->ndim - 1;
    if (w->count == 0 || w->ndim < 1) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "w: ndim %d, %llu elements; expected at least one of each", w->ndim,
                         (unsigned long long)w->count);
    }
    if (q->spec.grain == QNT_PER_BLOCK && q->spec.axis != last && q->spec.axis != -1) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: axis is %d, expected the last one, %d or -1, with QNT_PER_BLOCK",
                         (int)q->spec.axis, last);
    }
    q->count = w->count;
    q->row = q->each = w->count;
    if (q->spec.grain == QNT_PER_AXIS) q->row = q->each = w->count / (size_t)w->shape[0];
    if (q->spec.grain == QNT_PER_BLOCK) {
        q->row = (size_t)w->shape[last];
        q->each = qnt__min((size_t)q->spec.block, q->row);
    }
    q->groups = q->count / q->row * qnt__ceil_div(q->row, q->each);
    return QNT_OK;
}

qnt_status qnt_alq_create(const qnt_context *context, const qnt_spec *spec, const qnt_tensor *w,
                          qnt_alq **out)
{
    qnt_alq q = {.memory = {0}};
    struct qnt__view view;
    void *handle;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__sized_read(context, "spec", spec, sizeof q.spec, sizeof q.spec, &q.spec));
    q.spec.size = sizeof q.spec;
    q.memory = context->memory;
    QNT__TRY(check_spec(context, &q.spec));
    QNT__TRY(qnt__view_open(context, "w", w, QNT__FLOATS, &view));
    QNT__TRY(divide(context, &q, &view));
    QNT__TRY(qnt__train_finite(context, "w", &view));
    QNT__TRY(open_block(context, &q));
    qnt_status status = qnt__allocate(context, &q.memory, sizeof q, &handle);
    if (status != QNT_OK) {
        qnt__free(&q.memory, q.master, q.bytes);
        return status;
    }
    qnt__view_flatten(&view);
    for (size_t j = 0; j < q.count; j++) {
        float buffer;
        q.weight[j] = *qnt__range_f32(&context->simd, &view, j, 1, &buffer);
        q.master[j] = (double)q.weight[j];
    }
    for (size_t i = 0; i < q.groups; i++) { /* structured sketching */
        struct qnt__alq_group g = qnt__alq_group(&q, i);
        q.bases[i] = qnt__bases(q.weight + g.first, NULL, g.n, q.spec.points, QNT__BASES_REFINED, 0,
                                q.alpha + i * QNT__BASES_MAX, q.code + g.first);
        qnt__alq_tidy(&q, g);
        qnt__alq_rebuild(&q, g);
    }
    *out = handle;
    **out = q;
    return QNT_OK;
}

void qnt_alq_destroy(qnt_alq *alq)
{
    if (!alq) return;
    struct qnt__memory memory = alq->memory;
    qnt__free(&memory, alq->master, alq->bytes);
    qnt__free(&memory, alq, sizeof *alq);
}

/* ---- calls ---- */

qnt_status qnt_alq_weights(const qnt_context *context, const qnt_alq *alq, qnt_tensor *w)
{
    struct qnt__view view;
    if (!context) return QNT_E_INVALID;
    if (!alq) return qnt__fail(context, QNT_E_INVALID, "alq is NULL");
    QNT__TRY(qnt__view_open_output(context, "w", w, QNT__FLOATS, &view));
    if (view.count != alq->count) {
        return qnt__fail(context, QNT_E_SHAPE, "w has %zu elements, expected %zu", view.count,
                         alq->count);
    }
    qnt__view_flatten(&view);
    qnt__range_write_f32(&context->simd, &view, 0, alq->count, alq->weight);
    return QNT_OK;
}

void qnt__alq_count(qnt_alq *const *alq, size_t n, double *weights, double *bits)
{
    *weights = *bits = 0.0;
    for (size_t l = 0; l < n; l++) {
        *weights += (double)alq[l]->count;
        for (size_t i = 0; i < alq[l]->groups; i++)
            *bits += (double)qnt__alq_group(alq[l], i).n * (double)alq[l]->bases[i];
    }
}

qnt_status qnt__alq_check(const qnt_context *context, qnt_alq *const *alq, size_t n)
{
    if (!context) return QNT_E_INVALID;
    bool good = alq && n > 0;
    for (size_t l = 0; good && l < n; l++) good = alq[l] != NULL;
    if (!good) {
        return qnt__fail(context, QNT_E_INVALID,
                         "alq: expected at least one layer, none of them NULL");
    }
    for (size_t l = 1; l < n; l++) {
        for (size_t k = 0; k < l; k++) {
            if (alq[k] != alq[l]) continue;
            return qnt__fail(context, QNT_E_INVALID, "alq: layers %zu and %zu are the same", k, l);
        }
    }
    return QNT_OK;
}

qnt_status qnt_alq_bits(const qnt_context *context, qnt_alq *const *alq, size_t n, double *bits)
{
    double weights, all;
    QNT__TRY(qnt__alq_check(context, alq, n));
    if (!bits) return qnt__fail(context, QNT_E_INVALID, "bits is NULL");
    qnt__alq_count(alq, n, &weights, &all);
    *bits = all / weights;
    return QNT_OK;
}

qnt_status qnt_alq_export(const qnt_context *context, const qnt_alq *alq, qnt_quantizer **out)
{
    void *block;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!alq) return qnt__fail(context, QNT_E_INVALID, "alq is NULL");
    qnt_spec spec = alq->spec;
    spec.method = QNT_BASES;
    spec.flags = QNT_LITERAL; /* real coefficients */
    const size_t each = (size_t)spec.points, numbers = alq->groups * (each + 1) * sizeof(double);
    QNT__TRY(qnt__allocate(context, &context->memory, numbers, &block));
    double *scale = block, *coef = scale + alq->groups;
    for (size_t i = 0; i < alq->groups; i++) {
        scale[i] = 1.0;
        for (size_t p = 0; p < each; p++) coef[i * each + p] = alq->alpha[i * QNT__BASES_MAX + p];
    }
    qnt_status status = qnt_quantizer_create(context, &spec, out);
    if (status == QNT_OK)
        status = qnt_quantizer_set(context, *out, QNT_P_SCALE, scale, alq->groups);
    if (status == QNT_OK)
        status = qnt_quantizer_set(context, *out, QNT_P_COEF, coef, alq->groups * each);
    qnt__free(&context->memory, block, numbers);
    if (status != QNT_OK) {
        qnt_quantizer_destroy(*out);
        *out = NULL;
    }
    return status;
}
