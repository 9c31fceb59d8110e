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

/* On a quadratic loss |w - goal|^2 / 2 every kind of step comes nearer, and no step of bases raises
 * the model it minimises. */
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
    const size_t bases = 2 + 5 * N, alpha = bases + 8;
    const struct {
        size_t at;
        double value;
    } wrong[] = {{0, -1},          {1, 0.5},         {2 + 2 * N, -1}, {2 + 3 * N, -1},
                 {2 + 4 * N, 8},   {2 + 4 * N, 1.5}, {bases, 4},      {bases, 0},
                 {alpha, -1},      {alpha, 0},       {alpha, 1e-60},  {alpha + 7, 1},
                 {3, (double)NAN}, {count - 1, -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        double kept = state[wrong[i].at];
        state[wrong[i].at] = wrong[i].value;
        FAILS(qnt_alq_set_state(c, q, state, count), QNT_E_INVALID, "values");
        state[wrong[i].at] = kept;
        OK(qnt_alq_get_state(c, q, other, count, &count));
        CHECK_MSG(!memcmp(state, other, count * sizeof *state), "number %zu", wrong[i].at);
    }
    OK(qnt_alq_set_state(c, q, state, count));
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
    for (int e = 0; e < N; e++) dw[e] = e / CHANNELS == 7 ? 1e-6f : 1;
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
    REFUSED(spec.method = QNT_LSQ, "method");
    REFUSED(spec.scheme = QNT_AFFINE, "scheme");
    REFUSED(spec.bits = 2, "bits");
    REFUSED(spec.flags = QNT_SIGNED, "flags");
    REFUSED(spec.points = 9, "points");
    REFUSED(spec.points = 0, "points");
    REFUSED(spec.grain = QNT_PER_BLOCK, "block");
    REFUSED((spec.grain = QNT_PER_BLOCK, spec.block = 3, spec.axis = 0), "axis");
    REFUSED((spec.grain = QNT_PER_AXIS, spec.axis = 1), "axis");
    w[3] = NAN;
    REFUSED((void)spec, "element 3");
    w[3] = 0;
    FAILS(qnt_alq_create(c, &good, TENSOR(w, QNT_FLOAT, 32, 0, 3), &q), QNT_E_SHAPE, "no elements");
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
    RUN(minds_the_loss);
    RUN(vanishes);
    RUN(resumes);
    RUN(bad_states);
    RUN(pixels);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
