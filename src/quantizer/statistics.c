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
