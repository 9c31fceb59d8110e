/* What a search keeps, and the ways to propose the next table. */
#ifndef QNT__QTABLE_SEARCH_H
#define QNT__QTABLE_SEARCH_H

#include <stdbool.h>

#include "context/context.h"
#include "qnt/qtable.h"

enum { QNT__ARMS = 4, QNT__EVENTS = 500 };

/* What the bandit remembers: which heuristic made a trial, and whether it was the best so far. */
struct qnt__event {
    int32_t arm;
    bool better;
};

struct qnt_search {
    struct qnt__memory memory;
    qnt_search_spec spec;
    qnt_qtable low, high;
    uint64_t random; /* state */
    qnt_trial *trials;
    size_t count, room;
    size_t best;         /* trial that qnt__search_better() prefers, if count > 0 */
    bool asked;          /* `pending` waits for its answer */
    int32_t arm;         /* that made it, or -1 */
    qnt_qtable pending[3];
    struct qnt__event event[QNT__EVENTS]; /* a ring */
    size_t events;       /* ever */
    struct qnt__shape {
        double length, noise; /* in units of the box and of the variance */
    } fitness, rate;          /* of the Gaussian processes */
    size_t fitted;            /* trials when these were chosen */
};

/* 0 <= x < 1, and an integer low..high; both deterministic everywhere. */
double qnt__random_unit(uint64_t *state);
int32_t qnt__random_in(uint64_t *state, int32_t low, int32_t high);
double qnt__random_gauss(uint64_t *state);

/* utility minus the reference curve */
double qnt__search_fitness(const qnt_search *search, const qnt_trial *trial);

/* How far the rate is outside of the target window, as a difference of logarithms; 0 inside. */
double qnt__search_outside(const qnt_search *search, const qnt_trial *trial);

/* Whether a is better than b: nearer to the window, or as near (mostly inside) and fitter. */
bool qnt__search_better(const qnt_search *search, const qnt_trial *a, const qnt_trial *b);

/* A step within the box; values may be far off. */
uint16_t qnt__search_clip(const qnt_search *search, int place, double step);

void qnt__propose_sorted(qnt_search *search);
void qnt__propose_bounded(qnt_search *search, qnt_qtable *out);
void qnt__propose_bandit(qnt_search *search);
qnt_status qnt__propose_bayes(const qnt_context *context, qnt_search *search);

#endif
