/*
 * QNT_ALQ and QNT_LQ: activations as sums of bases, whose coordinates follow the values.
 *
 * ALQ (Qu et al. 2020): y = reference + sum of s_i gamma_i, s_i = -1 or 1, so that products with
 * weights of signs need nothing but counting; the reference lets the levels fit what a ReLU gives.
 * LQ-Nets (Zhang et al. 2018): y = sum of b_i v_i, b_i = 0 or 1. With c the bits of a code both are
 *
 *     y = low + sum over bits i of c of step_i,   step = 2 gamma, low = reference - sum gamma;
 *                                                 step = v, low = 0.
 *
 * A value takes the nearest level; the gradient passes to x between the outermost levels, and to
 * coordinates it is that of the level that was taken. refit() is the published procedure instead:
 * the coordinates of least squared error for the codes of a batch, of which a share is taken over.
 *
 * Levels are integers times a unit, 1/124 of the outermost one, so that layers multiply them as
 * int8. QNT_LITERAL: real ones.
 */
#include <math.h>

#include "rows.h"
#include "solve.h"

enum { BASES = 4, LEVELS = 1 << BASES, NUMBERS = BASES + 1 };

static const double most_number = 0x1p117, least_number = 0x1p-100;
static const double outermost =
    124.0; /* coordinates are rounded one by one: 127 are never passed */
static const double least_spread = 0x1p-5; /* of the levels over the reference: two stay apart */
static const int rounds_of_start = 8;

static bool has_reference(const qnt_spec *spec)
{
    return spec->method == QNT_ALQ;
}

QNT__TRAIN_COUNT(values)
{
    return (size_t)trainer->spec.bits + (has_reference(&trainer->spec) ? 1 : 0);
}

/* ---- levels ---- */

/* The levels that differ, ascending, in units, and the code of each. */
struct sums {
    int32_t count;
    double unit, level[LEVELS];
    uint8_t code[LEVELS];
};

/* low, and the steps of the bits. */
static double read_steps(const qnt_spec *spec, const double *theta, double step[BASES])
{
    double low = has_reference(spec) ? theta[spec->bits] : 0.0;
    for (int32_t i = 0; i < spec->bits; i++) {
        step[i] = has_reference(spec) ? 2.0 * theta[i] : theta[i];
        if (has_reference(spec)) low -= theta[i];
    }
    return low;
}

static void insert(struct sums *s, double level, uint8_t code)
{
    int32_t at = s->count;
    for (int32_t i = 0; i < s->count; i++)
        if (s->level[i] == level) return;
    for (; at > 0 && s->level[at - 1] > level; at--) {
        s->level[at] = s->level[at - 1];
        s->code[at] = s->code[at - 1];
    }
    s->level[at] = level;
    s->code[at] = code;
    s->count++;
}

static void find_sums(const qnt_spec *spec, const double *theta, struct sums *s)
{
    const bool real = spec->flags & QNT_LITERAL;
    double step[BASES], low = read_steps(spec, theta, step), high = low;
    for (int32_t i = 0; i < spec->bits; i++) high += step[i];
    *s = (struct sums){.unit = real ? 1.0 : fmax(fabs(low), fabs(high)) / outermost};
    for (int32_t c = 0; c < 1 << spec->bits; c++) {
        double sum = real ? low : rint(low / s->unit);
        for (int32_t i = 0; i < spec->bits; i++)
            if (c >> i & 1) sum += real ? step[i] : rint(step[i] / s->unit);
        insert(s, (double)(float)(sum + 0.0), (uint8_t)c); /* -0 becomes 0 */
    }
}

static int32_t rank_of(const struct sums *s, double x)
{
    int32_t rank = 0;
    while (rank + 1 < s->count && x > 0.5 * s->unit * (s->level[rank] + s->level[rank + 1])) rank++;
    return rank;
}

int32_t qnt__values_levels(const struct qnt__pass *pass, double level[256])
{
    struct sums s;
    find_sums(&pass->trainer->spec, pass->theta, &s);
    for (int32_t i = 0; i < s.count; i++) level[i] = s.level[i];
    return s.count;
}

QNT__TRAIN_SCALE(values)
{
    struct sums s;
    find_sums(&pass->trainer->spec, pass->theta, &s);
    return s.unit;
}

QNT__TRAIN_RANK(values)
{
    struct sums s;
    find_sums(&pass->trainer->spec, pass->theta, &s);
    return rank_of(&s, x);
}

/* ---- coordinates ---- */

/* Coordinates are positive; the largest is never lost beside the reference. It becomes a little more than
 * it must be, so that rounding does not move it again. */
QNT__TRAIN_PROJECT(values)
{
    const qnt_spec *spec = &trainer->spec;
    double sum = 0.0, reference = 0.0, *largest = theta;
    for (int32_t i = 0; i < spec->bits; i++) {
        theta[i] = fmin(fmax(theta[i], least_number), most_number);
        sum += theta[i];
        if (theta[i] > *largest) largest = &theta[i];
    }
    if (!has_reference(spec)) return;
    theta[spec->bits] = fmin(fmax(theta[spec->bits], -most_number), most_number);
    reference = fabs(theta[spec->bits]);
    if (sum < least_spread * reference) *largest += least_spread * reference * (1.0 + 0x1p-40) - sum;
}

/* What multiplies coordinate i in the sum of a code. */
static double factor_of(const qnt_spec *spec, uint8_t code, int32_t i)
{
    bool bit = code >> i & 1;
    if (i == spec->bits) return 1.0; /* the reference */
    return has_reference(spec) ? (bit ? 1.0 : -1.0) : (bit ? 1.0 : 0.0);
}

/* theta + (D^T D + ridge)^-1 D^T (x - D theta): where the codes do not tell coordinates apart,
 * these stay together. */
void qnt__values_refit(const qnt_trainer *trainer, const float *x, size_t n, double *theta)
{
    const qnt_spec *spec = &trainer->spec;
    const int32_t count = (int32_t)qnt__values_count(trainer);
    double a[NUMBERS * NUMBERS] = {0}, y[NUMBERS] = {0};
    struct sums s;
    find_sums(spec, theta, &s);
    for (size_t e = 0; e < n; e++) {
        const uint8_t code = s.code[rank_of(&s, (double)x[e])];
        double rest = (double)x[e];
        for (int32_t i = 0; i < count; i++) rest -= factor_of(spec, code, i) * theta[i];
        for (int32_t i = 0; i < count; i++) {
            double f = factor_of(spec, code, i);
            y[i] += f * rest;
            for (int32_t k = 0; k <= i; k++) a[i * count + k] += f * factor_of(spec, code, k);
        }
    }
    if (!qnt__solve(a, y, count)) return;
    for (int32_t i = 0; i < count; i++) theta[i] += y[i];
}

/* Equal steps up to three times the root mean square; then codes and coordinates take turns. */
QNT__TRAIN_START(values)
{
    (void)space;
    const qnt_spec *spec = &trainer->spec;
    const double steps = qnt__train_steps(spec);
    const double step = qnt__train_reach(&trainer->spec, x, n) / steps;
    if (has_reference(spec)) theta[spec->bits] = 0.5 * step * steps;
    for (int32_t i = 0; i < spec->bits; i++)
        theta[i] = ldexp(step, has_reference(spec) ? i - 1 : i);
    qnt__values_project(trainer, theta);
    for (int round = 0; round < rounds_of_start; round++) {
        qnt__values_refit(trainer, x, n, theta);
        qnt__values_project(trainer, theta);
    }
}

QNT__TRAIN_BACKWARD(values)
{
    const qnt_spec *spec = &pass->trainer->spec;
    const int32_t count = (int32_t)qnt__values_count(pass->trainer);
    struct sums s;
    find_sums(spec, pass->theta, &s);
    const double low = s.unit * s.level[0], high = s.unit * s.level[s.count - 1];
    for (size_t e = 0; e < span->n; e++) {
        double v = (double)x[e], g = (double)dy[e];
        const uint8_t code = s.code[rank_of(&s, v)];
        for (int32_t i = 0; i < count; i++) dtheta[i] += g * factor_of(spec, code, i);
        dx[e] = v >= low && v <= high ? dy[e] : 0.0f;
    }
}
