/*
 * Bits of exponents for every layer: thresholds against a plain loop, extremes, bounds, hostile
 * callbacks, and bad input that changes nothing.
 */
#include "check.h"

enum { LAYERS = 3, COUNT = 2000 };

static qnt_context *c;
static float data[2 * LAYERS][COUNT];
static qnt_quantizer *weights[LAYERS], *inputs[LAYERS];

static qnt_quantizer *create(const float *x, int flags)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {
        .size = sizeof spec, .scheme = QNT_EXP, .method = QNT_TEQ, .bits = 6, .flags = flags};
    CHECK(qnt_quantizer_create(c, &spec, &q) == QNT_OK);
    if (x) CHECK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, COUNT), NULL) == QNT_OK);
    return q;
}

/* Layers of Laplace, Gauss and uniform weights; their inputs are not negative. */
static void begin(int literal)
{
    for (int l = 0; l < LAYERS; l++) {
        for (int i = 0; i < COUNT; i++) {
            double u = random_unit();
            data[l][i] = (float)(l == 0 ? random_laplace() : l == 1 ? random_gauss() : 2 * u - 1);
            data[LAYERS + l][i] = (float)fabs(random_gauss());
        }
        weights[l] = create(data[l], QNT_SIGNED | literal);
        inputs[l] = create(data[LAYERS + l], literal);
    }
}

static void end(void)
{
    for (int l = 0; l < LAYERS; l++) {
        qnt_quantizer_destroy(weights[l]);
        qnt_quantizer_destroy(inputs[l]);
    }
}

static int bits_of(const qnt_quantizer *q)
{
    qnt_spec spec = {.size = sizeof spec};
    CHECK(qnt_quantizer_spec(c, q, &spec) == QNT_OK);
    return spec.bits;
}

static double rmae_of(const qnt_quantizer *q, const float *x)
{
    qnt_error e = {.size = sizeof e};
    CHECK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, COUNT), NULL, &e) == QNT_OK);
    return e.rmae;
}

/* Loses `at[sum of bits]`, and remembers what it was asked. */
struct network {
    double at[7 * LAYERS + 1];
    int asked, last, stop;
};

static int32_t lose(void *user, const qnt_quantizer *const *w, const qnt_quantizer *const *x,
                    double *loss)
{
    struct network *n = user;
    int sum = 0;
    for (int l = 0; l < LAYERS; l++) {
        sum += bits_of(w[l]);
        CHECK(!x || !x[l] || bits_of(w[l]) == bits_of(x[l]));
    }
    CHECK_MSG(n->asked == 0 || sum < n->last, "%d bits after %d", sum, n->last);
    n->last = sum;
    *loss = n->at[sum];
    return ++n->asked == n->stop;
}

/* Nothing is lost: all layers go down to the fewest bits, by steps that a plain loop confirms. */
static void thresholds(void)
{
    for (int literal = 0; literal < 2; literal++) {
        begin(literal ? QNT_LITERAL : 0);
        struct network free_of_loss = {.asked = 0};
        qnt_teq_spec spec = {.size = sizeof spec};
        OK(qnt_teq_search(c, weights, inputs, LAYERS, &spec, lose, &free_of_loss));
        CHECK(spec.bits == 3 && spec.loss == 0 && (int)spec.calls == free_of_loss.asked);
        CHECK(free_of_loss.last == 3 * LAYERS &&
              fabs(spec.threshold / 0.01 - rint(spec.threshold / 0.01)) < 1e-9);
        double largest = 0;
        for (int l = 0; l < LAYERS; l++) {
            double base[2];
            size_t count;
            OK(qnt_quantizer_get(c, weights[l], QNT_P_BASE, &base[0], 1, &count));
            OK(qnt_quantizer_get(c, inputs[l], QNT_P_BASE, &base[1], 1, &count));
            CHECK(base[0] == base[1]);
            largest = fmax(
                largest, fmax(rmae_of(weights[l], data[l]), rmae_of(inputs[l], data[LAYERS + l])));
        }
        CHECK_MSG(spec.threshold > largest - 1e-3 && spec.threshold < largest + 0.011,
                  "threshold %g, largest error %g", spec.threshold, largest);
        end();
    }
}

/* The bound holds: the last bits that were accepted are kept, each as small as its threshold
 * allows. */
static void bound(void)
{
    begin(QNT_LITERAL);
    struct network n = {.asked = 0};
    for (int sum = 0; sum < 15; sum++) n.at[sum] = 0.02;
    qnt_teq_spec spec = {.size = sizeof spec, .ratio = 0.5};
    OK(qnt_teq_search(c, weights, inputs, LAYERS, &spec, lose, &n));
    CHECK(spec.bits * LAYERS > 14.5 && spec.loss == 0 && n.last < 15);
    int sum = 0;
    for (int l = 0; l < LAYERS; l++) {
        sum += bits_of(weights[l]);
        if (bits_of(weights[l]) == 7) continue;
        CHECK(rmae_of(weights[l], data[l]) < spec.threshold + 1e-3);
        CHECK(rmae_of(inputs[l], data[LAYERS + l]) < 0.5 * spec.threshold + 1e-3);
    }
    CHECK(sum == (int)lrint(spec.bits * LAYERS));
    end();
    begin(0); /* even the most bits lose too much; weights only */
    n = (struct network){.at[21] = INFINITY};
    OK(qnt_teq_search(c, weights, NULL, LAYERS, &spec, lose, &n));
    CHECK(n.asked == 1 && spec.bits == 7 && isinf(spec.loss) && bits_of(inputs[0]) == 6);
    end();
}

static void hostile(void)
{
    begin(0);
    struct network n = {.stop = 1};
    qnt_teq_spec spec = {.size = sizeof spec};
    FAILS(qnt_teq_search(c, weights, inputs, LAYERS, &spec, lose, &n), QNT_E_CANCELLED, "stopped");
    n = (struct network){.at[21] = NAN};
    FAILS(qnt_teq_search(c, weights, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID,
          "not a number");
    for (int sum = 0; sum < 21; sum++) n.at[sum] = NAN;
    n.at[21] = n.asked = 0;
    FAILS(qnt_teq_search(c, weights, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID,
          "not a number");
    CHECK(bits_of(weights[0]) == 6 && spec.calls == 0);
    float y[COUNT];
    FAILS(qnt_quantizer_apply(c, weights[0], TENSOR(data[0], QNT_FLOAT, 32, COUNT),
                              TENSOR(y, QNT_FLOAT, 32, COUNT)),
          QNT_E_STATE, "");
    end();
}

static void bad_input(void)
{
    static const struct {
        qnt_teq_spec spec;
        const char *reason;
    } rows[] = {{{.least_bits = 1}, "2 to 7"},
                {{.most_bits = 8}, "2 to 7"},
                {{.least_bits = 5, .most_bits = 4}, "2 to 7"},
                {{.step = -1}, "above 0"},
                {{.step = NAN}, "above 0"},
                {{.ratio = INFINITY}, "above 0"},
                {{.bound = -0.1}, "above 0"},
                {{.reserved = 1}, "reserved"}};
    begin(0);
    struct network n = {.asked = 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qnt_teq_spec spec = rows[i].spec;
        spec.size = sizeof spec;
        FAILS(qnt_teq_search(c, weights, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID,
              rows[i].reason);
    }
    qnt_teq_spec spec = {.size = sizeof spec};
    CHECK(qnt_teq_search(NULL, weights, inputs, LAYERS, &spec, lose, &n) == QNT_E_INVALID);
    FAILS(qnt_teq_search(c, NULL, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID, "weights");
    FAILS(qnt_teq_search(c, weights, inputs, LAYERS, NULL, lose, &n), QNT_E_INVALID, "spec");
    FAILS(qnt_teq_search(c, weights, inputs, LAYERS, &spec, NULL, &n), QNT_E_INVALID, "loss");
    FAILS(qnt_teq_search(c, weights, inputs, 0, &spec, lose, &n), QNT_E_INVALID, "layers");
    FAILS(qnt_teq_search(c, weights, inputs, SIZE_MAX / 8, &spec, lose, &n), QNT_E_NOMEM, "");
    FAILS(qnt_teq_search(c, weights, weights, LAYERS, &spec, lose, &n), QNT_E_INVALID, "is also");
    qnt_quantizer *none[LAYERS] = {weights[0], NULL, weights[2]},
                  *twice[LAYERS] = {weights[0], weights[1], weights[0]},
                  *blind[LAYERS] = {create(NULL, 0), weights[1], weights[2]},
                  *mixed[LAYERS] = {create(data[0], QNT_LITERAL), weights[1], weights[2]};
    qnt_spec affine = {.size = sizeof affine};
    FAILS(qnt_teq_search(c, none, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID,
          "weights[1] is NULL");
    FAILS(qnt_teq_search(c, twice, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID, "is also");
    FAILS(qnt_teq_search(c, blind, inputs, LAYERS, &spec, lose, &n), QNT_E_STATE, "observe");
    FAILS(qnt_teq_search(c, mixed, inputs, LAYERS, &spec, lose, &n), QNT_E_INVALID, "QNT_LITERAL");
    qnt_quantizer_destroy(mixed[0]);
    OK(qnt_quantizer_create(c, &affine, &mixed[0]));
    FAILS(qnt_teq_search(c, mixed, inputs, LAYERS, &spec, lose, &n), QNT_E_UNSUPPORTED, "QNT_TEQ");
    qnt_quantizer_destroy(mixed[0]);
    qnt_quantizer_destroy(blind[0]);
    CHECK(n.asked == 0 && bits_of(weights[0]) == 6);
    end();
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(thresholds);
    RUN(bound);
    RUN(hostile);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
