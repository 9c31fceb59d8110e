/* The table that the demonstrations print. */
#include "table.h"

#include <stdio.h>
#include <string.h>

const char *method_name(int method)
{
    static const char *const names[] = {
        "FIXED",    "MINMAX", "PERCENTILE", "ENTROPY", "ANALYTIC", "MSE",
        "BALANCED", "BASES",  "MULTIPOINT", "TEQ",     "KMEANS",   "LLOYD",
        "NF4",      "FP4",    "POT",        "APOT",    "LEVELS"};
    return method >= 0 && method < (int)(sizeof names / sizeof *names) ? names[method] : "?";
}

/* 1234567 as 1,234,567 */
static const char *grouped(size_t number, char text[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%zu", number), at = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
    return text;
}

static double percent(const struct outcome *outcome)
{
    return 100.0 * outcome->right / outcome->count;
}

static double milliseconds(const struct outcome *outcome)
{
    return 1e3 * outcome->seconds / outcome->count;
}

void table_begin(const char *title, size_t bytes, const struct outcome *reference)
{
    char text[32];
    printf("\n%s, %d held-out samples\n\n", title, reference->count);
    printf("  %-28s %2s %2s  %-7s %9s %8s %7s %8s %8s %7s\n", "method", "W", "A", "weights",
           "bytes", "right %", "change", "SQNR dB", "ms each", "speed");
    printf("  %-28s %2s %2s  %-7s %9s %8.2f %7s %8s %8.4f %7s\n", "float reference", "32", "32", "",
           grouped(bytes, text), percent(reference), "", "", milliseconds(reference), "1.00 x");
    fflush(stdout);
}

static void describe(const struct recipe *recipe, char *text, size_t size)
{
    static const char *const place[] = {"", " by output", " evenly", " at random"};
    char points[32] = "";
    if (recipe->adaptive)
        snprintf(points, sizeof points, " adaptive");
    else if (recipe->extra > 0)
        snprintf(points, sizeof points, " +%g %%%s", 100 * recipe->extra, place[recipe->place]);
    else if (recipe->budget > 0)
        snprintf(points, sizeof points, " <= %g bits", recipe->budget);
    else if (recipe->points)
        snprintf(points, sizeof points, " x %d", recipe->points);
    snprintf(text, size, "%s%s%s%s%s%s%s%s%s", method_name(recipe->method),
             recipe->pairs ? " pairs" : "", points, recipe->literal ? " literal" : "",
             recipe->offset ? " +zero" : "", recipe->importance ? " +imp" : "",
             recipe->feedback ? " +fb" : "", recipe->correct ? " +bias" : "",
             recipe->ends8 ? " e8" : "");
}

void table_row(const struct recipe *recipe, size_t bytes, const struct outcome *outcome,
               const struct outcome *reference, double decibel)
{
    char name[64], text[32], width[2][8];
    describe(recipe, name, sizeof name);
    snprintf(width[0], sizeof width[0], "%d", recipe->weight_bits);
    snprintf(width[1], sizeof width[1], "%d", recipe->value_bits ? recipe->value_bits : 32);
    if (recipe->adaptive) snprintf(width[0], sizeof width[0], "-");
    if (recipe->adaptive && recipe->pairs) snprintf(width[1], sizeof width[1], "-");
    printf("  %-28s %2s %2s  %-7s %9s %8.2f %+7.2f %8.2f %8.4f %5.2f x\n", name, width[0], width[1],
           recipe->grain == QNT_PER_AXIS ? "channel" : "tensor", grouped(bytes, text),
           percent(outcome), percent(outcome) - percent(reference), decibel, milliseconds(outcome),
           reference->seconds / outcome->seconds);
    fflush(stdout);
}

void table_bits(double weight_bits, double input_bits)
{
    printf("    %.2f bits a weight on average, %.0f %% fewer than int8", weight_bits,
           100 * (1 - weight_bits / 8));
    if (input_bits > 0)
        printf(", %.2f an input, %.0f %% fewer", input_bits, 100 * (1 - input_bits / 8));
    printf("; DNA-TEQ\n    reports 40 %%, inputs included; ");
}

void table_adapted(double weight_bits, double input_bits, double loss)
{
    table_bits(weight_bits, input_bits);
    printf("it lost %.2f %% of the calibration samples\n", 100 * loss);
    fflush(stdout);
}

void table_gap(void)
{
    printf("\n");
}

void table_legend(void)
{
    static const char *const line[] = {
        "W, A: bits of weights and activations; a network's input has 8. weights: one scale for a",
        "tensor or for each output channel; +zero: and a zero point. +imp: errors of weights count "
        "by",
        "the mean square of their inputs. +fb: rounding with error feedback. +bias: bias "
        "correction.",
        "e8: first and last layer in 8 bits. bytes: codes, scales, zero points, biases. SQNR: of "
        "the",
        "network's outputs against float. ms each: CPU time of one sample. speed: against the "
        "float",
        "reference, C loops compiled for this machine. Batch normalisation is folded; values that "
        "are",
        "added or averaged stay float. ENTROPY is made for activations: its weights are MINMAX. TEQ",
        "pairs: what a layer reads has the base and the bits of exponent of its weights.",
    };
    printf("\n");
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) printf("  %s\n", line[i]);
}
