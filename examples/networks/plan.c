/* Where every value of a graph lives while it runs. */
#include "plan.h"

struct span {
    size_t begin, end;
    int last; /* the node that reads it last */
};

static int last_reader(const struct graph *graph, int value)
{
    int last = graph->count; /* the result is never given up */
    for (int i = value + 1; i < graph->count; i++)
        if (graph->node[i].input == value || graph->node[i].add == value) last = i;
    return last;
}

/* The lowest place that is free of every value still needed at `node`. */
static size_t lowest_gap(const struct span *span, int node, size_t bytes)
{
    size_t at = 0;
    for (int i = 0; i < node;) {
        bool in_use = span[i].last >= node;
        if (in_use && at < span[i].end && span[i].begin < at + bytes) {
            at = span[i].end;
            i = 0;
        } else {
            i++;
        }
    }
    return at;
}

void plan_make(const struct graph *graph, int batch, struct plan *plan)
{
    struct span span[GRAPH_NODES];
    *plan = (struct plan){.batch = batch};
    for (int i = 0; i < graph->count; i++) {
        const struct node *node = &graph->node[i];
        size_t bytes = (node_elements(node) * sizeof(float) * (size_t)batch + 63) / 64 * 64;
        bool in_place = node->add >= 0 && span[node->add].last == i;
        size_t begin = in_place ? span[node->add].begin : lowest_gap(span, i, bytes);
        span[i] = (struct span){begin, begin + bytes, last_reader(graph, i)};
        plan->offset[i] = begin;
        if (plan->bytes < begin + bytes) plan->bytes = begin + bytes;
    }
}
