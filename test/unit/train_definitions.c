/* Trainable quantizers where the methods' tests have no difference to take: gradients that are
 * definitions, limits in which one method becomes another, layers that run what was trained, and
 * calls that are given up half way. */
#include "training.h"

static float x[N], y[N], z[N], dy[N], dx[N];
static double theta[MOST_THETA], dtheta[MOST_THETA];

/* A trainer on new numbers, whose theta is off the places where it starts. */
static qnt_trainer *begin(qnt_spec spec)
{
    fill(x, N, spec.flags & QNT_SIGNED);
    for (int e = 0; e < N; e++) dy[e] = (float)random_gauss();
    qnt_trainer *t = create(spec);
    CHECK_MSG(qnt_trainer_start(c, t, flat(x)) == QNT_OK, "%s", check_reason);
    size_t count = theta_of(t, theta);
    for (size_t k = 0; k < count; k++) theta[k] *= 0.8 + 0.1 * random_unit();
    CHECK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count) == QNT_OK);
    theta_of(t, theta);
    return t;
}

static void back(const qnt_trainer *t)
{
    size_t count = 0;
    OK(qnt_trainer_get(c, t, QNT_P_THETA, NULL, 0, &count));
    OK(qnt_trainer_backward(c, t, flat(x), flat(dy), flat(dx), dtheta, count));
}

/* LSQ+ with a whole zero point (Bhalgat et al. 2020): inside x passes and the step gets the
 * residue, outside the step gets the code and the offset everything. */
static void lsqplus(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_spec spec = spec_of(1, i % 2, (int)random_in(2, 8));
        qnt_trainer *t = begin(spec);
        theta[1] = -theta[0] * (double)random_in(0, 3);
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, 2));
        back(t);
        const double low = i % 2 ? -(1 << (spec.bits - 1)) : 0,
                     high = i % 2 ? (1 << (spec.bits - 1)) - 1 : (1 << spec.bits) - 1;
        const double zero = fmin(fmax(rint(-theta[1] / (double)(float)theta[0]), low), high);
        double step = 0, offset = 0, size = sqrt(N * high), near = 0;
        for (int e = 0; e < N; e++) {
            const double v = (double)(x[e] / (float)theta[0]), g = (double)dy[e];
            const bool inside = v >= low - zero && v <= high - zero;
            step += g * (inside ? rint(v) - v : v < 0 ? low - zero : high - zero);
            offset += inside ? 0 : g;
            near += fabs(g);
            CHECK(dx[e] == (inside ? dy[e] : 0));
        }
        CHECK_MSG(fabs(dtheta[0] * size - step) <= 1e-9 * near * high, "%g, expected %g",
                  dtheta[0] * size, step);
        CHECK(fabs(dtheta[1] * size - offset) <= 1e-9 * near);
        qnt_trainer_destroy(t);
    }
}

/* EWGS (Lee et al. 2021, eq. 5) scales the interval's gradient by 1 + delta sign(g) residue, and is
 * that gradient for delta 0. */
static void ewgs(void)
{
    static float plain[N];
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_spec spec = spec_of(4, i % 2, (int)random_in(1, 6));
        const double delta = 2 * random_unit(), none = 0, steps = (1 << spec.bits) - 1;
        qnt_trainer *t = begin(spec), *interval;
        OK(qnt_trainer_set(c, t, QNT_P_DELTA, &none, 1));
        back(t);
        memcpy(plain, dx, sizeof plain);
        double ends[2] = {dtheta[0], dtheta[1]};
        spec.method = QNT_INTERVAL;
        interval = create(spec);
        OK(qnt_trainer_start(c, interval, flat(x)));
        OK(qnt_trainer_set(c, interval, QNT_P_THETA, theta, 2));
        back(interval);
        CHECK(!memcmp(plain, dx, sizeof dx) && ends[0] == dtheta[0] && ends[1] == dtheta[1]);
        OK(qnt_trainer_set(c, t, QNT_P_DELTA, &delta, 1));
        back(t);
        double moved = 0;
        for (int e = 0; e < N; e++) {
            double v = ((double)x[e] - theta[0]) / (theta[1] - theta[0]);
            double residue = v - rint(v * steps) / steps, sign = dy[e] > 0 ? 1 : -1;
            double expected = (double)plain[e] * (1 + delta * sign * residue);
            CHECK_MSG(fabs((double)dx[e] - expected) <= 1e-6 * fabs(expected), "%g, expected %g",
                      (double)dx[e], expected);
            moved += fabs((double)dx[e] - (double)plain[e]);
        }
        CHECK(moved > 0);
        qnt_trainer_destroy(t), qnt_trainer_destroy(interval);
    }
}

/* The authors' program of Quantization Networks: the slope of weights is that of temperature 1,
 * times the temperature; arguments of the sigmoid end at 10. */
static void staircase_as_published(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        const bool weights = i % 2;
        qnt_spec spec = spec_of(7, weights, (int)random_in(1, 3));
        spec.flags |= QNT_LITERAL;
        qnt_trainer *t = begin(spec);
        const double heat = weights && i % 4 == 3 ? 5000 : 1 + 9 * random_unit(),
                     most = weights ? fmin(heat, 2000) : heat;
        set(t, QNT_P_TEMPERATURE, heat);
        back(t);
        double bias = 0, size = 0;
        for (int e = 0; e < N; e++) {
            double slope = 0;
            for (int k = 0; k + 1 < t->levels; k++) {
                double u = (weights ? 1 : most) * (theta[1] * (double)x[e] - theta[2 + k]);
                double s = 1 / (1 + exp(-fmin(fmax(u, -10), 10)));
                double h = most * (t->level[k + 1] - t->level[k]) * s * (1 - s);
                if (k == 0) bias -= (double)dy[e] * theta[0] * h, size += fabs((double)dy[e] * h);
                slope += h;
            }
            double expected = (double)dy[e] * theta[0] * theta[1] * slope;
            CHECK_MSG(fabs((double)dx[e] - expected) <= 1e-5 * fabs(expected) + 1e-12,
                      "%g, expected %g", (double)dx[e], expected);
        }
        CHECK_MSG(fabs(dtheta[2] - bias) <= 1e-9 * (1 + theta[0] * size), "%g, expected %g",
                  dtheta[2], bias);
        qnt_trainer_destroy(t);
    }
}

/* RQ as drawn and as relaxed have one gradient, and one forward where the temperature goes to 0. */
static void drawn_and_relaxed(void)
{
    static float relaxed[N];
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_spec spec = spec_of(8, i % 2, (int)random_in(2, 5));
        qnt_trainer *drawn = begin(spec), *t;
        spec.flags |= QNT_LITERAL;
        t = create(spec);
        OK(qnt_trainer_start(c, t, flat(x)));
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, 2));
        set(drawn, QNT_P_STEP, i), set(t, QNT_P_STEP, i);
        back(drawn);
        memcpy(relaxed, dx, sizeof dx);
        double both[2] = {dtheta[0], dtheta[1]};
        back(t);
        CHECK(!memcmp(relaxed, dx, sizeof dx) && both[0] == dtheta[0] && both[1] == dtheta[1]);
        set(t, QNT_P_TEMPERATURE, 1e-6);
        OK(qnt_trainer_forward(c, drawn, flat(x), flat(y)));
        OK(qnt_trainer_forward(c, t, flat(x), flat(z)));
        int apart = 0; /* two classes may be as good as equal */
        for (int e = 0; e < N; e++)
            apart += fabs((double)y[e] - (double)z[e]) > 1e-6 * fabs((double)y[e]);
        CHECK_MSG(apart <= 1, "%d of %d", apart, N);
        qnt_trainer_destroy(t), qnt_trainer_destroy(drawn);
    }
}

/* SRQ rounds whatever its noise is. With little noise its slope is gone between thresholds, with
 * much of it inside the grid it is steady. */
static void noise(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_trainer *t = begin(spec_of(9, i % 2, (int)random_in(3, 6)));
        set(t, QNT_P_HARD, 1);
        OK(qnt_trainer_forward(c, t, flat(x), flat(z)));
        set(t, QNT_P_HARD, 0);
        size_t count = theta_of(t, theta);
        for (int k = 0; k < 2; k++) {
            theta[1] = theta[0] * (k ? 1.0 / 1024 : 0.4);
            OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
            OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
            CHECK(!memcmp(y, z, sizeof y));
            back(t);
            for (int e = 0; e < N; e++) {
                const double v = (double)x[e] / theta[0], off = fabs(v - floor(v) - 0.5);
                const double inner = i % 2 ? (1 << (t->spec.bits - 1)) - 3 : 0;
                if (k && off > 0.05) CHECK(fabs((double)dx[e]) <= 1e-6 * fabs((double)dy[e]));
                if (!k && i % 2 && fabs(v) < inner - 1)
                    CHECK_MSG(fabs((double)dx[e] - (double)dy[e]) <= 0.4 * fabs((double)dy[e]),
                              "%g of %g at %g", (double)dx[e], (double)dy[e], v);
            }
        }
        qnt_trainer_destroy(t);
    }
}

/* ---- deployed ---- */

/* A dense layer of weights and values that two trainers have, for every pair of a method with
 * itself: the products of what the training graph computes with. */
static void layers(void)
{
    enum { K = 40, OUT = 6, ROWS = N / K };
    static float w[N], w_used[N], found[ROWS * OUT];
    static uint8_t code[N];
    for (int i = 0; i < ROUNDS(KINDS * 20); i++) {
        const int kind = i % KINDS, bits = (int)random_in(2, 7);
        qnt_spec spec = spec_of(kind, true, bits), value_spec = spec_of(kind, false, bits);
        if (value_spec.method == QNT_BALANCED) value_spec = spec_of(0, false, bits);
        const bool affine = spec.scheme == QNT_AFFINE;
        qnt_quantizer *weight_q = NULL, *value_q = NULL;
        qnt_layer *layer = NULL;
        qnt_layer_spec layer_spec = {.size = sizeof layer_spec, .kind = QNT_DENSE};
        size_t bytes = 0;
        spec.grain = i / KINDS % 2 ? QNT_PER_AXIS : QNT_PER_TENSOR;
        fill(w, N, true), fill(x, N, false);
        qnt_tensor *tw = TENSOR(w, QNT_FLOAT, 32, OUT, K), *tx = TENSOR(x, QNT_FLOAT, 32, ROWS, K);
        qnt_tensor *codes = TENSOR(code, affine ? QNT_INT : QNT_UINT, 8, OUT, K);
        qnt_trainer *t = create(spec), *v = create(value_spec);
        OK(qnt_trainer_start(c, t, tw));
        OK(qnt_trainer_start(c, v, tx));
        set(t, QNT_P_HARD, 1), set(v, QNT_P_HARD, 1);
        OK(qnt_trainer_forward(c, t, tw, TENSOR(w_used, QNT_FLOAT, 32, OUT, K)));
        OK(qnt_trainer_forward(c, v, tx, TENSOR(y, QNT_FLOAT, 32, ROWS, K)));
        OK(qnt_trainer_export(c, t, tw, &weight_q));
        OK(qnt_trainer_export(c, v, tx, &value_q));
        OK(qnt_quantizer_encode(c, weight_q, tw, codes));
        OK(qnt_layer_create(c, &layer_spec, codes, weight_q, NULL, value_q, NULL, &layer));
        OK(qnt_layer_workspace(c, layer, tx, &bytes));
        void *space = aligned_alloc(64, (bytes + 64) / 64 * 64);
        REQUIRE(space);
        OK(qnt_layer_run(c, layer, tx, TENSOR(found, QNT_FLOAT, 32, ROWS, OUT), space, bytes));
        for (int at = 0; at < ROWS * OUT; at++) {
            double sum = 0, size = 0;
            for (int k = 0; k < K; k++) {
                double p = (double)y[at / OUT * K + k] * (double)w_used[at % OUT * K + k];
                sum += p, size += fabs(p);
            }
            CHECK_MSG(fabs((double)found[at] - sum) <= 1e-5 * size + 1e-12,
                      "method %d, %d bits: %g, expected %g", spec.method, spec.bits,
                      (double)found[at], sum);
        }
        free(space);
        qnt_layer_destroy(layer), qnt_trainer_destroy(t), qnt_trainer_destroy(v);
        qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(value_q);
    }
}

/* ---- given up half way ---- */

struct patience {
    int calls, most;
};

static int32_t lose_patience(void *user, uint64_t done, uint64_t total)
{
    struct patience *p = user;
    CHECK(done <= total);
    return ++p->calls > p->most;
}

/* A start that is cancelled after some of its groups keeps the numbers that were there, for every
 * method; a step does not ask. */
static void cancelled(void)
{
    enum { GROUPS = 200, EACH = 5, ALL = GROUPS * EACH };
    static float many[ALL], before[ALL], after[ALL];
    static double kept[MOST_THETA];
    for (int kind = 0; kind < KINDS; kind++) {
        struct patience patience = {0, 2};
        qnt_spec spec = spec_of(kind, true, 2);
        spec.grain = QNT_PER_AXIS;
        qnt_tensor *tm = TENSOR(many, QNT_FLOAT, 32, GROUPS, EACH);
        fill(many, ALL, true);
        qnt_trainer *t = create(spec);
        OK(qnt_trainer_start(c, t, tm));
        size_t count = theta_of(t, kept);
        OK(qnt_trainer_forward(c, t, tm, TENSOR(before, QNT_FLOAT, 32, GROUPS, EACH)));
        OK(qnt_context_set_progress(c, lose_patience, &patience));
        qnt_status status = qnt_trainer_start(c, t, TENSOR(before, QNT_FLOAT, 32, GROUPS, EACH));
        CHECK_MSG(status == QNT_E_CANCELLED && patience.calls == 3, "method %d: %d, %d calls",
                  spec.method, status, patience.calls);
        CHECK(theta_of(t, theta) == count && !memcmp(theta, kept, count * sizeof *kept));
        patience.most = 0;
        OK(qnt_trainer_forward(c, t, tm, TENSOR(after, QNT_FLOAT, 32, GROUPS, EACH)));
        CHECK(!memcmp(before, after, sizeof before));
        OK(qnt_trainer_backward(c, t, tm, tm, TENSOR(after, QNT_FLOAT, 32, GROUPS, EACH), dtheta,
                                count));
        OK(qnt_context_set_progress(c, NULL, NULL));
        qnt_trainer_destroy(t);
    }
}

/* Options that are refused keep what was there. */
static void kept_options(void)
{
    static const struct {
        int param;
        double good, bad[3];
    } options[] = {{QNT_P_TEMPERATURE, 7, {0, -1, (double)INFINITY}},
                   {QNT_P_STEP, 12, {11, -1, 12.5}},
                   {QNT_P_EPOCH, 30, {-1, 0.5, (double)NAN}},
                   {QNT_P_HARD, 1, {2, -1, 0.5}},
                   {QNT_P_DELTA, 0.25, {-1, 1e7, (double)NAN}},
                   {QNT_P_KEEP, 0.5, {0, -1, 1.5}},
                   {QNT_P_ANNEAL, 90, {-1, 0.5, (double)INFINITY}},
                   {QNT_P_PENALTY, 2, {-1, 1e31, (double)NAN}}};
    qnt_trainer *t = create(spec_of(9, true, 4));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        set(t, options[i].param, options[i].good);
        for (int k = 0; k < 3; k++) {
            double now;
            size_t count;
            FAILS(qnt_trainer_set(c, t, options[i].param, &options[i].bad[k], 1), QNT_E_INVALID,
                  "values");
            OK(qnt_trainer_get(c, t, options[i].param, &now, 1, &count));
            CHECK(now == options[i].good);
        }
    }
    qnt_trainer_destroy(t);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(lsqplus);
    RUN(ewgs);
    RUN(staircase_as_published);
    RUN(drawn_and_relaxed);
    RUN(noise);
    RUN(layers);
    RUN(cancelled);
    RUN(kept_options);
    qnt_context_destroy(c);
    return DONE;
}
