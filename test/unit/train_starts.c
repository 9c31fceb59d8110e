/* Trainable quantizers before the first step and where they are soft: first numbers against their
 * definitions, soft values against their formulas, drawn classes against their probabilities, and
 * bits that a penalty takes away. */
#include "training.h"

static float x[N], y[N], z[N], dy[N];
static double theta[MOST_THETA], dtheta[MOST_THETA];

static qnt_trainer *started(qnt_spec spec)
{
    fill(x, N, spec.flags & QNT_SIGNED);
    qnt_trainer *t = create(spec);
    CHECK_MSG(qnt_trainer_start(c, t, flat(x)) == QNT_OK, "%s", check_reason);
    theta_of(t, theta);
    return t;
}

static double clip(double v, double low, double high)
{
    return fmin(fmax(v, low), high);
}

static double error_of_step(double step, double shift, double low, double high)
{
    double sum = 0;
    for (int e = 0; e < N; e++) {
        double v = (double)x[e] - shift;
        double d = v - step * clip(rint(v / step), low, high);
        sum += d * d;
    }
    return sum;
}

/* LSQ, LSQ+ for activations, RQ and SRQ: no step of a fine sweep has a smaller squared error.
 * Literal LSQ: 2 mean |x| / sqrt(high) (Esser et al. 2020). */
static void steps(void)
{
    static const int starts[] = {0, 1, 8, 9};
    for (int i = 0; i < ROUNDS(48); i++) {
        const int kind = starts[i % 4];
        const bool weights = i / 4 % 2 && kind != 1;
        qnt_spec spec = spec_of(kind, weights, (int)random_in(2, 8));
        qnt_trainer *t = started(spec);
        const double half = 1 << (spec.bits - 1);
        const double low = weights ? -half : 0, high = weights ? half - 1 : 2 * half - 1;
        double least = (double)x[0], mean = 0, best = INFINITY;
        for (int e = 0; e < N; e++) {
            least = fmin(least, (double)x[e]);
            mean += fabs((double)x[e]) / N;
        }
        const double shift = kind == 1 ? least : 0;
        for (int k = 1; k <= 2000; k++) {
            double step = 4.0 / high * k / 2000;
            best = fmin(best, error_of_step(step, shift, low, high));
        }
        double found = error_of_step(theta[0], shift, low, high);
        CHECK_MSG(found <= best * (1 + 1e-6) + 1e-12, "method %d, %d bits: %g, a step has %g",
                  spec.method, spec.bits, found, best);
        if (kind == 1) CHECK(theta[1] == least);
        if (kind > 1) CHECK(fabs(theta[1] - theta[0] / 3) <= 1e-15 * theta[0]);
        qnt_trainer_destroy(t);
        if (kind != 0) continue;
        spec.flags |= QNT_LITERAL;
        t = create(spec);
        OK(qnt_trainer_start(c, t, flat(x)));
        theta_of(t, theta);
        CHECK(fabs(theta[0] - 2 * mean / sqrt(high)) <= 1e-12 * theta[0]);
        qnt_trainer_destroy(t);
    }
}

/* The other published starts: three standard deviations, a clip of 10, three root mean squares. */
static void published(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        const bool weights = i % 2;
        double mean = 0, squares = 0, spread = 0, most = 0, least;
        qnt_trainer *t = started(spec_of(5, weights, (int)random_in(1, 8)));
        least = (double)x[0];
        for (int e = 0; e < N; e++) {
            mean += (double)x[e] / N;
            squares += (double)x[e] * (double)x[e] / N;
            most = fmax(most, fabs((double)x[e]));
            least = fmin(least, (double)x[e]);
        }
        for (int e = 0; e < N; e++) spread += pow((double)x[e] - mean, 2) / (N - 1);
        spread = sqrt(spread);
        CHECK(fabs(theta[0] - (weights ? -3 * spread : least)) <= 1e-12);
        CHECK(fabs(theta[1] - 3 * spread / (weights ? 1 : sqrt(1 - 2 / 3.141592653589793))) <=
              1e-12);
        qnt_trainer_destroy(t);
        qnt_spec spec = spec_of(2, weights, 4);
        t = create(spec);
        OK(qnt_trainer_start(c, t, flat(x)));
        theta_of(t, theta);
        CHECK(fabs(theta[0] - fmin(most, 3 * sqrt(squares))) <= 1e-12);
        qnt_trainer_destroy(t);
        spec.flags |= QNT_LITERAL;
        t = create(spec);
        OK(qnt_trainer_start(c, t, flat(x)));
        theta_of(t, theta);
        CHECK(theta[0] == 10);
        qnt_trainer_destroy(t);
    }
}

static int by_value(const void *a, const void *b)
{
    return *(const float *)a < *(const float *)b ? -1 : *(const float *)a > *(const float *)b;
}

/* The centres of the best three clusters of sorted values, by trying all. */
static void three_clusters(const float *sorted, double centre[3])
{
    double least = INFINITY;
    for (int a = 1; a < N - 1; a++) {
        for (int b = a + 1; b < N; b++) {
            const int from[4] = {0, a, b, N};
            double error = 0, mean[3];
            for (int k = 0; k < 3; k++) {
                double sum = 0, squares = 0, n = from[k + 1] - from[k];
                for (int e = from[k]; e < from[k + 1]; e++) {
                    sum += (double)sorted[e], squares += (double)sorted[e] * (double)sorted[e];
                }
                mean[k] = sum / n, error += squares - sum * sum / n;
            }
            if (error < least) least = error, memcpy(centre, mean, sizeof mean);
        }
    }
}

/* Quantization Networks as published start with biases half way between the centres of k-means,
 * but for those of weights about 0, and with beta from the largest value (Yang et al. 2019, 3.3).
 */
static void clusters(void)
{
    static float sorted[N];
    for (int i = 0; i < ROUNDS(4); i++) {
        const bool weights = i % 2;
        double level[] = {0, 1, 2}, centre[3], most = 0;
        qnt_spec spec = spec_of(7, weights, 2);
        spec.flags |= QNT_LITERAL;
        fill(x, N, weights);
        qnt_trainer *t = create(spec);
        if (weights) level[0] = -1, level[1] = 0, level[2] = 1;
        OK(qnt_trainer_set(c, t, QNT_P_LEVELS, level, 3));
        OK(qnt_trainer_start(c, t, flat(x)));
        CHECK(theta_of(t, theta) == 4);
        memcpy(sorted, x, sizeof x);
        qsort(sorted, N, sizeof *sorted, by_value);
        for (int e = 0; e < N; e++) most = fmax(most, fabs((double)x[e]));
        three_clusters(sorted, centre);
        const double beta = 1.25 * (weights ? 1 : 2) / most;
        CHECK(fabs(theta[1] - beta) <= 1e-12 * beta && fabs(theta[0] * beta - 1) <= 1e-12);
        for (int k = 0; k < 2; k++) {
            double bias = beta * (centre[k] + centre[k + 1]) / 2;
            if (weights) bias = k ? 0.05 : -0.05;
            CHECK_MSG(fabs(theta[2 + k] - bias) <= 1e-9, "bias %d is %g, expected %g", k,
                      theta[2 + k], bias);
        }
        qnt_trainer_destroy(t);
    }
}

/* The soft staircase is its formula, at every temperature; literal arguments end at 10. */
static void soft(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        qnt_spec spec = spec_of(7, i % 2, (int)random_in(1, 4));
        const bool literal = i / 2 % 2;
        const double heat = pow(10, -1 + 4 * random_unit());
        if (literal) spec.flags |= QNT_LITERAL;
        qnt_trainer *t = started(spec);
        set(t, QNT_P_TEMPERATURE, heat);
        OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
        for (int e = 0; e < N; e++) {
            double sum = t->level[0], size = fabs(sum);
            for (int k = 0; k + 1 < t->levels; k++) {
                double u = heat * (theta[1] * (double)x[e] - theta[2 + k]);
                if (literal) u = clip(u, -10, 10);
                sum += (t->level[k + 1] - t->level[k]) / (1 + exp(-u));
                size += t->level[k + 1] - t->level[k];
            }
            CHECK_MSG(fabs((double)y[e] - theta[0] * sum) <= 1e-6 * theta[0] * size,
                      "%g gave %g, expected %g", (double)x[e], (double)y[e], theta[0] * sum);
        }
        qnt_trainer_destroy(t);
    }
}

static double sigmoid(double u)
{
    return 1 / (1 + exp(-u));
}

/* RQ draws the classes with the masses of their cells (Louizos et al. 2019, eq. 5 and 6): over many
 * steps their counts pass a test of chi-square. */
static void frequencies(void)
{
    enum { STEPS = 200, BITS = 3, CLASSES = 1 << BITS };
    for (int i = 0; i < ROUNDS(6); i++) {
        const bool weights = i % 2;
        const int low = weights ? -CLASSES / 2 : 0;
        double p[CLASSES], count[CLASSES] = {0}, sum = 0, chi = 0;
        qnt_trainer *t = started(spec_of(8, weights, BITS));
        theta[1] = theta[0] * (0.3 + random_unit());
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, 2));
        const double v = theta[0] * (low + (CLASSES - 1) * random_unit());
        for (int e = 0; e < N; e++) x[e] = (float)v;
        for (int k = 0; k < CLASSES; k++) {
            p[k] = sigmoid((theta[0] * (low + k + 0.5) - (double)x[0]) / theta[1]) -
                   sigmoid((theta[0] * (low + k - 0.5) - (double)x[0]) / theta[1]);
            sum += p[k];
        }
        for (int s = 0; s < STEPS; s++) {
            set(t, QNT_P_STEP, s);
            OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
            for (int e = 0; e < N; e++) {
                int k = (int)rint((double)y[e] / theta[0]) - low;
                REQUIRE(k >= 0 && k < CLASSES);
                count[k]++;
            }
        }
        for (int k = 0; k < CLASSES; k++) {
            double expected = p[k] / sum * STEPS * N;
            chi += pow(count[k] - expected, 2) / fmax(expected, 1);
        }
        /* seven degrees of freedom: beyond 45 once in ten million times */
        CHECK_MSG(chi < 45, "chi-square %g at %g steps, noise of %g", chi, v / theta[0],
                  theta[1] / theta[0]);
        qnt_trainer_destroy(t);
    }
}

/* Descent on numbers alone: a penalty takes bits away from the highest down, none keeps what the
 * values need; what is left is deployed as a grid of so many bits, bit for bit. */
static void sheds_bits(void)
{
    int bits[2] = {0};
    for (int penalised = 0; penalised < 2; penalised++) {
        qnt_trainer *t = create(spec_of(9, true, 5));
        fill(x, N, true);
        set(t, QNT_P_KEEP, 0.8);
        set(t, QNT_P_PENALTY, penalised ? 30 : 0);
        OK(qnt_trainer_start(c, t, flat(x)));
        size_t count = theta_of(t, theta);
        for (int step = 0; step < 400; step++) {
            set(t, QNT_P_STEP, step);
            OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
            for (int e = 0; e < N; e++) dy[e] = y[e] - x[e];
            OK(qnt_trainer_backward(c, t, flat(x), flat(dy), NULL, dtheta, count));
            for (size_t k = 2; k < count; k++) theta[k] -= 0.02 * dtheta[k];
            OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        }
        qnt_quantizer *q = NULL;
        qnt_spec found = {.size = sizeof found};
        OK(qnt_trainer_export(c, t, NULL, &q));
        OK(qnt_quantizer_spec(c, q, &found));
        bits[penalised] = found.bits;
        set(t, QNT_P_HARD, 1);
        OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
        OK(qnt_quantizer_apply(c, q, flat(x), flat(z)));
        CHECK(!memcmp(y, z, sizeof y));
        const double half = 1 << (found.bits - 1), narrow = found.flags & QNT_NARROW ? 1 : 0;
        for (int e = 0; e < N; e++) {
            double code = clip(rint((double)(x[e] / (float)theta[0])), narrow - half, half - 1);
            CHECK(y[e] == (float)theta[0] * (float)code);
        }
        qnt_quantizer_destroy(q), qnt_trainer_destroy(t);
    }
    CHECK_MSG(bits[0] == 5 && bits[1] < 5, "%d bits, %d with a penalty", bits[0], bits[1]);
}

/* DropBits' gates: closed with the probability that the penalty counts, 1 - S(logit - heat
 * log(-low / high)), and one for a group and step, never for an element. */
static void gates(void)
{
    enum { STEPS = 4000 };
    const double keep = 0.6, logit = log(keep / (1 - keep)), shut = 2.0 / 3.0 * log(0.1 / 1.1);
    int closed = 0;
    qnt_trainer *t = create(spec_of(9, true, 2));
    fill(x, N, true);
    set(t, QNT_P_KEEP, keep);
    OK(qnt_trainer_start(c, t, flat(x)));
    for (int step = 0; step < STEPS; step++) {
        struct qnt__pass pass;
        set(t, QNT_P_STEP, step);
        qnt__train_pass(t, 0, N, NULL, &pass);
        closed += pass.gate[2] == 0;
        CHECK(pass.gate[0] == 1 && pass.gate[2] >= 0 && pass.gate[2] <= 1);
    }
    const double p = 1 - sigmoid(logit - shut), off = 5 * sqrt(STEPS * p * (1 - p));
    CHECK_MSG(fabs(closed - STEPS * p) < off, "%d of %d, expected %g", closed, STEPS, STEPS * p);
    qnt_trainer_destroy(t);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(steps);
    RUN(published);
    RUN(clusters);
    RUN(soft);
    RUN(frequencies);
    RUN(sheds_bits);
    RUN(gates);
    qnt_context_destroy(c);
    return DONE;
}
