/* Weights of a training as sums of bases of signs. */
#include "bases.h"

#include <math.h>

#include "optimizer.h"

enum { ROUNDS = 4 };

/* Of all steps, and of those of a round. */
static const double rounds_end = 0.6, bases_share = 0.5, coordinates_share = 0.2;

bool bases_start(struct tuning *t, int layer)
{
    struct view view;
    const struct node *node = &t->graph->node[layer];
    const size_t n = graph_weight_count(t->graph, layer);
    double squares = 0;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_POINTS,
                     .method = QNT_ALQ,
                     .bits = 1,
                     .points = t->schedule->weight_bits,
                     .grain = QNT_PER_AXIS};
    for (size_t i = 0; i < n; i++) squares += (double)node->weight[i] * (double)node->weight[i];
    t->size[layer] = sqrt(squares / (double)n);
    return !qnt_alq_create(t->context, &spec, weight_view(t->graph, layer, node->weight, &view),
                           &t->alq[layer]);
}

bool bases_use(struct tuning *t, int layer)
{
    struct view view;
    return !qnt_alq_weights(t->context, t->alq[layer],
                            weight_view(t->graph, layer, t->tape.weight[layer], &view));
}

static size_t list(const struct tuning *t, qnt_alq **out)
{
    size_t count = 0;
    for (int i = 0; i < t->graph->count; i++)
        if (t->alq[i]) out[count++] = t->alq[i];
    return count;
}

double bases_bits(const struct tuning *t)
{
    qnt_alq *all[GRAPH_NODES];
    double bits = 0;
    qnt_alq_bits(t->context, all, list(t, all), &bits);
    return bits;
}

/* What the step at hand does; *bits is the mean to which it prunes. */
static int mode_of(const struct tuning *t, double *bits)
{
    const double first = t->schedule->weight_bits, last = t->schedule->mean_bits;
    const double round = ROUNDS * (double)t->step / (rounds_end * t->steps);
    const double share = round - floor(round);
    *bits = round < ROUNDS ? INFINITY : last;
    if (round >= ROUNDS) return QNT_ALQ_STRAIGHT;
    if (share < bases_share) return QNT_ALQ_BASES;
    if (share < bases_share + coordinates_share) return QNT_ALQ_COORDINATES;
    double gone = floor(round) +
                  (share - bases_share - coordinates_share) / (1 - bases_share - coordinates_share);
    *bits = first * pow(last / first, fmin(1.0, gone / ROUNDS));
    return QNT_ALQ_GATHER;
}

bool bases_move(struct tuning *t)
{
    qnt_alq *all[GRAPH_NODES];
    double bits, rate = t->schedule->bases_rate * cosine((double)t->step / t->steps);
    int mode = mode_of(t, &bits);
    bool good = true;
    for (int i = 0; good && i < t->graph->count; i++) {
        struct view view;
        if (!t->alq[i]) continue;
        good = !qnt_alq_step(t->context, t->alq[i], mode, fmax(rate * t->size[i], 1e-30),
                             weight_view(t->graph, i, t->tape.d_weight[i], &view));
    }
    return good && !qnt_alq_prune(t->context, all, list(t, all), UINT64_MAX, fmin(bits, 8));
}
