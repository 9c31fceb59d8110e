/* Where every value of a graph lives while it runs: buffers are used again after their last
 * reader. */
#ifndef PLAN_H
#define PLAN_H

#include "graph.h"

struct plan {
    size_t offset[GRAPH_NODES]; /* bytes from the start of the memory, for `batch` images */
    size_t bytes;
    int batch;
};

/* A node that adds gets the buffer of what it adds, if nobody else reads that later. */
void plan_make(const struct graph *graph, int batch, struct plan *plan);

#endif
