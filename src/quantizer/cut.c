/* Errors and bounds from thresholds among sorted magnitudes. See cut.h and doc/exact.md. */
#include "cut.h"

void qnt__cut_place(const struct qnt__grid *grid, struct qnt__cut *cut,
                    const struct qnt__cut *smaller, const struct qnt__cut *larger)
{
    for (int t = 0; t < 2; t++) {
        const struct qnt__side *side = &grid->data->side[t];
        struct qnt__mark *mark = cut->mark[t];
        mark[0] = (struct qnt__mark){{0}, 0};
        for (size_t k = 1; k <= grid->levels[t] + 1; k++) {
            size_t low = mark[k - 1].index, high = side->n;
            if (smaller && smaller->mark[t][k].index > low) low = smaller->mark[t][k].index;
            if (larger) high = larger->mark[t][k].index;
            mark[k] = qnt__mark_at(side, ((double)k - 0.5) * cut->s, low, high);
        }
    }
}

/* part[k] for k levels: A = sum of tails beyond the thresholds, B likewise with k^2 - (k - 1)^2. */
static void sum_tails(const struct qnt__side *side, const struct qnt__mark *mark, size_t levels,
                      struct qnt__part *part)
{
    const struct qnt__sums *all = &side->sums[side->n];
    double a = 0.0, b = 0.0;
    part[0] = (struct qnt__part){0};
    for (size_t k = 1; k <= levels; k++) {
        a += all->hx - mark[k].sum.hx;
        b += (double)(2 * k - 1) * (all->h - mark[k].sum.h);
        part[k] = (struct qnt__part){.a = a, .b = b};
    }
}

void qnt__cut_improve(struct qnt__grid *grid, const struct qnt__cut *cut,
                      struct qnt__candidate *best)
{
    for (int t = 0; t < 2; t++) {
        sum_tails(&grid->data->side[t], cut->mark[t], grid->levels[t], grid->part[t]);
    }
    for (int32_t below = grid->first; below <= grid->last; below++) {
        const struct qnt__part *up = &grid->part[0][grid->steps - below];
        const struct qnt__part *down = &grid->part[1][below];
        double a = up->a + down->a, b = up->b + down->b;
        if (!(a > 0.0)) continue;
        double error = grid->data->energy - a * (a / b);
        if (error < best->error) *best = (struct qnt__candidate){error, a / b, below};
    }
}

/* Error of the values beyond the last level by half a step and more. It falls as s grows. */
static double clipped(const struct qnt__side *side, const struct qnt__cut *cut, int t,
                      int32_t levels)
{
    const struct qnt__sums *all = &side->sums[side->n], *in = &cut->mark[t][levels + 1].sum;
    if (levels == 0) return all->hxx;
    double last = (double)levels * cut->s;
    return (all->hxx - in->hxx) - last * (2.0 * (all->hx - in->hx) - last * (all->h - in->h));
}

double qnt__cut_clipping(const struct qnt__grid *grid, const struct qnt__cut *cut, double limit,
                         int32_t *first, int32_t *last)
{
    double least = grid->data->energy;
    *first = grid->last;
    *last = grid->first;
    for (int32_t below = grid->first; below <= grid->last; below++) {
        double error = clipped(&grid->data->side[0], cut, 0, grid->steps - below) +
                       clipped(&grid->data->side[1], cut, 1, below);
        if (error < least) least = error;
        if (!(error < limit)) continue;
        if (below < *first) *first = below;
        *last = below;
    }
    return least;
}

/* Sums of the values whose code is certain, and the least error of those between codes k - 1 and
 * k: they are at least k s1 - (k - 1/2) s2 away from either level. Overlapping zones, which need
 * wide intervals, give 0 of both. */
static bool sum_certain(const struct qnt__side *side, const struct qnt__mark *left, double s1,
                        const struct qnt__mark *right, double s2, size_t levels,
                        struct qnt__part *part)
{
    const struct qnt__sums *all = &side->sums[side->n];
    struct qnt__part inner = {0};
    bool settled = true;
    for (size_t k = 0;; k++) { /* `inner` is complete below code k; the rest is clipped to it */
        double c = (double)k;
        part[k].w = inner.w + (all->hxx - right[k].sum.hxx);
        part[k].a = inner.a + c * (all->hx - right[k].sum.hx);
        part[k].b = inner.b + c * c * (all->h - right[k].sum.h);
        part[k].m = inner.m;
        if (k == levels) return settled;
        const struct qnt__sums *from = &right[k].sum, *to = &left[k + 1].sum;
        if (right[k].index < left[k + 1].index) {
            inner.w += to->hxx - from->hxx;
            inner.a += c * (to->hx - from->hx);
            inner.b += c * c * (to->h - from->h);
        }
        double away = (c + 1.0) * s1 - (c + 0.5) * s2;
        if (away > 0.0) inner.m += (right[k + 1].sum.h - left[k + 1].sum.h) * (away * away);
        settled = settled && left[k + 1].index == right[k + 1].index;
    }
}

/* Least w - 2 s a + s^2 b for s1 <= s <= s2. */
static double least_between(double w, double a, double b, double s1, double s2)
{
    double s = a <= b * s1 ? s1 : a >= b * s2 ? s2 : a / b;
    return w - s * (2.0 * a - s * b);
}

double qnt__cut_bound(struct qnt__grid *grid, const struct qnt__cut *left,
                      const struct qnt__cut *right, bool *settled)
{
    *settled = true;
    for (int t = 0; t < 2; t++) {
        bool same = sum_certain(&grid->data->side[t], left->mark[t], left->s, right->mark[t],
                                right->s, grid->levels[t], grid->part[t]);
        *settled = *settled && same;
    }
    double least = grid->data->energy;
    for (int32_t below = grid->first; below <= grid->last; below++) {
        const struct qnt__part *up = &grid->part[0][grid->steps - below];
        const struct qnt__part *down = &grid->part[1][below];
        double bound = up->m + down->m + least_between(up->w + down->w, up->a + down->a,
                                                       up->b + down->b, left->s, right->s);
        if (bound < least) least = bound;
    }
    return least;
}
