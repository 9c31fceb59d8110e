/*
 * Bayesian optimisation: a Gaussian process over the steps, scaled to the unit box, predicts fitness;
 * the next table is the candidate with the largest expected improvement. Length and noise are chosen
 * on a small grid by marginal likelihood; the noise is honest, because accuracies of few images are
 * noisy, and a model that must pass through every measurement chases them.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/carve.h"
#include "base/try.h"
#include "search.h"

enum { CANDIDATES = 256, REFIT = 25 };

struct process {
    size_t n;
    double *x;      /* [n][64] */
    double *y;      /* normalised fitness */
    double *distance; /* [n][n] squared */
    double *factor; /* [n][n] lower Cholesky factor of covariance + noise */
    double *alpha;  /* covariance^-1 y */
    double *column; /* [n] */
    double best;    /* largest y */
};

static double matern(double squared, double length)
{
    double r = sqrt(5.0 * squared) / length;
    return (1.0 + r + r * r / 3.0) * exp(-r);
}

static void to_unit(const qnt_search *search, const uint16_t *step, double *x)
{
    for (int i = 0; i < 64; i++) {
        double width = search->high.step[i] - search->low.step[i];
        x[i] = width > 0.0 ? (step[i] - search->low.step[i]) / width : 0.0;
    }
}

static double squared_distance(const double *a, const double *b)
{
    double sum = 0.0;
    for (int i = 0; i < 64; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* v = factor^-1 v */
static void solve_lower(const struct process *p, double *v)
{
    for (size_t i = 0; i < p->n; i++) {
        const double *row = p->factor + i * p->n;
        double sum = v[i];
        for (size_t k = 0; k < i; k++) sum -= row[k] * v[k];
        v[i] = sum / row[i];
    }
}

/* Factorises and returns the log marginal likelihood, -inf if the matrix is not positive. */
static double factorise(struct process *p, double length, double noise)
{
    size_t n = p->n;
    double likelihood = 0.0;
    for (size_t i = 0; i < n; i++) {
        double *row = p->factor + i * n;
        for (size_t j = 0; j <= i; j++) {
            const double *other = p->factor + j * n;
            double sum = (1.0 - noise) * matern(p->distance[i * n + j], length);
            if (i == j) sum += noise + 1e-9;
            for (size_t k = 0; k < j; k++) sum -= row[k] * other[k];
            if (i > j) row[j] = sum / other[j];
            else if (sum > 0.0) row[i] = sqrt(sum);
            else return -INFINITY;
        }
        likelihood -= log(row[i]);
    }
    memcpy(p->alpha, p->y, n * sizeof *p->alpha);
    solve_lower(p, p->alpha);
    for (size_t i = 0; i < n; i++) likelihood -= 0.5 * p->alpha[i] * p->alpha[i];
    for (size_t i = n; i-- > 0;) {
        double sum = p->alpha[i];
        for (size_t k = i + 1; k < n; k++) sum -= p->factor[k * n + i] * p->alpha[k];
        p->alpha[i] = sum / p->factor[i * n + i];
    }
    return likelihood;
}

static void choose_length(qnt_search *search, struct process *p)
{
    static const double lengths[] = {0.7, 1.5, 3.0, 6.0, 12.0}, noises[] = {0.05, 0.2, 0.5, 0.8};
    double most = -INFINITY;
    search->length = 3.0, search->noise = 0.5;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (size_t s = 0; s < sizeof noises / sizeof *noises; s++) {
            double likelihood = factorise(p, lengths[l], noises[s]);
            if (!(likelihood > most)) continue;
            most = likelihood;
            search->length = lengths[l], search->noise = noises[s];
        }
    }
    search->fitted = p->n;
}

static double improvement(const qnt_search *search, const struct process *p, const double *x)
{
    double mean = 0.0, signal = 1.0 - search->noise, variance = signal;
    for (size_t i = 0; i < p->n; i++) {
        double squared = squared_distance(x, p->x + 64 * i);
        p->column[i] = signal * matern(squared, search->length);
        mean += p->column[i] * p->alpha[i];
    }
    solve_lower(p, p->column);
    for (size_t i = 0; i < p->n; i++) variance -= p->column[i] * p->column[i];
    double deviation = sqrt(variance > 1e-12 ? variance : 1e-12), gain = mean - p->best - 1e-3;
    double z = gain / deviation;
    return gain * 0.5 * erfc(-z / sqrt(2.0)) +
           deviation * exp(-0.5 * z * z) / sqrt(6.283185307179586);
}

/* Half of the candidates lie anywhere in the box, half near the best table. */
static void draw_candidate(qnt_search *search, int index, qnt_qtable *out)
{
    qnt__propose_bounded(search, out);
    if (index % 2 == 0) return;
    const uint16_t *best = search->trials[search->best].table[0].step;
    for (int i = 0; i < 64; i++) {
        double step = best[i], width = search->high.step[i] - search->low.step[i];
        if (qnt__random_unit(&search->random) < 0.3) {
            step += 0.2 * width * qnt__random_gauss(&search->random);
        }
        out->step[i] = qnt__search_clip(search, i, step);
    }
}

static void load(const qnt_search *search, struct process *p)
{
    double mean = 0.0, square = 0.0;
    for (size_t i = 0; i < p->n; i++) {
        to_unit(search, search->trials[i].table[0].step, p->x + 64 * i);
        p->y[i] = qnt__search_fitness(search, &search->trials[i]);
        mean += p->y[i] / (double)p->n;
        for (size_t j = 0; j <= i; j++) {
            p->distance[i * p->n + j] = squared_distance(p->x + 64 * i, p->x + 64 * j);
        }
    }
    for (size_t i = 0; i < p->n; i++) square += (p->y[i] - mean) * (p->y[i] - mean);
    double deviation = sqrt(square / (double)p->n);
    p->best = -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        p->y[i] = deviation > 0.0 ? (p->y[i] - mean) / deviation : 0.0;
        p->best = fmax(p->best, p->y[i]);
    }
}

qnt_status qnt__propose_bayes(const qnt_context *context, qnt_search *search)
{
    struct process p = {.n = search->count};
    size_t square, bytes;
    if (!qnt__mul(p.n, p.n, &square) || !qnt__mul(square + 64 * p.n, 2 * sizeof(double), &bytes)) {
        return qnt__fail(context, QNT_E_INVALID, "%zu trials are too many for a model", p.n);
    }
    bytes += 6 * qnt__carve_bytes(p.n, sizeof(double));
    void *block, *space;
    QNT__TRY(qnt__allocate(context, &search->memory, bytes, &block));
    space = block;
    p.x = qnt__carve(&space, 64 * p.n, sizeof(double));
    p.y = qnt__carve(&space, p.n, sizeof(double));
    p.alpha = qnt__carve(&space, p.n, sizeof(double));
    p.column = qnt__carve(&space, p.n, sizeof(double));
    p.distance = qnt__carve(&space, square, sizeof(double));
    p.factor = qnt__carve(&space, square, sizeof(double));

    load(search, &p);
    if (search->fitted == 0 || p.n >= search->fitted + REFIT) choose_length(search, &p);
    factorise(&p, search->length, search->noise);
    double most = -INFINITY;
    for (int c = 0; c < CANDIDATES; c++) {
        qnt_qtable candidate;
        double x[64];
        draw_candidate(search, c, &candidate);
        to_unit(search, candidate.step, x);
        double value = improvement(search, &p, x);
        if (c && !(value > most)) continue;
        most = value;
        search->pending[0] = candidate;
    }
    qnt__free(&search->memory, block, bytes);
    return QNT_OK;
}
