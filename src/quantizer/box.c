/* Errors, regressions and bounds of the affine solver. See box.h and doc/exact.md. */
#include "box.h"

#include <math.h>

/* sum h (x - c - s q)^2 over some values with their codes q, as a quadratic in the distance (dc,
 * ds) from a given (c, s): e - 2 dc x - 2 ds xq + dc^2 h + 2 dc ds q + ds^2 qq. Expanding about
 * a near point keeps the terms as small as the error. */
struct quadratic {
    double e, x, xq, h, q, qq;
};

static double code_of(const struct qnt__line *line, int32_t k)
{
    return (double)k - 0.5 * (double)line->steps;
}

/* Threshold between the codes k and k + 1, not centred. */
static double threshold_of(const struct qnt__line *line, int32_t k, double s, double c)
{
    return line->data->origin + (c + (code_of(line, k) + 0.5) * s);
}

void qnt__box_place(const struct qnt__line *line, struct qnt__box *box,
                    const struct qnt__box *outer)
{
    const struct qnt__side *side = &line->data->side[0];
    size_t low = 0, high = side->n;
    for (int32_t k = 0; k < line->steps; k++) {
        int falls = code_of(line, k) + 0.5 < 0.0; /* the threshold falls as s grows */
        if (outer) low = outer->low[k].index;
        if (outer) high = outer->high[k].index;
        double least = threshold_of(line, k, box->s[falls], box->c[0]);
        double greatest = threshold_of(line, k, box->s[!falls], box->c[1]);
        box->low[k] = qnt__mark_at(side, least, low, high);
        box->high[k] = qnt__mark_at(side, greatest, box->low[k].index, high);
    }
}

/* Adds the values between two places, all with code q, level v = c + s q. */
static void add(struct quadratic *f, const struct qnt__sums *from, const struct qnt__sums *to,
                double q, double v)
{
    double h = to->h - from->h, x = to->hx - from->hx, away = x - v * h;
    f->e += (to->hxx - from->hxx) - v * (2.0 * x - v * h);
    f->x += away;
    f->xq += q * away;
    f->h += h;
    f->q += q * h;
    f->qq += q * q * h;
}

static double value(const struct quadratic *f, double dc, double ds)
{
    return f->e - 2.0 * (dc * f->x + ds * f->xq) + dc * dc * f->h + 2.0 * dc * ds * f->q +
           ds * ds * f->qq;
}

static double clamp(double x, double radius)
{
    return x < -radius ? -radius : x > radius ? radius : x;
}

/* Where f is least, if that is one point. */
static bool minimum(const struct quadratic *f, double *dc, double *ds)
{
    double det = f->h * f->qq - f->q * f->q;
    if (!(det > 1e-12 * (f->h * f->qq))) return false;
    *ds = (f->h * f->xq - f->q * f->x) / det;
    *dc = (f->x - *ds * f->q) / f->h;
    return true;
}

/* Least of f for |dc| <= rc, |ds| <= rs: inside, or on one of four edges. */
static double least(const struct quadratic *f, double rc, double rs)
{
    double dc, ds;
    if (minimum(f, &dc, &ds) && dc >= -rc && dc <= rc && ds >= -rs && ds <= rs) {
        return value(f, dc, ds);
    }
    double best = INFINITY;
    for (int sign = -1; sign <= 1; sign += 2) {
        ds = sign * rs;
        dc = f->h > 0.0 ? clamp((f->x - ds * f->q) / f->h, rc) : 0.0;
        best = fmin(best, value(f, dc, ds));
        dc = sign * rc;
        ds = f->qq > 0.0 ? clamp((f->xq - dc * f->q) / f->qq, rs) : 0.0;
        best = fmin(best, value(f, dc, ds));
    }
    return best;
}

/* How far a value between the codes k and k + 1 is at least from both of their levels. */
static double distance(const struct qnt__line *line, const struct qnt__box *box, int32_t k)
{
    double lower = code_of(line, k), middle = lower + 0.5, upper = lower + 1.0;
    double low = box->c[0] + fmin(middle * box->s[0], middle * box->s[1]);
    double high = box->c[1] + fmax(middle * box->s[0], middle * box->s[1]);
    double from = low - (box->c[1] + fmax(lower * box->s[0], lower * box->s[1]));
    double to = box->c[0] + fmin(upper * box->s[0], upper * box->s[1]) - high;
    return fmax(0.0, fmin(from, to));
}

double qnt__box_bound(const struct qnt__line *line, const struct qnt__box *box, bool *settled)
{
    const struct qnt__side *side = &line->data->side[0];
    double s = 0.5 * (box->s[0] + box->s[1]), c = 0.5 * (box->c[0] + box->c[1]), between = 0.0;
    struct qnt__mark begin = {{0}, 0}, end = qnt__mark_end(side);
    struct quadratic f = {0};
    *settled = true;
    for (int32_t k = 0; k <= line->steps; k++) {
        const struct qnt__mark *from = k > 0 ? &box->high[k - 1] : &begin;
        const struct qnt__mark *to = k < line->steps ? &box->low[k] : &end;
        double q = code_of(line, k);
        if (from->index < to->index) add(&f, &from->sum, &to->sum, q, c + s * q);
        if (k == line->steps || box->low[k].index == box->high[k].index) continue;
        double away = distance(line, box, k);
        between += (box->high[k].sum.h - box->low[k].sum.h) * (away * away);
        *settled = false;
    }
    return between + least(&f, 0.5 * (box->c[1] - box->c[0]), 0.5 * (box->s[1] - box->s[0]));
}

struct qnt__point qnt__box_regress(const struct qnt__line *line, double s, double c,
                                   const struct qnt__box *box)
{
    const struct qnt__side *side = &line->data->side[0];
    const struct qnt__sums *from = &side->sums[0];
    struct quadratic f = {0};
    size_t low = 0, high = side->n;
    for (int32_t k = 0; k <= line->steps; k++) {
        const struct qnt__sums *to = &side->sums[side->n];
        if (k < line->steps) {
            if (box && box->low[k].index > low) low = box->low[k].index;
            if (box) high = box->high[k].index;
            line->at[k] = qnt__mark_at(side, threshold_of(line, k, s, c), low, high);
            low = line->at[k].index;
            to = &line->at[k].sum;
        }
        double q = code_of(line, k);
        add(&f, from, to, q, c + s * q);
        from = to;
    }
    double dc = f.h > 0.0 ? f.x / f.h : 0.0, ds = 0.0;
    if (!minimum(&f, &dc, &ds) || !(s + ds > 0.0)) {
        dc = f.h > 0.0 ? f.x / f.h : 0.0;
        ds = 0.0;
    }
    return (struct qnt__point){value(&f, dc, ds), s + ds, c + dc, f.h > 0.0 ? f.q / f.h : 0.0};
}
