/* Measures a language model: how well it predicts every next token of some text. */
#ifndef LANGUAGE_H
#define LANGUAGE_H

#include <stdbool.h>

#include "evaluate.h"
#include "tokens.h"
#include "transformer.h"

/* A form of the model: its embedding and its matrix products, which many threads use at once. */
struct language_model {
    const struct transformer *transformer;
    const float *embedding;
    size_t workspace; /* bytes that `multiply` gets */
    bool (*multiply)(const void *self, int matrix, const float *x, int rows, float *y,
                     void *workspace);
    const void *self;
};

struct prediction {
    double nats;    /* mean of -log p(next token) */
    double right;   /* share of tokens that were the most likely ones */
    double seconds; /* of CPU time */
    size_t tokens;
};

/* False if a product failed or memory ran out. The result does not depend on the number of
 * threads. */
bool language_measure(const struct crew *crew, const struct language_model *model,
                      const struct tokens *text, int sequences, struct prediction *out);

#endif
