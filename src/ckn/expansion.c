/*
 * The expansion of 2014: for patches x, y of norm 1 and alpha = 1 / sigma^2,
 *
 *     exp(-alpha |x - y|^2 / 2) = sum_l eta_l phi_l,   phi_l = exp(-alpha (|x - w_l|^2 + |y - w_l|^2))
 *
 * least squares over random pairs (Mairal et al. 2014, eq. 6). With the residual r of a pair, its square
 * has the derivatives -2 r phi_l by eta_l and -4 alpha r eta_l phi_l (x + y - 2 w_l) by w_l. Found by
 * Adam (Kingma, Ba 2015) with eta = eta_0 exp(g), so that it stays above 0.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/carve.h"
#include "base/exponential.h"
#include "base/random.h"
#include "base/try.h"
#include "ckn.h"

enum {
    PAIRS = 4096 /* for sigma and eta_0 */,
    STEPS = 6000,
    COARSE = 4000,
    BATCH = 100,
    REPORT = 100
};

static const double first_decay = 0.9, second_decay = 0.999, tiny = 1e-8;

static const float *pick(const float *x, size_t n, size_t depth, uint64_t *state)
{
    return x + (size_t)(qnt__random(state) % n) * depth;
}

static double distance(const float *x, const float *y, size_t depth)
{
    double sum = 0.0;
    for (size_t k = 0; k < depth; k++) {
        double d = (double)x[k] - (double)y[k];
        sum += d * d;
    }
    return sum;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

qnt_status qnt__expansion_sigma(const qnt_context *context, const float *x, size_t n, size_t depth,
                                uint64_t seed, float *sigma)
{
    uint64_t state = seed * 2 + 1;
    void *block;
    QNT__TRY(qnt__allocate(context, &context->memory, PAIRS * sizeof(double), &block));
    double *square = block;
    for (size_t i = 0; i < PAIRS; i++) {
        const float *a = pick(x, n, depth, &state);
        square[i] = distance(a, pick(x, n, depth, &state), depth);
    }
    qsort(square, PAIRS, sizeof *square, ascending);
    *sigma = (float)sqrt(square[PAIRS / 10]);
    qnt__free(&context->memory, block, PAIRS * sizeof(double));
    if (*sigma >= 0.05f) return QNT_OK;
    return qnt__fail(context, QNT_E_STATE,
                     "data: the 0.1 quantile of the distances of patches is %g, expected at least "
                     "0.05; give sigma",
                     (double)*sigma);
}

double qnt__expansion_gradient(const double *anchor, size_t filters, size_t depth, double alpha,
                               const float *x, const float *y, double *phi, double *to)
{
    double residual = qnt__exp_f64(-0.5 * alpha * distance(x, y, depth));
    for (size_t l = 0; l < filters; l++) {
        const double *w = anchor + l * (depth + 1);
        double sum = 0.0;
        for (size_t k = 0; k < depth; k++) {
            double a = (double)x[k] - w[k], b = (double)y[k] - w[k];
            sum += a * a + b * b;
        }
        phi[l] = qnt__exp_f64(-alpha * sum);
        residual -= w[depth] * phi[l];
    }
    for (size_t l = 0; to && l < filters; l++, to += depth + 1) {
        const double *w = anchor + l * (depth + 1);
        double by_w = -4.0 * alpha * residual * w[depth] * phi[l];
        for (size_t k = 0; k < depth; k++)
            to[k] += by_w * ((double)x[k] + (double)y[k] - 2.0 * w[k]);
        to[depth] += -2.0 * residual * phi[l];
    }
    return residual * residual;
}

struct learner {
    const float *x;
    size_t n, depth, filters, numbers; /* numbers: of w and eta together */
    double alpha;
    uint64_t state;
    double *anchor; /* [filters][depth + 1] */
    double *gradient, *first, *second, *phi;
};

/* The one weight that is best for all: least squares over pairs. */
static double first_weight(struct learner *a)
{
    double product = 0.0, square = 0.0;
    for (size_t i = 0; i < PAIRS; i++) {
        const float *x = pick(a->x, a->n, a->depth, &a->state),
                    *y = pick(a->x, a->n, a->depth, &a->state);
        double sum = 0.0;
        qnt__expansion_gradient(a->anchor, a->filters, a->depth, a->alpha, x, y, a->phi, NULL);
        for (size_t l = 0; l < a->filters; l++) sum += a->phi[l];
        product += sum * qnt__exp_f64(-0.5 * a->alpha * distance(x, y, a->depth));
        square += sum * sum;
    }
    return square > 0.0 ? product / square : 1.0;
}

/* One step of Adam; eta moves by its logarithm. The powers of the decays correct the first means. */
static void step(struct learner *a, double rate, double first_power, double second_power)
{
    memset(a->gradient, 0, a->numbers * sizeof *a->gradient);
    for (size_t i = 0; i < BATCH; i++) {
        const float *x = pick(a->x, a->n, a->depth, &a->state);
        qnt__expansion_gradient(a->anchor, a->filters, a->depth, a->alpha, x,
                                pick(a->x, a->n, a->depth, &a->state), a->phi, a->gradient);
    }
    for (size_t i = 0; i < a->numbers; i++) {
        bool weight = i % (a->depth + 1) == a->depth;
        double g = a->gradient[i] / BATCH * (weight ? a->anchor[i] : 1.0);
        a->first[i] = first_decay * a->first[i] + (1.0 - first_decay) * g;
        a->second[i] = second_decay * a->second[i] + (1.0 - second_decay) * g * g;
        double mean = a->first[i] / (1.0 - first_power),
               root = sqrt(a->second[i] / (1.0 - second_power)), by = rate * mean / (root + tiny);
        if (weight) a->anchor[i] *= qnt__exp_f64(-by);
        else a->anchor[i] -= by;
    }
}

static qnt_status descend(const qnt_context *context, struct learner *a)
{
    double first_power = 1.0, second_power = 1.0;
    for (int i = 0; i < STEPS; i++) {
        first_power *= first_decay;
        second_power *= second_decay;
        step(a, i < COARSE ? 0.01 : 0.001, first_power, second_power);
        if (i % REPORT == 0) QNT__TRY(qnt__progress(context, (uint64_t)i, STEPS));
    }
    return qnt__progress(context, STEPS, STEPS);
}

qnt_status qnt__expansion_learn(const qnt_context *context, const float *x, size_t n, size_t depth,
                                size_t filters, double alpha, uint64_t seed, double *anchor)
{
    struct learner a = {.x = x,
                        .n = n,
                        .depth = depth,
                        .filters = filters,
                        .numbers = filters * (depth + 1),
                        .alpha = alpha,
                        .state = seed * 2 + 0x9e3779b97f4a7c15u,
                        .anchor = anchor};
    size_t bytes = (3 * a.numbers + filters) * sizeof(double);
    void *block;
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    a.gradient = memset(block, 0, bytes);
    a.first = a.gradient + a.numbers;
    a.second = a.first + a.numbers;
    a.phi = a.second + a.numbers;
    for (size_t l = filters; l-- > 0;) { /* make room for the weights */
        memmove(anchor + l * (depth + 1), anchor + l * depth, depth * sizeof *anchor);
        anchor[l * (depth + 1) + depth] = 1.0;
    }
    double weight = first_weight(&a);
    for (size_t l = 0; l < filters; l++) anchor[l * (depth + 1) + depth] = weight;
    qnt_status status = descend(context, &a);
    qnt__free(&context->memory, block, bytes);
    return status;
}
