/* The best scale and real offset of a uniform grid: branch and bound on boxes of scale and
 * centre. */
#include <math.h>

#include "base/carve.h"
#include "base/numeric.h"
#include "box.h"
#include "exact.h"
#include "measure.h"

enum { DEPTH = 112, STARTS = 16, ALTERNATIONS = 12 };

struct branching {
    struct qnt__line line;
    struct qnt__point best;
    double slack;   /* rounding noise of errors and bounds */
    double floor;   /* least bound of all boxes that were closed */
    double visited; /* boxes split */
    double nodes;   /* the most to split */
    struct qnt__box box[DEPTH + 1];
};

size_t qnt__exact_affine_bytes(int32_t low, int32_t high)
{
    size_t row = qnt__carve_bytes((size_t)(high - low), sizeof(struct qnt__mark));
    return qnt__carve_bytes(1, sizeof(struct branching)) + (2 * (DEPTH + 1) + 1) * row;
}

static struct branching *prepare(const struct qnt__sorted *data, int32_t steps, double nodes,
                                 void *space)
{
    struct branching *b = qnt__carve(&space, 1, sizeof *b);
    *b = (struct branching){
        .line = {.data = data, .steps = steps},
        .best = {.error = data->energy, .s = 1.0},
        .slack = QNT__SLACK * data->energy,
        .floor = data->energy,
        .nodes = nodes > 0.0 ? nodes : 1e300,
    };
    b->line.at = qnt__carve(&space, (size_t)steps, sizeof(struct qnt__mark));
    for (int d = 0; d <= DEPTH; d++) {
        b->box[d].low = qnt__carve(&space, (size_t)steps, sizeof(struct qnt__mark));
        b->box[d].high = qnt__carve(&space, (size_t)steps, sizeof(struct qnt__mark));
    }
    return b;
}

static void improve(struct branching *b, double s, double c, const struct qnt__box *box)
{
    struct qnt__point point = qnt__box_regress(&b->line, s, c, box);
    if (point.error < b->best.error) b->best = point;
}

/* Rounding and regression in turn; never gets worse. */
static void alternate(struct branching *b, double s, double c)
{
    double last = INFINITY;
    for (int i = 0; i < ALTERNATIONS && s > 0.0; i++) {
        struct qnt__point point = qnt__box_regress(&b->line, s, c, NULL);
        if (point.error < b->best.error) b->best = point;
        if (!(point.error < last)) return;
        last = point.error;
        s = point.s;
        c = point.c;
    }
}

static void split(struct branching *b, const struct qnt__box *outer, int depth)
{
    struct qnt__box *box = &b->box[depth];
    bool settled;
    qnt__box_place(&b->line, box, outer);
    double bound = qnt__box_bound(&b->line, box, &settled);
    double s = 0.5 * (box->s[0] + box->s[1]), c = 0.5 * (box->c[0] + box->c[1]);
    bool open = bound < b->best.error - b->slack && depth < DEPTH && b->visited < b->nodes;
    if (open) {
        b->visited += 1.0;
        improve(b, s, c, box);
    }
    if (!open || settled) {
        b->floor = fmin(b->floor, bound);
        return;
    }
    /* Halve what moves the outer thresholds more. */
    bool by_scale = 0.5 * b->line.steps * (box->s[1] - box->s[0]) > box->c[1] - box->c[0];
    for (int half = 0; half < 2; half++) {
        struct qnt__box *inner = &b->box[depth + 1];
        for (int i = 0; i < 2; i++) {
            inner->s[i] = by_scale && i != half ? s : box->s[i];
            inner->c[i] = !by_scale && i != half ? c : box->c[i];
        }
        split(b, box, depth + 1);
    }
}

/*
 * Some optimum has s <= range / floor(steps / 2), else its codes can be doubled and s halved; and a
 * centre inside the data, else all codes can be shifted. Branching starts from good answers of
 * alternation.
 */
static void branch(struct branching *b, double start_s, double start_c)
{
    const struct qnt__side *side = &b->line.data->side[0];
    double low = (double)side->x[0] - b->line.data->origin;
    double high = (double)side->x[side->n - 1] - b->line.data->origin, range = high - low;
    int32_t steps = b->line.steps;

    if (start_s > 0.0) alternate(b, start_s, start_c);
    double s = range / steps; /* no pow(): its last bit depends on the C library */
    for (int i = 0; i < STARTS; i++, s *= 0.8) {
        alternate(b, s, 0.5 * (low + high));
        alternate(b, s, 0.0);
    }
    b->box[0].s[0] = 0.0;
    b->box[0].s[1] = steps > 1 ? range / (steps / 2) : range;
    b->box[0].c[0] = low;
    b->box[0].c[1] = high;
    if (b->best.error > b->slack) split(b, NULL, 0);
    else b->floor = 0.0;
}

/* The best of the float32 scales and offsets around the real ones. For another scale the line
 * turns about the mean of the data. */
static void store(const struct branching *b, int32_t low, int32_t high, struct qnt__exact *out)
{
    const struct qnt__side *side = &b->line.data->side[0];
    double middle = 0.5 * ((double)low + (double)high);
    float nearest = (float)b->best.s;
    for (int i = -1; i <= 1; i++) {
        float s = i < 0   ? nextafterf(nearest, 0.0f)
                  : i > 0 ? nextafterf(nearest, INFINITY)
                          : nearest;
        if (!(s > 0.0f) || !isfinite(s)) continue;
        double c = b->best.c + (b->best.s - (double)s) * b->best.code + b->line.data->origin;
        float offset = (float)(c - middle * (double)s);
        for (int j = -1; j <= 1; j++) {
            float o = j ? nextafterf(offset, j < 0 ? -INFINITY : INFINITY) : offset;
            struct qnt__affine affine = {.scale = s, .offset = o, .low = (float)low,
                                         .high = (float)high};
            if (!isfinite(o)) continue;
            double error = qnt__measure(&affine, side->x, side->h, side->n);
            if (out->affine.scale > 0.0f && error >= out->error) continue;
            out->affine = affine;
            out->error = error;
        }
    }
}

void qnt__exact_affine(const struct qnt__sorted *data, int32_t low, int32_t high,
                       const struct qnt__affine *start, double nodes, void *space,
                       struct qnt__exact *out)
{
    *out = (struct qnt__exact){.affine = {.scale = 1.0f, .low = (float)low, .high = (float)high}};
    if (data->side[0].n == 0) return;
    if (!(data->energy > 0.0)) { /* all alike: code 0 */
        out->affine.offset = data->side[0].x[0];
        return;
    }
    struct branching *b = prepare(data, high - low, nodes, space);
    double s = start ? (double)start->scale : 0.0, c = 0.0;
    if (start) c = (double)start->offset + 0.5 * ((double)low + (double)high) * s - data->origin;
    if (high > low) branch(b, s, c);
    out->affine.scale = 0.0f;
    store(b, low, high, out);
    double bound = fmin(b->floor, b->best.error) - b->slack;
    out->bound = fmax(0.0, fmin(bound, out->error));
    out->visited = b->visited;
}
