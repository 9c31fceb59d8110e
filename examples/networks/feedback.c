/* Rounding with error feedback. */
#include "feedback.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double damping = 0.01; /* of the mean of the diagonal, as in the paper */

/* Upper triangular r with r r^T = gram + damping. */
static bool factor(const double *gram, int depth, double *r)
{
    double trace = 0;
    for (int i = 0; i < depth; i++) trace += gram[i * depth + i];
    for (int j = depth - 1; j >= 0; j--) {
        for (int i = j; i >= 0; i--) {
            double *a = r + (size_t)i * (size_t)depth, *b = r + (size_t)j * (size_t)depth;
            double sum = gram[i * depth + j] + (i == j ? damping * trace / depth : 0);
            for (int k = j + 1; k < depth; k++) sum -= a[k] * b[k];
            if (i == j && !(sum > 0)) return false;
            a[j] = i == j ? sqrt(sum) : sum / b[j];
        }
    }
    return true;
}

/* Row i of the inverse of r, from i on. */
static void inverse_row(const double *r, int depth, int i, double *u)
{
    memset(u, 0, (size_t)depth * sizeof *u);
    u[i] = 1;
    for (int k = i; k < depth; k++) {
        const double *row = r + (size_t)k * (size_t)depth;
        u[k] /= row[k];
        for (int j = k + 1; j < depth; j++) u[j] -= u[k] * row[j];
    }
}

static void round_output(double *w, const double *inverse, int depth, double scale, double zero,
                         const struct grid *grid, int8_t *codes)
{
    for (int k = 0; k < depth; k++) {
        const double *u = inverse + (size_t)k * (size_t)depth;
        double code = nearbyint(w[k] / scale) + zero;
        code = code < grid->low ? grid->low : code > grid->high ? grid->high : code;
        double error = (w[k] - (code - zero) * scale) / u[k];
        codes[k] = (int8_t)code;
        for (int j = k + 1; j < depth; j++) w[j] -= error * u[j];
    }
}

bool feedback_round(const float *weight, int n, int depth, const double *gram,
                    const struct grid *grid, int8_t *codes)
{
    size_t square = (size_t)depth * (size_t)depth;
    double *r = calloc(square, sizeof *r), *inverse = calloc(square, sizeof *inverse);
    double *w = malloc((size_t)depth * sizeof *w);
    bool good = r && inverse && w && factor(gram, depth, r);
    for (int i = 0; good && i < depth; i++)
        inverse_row(r, depth, i, inverse + (size_t)i * (size_t)depth);
    for (int o = 0; good && o < n; o++) {
        int pair = grid->each ? o : 0;
        for (int k = 0; k < depth; k++) w[k] = weight[o * depth + k];
        round_output(w, inverse, depth, grid->scale[pair], grid->zero[pair], grid,
                     codes + o * depth);
    }
    free(r);
    free(inverse);
    free(w);
    return good;
}
