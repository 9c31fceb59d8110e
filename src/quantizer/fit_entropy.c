/*
 * QNT_ENTROPY: clipping that minimises the divergence of histograms (S. Migacz, "8-bit inference
 * with TensorRT", GTC 2017).
 *
 * For a candidate range, P is the histogram inside with what lies outside added to its outermost
 * bins that have any weight; Q is the histogram inside with the weight of each cell, the bins that
 * one code stands for, spread evenly over the cell's bins that have any; both are normalised. The
 * range with the smallest KL(P, Q) = sum p ln(p / q) wins.
 *
 * As published, the histogram is one of |x| and the i bins inside are cut into 2^(bits - 1) cells
 * of floor(i / cells) bins, the last one longer. The better form cuts the cells where the codes
 * really round, serves asymmetric ranges, and leaves zeros out, which no clipping harms.
 */
#include "methods.h"

#include <float.h>
#include <math.h>

#include "base/arith.h"

enum {
    BINS = 2048,
    STRIDE = 8, /* bins between two candidates of the better form */
    ROUNDS = 4  /* most, of improving one end after the other */
};

/* Running sums: entry i is over the bins below i. */
struct sums {
    double weight[BINS + 1];
    double x_log_x[BINS + 1];
    double filled[BINS + 1]; /* bins with any weight */
    double bin[BINS];
    double low, width; /* of bin 0; of a bin */
};

struct cells {
    size_t from, to; /* bins inside */
    size_t count;
    bool literal;
};

static double x_log_x(double x)
{
    return x > 0 ? x * log(x) : 0;
}

/* Spreads weight evenly over the bins from..to in units of bins. */
static void spread(struct sums *s, double from, double to, double weight)
{
    double end = BINS;
    from = fmin(fmax(from, 0), end);
    to = fmin(fmax(to, from), end);
    size_t first = qnt__min((size_t)from, BINS - 1), last = qnt__min((size_t)to, BINS - 1);
    if (first == last) {
        s->bin[first] += weight;
        return;
    }
    for (size_t i = first; i <= last; i++) {
        double covered = fmin(to, (double)i + 1) - fmax(from, (double)i);
        s->bin[i] += weight * covered / (to - from);
    }
}

/* Values fall into one bin; the bins of the statistics cover those that they overlap. */
static void fill_bins(struct sums *s, const struct qnt__group_data *data, bool magnitudes,
                      bool with_zeros)
{
    /* in a histogram the zeros are part of the first bin that is not below 0 */
    double zeros = data->binned && !with_zeros ? data->moments->zero_weight : 0;
    for (size_t i = 0; i < data->n; i++) {
        double x = (double)data->values[i], weight = data->weights ? data->weights[i] : 1;
        if (x == 0 && !with_zeros) continue;
        if (x >= 0) {
            weight = fmax(weight - zeros, 0);
            zeros = 0;
        }
        double from = x, to = x;
        if (data->binned) {
            from = floor(x / data->bin_width) * data->bin_width;
            to = from + data->bin_width;
        }
        if (magnitudes && x < 0) {
            double swap = from;
            from = -to;
            to = -swap;
        }
        spread(s, (from - s->low) / s->width, (to - s->low) / s->width, weight);
    }
}

static void fill(struct sums *s, const struct qnt__group_data *data, double low, double high,
                 bool magnitudes, bool with_zeros)
{
    s->low = low;
    s->width = (high - low) / BINS;
    for (size_t i = 0; i < BINS; i++) s->bin[i] = 0;
    fill_bins(s, data, magnitudes, with_zeros);
    s->weight[0] = s->x_log_x[0] = s->filled[0] = 0;
    for (size_t i = 0; i < BINS; i++) {
        s->weight[i + 1] = s->weight[i] + s->bin[i];
        s->x_log_x[i + 1] = s->x_log_x[i] + x_log_x(s->bin[i]);
        s->filled[i + 1] = s->filled[i] + (s->bin[i] > 0);
    }
}

/* The bin where cell k begins. */
static size_t cell_start(const struct cells *c, size_t k)
{
    size_t bins = c->to - c->from;
    if (k == 0) return c->from;
    if (k == c->count) return c->to;
    if (c->literal) return c->from + bins / c->count * k;
    /* levels are at both ends and evenly between, cells end midway: (k - 1/2) / (count - 1) */
    return c->from + ((2 * k - 1) * bins + c->count - 1) / (2 * (c->count - 1));
}

/* KL(P, Q); infinite if nothing lies inside. */
static double divergence(const struct sums *s, const struct cells *c)
{
    double total = s->weight[BINS], inside = s->weight[c->to] - s->weight[c->from];
    double below = s->weight[c->from], above = total - s->weight[c->to];
    size_t first = c->from, last = c->to - 1;
    if (!(inside > 0)) return INFINITY;
    if (c->literal && above > 0 && !(s->bin[last] > 0)) return INFINITY;
    while (!(s->bin[first] > 0)) first++;
    while (!(s->bin[last] > 0)) last--;

    double p = s->x_log_x[c->to] - s->x_log_x[c->from], q = 0;
    double first_bin = s->bin[first] + below + (first == last ? above : 0);
    p += x_log_x(first_bin) - x_log_x(s->bin[first]);
    if (first != last) p += x_log_x(s->bin[last] + above) - x_log_x(s->bin[last]);
    for (size_t k = 0, start = c->from; k < c->count; k++) {
        size_t end = cell_start(c, k + 1);
        double weight = s->weight[end] - s->weight[start];
        if (weight > 0) {
            double filled = s->filled[end] - s->filled[start], here = weight;
            if (start <= first && first < end) here += below;
            if (start <= last && last < end) here += above;
            q += here * log(weight / (filled * inside));
        }
        start = end;
    }
    return (p - q) / total - log(total);
}

/* The best end of the range `c` while the other one stays: its end above, or its end below. */
static double best_end(const struct sums *s, struct cells *c, bool upper, size_t nearest)
{
    struct cells trial = *c;
    size_t *end = upper ? &trial.to : &trial.from;
    double best = INFINITY;
    for (*end = upper ? BINS : 0;;) {
        double d = divergence(s, &trial);
        if (d < best) {
            best = d;
            *c = trial;
        }
        size_t left = upper ? *end - nearest : nearest - *end;
        if (left < STRIDE || trial.to - trial.from < STRIDE + trial.count) return best;
        *end = upper ? *end - STRIDE : *end + STRIDE;
    }
}

/* The published search; the clip is in the middle of the bin after the last one inside. */
static double literal_clip(const struct sums *s, size_t cells)
{
    double best = INFINITY;
    size_t clip = BINS;
    for (size_t to = cells; to <= BINS; to++) {
        struct cells c = {0, to, cells, true};
        double d = divergence(s, &c);
        if (d < best) {
            best = d;
            clip = to;
        }
    }
    return ((double)clip + 0.5) * s->width;
}

static void fit_literal(const qnt_spec *spec, const struct qnt__group_data *data, double largest,
                        struct qnt__group_fit *fit)
{
    struct sums *s = data->scratch;
    fill(s, data, 0, largest, true, true);
    bool one_sided = data->moments->min >= 0 && !(spec->flags & QNT_SYMMETRIC);
    double clip = literal_clip(s, (size_t)1 << (spec->bits - (one_sided ? 0 : 1)));
    float high = (float)fmin(clip, FLT_MAX);
    bool symmetric = spec->flags & QNT_SYMMETRIC;
    float low = symmetric ? -high : fmaxf(-high, data->moments->min);
    qnt__fit_range(spec, low, high, fit);
}

size_t qnt__fit_entropy_scratch(const qnt_quantizer *quantizer, size_t n)
{
    (void)quantizer;
    (void)n;
    return sizeof(struct sums);
}

void qnt__fit_entropy(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                      struct qnt__group_fit *fit)
{
    const qnt_spec *spec = &quantizer->spec;
    const struct qnt__moments *m = data->moments;
    struct sums *s = data->scratch;
    bool symmetric = spec->flags & QNT_SYMMETRIC;
    double low = fmin((double)m->min, 0), high = fmax((double)m->max, 0);
    if (symmetric) {
        high = fmax(-low, high);
        low = 0;
    }
    int32_t first = qnt__code_low(spec), last = qnt__code_high(spec);
    size_t steps = (size_t)(last - (symmetric ? qnt__zero_default(spec) : first));
    steps = qnt__max(steps, 1);
    if (!((high - low) / BINS > 0) || steps + 1 > BINS) { /* nothing to clip, or finer than bins */
        qnt__fit_range(spec, m->min, m->max, fit);
        return;
    }
    if (spec->flags & QNT_LITERAL) {
        fit_literal(spec, data, fmax(-low, high), fit);
        return;
    }
    fill(s, data, low, high, symmetric, false);
    struct cells c = {0, BINS, steps + 1, false};
    size_t zero = qnt__min((size_t)(-low / s->width), BINS);
    double best = best_end(s, &c, true, qnt__min(zero + 1, BINS));
    for (int round = 0; round < ROUNDS && low < 0; round++) {
        double before = best;
        best_end(s, &c, false, zero);
        best = best_end(s, &c, true, qnt__min(zero + 1, BINS));
        if (!(best < before)) break;
    }
    float from = (float)(low + (double)c.from * s->width);
    float to = (float)(low + (double)c.to * s->width);
    qnt__fit_range(spec, symmetric ? -to : from, to, fit);
}
