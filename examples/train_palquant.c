/*
 * PalQuant (Hu et al., ECCV 2022): two parallel 2-bit networks in one against one of 4 bits.
 *
 *     train_palquant DATA [--epochs N] [--width N] [--rate N] [--seed N] [--held N]
 *
 * A residual network of three stages is trained from random weights on the 10,000 CIFAR-10 images
 * of the folder, deployed and measured on the test set: dense with 4 and with 2 bits, and with 2
 * bits in two groups, each as wide as the dense network, so that its weights take as much memory as
 * the dense ones of 4 bits. Groups meet in convolutions that read the next group, after each stage
 * but the last, and in the channel shuffle of blocks that halve the image. Same quantizer, epochs
 * and seed for all; the first and the last layer have 8 bits. Minutes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"
#include "train/trial.h"

static const int three[2] = {3, 3}, one[2] = {1, 1};
static const struct padding around = {1, 1, 1, 1}, none = {0, 0, 0, 0};

/* The identity of a halving block is a convolution of its own, and only the main branch is
 * shuffled. */
static int block(struct graph *g, int x, int channels, int groups, bool halves)
{
    int y = graph_relu(
        g, graph_group_conv(g, x, "conv1", channels, groups, 0, three, halves ? 2 : 1, around));
    y = graph_group_conv(g, y, "conv2", channels, groups, 0, three, 1, around);
    if (!halves) return graph_relu(g, graph_add(g, y, x));
    if (groups > 1) y = graph_shuffle(g, y, groups);
    x = graph_group_conv(g, x, "down", channels, groups, 0, one, 2, none);
    return graph_relu(g, graph_add(g, x, y));
}

static struct graph *network(int width, int groups, uint64_t seed)
{
    struct graph *g = graph_create(NULL, 32, 32, 3);
    if (!g) return NULL;
    int x = graph_relu(g, graph_conv(g, 0, "stem", width * groups, three, 1, around));
    for (int stage = 0; stage < 3; stage++) {
        const int channels = (width << stage) * groups;
        x = block(g, x, channels, groups, stage > 0);
        if (groups == 1 || stage == 2) continue;
        int y = graph_group_conv(g, x, "cyclic", channels, groups, 1, one, 1, none);
        x = graph_sum(g, graph_relu(g, y), x);
    }
    graph_dense(g, graph_mean(g, x), "head", 10);
    graph_randomize(g, seed);
    return g;
}

static const struct row {
    const char *name;
    int groups, bits;
} rows[] = {{"dense", 1, 4}, {"dense", 1, 2}, {"PalQuant, 2 groups", 2, 2}};

struct request {
    double epochs, rate;
    int width, held; /* training samples to measure on instead of the test set */
    uint64_t seed;
};

static const char *run_row(const struct laboratory *lab, const struct row *row,
                           const struct request *request, const struct samples *train,
                           const struct samples *test)
{
    struct figures f;
    struct trial trial = {.graph = network(request->width, row->groups, request->seed),
                          .schedule = {.name = row->name,
                                       .weight_method = QNT_INTERVAL,
                                       .value_method = QNT_INTERVAL,
                                       .weight_bits = row->bits,
                                       .value_bits = row->bits,
                                       .fresh = true,
                                       .rate = request->rate,
                                       .numbers_rate = 0.003,
                                       .epochs = request->epochs,
                                       .batch = 50,
                                       .shift = 4,
                                       .mirror = true,
                                       .seed = request->seed},
                          .train = *train,
                          .test = *test};
    if (!trial.graph) return "out of memory";
    const char *reason = trial.graph->problem[0] ? trial.graph->problem : NULL;
    if (!reason) reason = trial_run(lab, &trial, &f);
    if (!reason) trial_print(&trial, &f);
    graph_free(trial.graph);
    return reason;
}

static int run(const struct laboratory *lab, const char *data, const struct request *request)
{
    char path[1024];
    struct dataset set[2] = {{0}};
    snprintf(path, sizeof path, "%s/cifar10_train10k.bin", data);
    const char *reason = dataset_read_records(path, &cifar10_form, &set[0]);
    snprintf(path, sizeof path, "%s/cifar10_test.bin", data);
    if (!reason) reason = dataset_read_records(path, &cifar10_form, &set[1]);
    struct samples train = {&set[0], &resnet_input, 0, set[0].count},
                   test = {&set[1], &resnet_input, 0, set[1].count};
    if (request->held > 0) trial_hold_out(&train, request->held, &test);
    if (!reason) {
        printf("\nCIFAR-10 from random weights, %g epochs, base width %d, seed %llu\n\n",
               request->epochs, request->width, (unsigned long long)request->seed);
        trial_head();
    }
    for (size_t i = 0; !reason && i < sizeof rows / sizeof *rows; i++)
        reason = run_row(lab, &rows[i], request, &train, &test);
    if (reason) fprintf(stderr, "train_palquant: %s\n", reason);
    dataset_free(&set[0]);
    dataset_free(&set[1]);
    return reason != NULL;
}

int main(int argc, char **argv)
{
    struct laboratory lab;
    struct request request = {.epochs = 1.5, .rate = 0.05, .width = 8, .seed = 1};
    bool good = argc >= 2 && argc % 2 == 0;
    for (int i = 2; good && i < argc; i += 2) {
        if (!strcmp(argv[i], "--epochs"))
            request.epochs = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--width"))
            request.width = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--rate"))
            request.rate = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--held"))
            request.held = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--seed"))
            request.seed = strtoull(argv[i + 1], NULL, 10);
        else
            good = false;
    }
    if (!good || request.width < 1) {
        fprintf(stderr,
                "usage: %s DATA [--epochs N] [--width N] [--rate N] [--seed N] [--held N]\n",
                argv[0]);
        return 2;
    }
    if (!laboratory_open(&lab)) return 1;
    int failed = run(&lab, argv[1], &request);
    laboratory_close(&lab);
    return failed;
}
