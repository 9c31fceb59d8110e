/*
 * Quantizes the digits network in every way the library knows, and measures each on held-out
 * digits.
 *
 *     digits examples/data/digits.bin build/digits.safetensors
 *
 * Records 0..1199 trained the network (train_digits.c), the first 256 of them calibrate, 1200..1796
 * are held out. Weights and activations have the same method; the pixels keep 8 bits.
 */
#include <stdio.h>

#include "experiment.h"
#include "models.h"
#include "codebooks.h"
#include "table.h"

enum { TRAINED = 1200, CALIBRATION = 256, MOST_ROWS = 64 + MOST_CODEBOOKS };

static int list_recipes(struct recipe *out)
{
    static const struct { int weight, value; } bits[] = {{8, 8}, {6, 6}, {4, 4}, {3, 4}, {2, 4}};
    static const int methods[] = {QNT_MINMAX, QNT_PERCENTILE, QNT_ENTROPY, QNT_ANALYTIC, QNT_MSE};
    int n = 0;
    out[n++] = (struct recipe){.method = QNT_MSE, .weight_bits = 8, .grain = QNT_PER_AXIS};
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
        for (int channel = 0; channel < 2; channel++)
            for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
                out[n++] = (struct recipe){.method = methods[m], .weight_bits = bits[b].weight,
                                           .value_bits = bits[b].value,
                                           .grain = channel ? QNT_PER_AXIS : QNT_PER_TENSOR};
        out[n++] = (struct recipe){.weight_bits = 0};
    }
    return n + list_codebooks(out + n);
}

int main(int argc, char **argv)
{
    struct recipe recipes[MOST_ROWS];
    struct laboratory laboratory;
    struct dataset set;
    if (argc != 3) {
        fprintf(stderr, "usage: %s digits.bin weights.safetensors\n", argv[0]);
        return 2;
    }
    const char *reason = dataset_read_records(argv[1], &digits_form, &set);
    if (!reason && set.count <= TRAINED) reason = "no records are left to hold out";
    if (!reason && !laboratory_open(&laboratory)) reason = "no context";
    if (reason) {
        fprintf(stderr, "digits: %s\n", reason);
        return 1;
    }
    struct experiment experiment = {
        .title = "Handwritten digits, 8x8", .weights = argv[2], .model = model_digits,
        .test = {&set, &digits_input, TRAINED, set.count - TRAINED},
        .calibration = {&set, &digits_input, 0, CALIBRATION},
        .recipe = recipes, .recipes = list_recipes(recipes)};
    int failed = experiment_run(&laboratory, &experiment);
    table_legend();
    laboratory_close(&laboratory);
    dataset_free(&set);
    return failed;
}
