/*
 * Bayesian optimisation: a Gaussian process over the steps, scaled to the unit box, predicts fitness;
 * the next table is the candidate with the largest expected improvement. Length and noise are chosen
 * on a small grid by marginal likelihood; the noise is honest, because accuracies of few images are
 * noisy, and a model that must pass through every measurement chases them.
 *
 * With a target window another process predicts the logarithm of the rate, and the improvement over
 * the best trial in the window is multiplied by the probability that the rate is in it (Gardner et
 * al. 2014, "Bayesian optimization with inequality constraints"); while there is no such trial, the
 * probability alone counts.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/carve.h"
#include "base/cholesky.h"
#include "base/try.h"
#include "search.h"

enum { CANDIDATES = 256, REFIT = 25 };

/* A quantity, of mean 0 and deviation 1 over the trials. */
struct model {
    double *y;
    double *factor; /* [n][n] lower Cholesky factor of covariance + noise */
    double *alpha;  /* covariance^-1 y */
    double mean, deviation; /* before it was scaled */
    struct qnt__shape *shape;
};

struct process {
    size_t n;
    double *x;        /* [n][64] */
    double *distance; /* [n][n] squared */
    double *column;   /* [n] */
    struct model fitness, rate;
    bool windowed, met; /* there is a window, and a trial in it */
    double best;        /* largest fitness, in the window if one is */
    double low, high;   /* the window in units of the model */
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

/* Factorises and returns the log marginal likelihood, -inf if the matrix is not positive. */
static double factorise(const struct process *p, struct model *m, struct qnt__shape shape)
{
    size_t n = p->n;
    double likelihood = 0.0;
    for (size_t i = 0; i < n; i++) {
        double *row = m->factor + i * n;
        for (size_t j = 0; j <= i; j++)
            row[j] = (1.0 - shape.noise) * matern(p->distance[i * n + j], shape.length);
        row[i] += shape.noise + 1e-9;
    }
    if (!qnt__cholesky(m->factor, n, n)) return -INFINITY;
    for (size_t i = 0; i < n; i++) likelihood -= log(m->factor[i * n + i]);
    memcpy(m->alpha, m->y, n * sizeof *m->alpha);
    qnt__solve_lower(m->factor, n, m->alpha, n);
    for (size_t i = 0; i < n; i++) likelihood -= 0.5 * m->alpha[i] * m->alpha[i];
    qnt__solve_upper(m->factor, n, m->alpha, n);
    return likelihood;
}

/* Length and noise of the largest likelihood; rates have little noise, if any. */
static void choose_shape(const struct process *p, struct model *m, bool noisy)
{
    static const double lengths[] = {0.7, 1.5, 3.0, 6.0, 12.0};
    static const double noises[2][4] = {{1e-4, 1e-3, 0.01, 0.1}, {0.05, 0.2, 0.5, 0.8}};
    double most = -INFINITY;
    *m->shape = (struct qnt__shape){3.0, 0.5};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (size_t s = 0; s < 4; s++) {
            struct qnt__shape shape = {lengths[l], noises[noisy][s]};
            double likelihood = factorise(p, m, shape);
            if (!(likelihood > most)) continue;
            most = likelihood;
            *m->shape = shape;
        }
    }
}

/* What a model says of x. */
static void predict(const struct process *p, const struct model *m, const double *x, double *mean,
                    double *deviation)
{
    double signal = 1.0 - m->shape->noise, variance = signal;
    *mean = 0.0;
    for (size_t i = 0; i < p->n; i++) {
        double squared = squared_distance(x, p->x + 64 * i);
        p->column[i] = signal * matern(squared, m->shape->length);
        *mean += p->column[i] * m->alpha[i];
    }
    qnt__solve_lower(m->factor, p->n, p->column, p->n);
    for (size_t i = 0; i < p->n; i++) variance -= p->column[i] * p->column[i];
    *deviation = sqrt(variance > 1e-12 ? variance : 1e-12);
}

static double normal(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

static double improvement(const struct process *p, const double *x)
{
    double mean, deviation, inside = 1.0;
    if (p->windowed) {
        predict(p, &p->rate, x, &mean, &deviation);
        inside = normal((p->high - mean) / deviation) - normal((p->low - mean) / deviation);
        if (!p->met) return inside;
    }
    predict(p, &p->fitness, x, &mean, &deviation);
    double gain = mean - p->best - 1e-3, z = gain / deviation;
    return inside * (gain * normal(z) + deviation * exp(-0.5 * z * z) / sqrt(6.283185307179586));
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

static void scale(struct model *m, size_t n)
{
    double square = 0.0;
    m->mean = 0.0;
    for (size_t i = 0; i < n; i++) m->mean += m->y[i] / (double)n;
    for (size_t i = 0; i < n; i++) square += (m->y[i] - m->mean) * (m->y[i] - m->mean);
    m->deviation = sqrt(square / (double)n);
    for (size_t i = 0; i < n; i++)
        m->y[i] = m->deviation > 0.0 ? (m->y[i] - m->mean) / m->deviation : 0.0;
}

/* The end of the window, as the model has rates; if these are all the same, no end is reached. */
static double window_end(const struct model *m, double rate)
{
    double away = log(rate) - m->mean; /* log(0) is -inf: no lower end */
    return m->deviation > 0.0 ? away / m->deviation : away < 0.0 ? -INFINITY : INFINITY;
}

static void load(const qnt_search *search, struct process *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const qnt_trial *trial = &search->trials[i];
        to_unit(search, trial->table[0].step, p->x + 64 * i);
        p->fitness.y[i] = qnt__search_fitness(search, trial);
        p->rate.y[i] = log(trial->rate);
        for (size_t j = 0; j <= i; j++) {
            p->distance[i * p->n + j] = squared_distance(p->x + 64 * i, p->x + 64 * j);
        }
    }
    scale(&p->fitness, p->n);
    scale(&p->rate, p->n);
    p->best = p->fitness.y[search->best];
    p->met = qnt__search_outside(search, &search->trials[search->best]) == 0.0;
    p->low = window_end(&p->rate, search->spec.rate_low);
    p->high = window_end(&p->rate, search->spec.rate_high);
}

/* Places all arrays, or only answers how many bytes they take. */
static size_t place(struct process *p, void *space, size_t square)
{
    double **const small[] = {&p->column, &p->fitness.y, &p->fitness.alpha, &p->rate.y,
                              &p->rate.alpha};
    double **const large[] = {&p->distance, &p->fitness.factor, &p->rate.factor};
    const size_t smalls = sizeof small / sizeof *small, larges = p->windowed ? 3 : 2;
    if (space) {
        p->x = qnt__carve(&space, 64 * p->n, sizeof(double));
        for (size_t i = 0; i < smalls; i++) *small[i] = qnt__carve(&space, p->n, sizeof(double));
        for (size_t i = 0; i < larges; i++) *large[i] = qnt__carve(&space, square, sizeof(double));
    }
    return qnt__carve_bytes(64 * p->n, sizeof(double)) +
           smalls * qnt__carve_bytes(p->n, sizeof(double)) +
           larges * qnt__carve_bytes(square, sizeof(double));
}

static void fit_models(qnt_search *search, struct process *p)
{
    const bool again = search->fitted == 0 || p->n >= search->fitted + REFIT;
    if (again) choose_shape(p, &p->fitness, true);
    if (again && p->windowed) choose_shape(p, &p->rate, false);
    if (again) search->fitted = p->n;
    factorise(p, &p->fitness, *p->fitness.shape);
    if (p->windowed) factorise(p, &p->rate, *p->rate.shape);
}

qnt_status qnt__propose_bayes(const qnt_context *context, qnt_search *search)
{
    struct process p = {.n = search->count,
                        .fitness.shape = &search->fitness,
                        .rate.shape = &search->rate,
                        .windowed = search->spec.rate_low > 0.0 || isfinite(search->spec.rate_high)};
    size_t square, bytes;
    if (!qnt__mul(p.n, p.n, &square) || !qnt__mul(square + 69 * p.n, 4 * sizeof(double), &bytes)) {
        return qnt__fail(context, QNT_E_INVALID, "%zu trials are too many for a model", p.n);
    }
    void *block;
    bytes = place(&p, NULL, square);
    QNT__TRY(qnt__allocate(context, &search->memory, bytes, &block));
    place(&p, block, square);
    load(search, &p);
    fit_models(search, &p);
    double most = -INFINITY;
    for (int c = 0; c < CANDIDATES; c++) {
        qnt_qtable candidate;
        double x[64];
        draw_candidate(search, c, &candidate);
        to_unit(search, candidate.step, x);
        double value = improvement(&p, x);
        if (c && !(value > most)) continue;
        most = value;
        search->pending[0] = candidate;
    }
    qnt__free(&search->memory, block, bytes);
    return QNT_OK;
}
