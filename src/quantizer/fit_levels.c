/*
 * Methods of the table scheme: the scale of given levels, exactly, or the levels themselves, by
 * k-means, Lloyd's iteration or the density that fits the data (Luqman et al., arXiv 2412.07391,
 * whose title and abstract this follows; conditions of Lloyd 1957 and Max 1960).
 *
 * Levels found as real numbers are snapped to integers, from -127 to 127 up to SNAP_BITS and with
 * 15 bits beyond: level = scale * integer. The largest magnitude becomes the integer, of a few,
 * that costs least.
 */
#include <float.h>
#include <math.h>

#include "base/arith.h"
#include "codebook.h"
#include "levels.h"
#include "methods.h"

enum { SNAP_BITS = 5, SNAP = 127, SNAP_LEAST = 96, SNAP_WIDE = 32767 };

/* ---- the scale of given levels ---- */

static size_t sorted_bytes(size_t n)
{
    size_t bytes = qnt__sort_bytes(n);
    return bytes > SIZE_MAX - 64 ? SIZE_MAX : qnt__round_up(bytes, 64);
}

size_t qnt__fit_scale_scratch(const qnt_quantizer *quantizer, size_t n)
{
    size_t bytes;
    return qnt__add(sorted_bytes(n), qnt__exact_levels_bytes(1 << quantizer->spec.bits), &bytes)
               ? bytes
               : SIZE_MAX;
}

/* A float32 above 0 that keeps scale * top finite. */
static float legal_scale(double scale, double top)
{
    double most = (double)FLT_MAX / (top > 1.0 ? top : 1.0) * (1.0 - 0x1p-23);
    float s = (float)(scale < most ? scale : most);
    return s > 0.0f ? s : 1.0f;
}

static double top_of(const float *level, int32_t count)
{
    return fmax(fabs((double)level[0]), fabs((double)level[count - 1]));
}

/* Scales as published: the largest magnitude of the group meets that of the levels; FP4 has powers
 * of two (OCP microscaling formats 1.0, section 6.3: exponent of the largest value less that of the
 * format). */
static float literal_scale(const qnt_quantizer *quantizer, const struct qnt__moments *seen)
{
    double most = fmax(fabs((double)seen->min), fabs((double)seen->max));
    double top = top_of(quantizer->shared, 1 << quantizer->spec.bits);
    if (!(most > 0.0)) return 1.0f;
    if (quantizer->spec.method == QNT_FP4)
        most = top * ldexp(1.0, ilogbf((float)most) - 3); /* half units */
    return legal_scale(most / top, top);
}

/* Of the float32 numbers beside the real scale, the one that costs least. */
static float nearest_scale(const float *level, int32_t count, const struct qnt__side *side,
                           double scale)
{
    double top = top_of(level, count);
    float best = legal_scale(scale, top),
          tries[3] = {best, nextafterf(best, 0.0f), nextafterf(best, INFINITY)};
    double least = INFINITY;
    for (int i = 0; i < 3; i++) {
        float value[QNT__LEVELS];
        if (!(tries[i] > 0.0f) || !isfinite(tries[i] * (float)top)) continue;
        for (int32_t k = 0; k < count; k++) value[k] = tries[i] * level[k];
        double error = qnt__measure_values(value, count, side->x, side->h, side->n);
        if (error < least) least = error, best = tries[i];
    }
    return best;
}

void qnt__fit_scale(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                    struct qnt__group_fit *fit)
{
    const float *level = quantizer->shared;
    double levels[QNT__LEVELS];
    int32_t count = 0, size = 1 << quantizer->spec.bits;
    struct qnt__sorted sorted;
    struct qnt__scale_fit found;
    if (quantizer->spec.flags & QNT_LITERAL) {
        fit->scale = literal_scale(quantizer, data->moments);
        return;
    }
    while (count < size && (count == 0 || level[count] > level[count - 1])) {
        levels[count] = (double)level[count];
        count++;
    }
    qnt__sort(data->values, data->weights, data->n, QNT__SIGNED, data->scratch, &sorted);
    qnt__exact_levels(&sorted, levels, count, quantizer->options.nodes,
                      (char *)data->scratch + sorted_bytes(data->n), &found);
    fit->scale = nearest_scale(level, count, &sorted.side[0], found.scale);
    fit->bound = found.bound;
    fit->visited = found.visited;
}

qnt_status qnt__fit_levels_ready(const qnt_context *context, const struct qnt__statistics *seen,
                                 qnt_quantizer *next)
{
    (void)seen;
    if (next->shared[1] > next->shared[0]) return QNT_OK;
    return qnt__fail(context, QNT_E_STATE, "quantizer has no levels yet; set QNT_P_LEVELS first");
}

/* ---- levels ---- */

size_t qnt__fit_own_levels_scratch(const qnt_quantizer *quantizer, size_t n)
{
    size_t bytes;
    return qnt__add(sorted_bytes(n), qnt__kmeans_bytes(n, 1 << quantizer->spec.bits), &bytes)
               ? bytes
               : SIZE_MAX;
}

void qnt__prepare_levels(const qnt_quantizer *quantizer, double shared[QNT__SHARED])
{
    int32_t count = 1 << quantizer->spec.bits;
    if (quantizer->spec.method == QNT_KMEANS) return;
    qnt__density_levels(false, count, shared);
    qnt__density_levels(true, count, shared + QNT__SHARED / 2);
}

/* The levels of the density that is likelier, around the mean; as fit_analytic.c tells them apart.
 */
static void density_levels(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                           double *level)
{
    const double pi = 3.14159265358979323846, e = 2.71828182845904523536;
    const int half = 1 << quantizer->spec.bits >> 1;
    const struct qnt__moments *m = data->moments;
    double mean = m->sum / m->weight, square = data->within, magnitude = 0.0;
    for (size_t i = 0; i < data->n; i++) {
        double d = (double)data->values[i] - mean, h = data->weights ? data->weights[i] : 1.0;
        square += h * d * d;
        magnitude += h * fabs(d);
    }
    double gauss = sqrt(square / m->weight), laplace = magnitude / m->weight;
    double wish = quantizer->options.distribution;
    bool heavy = wish != 0.0 ? wish == 2.0 : gauss * sqrt(2 * pi * e) > laplace * 2 * e;
    const double *positive = data->shared + (heavy ? QNT__SHARED / 2 : 0);
    for (int k = 0; k < half; k++) {
        double away = (heavy ? laplace : gauss) * positive[k];
        level[half + k] = mean + away;
        level[half - 1 - k] = mean - away;
    }
}

/* Levels as integers times *scale. */
static void snap(const double *level, int32_t count, double largest, int32_t most, float *scale,
                 float *integer)
{
    *scale = legal_scale(largest / most, most);
    for (int32_t k = 0; k < count; k++) {
        double at = rint(level[k] / (double)*scale);
        integer[k] = (float)(at > most ? most : at < -most ? -most : at);
    }
}

static void store_levels(const qnt_quantizer *quantizer, const struct qnt__sorted *sorted,
                         double *level, struct qnt__group_fit *fit)
{
    int32_t count = 1 << quantizer->spec.bits, best = SNAP;
    double largest = fmax(fabs(level[0]), fabs(level[count - 1])), least = INFINITY;
    if (quantizer->spec.flags & QNT_LITERAL) {
        fit->scale = 1.0f;
        for (int32_t k = 0; k < count; k++) fit->own[k] = (float)level[k];
        return;
    }
    for (int32_t most = SNAP; most >= SNAP_LEAST && quantizer->spec.bits <= SNAP_BITS; most--) {
        double tried[QNT__LEVELS];
        snap(level, count, largest, most, &fit->scale, fit->own);
        for (int32_t k = 0; k < count; k++) tried[k] = (double)(fit->scale * fit->own[k]);
        double error = qnt__lloyd(sorted, count, 0, tried);
        if (error < least) least = error, best = most;
    }
    snap(level, count, largest, quantizer->spec.bits <= SNAP_BITS ? best : SNAP_WIDE, &fit->scale,
         fit->own);
}

void qnt__fit_own_levels(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                         struct qnt__group_fit *fit)
{
    enum { ROUNDS = 200 };
    int32_t count = 1 << quantizer->spec.bits;
    double level[QNT__LEVELS], rounds = quantizer->options.rounds;
    struct qnt__sorted sorted;
    qnt__sort(data->values, data->weights, data->n, QNT__SIGNED, data->scratch, &sorted);
    if (quantizer->spec.method == QNT_KMEANS) {
        void *space = (char *)data->scratch + sorted_bytes(data->n);
        double error = qnt__kmeans(&sorted, count, space, level);
        fit->bound = data->n <= QNT__KMEANS_CELLS ? error * (1.0 - 1e-12) : 0.0;
    } else {
        density_levels(quantizer, data, level);
        if (quantizer->spec.method == QNT_LLOYD) {
            qnt__lloyd(&sorted, count, rounds > 0.0 ? (int32_t)fmin(rounds, 1e6) : ROUNDS, level);
        }
    }
    store_levels(quantizer, &sorted, level, fit);
}
