/*
 * Quantizes real networks and measures them on real test data.
 *
 *     real_networks [--quick] [--data FOLDER] [NAME ...]
 *
 * The folder (default: $QNT_DATA, else ../shared/data) holds the weights as safetensors and the
 * data in their usual binary formats; what is absent is skipped. --quick takes fewer images and
 * rows. Nothing is ever calibrated on samples that it is measured on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codebooks.h"
#include "experiment.h"
#include "models.h"
#include "table.h"

enum { MOST_ROWS = 32 + MOST_CODEBOOKS };

/* Where samples come from: records in one file, or idx images with their labels. */
struct source {
    const char *images, *labels;
    const struct record_form *form;
    int first, count, quick; /* samples to use; with --quick */
};

static const struct source cifar_test = {"cifar10_test.bin", NULL, &cifar10_form, 0, 10000, 500},
    cifar_calibration = {"cifar10_calib1000.bin", NULL, &cifar10_form, 0, 1000, 96},
    mnist_test = {"mnist-t10k-images-idx3-ubyte", "mnist-t10k-labels-idx1-ubyte", &mnist_form, 0,
                  10000, 1000},
    mnist_calibration = {"mnist-train-images-idx3-ubyte.gz", "mnist-train-labels-idx1-ubyte.gz",
                         &mnist_form, 0, 1000, 128},
    keyword_test = {"kws_test1000.bin", NULL, &keyword_form, 200, 800, 800},
    keyword_calibration = {"kws_test1000.bin", NULL, &keyword_form, 0, 200, 200};

static const struct network {
    const char *name, *title, *weights;
    struct graph *(*model)(const struct safetensors *file);
    const struct normalisation *input;
    const struct source *test, *calibration;
    bool slow; /* left out by --quick unless it is named */
} networks[] = {
    {"resnet20", "CIFAR-10 ResNet-20", "cifar10_resnet20.safetensors", model_resnet20,
     &resnet_input, &cifar_test, &cifar_calibration, false},
    {"resnet56", "CIFAR-10 ResNet-56", "cifar10_resnet56.safetensors", model_resnet56,
     &resnet_input, &cifar_test, &cifar_calibration, true},
    {"resnet8", "CIFAR-10 ResNet-8 (MLPerf Tiny)", "cifar10_resnet8.safetensors", model_resnet8,
     &resnet8_input, &cifar_test, &cifar_calibration, false},
    {"dscnn", "Keyword spotting DS-CNN (MLPerf Tiny)", "kws_dscnn.safetensors", model_dscnn,
     &dscnn_input, &keyword_test, &keyword_calibration, false},
    {"lenet", "MNIST LeNet", "mnist_lenet.safetensors", model_lenet, &lenet_input, &mnist_test,
     &mnist_calibration, false},
};

#define ROW(m, w, a, ...) {.method = m, .weight_bits = w, .value_bits = a, __VA_ARGS__}
#define TENSOR .grain = QNT_PER_TENSOR
#define CHANNEL .grain = QNT_PER_AXIS
#define BEST .grain = QNT_PER_AXIS, .importance = true, .correct = true
#define GAP {.weight_bits = 0}

#define FED BEST, .feedback = true
static const struct recipe full[] = {
    ROW(QNT_MSE, 8, 0, CHANNEL),
    ROW(QNT_MINMAX, 8, 8, TENSOR),
    ROW(QNT_MINMAX, 8, 8, CHANNEL),
    ROW(QNT_MSE, 8, 8, CHANNEL),
    GAP,
    ROW(QNT_MSE, 6, 8, CHANNEL),
    GAP,
    ROW(QNT_MINMAX, 4, 8, TENSOR),
    ROW(QNT_MINMAX, 4, 8, CHANNEL),
    ROW(QNT_MSE, 4, 8, TENSOR),
    ROW(QNT_MSE, 4, 8, CHANNEL),
    ROW(QNT_MSE, 4, 8, BEST),
    ROW(QNT_MSE, 4, 8, FED),
    ROW(QNT_MSE, 4, 8, FED, .offset = true),
    GAP,
    ROW(QNT_MSE, 3, 8, CHANNEL),
    ROW(QNT_MSE, 3, 8, FED),
    ROW(QNT_MSE, 3, 8, FED, .offset = true),
    GAP,
    ROW(QNT_MSE, 2, 8, CHANNEL),
    ROW(QNT_MSE, 2, 8, FED, .offset = true),
    ROW(QNT_MSE, 2, 8, FED, .offset = true, .ends8 = true),
    GAP,
    ROW(QNT_MINMAX, 4, 4, CHANNEL),
    ROW(QNT_MSE, 4, 4, CHANNEL),
    ROW(QNT_MSE, 4, 4, FED),
    ROW(QNT_MSE, 4, 4, FED, .ends8 = true),
};

static const struct recipe quick[] = {
    ROW(QNT_MSE, 8, 0, CHANNEL),
    ROW(QNT_MINMAX, 8, 8, CHANNEL),
    ROW(QNT_MSE, 8, 8, CHANNEL),
    GAP,
    ROW(QNT_MINMAX, 4, 8, CHANNEL),
    ROW(QNT_MSE, 4, 8, CHANNEL),
    ROW(QNT_MSE, 4, 8, FED),
    ROW(QNT_MSE, 4, 8, FED, .offset = true),
};

struct options {
    const char *folder;
    bool quick;
    char **name;
    int names;
};

static char *path_of(const struct options *options, const char *file, char path[1024])
{
    snprintf(path, 1024, "%s/%s", options->folder, file);
    return path;
}

/* False if the file is absent or damaged: that is told, and the network is skipped. */
static bool load(const struct options *options, const struct source *source,
                 const struct normalisation *input, struct dataset *set, struct samples *samples)
{
    char images[1024], labels[1024];
    path_of(options, source->images, images);
    const char *reason = source->labels
        ? dataset_read_idx(images, path_of(options, source->labels, labels), source->form, set)
        : dataset_read_records(images, source->form, set);
    int count = options->quick ? source->quick : source->count;
    if (!reason && source->first + count > set->count) reason = "the file has too few records";
    if (reason) printf("  skipped: %s: %s\n", images, reason);
    *samples = (struct samples){set, input, source->first, count};
    return !reason;
}

/* The rows of a run; everything but --quick ends with the codebooks. */
static int list_rows(bool is_quick, struct recipe *out)
{
    int n = is_quick ? (int)(sizeof quick / sizeof *quick) : (int)(sizeof full / sizeof *full);
    memcpy(out, is_quick ? quick : full, (size_t)n * sizeof *out);
    if (is_quick) return n;
    out[n++] = (struct recipe){.weight_bits = 0};
    return n + list_codebooks(out + n);
}

static int run_network(const struct laboratory *laboratory, const struct options *options,
                       const struct network *network)
{
    char weights[1024];
    struct recipe rows[MOST_ROWS];
    struct dataset test = {.count = 0}, calibration = {.count = 0};
    struct experiment experiment = {
        .title = network->title, .weights = path_of(options, network->weights, weights),
        .model = network->model, .recipe = rows, .recipes = list_rows(options->quick, rows)};
    bool there = load(options, network->test, network->input, &test, &experiment.test) &&
                 load(options, network->calibration, network->input, &calibration,
                      &experiment.calibration);
    int failed = there ? experiment_run(laboratory, &experiment) : 0;
    dataset_free(&test);
    dataset_free(&calibration);
    return failed;
}

static bool is_wanted(const struct options *options, const struct network *network)
{
    for (int i = 0; i < options->names; i++)
        if (!strcmp(options->name[i], network->name)) return true;
    return options->names == 0 && !(options->quick && network->slow);
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    const char *folder = getenv("QNT_DATA");
    *options = (struct options){.folder = folder && *folder ? folder : "../shared/data"};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--quick")) options->quick = true;
        else if (!strcmp(argv[i], "--data") && i + 1 < argc) options->folder = argv[++i];
        else return false;
    }
    options->name = argv + i;
    options->names = argc - i;
    return true;
}

int main(int argc, char **argv)
{
    struct laboratory laboratory;
    struct options options;
    int failed = 0;
    if (!parse_options(argc, argv, &options)) {
        fprintf(stderr, "usage: %s [--quick] [--data FOLDER] [NAME ...]\n", argv[0]);
        return 2;
    }
    if (!laboratory_open(&laboratory)) return 1;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if (is_wanted(&options, &networks[i]))
            failed |= run_network(&laboratory, &options, &networks[i]);
    table_legend();
    laboratory_close(&laboratory);
    return failed;
}
