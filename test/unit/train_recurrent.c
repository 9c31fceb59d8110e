/*
 * Recurrent networks with balanced weights, one step after the other: cells made of deployed layers
 * against the same cells in double. Gates see only states and inputs of few bits, as He et al. have
 * it (Effective Quantization Methods for Recurrent Neural Networks, arXiv 1611.10176): sigmoids
 * everywhere, so that whatever enters a matrix lies in [0, 1].
 */
#include "twin_case.h"

enum { INPUTS = 20, STATES = 16, WIDTH = INPUTS + STATES, MOST_ROWS = 4 * STATES, STEPS = 25 };

/* A matrix of a cell: as a layer, and as the numbers that the layer stands for. */
struct matrix {
    int64_t rows;
    float decoded[MOST_ROWS * WIDTH], bias[MOST_ROWS];
    qnt_layer *layer;
};

static int state_bits;
static qnt_quantizer *state_q; /* of activations in [0, 1] */
static int64_t compared, skipped;

static qnt_trainer *trainer(qnt_spec spec)
{
    qnt_trainer *t = NULL;
    spec.size = sizeof spec;
    CHECK_MSG(qnt_trainer_create(c, &spec, &t) == QNT_OK, "%s", check_reason);
    return t;
}

/* Kernels go through tanh before they are balanced; training passes gradients on as they are. */
static void matrix_new(struct matrix *m, int64_t rows, int bits, float bias)
{
    static float w[MOST_ROWS * WIDTH], upstream[MOST_ROWS * WIDTH], gradient[MOST_ROWS * WIDTH];
    qnt_layer_spec spec = {.size = sizeof spec};
    qnt_quantizer *q = NULL;
    qnt_tensor *weight = TENSOR(w, QNT_FLOAT, 32, rows, WIDTH);
    *m = (struct matrix){.rows = rows};
    for (int64_t i = 0; i < rows * WIDTH; i++) {
        w[i] = (float)tanh(random_gauss()), upstream[i] = (float)random_gauss();
    }
    for (int64_t i = 0; i < rows; i++) m->bias[i] = bias + (float)(0.2 * random_gauss());
    qnt_trainer *t = trainer(
        (qnt_spec){.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = bits, .flags = QNT_SIGNED});
    OK(qnt_trainer_start(c, t, weight));
    OK(qnt_trainer_backward(c, t, weight, TENSOR(upstream, QNT_FLOAT, 32, rows, WIDTH),
                            TENSOR(gradient, QNT_FLOAT, 32, rows, WIDTH), NULL, 0));
    CHECK(!memcmp(upstream, gradient, (size_t)(rows * WIDTH) * sizeof *gradient));
    OK(qnt_trainer_export(c, t, weight, &q));
    OK(qnt_layer_create(c, &spec, weight, q, TENSOR(m->bias, QNT_FLOAT, 32, rows), state_q, NULL,
                        &m->layer));
    OK(qnt_trainer_forward(c, t, weight, TENSOR(m->decoded, QNT_FLOAT, 32, rows, WIDTH)));
    qnt_quantizer_destroy(q), qnt_trainer_destroy(t);
}

/* Deployed, and in double. */
static void multiply(const struct matrix *m, const float *x, const float *h, float *y, double *want)
{
    float in[WIDTH];
    memcpy(in, x, INPUTS * sizeof *in), memcpy(in + INPUTS, h, STATES * sizeof *in);
    OK(run(m->layer, TENSOR(in, QNT_FLOAT, 32, 1, WIDTH), TENSOR(y, QNT_FLOAT, 32, 1, m->rows)));
    for (int64_t r = 0; r < m->rows; r++) {
        double size = fabs((double)m->bias[r]);
        want[r] = (double)m->bias[r];
        for (int64_t k = 0; k < WIDTH; k++) {
            double term = (double)m->decoded[r * WIDTH + k] * (double)in[k];
            want[r] += term, size += fabs(term);
        }
        CHECK_MSG(fabs((double)y[r] - want[r]) <= 1e-6 * size, "row %lld: %g, expected %g",
                  (long long)r, (double)y[r], want[r]);
    }
}

static double sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

/* values = round_bit(values), each the multiple of 1 / (2^bits - 1) next to what is expected. */
static void round_states(float *values, const double *want, int64_t n)
{
    const double steps = (1 << state_bits) - 1;
    qnt_tensor *t = TENSOR(values, QNT_FLOAT, 32, n);
    OK(qnt_quantizer_apply(c, state_q, t, t));
    for (int64_t i = 0; i < n; i++) {
        double place = (double)values[i] * steps, exact = want[i] * steps;
        CHECK_MSG(fabs(place - rint(place)) < 1e-5 && place > -0.5 && place < steps + 0.5,
                  "%d bits: state %g", state_bits, (double)values[i]);
        bool tie = fabs(exact - floor(exact) - 0.5) < 1e-4; /* either is right */
        if (!tie) CHECK_MSG(rint(place) == rint(exact), "%g, expected %g", place, exact);
        compared += !tie, skipped += tie;
    }
}

static void random_input(float *x)
{
    double want[INPUTS];
    for (int i = 0; i < INPUTS; i++) x[i] = (float)random_unit(), want[i] = (double)x[i];
    round_states(x, want, INPUTS);
}

/* [r, u] = sigmoid(W_g [x, h] + b), candidate = round(sigmoid(W_c [x, round(r h)] + b)),
 * h = round(u h + (1 - u) candidate). */
static void gru(int bits)
{
    struct matrix gates, last;
    float x[INPUTS], h[STATES], reset[STATES], candidate[STATES], gate[STATES], y[MOST_ROWS];
    double exact[MOST_ROWS], u[STATES], want[STATES];
    matrix_new(&gates, 2 * STATES, bits, 1.0f), matrix_new(&last, STATES, bits, 0.0f);
    for (int i = 0; i < STATES; i++) want[i] = sigmoid(0), h[i] = (float)want[i];
    round_states(h, want, STATES);
    for (int step = 0; step < STEPS; step++) {
        random_input(x);
        multiply(&gates, x, h, y, exact);
        for (int i = 0; i < STATES; i++) {
            reset[i] = (float)(sigmoid((double)y[i]) * (double)h[i]);
            want[i] = sigmoid(exact[i]) * (double)h[i];
            u[i] = sigmoid(exact[STATES + i]);
            gate[i] = (float)sigmoid((double)y[STATES + i]);
        }
        round_states(reset, want, STATES);
        multiply(&last, x, reset, y, exact);
        for (int i = 0; i < STATES; i++) {
            candidate[i] = (float)sigmoid((double)y[i]), want[i] = sigmoid(exact[i]);
        }
        round_states(candidate, want, STATES);
        for (int i = 0; i < STATES; i++) {
            want[i] = u[i] * (double)h[i] + (1 - u[i]) * (double)candidate[i];
            h[i] = gate[i] * h[i] + (1 - gate[i]) * candidate[i];
        }
        round_states(h, want, STATES);
    }
    qnt_layer_destroy(gates.layer), qnt_layer_destroy(last.layer);
}

/* [i, g, f, o] = W [x, h] + b, cell = cell sigmoid(f + 1) + sigmoid(i) sigmoid(g), which stays a
 * float, h = round(sigmoid(cell) sigmoid(o)). */
static void lstm(int bits)
{
    struct matrix all;
    float x[INPUTS], h[STATES] = {0}, cell[STATES] = {0}, y[MOST_ROWS];
    double exact[MOST_ROWS], want[STATES], want_cell[STATES] = {0};
    matrix_new(&all, 4 * STATES, bits, 0.0f);
    for (int step = 0; step < STEPS; step++) {
        random_input(x);
        multiply(&all, x, h, y, exact);
        for (int i = 0; i < STATES; i++) {
            const float *g = y + STATES, *f = g + STATES, *o = f + STATES;
            const double *eg = exact + STATES, *ef = eg + STATES, *eo = ef + STATES;
            cell[i] = (float)((double)cell[i] * sigmoid((double)f[i] + 1) +
                              sigmoid((double)y[i]) * sigmoid((double)g[i]));
            want_cell[i] = want_cell[i] * sigmoid(ef[i] + 1) + sigmoid(exact[i]) * sigmoid(eg[i]);
            CHECK_MSG(fabs((double)cell[i] - want_cell[i]) < 1e-5 * (1 + want_cell[i]),
                      "step %d: cell %g, expected %g", step, (double)cell[i], want_cell[i]);
            h[i] = (float)(sigmoid((double)cell[i]) * sigmoid((double)o[i]));
            want[i] = sigmoid(want_cell[i]) * sigmoid(eo[i]);
        }
        round_states(h, want, STATES);
    }
    qnt_layer_destroy(all.layer);
}

static void cells(void)
{
    for (int i = 0; i < ROUNDS(24); i++) {
        state_bits = 1 + i % 4;
        qnt_trainer *t =
            trainer((qnt_spec){.scheme = QNT_AFFINE, .method = QNT_DOREFA, .bits = state_bits});
        float one[2] = {0, 1};
        OK(qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0));
        OK(qnt_trainer_start(c, t, TENSOR(one, QNT_FLOAT, 32, 2)));
        OK(qnt_trainer_export(c, t, TENSOR(one, QNT_FLOAT, 32, 2), &state_q));
        gru(1 + i / 4 % 3);
        lstm(1 + i / 4 % 3);
        qnt_trainer_destroy(t), qnt_quantizer_destroy(state_q);
        state_q = NULL;
    }
    CHECK_MSG(skipped * 50 < compared, "%lld of %lld states were not compared", (long long)skipped,
              (long long)compared);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(cells);
    qnt_context_destroy(c);
    return DONE;
}
