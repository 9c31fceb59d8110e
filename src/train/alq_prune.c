/* Pruning of coordinates by the loss that is expected, over all layers of a network together: a
 * heap of the coordinates, the cheapest on top (Qu et al. 2020, without their two-phase
 * sort). */
#include "alq.h"

#include <string.h>

#include "base/arith.h"
#include "base/try.h"

void qnt__alq_drop(qnt_alq *q, struct qnt__alq_group g, int32_t base)
{
    double *const row[] = {q->alpha + g.number * QNT__BASES_MAX, q->a.m + g.number * QNT__BASES_MAX,
                           q->a.v + g.number * QNT__BASES_MAX,
                           q->a.top + g.number * QNT__BASES_MAX};
    const int32_t last = --q->bases[g.number];
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        memmove(row[r] + base, row[r] + base + 1, (size_t)(last - base) * sizeof(double));
        row[r][last] = 0.0;
    }
    const unsigned below = (1u << base) - 1u;
    for (size_t j = g.first; j < g.first + g.n; j++)
        q->code[j] = (uint8_t)((q->code[j] & below) | (q->code[j] >> 1 & ~below));
}

/* A coordinate, and what the loss is expected to gain when it goes. */
struct candidate {
    double cost;
    size_t layer, group;
    int32_t base;
};

static int by_cost(const struct candidate *a, const struct candidate *b)
{
    if (a->cost != b->cost) return a->cost < b->cost ? -1 : 1;
    if (a->layer != b->layer) return a->layer < b->layer ? -1 : 1;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return a->base - b->base;
}

static bool is_before(const struct candidate *a, const struct candidate *b)
{
    return by_cost(a, b) < 0;
}

/* A heap with the cheapest on top. */
static void sink(struct candidate *heap, size_t n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(&heap[child + 1], &heap[child])) child++;
        if (!is_before(&heap[child], &heap[at])) return;
        struct candidate other = heap[at];
        heap[at] = heap[child];
        heap[child] = other;
    }
}

static size_t list_candidates(qnt_alq *const *alq, size_t n, struct candidate *out)
{
    size_t count = 0;
    for (size_t l = 0; l < n; l++) {
        const qnt_alq *q = alq[l];
        for (size_t i = 0; i < q->groups; i++) {
            for (int32_t b = 0; b < q->bases[i]; b++) {
                size_t at = i * QNT__BASES_MAX + (size_t)b;
                double alpha = q->alpha[at];
                double cost = -qnt__alq_slope(&q->a, at, q->rate) * alpha +
                              0.5 * qnt__alq_curve(&q->a, at) * alpha * alpha;
                if (out) out[count] = (struct candidate){cost, l, i, b};
                count++;
            }
        }
    }
    return count;
}

/* Bases keep their numbers while others of the group go: gone[l][group] has their bits. */
static int32_t place_of(uint8_t gone, int32_t base)
{
    int32_t at = base;
    for (int32_t b = 0; b < base; b++) at -= gone >> b & 1;
    return at;
}

qnt_status qnt_alq_prune(const qnt_context *context, qnt_alq *const *alq, size_t n, uint64_t most,
                         double bits)
{
    double weights, all;
    size_t groups = 0, bytes = 0, mark_bytes;
    void *block;
    QNT__TRY(qnt__alq_check(context, alq, n));
    if (!(bits >= 0.0))
        return qnt__fail(context, QNT_E_INVALID, "bits is %g, expected at least 0", bits);
    qnt__alq_count(alq, n, &weights, &all);
    size_t count = list_candidates(alq, n, NULL);
    for (size_t l = 0; l < n; l++) groups += alq[l]->groups;
    if (!qnt__mul(count, sizeof(struct candidate), &bytes) || !qnt__add(groups, bytes, &mark_bytes))
        mark_bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &context->memory, mark_bytes, &block));
    struct candidate *heap = block;
    uint8_t *gone = (uint8_t *)block + bytes;
    memset(gone, 0, groups);
    list_candidates(alq, n, heap);
    for (size_t at = count / 2; at-- > 0;) sink(heap, count, at);
    for (; count > 0 && most > 0 && all > bits * weights; most--) {
        struct candidate c = heap[0];
        qnt_alq *q = alq[c.layer];
        struct qnt__alq_group g = qnt__alq_group(q, c.group);
        uint8_t *mine = gone;
        for (size_t l = 0; l < c.layer; l++) mine += alq[l]->groups;
        qnt__alq_drop(q, g, place_of(mine[c.group], c.base));
        mine[c.group] |= (uint8_t)(1u << c.base);
        qnt__alq_rebuild(q, g);
        all -= (double)g.n;
        heap[0] = heap[--count];
        sink(heap, count, 0);
    }
    qnt__free(&context->memory, block, mark_bytes);
    return QNT_OK;
}
