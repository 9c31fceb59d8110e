/* Activations as sums of bases (ALQ, LQ-Nets): levels, gradients, the fit that follows a batch, and
 * products by bit planes and by layers that equal what training computed with. */
#include "check.h"
#include "train/trainer.h"

enum { N = 480, K = 40, OUT = 9 };

static qnt_context *c;
static float x[N], y[N], z[N], dy[N], dx[N];

static qnt_trainer *create(int method, int bits, bool literal)
{
    qnt_trainer *t = NULL;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_TABLE,
                     .method = method,
                     .bits = bits,
                     .flags = literal ? QNT_LITERAL : 0};
    CHECK_MSG(qnt_trainer_create(c, &spec, &t) == QNT_OK, "%s", check_reason);
    return t;
}

/* A case of a loop: started on what a ReLU may give. */
static qnt_trainer *started(int i)
{
    for (int e = 0; e < N; e++) x[e] = (float)fmax(0.7 * random_gauss() + 0.2, 0);
    qnt_trainer *t = create(i % 2 ? QNT_ALQ : QNT_LQ, 1 + i / 2 % 4, i / 8 % 2);
    CHECK_MSG(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)) == QNT_OK, "%s", check_reason);
    return t;
}

static size_t theta_of(const qnt_trainer *t, double theta[5])
{
    size_t count = 0;
    CHECK(qnt_trainer_get(c, t, QNT_P_THETA, theta, 5, &count) == QNT_OK);
    return count;
}

static bool bit_of(int code, int i)
{
    return code >> i & 1;
}

/* The published sum of a code, written anew. */
static double sum_of(const qnt_trainer *t, const double *theta, int code)
{
    const int bits = t->spec.bits;
    double sum = t->spec.method == QNT_ALQ ? theta[bits] : 0;
    for (int i = 0; i < bits; i++) {
        if (t->spec.method == QNT_ALQ)
            sum += bit_of(code, i) ? theta[i] : -theta[i];
        else
            sum += bit_of(code, i) ? theta[i] : 0;
    }
    return sum;
}

/* The code of the nearest sum, and how near the second one is. */
static int nearest(const qnt_trainer *t, const double *theta, double v, double *margin)
{
    int best = 0;
    double least = INFINITY, second = INFINITY;
    for (int code = 0; code < 1 << t->spec.bits; code++) {
        double distance = fabs(v - sum_of(t, theta, code));
        if (distance < least)
            second = least, least = distance, best = code;
        else
            second = fmin(second, distance);
    }
    *margin = second - least;
    return best;
}

static double top_of(const qnt_trainer *t, const double *theta)
{
    return fmax(fabs(sum_of(t, theta, 0)), fabs(sum_of(t, theta, (1 << t->spec.bits) - 1)));
}

/* Forward gives the nearest sum, to within the rounding of coordinates to 1/124 of the top; it is
 * the exported quantizer, through codes and saving. */
static void deployed(void)
{
    static uint8_t codes[N], blob[1 << 14];
    for (int i = 0; i < ROUNDS(80); i++) {
        double theta[5], margin;
        qnt_quantizer *q = NULL, *copy = NULL;
        size_t bytes;
        qnt_trainer *t = started(i);
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        OK(qnt_trainer_export(c, t, NULL, &q));
        OK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(codes, QNT_UINT, 8, N)));
        OK(qnt_quantizer_decode(c, q, TENSOR(codes, QNT_UINT, 8, N), TENSOR(z, QNT_FLOAT, 32, N)));
        CHECK(!memcmp(y, z, sizeof y));
        OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
        OK(qnt_quantizer_load(c, blob, bytes, &copy));
        OK(qnt_quantizer_apply(c, copy, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
        CHECK(!memcmp(y, z, sizeof y));
        theta_of(t, theta);
        const double top = top_of(t, theta), off = t->spec.flags & QNT_LITERAL ? 1e-6 : 2.5 / 124;
        for (int e = 0; e < N; e++) {
            int code = nearest(t, theta, (double)x[e], &margin);
            CHECK_MSG(margin < 2 * off * top ||
                          fabs((double)y[e] - sum_of(t, theta, code)) <= off * top,
                      "method %d, %d bits: %g gave %g, expected %g", t->spec.method, t->spec.bits,
                      (double)x[e], (double)y[e], sum_of(t, theta, code));
        }
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy), qnt_trainer_destroy(t);
    }
}

/* By coordinates: differences of the sums, the codes held; by x: 1 between the outermost levels. */
static void gradients(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        double theta[5], moved[5], dtheta[5], margin, h = 1e-4;
        qnt_trainer *t = started(8 + i % 8 + 16 * (i / 8)); /* literal: sums are not rounded */
        const size_t count = theta_of(t, theta);
        for (int e = 0; e < N; e++) dy[e] = (float)random_gauss(), x[e] *= e % 7 ? 1 : 3;
        OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(dy, QNT_FLOAT, 32, N),
                                TENSOR(dx, QNT_FLOAT, 32, N), dtheta, count));
        for (size_t k = 0; k < count; k++) {
            double sum = 0, size = 0;
            memcpy(moved, theta, sizeof moved);
            for (int e = 0; e < N; e++) {
                int code = nearest(t, theta, (double)x[e], &margin);
                moved[k] = theta[k] + h;
                double high = sum_of(t, moved, code);
                moved[k] = theta[k] - h;
                sum += (double)dy[e] * (high - sum_of(t, moved, code)) / (2 * h);
                size += margin < 1e-6 ? 2 * fabs((double)dy[e]) : 0; /* either code will do */
            }
            CHECK_MSG(fabs(dtheta[k] - sum) <= 1e-6 * N + size, "gradient %zu is %g, expected %g",
                      k, dtheta[k], sum);
        }
        const double low = sum_of(t, theta, 0), high = sum_of(t, theta, (1 << t->spec.bits) - 1);
        for (int e = 0; e < N; e++) {
            double v = (double)x[e];
            if (fabs(v - low) < 1e-6 || fabs(v - high) < 1e-6) continue;
            CHECK(dx[e] == (v > low && v < high ? dy[e] : 0));
        }
        qnt_trainer_destroy(t);
    }
}

static double error_of(const qnt_trainer *t, const double *theta)
{
    double sum = 0, margin;
    for (int e = 0; e < N; e++) {
        double d = (double)x[e] - sum_of(t, theta, nearest(t, theta, (double)x[e], &margin));
        sum += d * d;
    }
    return sum;
}

/* A whole refit never raises the squared error, and ends where its gradient by every coordinate is
 * 0; a share of it moves by that share. */
static void refits(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        double theta[5], full[5], part[5], dtheta[5], last = INFINITY;
        qnt_trainer *t = started(8 + i % 8 + 16 * (i / 8));
        qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, N);
        const size_t count = theta_of(t, theta);
        for (int e = 0; e < N; e++) x[e] *= 1.5f; /* values have changed since */
        OK(qnt_trainer_refit(c, t, tx, 1));
        theta_of(t, full);
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        OK(qnt_trainer_refit(c, t, tx, 0.1));
        theta_of(t, part);
        for (size_t k = 0; k < count; k++)
            CHECK_MSG(fabs(part[k] - 0.9 * theta[k] - 0.1 * full[k]) <= 1e-12, "%zu: %g", k,
                      part[k]);
        for (bool falls = true; falls;) { /* codes come to rest after some rounds */
            OK(qnt_trainer_refit(c, t, tx, 1));
            theta_of(t, theta);
            double error = error_of(t, theta);
            CHECK_MSG(error <= last * (1 + 1e-9), "%g after %g", error, last);
            falls = error < last * (1 - 1e-12);
            last = error;
        }
        OK(qnt_trainer_forward(c, t, tx, TENSOR(y, QNT_FLOAT, 32, N)));
        for (int e = 0; e < N; e++) dy[e] = y[e] - x[e];
        OK(qnt_trainer_backward(c, t, tx, TENSOR(dy, QNT_FLOAT, 32, N), NULL, dtheta, count));
        for (size_t k = 0; k < count; k++) CHECK_MSG(fabs(dtheta[k]) < 1e-3 * N, "%g", dtheta[k]);
        qnt_trainer_destroy(t);
    }
}

/* Codes of whole numbers, packed. */
static void pack(const float *numbers, int rows, int bits, qnt_tensor *codes)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {.size = sizeof spec, .method = QNT_FIXED, .bits = bits};
    OK(qnt_quantizer_create(c, &spec, &q));
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &(double){1}, 1));
    OK(qnt_quantizer_encode(c, q, TENSOR(numbers, QNT_FLOAT, 32, rows, K), codes));
    qnt_quantizer_destroy(q);
}

/* Weights of signs times values of signs: planes of both, counted, are the products of what the
 * training graph has; the reference times the sum of a row of weights is a bias. */
static void counts(void)
{
    enum { ROWS = N / K, BASES = 3 };
    static float w[OUT * K], coef[OUT * BASES], pattern[N], found[ROWS * OUT];
    static uint8_t w_code[OUT * K], x_code[N];
    static uint64_t memory[4096];
    for (int i = 0; i < ROUNDS(20); i++) {
        double theta[5], alpha[OUT * BASES], margin;
        size_t count;
        qnt_trainer *t = started(9 + 2 * (i % 4) + 16 * i); /* ALQ, literal */
        qnt_alq *alq = NULL;
        qnt_quantizer *q = NULL;
        const int bits = t->spec.bits;
        qnt_spec spec = {.size = sizeof spec,
                         .scheme = QNT_POINTS,
                         .method = QNT_ALQ,
                         .bits = 1,
                         .points = BASES,
                         .grain = QNT_PER_AXIS};
        qnt_tensor *tw = TENSOR(w, QNT_FLOAT, 32, OUT, K);
        for (int e = 0; e < OUT * K; e++) w[e] = (float)random_gauss();
        OK(qnt_alq_create(c, &spec, tw, &alq));
        OK(qnt_alq_weights(c, alq, tw));
        OK(qnt_alq_export(c, alq, &q));
        qnt_tensor *w_codes = TENSOR(w_code, QNT_UINT, BASES, OUT, K);
        OK(qnt_quantizer_encode(c, q, tw, w_codes));
        OK(qnt_quantizer_get(c, q, QNT_P_COEF, alpha, OUT * BASES, &count));
        for (size_t k = 0; k < count; k++) coef[k] = (float)alpha[k];
        int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
        qnt_tensor planes = {.data = memory, .shape = shape, .strides = strides};
        OK(qnt_pack_bits_view(c, w_codes, &planes));
        OK(qnt_pack_bits(c, w_codes, &planes));

        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        theta_of(t, theta);
        float gamma[4] = {0};
        for (int b = 0; b < bits; b++) gamma[b] = (float)theta[b];
        for (int e = 0; e < N; e++) /* planes are the bits of sums, not their ranks */
            pattern[e] = (float)nearest(t, theta, (double)y[e], &margin);
        qnt_tensor *x_codes = TENSOR(x_code, QNT_UINT, (uint8_t)bits, ROWS, K);
        pack(pattern, ROWS, bits, x_codes);
        OK(qnt_gemm_bits(c, x_codes, TENSOR(gamma, QNT_FLOAT, 32, bits), &planes,
                         TENSOR(coef, QNT_FLOAT, 32, OUT, BASES),
                         TENSOR(found, QNT_FLOAT, 32, ROWS, OUT)));
        for (int at = 0; at < ROWS * OUT; at++) {
            const float *row = y + at / OUT * K, *weight = w + at % OUT * K;
            double sum = 0, size = 0, weights = 0;
            for (int k = 0; k < K; k++) {
                sum += (double)row[k] * (double)weight[k];
                size += fabs((double)row[k] * (double)weight[k]);
                weights += (double)weight[k];
            }
            double counted = (double)found[at] + theta[bits] * weights;
            CHECK_MSG(fabs(counted - sum) <= 1e-5 * (1 + size), "%d bits: %g, expected %g", bits,
                      counted, sum);
        }
        qnt_quantizer_destroy(q), qnt_alq_destroy(alq), qnt_trainer_destroy(t);
    }
}

/* Levels that are integers: a layer multiplies them as bytes, and gives the products of what the
 * training graph has. */
static void layers(void)
{
    static float w[OUT * K], found[N / K * OUT];
    for (int i = 0; i < ROUNDS(20); i++) {
        qnt_trainer *t = started(i % 8);
        qnt_quantizer *value_q = NULL, *weight_q = NULL;
        qnt_layer *layer = NULL;
        const int rows = N / K;
        qnt_spec spec = {.size = sizeof spec,
                         .scheme = QNT_AFFINE,
                         .method = QNT_MINMAX,
                         .bits = 4,
                         .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW};
        qnt_layer_spec layer_spec = {.size = sizeof layer_spec, .kind = QNT_DENSE};
        for (int e = 0; e < OUT * K; e++) w[e] = (float)random_gauss();
        qnt_tensor *tw = TENSOR(w, QNT_FLOAT, 32, OUT, K);
        OK(qnt_quantizer_create(c, &spec, &weight_q));
        OK(qnt_quantizer_observe(c, weight_q, tw, NULL));
        OK(qnt_quantizer_fit(c, weight_q));
        OK(qnt_quantizer_apply(c, weight_q, tw, tw));
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        OK(qnt_trainer_export(c, t, NULL, &value_q));
        OK(qnt_layer_create(c, &layer_spec, tw, weight_q, NULL, value_q, NULL, &layer));
        size_t bytes = 0;
        OK(qnt_layer_workspace(c, layer, TENSOR(x, QNT_FLOAT, 32, rows, K), &bytes));
        void *space = aligned_alloc(64, (bytes + 64) / 64 * 64);
        REQUIRE(space);
        OK(qnt_layer_run(c, layer, TENSOR(x, QNT_FLOAT, 32, rows, K),
                         TENSOR(found, QNT_FLOAT, 32, rows, OUT), space, bytes));
        for (int m = 0; m < rows; m++) {
            for (int o = 0; o < OUT; o++) {
                double sum = 0, size = 0;
                for (int k = 0; k < K; k++) {
                    sum += (double)y[m * K + k] * (double)w[o * K + k];
                    size += fabs((double)y[m * K + k] * (double)w[o * K + k]);
                }
                CHECK_MSG(fabs((double)found[m * OUT + o] - sum) <= 1e-5 * (1e-3 + size),
                          "%g, expected %g", (double)found[m * OUT + o], sum);
            }
        }
        free(space);
        qnt_layer_destroy(layer), qnt_trainer_destroy(t);
        qnt_quantizer_destroy(value_q), qnt_quantizer_destroy(weight_q);
    }
}

/* Numbers that no quantizer can use become legal ones; constants and extremes start and run. */
static void extremes(void)
{
    const double wild[] = {0, -1, 1e300, -1e300, 1e-300, 5};
    for (int i = 0; i < ROUNDS(200); i++) {
        double theta[5], dtheta[5];
        qnt_trainer *t = started(i);
        const size_t count = theta_of(t, theta);
        for (size_t k = 0; k < count; k++) theta[k] = wild[random_in(0, 5)];
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        if (i % 4 == 0)
            for (int e = 0; e < N; e++)
                x[e] = i % 8 ? 3e38f * (float)(e % 3 - 1) : 2.5f * (float)(i % 3);
        if (i % 4 == 0) OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        OK(qnt_trainer_refit(c, t, TENSOR(x, QNT_FLOAT, 32, N), 0.5));
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(x, QNT_FLOAT, 32, N),
                                TENSOR(dx, QNT_FLOAT, 32, N), dtheta, count));
        for (int e = 0; e < N; e++) CHECK(isfinite(y[e]) && isfinite(dx[e]));
        for (size_t k = 0; k < count; k++) CHECK(isfinite(dtheta[k]));
        qnt_trainer_destroy(t);
    }
}

/* Coordinates too small beside the reference become larger once, and then stay as they are. */
static void legal_numbers(void)
{
    for (int i = 0; i < ROUNDS(1000); i++) {
        double theta[5], again[5];
        qnt_trainer *t = started(7); /* ALQ, four bits */
        for (int k = 0; k < 5; k++) theta[k] = random_gauss() * (k < 4 ? 1.0 : 1e10);
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, 5));
        CHECK(theta_of(t, theta) == 5);
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, 5));
        theta_of(t, again);
        CHECK(!memcmp(theta, again, sizeof theta));
        qnt_trainer_destroy(t);
    }
}

static int32_t cancel(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

static void bad_input(void)
{
    double theta[5], now[5];
    qnt_trainer *t = NULL;
    qnt_spec spec = {.size = sizeof spec, .scheme = QNT_TABLE, .method = QNT_ALQ, .bits = 5};
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "bits is 5");
    spec.bits = 2, spec.grain = QNT_PER_AXIS;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_UNSUPPORTED, "grain");
    spec.grain = QNT_PER_TENSOR, spec.flags = QNT_SIGNED;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_UNSUPPORTED, "activations");
    spec.flags = 0, spec.scheme = QNT_POINTS;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "scheme");
    qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, N);
    t = create(QNT_ALQ, 2, false);
    FAILS(qnt_trainer_refit(c, t, tx, 0.1), QNT_E_STATE, "start");
    qnt_trainer_destroy(t);
    t = started(3);
    const size_t count = theta_of(t, theta);
    FAILS(qnt_trainer_refit(c, t, tx, 0), QNT_E_INVALID, "share is 0");
    FAILS(qnt_trainer_refit(c, t, tx, 1.5), QNT_E_INVALID, "share is 1.5");
    FAILS(qnt_trainer_refit(c, t, tx, NAN), QNT_E_INVALID, "share");
    FAILS(qnt_trainer_refit(c, t, NULL, 0.1), QNT_E_INVALID, "x");
    FAILS(qnt_trainer_refit(c, NULL, tx, 0.1), QNT_E_INVALID, "trainer");
    CHECK(qnt_trainer_refit(NULL, t, tx, 0.1) == QNT_E_INVALID);
    x[5] = NAN;
    FAILS(qnt_trainer_refit(c, t, tx, 0.1), QNT_E_INVALID, "element 5");
    x[5] = 1;
    OK(qnt_trainer_refit(c, t, TENSOR(x, QNT_FLOAT, 32, 0), 0.1)); /* nothing to follow */
    theta_of(t, now);
    CHECK(!memcmp(theta, now, count * sizeof *theta));
    OK(qnt_context_set_progress(c, cancel, NULL)); /* steps do not ask */
    OK(qnt_trainer_refit(c, t, tx, 0.1));
    OK(qnt_context_set_progress(c, NULL, NULL));
    qnt_trainer_destroy(t);
    spec = (qnt_spec){.size = sizeof spec, .method = QNT_LSQ, .bits = 2};
    OK(qnt_trainer_create(c, &spec, &t));
    OK(qnt_trainer_start(c, t, tx));
    FAILS(qnt_trainer_refit(c, t, tx, 0.1), QNT_E_UNSUPPORTED, "gradients");
    qnt_trainer_destroy(t);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(deployed);
    RUN(gradients);
    RUN(refits);
    RUN(counts);
    RUN(layers);
    RUN(extremes);
    RUN(legal_numbers);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
