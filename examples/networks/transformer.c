/* A small language model of the Llama 2 kind (Touvron et al. 2023), run over whole sequences. */
#include "transformer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *load(struct transformer *t, const struct safetensors *file, const char *name,
                   int ndim, int64_t out, int64_t in)
{
    int64_t shape[] = {out, in};
    float *values = safetensors_floats(file, name, ndim, shape);
    if (!values && !t->problem[0])
        snprintf(t->problem, sizeof t->problem, "%s is not in the file as expected", name);
    return values;
}

struct transformer *transformer_create(const struct safetensors *file)
{
    static const struct { const char *name; int out, in; } part[MATRICES_PER_LAYER] = {
        {"attention.wq", DIM, DIM}, {"attention.wk", KEY_DIM, DIM}, {"attention.wv", KEY_DIM, DIM},
        {"attention.wo", DIM, DIM}, {"feed_forward.w1", HIDDEN, DIM},
        {"feed_forward.w2", DIM, HIDDEN}, {"feed_forward.w3", HIDDEN, DIM}};
    struct transformer *t = calloc(1, sizeof *t);
    char name[96];
    for (int l = 0; t && l < LAYERS; l++) {
        for (int i = 0; i < MATRICES_PER_LAYER; i++) {
            snprintf(name, sizeof name, "layers.%d.%s.weight", l, part[i].name);
            t->matrix[l * MATRICES_PER_LAYER + i] = (struct matrix){
                part[i].out, part[i].in, load(t, file, name, 2, part[i].out, part[i].in)};
        }
        snprintf(name, sizeof name, "layers.%d.attention_norm.weight", l);
        t->attention_norm[l] = load(t, file, name, 1, DIM, 0);
        snprintf(name, sizeof name, "layers.%d.ffn_norm.weight", l);
        t->hidden_norm[l] = load(t, file, name, 1, DIM, 0);
    }
    if (!t) return NULL;
    t->norm = load(t, file, "norm.weight", 1, DIM, 0);
    t->matrix[MATRIX_EMBEDDING] = (struct matrix){
        VOCABULARY, DIM, load(t, file, "tok_embeddings.weight", 2, VOCABULARY, DIM)};
    return t;
}

void transformer_free(struct transformer *t)
{
    for (int i = 0; t && i < MATRICES; i++) free(t->matrix[i].weight);
    for (int l = 0; t && l < LAYERS; l++) {
        free(t->attention_norm[l]);
        free(t->hidden_norm[l]);
    }
    if (t) free(t->norm);
    free(t);
}

/* x / sqrt(mean(x^2) + 1e-5) * gain (Zhang, Sennrich 2019) */
static void normalise(const float *x, const float *gain, int n, float *y)
{
    for (int row = 0; row < n; row++, x += DIM, y += DIM) {
        float sum = 0;
        for (int i = 0; i < DIM; i++) sum += x[i] * x[i];
        float factor = 1 / sqrtf(sum / DIM + 1e-5f);
        for (int i = 0; i < DIM; i++) y[i] = x[i] * factor * gain[i];
    }
}

/* Turns neighbouring pairs of every head by position / 10000^(2i / HEAD) (Su et al. 2021). */
static void rotate(float *x, int n, int width)
{
    for (int position = 0; position < n; position++, x += width) {
        for (int pair = 0; pair < HEAD / 2; pair++) {
            double angle = position / pow(10000.0, 2.0 * pair / HEAD);
            float c = (float)cos(angle), s = (float)sin(angle);
            for (int at = 2 * pair; at < width; at += HEAD) {
                float a = x[at], b = x[at + 1];
                x[at] = a * c - b * s;
                x[at + 1] = a * s + b * c;
            }
        }
    }
}

static void softmax(float *x, int n)
{
    float top = x[0], sum = 0;
    for (int i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (int i = 0; i < n; i++) sum += x[i] = expf(x[i] - top);
    for (int i = 0; i < n; i++) x[i] /= sum;
}

/* One head at one position looks at all positions up to its own; two heads share keys and
 * values. */
static void attend(const struct activations *w, int head, int position, float *y)
{
    float score[POSITIONS];
    const float *q = w->q + position * DIM + head * HEAD;
    const float *k = w->turned + head / 2 * HEAD * POSITIONS, *v = w->v + head / 2 * HEAD;
    const float scale = sqrtf(HEAD);
    for (int p = 0; p <= position; p++) score[p] = q[0] * k[p];
    for (int i = 1; i < HEAD; i++)
        for (int p = 0; p <= position; p++) score[p] += q[i] * k[i * POSITIONS + p];
    for (int p = 0; p <= position; p++) score[p] /= scale;
    softmax(score, position + 1);
    memset(y, 0, HEAD * sizeof *y);
    for (int p = 0; p <= position; p++)
        for (int i = 0; i < HEAD; i++) y[i] += score[p] * v[p * KEY_DIM + i];
}

static void add(float *x, const float *y, int count)
{
    for (int i = 0; i < count; i++) x[i] += y[i];
}

static int attention(const struct transformer *t, int layer, int n, multiply_fn multiply,
                     void *user, struct activations *w)
{
    int base = layer * MATRICES_PER_LAYER, failed;
    normalise(w->x, t->attention_norm[layer], n, w->y);
    if ((failed = multiply(user, base + MATRIX_Q, w->y, n, w->q)) ||
        (failed = multiply(user, base + MATRIX_K, w->y, n, w->k)) ||
        (failed = multiply(user, base + MATRIX_V, w->y, n, w->v)))
        return failed;
    rotate(w->q, n, DIM);
    rotate(w->k, n, KEY_DIM);
    for (int i = 0; i < n * KEY_DIM; i++)
        w->turned[i % KEY_DIM * POSITIONS + i / KEY_DIM] = w->k[i];
    for (int position = 0; position < n; position++)
        for (int head = 0; head < HEADS; head++)
            attend(w, head, position, w->y + position * DIM + head * HEAD);
    if ((failed = multiply(user, base + MATRIX_O, w->y, n, w->q))) return failed;
    add(w->x, w->q, n * DIM);
    return 0;
}

/* w2 (silu(w1 y) * w3 y) (Shazeer 2020) */
static int feed_forward(const struct transformer *t, int layer, int n, multiply_fn multiply,
                        void *user, struct activations *w)
{
    int base = layer * MATRICES_PER_LAYER, failed;
    normalise(w->x, t->hidden_norm[layer], n, w->y);
    if ((failed = multiply(user, base + MATRIX_1, w->y, n, w->gate)) ||
        (failed = multiply(user, base + MATRIX_3, w->y, n, w->up)))
        return failed;
    for (int i = 0; i < n * HIDDEN; i++) w->gate[i] *= w->up[i] / (1 + expf(-w->gate[i]));
    if ((failed = multiply(user, base + MATRIX_2, w->gate, n, w->y))) return failed;
    add(w->x, w->y, n * DIM);
    return 0;
}

int transformer_run(const struct transformer *t, const float *embedding, const uint16_t *token,
                    int n, multiply_fn multiply, void *user, struct activations *w)
{
    for (int i = 0; i < n; i++)
        memcpy(w->x + i * DIM, embedding + token[i] * DIM, DIM * sizeof *w->x);
    for (int layer = 0; layer < LAYERS; layer++) {
        int failed = attention(t, layer, n, multiply, user, w);
        if (!failed) failed = feed_forward(t, layer, n, multiply, user, w);
        if (failed) return failed;
    }
    normalise(w->x, t->norm, n, w->y);
    return multiply(user, MATRIX_EMBEDDING, w->y, n, w->logits);
}
