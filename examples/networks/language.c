/* Measures a language model. */
#define _POSIX_C_SOURCE 200809L
#include "language.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

struct score {
    double nats, seconds;
    int right, tokens;
    bool failed;
};

struct work {
    const struct language_model *model;
    const struct tokens *text;
    struct score *score; /* of every sequence, to be added up in order */
    struct { struct activations *values; void *workspace; } worker[EVALUATE_THREADS];
};

struct product {
    const struct language_model *model;
    void *workspace;
};

static int multiply(void *user, int matrix, const float *x, int rows, float *y)
{
    const struct product *product = user;
    return !product->model->multiply(product->model->self, matrix, x, rows, y, product->workspace);
}

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void score_token(const float *logits, int next, struct score *score)
{
    int best = 0;
    double sum = 0;
    for (int i = 1; i < VOCABULARY; i++)
        if (logits[i] > logits[best]) best = i;
    for (int i = 0; i < VOCABULARY; i++) sum += exp((double)logits[i] - logits[best]);
    score->nats += log(sum) + logits[best] - logits[next];
    score->right += best == next;
    score->tokens++;
}

static void run_sequence(void *task, size_t index, size_t worker)
{
    struct work *work = task;
    struct score *score = &work->score[index];
    struct product product = {work->model, work->worker[worker].workspace};
    struct activations *values = work->worker[worker].values;
    const uint16_t *token = work->text->token + work->text->begin[index];
    int n = (int)(work->text->begin[index + 1] - work->text->begin[index]);
    double before = thread_seconds();
    score->failed = transformer_run(work->model->transformer, work->model->embedding, token, n - 1,
                                    multiply, &product, values) != 0;
    score->seconds = thread_seconds() - before;
    for (int i = 0; !score->failed && i + 1 < n; i++)
        score_token(values->logits + i * VOCABULARY, token[i + 1], score);
}

bool language_measure(const struct crew *crew, const struct language_model *model,
                      const struct tokens *text, int sequences, struct prediction *out)
{
    struct work work = {.model = model, .text = text};
    *out = (struct prediction){0};
    work.score = calloc((size_t)sequences, sizeof *work.score);
    bool good = work.score != NULL;
    for (int i = 0; i < crew->threads; i++) {
        work.worker[i].values = malloc(sizeof *work.worker[i].values);
        work.worker[i].workspace = malloc(model->workspace + 1);
        good &= work.worker[i].values && work.worker[i].workspace;
    }
    if (good) qnt_pool_run(crew->pool, run_sequence, &work, (size_t)sequences);
    double right = 0;
    for (int i = 0; good && i < sequences; i++) {
        good = !work.score[i].failed;
        out->nats += work.score[i].nats;
        out->seconds += work.score[i].seconds;
        out->tokens += (size_t)work.score[i].tokens;
        right += work.score[i].right;
    }
    out->nats /= (double)out->tokens;
    out->right = right / (double)out->tokens;
    for (int i = 0; i < crew->threads; i++) {
        free(work.worker[i].values);
        free(work.worker[i].workspace);
    }
    free(work.score);
    return good;
}
