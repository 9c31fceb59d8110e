/*
 * Multi-bit networks trained with their loss (Qu et al., "Adaptive loss-aware quantization", CVPR
 * 2020): each group of weights is a sum of bases of signs, and the loss decides which bases stay.
 *
 * With AMSGrad's moments m, v and the largest v so far, in the domain of the weights and in that of
 * the coordinates, g = rate / (1 - b1^t) m and H = (sqrt(largest v) + eps) / sqrt(1 - b2^t) model
 * the loss as g d + d H d / 2 around the present point. From this follow
 *
 *   bases:        the weights' target is w - g / H; each weight takes the nearest sum of its group,
 * then the coordinates are refitted to the targets, weighted by H coordinates:  alpha - g / H
 *   pruning:      losing coordinate alpha costs -g alpha + H alpha^2 / 2; the cheapest go first
 *
 * A coordinate's gradient is the sum of its signs times the weights' gradients; since signs squared
 * are 1, its second moments are sums over the group. Coordinates that become negative change sign
 * with their base, which leaves every weight as it is, bit for bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/bases.h"
#include "tensor/range.h"
#include "trainer.h"

enum { MOST = QNT__BASES_MAX, SUMS = 1 << MOST };

static const double decay_m = 0.9, decay_v = 0.999, epsilon = 1e-8, ridge = 1e-9;

struct moments {
    double *m, *v, *top; /* of n numbers */
    double steps;
};

struct qnt_alq {
    struct qnt__memory memory;
    qnt_spec spec;
    size_t count, groups, each; /* weights; groups of `each`, the last of a row may be shorter */
    size_t row;                 /* weights of one row of blocks */
    double rate;                /* of the last step */
    float *weight;              /* [count], the sums */
    double *master;             /* [count], moved by QNT_ALQ_STRAIGHT only */
    uint8_t *code;              /* [count], bit i: the sign of base i */
    double *alpha;       /* [groups][MOST], 0 where there is no base; those that are come first */
    int32_t *bases;      /* [groups] */
    struct moments w, a; /* of weights; of [groups][MOST] coordinates */
    size_t bytes;
};

/* ---- groups ---- */

struct group {
    size_t first, n, number;
};

static struct group group_at(const qnt_alq *q, size_t number)
{
    size_t per_row = qnt__ceil_div(q->row, q->each), row = number / per_row,
           block = number % per_row;
    size_t first = row * q->row + block * q->each;
    return (struct group){first, qnt__min(q->each, q->row - block * q->each), number};
}

static double sign_of(uint8_t code, int32_t base)
{
    return code >> base & 1 ? 1.0 : -1.0;
}

static void rebuild(qnt_alq *q, struct group g)
{
    const double *alpha = q->alpha + g.number * MOST;
    for (size_t j = g.first; j < g.first + g.n; j++) {
        double sum = 0.0; /* as a quantizer decodes */
        for (int32_t i = 0; i < q->bases[g.number]; i++)
            sum += (double)(float)alpha[i] * sign_of(q->code[j], i);
        q->weight[j] = (float)sum;
    }
}

/* Takes base i out of a group; what is known of the others moves down. */
static void drop_base(qnt_alq *q, struct group g, int32_t base)
{
    double *const row[] = {q->alpha + g.number * MOST, q->a.m + g.number * MOST,
                           q->a.v + g.number * MOST, q->a.top + g.number * MOST};
    const int32_t last = --q->bases[g.number];
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        memmove(row[r] + base, row[r] + base + 1, (size_t)(last - base) * sizeof(double));
        row[r][last] = 0.0;
    }
    const unsigned below = (1u << base) - 1u;
    for (size_t j = g.first; j < g.first + g.n; j++)
        q->code[j] = (uint8_t)((q->code[j] & below) | (q->code[j] >> 1 & ~below));
}

/* Positive coordinates only: a negative one changes sign with its base, one that is 0 goes. */
static void tidy(qnt_alq *q, struct group g)
{
    double *alpha = q->alpha + g.number * MOST;
    for (int32_t i = q->bases[g.number] - 1; i >= 0; i--) {
        if (alpha[i] == 0.0) {
            drop_base(q, g, i);
        } else if (alpha[i] < 0.0) {
            alpha[i] = -alpha[i];
            q->a.m[g.number * MOST + (size_t)i] = -q->a.m[g.number * MOST + (size_t)i];
            for (size_t j = g.first; j < g.first + g.n; j++) q->code[j] ^= (uint8_t)(1u << i);
        }
    }
}

/* ---- moments ---- */

static void move_moments(struct moments *s, size_t i, double g)
{
    s->m[i] = decay_m * s->m[i] + (1.0 - decay_m) * g;
    s->v[i] = decay_v * s->v[i] + (1.0 - decay_v) * g * g;
    s->top[i] = fmax(s->top[i], s->v[i]);
}

static double slope_of(const struct moments *s, size_t i, double rate)
{
    return s->steps > 0.0 ? rate / (1.0 - pow(decay_m, s->steps)) * s->m[i] : 0.0;
}

static double curve_of(const struct moments *s, size_t i)
{
    return s->steps > 0.0 ? (sqrt(s->top[i]) + epsilon) / sqrt(1.0 - pow(decay_v, s->steps)) : 1.0;
}

static void gather(qnt_alq *q, struct group g, const float *gradient)
{
    double sum[MOST] = {0};
    for (size_t j = g.first; j < g.first + g.n; j++) {
        move_moments(&q->w, j, (double)gradient[j]);
        for (int32_t i = 0; i < q->bases[g.number]; i++)
            sum[i] += sign_of(q->code[j], i) * (double)gradient[j];
    }
    for (int32_t i = 0; i < q->bases[g.number]; i++)
        move_moments(&q->a, g.number * MOST + (size_t)i, sum[i]);
}

/* The coordinates' moments follow from the weights' after the signs have changed. */
static void carry_moments(qnt_alq *q, struct group g)
{
    for (int32_t i = 0; i < q->bases[g.number]; i++) {
        const size_t at = g.number * MOST + (size_t)i;
        q->a.m[at] = q->a.v[at] = q->a.top[at] = 0.0;
        for (size_t j = g.first; j < g.first + g.n; j++) {
            q->a.m[at] += sign_of(q->code[j], i) * q->w.m[j];
            q->a.v[at] += q->w.v[j];
            q->a.top[at] += q->w.top[j];
        }
    }
}

/* ---- bases ---- */

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
static void take_nearest(qnt_alq *q, struct group g, const double *target)
{
    const int32_t bases = q->bases[g.number], sums = 1 << bases;
    const double *alpha = q->alpha + g.number * MOST;
    struct sum sum[SUMS];
    for (int32_t c = 0; c < sums; c++) {
        sum[c] = (struct sum){0.0, c};
        for (int32_t i = 0; i < bases; i++) sum[c].value += alpha[i] * sign_of((uint8_t)c, i);
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

/* a x = y for a symmetric positive matrix; false if it is not. x takes the place of y. */
static bool solve(double a[MOST][MOST], double y[MOST], int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = 0; j <= i; j++) {
            double sum = a[i][j];
            for (int32_t k = 0; k < j; k++) sum -= a[i][k] * a[j][k];
            if (i == j && !(sum > 0.0)) return false;
            a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
        }
    }
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < i; k++) y[i] -= a[i][k] * y[k];
        y[i] /= a[i][i];
    }
    for (int32_t i = n - 1; i >= 0; i--) {
        for (int32_t k = i + 1; k < n; k++) y[i] -= a[k][i] * y[k];
        y[i] /= a[i][i];
    }
    return true;
}

/* Coordinates of least (w - target) H (w - target); the present ones stay if the bases depend on
 * each other. */
static void refit(qnt_alq *q, struct group g, const double *target)
{
    const int32_t bases = q->bases[g.number];
    double a[MOST][MOST] = {{0}}, y[MOST] = {0}, trace = 0.0;
    for (size_t j = 0; j < g.n; j++) {
        double h = curve_of(&q->w, g.first + j);
        for (int32_t i = 0; i < bases; i++) {
            double s = h * sign_of(q->code[g.first + j], i);
            y[i] += s * target[j];
            for (int32_t k = 0; k <= i; k++) a[i][k] += s * sign_of(q->code[g.first + j], k);
        }
    }
    for (int32_t i = 0; i < bases; i++) trace += a[i][i];
    for (int32_t i = 0; i < bases; i++) a[i][i] += ridge * trace;
    if (bases > 0 && solve(a, y, bases))
        memcpy(q->alpha + g.number * MOST, y, (size_t)bases * sizeof *y);
}

static void move_bases(qnt_alq *q, struct group g, double rate, bool straight, double *target)
{
    for (size_t j = 0; j < g.n; j++) {
        size_t at = g.first + j;
        double from = straight ? q->master[at] : (double)q->weight[at];
        target[j] = from - slope_of(&q->w, at, rate) / curve_of(&q->w, at);
        if (straight) q->master[at] = target[j];
    }
    if (q->bases[g.number] == 0) return;
    take_nearest(q, g, target);
    refit(q, g, target);
    tidy(q, g);
    carry_moments(q, g);
    rebuild(q, g);
}

static void move_coordinates(qnt_alq *q, struct group g, double rate)
{
    for (int32_t i = 0; i < q->bases[g.number]; i++) {
        size_t at = g.number * MOST + (size_t)i;
        q->alpha[at] -= slope_of(&q->a, at, rate) / curve_of(&q->a, at);
    }
    tidy(q, g);
    rebuild(q, g);
}

/* ---- making and ending ---- */

static bool append(size_t *end, size_t n, size_t size, size_t *at)
{
    size_t bytes;
    *at = *end;
    return qnt__mul(n, size, &bytes) && bytes <= SIZE_MAX - 64 &&
           qnt__add(*end, qnt__round_up(bytes, 64), end);
}

static qnt_status open_block(const qnt_context *context, qnt_alq *q)
{
    size_t end = 0, at[12] = {0}, coordinates = 0;
    bool fits = qnt__mul(q->groups, MOST, &coordinates);
    const size_t n[] = {q->count,    q->count,    q->count,    q->count,
                        coordinates, coordinates, coordinates, coordinates};
    for (size_t i = 0; i < 8; i++) fits = fits && append(&end, n[i], sizeof(double), &at[i]);
    fits = fits && append(&end, q->count, sizeof(float), &at[8]) &&
           append(&end, q->count, 1, &at[9]) && append(&end, q->groups, sizeof(int32_t), &at[10]);
    void *block;
    QNT__TRY(qnt__allocate(context, &q->memory, fits ? end : SIZE_MAX, &block));
    memset(block, 0, end);
    uint8_t *b = block;
    q->bytes = end;
    q->master = (double *)(void *)b;
    q->w = (struct moments){(double *)(void *)(b + at[1]), (double *)(void *)(b + at[2]),
                            (double *)(void *)(b + at[3]), 0.0};
    q->alpha = (double *)(void *)(b + at[4]);
    q->a = (struct moments){(double *)(void *)(b + at[5]), (double *)(void *)(b + at[6]),
                            (double *)(void *)(b + at[7]), 0.0};
    q->weight = (float *)(void *)(b + at[8]);
    q->code = b + at[9];
    q->bases = (int32_t *)(void *)(b + at[10]);
    return QNT_OK;
}

static qnt_status check_spec(const qnt_context *context, const qnt_spec *s)
{
    if (s->scheme != QNT_POINTS || s->method != QNT_ALQ || s->bits != 1 || s->flags != 0) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: scheme %d, method %d, %d bits, flags 0x%x; expected %d, %d, 1 and 0",
            (int)s->scheme, (int)s->method, (int)s->bits, (unsigned)s->flags, QNT_POINTS, QNT_ALQ);
    }
    if (s->points < 1 || s->points > MOST) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 1 to %d",
                         (int)s->points, MOST);
    }
    bool blocks = s->grain == QNT_PER_BLOCK;
    if (s->grain < QNT_PER_TENSOR || s->grain > QNT_PER_BLOCK || blocks != (s->block != 0) ||
        s->block < 0 || (s->grain == QNT_PER_AXIS && s->axis != 0)) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: grain %d, axis %d, block %lld; expected the tensor, axis 0, or blocks of the "
            "last axis",
            (int)s->grain, (int)s->axis, (long long)s->block);
    }
    return QNT_OK;
}

static qnt_status divide(const qnt_context *context, qnt_alq *q, const struct qnt__view *w)
{
    const int last = w->ndim - 1;
    if (w->count == 0 || w->ndim < 1) return qnt__fail(context, QNT_E_SHAPE, "w has no elements");
    if (q->spec.grain == QNT_PER_BLOCK && q->spec.axis != last && q->spec.axis != -1) {
        return qnt__fail(context, QNT_E_INVALID, "spec: axis is %d, expected the last one, %d",
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
        struct group g = group_at(&q, i);
        q.bases[i] = qnt__bases(q.weight + g.first, NULL, g.n, q.spec.points, QNT__BASES_REFINED, 0,
                                q.alpha + i * MOST, q.code + g.first);
        rebuild(&q, g);
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
    if (mode < QNT_ALQ_GATHER || mode > QNT_ALQ_STRAIGHT || !(rate > 0.0 && rate <= 1e6)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "mode is %d, rate %g; expected 0 to %d, and above 0", (int)mode, rate,
                         QNT_ALQ_STRAIGHT);
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
        struct group g = group_at(alq, i);
        gather(alq, g, gradient);
        if (mode == QNT_ALQ_COORDINATES)
            move_coordinates(alq, g, rate);
        else if (mode != QNT_ALQ_GATHER)
            move_bases(alq, g, rate, mode == QNT_ALQ_STRAIGHT, target);
    }
    qnt__free(&context->memory, block, bytes);
    return QNT_OK;
}

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

/* Sums over several layers: weights, and bits of their codes. */
static void count_bits(qnt_alq *const *alq, size_t n, double *weights, double *bits)
{
    *weights = *bits = 0.0;
    for (size_t l = 0; l < n; l++) {
        *weights += (double)alq[l]->count;
        for (size_t i = 0; i < alq[l]->groups; i++)
            *bits += (double)group_at(alq[l], i).n * (double)alq[l]->bases[i];
    }
}

static qnt_status check_layers(const qnt_context *context, qnt_alq *const *alq, size_t n)
{
    if (!context) return QNT_E_INVALID;
    bool good = alq && n > 0;
    for (size_t l = 0; good && l < n; l++) good = alq[l] != NULL;
    return good ? QNT_OK
                : qnt__fail(context, QNT_E_INVALID,
                            "alq: expected at least one layer, none of them NULL");
}

qnt_status qnt_alq_bits(const qnt_context *context, qnt_alq *const *alq, size_t n, double *bits)
{
    double weights, all;
    QNT__TRY(check_layers(context, alq, n));
    if (!bits) return qnt__fail(context, QNT_E_INVALID, "bits is NULL");
    count_bits(alq, n, &weights, &all);
    *bits = all / weights;
    return QNT_OK;
}

/* A coordinate, and what the loss is expected to gain when it goes. */
struct candidate {
    double cost;
    size_t layer, group;
    int32_t base;
};

static int by_cost(const struct candidate *a, const struct candidate *b)
{
    if (a->cost != b->cost) return a->cost < b->cost ? -1 : 1;
    if (a->layer != b->layer) return a->layer < b->layer ? -1 : 1;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return a->base - b->base;
}

static bool is_before(const struct candidate *a, const struct candidate *b)
{
    return by_cost(a, b) < 0;
}

/* A heap with the cheapest on top. */
static void sink(struct candidate *heap, size_t n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(&heap[child + 1], &heap[child])) child++;
        if (!is_before(&heap[child], &heap[at])) return;
        struct candidate other = heap[at];
        heap[at] = heap[child];
        heap[child] = other;
    }
}

static size_t list_candidates(qnt_alq *const *alq, size_t n, struct candidate *out)
{
    size_t count = 0;
    for (size_t l = 0; l < n; l++) {
        const qnt_alq *q = alq[l];
        for (size_t i = 0; i < q->groups; i++) {
            for (int32_t b = 0; b < q->bases[i]; b++) {
                size_t at = i * MOST + (size_t)b;
                double alpha = q->alpha[at];
                double cost = -slope_of(&q->a, at, q->rate) * alpha +
                              0.5 * curve_of(&q->a, at) * alpha * alpha;
                if (out) out[count] = (struct candidate){cost, l, i, b};
                count++;
            }
        }
    }
    return count;
}

/* Bases keep their numbers while others of the group go: gone[l][group] has their bits. */
static int32_t place_of(uint8_t gone, int32_t base)
{
    int32_t at = base;
    for (int32_t b = 0; b < base; b++) at -= gone >> b & 1;
    return at;
}

qnt_status qnt_alq_prune(const qnt_context *context, qnt_alq *const *alq, size_t n, uint64_t most,
                         double bits)
{
    double weights, all;
    size_t groups = 0, bytes = 0, mark_bytes;
    void *block;
    QNT__TRY(check_layers(context, alq, n));
    if (!(bits >= 0.0))
        return qnt__fail(context, QNT_E_INVALID, "bits is %g, expected at least 0", bits);
    count_bits(alq, n, &weights, &all);
    size_t count = list_candidates(alq, n, NULL);
    for (size_t l = 0; l < n; l++) groups += alq[l]->groups;
    if (!qnt__mul(count, sizeof(struct candidate), &bytes) || !qnt__add(groups, bytes, &mark_bytes))
        mark_bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &context->memory, mark_bytes, &block));
    struct candidate *heap = block;
    uint8_t *gone = (uint8_t *)block + bytes;
    memset(gone, 0, groups);
    list_candidates(alq, n, heap);
    for (size_t at = count / 2; at-- > 0;) sink(heap, count, at);
    for (; count > 0 && most > 0 && all > bits * weights; most--) {
        struct candidate c = heap[0];
        qnt_alq *q = alq[c.layer];
        struct group g = group_at(q, c.group);
        uint8_t *mine = gone;
        for (size_t l = 0; l < c.layer; l++) mine += alq[l]->groups;
        drop_base(q, g, place_of(mine[c.group], c.base));
        mine[c.group] |= (uint8_t)(1u << c.base);
        rebuild(q, g);
        all -= (double)g.n;
        heap[0] = heap[--count];
        sink(heap, count, 0);
    }
    qnt__free(&context->memory, block, mark_bytes);
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
        for (size_t p = 0; p < each; p++) coef[i * each + p] = alq->alpha[i * MOST + p];
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
