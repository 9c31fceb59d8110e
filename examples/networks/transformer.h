/*
 * A small language model of the Llama 2 kind, run over whole sequences.
 *
 * Everything but the matrix products is float C; the products are a function that the caller
 * passes, so that the same code runs the float reference and every quantized form. Embedding and
 * output share a matrix.
 */
#ifndef TRANSFORMER_H
#define TRANSFORMER_H

#include "safetensors.h"

enum {
    DIM = 64, LAYERS = 5, HEADS = 8, HEAD = 8, KEY_DIM = 32, HIDDEN = 172, VOCABULARY = 512,
    POSITIONS = 256
};

enum { MATRIX_Q, MATRIX_K, MATRIX_V, MATRIX_O, MATRIX_1, MATRIX_2, MATRIX_3, MATRICES_PER_LAYER };
enum { MATRIX_EMBEDDING = LAYERS * MATRICES_PER_LAYER, MATRICES };

struct matrix {
    int out, in;
    float *weight; /* [out][in] */
};

struct transformer {
    struct matrix matrix[MATRICES];
    float *attention_norm[LAYERS], *hidden_norm[LAYERS], *norm;
    char problem[160]; /* what is missing in the file */
};

/* y[rows][out] = x[rows][in] times the transpose of a matrix; non-zero stops the run. */
typedef int (*multiply_fn)(void *user, int matrix, const float *x, int rows, float *y);

struct transformer *transformer_create(const struct safetensors *file); /* NULL: out of memory */
void transformer_free(struct transformer *transformer);

/* Values of one run; every thread has its own. */
struct activations {
    float x[POSITIONS * DIM], y[POSITIONS * DIM], q[POSITIONS * DIM];
    float k[POSITIONS * KEY_DIM], v[POSITIONS * KEY_DIM];
    float turned[KEY_DIM * POSITIONS]; /* k, one row for each element of a key */
    float gate[POSITIONS * HIDDEN], up[POSITIONS * HIDDEN];
    float logits[POSITIONS * VOCABULARY];
};

/* Logits after each of the n tokens; `embedding` is what tokens become. 0, or what `multiply`
 * returned. */
int transformer_run(const struct transformer *transformer, const float *embedding,
                    const uint16_t *token, int n, multiply_fn multiply, void *user,
                    struct activations *work);

#endif
