/*
 * Trains the anchors of a kernel map with labels (Mairal 2016), on handwritten digits.
 *
 *     kernel_map_labels examples/data/digits.bin [SEEDS]
 *
 * Eight anchors of 5x5 are learned without labels first. Then a softmax classifier is trained on the
 * pooled maps, scaled to mean 0 and deviation 1, twice, equally long and from the same start: with
 * these anchors as they are, and with anchors that follow the gradient of the loss, which
 * qnt_ckn_backward() gives. Percent right of 797 digits that neither has seen, by the bits of anchors
 * and patches: the gradient passes through the rounding.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "models.h"
#include "qnt.h"

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    CLASSES = 10,
    FILTERS = 8,
    PATCH = 25,
    ANCHORS = FILTERS * PATCH,
    FEATURES = 16 * FILTERS,
    WEIGHTS = (FEATURES + 1) * CLASSES,
    TRAINED = 1000,
    MEASURED = 797,
    BATCH = 100,
    EPOCHS = 20
};

/* Adam (Kingma and Ba 2015) for n numbers. */
struct adam {
    double mean[WEIGHTS], square[WEIGHTS];
    int steps;
};

struct trainer {
    const qnt_context *context;
    qnt_ckn *map;
    uint8_t label[TRAINED + MEASURED];
    float pixels[(TRAINED + MEASURED) * PIXELS];
    float maps[TRAINED * FEATURES], gradient[BATCH * FEATURES];
    float mean[FEATURES], inverse[FEATURES]; /* that scale maps */
    float weight[WEIGHTS]; /* [FEATURES + 1][CLASSES]; the last row is the bias */
    float anchor[ANCHORS];
    void *space;
    size_t bytes;
};

static void check(qnt_status status)
{
    if (!status) return;
    fprintf(stderr, "kernel_map_labels: %s\n", qnt_status_name(status));
    exit(1);
}

static qnt_tensor tensor(float *data, int ndim, int64_t *shape)
{
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = ndim,
                        .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32,
                        .dtype_lanes = 1,
                        .shape = shape};
}

static void step(struct adam *a, float *x, const double *gradient, int n, double rate)
{
    a->steps++;
    for (int i = 0; i < n; i++) {
        a->mean[i] = 0.9 * a->mean[i] + 0.1 * gradient[i];
        a->square[i] = 0.999 * a->square[i] + 0.001 * gradient[i] * gradient[i];
        double mean = a->mean[i] / (1 - pow(0.9, a->steps));
        double square = a->square[i] / (1 - pow(0.999, a->steps));
        x[i] -= (float)(rate * mean / (sqrt(square) + 1e-8));
    }
}

static void map_images(struct trainer *t, int first, int count)
{
    int64_t in[4] = {count, SIDE, SIDE, 1}, out[4] = {count, 4, 4, FILTERS};
    qnt_tensor x = tensor(t->pixels + first * PIXELS, 4, in), y = tensor(t->maps, 4, out);
    check(qnt_ckn_run(t->context, t->map, &x, &y, t->space, t->bytes));
    for (int i = 0; i < count * FEATURES; i++)
        t->maps[i] = (t->maps[i] - t->mean[i % FEATURES]) * t->inverse[i % FEATURES];
}

/* Means and deviations of the maps that the first anchors make. */
static void find_scale(struct trainer *t)
{
    for (int f = 0; f < FEATURES; f++) t->mean[f] = 0, t->inverse[f] = 1;
    map_images(t, 0, TRAINED);
    for (int f = 0; f < FEATURES; f++) {
        double sum = 0, square = 0;
        for (int r = 0; r < TRAINED; r++) {
            double x = (double)t->maps[r * FEATURES + f];
            sum += x / TRAINED, square += x * x / TRAINED;
        }
        t->mean[f] = (float)sum;
        t->inverse[f] = (float)(1 / sqrt(square - sum * sum + 1e-6));
    }
}

/* Probabilities of the classes; answers with the most likely one. */
static int classify(const struct trainer *t, const float *map, double *p)
{
    int best = 0;
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) {
        p[c] = (double)t->weight[FEATURES * CLASSES + c];
        for (int f = 0; f < FEATURES; f++)
            p[c] += (double)map[f] * (double)t->weight[f * CLASSES + c];
        best = p[c] > p[best] ? c : best;
    }
    const double most = p[best];
    for (int c = 0; c < CLASSES; c++) sum += p[c] = exp(p[c] - most);
    for (int c = 0; c < CLASSES; c++) p[c] /= sum;
    return best;
}

/* The gradient of the mean cross-entropy of a batch by the weights, and by the maps. */
static void differentiate(struct trainer *t, const uint8_t *label, double *by_weight)
{
    memset(by_weight, 0, WEIGHTS * sizeof *by_weight);
    for (int r = 0; r < BATCH; r++) {
        const float *map = t->maps + r * FEATURES;
        double p[CLASSES];
        classify(t, map, p);
        for (int c = 0; c < CLASSES; c++) p[c] = (p[c] - (label[r] == c)) / BATCH;
        for (int f = 0; f < FEATURES; f++) {
            double sum = 0;
            for (int c = 0; c < CLASSES; c++) {
                sum += p[c] * (double)t->weight[f * CLASSES + c];
                by_weight[f * CLASSES + c] += p[c] * (double)map[f];
            }
            t->gradient[r * FEATURES + f] = (float)sum * t->inverse[f];
        }
        for (int c = 0; c < CLASSES; c++) by_weight[FEATURES * CLASSES + c] += p[c];
    }
}

/* One step along the sphere: setting anchors normalises and rounds them. */
static void move_anchors(struct trainer *t, struct adam *adam, int first)
{
    int64_t in[4] = {BATCH, SIDE, SIDE, 1}, out[4] = {BATCH, 4, 4, FILTERS};
    int64_t shape[2] = {FILTERS, PATCH};
    float gradient[ANCHORS];
    double wide[ANCHORS];
    qnt_tensor x = tensor(t->pixels + first * PIXELS, 4, in), dy = tensor(t->gradient, 4, out);
    qnt_tensor by_anchors = tensor(gradient, 2, shape), anchors = tensor(t->anchor, 2, shape);
    check(qnt_ckn_backward(t->context, t->map, &x, &dy, NULL, &by_anchors, NULL));
    for (int i = 0; i < ANCHORS; i++) wide[i] = (double)gradient[i];
    step(adam, t->anchor, wide, ANCHORS, 0.003);
    check(qnt_ckn_set(t->context, t->map, &anchors));
}

/* Percent right after training the classifier, and the anchors too if asked for. */
static double train(struct trainer *t, bool with_anchors)
{
    static struct adam for_weights, for_anchors;
    static double by_weight[WEIGHTS];
    int right = 0;
    memset(&for_weights, 0, sizeof for_weights), memset(&for_anchors, 0, sizeof for_anchors);
    memset(t->weight, 0, sizeof t->weight);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        for (int first = 0; first < TRAINED; first += BATCH) {
            map_images(t, first, BATCH);
            differentiate(t, t->label + first, by_weight);
            step(&for_weights, t->weight, by_weight, WEIGHTS, 0.01);
            if (with_anchors) move_anchors(t, &for_anchors, first);
        }
    }
    map_images(t, TRAINED, MEASURED);
    for (int r = 0; r < MEASURED; r++) {
        double p[CLASSES];
        right += classify(t, t->maps + r * FEATURES, p) == t->label[TRAINED + r];
    }
    return 100.0 * right / MEASURED;
}

static int32_t read_image(void *user, uint64_t index, float *image)
{
    const struct trainer *t = user;
    memcpy(image, t->pixels + index * PIXELS, PIXELS * sizeof *image);
    return 0;
}

/* Writers follow each other in the file; 1009 steps at a time mix them. */
static void read_digits(struct trainer *t, const struct dataset *set)
{
    for (int i = 0; i < TRAINED + MEASURED; i++) {
        int record = i * 1009 % (TRAINED + MEASURED);
        dataset_batch(set, &digits_input, record, 1, t->pixels + i * PIXELS);
        t->label[i] = set->label[record];
    }
}

/* Percent right with anchors as they were learned without labels, and with trained ones. */
static void compare(struct trainer *t, int bits, uint64_t seed, double result[2])
{
    int64_t in[4] = {TRAINED, SIDE, SIDE, 1}, shape[2] = {FILTERS, PATCH};
    qnt_tensor x = tensor(t->pixels, 4, in), anchors = tensor(t->anchor, 2, shape);
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = 1,
                         .kernel = 5,
                         .pad = 2,
                         .filters = FILTERS,
                         .subsample = 2,
                         .anchor_bits = bits,
                         .patch_bits = bits,
                         .seed = seed};
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = TRAINED,
                         .patches = 20000,
                         .read = read_image,
                         .user = t};
    check(qnt_ckn_create(t->context, &spec, &t->map));
    check(qnt_ckn_fit(t->context, t->map, &data));
    check(qnt_ckn_get(t->context, t->map, &anchors));
    check(qnt_ckn_workspace(t->context, t->map, &x, &t->bytes));
    if (!(t->space = malloc(t->bytes))) exit(1);
    find_scale(t);
    for (int i = 0; i < 2; i++) result[i] = train(t, i == 1);
    free(t->space);
    qnt_ckn_destroy(t->map);
}

static void print_log(void *user, int32_t level, const char *message)
{
    (void)user, (void)level;
    fprintf(stderr, "libqnt: %s\n", message);
}

int main(int argc, char **argv)
{
    static const int bits[] = {32, 4};
    static struct trainer t;
    struct dataset set;
    qnt_context *context = NULL;
    const int seeds = argc > 2 ? atoi(argv[2]) : 1;
    double gain = 0;
    if (argc < 2 || argc > 3 || seeds < 1) {
        fprintf(stderr, "usage: %s digits.bin [SEEDS]\n", argv[0]);
        return 2;
    }
    const char *reason = dataset_read_records(argv[1], &digits_form, &set);
    if (!reason && set.count < TRAINED + MEASURED) reason = "the file has too few records";
    if (reason || qnt_context_create(NULL, NULL, NULL, &context)) {
        fprintf(stderr, "kernel_map_labels: %s\n", reason ? reason : "no context");
        return 1;
    }
    qnt_context_set_log(context, print_log, NULL, QNT_LOG_ERROR);
    t.context = context;
    read_digits(&t, &set);
    printf("\nEight anchors of 5x5, %% right of %d digits held out, means over %d seeds\n\n", MEASURED,
           seeds);
    printf("  bits  without labels  with labels\n");
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
        double sum[2] = {0};
        for (int seed = 0; seed < seeds; seed++) {
            double result[2];
            compare(&t, bits[b], (uint64_t)seed, result);
            sum[0] += result[0] / seeds, sum[1] += result[1] / seeds;
        }
        printf("  %4d  %14.2f  %11.2f\n", bits[b], sum[0], sum[1]);
        gain += sum[1] - sum[0];
    }
    qnt_context_destroy(context);
    dataset_free(&set);
    return gain > 0 ? 0 : 1;
}
