/* How many points each group gets. See point_counts.h. */
#include "point_counts.h"

#include "base/arith.h"
#include "base/try.h"

/* Going from one number of points of a group to another, along the lower hull of its errors. */
struct step {
    double gain, cost; /* saved error, and the bits or rows that it takes */
    size_t group;
    int32_t to;
};

int32_t qnt__points_least(const qnt_spec *spec)
{
    return spec->method == QNT_MULTIPOINT ? 1 : 0;
}

static double error_at(const struct qnt__point_errors *e, size_t g, int32_t points)
{
    return e->error[g * (size_t)(e->quantizer->spec.points + 1) + (size_t)points];
}

/* What one point of a group takes: a row, or the bits of its digits and of its coefficient. */
static double cost_of_point(const struct qnt__point_errors *e, size_t g)
{
    if (e->quantizer->options.extra > 0.0) return 1.0;
    return (double)e->moments[g].count * (double)e->quantizer->spec.bits + 32.0;
}

/* ---- the heap of steps, best first ---- */

/* Is a step worth more than another? Equal ones go by group, so that the order is always the same.
 */
static bool is_better(const struct step *s, const struct step *t)
{
    double left = s->gain * t->cost, right = t->gain * s->cost;
    return left != right ? left > right : s->group < t->group;
}

/* Moves the first step of a heap down to where it belongs. */
static void sift(struct step *heap, size_t count)
{
    struct step moved = heap[0];
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_better(&heap[child + 1], &heap[child])) child++;
        if (!is_better(&heap[child], &moved)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void push(struct step *heap, size_t count, struct step step)
{
    size_t at = count;
    for (; at > 0 && is_better(&step, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = step;
}

static struct step pop(struct step *heap, size_t *count)
{
    struct step first = heap[0];
    heap[0] = heap[--*count];
    if (*count > 0) sift(heap, *count);
    return first;
}

/* ---- a budget ---- */

/* The step from p points that saves most for what it costs, which is at most `room`; false if no
 * more points are of use. */
static bool next_step(const struct qnt__point_errors *e, size_t g, int32_t p, double room,
                      struct step *step)
{
    bool found = false;
    for (int32_t q = p + 1; q <= e->quantizer->spec.points; q++) {
        struct step s = {error_at(e, g, p) - error_at(e, g, q), (q - p) * cost_of_point(e, g), g,
                         q};
        if (!(s.gain > 0.0) || s.cost > room) continue;
        if (found && !(s.gain * step->cost > step->gain * s.cost)) continue;
        *step = s;
        found = true;
    }
    return found;
}

/* What is to be spent beyond the fewest points. */
static qnt_status open_rows(const qnt_context *context, const struct qnt__point_errors *e,
                            double *room)
{
    const qnt_spec *spec = &e->quantizer->spec;
    double most = (double)e->quantizer->groups * (double)(spec->points - qnt__points_least(spec));
    *room = e->quantizer->options.extra;
    if (*room <= most) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID,
                     "quantizer: QNT_P_EXTRA is %g points, expected at most %.0f, what %zu groups "
                     "can have beyond %d each",
                     *room, most, e->quantizer->groups, (int)qnt__points_least(spec));
}

static qnt_status open_bits(const qnt_context *context, const struct qnt__point_errors *e,
                            double *room)
{
    const qnt_spec *spec = &e->quantizer->spec;
    const int32_t first = qnt__points_least(spec);
    double count = 0.0, least = 0.0, most = 0.0, budget = e->quantizer->options.budget;
    *room = 0.0;
    for (size_t g = 0; g < e->quantizer->groups; g++) {
        double each = cost_of_point(e, g), n = (double)e->moments[g].count;
        count += n;
        least += first * each;
        most += spec->points * each;
        *room += budget * n - first * each;
    }
    if (budget * count >= least && budget * count <= most) return QNT_OK;
    return qnt__fail(
        context, QNT_E_INVALID,
        "quantizer: QNT_P_BUDGET is %g bits, expected %.6g to %.6g, what %d to %d points take",
        budget, least / count, most / count, (int)first, (int)spec->points);
}

/* Steps in the order of what they save; one that does not fit gives way to the best that does. */
static void spend(const struct qnt__point_errors *e, double room, struct step *heap,
                  int32_t *counts)
{
    size_t count = 0;
    struct step step;
    for (size_t g = 0; g < e->quantizer->groups; g++) {
        counts[g] = qnt__points_least(&e->quantizer->spec);
        if (next_step(e, g, counts[g], room, &step)) push(heap, count++, step);
    }
    while (count > 0) {
        step = pop(heap, &count);
        if (step.cost <= room) {
            room -= step.cost;
            counts[step.group] = step.to;
        }
        size_t g = step.group;
        if (next_step(e, g, counts[g], room, &step)) push(heap, count++, step);
    }
}

static qnt_status spend_budget(const qnt_context *context, const struct qnt__point_errors *e,
                               int32_t *counts)
{
    const qnt_quantizer *q = e->quantizer;
    double room;
    size_t bytes;
    void *heap;
    QNT__TRY(q->options.extra > 0.0 ? open_rows(context, e, &room) : open_bits(context, e, &room));
    if (!qnt__mul(q->groups, sizeof(struct step), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &q->memory, bytes, &heap));
    spend(e, room, heap, counts);
    qnt__free(&q->memory, heap, bytes);
    return QNT_OK;
}

/* ---- a tolerance ---- */

/* The fewest points whose error is at most the tolerance: absolute as published, else a share of
 * the group's energy. */
static int32_t enough(const struct qnt__point_errors *e, size_t g)
{
    const qnt_spec *spec = &e->quantizer->spec;
    double most = e->quantizer->options.tolerance;
    if (!(spec->flags & QNT_LITERAL)) most *= error_at(e, g, 0);
    int32_t p = qnt__points_least(spec);
    while (p < spec->points && error_at(e, g, p) > most) p++;
    return p;
}

qnt_status qnt__point_counts(const qnt_context *context, const struct qnt__point_errors *e,
                             int32_t *counts)
{
    const struct qnt__options *options = &e->quantizer->options;
    bool stops = options->tolerance > 0.0;
    if (!stops && (options->extra > 0.0 || options->budget > 0.0))
        return spend_budget(context, e, counts);
    for (size_t g = 0; g < e->quantizer->groups; g++)
        counts[g] = stops ? enough(e, g) : e->quantizer->spec.points;
    return QNT_OK;
}
