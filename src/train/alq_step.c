/*
 * Multi-bit networks trained with their loss (Qu et al., "Adaptive loss-aware quantization", CVPR
 * 2020): each group of weights is a sum of bases of signs, and the loss decides which bases stay.
 *
 * With AMSGrad's moments m, v and the largest v so far, in the domain of the weights and in that of
 * the coordinates, g = rate / (1 - b1^t) m and H = (sqrt(largest v) + eps) / sqrt(1 - b2^t) model
 * the loss as g d + d H d / 2 around the present point. From this follow
 *
 * - bases: the weights' target is w - g / H; each weight takes the nearest sum of its group, then
 *   the coordinates are refitted to the targets, weighted by H;
 * - coordinates: alpha - g / H;
 * - pruning: losing coordinate alpha costs -g alpha + H alpha^2 / 2; the cheapest go first.
 *
 * A coordinate's gradient is the sum of its signs times the weights' gradients; since signs squared
 * are 1, its second moments are sums over the group. Coordinates that become negative change sign
 * with their base, which leaves every weight as it is, bit for bit.
 */
#include "alq.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "solve.h"
#include "tensor/range.h"

enum { SUMS = 1 << QNT__BASES_MAX };

static const double decay_m = 0.9, decay_v = 0.999, epsilon = 1e-8;

/* ---- moments ---- */

static void move_moments(struct qnt__alq_moments *s, size_t i, double g)
{
    s->m[i] = decay_m * s->m[i] + (1.0 - decay_m) * g;
    s->v[i] = decay_v * s->v[i] + (1.0 - decay_v) * g * g;
    s->top[i] = fmax(s->top[i], s->v[i]);
}

double qnt__alq_slope(const struct qnt__alq_moments *s, size_t i, double rate)
{
    return s->steps > 0.0 ? rate / (1.0 - pow(decay_m, s->steps)) * s->m[i] : 0.0;
}

double qnt__alq_curve(const struct qnt__alq_moments *s, size_t i)
{
    return s->steps > 0.0 ? (sqrt(s->top[i]) + epsilon) / sqrt(1.0 - pow(decay_v, s->steps)) : 1.0;
}

static void gather(qnt_alq *q, struct qnt__alq_group g, const float *gradient)
{
    double sum[QNT__BASES_MAX] = {0};
    for (size_t j = g.first; j < g.first + g.n; j++) {
        move_moments(&q->w, j, (double)gradient[j]);
        for (int32_t i = 0; i < q->bases[g.number]; i++)
            sum[i] += qnt__alq_sign(q->code[j], i) * (double)gradient[j];
    }
    for (int32_t i = 0; i < q->bases[g.number]; i++)
        move_moments(&q->a, g.number * QNT__BASES_MAX + (size_t)i, sum[i]);
}

/* The coordinates' moments follow from the weights' after the signs have changed. */
static void carry_moments(qnt_alq *q, struct qnt__alq_group g)
{
    for (int32_t i = 0; i < q->bases[g.number]; i++) {
        const size_t at = g.number * QNT__BASES_MAX + (size_t)i;
        q->a.m[at] = q->a.v[at] = q->a.top[at] = 0.0;
        for (size_t j = g.first; j < g.first + g.n; j++) {
            q->a.m[at] += qnt__alq_sign(q->code[j], i) * q->w.m[j];
            q->a.v[at] += q->w.v[j];
            q->a.top[at] += q->w.top[j];
        }
    }
}

/* ---- bases and coordinates ---- */

/* With room for their rounding. */
static void shrink(double *alpha, int32_t bases)
{
    const double most = (1.0 - 0x1p-20) * (double)FLT_MAX;
    double sum = 0.0;
    for (int32_t i = 0; i < bases; i++) sum += fabs(alpha[i]);
    for (int32_t i = 0; sum > most && i < bases; i++) alpha[i] *= most / sum;
}

void qnt__alq_tidy(qnt_alq *q, struct qnt__alq_group g)
{
    double *alpha = q->alpha + g.number * QNT__BASES_MAX;
    shrink(alpha, q->bases[g.number]);
    for (int32_t i = q->bases[g.number] - 1; i >= 0; i--) {
        if ((float)alpha[i] == 0.0f) {
            qnt__alq_drop(q, g, i);
        } else if (alpha[i] < 0.0) {
            alpha[i] = -alpha[i];
            q->a.m[g.number * QNT__BASES_MAX + (size_t)i] =
                -q->a.m[g.number * QNT__BASES_MAX + (size_t)i];
            for (size_t j = g.first; j < g.first + g.n; j++) q->code[j] ^= (uint8_t)(1u << i);
        }
    }
}

struct sum {
    double value;
    int32_t code;
};

static int by_value(const void *a, const void *b)
{
    const struct sum *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value ? 1 : x->code - y->code;
}

/* Codes of the nearest sums of present coordinates. */
static void take_nearest(qnt_alq *q, struct qnt__alq_group g, const double *target)
{
    const int32_t bases = q->bases[g.number], sums = 1 << bases;
    const double *alpha = q->alpha + g.number * QNT__BASES_MAX;
    struct sum sum[SUMS];
    for (int32_t c = 0; c < sums; c++) {
        sum[c] = (struct sum){0.0, c};
        for (int32_t i = 0; i < bases; i++) sum[c].value += alpha[i] * qnt__alq_sign((uint8_t)c, i);
    }
    for (int32_t c = 1; c < sums; c++) { /* few and almost in order */
        struct sum now = sum[c];
        int32_t at = c;
        for (; at > 0 && by_value(&sum[at - 1], &now) > 0; at--) sum[at] = sum[at - 1];
        sum[at] = now;
    }
    for (size_t j = 0; j < g.n; j++) {
        int32_t low = 0, high = sums - 1;
        while (low < high) {
            int32_t middle = low + (high - low) / 2;
            bool above = target[j] > 0.5 * (sum[middle].value + sum[middle + 1].value);
            low = above ? middle + 1 : low;
            high = above ? high : middle;
        }
        q->code[g.first + j] = (uint8_t)sum[low].code;
    }
}

/* Coordinates of least (w - target) H (w - target); the present ones stay if the bases depend on
 * each other. */
static void refit(qnt_alq *q, struct qnt__alq_group g, const double *target)
{
    const int32_t bases = q->bases[g.number];
    double a[QNT__BASES_MAX * QNT__BASES_MAX] = {0}, y[QNT__BASES_MAX] = {0};
    for (size_t j = 0; j < g.n; j++) {
        double h = qnt__alq_curve(&q->w, g.first + j);
        for (int32_t i = 0; i < bases; i++) {
            double s = h * qnt__alq_sign(q->code[g.first + j], i);
            y[i] += s * target[j];
            for (int32_t k = 0; k <= i; k++)
                a[i * bases + k] += s * qnt__alq_sign(q->code[g.first + j], k);
        }
    }
    if (bases > 0 && qnt__solve(a, y, bases))
        memcpy(q->alpha + g.number * QNT__BASES_MAX, y, (size_t)bases * sizeof *y);
}

static void move_bases(qnt_alq *q, struct qnt__alq_group g, double rate, bool straight,
                       double *target)
{
    for (size_t j = 0; j < g.n; j++) {
        size_t at = g.first + j;
        double from = straight ? q->master[at] : (double)q->weight[at];
        target[j] = from - qnt__alq_slope(&q->w, at, rate) / qnt__alq_curve(&q->w, at);
        if (straight) q->master[at] = target[j];
    }
    if (q->bases[g.number] == 0) return;
    take_nearest(q, g, target);
    refit(q, g, target);
    qnt__alq_tidy(q, g);
    carry_moments(q, g);
    qnt__alq_rebuild(q, g);
}

static void move_coordinates(qnt_alq *q, struct qnt__alq_group g, double rate)
{
    for (int32_t i = 0; i < q->bases[g.number]; i++) {
        size_t at = g.number * QNT__BASES_MAX + (size_t)i;
        q->alpha[at] -= qnt__alq_slope(&q->a, at, rate) / qnt__alq_curve(&q->a, at);
    }
    qnt__alq_tidy(q, g);
    qnt__alq_rebuild(q, g);
}

/* ---- the call ---- */

static qnt_status open_gradient(const qnt_context *context, const qnt_alq *alq, const char *name,
                                const qnt_tensor *tensor, struct qnt__view *view)
{
    if (!alq) return qnt__fail(context, QNT_E_INVALID, "alq is NULL");
    QNT__TRY(qnt__view_open(context, name, tensor, QNT__FLOATS, view));
    if (view->count == alq->count) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s has %zu elements, expected %zu", name, view->count,
                     alq->count);
}

qnt_status qnt_alq_step(const qnt_context *context, qnt_alq *alq, int32_t mode, double rate,
                        const qnt_tensor *dw)
{
    struct qnt__view view;
    void *block;
    size_t bytes;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_gradient(context, alq, "dw", dw, &view));
    if (mode < QNT_ALQ_GATHER || mode > QNT_ALQ_STRAIGHT ||
        !(rate > 0.0 && rate <= QNT__ALQ_RATE)) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "mode is %d and rate %g, expected QNT_ALQ_GATHER (%d) to QNT_ALQ_STRAIGHT (%d) "
            "and a rate above 0, at most %g",
            (int)mode, rate, QNT_ALQ_GATHER, QNT_ALQ_STRAIGHT, QNT__ALQ_RATE);
    }
    QNT__TRY(qnt__train_finite(context, "dw", &view));
    if (!qnt__mul(alq->count, sizeof(float) + sizeof(double), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    double *target = block;
    float *gradient = (float *)(target + alq->count);
    qnt__view_flatten(&view);
    for (size_t j = 0; j < alq->count; j++) {
        float buffer;
        gradient[j] = *qnt__range_f32(&context->simd, &view, j, 1, &buffer);
    }
    alq->rate = rate;
    alq->w.steps += 1.0;
    alq->a.steps += 1.0;
    for (size_t i = 0; i < alq->groups; i++) {
        struct qnt__alq_group g = qnt__alq_group(alq, i);
        gather(alq, g, gradient);
        if (mode == QNT_ALQ_COORDINATES)
            move_coordinates(alq, g, rate);
        else if (mode != QNT_ALQ_GATHER)
            move_bases(alq, g, rate, mode == QNT_ALQ_STRAIGHT, target);
    }
    qnt__free(&context->memory, block, bytes);
    return QNT_OK;
}
