/*
 * The best scale of any levels, by branch and bound.
 *
 * With the codes fixed, the error is E(s) = energy - 2 s A + s^2 B, A = sum h x l, B = sum h l^2,
 * least at s = A / B. Thresholds lie at s t_j, t_j midway between neighbouring levels, so a value
 * whose code is the same at both ends of an interval of scales keeps it in between. A value that a
 * threshold crosses, x in [u t_j, v t_j], is at s never closer to a level than s g_j - |t_j| (v -
 * u), g_j half the distance of the two levels. The least of the one parabola plus these distances
 * bounds the interval.
 */
#include "levels.h"

#include <math.h>

#include "base/arith.h"
#include "base/carve.h"

enum { DEPTH = 60 };

static const double SLACK = 1e-14, SCAN_RATIO = 1.02, RATIO_LEVELS = 2.0;

/* A scale, and where its thresholds fall: mark[0] is the beginning, [j] threshold j, [count] the
 * end. */
struct place {
    double s;
    struct qnt__mark *mark;
};

/* E(s) = c - 2 s a + s^2 b */
struct parabola {
    double a, b, c;
};

struct search {
    const struct qnt__sorted *data;
    const double *level;
    int32_t count;
    double middle[QNT__LEVELS]; /* [j], 1 <= j < count: between levels j - 1 and j */
    double energy, slack, nodes;
    struct qnt__scale_fit best;
    double floor; /* least bound of all intervals that were closed */
    struct place place[DEPTH + 2];
};

size_t qnt__exact_levels_bytes(int32_t count)
{
    return (DEPTH + 2) * qnt__carve_bytes((size_t)count + 1, sizeof(struct qnt__mark));
}

/* Weight, moment and energy about 0 of the values between two marks. */
static struct qnt__sums between(const struct search *f, const struct qnt__mark *from,
                                const struct qnt__mark *to)
{
    double o = f->data->origin, h = to->sum.h - from->sum.h;
    double hx = to->sum.hx - from->sum.hx, hxx = to->sum.hxx - from->sum.hxx;
    return (struct qnt__sums){h, hx + o * h, hxx + o * (2.0 * hx + o * h)};
}

/* Marks lie between those of a smaller and of a larger scale; either may be NULL. */
static void place(const struct search *f, double s, const struct place *smaller,
                  const struct place *larger, struct place *out)
{
    const struct qnt__side *side = &f->data->side[0];
    out->s = s;
    out->mark[0] = (struct qnt__mark){side->sums[0], 0};
    out->mark[f->count] = qnt__mark_end(side);
    for (int32_t j = 1; j < f->count; j++) {
        bool up = f->middle[j] > 0.0; /* grows with the scale */
        const struct place *below = up ? smaller : larger, *above = up ? larger : smaller;
        size_t low = below ? below->mark[j].index : 0,
               high = above ? above->mark[j].index : side->n;
        double threshold = s * f->middle[j];
        if (threshold < (double)side->x[0]) high = low;
        if (threshold >= (double)side->x[side->n - 1]) low = high;
        out->mark[j] = qnt__mark_at(side, threshold, low, high);
    }
}

static void take(struct search *f, double scale, double error)
{
    if (!(scale > 0.0) || error >= f->best.error) return;
    f->best.scale = scale;
    f->best.error = error > 0.0 ? error : 0.0;
}

/* The codes of a scale, each with its best scale. */
static void improve(struct search *f, const struct place *p)
{
    double a = 0.0, b = 0.0;
    for (int32_t j = 0; j < f->count; j++) {
        struct qnt__sums sum = between(f, &p->mark[j], &p->mark[j + 1]);
        a += f->level[j] * sum.hx;
        b += f->level[j] * f->level[j] * sum.h;
    }
    if (a > 0.0 && b > 0.0) take(f, a / b, f->energy - a * a / b);
}

/* Lower bound of the error of all scales between two places. */
static double bound_of(const struct search *f, const struct place *u, const struct place *v,
                       bool *settled)
{
    struct parabola p = {0.0, 0.0, 0.0};
    double others = 0.0;
    *settled = true;
    for (int32_t j = 0; j < f->count;
         j++) { /* certain to have level j: beyond both places' marks */
        const struct qnt__mark *from =
            u->mark[j].index > v->mark[j].index ? &u->mark[j] : &v->mark[j];
        const struct qnt__mark *to =
            u->mark[j + 1].index < v->mark[j + 1].index ? &u->mark[j + 1] : &v->mark[j + 1];
        if (from->index < to->index) {
            struct qnt__sums sum = between(f, from, to);
            p.a += f->level[j] * sum.hx;
            p.b += f->level[j] * f->level[j] * sum.h;
            p.c += sum.hxx;
        }
        if (j > 0 && u->mark[j].index != v->mark[j].index) *settled = false;
    }
    /* Runs of values that thresholds cross: the least distance of these thresholds. */
    struct qnt__mark from = {{0, 0, 0}, 0}, to = from;
    double least = INFINITY;
    for (int32_t j = 1; j < f->count; j++) {
        const struct qnt__mark *first = &u->mark[j], *last = &v->mark[j];
        if (first->index == last->index) continue;
        if (first->index > last->index) first = &v->mark[j], last = &u->mark[j];
        if (first->index >= to.index) { /* another run */
            if (to.index > 0) others += (to.sum.h - from.sum.h) * least * least;
            from = *first;
            least = INFINITY;
        }
        if (last->index > to.index) to = *last;
        double gap = 0.5 * (f->level[j] - f->level[j - 1]);
        double distance = u->s * gap - fabs(f->middle[j]) * (v->s - u->s);
        least = fmin(least, fmax(distance, 0.0));
    }
    if (to.index > 0) others += (to.sum.h - from.sum.h) * least * least;
    double s = p.b > 0.0 ? p.a / p.b : u->s;
    s = s < u->s ? u->s : s > v->s ? v->s : s;
    double certain = p.c - 2.0 * s * p.a + s * s * p.b;
    return (certain > 0.0 ? certain : 0.0) + others;
}

static void split(struct search *f, const struct place *u, const struct place *v, int depth)
{
    bool settled;
    double bound = bound_of(f, u, v, &settled), s = 0.5 * (u->s + v->s);
    bool open = !settled && bound < f->best.error - f->slack && depth < DEPTH &&
                f->best.visited < f->nodes && u->s < s && s < v->s;
    if (!open) {
        f->floor = fmin(f->floor, bound);
        return;
    }
    struct place *middle = &f->place[2 + depth];
    f->best.visited += 1.0;
    place(f, s, u, v, middle);
    improve(f, middle);
    split(f, u, middle, depth + 1);
    split(f, middle, v, depth + 1);
}

/* Least error, by clipping alone, of this and all smaller scales. Where no level is below 0, values
 * below 0 are at least that far away at any scale. */
static double clipping(const struct search *f, double s)
{
    const struct qnt__side *side = &f->data->side[0];
    const double low = s * fmin(f->level[0], 0.0), high = s * fmax(f->level[f->count - 1], 0.0);
    struct qnt__mark begin = {side->sums[0], 0}, end = qnt__mark_end(side),
                     first = qnt__mark_at(side, low, 0, side->n),
                     last = qnt__mark_at(side, high, 0, side->n);
    struct qnt__sums below = between(f, &begin, &first), above = between(f, &last, &end);
    return below.hxx - low * (2.0 * below.hx - low * below.h) + above.hxx -
           high * (2.0 * above.hx - high * above.h);
}

/* At this scale and beyond it only thresholds at 0 lie among the data: codes no longer change. */
static double largest_scale(const struct search *f)
{
    const struct qnt__side *side = &f->data->side[0];
    double least = INFINITY,
           reach = fmax(fabs((double)side->x[0]), fabs((double)side->x[side->n - 1]));
    for (int32_t j = 1; j < f->count; j++) {
        double t = fabs(f->middle[j]);
        if (t > 0.0) least = fmin(least, t);
    }
    return least < INFINITY ? reach / least * (1.0 + 1e-9) : 0.0;
}

/* May a scale below s be the best? */
static bool goes_on(const struct search *f, double s, double last)
{
    return s > last && f->best.error > f->slack && clipping(f, s) < f->best.error;
}

/* Tries scales downwards: with a good one at hand, most intervals are closed as they are opened. */
static void scan(struct search *f, double s, double last)
{
    for (; goes_on(f, s, last); s /= SCAN_RATIO) {
        place(f, s, NULL, NULL, &f->place[0]);
        improve(f, &f->place[0]);
    }
}

/* Thresholds that lie among the data at a scale. */
static int32_t thresholds_inside(const struct search *f, double s)
{
    const struct qnt__side *side = &f->data->side[0];
    double low = (double)side->x[0], high = (double)side->x[side->n - 1];
    int32_t inside = 0;
    for (int32_t j = 1; j < f->count; j++)
        inside += s * f->middle[j] >= low && s * f->middle[j] <= high;
    return inside;
}

/* Intervals are as wide as lets the bound have a grip: the fewer thresholds matter, the wider. */
static void branch(struct search *f)
{
    double s = largest_scale(f);
    struct place *u = &f->place[0], *v = &f->place[1];
    double last = s * 0x1p-200;
    if (s == 0.0) s = 1.0, last = 1.0; /* one code for each sign, at any scale */
    scan(f, s, last);
    place(f, s, NULL, NULL, v);
    improve(f, v);
    while (goes_on(f, s, last)) {
        s /= 1.0 + 1.0 / (RATIO_LEVELS * (double)(thresholds_inside(f, s) + 1));
        place(f, s, NULL, v, u);
        improve(f, u);
        split(f, u, v, 0);
        struct place *swap = u;
        u = v;
        v = swap;
    }
}

/* Is there a value that some level at some scale comes nearer to than 0? */
static bool can_improve(const struct search *f)
{
    const struct qnt__side *side = &f->data->side[0];
    return (side->x[side->n - 1] > 0.0f && f->level[f->count - 1] > 0.0) ||
           (side->x[0] < 0.0f && f->level[0] < 0.0);
}

void qnt__exact_levels(const struct qnt__sorted *data, const double *level, int32_t count,
                       double nodes, void *space, struct qnt__scale_fit *out)
{
    struct search f = {
        .data = data, .level = level, .count = count, .nodes = nodes > 0 ? nodes : 1e300};
    const struct qnt__side *side = &data->side[0];
    struct qnt__mark begin, end;
    *out = (struct qnt__scale_fit){.scale = 1.0};
    if (side->n == 0) return;
    for (int d = 0; d < DEPTH + 2; d++) {
        f.place[d].mark = qnt__carve(&space, (size_t)count + 1, sizeof(struct qnt__mark));
    }
    begin = (struct qnt__mark){side->sums[0], 0};
    end = qnt__mark_end(side);
    f.energy = between(&f, &begin, &end).hxx;
    f.slack = SLACK * f.energy;
    for (int32_t j = 1; j < count; j++) f.middle[j] = 0.5 * (level[j - 1] + level[j]);
    f.best = (struct qnt__scale_fit){.scale = 1.0, .error = INFINITY};
    f.floor = INFINITY;
    if (f.energy > 0.0 && can_improve(&f)) branch(&f);
    if (f.best.error == INFINITY) { /* nothing beats a scale near 0, where all levels are */
        f.best.error = f.energy;
        f.best.scale = f.energy > 0.0 ? 0x1p-100 : 1.0;
        f.floor = f.energy;
    }
    *out = f.best;
    out->bound = fmax(fmin(f.floor, f.best.error) - f.slack, 0.0);
}
