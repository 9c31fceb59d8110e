/*
 * A trained network whose 2-bit convolutions run on packed digits (qnt/lowbit.h).
 *
 * Convolutions with weights of -3, -1, 1, 3 and inputs of 0, 1, 2, 3, times scales, become layers
 * of digits; everything else stays as it was deployed. A value that such a layer made goes on as
 * digits, and as floats only if somebody adds, averages or shuffles it.
 */
#ifndef PACKED_H
#define PACKED_H

#include "tuning.h"

struct packed {
    struct quantized *plain; /* runs all other nodes */
    qnt_lowbit_layer *layer[GRAPH_NODES];
    qnt_quantizer *format[GRAPH_NODES];     /* of values that layers of digits read */
    const struct node *reader[GRAPH_NODES]; /* whose border the digits of a value have, or NULL */
    bool floats[GRAPH_NODES];               /* the value is read as floats, too */
    size_t offset[GRAPH_NODES];             /* of its digits, behind what `plain` needs */
    size_t codes, digits, bytes, workspace; /* places there, and all of it */
    struct runner under;                    /* of `plain` */
    int count;                              /* layers of digits */
};

/* NULL or a sentence. `plain` must stay. With no such convolution `count` is 0. */
const char *packed_deploy(const struct tuning *tuning, struct quantized *plain, struct packed *out);
bool packed_runner(const struct graph *graph, struct packed *packed, struct runner *out);
void packed_free(struct packed *packed);

#endif
