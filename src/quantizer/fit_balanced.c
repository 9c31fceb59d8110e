/*
 * QNT_BALANCED: bins of equal weight, levels at equal distances (Zhou et al., "Balanced
 * quantization", JCST 2017, algorithms 1 and 2).
 *
 * A group is split at its median, each half at its own, and so on; the number of a bin is the code,
 * and code j of L = 2^bits has the level scale * (2 j - (L - 1)). The scale is that of least
 * weighted squared error. As published: the mean instead of the median, the largest magnitude for
 * the scale, and by the rounding of algorithm 1 the least value of every bin but the first belongs
 * to the bin below, unless it is the only one of its bin. Equal values always have equal codes;
 * what is equal is not split but goes up.
 */
#include <math.h>

#include "base/numeric.h"
#include "methods.h"

struct partition {
    const struct qnt__group_data *data;
    bool means;        /* split at means, not at medians */
    size_t start[257]; /* of every bin among the sorted values */
};

static double weight_of(const struct partition *p, size_t i)
{
    return p->data->weights ? p->data->weights[i] : 1.0;
}

/* The first value that is not below the mean; the mean of values that differ lies above the least
 * and not above the largest, whatever rounding says. */
static size_t split_at_mean(const struct partition *p, size_t first, size_t end)
{
    const float *x = p->data->values;
    double sum = 0.0, weight = 0.0;
    for (size_t i = first; i < end; i++) {
        sum += weight_of(p, i) * (double)x[i];
        weight += weight_of(p, i);
    }
    double mean = fmin(sum / weight, (double)x[end - 1]);
    size_t at = first;
    while (at < end && ((double)x[at] < mean || x[at] == x[first])) at++;
    return at;
}

/* Between different values, where the weights of both sides differ least. */
static size_t split_at_median(const struct partition *p, size_t first, size_t end)
{
    const float *x = p->data->values;
    double all = 0.0, below = 0.0, least = INFINITY;
    size_t at = first;
    for (size_t i = first; i < end; i++) all += weight_of(p, i);
    for (size_t i = first; i < end; i++) {
        double uneven = fabs(all - 2.0 * below);
        if (i > first && x[i] > x[i - 1] && uneven < least) least = uneven, at = i;
        below += weight_of(p, i);
    }
    return at;
}

/* Bins code .. code + 2^levels - 1 divide values first .. end - 1. */
static void split(struct partition *p, size_t first, size_t end, int32_t code, int32_t levels)
{
    if (levels == 0) {
        p->start[code] = first;
        return;
    }
    const float *x = p->data->values;
    size_t at = first;
    if (first < end && x[end - 1] > x[first])
        at = p->means ? split_at_mean(p, first, end) : split_at_median(p, first, end);
    split(p, first, at, code, levels - 1);
    split(p, at, end, code + (1 << (levels - 1)), levels - 1);
}

/* threshold[j - 1] is the largest number below bin j. Where bins are empty, that of the next that
 * is not; beyond the last one none. */
static void find_thresholds(const struct partition *p, int32_t count, bool literal,
                            float *threshold)
{
    const float *x = p->data->values;
    float above = INFINITY;
    for (int32_t j = count - 1; j > 0; j--) {
        size_t first = p->start[j], end = p->start[j + 1];
        if (first < end) {
            bool single = x[first] == x[end - 1];
            above = literal && !single ? x[first] : qnt__before_f32(x[first]);
        }
        threshold[j - 1] = above;
    }
}

/* sum h x v / sum h v^2 over levels v of the codes. */
static double best_scale(const struct qnt__group_data *data, const float *threshold, int32_t count)
{
    double product = 0.0, square = 0.0;
    int32_t code = 0;
    for (size_t i = 0; i < data->n; i++) {
        while (code < count - 1 && data->values[i] > threshold[code]) code++;
        double v = 2.0 * code - (count - 1), h = data->weights ? data->weights[i] : 1.0;
        product += h * (double)data->values[i] * v;
        square += h * v * v;
    }
    return product / square;
}

void qnt__fit_balanced(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                       struct qnt__group_fit *fit)
{
    const int32_t bits = quantizer->spec.bits, count = 1 << bits;
    const bool literal = quantizer->spec.flags & QNT_LITERAL;
    const double most = (double)0x1p120f;
    struct partition p = {.data = data, .means = literal};
    split(&p, 0, data->n, 0, bits);
    p.start[count] = data->n;
    find_thresholds(&p, count, literal, fit->own);
    double largest = fmax(fabs((double)data->moments->min), fabs((double)data->moments->max));
    double scale = literal ? largest / (count - 1) : best_scale(data, fit->own, count);
    fit->scale = (float)fmin(scale, most);
    if (!(fit->scale > 0.0f)) fit->scale = 1.0f;
}
