/*
 * The best levels for given values: k-means on a line.
 *
 * Sorted values fall into runs, one for each level, whose means are the levels. With D_k(j) the
 * least error of the first j cells in k runs, D_k(j) = min over i of D_(k-1)(i) + cost(i, j), and
 * the best i does not fall as j grows; so halving the range of j halves that of i (X. Wu, "Optimal
 * quantization by matrix searching", J. Algorithms 12, 1991, has the faster relative).
 */
#include "levels.h"

#include <math.h>

#include "base/arith.h"
#include "base/carve.h"

struct table {
    const struct qnt__side *side;
    const size_t *begin;  /* [cells + 1]: the first value of each cell */
    double *before, *now; /* [cells + 1]: D_(k-1) and D_k */
    uint16_t *split;      /* [cells + 1] of this k */
};

/* Least error of the values from index i to index j, with one level. */
static double cost(const struct qnt__side *side, size_t i, size_t j)
{
    const struct qnt__sums *a = &side->sums[i], *b = &side->sums[j];
    double h = b->h - a->h, hx = b->hx - a->hx, hxx = b->hxx - a->hxx;
    double error = h > 0.0 ? hxx - hx * hx / h : 0.0;
    return error > 0.0 ? error : 0.0;
}

/* D_k(j) for first <= j <= last, whose best i lie from low to high. */
static void fill(const struct table *t, size_t first, size_t last, size_t low, size_t high)
{
    size_t j = first + (last - first) / 2, best = low;
    double least = INFINITY;
    for (size_t i = low; i <= qnt__min(high, j); i++) {
        double error = t->before[i] + cost(t->side, t->begin[i], t->begin[j]);
        if (error < least) least = error, best = i;
    }
    t->now[j] = least;
    t->split[j] = (uint16_t)best;
    if (j > first) fill(t, first, j - 1, low, best);
    if (j < last) fill(t, j + 1, last, best, high);
}

static size_t cells_of(size_t n)
{
    return qnt__min(n, QNT__KMEANS_CELLS);
}

size_t qnt__kmeans_bytes(size_t n, int32_t count)
{
    size_t entries = cells_of(n) + 1;
    return qnt__carve_bytes(entries, sizeof(size_t)) +
           2 * qnt__carve_bytes(entries, sizeof(double)) +
           qnt__carve_bytes(entries * (size_t)count, sizeof(uint16_t));
}

/* Rounding must not take it out of the run: levels ascend. */
static double mean_of(const struct qnt__sorted *data, size_t i, size_t j)
{
    const struct qnt__side *side = &data->side[0];
    const struct qnt__sums *a = &side->sums[i], *b = &side->sums[j];
    double mean = data->origin + (b->hx - a->hx) / (b->h - a->h);
    return fmin(fmax(mean, (double)side->x[i]), (double)side->x[j - 1]);
}

double qnt__kmeans(const struct qnt__sorted *data, int32_t count, void *space, double *level)
{
    const struct qnt__side *side = &data->side[0];
    size_t cells = cells_of(side->n), entries = cells + 1;
    size_t runs = qnt__min((size_t)count, cells);
    size_t *begin = qnt__carve(&space, entries, sizeof *begin);
    double *before = qnt__carve(&space, entries, sizeof *before);
    double *now = qnt__carve(&space, entries, sizeof *now);
    uint16_t *split = qnt__carve(&space, entries * (size_t)count, sizeof *split);

    for (int32_t k = 0; k < count; k++) level[k] = 0.0;
    if (cells == 0) return 0.0;
    for (size_t i = 0; i <= cells; i++) {
        begin[i] = (size_t)((double)i / (double)cells * (double)side->n + 0.5);
    }
    for (size_t j = 0; j <= cells; j++) before[j] = cost(side, 0, begin[j]);
    for (size_t k = 2; k <= runs; k++) {
        struct table t = {side, begin, before, now, split + (k - 1) * entries};
        now[0] = 0.0;
        fill(&t, 1, cells, 0, cells - 1);
        now = before;
        before = t.now;
    }
    size_t end = cells;
    for (size_t k = runs; k >= 1; k--) {
        size_t start = k > 1 && end > 0 ? split[(k - 1) * entries + end] : 0;
        bool empty = begin[start] == begin[end];
        level[k - 1] =
            empty ? level[qnt__min(k, runs - 1)] : mean_of(data, begin[start], begin[end]);
        end = start;
    }
    for (size_t k = runs; k < (size_t)count; k++) level[k] = level[runs - 1];
    return cells == side->n ? before[cells] : qnt__lloyd(data, count, 1000, level);
}

/* Where the cells of ascending levels end. */
static size_t end_of(const struct qnt__side *side, const double *level, int32_t k, int32_t count,
                     size_t from)
{
    if (k + 1 == count) return side->n;
    return qnt__mark_at(side, 0.5 * (level[k] + level[k + 1]), from, side->n).index;
}

double qnt__lloyd(const struct qnt__sorted *data, int32_t count, int32_t rounds, double *level)
{
    const struct qnt__side *side = &data->side[0];
    double error = 0.0;
    for (int32_t round = 0; round <= rounds; round++) {
        bool changed = false;
        size_t from = 0;
        error = 0.0;
        for (int32_t k = 0; k < count; k++) {
            size_t to = end_of(side, level, k, count, from); /* of the levels before this round */
            double old = level[k];
            if (to > from) {
                double mean = mean_of(data, from, to), h = side->sums[to].h - side->sums[from].h;
                double away = mean - old;
                error += cost(side, from, to) + (round == rounds ? h * away * away : 0.0);
                if (round < rounds) level[k] = mean;
                changed |= mean != old;
            }
            from = to;
        }
        if (!changed) break;
    }
    return error;
}
