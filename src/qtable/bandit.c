/*
 * Composite search: four heuristics, of which a bandit chooses one. An arm's credit is the area under
 * the curve of its recent successes, later ones counting more, plus a bonus for arms seldom used.
 */
#include <math.h>

#include "search.h"

enum { RESET = 0, PERTURB = 1, DIFFERENTIAL = 2, CROSSOVER = 3, POPULATION = 30 };

static double credit(const qnt_search *search, int32_t arm)
{
    size_t kept = search->events < QNT__EVENTS ? search->events : QNT__EVENTS;
    double used = 0.0, area = 0.0;
    for (size_t i = search->events - kept; i < search->events; i++) {
        const struct qnt__event *event = &search->event[i % QNT__EVENTS];
        if (event->arm != arm) continue;
        used += 1.0;
        if (event->better) area += used;
    }
    if (used == 0.0) return INFINITY;
    return 2.0 * area / (used * (used + 1.0)) + 0.05 * sqrt(2.0 * log2((double)kept) / used);
}

static int32_t choose_arm(qnt_search *search)
{
    int32_t best = 0, equal = 0;
    double most = -INFINITY;
    for (int32_t arm = 0; arm < QNT__ARMS; arm++) {
        double value = credit(search, arm);
        if (value > most) best = arm, most = value, equal = 1;
        else if (value == most && qnt__random_in(&search->random, 0, equal++) == 0) best = arm;
    }
    return best;
}

/* A trial among the last ones, which are the population. */
static const uint16_t *member(qnt_search *search)
{
    size_t size = search->count < POPULATION ? search->count : POPULATION;
    size_t back = (size_t)qnt__random_in(&search->random, 0, (int32_t)size - 1);
    return search->trials[search->count - 1 - back].table[0].step;
}

static double anywhere(qnt_search *search, int i)
{
    return qnt__random_in(&search->random, search->low.step[i], search->high.step[i]);
}

static void reset(qnt_search *search, const uint16_t *best, double step[64])
{
    for (int i = 0; i < 64; i++) step[i] = best[i];
    for (int32_t n = qnt__random_in(&search->random, 1, 4); n > 0; n--) {
        int32_t i = qnt__random_in(&search->random, 0, 63);
        step[i] = anywhere(search, i);
    }
}

static void perturb(qnt_search *search, const uint16_t *best, double step[64])
{
    for (int i = 0; i < 64; i++) {
        step[i] = best[i];
        if (qnt__random_unit(&search->random) >= 0.2) continue;
        step[i] += 0.1 * (search->high.step[i] - search->low.step[i]) *
                   qnt__random_gauss(&search->random);
    }
}

/* rand/1/bin */
static void differential(qnt_search *search, const uint16_t *best, double step[64])
{
    const uint16_t *a = member(search), *b = member(search), *c = member(search);
    double factor = 0.5 + 0.5 * qnt__random_unit(&search->random);
    int32_t always = qnt__random_in(&search->random, 0, 63);
    for (int i = 0; i < 64; i++) {
        bool take = i == always || qnt__random_unit(&search->random) < 0.9;
        step[i] = take ? a[i] + factor * (b[i] - c[i]) : best[i];
    }
}

static void cross(qnt_search *search, const uint16_t *best, double step[64])
{
    const uint16_t *other = member(search);
    for (int i = 0; i < 64; i++) {
        step[i] = qnt__random_unit(&search->random) < 0.5 ? best[i] : other[i];
        if (qnt__random_unit(&search->random) < 0.05) step[i] = anywhere(search, i);
    }
}

void qnt__propose_bandit(qnt_search *search)
{
    double step[64];
    const uint16_t *best = search->trials[search->best].table[0].step;
    search->arm = choose_arm(search);
    switch (search->arm) {
    case RESET: reset(search, best, step); break;
    case PERTURB: perturb(search, best, step); break;
    case DIFFERENTIAL: differential(search, best, step); break;
    default: cross(search, best, step); break;
    }
    for (int i = 0; i < 64; i++) search->pending[0].step[i] = qnt__search_clip(search, i, step[i]);
}
