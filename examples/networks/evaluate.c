/* Runs a network over a dataset with several threads and measures it. */
#define _POSIX_C_SOURCE 200809L
#include "evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reference.h"

static const float *run_reference(const struct runner *runner, int batch, void *memory)
{
    return reference_run(runner->graph, &runner->plan, batch, memory, NULL, NULL);
}

void reference_runner(const struct graph *graph, struct runner *out)
{
    *out = (struct runner){.graph = graph, .run = run_reference};
    plan_make(graph, EVALUATE_BATCH, &out->plan);
    out->memory = reference_memory(graph, &out->plan);
}

struct work {
    const struct runner *runner;
    const struct samples *samples;
    float *logits;
    int classes;
    struct { void *memory; double seconds; bool failed; } worker[EVALUATE_THREADS];
};

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_batch(void *task, size_t index, size_t worker)
{
    struct work *work = task;
    const struct samples *s = work->samples;
    int first = (int)index * EVALUATE_BATCH, left = s->count - first;
    int batch = left < EVALUATE_BATCH ? left : EVALUATE_BATCH;
    char *memory = work->worker[worker].memory;
    float *input = (float *)(void *)(memory + work->runner->plan.offset[0]);
    dataset_batch(s->set, s->input, s->first + first, batch, input);
    double before = thread_seconds();
    const float *result = work->runner->run(work->runner, batch, memory);
    work->worker[worker].seconds += thread_seconds() - before;
    size_t each = (size_t)work->classes * sizeof *result;
    if (result)
        memcpy(work->logits + (size_t)first * (size_t)work->classes, result, (size_t)batch * each);
    else work->worker[worker].failed = true;
}

static int count_right(const struct samples *samples, const float *logits, int classes)
{
    int right = 0;
    for (int i = 0; i < samples->count; i++, logits += classes) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (logits[c] > logits[best]) best = c;
        right += best == samples->set->label[samples->first + i];
    }
    return right;
}

bool evaluate(const struct crew *crew, const struct runner *runner, const struct samples *samples,
              float *logits, struct outcome *out)
{
    struct work work = {.runner = runner, .samples = samples, .logits = logits,
                        .classes = runner->graph->node[runner->graph->count - 1].channels};
    bool good = true;
    *out = (struct outcome){.count = samples->count};
    for (int i = 0; i < crew->threads; i++) {
        work.worker[i].memory = malloc(runner->memory);
        good &= work.worker[i].memory != NULL;
    }
    size_t batches = (size_t)(samples->count + EVALUATE_BATCH - 1) / EVALUATE_BATCH;
    if (good) qnt_pool_run(crew->pool, run_batch, &work, batches);
    for (int i = 0; i < crew->threads; i++) {
        good &= !work.worker[i].failed;
        out->seconds += work.worker[i].seconds;
        free(work.worker[i].memory);
    }
    if (good) out->right = count_right(samples, logits, work.classes);
    return good;
}

double signal_to_noise(const float *a, const float *b, size_t count)
{
    double signal = 0, noise = 0;
    for (size_t i = 0; i < count; i++) {
        signal += (double)a[i] * a[i];
        noise += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return 10 * log10(signal / noise);
}
