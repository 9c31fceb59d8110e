/* One network, one dataset, many recipes: prints a table. */
#define _POSIX_C_SOURCE 200809L
#include "experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adaptive.h"
#include "table.h"

/* ---- threads and contexts ---- */

static void print_log(void *user, int32_t level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "libqnt: %s\n", message);
}

bool laboratory_open(struct laboratory *lab)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *lab = (struct laboratory){.crew.threads = processors < 1   ? 1
                                               : processors > 8 ? 8
                                                                : (int)processors};
    if (qnt_context_create(NULL, NULL, NULL, &lab->context) ||
        qnt_context_create(NULL, NULL, NULL, &lab->serial))
        return false;
    qnt_context_set_log(lab->context, print_log, NULL, QNT_LOG_ERROR);
    qnt_context_set_log(lab->serial, print_log, NULL, QNT_LOG_ERROR);
    size_t threads = (size_t)lab->crew.threads;
    return !qnt_pool_create(lab->context, threads, &lab->crew.pool) &&
           !qnt_context_set_parallel(lab->context, qnt_pool_run, lab->crew.pool, threads);
}

void laboratory_close(struct laboratory *lab)
{
    qnt_pool_destroy(lab->crew.pool);
    qnt_context_destroy(lab->context);
    qnt_context_destroy(lab->serial);
}

/* ---- one network ---- */

struct state {
    const struct laboratory *lab;
    const struct experiment *experiment;
    struct graph *graph;
    float *expected, *logits; /* of the float reference, of the row */
    size_t results;           /* floats in each */
    struct outcome reference;
    struct calibration calibration;
};

static size_t float_bytes(const struct graph *graph)
{
    size_t count = 0;
    for (int i = 1; i < graph->count; i++)
        if (node_has_weights(&graph->node[i]))
            count += graph_weight_count(graph, i) + (size_t)graph->node[i].channels;
    return 4 * count;
}

/* Statistics of the inputs serve many rows. */
static bool calibrate_for(struct state *s, const struct recipe *recipe, struct progress *progress)
{
    const struct experiment *e = s->experiment;
    struct recipe wanted = *recipe;
    if (calibration_serves(&s->calibration, s->graph, recipe)) return true;
    for (int i = 0; i < e->recipes; i++) {
        if (e->recipe[i].method != recipe->method) continue;
        wanted.feedback |= e->recipe[i].feedback;
        if (e->recipe[i].place) wanted.place = e->recipe[i].place;
    }
    calibration_free(&s->calibration);
    return calibrate(s->lab->context, s->graph, &e->calibration, &wanted, progress,
                     &s->calibration);
}

static bool run_fixed(struct state *s, const struct recipe *recipe, struct progress *progress)
{
    struct quantized quantized;
    struct runner runner;
    struct outcome outcome;
    if (!calibrate_for(s, recipe, progress) ||
        !quantize(s->lab->context, &s->calibration, recipe, &quantized))
        return false;
    size_t bytes = quantized.weight_bytes;
    quantized.context = s->lab->serial;
    bool good = quantized_runner(s->graph, &quantized, &runner) &&
                evaluate(&s->lab->crew, &runner, &s->experiment->test, s->logits, &outcome);
    quantized_free(&quantized);
    if (!good) return false;
    progress_end(progress);
    table_row(recipe, bytes, &outcome, &s->reference,
              signal_to_noise(s->expected, s->logits, s->results));
    return true;
}

/* Pairs are fitted on the calibration samples first, and there an adaptive recipe finds its bits. */
static bool run_recipe(struct state *s, const struct recipe *recipe, struct progress *progress)
{
    struct adaptation adaptation = {.loss = 0};
    struct recipe fixed = *recipe;
    if (!recipe->adaptive && !recipe->pairs) return run_fixed(s, recipe, progress);
    fixed.formats = &adaptation.formats;
    bool good = calibrate_for(s, recipe, progress) &&
                adapt(s->lab->context, s->lab->serial, &s->lab->crew, &s->calibration,
                      &s->experiment->calibration, recipe, &adaptation) &&
                run_fixed(s, &fixed, progress);
    if (good && recipe->adaptive)
        table_adapted(adaptation.weight_bits, adaptation.input_bits, adaptation.loss);
    adaptation_free(&adaptation);
    return good;
}

static bool run_recipes(struct state *s)
{
    const struct experiment *e = s->experiment;
    for (int i = 0; i < e->recipes; i++) {
        struct progress progress;
        if (!e->recipe[i].weight_bits) {
            table_gap();
            continue;
        }
        if (!e->calibration.count) continue;
        progress_begin(&progress, e->title);
        bool good = run_recipe(s, &e->recipe[i], &progress);
        progress_end(&progress);
        if (!good) return false;
    }
    return true;
}

static bool run_reference(struct state *s)
{
    struct runner runner;
    reference_runner(s->graph, &runner);
    s->results = (size_t)s->experiment->test.count *
                 (size_t)s->graph->node[s->graph->count - 1].channels;
    s->expected = malloc(s->results * sizeof *s->expected);
    s->logits = malloc(s->results * sizeof *s->logits);
    return s->expected && s->logits &&
           evaluate(&s->lab->crew, &runner, &s->experiment->test, s->expected, &s->reference);
}

static const char *run(struct state *s)
{
    struct safetensors file;
    const char *reason = safetensors_read(s->experiment->weights, &file);
    if (reason) return reason;
    s->graph = s->experiment->model(&file);
    safetensors_free(&file);
    if (!s->graph) return "out of memory";
    if (s->graph->problem[0]) return s->graph->problem;
    if (!run_reference(s)) return "the float reference failed";
    table_begin(s->experiment->title, float_bytes(s->graph), &s->reference);
    return run_recipes(s) ? NULL : "a recipe failed";
}

int experiment_run(const struct laboratory *lab, const struct experiment *experiment)
{
    struct state state = {.lab = lab, .experiment = experiment};
    const char *reason = run(&state);
    if (reason) fprintf(stderr, "%s: %s\n", experiment->title, reason);
    calibration_free(&state.calibration);
    graph_free(state.graph);
    free(state.expected);
    free(state.logits);
    return reason != NULL;
}
