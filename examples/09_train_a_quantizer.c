/*
 * Weights of two bits that learn: the host owns the loss and the optimizer, libqnt the quantizer.
 *
 * Introduces qnt_trainer_create, start, forward, backward, set and export. A small linear map is
 * fitted with 2-bit weights (learned step, Esser et al. 2020); then the exported quantizer encodes
 * them for a layer, whose results are those that training saw.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = 16, OUTPUTS = 4, SAMPLES = 64, STEPS = 400 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static float x[SAMPLES][INPUTS], target[SAMPLES][OUTPUTS];
static float w[OUTPUTS][INPUTS], used[OUTPUTS][INPUTS], gradient[OUTPUTS][INPUTS];

static float noise(void)
{
    static uint64_t state = 9;
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27; /* xorshift64* */
    return (float)(state * 0x2545f4914f6cdd1du >> 40) * 0x1p-23f - 1;
}

static qnt_tensor tensor(void *data, int code, int bits, int64_t *shape)
{
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = 2,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = shape};
}

static float output(const float *weight, const float *input)
{
    float sum = 0;
    for (int k = 0; k < INPUTS; k++) sum += weight[k] * input[k];
    return sum;
}

/* Half the mean square of the error with the weights in use, and its gradient by them. */
static float loss(void)
{
    float sum = 0;
    for (int o = 0; o < OUTPUTS; o++)
        for (int k = 0; k < INPUTS; k++) gradient[o][k] = 0;
    for (int s = 0; s < SAMPLES; s++) {
        for (int o = 0; o < OUTPUTS; o++) {
            float error = output(used[o], x[s]) - target[s][o];
            sum += error * error / (2 * SAMPLES);
            for (int k = 0; k < INPUTS; k++) gradient[o][k] += error * x[s][k] / SAMPLES;
        }
    }
    return sum;
}

int main(void)
{
    int64_t w_shape[] = {OUTPUTS, INPUTS}, x_shape[] = {SAMPLES, INPUTS},
            y_shape[] = {SAMPLES, OUTPUTS};
    qnt_tensor weight = tensor(w, QNT_FLOAT, 32, w_shape),
               in_use = tensor(used, QNT_FLOAT, 32, w_shape);
    qnt_tensor slope = tensor(gradient, QNT_FLOAT, 32, w_shape);
    for (int o = 0; o < OUTPUTS; o++)
        for (int k = 0; k < INPUTS; k++) w[o][k] = noise();
    for (int s = 0; s < SAMPLES; s++) {
        for (int k = 0; k < INPUTS; k++) x[s][k] = noise();
        for (int o = 0; o < OUTPUTS; o++) target[s][o] = output(w[o], x[s]);
    }
    for (int o = 0; o < OUTPUTS; o++) /* what they were is to be found again */
        for (int k = 0; k < INPUTS; k++) w[o][k] += noise();

    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    qnt_trainer *trainer;
    qnt_spec spec = {.size = sizeof spec,
                     .method = QNT_LSQ,
                     .bits = 2,
                     .flags = QNT_SIGNED,
                     .grain = QNT_PER_AXIS};
    TRY(qnt_trainer_create(context, &spec, &trainer));
    TRY(qnt_trainer_start(context, trainer, &weight));

    double theta[OUTPUTS], d_theta[OUTPUTS]; /* a step for each output */
    size_t count;
    TRY(qnt_trainer_get(context, trainer, QNT_P_THETA, theta, OUTPUTS, &count));
    float first = 0, last = 0;
    for (int step = 0; step < STEPS; step++) {
        TRY(qnt_trainer_forward(context, trainer, &weight, &in_use));
        last = loss();
        if (step == 0) first = last;
        TRY(qnt_trainer_backward(context, trainer, &weight, &slope, &slope, d_theta, count));
        float rate = 0.1f * (1 - (float)step / STEPS);
        for (int o = 0; o < OUTPUTS; o++) {
            theta[o] -= (double)rate * d_theta[o];
            for (int k = 0; k < INPUTS; k++) w[o][k] -= rate * gradient[o][k];
        }
        TRY(qnt_trainer_set(context, trainer, QNT_P_THETA, theta, count));
    }

    /* Deployed: an ordinary quantizer and an ordinary layer. */
    qnt_quantizer *quantizer;
    qnt_layer *layer;
    size_t bytes;
    static float y[SAMPLES][OUTPUTS];
    qnt_tensor in = tensor(x, QNT_FLOAT, 32, x_shape), out = tensor(y, QNT_FLOAT, 32, y_shape);
    qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE};
    TRY(qnt_trainer_export(context, trainer, NULL, &quantizer));
    TRY(qnt_layer_create(context, &dense, &weight, quantizer, NULL, NULL, NULL, &layer));
    TRY(qnt_layer_workspace(context, layer, &in, &bytes));
    void *workspace = malloc(bytes);
    if (!workspace) return 1;
    TRY(qnt_layer_run(context, layer, &in, &out, workspace, bytes));
    TRY(qnt_trainer_forward(context, trainer, &weight, &in_use));
    float largest = 0;
    for (int s = 0; s < SAMPLES; s++)
        for (int o = 0; o < OUTPUTS; o++)
            largest = fmaxf(largest, fabsf(y[s][o] - output(used[o], x[s])));
    int good = last < 0.7f * first && largest < 1e-5f;
    printf("2-bit weights: loss %.4f before, %.4f after %d steps; the layer differs by %.0e%s\n",
           (double)first, (double)last, STEPS, (double)largest, good ? "" : ": WRONG");
    free(workspace);
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(quantizer);
    qnt_trainer_destroy(trainer);
    qnt_context_destroy(context);
    return !good;
}
