/* Making and freeing statistics. */
#include "statistics.h"

void qnt__statistics_free(struct qnt__statistics *s)
{
    if (!s) return;
    struct qnt__memory memory = s->memory;
    qnt__free(&memory, s->moments, s->groups * sizeof *s->moments);
    qnt__free(&memory, s->values, s->groups * s->capacity * sizeof *s->values);
    qnt__free(&memory, s->weights, s->groups * s->capacity * sizeof *s->weights);
    qnt__free(&memory, s->bin, s->groups * s->bins * sizeof *s->bin);
    qnt__free(&memory, s, sizeof *s);
}

size_t qnt__group_values(const struct qnt__statistics *statistics, size_t group, float *x, double *h,
                         bool *weighted)
{
    const struct qnt__statistics *s = statistics;
    size_t n = 0;
    *weighted = s->bin || s->weights;
    for (size_t i = 0; s->bin && i < s->bins; i++) {
        const struct qnt__bin *bin = &s->bin[group * s->bins + i];
        if (!(bin->weight > 0.0)) continue;
        x[n] = (float)(bin->sum / bin->weight);
        h[n++] = bin->weight;
    }
    for (size_t i = 0; !s->bin && i < s->moments[group].count; i++, n++) {
        x[n] = s->values[group * s->capacity + i];
        if (s->weights) h[n] = (double)s->weights[group * s->capacity + i];
    }
    return n;
}
