/*
 * Trains a small convolutional network on handwritten digits and writes its float weights.
 *
 *     train_digits examples/data/digits.bin build/digits.safetensors
 *
 * 8x8 -> conv 3x3, 16, ReLU -> conv 3x3 stride 2, 32, ReLU -> dense 10; cross entropy, Adam
 * (Kingma, Ba 2015), images shifted by up to one pixel. Only the first 1,200 records are used. The
 * same seed gives the same weights. It uses nothing of libqnt: digits.c quantizes what it writes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "models.h"
#include "progress.h"
#include "reference.h"
#include "safetensors.h"

enum { TRAINING = 1200, BATCH = 24, EPOCHS = 40, LAYERS = 3, CLASSES = 10, SIDE = 8 };

/* Each layer is a convolution of kernel x kernel; the dense one sees all of its 4 x 4 input. */
struct layer {
    const char *name;
    int in, channels;          /* side and channels of the input */
    int out, n;                /* side and channels of the output */
    int kernel, stride, pad;   /* padding above and on the left */
    float *weight, *bias;      /* [kernel][kernel][channels][n]; [n] follows it */
    float *gradient, *m, *v;   /* like weight and bias together */
    float *patch;              /* [BATCH x out x out][depth] */
    float *y, *dy;             /* [BATCH][out][out][n] */
};

static struct layer layers[LAYERS] = {
    {.name = "conv1",
     .in = 8,
     .channels = 1,
     .out = 8,
     .n = 16,
     .kernel = 3,
     .stride = 1,
     .pad = 1},
    {.name = "conv2",
     .in = 8,
     .channels = 16,
     .out = 4,
     .n = 32,
     .kernel = 3,
     .stride = 2,
     .pad = 0},
    {.name = "dense", .in = 4, .channels = 32, .out = 1, .n = CLASSES, .kernel = 4, .stride = 1},
};

static uint64_t state = 20240229;

static double uniform(void) /* xorshift64* (Vigna 2016) */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (double)(state * 0x2545f4914f6cdd1du >> 11) * 0x1p-53;
}

static int depth(const struct layer *l) { return l->kernel * l->kernel * l->channels; }
static int rows(const struct layer *l) { return BATCH * l->out * l->out; }
static int parameters(const struct layer *l) { return (depth(l) + 1) * l->n; }

static float *floats(int count)
{
    float *values = calloc((size_t)count, sizeof *values);
    if (!values) exit(1);
    return values;
}

static void prepare(struct layer *l)
{
    l->weight = floats(parameters(l));
    l->bias = l->weight + depth(l) * l->n;
    l->gradient = floats(parameters(l));
    l->m = floats(parameters(l));
    l->v = floats(parameters(l));
    l->patch = floats(rows(l) * depth(l));
    l->y = floats(rows(l) * l->n);
    l->dy = floats(rows(l) * l->n);
    double range = sqrt(6.0 / depth(l)); /* He et al. 2015 */
    for (int i = 0; i < depth(l) * l->n; i++) l->weight[i] = (float)(range * (2 * uniform() - 1));
}

/* Copies between an image and its patches: forward gathers, backward adds up. */
static void patches(const struct layer *l, float *x, float *patch, int backward)
{
    int c = l->channels;
    for (int r = 0; r < rows(l); r++) {
        float *image = x + r / (l->out * l->out) * l->in * l->in * c;
        int top = r / l->out % l->out * l->stride - l->pad, left = r % l->out * l->stride - l->pad;
        for (int k = 0; k < l->kernel * l->kernel; k++, patch += c) {
            int down = top + k / l->kernel, right = left + k % l->kernel;
            if (down < 0 || down >= l->in || right < 0 || right >= l->in) {
                if (!backward) memset(patch, 0, (size_t)c * sizeof *patch);
                continue;
            }
            float *at = image + (down * l->in + right) * c;
            for (int i = 0; i < c; i++) {
                if (backward) at[i] += patch[i];
                else patch[i] = at[i];
            }
        }
    }
}

static void forward(struct layer *l, float *x, int relu)
{
    patches(l, x, l->patch, 0);
    for (int r = 0; r < rows(l); r++) memcpy(l->y + r * l->n, l->bias, (size_t)l->n * sizeof *l->y);
    reference_multiply(l->patch, l->weight, l->y, rows(l), depth(l), l->n);
    for (int i = 0; relu && i < rows(l) * l->n; i++) l->y[i] = l->y[i] > 0 ? l->y[i] : 0;
}

/* From dy: the gradient of the parameters and, unless it is NULL, dx. */
static void backward(struct layer *l, float *dx, int relu)
{
    const int n = l->n, count = rows(l) * n;
    float *bias = l->gradient + depth(l) * n, *dy = l->dy;
    const float *y = l->y;
    const struct reference_product transposed = {l->patch, dy, l->gradient, depth(l), rows(l), n,
                                                 1, depth(l), n, n};
    for (int i = 0; relu && i < count; i++) dy[i] = y[i] > 0 ? dy[i] : 0;
    memset(l->gradient, 0, (size_t)parameters(l) * sizeof *l->gradient);
    reference_multiply_part(&transposed);
    for (int i = 0; i < count; i += n)
        for (int c = 0; c < n; c++) bias[c] += dy[i + c];
    if (!dx) return;
    static float turned[64 * 1024];
    reference_transpose(l->weight, turned, depth(l), n);
    memset(l->patch, 0, (size_t)(rows(l) * depth(l)) * sizeof *l->patch);
    reference_multiply(l->dy, turned, l->patch, rows(l), n, depth(l));
    memset(dx, 0, (size_t)(BATCH * l->in * l->in * l->channels) * sizeof *dx);
    patches(l, dx, l->patch, 1);
}

static void adam(struct layer *l, int step, double rate)
{
    double correct_m = 1 - pow(0.9, step), correct_v = 1 - pow(0.999, step);
    for (int i = 0; i < parameters(l); i++) {
        double g = l->gradient[i];
        l->m[i] = (float)(0.9 * l->m[i] + 0.1 * g);
        l->v[i] = (float)(0.999 * l->v[i] + 0.001 * g * g);
        l->weight[i] -= (float)(rate * (l->m[i] / correct_m / (sqrt(l->v[i] / correct_v) + 1e-8)));
    }
}

/* Softmax and cross entropy: dy of the last layer from its y. */
static void loss_gradient(struct layer *l, const uint8_t *label)
{
    for (int b = 0; b < BATCH; b++) {
        float *y = l->y + b * CLASSES, *dy = l->dy + b * CLASSES, top = y[0];
        double sum = 0;
        for (int c = 1; c < CLASSES; c++) top = y[c] > top ? y[c] : top;
        for (int c = 0; c < CLASSES; c++) sum += exp((double)y[c] - top);
        for (int c = 0; c < CLASSES; c++)
            dy[c] = (float)((exp((double)y[c] - top) / sum - (c == label[b])) / BATCH);
    }
}

/* One image, moved by up to a pixel in each direction. */
static void draw(const struct dataset *set, int index, float *out)
{
    float image[SIDE * SIDE];
    int down = (int)(3 * uniform()) - 1, right = (int)(3 * uniform()) - 1;
    dataset_batch(set, &digits_input, index, 1, image);
    for (int i = 0; i < SIDE * SIDE; i++) {
        int y = i / SIDE + down, x = i % SIDE + right;
        out[i] = y < 0 || y >= SIDE || x < 0 || x >= SIDE ? 0 : image[y * SIDE + x];
    }
}

static void train_batch(const struct dataset *set, const int *order, int step, double rate)
{
    static float x[BATCH * SIDE * SIDE];
    uint8_t label[BATCH];
    for (int b = 0; b < BATCH; b++) {
        label[b] = set->label[order[b]];
        draw(set, order[b], x + b * SIDE * SIDE);
    }
    for (int i = 0; i < LAYERS; i++) forward(&layers[i], i ? layers[i - 1].y : x, i + 1 < LAYERS);
    loss_gradient(&layers[LAYERS - 1], label);
    for (int i = LAYERS - 1; i >= 0; i--)
        backward(&layers[i], i ? layers[i - 1].dy : NULL, i + 1 < LAYERS);
    for (int i = 0; i < LAYERS; i++) adam(&layers[i], step, rate);
}

static void train(const struct dataset *set)
{
    struct progress progress;
    int order[TRAINING], step = 0, steps = EPOCHS * TRAINING / BATCH;
    for (int i = 0; i < TRAINING; i++) order[i] = i;
    progress_begin(&progress, "training the digits network");
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        for (int i = TRAINING - 1; i > 0; i--) {
            int j = (int)(uniform() * (i + 1)), other = order[j];
            order[j] = order[i];
            order[i] = other;
        }
        for (int i = 0; i < TRAINING; i += BATCH) {
            double share = (double)step++ / steps;
            train_batch(set, order + i, step, 0.003 * (1 + cos(3.14159265358979 * share)) / 2);
            progress_show(&progress, share);
        }
    }
    progress_end(&progress);
}

static const char *save(const char *path)
{
    struct safetensors_item items[2 * LAYERS];
    char names[2 * LAYERS][32];
    for (int i = 0; i < LAYERS; i++) {
        struct layer *l = &layers[i];
        float *turned = floats(depth(l) * l->n);
        int area = l->kernel * l->kernel, c = l->channels, dense = l->out == 1;
        for (int k = 0; k < depth(l); k++) /* files keep [n][channel][kernel][kernel] */
            for (int n = 0; n < l->n; n++)
                turned[n * depth(l) + k % c * area + k / c] = l->weight[k * l->n + n];
        snprintf(names[2 * i], sizeof names[0], "%s.weight", l->name);
        snprintf(names[2 * i + 1], sizeof names[0], "%s.bias", l->name);
        items[2 * i] = (struct safetensors_item){names[2 * i],
                                                 dense ? 2 : 4,
                                                 {l->n, dense ? depth(l) : c, l->kernel, l->kernel},
                                                 turned};
        items[2 * i + 1] = (struct safetensors_item){names[2 * i + 1], 1, {l->n}, l->bias};
    }
    return safetensors_write(path, items, 2 * LAYERS);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s digits.bin weights.safetensors\n", argv[0]);
        return 2;
    }
    struct dataset set;
    const char *reason = dataset_read_records(argv[1], &digits_form, &set);
    if (!reason && set.count < TRAINING) reason = "the file has fewer records than training takes";
    for (int i = 0; !reason && i < LAYERS; i++) prepare(&layers[i]);
    if (!reason) {
        train(&set);
        reason = save(argv[2]);
    }
    if (reason) fprintf(stderr, "train_digits: %s\n", reason);
    return reason ? 1 : 0;
}
