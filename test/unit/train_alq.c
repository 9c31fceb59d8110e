/* Multi-bit networks trained with their loss: sums of bases, steps that never raise the model,
 * pruning in the order of the loss, export, bad input. */
#include "check.h"
#include "train/alq.h"

enum { N = 240, MOST = 8 };

static qnt_context *c;
static float w[N], now[N], before[N], dw[N], goal[N];

static qnt_alq *create(int points, int grain, int64_t block, int64_t rows)
{
    qnt_alq *q = NULL;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_POINTS,
                     .method = QNT_ALQ,
                     .bits = 1,
                     .points = points,
                     .grain = grain,
                     .block = block,
                     .axis = grain == QNT_PER_BLOCK ? -1 : 0};
    CHECK_MSG(qnt_alq_create(c, &spec, TENSOR(w, QNT_FLOAT, 32, rows, N / rows), &q) == QNT_OK,
              "%s", check_reason);
    return q;
}

static void weights(const qnt_alq *q, float *to)
{
    CHECK(qnt_alq_weights(c, q, TENSOR(to, QNT_FLOAT, 32, N)) == QNT_OK);
}

static double bits(qnt_alq *q)
{
    double b = -1;
    CHECK(qnt_alq_bits(c, &q, 1, &b) == QNT_OK);
    return b;
}

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static qnt_status step(qnt_alq *q, int mode, double rate)
{
    return qnt_alq_step(c, q, mode, rate, TENSOR(dw, QNT_FLOAT, 32, N));
}

/* More bases, less error; each group has at most 2^bases values, symmetric about 0; exported codes
 * decode to the same weights. */
static void sketches(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        int grain = i % 3;
        int64_t rows = grain == QNT_PER_TENSOR ? 1 : random_in(1, 4) * 2,
                block = grain == QNT_PER_BLOCK ? random_in(1, 40) : 0;
        double last = INFINITY;
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss();
        if (rows == 2 * 3) rows = 8;
        for (int points = 1; points <= MOST; points++) {
            qnt_alq *q = create(points, grain, block, rows);
            weights(q, now);
            double error = distance(w, now);
            CHECK_MSG(error <= last * (1 + 1e-6), "%d points: %g after %g", points, error, last);
            CHECK(bits(q) <= points);
            last = error;
            qnt_quantizer *exported = NULL;
            static float decoded[N];
            OK(qnt_alq_export(c, q, &exported));
            OK(qnt_quantizer_apply(c, exported, TENSOR(now, QNT_FLOAT, 32, rows, N / rows),
                                   TENSOR(decoded, QNT_FLOAT, 32, rows, N / rows)));
            CHECK(!memcmp(now, decoded, sizeof now));
            qnt_quantizer_destroy(exported);
            qnt_alq_destroy(q);
        }
    }
}

/* On a quadratic loss |w - goal|^2 / 2 every kind of step comes nearer. */
static void descends(void)
{
    for (int mode = QNT_ALQ_BASES; mode <= QNT_ALQ_STRAIGHT; mode++) {
        for (int i = 0; i < ROUNDS(10); i++) {
            for (int e = 0; e < N; e++)
                w[e] = (float)random_gauss(), goal[e] = w[e] + 0.5f * (float)random_gauss();
            qnt_alq *q = create(2, QNT_PER_AXIS, 0, 8);
            weights(q, now);
            double first = distance(now, goal), least = first;
            for (int s = 0; s < 150; s++) {
                for (int e = 0; e < N; e++) dw[e] = now[e] - goal[e];
                OK(step(q, mode, mode == QNT_ALQ_BASES ? 0.4 : 0.02));
                weights(q, now);
                least = fmin(least, distance(now, goal));
            }
            CHECK_MSG(least < (mode == QNT_ALQ_COORDINATES ? 0.995 : 0.9) * first,
                      "mode %d: %g became %g", mode, first, least);
            CHECK(bits(q) <= 2);
            qnt_alq_destroy(q);
        }
    }
}

/* Pruning reaches its target exactly, one base at a time, down to nothing; weights of groups
 * without bases are 0. */
static void prunes(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), dw[e] = (float)random_gauss();
        qnt_alq *q = create(4, QNT_PER_BLOCK, 10, 8);
        OK(step(q, QNT_ALQ_GATHER, 0.01));
        weights(q, before);
        double last = bits(q);
        while (last > 0) {
            OK(qnt_alq_prune(c, &q, 1, 1, 0));
            double left = bits(q);
            CHECK_MSG(fabs(last - left - 10.0 / N) < 1e-12, "%g after %g", left, last);
            last = left;
        }
        weights(q, now);
        for (int e = 0; e < N; e++) CHECK(now[e] == 0);
        OK(step(q, QNT_ALQ_BASES, 0.01)); /* nothing is left to move */
        OK(qnt_alq_prune(c, &q, 1, 5, 0));
        qnt_quantizer *exported = NULL;
        OK(qnt_alq_export(c, q, &exported));
        qnt_quantizer_destroy(exported);
        qnt_alq_destroy(q);
        q = create(4, QNT_PER_BLOCK, 10, 8);
        OK(step(q, QNT_ALQ_GATHER, 0.01));
        OK(qnt_alq_prune(c, &q, 1, UINT64_MAX, 2.25));
        CHECK_MSG(bits(q) <= 2.25 && bits(q) > 2.25 - 10.0 / N - 1e-12, "%g", bits(q));
        qnt_alq_destroy(q);
    }
}

/* Half the sum of H (w - target)^2: the loss as a step of bases models it. */
static double modelled(const qnt_alq *q, const float *at, const double *target)
{
    double sum = 0;
    for (size_t j = 0; j < N; j++) {
        double off = (double)at[j] - target[j];
        sum += 0.5 * qnt__alq_curve(&q->w, j) * off * off;
    }
    return sum;
}

/* The moments, written anew: AMSGrad's, in both domains. */
static void check_moments(const qnt_alq *q, const double *m, const double *v, const double *top,
                          int steps)
{
    for (size_t j = 0; j < N; j++) {
        double slope = q->rate / (1 - pow(0.9, steps)) * m[j],
               curve = (sqrt(top[j]) + 1e-8) / sqrt(1 - pow(0.999, steps));
        CHECK(fabs(qnt__alq_slope(&q->w, j, q->rate) - slope) <= 1e-12 * (1 + fabs(slope)));
        CHECK(fabs(qnt__alq_curve(&q->w, j) - curve) <= 1e-12 * (1 + curve));
        CHECK(fabs(q->w.v[j] - v[j]) <= 1e-12 * (1 + v[j]));
    }
}

/* A step of bases never raises the model that it minimises, w - slope / curve its target, and the
 * refit after it leaves no gradient by any coordinate: sums of signs times H (w - target) are 0. */
static void models(void)
{
    static double target[N], m[N], v[N], top[N];
    for (int i = 0; i < ROUNDS(20); i++) {
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), m[e] = v[e] = top[e] = 0;
        qnt_alq *q = create(1 + i % 4, QNT_PER_AXIS, 0, 4);
        for (int s = 1; s <= 12; s++) {
            weights(q, before);
            for (int e = 0; e < N; e++) {
                dw[e] = (float)(random_gauss() * pow(10, 2 * random_unit() - 1));
                m[e] = 0.9 * m[e] + 0.1 * (double)dw[e];
                v[e] = 0.999 * v[e] + 0.001 * (double)dw[e] * (double)dw[e];
                top[e] = fmax(top[e], v[e]);
            }
            OK(step(q, QNT_ALQ_BASES, 0.05));
            weights(q, now);
            check_moments(q, m, v, top, s);
            for (size_t j = 0; j < N; j++) {
                target[j] = (double)before[j] -
                            qnt__alq_slope(&q->w, j, q->rate) / qnt__alq_curve(&q->w, j);
            }
            double first = modelled(q, before, target), last = modelled(q, now, target);
            CHECK_MSG(last <= first * (1 + 1e-6), "%d bases, step %d: %g became %g", 1 + i % 4, s,
                      first, last);
            for (size_t g = 0; g < 4; g++) {
                for (int32_t b = 0; b < q->bases[g]; b++) {
                    double sum = 0, size = 0;
                    for (size_t j = g * N / 4; j < (g + 1) * N / 4; j++) {
                        double pull = qnt__alq_curve(&q->w, j) * ((double)now[j] - target[j]);
                        sum += qnt__alq_sign(q->code[j], b) * pull, size += fabs(pull);
                    }
                    CHECK_MSG(fabs(sum) <= 1e-4 * size, "group %zu, base %d: %g of %g", g, b, sum,
                              size);
                }
            }
        }
        qnt_alq_destroy(q);
    }
}

/* A coordinate's gradient is the sum of its signs times those of the weights, and what goes first
 * is the coordinate whose loss -slope alpha + curve alpha^2 / 2 is least. */
static void cheapest(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), dw[e] = (float)random_gauss();
        qnt_alq *q = create(3, QNT_PER_BLOCK, 12, 4);
        const double rate = 0.02 + 0.3 * random_unit();
        OK(step(q, QNT_ALQ_GATHER, rate));
        double least = INFINITY;
        size_t group = 0;
        int32_t base = 0, left[N / 12];
        for (size_t g = 0; g < q->groups; g++) {
            left[g] = q->bases[g];
            for (int32_t b = 0; b < q->bases[g]; b++) {
                double gradient = 0, alpha = q->alpha[g * MOST + (size_t)b];
                for (size_t j = g * 12; j < (g + 1) * 12; j++)
                    gradient += qnt__alq_sign(q->code[j], b) * (double)dw[j];
                /* of the first step the corrected moments are the gradient itself */
                double cost = -rate * gradient * alpha +
                              0.5 * (fabs(gradient) + 1e-8 / sqrt(0.001)) * alpha * alpha;
                if (cost < least) least = cost, group = g, base = b;
            }
        }
        double alpha = q->alpha[group * MOST + (size_t)base];
        OK(qnt_alq_prune(c, &q, 1, 1, 0));
        for (size_t g = 0; g < q->groups; g++)
            CHECK_MSG(q->bases[g] == left[g] - (g == group), "group %zu lost one, expected %zu", g,
                      group);
        for (int32_t b = 0; b < q->bases[group]; b++)
            CHECK(q->alpha[group * MOST + (size_t)b] != alpha);
        qnt_alq_destroy(q);
    }
}

/* Steps of coordinates are AMSGrad's of alpha: the signs stay. */
static void coordinates(void)
{
    static uint8_t code[N];
    for (int i = 0; i < ROUNDS(20); i++) {
        double alpha[4 * MOST], gradient[4 * MOST] = {0};
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), dw[e] = (float)random_gauss();
        qnt_alq *q = create(2, QNT_PER_AXIS, 0, 4);
        memcpy(alpha, q->alpha, sizeof alpha), memcpy(code, q->code, sizeof code);
        for (size_t j = 0; j < N; j++)
            for (int32_t b = 0; b < 2; b++)
                gradient[j / (N / 4) * MOST + (size_t)b] +=
                    qnt__alq_sign(code[j], b) * (double)dw[j];
        OK(step(q, QNT_ALQ_COORDINATES, 0.01));
        CHECK(!memcmp(code, q->code, sizeof code));
        for (size_t k = 0; k < 4 * MOST; k++) { /* the first step has the length of the rate */
            double moved = alpha[k] - (gradient[k] > 0 ? 0.01 : gradient[k] < 0 ? -0.01 : 0);
            CHECK_MSG(fabs(q->alpha[k] - moved) <= 1e-6, "%g, expected %g", q->alpha[k], moved);
        }
        qnt_alq_destroy(q);
    }
}

/* With the loss in mind: weights that matter a thousand times as much keep their bases. Two layers
 * compete for one budget. */
static void minds_the_loss(void)
{
    qnt_alq *both[2];
    double kept[2] = {0};
    for (int e = 0; e < N; e++) w[e] = (float)random_gauss();
    for (int l = 0; l < 2; l++) {
        both[l] = create(4, QNT_PER_BLOCK, 20, 4);
        for (int s = 0; s < 20; s++) {
            for (int e = 0; e < N; e++) dw[e] = (float)(random_gauss() * (l ? 1.0 : 1e-3));
            OK(step(both[l], QNT_ALQ_GATHER, 1e-6));
        }
    }
    double start, end;
    OK(qnt_alq_bits(c, both, 2, &start));
    OK(qnt_alq_prune(c, both, 2, UINT64_MAX, start / 2));
    OK(qnt_alq_bits(c, both, 2, &end));
    kept[0] = bits(both[0]), kept[1] = bits(both[1]);
    CHECK_MSG(kept[1] > kept[0] + 1, "the layer that matters kept %g bits, the other %g", kept[1],
              kept[0]);
    CHECK(end <= start / 2);
    qnt_alq_destroy(both[0]), qnt_alq_destroy(both[1]);
}

/* Coordinates that are 0 as float32 take their bases with them, from the first weights and from
 * every kind of step, and what is left can be exported. */
static void vanishes(void)
{
    for (int mode = QNT_ALQ_GATHER; mode <= QNT_ALQ_STRAIGHT; mode++) {
        qnt_quantizer *exported = NULL;
        for (int e = 0; e < N; e++) w[e] = e < N / 2 ? 0x1p-149f * (e % 3 == 0) : 1;
        qnt_alq *q = create(2, QNT_PER_AXIS, 0, 2);
        OK(qnt_alq_export(c, q, &exported));
        qnt_quantizer_destroy(exported);
        CHECK_MSG(bits(q) == 0.5, "%g", bits(q));
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss();
        qnt_alq_destroy(q);
        q = create(2, QNT_PER_AXIS, 0, 2);
        memset(dw, 0, sizeof dw);
        if (mode == QNT_ALQ_COORDINATES) q->alpha[0] = 0x1p-151;
        if (mode == QNT_ALQ_STRAIGHT)
            for (int e = 0; e < N; e++) q->master[e] *= 0x1p-170;
        OK(step(q, mode, 0.01));
        OK(qnt_alq_export(c, q, &exported));
        CHECK(bits(q) == (mode < QNT_ALQ_COORDINATES ? 2 : mode == QNT_ALQ_STRAIGHT ? 0 : 1.5));
        qnt_quantizer_destroy(exported);
        qnt_alq_destroy(q);
    }
}

/* A handle that takes over a state goes on with the same bits, whatever it did before. */
static void resumes(void)
{
    static double state[1 << 13], other[1 << 13];
    for (int i = 0; i < ROUNDS(20); i++) {
        qnt_alq *q[2];
        size_t count = 0;
        double b[2];
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss();
        q[0] = create(3, i % 3, i % 3 == QNT_PER_BLOCK ? 7 : 0, 8);
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss();
        q[1] = create(3, i % 3, i % 3 == QNT_PER_BLOCK ? 7 : 0, 8);
        for (int s = 0; s < 12; s++) {
            for (int e = 0; e < N; e++) dw[e] = (float)random_gauss();
            OK(step(q[0], s % 4, 0.05));
            if (s == 5) {
                OK(qnt_alq_prune(c, &q[0], 1, 3, 0));
                OK(qnt_alq_get_state(c, q[0], state, sizeof state / sizeof *state, &count));
                OK(qnt_alq_set_state(c, q[1], state, count));
            }
            if (s > 5) OK(step(q[1], s % 4, 0.05));
            if (s == 9)
                for (int k = 0; k < 2; k++) OK(qnt_alq_prune(c, &q[k], 1, 2, 0));
        }
        for (int k = 0; k < 2; k++) weights(q[k], k ? now : before), b[k] = bits(q[k]);
        CHECK(!memcmp(now, before, sizeof now) && b[0] == b[1]);
        OK(qnt_alq_get_state(c, q[0], state, count, &count));
        OK(qnt_alq_get_state(c, q[1], other, count, &count));
        CHECK(!memcmp(state, other, count * sizeof *state));
        qnt_alq_destroy(q[0]), qnt_alq_destroy(q[1]);
    }
}

/* Weights that a few bases hold exactly, as quantized ones are: the others are not there, neither in the
 * state nor in what is exported. */
static void few_values(void)
{
    static double state[1 << 13];
    for (int i = 0; i < ROUNDS(100); i++) {
        const int bases = (int)random_in(1, 3);
        double coef[3] = {random_unit() + 0.5, random_unit() + 0.1, random_unit() * 0.1};
        size_t count = 0;
        static float decoded[N];
        qnt_quantizer *exported = NULL;
        for (int e = 0; e < N; e++) {
            double sum = 0.0;
            for (int b = 0; b < bases; b++) sum += random_in(0, 1) ? coef[b] : -coef[b];
            w[e] = (float)sum;
        }
        qnt_alq *q = create(MOST, i % 3, i % 3 == QNT_PER_BLOCK ? 16 : 0, 8);
        weights(q, now);
        OK(qnt_alq_get_state(c, q, state, sizeof state / sizeof *state, &count));
        OK(qnt_alq_set_state(c, q, state, count));
        OK(qnt_alq_export(c, q, &exported));
        OK(qnt_quantizer_apply(c, exported, TENSOR(now, QNT_FLOAT, 32, 8, N / 8),
                               TENSOR(decoded, QNT_FLOAT, 32, 8, N / 8)));
        CHECK(!memcmp(now, decoded, sizeof now));
        qnt_quantizer_destroy(exported);
        qnt_alq_destroy(q);
    }
}

static float near_the_largest(void)
{
    const float largest = 3.4e38f;
    return random_in(0, 2)   ? (float)(2 * random_unit() - 1) * largest
           : random_in(0, 1) ? largest
                             : -largest;
}

/* Weights and gradients near the largest float32, the highest rate: every handle has finite weights, a
 * state that is one, and a quantizer that decodes to them. */
static void largest_floats(void)
{
    static double state[1 << 13];
    static float decoded[N];
    for (int i = 0; i < ROUNDS(60); i++) {
        for (int e = 0; e < N; e++) w[e] = near_the_largest();
        qnt_alq *q = create(i % MOST + 1, i % 3, i % 3 == QNT_PER_BLOCK ? random_in(1, 30) : 0, 8);
        for (int s = 0; s < 8; s++) {
            size_t count = 0;
            qnt_quantizer *exported = NULL;
            bool finite = true;
            OK(qnt_alq_get_state(c, q, state, sizeof state / sizeof *state, &count));
            OK(qnt_alq_set_state(c, q, state, count));
            weights(q, now);
            for (int e = 0; e < N; e++) finite = finite && isfinite(now[e]);
            CHECK(finite);
            OK(qnt_alq_export(c, q, &exported));
            OK(qnt_quantizer_apply(c, exported, TENSOR(now, QNT_FLOAT, 32, 8, N / 8),
                                   TENSOR(decoded, QNT_FLOAT, 32, 8, N / 8)));
            CHECK(!memcmp(now, decoded, sizeof now));
            qnt_quantizer_destroy(exported);
            for (int e = 0; e < N; e++) dw[e] = s % 2 ? near_the_largest() : (float)random_gauss();
            OK(step(q, (int)random_in(QNT_ALQ_GATHER, QNT_ALQ_STRAIGHT), s % 3 ? 1e6 : 0.1));
        }
        qnt_alq_destroy(q);
    }
}

/* A coordinate that would fall below 0 turns its signs instead, and its mean gradient with them. */
static void turned(void)
{
    static double state[1 << 13], before_turn[1 << 13];
    size_t count;
    for (int e = 0; e < N; e++) w[e] = e % 2 ? 0.5f : -0.5f, dw[e] = w[e];
    qnt_alq *q = create(1, QNT_PER_TENSOR, 0, 8);
    OK(qnt_alq_get_state(c, q, before_turn, sizeof before_turn / sizeof *before_turn, &count));
    OK(step(q, QNT_ALQ_COORDINATES, 10));
    OK(qnt_alq_get_state(c, q, state, sizeof state / sizeof *state, &count));
    const size_t code = 2 + 4 * N, alpha = 2 + 5 * N + 1, mean = alpha + MOST;
    CHECK(before_turn[alpha] == 0.5 && state[alpha] > 0 && state[mean] < 0);
    weights(q, now);
    for (int e = 0; e < N; e++) {
        CHECK(state[code + (size_t)e] == 1 - before_turn[code + (size_t)e]);
        CHECK((now[e] > 0) == (w[e] < 0) && fabsf(now[e]) == (float)state[alpha]);
    }
    OK(qnt_alq_set_state(c, q, state, count)); /* a state like any other */
    qnt_alq_destroy(q);
}

/* Numbers that no handle can have are refused, and change nothing. */
static void bad_states(void)
{
    static double state[1 << 13], other[1 << 13];
    size_t count = 0;
    for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), dw[e] = (float)random_gauss();
    qnt_alq *q = create(3, QNT_PER_AXIS, 0, 8);
    OK(step(q, QNT_ALQ_BASES, 0.05));
    OK(qnt_alq_prune(c, &q, 1, 1, 0));
    OK(qnt_alq_get_state(c, q, NULL, 0, &count));
    CHECK(count == 2 + 5 * N + 8 + 4 * 8 * MOST);
    FAILS(qnt_alq_get_state(c, q, state, count - 1, &count), QNT_E_SPACE, "capacity");
    FAILS(qnt_alq_get_state(c, q, state, count, NULL), QNT_E_INVALID, "count");
    FAILS(qnt_alq_get_state(c, NULL, state, count, &count), QNT_E_INVALID, "alq");
    OK(qnt_alq_get_state(c, q, state, count, &count));
    FAILS(qnt_alq_set_state(c, q, NULL, count), QNT_E_INVALID, "values");
    FAILS(qnt_alq_set_state(c, q, state, count - 1), QNT_E_INVALID, "count");
    const size_t bases = 2 + 5 * N, alpha = bases + 8, mean = alpha + 8 * MOST;
    const struct {
        size_t at;
        double value;
    } wrong[] = {{0, -1},          {1, 0.5},         {2 + 2 * N, -1},    {2 + 3 * N, -1},
                 {2 + 4 * N, 8},   {2 + 4 * N, 1.5}, {bases, 4},         {bases, 0},
                 {alpha, -1},      {alpha, 0},       {alpha, 1e-60},     {alpha + 7, 1},
                 {3, (double)NAN}, {count - 1, -1},  {0, 1e7},           {2, 1e39},
                 {2 + N, 1e3},     {mean, -1e3},     {2 + 3 * N, 1e300}, {count - 1, 1e300},
                 {alpha, 1e39}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        double kept = state[wrong[i].at];
        state[wrong[i].at] = wrong[i].value;
        FAILS(qnt_alq_set_state(c, q, state, count), QNT_E_INVALID, "values");
        state[wrong[i].at] = kept;
        OK(qnt_alq_get_state(c, q, other, count, &count));
        CHECK_MSG(!memcmp(state, other, count * sizeof *state), "number %zu", wrong[i].at);
    }
    OK(qnt_alq_set_state(c, q, state, count));
    state[alpha] = state[alpha + 1] = 2e38; /* each is finite */
    FAILS(qnt_alq_set_state(c, q, state, count), QNT_E_INVALID, "values");
    qnt_alq_destroy(q);
}

/* Pixel-wise groups, the paper's for convolutions: with channels last a row of blocks has one for
 * each place of the kernel, over all channels. */
static void pixels(void)
{
    enum { OUT = 3, PLACES = 5, CHANNELS = 16 };
    qnt_quantizer *exported = NULL;
    static float decoded[N];
    for (int e = 0; e < N; e++) /* two values in each group: a base is enough */
        w[e] = (float)(1 + e / CHANNELS) * (random_in(0, 1) ? 0.25f : -0.25f);
    qnt_alq *q = create(4, QNT_PER_BLOCK, CHANNELS, OUT);
    CHECK(q->groups == (size_t)OUT * PLACES && bits(q) == 1);
    weights(q, now);
    CHECK(!memcmp(w, now, sizeof now));
    for (int e = 0; e < N; e++) /* along the signs: what each coordinate's gradient adds up */
        dw[e] = (w[e] > 0 ? 1.0f : -1.0f) * (e / CHANNELS == 7 ? 1e-6f : 1);
    OK(step(q, QNT_ALQ_GATHER, 1e-4));
    OK(qnt_alq_prune(c, &q, 1, 1, 0)); /* the place that the loss minds least */
    weights(q, now);
    for (int e = 0; e < N; e++) CHECK(e / CHANNELS == 7 ? now[e] == 0 : now[e] == w[e]);
    OK(qnt_alq_export(c, q, &exported));
    OK(qnt_quantizer_apply(c, exported, TENSOR(now, QNT_FLOAT, 32, OUT, PLACES * CHANNELS),
                           TENSOR(decoded, QNT_FLOAT, 32, OUT, PLACES * CHANNELS)));
    CHECK(!memcmp(now, decoded, sizeof now));
    qnt_quantizer_destroy(exported);
    qnt_alq_destroy(q);
}

/* Groups of every kind in layers: a dense layer with channels and blocks of them (sub-channel-wise)
 * gives the products of what was trained. Convolutions take channels; kernel- and pixel-wise groups
 * are refused with the reason, and a network that wants them computes with decoded weights. */
static void layers(void)
{
    enum { OUT = 8, K = N / OUT, ROWS = 5 };
    static float in[ROWS * K], found[ROWS * OUT];
    static uint8_t code[N];
    for (int i = 0; i < ROUNDS(30); i++) {
        const int grain = i % 3;
        qnt_quantizer *exported = NULL;
        qnt_layer *layer = NULL;
        qnt_layer_spec spec = {.size = sizeof spec, .kind = QNT_DENSE};
        size_t bytes = 0;
        for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), dw[e] = (float)random_gauss();
        for (int e = 0; e < ROWS * K; e++) in[e] = (float)random_gauss();
        const int64_t block = grain == QNT_PER_BLOCK ? random_in(1, K + 3) : 0;
        qnt_alq *q = create(3, grain, block, OUT);
        for (int s = 0; s < 5; s++) OK(step(q, 1 + s % 3, 0.02));
        OK(qnt_alq_prune(c, &q, 1, 4, 0));
        weights(q, now);
        OK(qnt_alq_export(c, q, &exported));
        qnt_tensor *tw = TENSOR(now, QNT_FLOAT, 32, OUT, K),
                   *tx = TENSOR(in, QNT_FLOAT, 32, ROWS, K),
                   *codes = TENSOR(code, QNT_UINT, 8, OUT, K);
        OK(qnt_quantizer_encode(c, exported, tw, codes));
        OK(qnt_layer_create(c, &spec, codes, exported, NULL, NULL, NULL, &layer));
        OK(qnt_layer_workspace(c, layer, tx, &bytes));
        void *space = aligned_alloc(64, (bytes + 64) / 64 * 64);
        REQUIRE(space);
        OK(qnt_layer_run(c, layer, tx, TENSOR(found, QNT_FLOAT, 32, ROWS, OUT), space, bytes));
        for (int at = 0; at < ROWS * OUT; at++) {
            double sum = 0, size = 0;
            for (int k = 0; k < K; k++) {
                double p = (double)in[at / OUT * K + k] * (double)now[at % OUT * K + k];
                sum += p, size += fabs(p);
            }
            CHECK_MSG(fabs((double)found[at] - sum) <= 1e-5 * size + 1e-12,
                      "grain %d, block %d: %g, expected %g", grain, (int)block, (double)found[at],
                      sum);
        }
        free(space);
        qnt_layer_destroy(layer), qnt_quantizer_destroy(exported), qnt_alq_destroy(q);
    }
    for (int kind = 0; kind < 2; kind++) { /* 4 x [2 x 5] x 6, pixel-wise, then kernel-wise */
        qnt_quantizer *exported = NULL;
        qnt_layer *layer = NULL;
        qnt_layer_spec spec = {.size = sizeof spec, .kind = QNT_CONV, .stride = {1, 1}};
        qnt_alq *q = kind ? create(3, QNT_PER_AXIS, 0, 24) : create(3, QNT_PER_BLOCK, 6, 4);
        weights(q, now);
        OK(qnt_alq_export(c, q, &exported));
        FAILS(qnt_layer_create(c, &spec, TENSOR(now, QNT_FLOAT, 32, 4, 2, 5, 6), exported, NULL,
                               NULL, NULL, &layer),
              kind ? QNT_E_SHAPE : QNT_E_UNSUPPORTED, kind ? "24 groups" : "blocks along axis");
        CHECK(!layer);
        qnt_quantizer_destroy(exported), qnt_alq_destroy(q);
    }
}

static void bad_input(void)
{
    qnt_alq *q = NULL;
    qnt_spec good = {
        .size = sizeof good, .scheme = QNT_POINTS, .method = QNT_ALQ, .bits = 1, .points = 3};
    for (int e = 0; e < N; e++) w[e] = (float)random_gauss(), dw[e] = 1;
    qnt_tensor *tw = TENSOR(w, QNT_FLOAT, 32, 8, N / 8);
#define REFUSED(change, text)                                                                      \
    do {                                                                                           \
        qnt_spec spec = good;                                                                      \
        change;                                                                                    \
        FAILS(qnt_alq_create(c, &spec, tw, &q), QNT_E_INVALID, text);                              \
        CHECK(!q);                                                                                 \
    } while (0)
    REFUSED(spec.method = QNT_BASES, "method 7, expected QNT_POINTS (1) and QNT_ALQ (42)");
    REFUSED(spec.scheme = QNT_AFFINE, "scheme is 0 and");
    REFUSED(spec.bits = 2, "bits");
    REFUSED(spec.flags = QNT_SIGNED | QNT_NARROW,
            "flags QNT_SIGNED | QNT_NARROW, expected 1 and 0");
    REFUSED(spec.grain = 3, "grain is 3, expected 0 (QNT_PER_TENSOR)");
    REFUSED(spec.block = 3, "block is 3, expected a length with QNT_PER_BLOCK");
    REFUSED(spec.points = 9, "points");
    REFUSED(spec.points = 0, "points");
    REFUSED(spec.grain = QNT_PER_BLOCK, "block");
    REFUSED((spec.grain = QNT_PER_BLOCK, spec.block = 3, spec.axis = 0), "axis");
    REFUSED((spec.grain = QNT_PER_AXIS, spec.axis = 1), "axis");
    w[3] = NAN;
    REFUSED((void)spec, "element 3");
    w[3] = 0;
    FAILS(qnt_alq_create(c, &good, TENSOR(w, QNT_FLOAT, 32, 0, 3), &q), QNT_E_SHAPE, "0 elements");
    OK(qnt_alq_create(c, &good, tw, &q));
    OK(step(q, QNT_ALQ_BASES, 0.01));
    weights(q, before);
    FAILS(step(q, 4, 0.01), QNT_E_INVALID, "mode");
    FAILS(step(q, 1, 0), QNT_E_INVALID, "rate");
    FAILS(step(q, 1, NAN), QNT_E_INVALID, "rate");
    dw[N - 1] = INFINITY;
    FAILS(step(q, 1, 0.01), QNT_E_INVALID, "element");
    FAILS(qnt_alq_step(c, q, 1, 0.01, TENSOR(dw, QNT_FLOAT, 32, N - 1)), QNT_E_SHAPE, "dw");
    FAILS(qnt_alq_weights(c, q, TENSOR(now, QNT_FLOAT, 32, N - 1)), QNT_E_SHAPE, "w has");
    FAILS(qnt_alq_prune(c, &q, 0, 1, 0), QNT_E_INVALID, "layer");
    FAILS(qnt_alq_prune(c, &q, 1, 1, -1), QNT_E_INVALID, "bits");
    FAILS(qnt_alq_prune(c, &q, 1, 1, NAN), QNT_E_INVALID, "bits");
    qnt_alq *none = NULL, *twice[] = {NULL, q, q};
    double b;
    OK(qnt_alq_create(c, &good, tw, &twice[0]));
    FAILS(qnt_alq_prune(c, twice, 3, 1, 0), QNT_E_INVALID, "layers 1 and 2 are the same");
    FAILS(qnt_alq_bits(c, twice, 3, &b), QNT_E_INVALID, "layers 1 and 2 are the same");
    OK(qnt_alq_bits(c, twice, 2, &b));
    qnt_alq_destroy(twice[0]);
    FAILS(qnt_alq_bits(c, &none, 1, &b), QNT_E_INVALID, "NULL");
    weights(q, now);
    CHECK(!memcmp(now, before, sizeof now));
    qnt_alq_destroy(q);
    memset(w, 0, sizeof w); /* no energy, no bases */
    OK(qnt_alq_create(c, &good, tw, &q));
    CHECK(bits(q) == 0);
    dw[N - 1] = 0;
    OK(step(q, QNT_ALQ_STRAIGHT, 0.1));
    qnt_alq_destroy(q);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(sketches);
    RUN(descends);
    RUN(prunes);
    RUN(models);
    RUN(cheapest);
    RUN(coordinates);
    RUN(minds_the_loss);
    RUN(vanishes);
    RUN(resumes);
    RUN(few_values);
    RUN(largest_floats);
    RUN(turned);
    RUN(bad_states);
    RUN(pixels);
    RUN(layers);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
