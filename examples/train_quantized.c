/*
 * Fine-tunes a network with every trainable quantizer, deploys what was trained, and measures that.
 *
 *     train_quantized digits examples/data/digits.bin build/digits.safetensors [OPTIONS]
 *     train_quantized resnet20 DATA [OPTIONS]
 *
 * Options: --epochs N, --method NAME, --bits N, --rate N (of weights), --numbers N (rate of what
 * quantizers learn), --seed N, --held N, --checkpoint FILE.
 *
 * The first trains on records 0..1199 and measures on 1200..1796, in seconds. The second starts
 * from the pretrained ResNet-20, trains on the 10,000 CIFAR-10 images of the folder and measures on
 * the test set: minutes for each row; one that was interrupted goes on from its checkpoint.
 * "deployed" is what the layers made of the trained network answer, "rounded" what they answer
 * without any training (to the first 1000 samples). "differs" compares with what the training
 * program computes itself with rounded weights and activations. With --held the last N training
 * images are not trained on and measured instead of the test set: for choosing a rate. The same
 * seed gives the same bits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"
#include "train/trial.h"

#define METHODS(bits_w, bits_a)                                                                    \
    {"LSQ", QNT_LSQ, QNT_LSQ, bits_w, bits_a, 0, 0},                                               \
        {"LSQ+", QNT_LSQ, QNT_LSQPLUS, bits_w, bits_a, 0, 0},                                      \
        {"DoReFa, PACT", QNT_DOREFA, QNT_PACT, bits_w, bits_a, 0, 0},                              \
        {"EWGS", QNT_EWGS, QNT_EWGS, bits_w, bits_a, 0, 0},                                        \
        {"PalQuant's interval", QNT_INTERVAL, QNT_INTERVAL, bits_w, bits_a, 0, 0},                 \
        {"N2UQ", QNT_N2UQ, QNT_N2UQ, bits_w, bits_a, 0, 0},                                        \
        {"Quantization Networks", QNT_STAIRCASE, QNT_LSQ, bits_w, bits_a, 0, 0},                   \
        {"Balanced", QNT_BALANCED, QNT_LSQ, bits_w, bits_a, 0, 0},                                 \
        {"LSQ, LQ-Nets", QNT_LSQ, QNT_LQ, bits_w, bits_a, 0, 0},                                   \
        {"RQ", QNT_RQ, QNT_LSQ, bits_w, bits_a, 0, 0},                                             \
        {"SRQ", QNT_SRQ, QNT_LSQ, bits_w, bits_a, 0, 0},                                           \
    {                                                                                              \
        "SRQ + DropBits", QNT_SRQ, QNT_LSQ, bits_w, bits_a, 0.9, 0                                 \
    }

/* With values in floats, or as sums of signs as well. */
#define ALQ(mean, bits_a)                                                                          \
    {                                                                                              \
        "ALQ", QNT_ALQ, QNT_ALQ, mean > 1 ? 4 : 3, bits_a, 0, mean                                 \
    }

static const struct row {
    const char *name;
    int weight_method, value_method, weight_bits, value_bits;
    double keep, mean_bits;
} rows[] = {METHODS(4, 4), METHODS(3, 3), METHODS(2, 2), ALQ(2.0, 0),
            ALQ(1.5, 0),   ALQ(1.0, 0),   ALQ(0.7, 0),   ALQ(2.0, 2)};

enum { ROWS = sizeof rows / sizeof *rows };

struct task {
    const char *weights;
    struct graph *(*model)(const struct safetensors *file);
    struct samples train, test;
    struct schedule schedule; /* without what a row says */
    const char *only;         /* the name of one method; NULL: all */
    int bits;                 /* only rows of so many; 0: all */
    int held;                 /* training samples to measure on instead of the test set */
    const char *checkpoint;   /* of one row; NULL: none */
    double least;             /* percent right that any method must reach, or something is broken */
};

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

static const char *run_row(const struct laboratory *lab, const struct task *task,
                           const struct row *row)
{
    struct figures f;
    struct trial trial = {.schedule = task->schedule,
                          .train = task->train,
                          .test = task->test,
                          .checkpoint = task->checkpoint};
    struct schedule *s = &trial.schedule;
    s->name = row->name;
    s->weight_method = row->weight_method, s->value_method = row->value_method;
    s->weight_bits = row->weight_bits, s->value_bits = row->value_bits;
    s->keep = row->keep, s->mean_bits = row->mean_bits;
    const char *reason = load(task, &trial.graph);
    if (!reason) reason = trial_run(lab, &trial, &f);
    if (!reason) trial_print(&trial, &f);
    graph_free(trial.graph);
    if (reason) return reason;
    return f.deployed < task->least ? "too few are right" : NULL;
}

static int run(const struct laboratory *lab, const struct task *task, const char *title)
{
    printf("\n%s, fine-tuned %g epochs on %d samples, measured on %d others\n\n", title,
           task->schedule.epochs, task->train.count, task->test.count);
    trial_head();
    for (int i = 0; i < ROWS; i++) {
        if (task->only && strcmp(task->only, rows[i].name)) continue;
        if (task->bits && task->bits != rows[i].weight_bits) continue;
        if (i && !strcmp(rows[i].name, rows[0].name)) printf("\n");
        const char *reason = run_row(lab, task, &rows[i]);
        if (!reason) continue;
        fprintf(stderr, "%s: %s\n", rows[i].name, reason);
        return 1;
    }
    return 0;
}

static int run_digits(const struct laboratory *lab, char **argument, struct task *task)
{
    enum { TRAINED = 1200 };
    struct dataset set;
    const char *reason = dataset_read_records(argument[0], &digits_form, &set);
    if (!reason && set.count <= TRAINED) reason = "no records are left to hold out";
    if (reason) {
        fprintf(stderr, "train_quantized: %s\n", reason);
        return 1;
    }
    task->weights = argument[1];
    task->train = (struct samples){&set, &digits_input, 0, TRAINED};
    task->test = (struct samples){&set, &digits_input, TRAINED, set.count - TRAINED};
    if (task->held > 0) trial_hold_out(&task->train, task->held, &task->test);
    int failed = run(lab, task, "Handwritten digits, 8x8");
    dataset_free(&set);
    return failed;
}

/* Options by pairs of a name and a value. */
static bool read_options(int count, char **argument, struct task *task)
{
    for (; count >= 2; count -= 2, argument += 2) {
        const char *name = argument[0], *value = argument[1];
        if (!strcmp(name, "--epochs"))
            task->schedule.epochs = atof(value);
        else if (!strcmp(name, "--method"))
            task->only = value;
        else if (!strcmp(name, "--bits"))
            task->bits = atoi(value);
        else if (!strcmp(name, "--rate"))
            task->schedule.rate = atof(value);
        else if (!strcmp(name, "--numbers"))
            task->schedule.numbers_rate = atof(value);
        else if (!strcmp(name, "--seed"))
            task->schedule.seed = (uint64_t)strtoull(value, NULL, 10);
        else if (!strcmp(name, "--held"))
            task->held = atoi(value);
        else if (!strcmp(name, "--checkpoint"))
            task->checkpoint = value;
        else
            return false;
    }
    return count == 0;
}

static int run_resnet(const struct laboratory *lab, const char *data, struct task *task)
{
    char train[1024], test[1024], weights[1024];
    struct dataset train_set, test_set;
    snprintf(train, sizeof train, "%s/cifar10_train10k.bin", data);
    snprintf(test, sizeof test, "%s/cifar10_test.bin", data);
    snprintf(weights, sizeof weights, "%s/cifar10_resnet20.safetensors", data);
    const char *reason = dataset_read_records(train, &cifar10_form, &train_set);
    if (!reason) reason = dataset_read_records(test, &cifar10_form, &test_set);
    if (reason) {
        fprintf(stderr, "train_quantized: %s\n", reason);
        return 1;
    }
    task->weights = weights;
    task->train = (struct samples){&train_set, &resnet_input, 0, train_set.count};
    task->test = (struct samples){&test_set, &resnet_input, 0, test_set.count};
    if (task->held > 0) trial_hold_out(&task->train, task->held, &task->test);
    int failed = run(lab, task, "CIFAR-10 ResNet-20");
    dataset_free(&train_set);
    dataset_free(&test_set);
    return failed;
}

static const struct task digits_task = {.model = model_digits,
                                        .schedule = {.epochs = 6,
                                                     .batch = 24,
                                                     .shift = 1,
                                                     .rate = 0.005,
                                                     .numbers_rate = 0.003,
                                                     .bases_rate = 0.02,
                                                     .seed = 1},
                                        .least = 90};

static const struct task resnet_task = {.model = model_resnet20,
                                        .schedule = {.epochs = 0.25,
                                                     .batch = 32,
                                                     .shift = 4,
                                                     .mirror = true,
                                                     .rate = 0.0005,
                                                     .numbers_rate = 0.01,
                                                     .bases_rate = 0.02,
                                                     .seed = 1}};

int main(int argc, char **argv)
{
    struct laboratory lab;
    const bool digits = argc >= 4 && !strcmp(argv[1], "digits"),
               resnet = argc >= 3 && !strcmp(argv[1], "resnet20");
    const int options = digits ? 4 : 3;
    struct task task = digits ? digits_task : resnet_task;
    if (!(digits || resnet) || !read_options(argc - options, argv + options, &task)) {
        fprintf(stderr,
                "usage: %s digits digits.bin weights.safetensors [OPTIONS]\n"
                "       %s resnet20 DATA [OPTIONS]\n"
                "options: --epochs N, --method NAME, --bits N, --rate N, --numbers N, --seed N, "
                "--held N, --checkpoint FILE\n",
                argv[0], argv[0]);
        return 2;
    }
    if (!laboratory_open(&lab)) return 1;
    int failed = digits ? run_digits(&lab, argv + 2, &task) : run_resnet(&lab, argv[2], &task);
    laboratory_close(&lab);
    return failed;
}
