/*
 * The best scale, or scale and zero point, of a uniform grid: branch and bound over the scale.
 *
 * One pass serves all zero points: at a given scale, codes depend on the zero point only by
 * clipping, so sums over the first k levels of either side give the error and the bound for each.
 */
#include "base/carve.h"
#include "base/numeric.h"
#include "cut.h"
#include "exact.h"
#include "measure.h"

enum { DEPTH = 60 };

static const double SCAN_RATIO = 1.02; /* of the scales tried first */

struct branching {
    struct qnt__grid grid;
    struct qnt__candidate best;
    double slack;    /* rounding noise of errors and bounds */
    double floor;    /* least bound of all intervals that were closed */
    double visited;  /* intervals split */
    double nodes;    /* the most to split */
    struct qnt__cut cut[DEPTH + 2];
};

size_t qnt__exact_grid_bytes(int32_t steps, int32_t first, int32_t last)
{
    size_t bytes = qnt__carve_bytes(1, sizeof(struct branching));
    size_t levels[2] = {(size_t)(steps - first), (size_t)last};
    for (int t = 0; t < 2; t++) {
        bytes += qnt__carve_bytes(levels[t] + 1, sizeof(struct qnt__part));
        bytes += (DEPTH + 2) * qnt__carve_bytes(levels[t] + 2, sizeof(struct qnt__mark));
    }
    return bytes;
}

static struct branching *prepare(const struct qnt__sorted *data, int32_t steps, int32_t first,
                                 int32_t last, double nodes, void *space)
{
    struct branching *b = qnt__carve(&space, 1, sizeof *b);
    *b = (struct branching){
        .grid = {.data = data, .steps = steps, .first = first, .last = last,
                 .levels = {(size_t)(steps - first), (size_t)last}},
        .best = {.error = data->energy, .scale = 1.0, .below = first},
        .slack = QNT__SLACK * data->energy,
        .floor = data->energy,
        .nodes = nodes > 0.0 ? nodes : 1e300,
    };
    for (int t = 0; t < 2; t++) {
        b->grid.part[t] = qnt__carve(&space, b->grid.levels[t] + 1, sizeof(struct qnt__part));
        for (int d = 0; d < DEPTH + 2; d++) {
            b->cut[d].mark[t] = qnt__carve(&space, b->grid.levels[t] + 2, sizeof(struct qnt__mark));
        }
    }
    return b;
}

static double largest(const struct qnt__side *side)
{
    return side->n ? (double)side->x[side->n - 1] : 0.0;
}

/*
 * Some optimum has a scale of at most this. Codes that fill no more than half of the grid can be
 * doubled and the scale halved: so some code k exceeds half of its side, k <= max / s + 1/2; and if
 * the zero point is free, codes from -i to k with i + k > steps / 2. Above 2 max all codes are 0.
 */
static double largest_scale(const struct qnt__grid *grid)
{
    double max[2] = {largest(&grid->data->side[0]), largest(&grid->data->side[1])}, bound = 0.0;
    double all = 2.0 * (max[0] > max[1] ? max[0] : max[1]);
    if (grid->first < grid->last) { /* free: the solver is called with all zero points or one */
        double half = (double)(grid->steps / 2);
        return half * all > max[0] + max[1] ? (max[0] + max[1]) / half : all;
    }
    for (int t = 0; t < 2; t++) {
        double s = max[t] / ((double)(grid->levels[t] / 2) + 0.5);
        if (grid->levels[t] > 0 && s > bound) bound = s;
    }
    return bound;
}

static void swap_cuts(struct qnt__cut *a, struct qnt__cut *b)
{
    struct qnt__cut c = *a;
    *a = *b;
    *b = c;
}

/* Tries scales downwards until clipping alone costs more than the best; returns the last one. */
static double scan(struct branching *b, double s)
{
    struct qnt__cut *now = &b->cut[0], *before = NULL;
    for (;; s /= SCAN_RATIO) {
        int32_t first, last;
        now->s = s;
        qnt__cut_place(&b->grid, now, NULL, before);
        qnt__cut_improve(&b->grid, now, &b->best);
        if (b->best.error <= b->slack) return s;
        if (qnt__cut_clipping(&b->grid, now, b->best.error, &first, &last) >= b->best.error)
            return s;
        before = &b->cut[1];
        swap_cuts(now, &b->cut[1]);
    }
}

static void split(struct branching *b, const struct qnt__cut *left, const struct qnt__cut *right,
                  int depth)
{
    bool settled;
    double bound = qnt__cut_bound(&b->grid, left, right, &settled);
    double middle = 0.5 * (left->s + right->s);
    bool open = bound < b->best.error - b->slack && depth < DEPTH && b->visited < b->nodes &&
                left->s < middle && middle < right->s;
    if (open) {
        struct qnt__cut *cut = &b->cut[2 + depth];
        b->visited += 1.0;
        cut->s = middle;
        qnt__cut_place(&b->grid, cut, left, right);
        qnt__cut_improve(&b->grid, cut, &b->best);
        if (!settled) {
            split(b, left, cut, depth + 1);
            split(b, cut, right, depth + 1);
            return;
        }
    }
    if (bound < b->floor) b->floor = bound;
}

/* Zero points that clip too much even at the largest scale are out. */
static void drop_zero_points(struct branching *b, double s)
{
    int32_t first, last;
    b->cut[0].s = s;
    qnt__cut_place(&b->grid, &b->cut[0], NULL, NULL);
    qnt__cut_clipping(&b->grid, &b->cut[0], b->best.error, &first, &last);
    if (first > last) return;
    b->grid.first = first;
    b->grid.last = last;
    b->grid.levels[0] = (size_t)(b->grid.steps - first);
    b->grid.levels[1] = (size_t)last;
}

/* Branch and bound over s_min..s_max, cut geometrically into intervals on which the bound has a
 * grip. */
static void branch(struct branching *b)
{
    double s_max = largest_scale(&b->grid);
    if (!(s_max > 0.0)) return;
    double s_min = scan(b, s_max);
    drop_zero_points(b, s_max);

    size_t levels = qnt__max(b->grid.levels[0], b->grid.levels[1]);
    double ratio = 1.0 + 1.0 / (2.0 * (double)levels + 2.0), s = s_max;
    struct qnt__cut *left = &b->cut[0], *right = &b->cut[1];
    right->s = s;
    qnt__cut_place(&b->grid, right, NULL, NULL);
    while (s > s_min && b->best.error > b->slack) {
        s /= ratio;
        left->s = s;
        qnt__cut_place(&b->grid, left, NULL, right);
        qnt__cut_improve(&b->grid, left, &b->best);
        split(b, left, right, 0);
        swap_cuts(left, right);
    }
    if (b->best.error <= b->slack) b->floor = 0.0;
}

/* Magnitudes of negative values meet the mirrored levels. */
static double measure(const struct qnt__sorted *data, const struct qnt__affine *affine)
{
    const struct qnt__side *up = &data->side[0], *down = &data->side[1];
    struct qnt__affine mirrored = {.scale = affine->scale, .low = -affine->high,
                                   .high = -affine->low};
    return qnt__measure(affine, up->x, up->h, up->n) +
           qnt__measure(&mirrored, down->x, down->h, down->n);
}

/* The float32 scale with the smallest measured error among those next to the real one: its two
 * neighbours, and some more where floats are so small that they are far apart. */
static void store(const struct branching *b, struct qnt__exact *out)
{
    enum { SUBNORMAL_REACH = 32, SMALLEST_NORMAL = 0x800000 };
    float nearest = (float)b->best.scale;
    int32_t at = (int32_t)qnt__bits_of_f32(nearest);
    int32_t down = (double)nearest > b->best.scale ? 1 : 0, up = 1 - down;
    if (at <= SMALLEST_NORMAL) down = up = SUBNORMAL_REACH;
    for (int32_t i = at - down; i <= at + up; i++) {
        struct qnt__affine affine = {.scale = qnt__f32_of_bits((uint32_t)i),
                                     .low = -(float)b->best.below,
                                     .high = (float)(b->grid.steps - b->best.below)};
        if (i <= 0 || i >= 0x7f800000) continue;
        double error = measure(b->grid.data, &affine);
        if (out->affine.scale > 0.0f && error >= out->error) continue;
        out->affine = affine;
        out->error = error;
    }
}

void qnt__exact_grid(const struct qnt__sorted *data, int32_t steps, int32_t first, int32_t last,
                     double nodes, void *space, struct qnt__exact *out)
{
    struct branching *b = prepare(data, steps, first, last, nodes, space);
    *out = (struct qnt__exact){0};
    branch(b);
    store(b, out);
    double bound = (b->floor < b->best.error ? b->floor : b->best.error) - b->slack;
    bound = bound < out->error ? bound : out->error;
    out->bound = bound > 0.0 ? bound : 0.0;
    out->visited = b->visited;
}
