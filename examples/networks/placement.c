/* Where a layer's extra points go. */
#include "placement.h"

#include <math.h>
#include <stdlib.h>

/* A quantizer of at most so many points that has seen weights and inputs; extra 0: no limit. */
static qnt_quantizer *fit(const qnt_context *context, const struct calibration *c, int index,
                          qnt_spec spec, int points, double extra, const qnt_tensor *weights)
{
    qnt_quantizer *q = NULL;
    struct view view;
    int64_t shape[] = {c->input_rows[index], graph_depth(c->graph, index)};
    const qnt_tensor *inputs =
        c->inputs[index] ? view_floats(&view, c->inputs[index], 2, shape) : NULL;
    spec.points = points;
    if (!qnt_quantizer_create(context, &spec, &q) &&
        !qnt_quantizer_set(context, q, QNT_P_EXTRA, &extra, 1) &&
        !qnt_quantizer_observe(context, q, weights, NULL) &&
        !(inputs && qnt_quantizer_observe_inputs(context, q, inputs)) &&
        !qnt_quantizer_fit(context, q))
        return q;
    qnt_quantizer_destroy(q);
    return NULL;
}

/* xorshift64* */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du >> 33;
}

/* Marks `extra` of n outputs. */
static void choose(const struct recipe *recipe, int index, int n, int extra, bool *chosen)
{
    uint64_t state = 0x9e3779b97f4a7c15u * (uint64_t)(index + 100 * recipe->seed + 1);
    for (int i = 0; i < n; i++) chosen[i] = false;
    for (int i = 0; i < extra; i++) {
        int at = (int)((i + 0.5) * n / extra);
        if (recipe->place == PLACE_RANDOM) at = (int)(next_random(&state) % (uint64_t)n);
        while (chosen[at]) at = (int)(next_random(&state) % (uint64_t)n);
        chosen[at] = true;
    }
}

/* Takes the points beyond the first from the outputs that were not chosen: they become as in `one`. */
static bool take_back(const qnt_context *context, const qnt_quantizer *one, qnt_quantizer *two,
                      int n, const bool *chosen)
{
    size_t count;
    double *number = malloc(5 * (size_t)n * sizeof *number), *scale = number + n,
           *single = scale + n, *coef = single + n;
    bool good = number &&
                !qnt_quantizer_get(context, one, QNT_P_SCALE, number, (size_t)n, &count) &&
                !qnt_quantizer_get(context, one, QNT_P_COEF, single, (size_t)n, &count) &&
                !qnt_quantizer_get(context, two, QNT_P_SCALE, scale, (size_t)n, &count) &&
                !qnt_quantizer_get(context, two, QNT_P_COEF, coef, 2 * (size_t)n, &count);
    for (int i = 0; good && i < n; i++) {
        if (chosen[i]) continue;
        scale[i] = number[i];
        coef[2 * i] = single[i];
        coef[2 * i + 1] = 0;
    }
    good = good && !qnt_quantizer_set(context, two, QNT_P_SCALE, scale, (size_t)n) &&
           !qnt_quantizer_set(context, two, QNT_P_COEF, coef, 2 * (size_t)n);
    free(number);
    return good;
}

qnt_quantizer *placement_fit(const qnt_context *context, const struct calibration *c,
                             const struct recipe *recipe, int index, const qnt_spec *spec,
                             const qnt_tensor *weights)
{
    int n = c->graph->node[index].channels, extra = (int)ceil(recipe->extra * n);
    if (recipe->place == PLACE_OUTPUTS) return fit(context, c, index, *spec, 2, extra, weights);
    bool *chosen = malloc((size_t)n * sizeof *chosen);
    qnt_quantizer *one = fit(context, c, index, *spec, 1, 0, weights),
                  *two = fit(context, c, index, *spec, 2, 0, weights);
    if (chosen) choose(recipe, index, n, extra, chosen);
    if (!chosen || !one || !two || !take_back(context, one, two, n, chosen)) {
        qnt_quantizer_destroy(two);
        two = NULL;
    }
    qnt_quantizer_destroy(one);
    free(chosen);
    return two;
}
