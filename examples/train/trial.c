/* One training from beginning to end. */
#define _POSIX_C_SOURCE 200809L
#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bases.h"
#include "checkpoint.h"
#include "packed.h"

enum { FEW = 1000, SAVE = 100 /* steps between checkpoints */ };

/* Of all threads. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double right_percent(const struct samples *s, const float *logits, int classes)
{
    int right = 0;
    for (int i = 0; i < s->count; i++, logits += classes) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (logits[c] > logits[best]) best = c;
        right += best == s->set->label[s->first + i];
    }
    return 100.0 * right / s->count;
}

/* Root mean square of the difference over that of a. Sums of floats and of integers differ in their
 * last bits; where a value lies that near to a threshold its code differs by one. */
static double difference(const float *a, const float *b, size_t n)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)a[i] * (double)a[i];
    }
    return sqrt(sum / size);
}

/* The same network on packed digits, if it has any: time, and the distance from `logits`. */
static const char *deploy_packed(const struct laboratory *lab, const struct samples *samples,
                                 const struct tuning *tuning, struct quantized *plain,
                                 const float *logits, struct figures *f)
{
    const size_t classes = (size_t)tuning->graph->node[tuning->graph->count - 1].channels,
                 results = (size_t)samples->count * classes;
    struct packed packed;
    struct runner runner;
    const char *reason = packed_deploy(tuning, plain, &packed);
    f->packed = (struct outcome){.count = 0};
    if (reason || packed.count == 0) {
        if (!reason) packed_free(&packed);
        return reason;
    }
    float *own = malloc(results * sizeof *own);
    if (!own || !packed_runner(tuning->graph, &packed, &runner) ||
        !evaluate(&lab->crew, &runner, samples, own, &f->packed))
        reason = "the network of packed digits failed";
    if (!reason) f->packed_differs = difference(logits, own, results);
    free(own);
    packed_free(&packed);
    return reason;
}

static const char *deploy(const struct laboratory *lab, const struct samples *samples,
                          struct tuning *tuning, float *logits, struct figures *f)
{
    struct quantized quantized;
    struct runner runner;
    const char *reason = tuning_deploy(tuning, lab->serial, &quantized);
    if (reason) return reason;
    f->bytes = quantized.weight_bytes;
    if (!quantized_runner(tuning->graph, &quantized, &runner) ||
        !evaluate(&lab->crew, &runner, samples, logits, &f->outcome))
        reason = "the deployed network failed";
    if (!reason) reason = deploy_packed(lab, samples, tuning, &quantized, logits, f);
    quantized_free(&quantized);
    return reason;
}

static bool exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file) fclose(file);
    return file != NULL;
}

/* From the checkpoint, if there is one, to the end. */
static const char *train(const struct trial *trial, struct tuning *t, double *loss)
{
    const char *path = trial->checkpoint, *reason = NULL;
    if (!path) return tuning_run(t, t->steps, loss);
    if (exists(path)) reason = checkpoint_load(t, path);
    while (!reason && t->step < t->steps) {
        reason = tuning_run(t, t->step + SAVE < t->steps ? t->step + SAVE : t->steps, loss);
        if (!reason) reason = checkpoint_save(t, path);
    }
    return reason;
}

static const char *measure(const struct laboratory *lab, const struct trial *trial,
                           struct tuning *t, float *logits, float *own, struct figures *f)
{
    const int classes = trial->graph->node[trial->graph->count - 1].channels;
    struct samples few = trial->test;
    if (few.count > FEW) few.count = FEW;
    const char *reason = deploy(lab, &few, t, logits, f);
    if (reason) return reason;
    f->rounded = right_percent(&few, logits, classes);
    const double start = cpu_seconds();
    reason = train(trial, t, &f->loss);
    f->seconds = cpu_seconds() - start;
    f->bits = trial->schedule.weight_bits;
    if (trial->schedule.weight_method == QNT_ALQ) f->bits = bases_bits(t);
    if (!reason) reason = tuning_apply(t, &few, own);
    if (!reason) reason = deploy(lab, &trial->test, t, logits, f);
    if (reason) return reason;
    f->deployed = right_percent(&trial->test, logits, classes);
    f->differs = difference(own, logits, (size_t)few.count * (size_t)classes);
    if (f->differs > 0.05) return "the deployed network differs from the trained one";
    return f->packed_differs > 0.05 ? "the network of packed digits differs from the other" : NULL;
}

const char *trial_run(const struct laboratory *lab, const struct trial *trial, struct figures *out)
{
    struct tuning tuning = {0};
    const size_t classes = (size_t)trial->graph->node[trial->graph->count - 1].channels;
    const size_t results = (size_t)trial->test.count * classes;
    float *logits = malloc(results * sizeof *logits), *own = malloc(results * sizeof *own);
    *out = (struct figures){.loss = 0};
    const char *reason = logits && own ? NULL : "out of memory";
    if (!reason)
        reason = tuning_begin(lab->context, lab->crew.pool, trial->graph, &trial->schedule,
                              &trial->train, &tuning);
    if (!reason) reason = measure(lab, trial, &tuning, logits, own, out);
    tuning_free(&tuning);
    free(logits);
    free(own);
    return reason;
}

void trial_hold_out(struct samples *train, int count, struct samples *test)
{
    if (count > train->count) count = train->count;
    train->count -= count;
    *test = *train;
    test->first = train->first + train->count;
    test->count = count;
}

void trial_head(void)
{
    printf("  %-22s %4s %2s %9s %9s %7s %9s %8s %8s %8s %7s\n", "quantizer", "W", "A", "bytes",
           "rounded %", "loss", "deployed%", "differs", "ms each", "packed", "train s");
}

void trial_print(const struct trial *trial, const struct figures *f)
{
    const struct schedule *s = &trial->schedule;
    printf("  %-22s %4.*f %2d %9zu %9.2f %7.4f %9.2f %8.0e %8.4f ", s->name,
           s->weight_method == QNT_ALQ ? 2 : 0, f->bits, s->value_bits ? s->value_bits : 32,
           f->bytes, f->rounded, f->loss, f->deployed, f->differs,
           1e3 * f->outcome.seconds / f->outcome.count);
    if (f->packed.count)
        printf("%8.4f", 1e3 * f->packed.seconds / f->packed.count);
    else
        printf("%8s", "-");
    printf(" %7.1f\n", f->seconds);
    fflush(stdout);
}
