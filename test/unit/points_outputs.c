/*
 * Points placed by the error of a layer's outputs: against the mean over the inputs themselves,
 * thresholds, extra rows, better than evenly and at random, streaming, bad input.
 */
#include "check.h"

enum { OUTPUTS = 32, DEPTH = 40, INPUTS = 150, POINTS = 3 };

static qnt_context *c;
static float w[OUTPUTS * DEPTH], y[OUTPUTS * DEPTH], x[INPUTS * DEPTH];

/* Outputs of different weight, inputs that hang together and are often 0. */
static void fill(void)
{
    for (int i = 0; i < OUTPUTS * DEPTH; i++)
        w[i] = (float)(random_laplace() * exp2((double)(i / DEPTH % 7) - 3));
    for (int m = 0; m < INPUTS; m++) {
        double common = random_gauss();
        for (int k = 0; k < DEPTH; k++) {
            double v = (common + random_gauss()) * exp2((double)(k % 5) - 2);
            x[m * DEPTH + k] = (float)fmax(v, 0);
        }
    }
}

static qnt_quantizer *create(qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec, spec.scheme = QNT_POINTS;
    if (!spec.grain) spec.grain = QNT_PER_AXIS;
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    return q;
}

static void set(qnt_quantizer *q, int param, double value)
{
    CHECK_MSG(qnt_quantizer_set(c, q, param, &value, 1) == QNT_OK, "%s", check_reason);
}

static void observe(qnt_quantizer *q)
{
    OK(qnt_quantizer_observe(c, q, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH), NULL));
    OK(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_FLOAT, 32, INPUTS, DEPTH)));
}

static void get(const qnt_quantizer *q, int param, double *values)
{
    size_t count = 0;
    CHECK_MSG(qnt_quantizer_get(c, q, param, values, OUTPUTS, &count) == QNT_OK && count == OUTPUTS,
              "%s", check_reason);
}

/* The mean square of what the outputs miss, input by input; from nothing without a quantizer. */
static void output_errors(const qnt_quantizer *q, double error[OUTPUTS])
{
    memset(y, 0, sizeof y);
    if (q)
        OK(qnt_quantizer_apply(c, q, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH),
                               TENSOR(y, QNT_FLOAT, 32, OUTPUTS, DEPTH)));
    for (int n = 0; n < OUTPUTS; n++) {
        error[n] = 0;
        for (int m = 0; m < INPUTS; m++) {
            double away = 0;
            for (int k = 0; k < DEPTH; k++)
                away += ((double)w[n * DEPTH + k] - (double)y[n * DEPTH + k]) *
                        (double)x[m * DEPTH + k];
            error[n] += away * away / INPUTS;
        }
    }
}

static double sum_of(const double *values)
{
    double sum = 0;
    for (int n = 0; n < OUTPUTS; n++) sum += values[n];
    return sum;
}

static qnt_spec random_spec(int i)
{
    bool bases = i % 3 == 2;
    return (qnt_spec){.method = bases ? QNT_BASES : QNT_MULTIPOINT,
                      .bits = bases ? 1 : 2,
                      .points = POINTS,
                      .flags = i % 2 ? QNT_LITERAL : 0};
}

/* Errors of outputs with every number of points. */
static void all_errors(qnt_spec spec, double error[POINTS + 1][OUTPUTS])
{
    output_errors(NULL, error[0]);
    for (int p = 1; p <= POINTS; p++) {
        spec.points = p;
        qnt_quantizer *q = create(spec);
        observe(q);
        OK(qnt_quantizer_fit(c, q));
        output_errors(q, error[p]);
        for (int n = 0; n < OUTPUTS && (p > 1 || spec.method == QNT_BASES); n++)
            CHECK_MSG(error[p][n] <= error[p - 1][n] * (1 + 1e-6), "row %d: %d points cost %g, %g",
                      n, p, error[p][n], error[p - 1][n]);
        qnt_quantizer_destroy(q);
    }
}

/* The fewest points that keep the threshold: absolute as published, else relative. */
static void thresholds(void)
{
    for (int i = 0; i < ROUNDS(12); i++) {
        qnt_spec spec = random_spec(i);
        double error[POINTS + 1][OUTPUTS], count[OUTPUTS];
        double share = (double[]){0.2, 0.01, 0.001}[random_in(0, 2)];
        fill();
        all_errors(spec, error);
        double limit = spec.flags & QNT_LITERAL ? share * sum_of(error[0]) / OUTPUTS : share;
        qnt_quantizer *q = create(spec);
        set(q, QNT_P_TOLERANCE, limit);
        observe(q);
        OK(qnt_quantizer_fit(c, q));
        get(q, QNT_P_COUNT, count);
        for (int n = 0; n < OUTPUTS; n++) {
            double most = limit * (spec.flags & QNT_LITERAL ? 1 : error[0][n]);
            int expected = spec.method == QNT_MULTIPOINT ? 1 : 0;
            bool close = false;
            int least = expected;
            for (; expected < POINTS && error[expected][n] > most; expected++) {
            }
            while (expected > least && error[expected - 1][n] == error[expected][n])
                expected--; /* a point of no use is left out */
            for (int p = 0; p <= POINTS; p++) close |= fabs(error[p][n] / most - 1) < 1e-6;
            CHECK_MSG(close || count[n] == expected, "row %d has %g points, expected %d", n,
                      count[n], expected);
        }
        qnt_quantizer_destroy(q);
    }
}

/* What so many points more on the given rows leave. */
static double placed(double error[POINTS + 1][OUTPUTS], const int *row, int extra)
{
    double sum = sum_of(error[1]);
    for (int i = 0; i < extra; i++) sum -= error[1][row[i]] - error[2][row[i]];
    return sum;
}

/* Exactly as many rows as are allowed, where outputs gain most; no other rows do as well. */
static void extra_rows(void)
{
    for (int i = 0; i < ROUNDS(12); i++) {
        qnt_spec spec = random_spec(i % 2 * 3); /* multipoint, default and literal */
        double error[POINTS + 1][OUTPUTS], count[OUTPUTS], mine[OUTPUTS];
        int extra = (int)random_in(1, OUTPUTS - 1), row[OUTPUTS], useful = 0;
        fill();
        all_errors(spec, error);
        for (int n = 0; n < OUTPUTS; n++) useful += error[2][n] < error[1][n];
        spec.points = 2;
        qnt_quantizer *q = create(spec);
        set(q, QNT_P_EXTRA, extra);
        observe(q);
        OK(qnt_quantizer_fit(c, q));
        get(q, QNT_P_COUNT, count);
        if (extra > useful) extra = useful;
        CHECK_MSG(sum_of(count) == OUTPUTS + extra, "%g points, expected %d", sum_of(count),
                  OUTPUTS + extra);
        output_errors(q, mine);
        double got = sum_of(mine);
        for (int n = 0; n < OUTPUTS; n++) row[n] = n;
        for (int a = 0; a < OUTPUTS; a++) { /* rows by what they gain: no choice is better */
            for (int b = a; b > 0 && error[1][row[b]] - error[2][row[b]] >
                                         error[1][row[b - 1]] - error[2][row[b - 1]];
                 b--) {
                int swap = row[b];
                row[b] = row[b - 1], row[b - 1] = swap;
            }
        }
        CHECK_MSG(fabs(got / placed(error, row, extra) - 1) < 1e-6, "%g, best %g", got,
                  placed(error, row, extra));
        for (int n = 0; n < extra; n++) row[n] = n * OUTPUTS / extra; /* evenly */
        CHECK(got <= placed(error, row, extra) * (1 + 1e-6));
        for (int draw = 0; draw < 20; draw++) {
            for (int n = 0; n < OUTPUTS; n++) row[n] = n;
            for (int n = 0; n < extra; n++) {
                int other = (int)random_in(n, OUTPUTS - 1), swap = row[n];
                row[n] = row[other], row[other] = swap;
            }
            CHECK(got <= placed(error, row, extra) * (1 + 1e-6));
        }
        qnt_quantizer_destroy(q);
    }
    /* more than two points, and bases from nothing, by plain errors, which every point lowers */
    for (int i = 0; i < ROUNDS(9); i++) {
        double count[OUTPUTS];
        qnt_spec spec = random_spec(i);
        int first = spec.method == QNT_MULTIPOINT, extra = (int)random_in(1, OUTPUTS * 3 / 2);
        fill();
        qnt_quantizer *q = create(spec);
        set(q, QNT_P_EXTRA, extra);
        OK(qnt_quantizer_observe(c, q, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH), NULL));
        OK(qnt_quantizer_fit(c, q));
        get(q, QNT_P_COUNT, count);
        CHECK_MSG(sum_of(count) == first * OUTPUTS + extra, "%g points, expected %d", sum_of(count),
                  first * OUTPUTS + extra);
        qnt_quantizer_destroy(q);
    }
}

/* Where inputs hang together the matrix knows more than its diagonal. */
static void beyond_the_diagonal(void)
{
    static float square[DEPTH];
    double with = 0, without = 0, error[OUTPUTS];
    for (int i = 0; i < ROUNDS(10); i++) {
        qnt_spec spec = {.method = QNT_MULTIPOINT, .bits = 2, .points = 2};
        qnt_quantizer *q = create(spec), *diagonal = create(spec);
        fill();
        for (int k = 0; k < DEPTH; k++) {
            square[k] = 0;
            for (int m = 0; m < INPUTS; m++)
                square[k] += x[m * DEPTH + k] * x[m * DEPTH + k] / INPUTS;
        }
        set(q, QNT_P_EXTRA, 8), set(diagonal, QNT_P_EXTRA, 8);
        observe(q);
        OK(qnt_quantizer_observe(c, diagonal, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH),
                                 TENSOR(square, QNT_FLOAT, 32, DEPTH)));
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_quantizer_fit(c, diagonal));
        output_errors(q, error), with += sum_of(error);
        output_errors(diagonal, error), without += sum_of(error);
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(diagonal);
    }
    CHECK_MSG(with <= without, "matrix %g, diagonal %g", with, without);
}

/* Batches, strides, halves, inputs that are skipped, workers: the same coefficients. */
static void streaming(void)
{
    static float wide[INPUTS * 2 * DEPTH * 2], bad[3 * DEPTH];
    static double coef[3][OUTPUTS * 2];
    qnt_pool *pool = NULL;
    fill();
    for (int i = 0; i < INPUTS * DEPTH; i++) wide[i / DEPTH * 4 * DEPTH + i % DEPTH * 2] = x[i];
    memcpy(bad, x, sizeof bad);
    bad[DEPTH + 3] = NAN, bad[2 * DEPTH - 1] = INFINITY;
    OK(qnt_pool_create(c, 3, &pool));
    for (int way = 0; way < 3; way++) {
        qnt_quantizer *q = create((qnt_spec){.method = QNT_MULTIPOINT, .bits = 3, .points = 2});
        size_t count;
        set(q, QNT_P_EXTRA, 11);
        OK(qnt_quantizer_observe(c, q, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH), NULL));
        if (way == 0) {
            OK(qnt_quantizer_observe_inputs(c, q,
                                            TENSOR(x, QNT_FLOAT, 32, 10, INPUTS / 10, DEPTH)));
        } else if (way == 1) {
            OK(qnt_context_set_parallel(c, qnt_pool_run, pool, 3));
            OK(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_FLOAT, 32, 7, DEPTH)));
            OK(qnt_quantizer_observe_inputs(c, q, TENSOR(x + 7 * DEPTH, QNT_FLOAT, 32, DEPTH)));
            OK(qnt_quantizer_observe_inputs(
                c, q, TENSOR(x + 8 * DEPTH, QNT_FLOAT, 32, INPUTS - 8, DEPTH)));
            OK(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_FLOAT, 32, 0, DEPTH)));
        } else {
            qnt_tensor *t = TENSOR(wide, QNT_FLOAT, 32, INPUTS - 3, DEPTH);
            int64_t strides[2] = {4 * DEPTH, 2};
            t->strides = strides;
            t->data = wide + 3 * 4 * DEPTH;
            bad[DEPTH + 3] = NAN;
            OK(qnt_quantizer_observe_inputs(c, q, TENSOR(bad, QNT_FLOAT, 32, 2, DEPTH)));
            OK(qnt_quantizer_observe_inputs(c, q, TENSOR(x + DEPTH, QNT_FLOAT, 32, 2, DEPTH)));
            OK(qnt_quantizer_observe_inputs(c, q, t));
        }
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_quantizer_get(c, q, QNT_P_COEF, coef[way], OUTPUTS * 2, &count));
        CHECK_MSG(way == 0 || !memcmp(coef[way], coef[0], sizeof *coef), "way %d", way);
        qnt_quantizer_destroy(q);
    }
    OK(qnt_context_set_parallel(c, NULL, NULL, 0));
    qnt_pool_destroy(pool);
}

/* Inputs that were always 0 say nothing: errors of weights count as if none had been observed. */
static void dead_inputs(void)
{
    static double coef[2][OUTPUTS * 2];
    fill();
    memset(x, 0, sizeof x);
    for (int way = 0; way < 2; way++) {
        qnt_quantizer *q = create((qnt_spec){.method = QNT_MULTIPOINT, .bits = 3, .points = 2});
        size_t count;
        set(q, QNT_P_EXTRA, 9);
        OK(qnt_quantizer_observe(c, q, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH), NULL));
        if (way) OK(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_FLOAT, 32, 1, DEPTH)));
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_quantizer_get(c, q, QNT_P_COEF, coef[way], OUTPUTS * 2, &count));
        qnt_quantizer_destroy(q);
    }
    for (int i = 0; i < OUTPUTS * 2; i++) CHECK(coef[0][i] == coef[1][i]);
}

/* The two numbers of storage are those that errors report, counts and coefficients included. */
static void storage(void)
{
    for (int i = 0; i < ROUNDS(12); i++) {
        qnt_spec spec = random_spec(i);
        double stored[OUTPUTS], overhead[OUTPUTS], count[OUTPUTS], all = 0;
        qnt_error e = {.size = sizeof e};
        qnt_quantizer *q = create(spec);
        fill();
        set(q, QNT_P_EXTRA, 20);
        observe(q);
        OK(qnt_quantizer_fit(c, q));
        get(q, QNT_P_STORED, stored), get(q, QNT_P_OVERHEAD, overhead), get(q, QNT_P_COUNT, count);
        for (int n = 0; n < OUTPUTS; n++) {
            double scale = count[n] > 0 && !(spec.flags & QNT_LITERAL) ? 32 : 0;
            CHECK(stored[n] == spec.bits * count[n]);
            CHECK(overhead[n] == 32 * count[n] + scale + 2); /* 0 to 3 points: 2 bits */
            all += stored[n] * DEPTH + overhead[n];
        }
        OK(qnt_quantizer_error(c, q, TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH), NULL, &e));
        CHECK_MSG(fabs(e.bits * OUTPUTS * DEPTH / all - 1) < 1e-12, "%g bits, expected %g",
                  e.bits * OUTPUTS * DEPTH, all);
        qnt_quantizer_destroy(q);
    }
}

static void bad_input(void)
{
    static double one[DEPTH];
    size_t count;
    const qnt_tensor *inputs = TENSOR(x, QNT_FLOAT, 32, INPUTS, DEPTH);
    const qnt_tensor *weights = TENSOR(w, QNT_FLOAT, 32, OUTPUTS, DEPTH);
    qnt_quantizer *q = create((qnt_spec){.method = QNT_MULTIPOINT, .bits = 2, .points = 2});
    fill();
    FAILS(qnt_quantizer_observe_inputs(c, NULL, inputs), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_observe_inputs(c, q, NULL), QNT_E_INVALID, "inputs");
    CHECK(qnt_quantizer_observe_inputs(NULL, q, inputs) == QNT_E_INVALID);
    FAILS(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_INT, 8, 4, DEPTH)), QNT_E_DTYPE,
          "inputs");
    FAILS(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_FLOAT, 32, 4, 0)), QNT_E_SHAPE,
          "element");
    OK(qnt_quantizer_observe_inputs(c, q, inputs));
    FAILS(qnt_quantizer_observe_inputs(c, q, TENSOR(x, QNT_FLOAT, 32, 4, DEPTH - 1)), QNT_E_SHAPE,
          "observed before");
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "");
    OK(qnt_quantizer_observe(c, q, weights, NULL));
    FAILS(qnt_quantizer_set(c, q, QNT_P_EXTRA, &(double){-1}, 1), QNT_E_INVALID, "whole number");
    FAILS(qnt_quantizer_set(c, q, QNT_P_EXTRA, &(double){1.5}, 1), QNT_E_INVALID, "whole number");
    FAILS(qnt_quantizer_set(c, q, QNT_P_EXTRA, &(double){NAN}, 1), QNT_E_INVALID, "whole number");
    set(q, QNT_P_EXTRA, OUTPUTS + 1);
    FAILS(qnt_quantizer_fit(c, q), QNT_E_INVALID, "QNT_P_EXTRA is 33");
    FAILS(qnt_quantizer_get(c, q, QNT_P_STORED, one, DEPTH, &count), QNT_E_STATE, "");
    set(q, QNT_P_EXTRA, OUTPUTS);
    OK(qnt_quantizer_fit(c, q));
    OK(qnt_quantizer_observe(c, q, weights, NULL));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "80 finite values");
    qnt_quantizer_destroy(q);

    q = create((qnt_spec){.method = QNT_MULTIPOINT, .bits = 2, .points = 2});
    OK(qnt_quantizer_observe(c, q, weights, TENSOR(x, QNT_FLOAT, 32, DEPTH)));
    OK(qnt_quantizer_observe_inputs(c, q, inputs));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "importances");
    qnt_quantizer_destroy(q);

    q = create((qnt_spec){.method = QNT_BASES, .points = 2});
    w[5] = NAN;
    observe(q);
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "39 finite values of group 0");
    qnt_quantizer_destroy(q);

    qnt_spec affine = {.size = sizeof affine, .method = QNT_MSE, .grain = QNT_PER_AXIS};
    OK(qnt_quantizer_create(c, &affine, &q));
    FAILS(qnt_quantizer_observe_inputs(c, q, inputs), QNT_E_UNSUPPORTED, "QNT_POINTS");
    qnt_quantizer_destroy(q);
    q = create((qnt_spec){.method = QNT_BASES, .points = 2, .grain = QNT_PER_BLOCK, .block = 8});
    FAILS(qnt_quantizer_observe_inputs(c, q, inputs), QNT_E_UNSUPPORTED,
          "QNT_PER_AXIS");
    qnt_quantizer_destroy(q);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(thresholds);
    RUN(extra_rows);
    RUN(beyond_the_diagonal);
    RUN(streaming);
    RUN(dead_inputs);
    RUN(storage);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
