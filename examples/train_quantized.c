/*
 * Fine-tunes a network with every trainable quantizer, deploys what was trained, and measures that.
 *
 *     train_quantized digits examples/data/digits.bin build/digits.safetensors
 *     train_quantized resnet20 DATA [EPOCHS [METHOD [BITS [RATE]]]]
 *
 * The first trains on records 0..1199 and measures on 1200..1796, in seconds. The second starts
 * from the pretrained ResNet-20, trains on the 10,000 CIFAR-10 images of the folder and measures on
 * the test set: minutes for each row. "deployed" is what the layers made of the trained network
 * answer, "rounded" what they answer without any training (to the first 1000). "differs" compares
 * with what the training program computes itself with rounded weights and activations. The same
 * seed gives the same bits.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "experiment.h"
#include "models.h"
#include "train/bases.h"

#define METHODS(bits_w, bits_a)                                                                    \
    {"LSQ", QNT_LSQ, QNT_LSQ, bits_w, bits_a, 0, 0},                                                  \
        {"LSQ+", QNT_LSQ, QNT_LSQPLUS, bits_w, bits_a, 0, 0},                                         \
        {"DoReFa, PACT", QNT_DOREFA, QNT_PACT, bits_w, bits_a, 0, 0},                                 \
        {"EWGS", QNT_EWGS, QNT_EWGS, bits_w, bits_a, 0, 0},                                           \
        {"PalQuant's interval", QNT_INTERVAL, QNT_INTERVAL, bits_w, bits_a, 0, 0},                    \
        {"N2UQ", QNT_N2UQ, QNT_N2UQ, bits_w, bits_a, 0, 0},                                           \
        {"Quantization Networks", QNT_STAIRCASE, QNT_LSQ, bits_w, bits_a, 0, 0},                      \
        {"Balanced", QNT_BALANCED, QNT_LSQ, bits_w, bits_a, 0, 0},                                    \
        {"RQ", QNT_RQ, QNT_LSQ, bits_w, bits_a, 0, 0}, {"SRQ", QNT_SRQ, QNT_LSQ, bits_w, bits_a, 0, 0},  \
    {                                                                                              \
        "SRQ + DropBits", QNT_SRQ, QNT_LSQ, bits_w, bits_a, 0.9, 0                                  \
    }

#define ALQ(mean)                                                                                  \
    {                                                                                              \
        "ALQ", QNT_ALQ, 0, mean > 1 ? 4 : 3, 0, 0, mean                                            \
    }

static const struct row {
    const char *name;
    int weight_method, value_method, weight_bits, value_bits;
    double keep;
    double mean_bits;
} rows[] = {METHODS(4, 4), METHODS(3, 3), METHODS(2, 2),
            ALQ(2.0),      ALQ(1.5),      ALQ(1.0),
            ALQ(0.7)};

enum { ROWS = sizeof rows / sizeof *rows };

struct task {
    const char *weights;
    struct graph *(*model)(const struct safetensors *file);
    struct samples train, test;
    int batch, shift;
    double epochs, rate;
    bool mirror;
    const char *only; /* the name of one method; NULL: all */
    int bits;         /* only rows of so many; 0: all */
    double least;     /* percent right that any method must reach, or something is broken */
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double right_percent(const struct samples *s, const float *logits, int classes)
{
    int right = 0;
    for (int i = 0; i < s->count; i++, logits += classes) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (logits[c] > logits[best]) best = c;
        right += best == s->set->label[s->first + i];
    }
    return 100.0 * right / s->count;
}

static const char *load(const struct task *task, struct graph **graph)
{
    struct safetensors file;
    const char *reason = safetensors_read(task->weights, &file);
    if (reason) return reason;
    *graph = task->model(&file);
    safetensors_free(&file);
    if (!*graph) return "out of memory";
    return (*graph)->problem[0] ? (*graph)->problem : NULL;
}

struct figures {
    double bits, rounded, deployed, loss, seconds;
    size_t bytes;
    struct outcome outcome;
    double differs; /* deployed logits from the trainer's, relative */
};

/* Root mean square of the difference over that of a. Sums of floats and of integers differ in their
 * last bits; where a value lies that near to a threshold its code differs by one. */
static double difference(const float *a, const float *b, size_t n)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)a[i] * (double)a[i];
    }
    return sqrt(sum / size);
}

static const char *deploy(const struct laboratory *lab,
                          const struct samples *samples, struct tuning *tuning, float *logits,
                          struct figures *f)
{
    struct quantized quantized;
    struct runner runner;
    const char *reason = tuning_deploy(tuning, lab->serial, &quantized);
    if (reason) return reason;
    f->bytes = quantized.weight_bytes;
    if (!quantized_runner(tuning->graph, &quantized, &runner) ||
        !evaluate(&lab->crew, &runner, samples, logits, &f->outcome))
        reason = "the deployed network failed";
    quantized_free(&quantized);
    return reason;
}

static const char *run_row(const struct laboratory *lab, const struct task *task,
                           const struct row *row, struct figures *f)
{
    struct graph *graph = NULL;
    struct tuning tuning = {0};
    struct schedule schedule = {.name = row->name,
                                .weight_method = row->weight_method,
                                .value_method = row->value_method,
                                .weight_bits = row->weight_bits,
                                .value_bits = row->value_bits,
                                .keep = row->keep,
                                .mean_bits = row->mean_bits,
                                .bases_rate = 0.02,
                                .rate = task->rate,
                                .epochs = task->epochs,
                                .batch = task->batch,
                                .shift = task->shift,
                                .mirror = task->mirror,
                                .seed = 1};
    const char *reason = load(task, &graph);
    if (reason) return reason;
    const int classes = graph->node[graph->count - 1].channels;
    const size_t results = (size_t)task->test.count * (size_t)classes;
    float *trained = malloc(results * sizeof *trained),
          *deployed = malloc(results * sizeof *deployed);
    struct samples few = task->test;
    if (few.count > 1000) few.count = 1000;
    double start = seconds();
    if (!trained || !deployed) reason = "out of memory";
    if (!reason)
        reason =
            tuning_begin(lab->context, lab->crew.pool, graph, &schedule, &task->train, &tuning);
    if (!reason) reason = deploy(lab, &few, &tuning, deployed, f);
    if (!reason) f->rounded = right_percent(&few, deployed, classes);
    if (!reason) reason = tuning_run(&tuning, tuning.steps, &f->loss);
    f->seconds = seconds() - start;
    f->bits = row->weight_method == QNT_ALQ ? bases_bits(&tuning) : row->weight_bits;
    if (!reason) reason = tuning_apply(&tuning, &few, trained);
    if (!reason) reason = deploy(lab, &task->test, &tuning, deployed, f);
    if (!reason) {
        f->deployed = right_percent(&task->test, deployed, classes);
        f->differs = difference(trained, deployed, (size_t)few.count * (size_t)classes);
    }
    tuning_free(&tuning);
    graph_free(graph);
    free(trained);
    free(deployed);
    return reason;
}

static int run(const struct laboratory *lab, const struct task *task, const char *title)
{
    printf("\n%s, fine-tuned %g epochs on %d samples, measured on %d others\n\n", title,
           task->epochs, task->train.count, task->test.count);
    printf("  %-22s %4s %2s %9s %9s %7s %9s %8s %8s %7s\n", "quantizer", "W", "A", "bytes",
           "rounded %", "loss", "deployed%", "differs", "ms each", "train s");
    for (int i = 0; i < ROWS; i++) {
        struct figures f = {0};
        if (task->only && strcmp(task->only, rows[i].name)) continue;
        if (task->bits && task->bits != rows[i].weight_bits) continue;
        const bool alq = rows[i].weight_method == QNT_ALQ;
        if (i && !strcmp(rows[i].name, rows[0].name)) printf("\n");
        const char *reason = run_row(lab, task, &rows[i], &f);
        if (reason) {
            fprintf(stderr, "%s: %s\n", rows[i].name, reason);
            return 1;
        }
        printf("  %-22s %4.*f %2d %9zu %9.2f %7.4f %9.2f %8.0e %8.4f %7.1f\n", rows[i].name,
               alq ? 2 : 0, f.bits, alq ? 32 : rows[i].value_bits, f.bytes, f.rounded, f.loss, f.deployed,
               f.differs, 1e3 * f.outcome.seconds / f.outcome.count, f.seconds);
        fflush(stdout);
        if (f.deployed < task->least) {
            fprintf(stderr, "%s: %.2f %% is less than %.2f\n", rows[i].name, f.deployed,
                    task->least);
            return 1;
        }
        if (f.differs > 0.05) {
            fprintf(stderr, "%s: the deployed network differs from the trained one\n",
                    rows[i].name);
            return 1;
        }
    }
    return 0;
}

static int run_digits(const struct laboratory *lab, char **argument)
{
    enum { TRAINED = 1200 };
    struct dataset set;
    const char *reason = dataset_read_records(argument[0], &digits_form, &set);
    if (!reason && set.count <= TRAINED) reason = "no records are left to hold out";
    if (reason) {
        fprintf(stderr, "train_quantized: %s\n", reason);
        return 1;
    }
    struct task task = {.weights = argument[1],
                        .model = model_digits,
                        .train = {&set, &digits_input, 0, TRAINED},
                        .test = {&set, &digits_input, TRAINED, set.count - TRAINED},
                        .epochs = 6,
                        .batch = 24,
                        .shift = 1,
                        .rate = 0.005,
                        .least = 94};
    int failed = run(lab, &task, "Handwritten digits, 8x8");
    dataset_free(&set);
    return failed;
}

static int run_resnet(const struct laboratory *lab, char **argument, int count)
{
    char train[1024], test[1024], weights[1024];
    struct dataset train_set, test_set;
    snprintf(train, sizeof train, "%s/cifar10_train10k.bin", argument[0]);
    snprintf(test, sizeof test, "%s/cifar10_test.bin", argument[0]);
    snprintf(weights, sizeof weights, "%s/cifar10_resnet20.safetensors", argument[0]);
    const char *reason = dataset_read_records(train, &cifar10_form, &train_set);
    if (!reason) reason = dataset_read_records(test, &cifar10_form, &test_set);
    if (reason) {
        fprintf(stderr, "train_quantized: %s\n", reason);
        return 1;
    }
    struct task task = {.weights = weights,
                        .model = model_resnet20,
                        .train = {&train_set, &resnet_input, 0, train_set.count},
                        .test = {&test_set, &resnet_input, 0, test_set.count},
                        .epochs = count > 1 ? atof(argument[1]) : 2,
                        .batch = 32,
                        .shift = 4,
                        .rate = count > 4 ? atof(argument[4]) : 0.01,
                        .mirror = true,
                        .only = count > 2 ? argument[2] : NULL,
                        .bits = count > 3 ? atoi(argument[3]) : 0};
    int failed = run(lab, &task, "CIFAR-10 ResNet-20");
    dataset_free(&train_set);
    dataset_free(&test_set);
    return failed;
}

int main(int argc, char **argv)
{
    struct laboratory lab;
    bool digits = argc == 4 && !strcmp(argv[1], "digits"),
         resnet = argc >= 3 && !strcmp(argv[1], "resnet20");
    if (!digits && !resnet) {
        fprintf(stderr,
                "usage: %s digits digits.bin weights.safetensors | resnet20 DATA [EPOCHS [METHOD "
                "[BITS [RATE]]]]\n",
                argv[0]);
        return 2;
    }
    if (!laboratory_open(&lab)) return 1;
    int failed = digits ? run_digits(&lab, argv + 2) : run_resnet(&lab, argv + 2, argc - 2);
    laboratory_close(&lab);
    return failed;
}
