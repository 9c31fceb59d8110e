/*
 * QNT_RQ and QNT_SRQ: x with logistic noise falls into one cell of a grid of step alpha.
 *
 * With u = (alpha (k + 1/2) - x) / sigma and l = (alpha (k - 1/2) - x) / sigma, cell k has the mass
 *
 *     S(u) - S(l) = S(u) S(-l) (1 - exp(-alpha / sigma)),   S the logistic function
 *
 * (Louizos et al. 2019; the right side does not cancel). The last factor is the same
 * for all cells, so probabilities are softmax(log S(u) + log S(-l)), with no mass to divide by that
 * could vanish, and
 *
 *     d/dx = (S(l) - S(-u)) / sigma       d/dsigma = (l S(l) - u S(-u)) / sigma
 *     d/dalpha = ((k + 1/2) S(-u) - (k - 1/2) S(l)) / sigma
 *
 * RQ draws: y = alpha k of the largest log p + Gumbel noise, backward through the softmax of these
 * at the concrete temperature; literal: forward through it too. SRQ rounds, which is the cell of
 * most mass, and differentiates the expectation alpha sum p k (literal: p of the chosen cell
 * alone). DropBits (Lee et al. 2021) multiplies p by a gate for each bit, drawn once for each group
 * and step.
 */
#include "noise.h"
#include "rows.h"
#include "sigmoid.h"

enum { ALPHA = 0, SIGMA = 1, KEEP = 2, MOST = 256 };

static const double window = 40.0; /* of sigma: beyond, mass is below double precision */

static bool has_gates(const qnt_trainer *trainer)
{
    return trainer->spec.method == QNT_SRQ && (trainer->spec.flags & QNT_SIGNED);
}

static void grid_of(const qnt_spec *spec, int32_t *low, int32_t *high)
{
    const bool weights = spec->flags & QNT_SIGNED;
    *low = weights ? -(1 << (spec->bits - 1)) : 0;
    *high = weights ? (1 << (spec->bits - 1)) - 1 : (1 << spec->bits) - 1;
}

/* The gate of a level: 0 for -1, 0 and 1, else the least number of bits whose grid has it. */
static int32_t gate_of(int32_t k)
{
    int32_t bits = 2;
    if (k >= -1 && k <= 1) return 0;
    while (k < -(1 << (bits - 1)) || k > (1 << (bits - 1)) - 1) bits++;
    return bits;
}

QNT__TRAIN_COUNT(relaxed)
{
    return has_gates(trainer) ? KEEP + (size_t)trainer->spec.bits - 1 : KEEP;
}

size_t qnt__relaxed_space(const qnt_trainer *trainer, size_t n)
{
    return qnt__train_best_scale_bytes(1 << trainer->spec.bits, n);
}

/* The grid of provably least squared error; noise of a third of a step. */
QNT__TRAIN_START(relaxed)
{
    const int32_t count = 1 << trainer->spec.bits;
    int32_t low, high;
    double level[MOST];
    grid_of(&trainer->spec, &low, &high);
    for (int32_t i = 0; i < count; i++) level[i] = low + i;
    theta[ALPHA] = qnt__train_best_scale(level, count, x, n, space);
    theta[SIGMA] = theta[ALPHA] / 3.0;
    double keep = fmin(trainer->options.keep, 1.0 - 0x1p-20);
    for (size_t i = KEEP; i < qnt__relaxed_count(trainer); i++) theta[i] = log(keep) - log1p(-keep);
}

QNT__TRAIN_PROJECT(relaxed)
{
    const double most = qnt__train_most_step(&trainer->spec);
    double *alpha = &theta[ALPHA], *sigma = &theta[SIGMA];
    *alpha = qnt__train_within(*alpha, QNT__TRAIN_LEAST, most);
    *sigma = qnt__train_within(*sigma, *alpha * 0x1p-10, *alpha * 0x1p10);
    for (size_t i = KEEP; i < qnt__relaxed_count(trainer); i++)
        theta[i] = qnt__train_within(theta[i], -32.0, 32.0);
}

/* ---- DropBits ---- */

/* The hard concrete distribution (Louizos et al. 2018, eq. 10 and 11). */
static const double stretch_low = -0.1, stretch_high = 1.1, stretch_heat = 2.0 / 3.0;

/* The gate for uniform noise; *slope becomes d gate / d logit. */
static double gate_at(double logit, double noise, double *slope)
{
    double s = qnt__sigmoid((log(noise) - log1p(-noise) + logit) / stretch_heat);
    double gate = s * (stretch_high - stretch_low) + stretch_low;
    *slope = gate > 0.0 && gate < 1.0 ? (stretch_high - stretch_low) * s * (1.0 - s) / stretch_heat
                                      : 0.0;
    return fmin(fmax(gate, 0.0), 1.0);
}

void qnt__relaxed_gates(struct qnt__pass *pass)
{
    const qnt_trainer *t = pass->trainer;
    const struct qnt__train_options *o = &t->options;
    const bool learned = o->anneal == 0.0;
    if (!has_gates(t) || o->keep == 1.0 || o->hard != 0.0) return;
    double left = learned ? 1.0 : fmax(0.0, 1.0 - o->step / o->anneal);
    if (left == 0.0) return;
    for (int32_t bits = 2; bits <= t->spec.bits; bits++) {
        double keep = 1.0 - (1.0 - o->keep) * left;
        double logit = learned ? pass->theta[KEEP + bits - 2] : log(keep) - log1p(-keep);
        double noise = qnt__noise(t->spec.seed, (uint64_t)o->step, pass->group, (uint32_t)bits);
        pass->gate[bits] = gate_at(logit, noise, &pass->slope[bits]);
        if (!learned) pass->slope[bits] = 0.0;
        if (pass->gate[bits] < 1.0) pass->drops = true;
    }
}

/* Bits that are left when gates without noise decide, dropped from the highest one down; 1: only
 * -1, 0 and 1. */
static int32_t bits_left(const struct qnt__pass *pass)
{
    const qnt_trainer *t = pass->trainer;
    int32_t bits = t->spec.bits;
    double slope;
    if (!has_gates(t) || t->options.keep == 1.0 || t->options.anneal > 0.0) return bits;
    while (bits > 1 && gate_at(pass->theta[KEEP + bits - 2], 0.5, &slope) == 0.0) bits--;
    return bits;
}

QNT__TRAIN_AFFINE(relaxed)
{
    out->scale = pass->theta[ALPHA];
    if (!has_gates(pass->trainer)) return;
    int32_t bits = bits_left(pass);
    out->bits = bits < 2 ? 2 : bits;
    out->narrow = bits < 2;
}

/* ---- the cells of one element ---- */

struct cells {
    double x;             /* the element, no farther outside than tells cells apart */
    int32_t first, count; /* grid points, those with any mass */
    double p[MOST];       /* probabilities, or concrete weights */
    double log_mass[MOST];
    double sum;     /* of gates times masses, relative to the masses */
    int32_t chosen; /* of most mass */
};

static void open_cells(const struct qnt__pass *pass, double x, struct cells *c)
{
    const double alpha = pass->theta[ALPHA], sigma = pass->theta[SIGMA];
    int32_t low, high;
    grid_of(&pass->trainer->spec, &low, &high);
    double inside = fmin(fmax(x, alpha * low), alpha * high), reach = window * sigma + alpha;
    c->x = fmin(fmax(x, inside - reach), inside + reach); /* beyond, log masses are linear in x */
    c->first = (int32_t)fmax(low, ceil((inside - reach) / alpha));
    int32_t last = (int32_t)fmin(high, floor((inside + reach) / alpha));
    if (pass->drops && c->first > -1) c->first = -1; /* these are never dropped */
    if (pass->drops && last < 1) last = 1;
    c->count = last - c->first + 1;
    for (int32_t i = 0; i < c->count; i++) {
        double k = c->first + i;
        double upper = (alpha * (k + 0.5) - c->x) / sigma,
               lower = (alpha * (k - 0.5) - c->x) / sigma;
        double gate = pass->gate[gate_of(c->first + i)];
        c->log_mass[i] = qnt__log_sigmoid(upper) + qnt__log_sigmoid(-lower) +
                         (gate > 0.0 ? log(gate) : -INFINITY);
    }
}

/* p = softmax((log mass + noise) / heat); `chosen` is the largest. */
static void soften(struct cells *c, const double *noise, double heat)
{
    double most = -INFINITY, sum = 0.0;
    for (int32_t i = 0; i < c->count; i++) {
        c->p[i] = (c->log_mass[i] + (noise ? noise[i] : 0.0)) / heat;
        if (c->p[i] > most) most = c->p[i], c->chosen = i;
    }
    for (int32_t i = 0; i < c->count; i++) sum += c->p[i] = exp(c->p[i] - most);
    for (int32_t i = 0; i < c->count; i++) c->p[i] /= sum;
}

static double mean_level(const struct cells *c)
{
    double sum = 0.0;
    for (int32_t i = 0; i < c->count; i++) sum += c->p[i] * (c->first + i);
    return sum;
}

/* Gumbel noise of every cell, the same whatever cells are open. */
static void draw(const struct qnt__pass *pass, const struct cells *c, uint64_t element,
                 double *noise)
{
    const qnt_trainer *t = pass->trainer;
    for (int32_t i = 0; i < c->count; i++) {
        double u = qnt__noise(t->spec.seed, (uint64_t)t->options.step, element,
                              (uint32_t)(c->first + i + MOST));
        noise[i] = -log(-log(u));
    }
}

QNT__TRAIN_FORWARD(relaxed)
{
    const qnt_trainer *t = pass->trainer;
    const float scale = (float)pass->theta[ALPHA];
    const bool samples = t->spec.method == QNT_RQ, literal = t->spec.flags & QNT_LITERAL;
    struct cells c;
    double noise[MOST];
    for (size_t i = 0; i < span->n; i++) {
        open_cells(pass, (double)x[i], &c);
        if (samples) draw(pass, &c, span->first + i * span->step, noise);
        soften(&c, samples ? noise : NULL, samples ? pass->temperature : 1.0);
        if (samples && literal)
            y[i] = (float)(pass->theta[ALPHA] * mean_level(&c));
        else
            y[i] = scale * (float)(c.first + c.chosen);
    }
}

/* Derivatives of one cell's log mass. */
struct slopes {
    double x, sigma, alpha;
};

static struct slopes slopes_of(const struct qnt__pass *pass, double x, double k)
{
    const double alpha = pass->theta[ALPHA], sigma = pass->theta[SIGMA];
    double upper = (alpha * (k + 0.5) - x) / sigma, lower = (alpha * (k - 0.5) - x) / sigma;
    double a = qnt__sigmoid(-upper), b = qnt__sigmoid(lower);
    return (struct slopes){.x = (b - a) / sigma,
                           .sigma = (lower * b - upper * a) / sigma,
                           .alpha = ((k + 0.5) * a - (k - 0.5) * b) / sigma};
}

/* d y / d (log mass of cell i) over the chain's inner part: what multiplies the slopes. */
static double weight_of(const struct qnt__pass *pass, const struct cells *c, int32_t i, double mean)
{
    const qnt_spec *spec = &pass->trainer->spec;
    const double alpha = pass->theta[ALPHA];
    if (spec->method == QNT_RQ) return alpha * c->p[i] * (c->first + i - mean) / pass->temperature;
    if (!(spec->flags & QNT_LITERAL)) return alpha * c->p[i] * (c->first + i - mean);
    double chosen = c->p[c->chosen] * ((i == c->chosen) - c->p[i]);
    return alpha * (c->first + c->chosen) * chosen;
}

QNT__TRAIN_BACKWARD(relaxed)
{
    const qnt_trainer *t = pass->trainer;
    const bool samples = t->spec.method == QNT_RQ;
    struct cells c;
    double noise[MOST];
    for (size_t e = 0; e < span->n; e++) {
        double v = (double)x[e], g = (double)dy[e], sum_x = 0.0, sum_sigma = 0.0, sum_alpha = 0.0;
        open_cells(pass, v, &c);
        if (samples) draw(pass, &c, span->first + e * span->step, noise);
        soften(&c, samples ? noise : NULL, samples ? pass->temperature : 1.0);
        double mean = mean_level(&c);
        for (int32_t i = 0; i < c.count; i++) {
            if (c.p[i] == 0.0) continue;
            double w = weight_of(pass, &c, i, mean);
            struct slopes s = slopes_of(pass, c.x, c.first + i);
            sum_x += w * s.x, sum_sigma += w * s.sigma, sum_alpha += w * s.alpha;
            int32_t gate = gate_of(c.first + i);
            if (gate && pass->slope[gate] > 0.0)
                dtheta[KEEP + gate - 2] += g * w * pass->slope[gate] / pass->gate[gate];
        }
        dtheta[ALPHA] += g * (sum_alpha + (samples ? mean : c.first + c.chosen));
        dtheta[SIGMA] += g * sum_sigma;
        dx[e] = (float)(g * sum_x);
    }
}

/* Penalty times the expected number of bits that are kept: the probability that a gate is not 0 is
 * S(logit - heat log(-low / high)). */
void qnt__relaxed_penalty(const struct qnt__pass *pass, double *dtheta)
{
    const qnt_trainer *t = pass->trainer;
    if (!has_gates(t) || t->options.keep == 1.0 || t->options.anneal > 0.0) return;
    for (int32_t i = 0; i < t->spec.bits - 1; i++) {
        double kept =
            qnt__sigmoid(pass->theta[KEEP + i] - stretch_heat * log(-stretch_low / stretch_high));
        dtheta[KEEP + i] += t->options.penalty * kept * (1.0 - kept);
    }
}
