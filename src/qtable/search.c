/* The search: asking, telling, and the loop around both. */
#include "search.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "tables.h"

static qnt_status check_box(const qnt_context *context, qnt_search *search)
{
    const qnt_search_spec *s = &search->spec;
    for (int i = 0; i < 64; i++) search->low.step[i] = 1, search->high.step[i] = 255;
    if (s->low) {
        QNT__TRY(qnt__qtables_check(context, s->low, 1, 1));
        search->low = *s->low;
    }
    if (s->high) {
        QNT__TRY(qnt__qtables_check(context, s->high, 1, 1));
        search->high = *s->high;
    }
    for (int i = 0; i < 64; i++) {
        if (search->low.step[i] <= search->high.step[i]) continue;
        return qnt__fail(context, QNT_E_INVALID, "box: step %d is %d to %d, which is empty", i,
                         search->low.step[i], search->high.step[i]);
    }
    search->spec.low = search->spec.high = NULL; /* copied */
    return QNT_OK;
}

static qnt_status check_spec(const qnt_context *context, qnt_search_spec *s)
{
    if (s->method < QNT_SEARCH_SORTED || s->method > QNT_SEARCH_BANDIT) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: method is %d, expected QNT_SEARCH_SORTED (%d) to QNT_SEARCH_BANDIT (%d)",
            (int)s->method, QNT_SEARCH_SORTED, QNT_SEARCH_BANDIT);
    }
    if (s->tables == 0) s->tables = 1;
    if (s->tables != 1 && (s->tables != 3 || s->method != QNT_SEARCH_SORTED)) {
        return qnt__fail(context, QNT_E_INVALID, "spec: tables is %d, expected %s", (int)s->tables,
                         s->method == QNT_SEARCH_SORTED ? "1 or 3" : "1 within a box");
    }
    if (s->start < 0 || s->start > 1 << 20) {
        return qnt__fail(context, QNT_E_INVALID, "spec: start is %d, expected 0 to 2^20",
                         (int)s->start);
    }
    if (s->start == 0) s->start = s->method == QNT_SEARCH_BAYES ? 100 : 30;
    if (s->scale_low == 0.0 && s->scale_high == 0.0) s->scale_low = 0.5, s->scale_high = 1.5;
    if (!(s->scale_low >= 0.0 && s->scale_low <= s->scale_high && s->scale_high <= 1e6)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: scale is %g to %g, expected 0 <= low <= high", s->scale_low,
                         s->scale_high);
    }
    if (s->rate_low == 0.0 && s->rate_high == 0.0) s->rate_high = INFINITY;
    if (!(s->rate_low >= 0.0 && s->rate_low < s->rate_high)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: rate window is %g to %g, expected 0 <= low < high", s->rate_low,
                         s->rate_high);
    }
    for (int i = 0; i < 3; i++) {
        if (isfinite(s->curve[i])) continue;
        return qnt__fail(context, QNT_E_INVALID, "spec: curve[%d] is %g, expected a finite number",
                         i, s->curve[i]);
    }
    return QNT_OK;
}

qnt_status qnt_search_create(const qnt_context *context, const qnt_search_spec *spec,
                             qnt_search **out)
{
    if (out) *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    qnt_search search = {.memory = context->memory, .arm = -1};
    QNT__TRY(qnt__sized_read(context, "search spec", spec, sizeof *spec, sizeof *spec, &search.spec));
    QNT__TRY(check_spec(context, &search.spec));
    QNT__TRY(check_box(context, &search));
    search.random = search.spec.seed * 0x9e3779b97f4a7c15u ^ 0x2545f4914f6cdd1du;
    if (search.random == 0) search.random = 1;
    for (int i = 0; i < 16; i++) qnt__random_unit(&search.random); /* spreads small seeds */
    void *block;
    QNT__TRY(qnt__allocate(context, &search.memory, sizeof search, &block));
    *out = block;
    **out = search;
    return QNT_OK;
}

void qnt_search_destroy(qnt_search *search)
{
    if (!search) return;
    struct qnt__memory memory = search->memory;
    qnt__free(&memory, search->trials, search->room * sizeof *search->trials);
    qnt__free(&memory, search, sizeof *search);
}

double qnt__search_fitness(const qnt_search *search, const qnt_trial *trial)
{
    const double *c = search->spec.curve;
    return trial->utility - (c[0] + trial->rate * (c[1] + trial->rate * c[2]));
}

double qnt__search_outside(const qnt_search *search, const qnt_trial *trial)
{
    const qnt_search_spec *s = &search->spec;
    if (trial->rate < s->rate_low) return log(s->rate_low / trial->rate);
    return trial->rate > s->rate_high ? log(trial->rate / s->rate_high) : 0.0;
}

bool qnt__search_better(const qnt_search *search, const qnt_trial *a, const qnt_trial *b)
{
    double away_a = qnt__search_outside(search, a), away_b = qnt__search_outside(search, b);
    if (away_a != away_b) return away_a < away_b;
    return qnt__search_fitness(search, a) > qnt__search_fitness(search, b);
}

uint16_t qnt__search_clip(const qnt_search *search, int place, double step)
{
    double low = search->low.step[place], high = search->high.step[place];
    step = rint(step);
    return (uint16_t)(step > low ? (step < high ? step : high) : low);
}

/* Room for one more trial, so that telling cannot fail half way. */
static qnt_status reserve(const qnt_context *context, qnt_search *search)
{
    if (search->count < search->room) return QNT_OK;
    size_t room, bytes;
    if (!qnt__mul(search->room ? search->room : 32, 2, &room) ||
        !qnt__mul(room, sizeof *search->trials, &bytes)) {
        return qnt__fail(context, QNT_E_NOMEM, "%zu trials do not fit in memory", search->room);
    }
    void *block;
    QNT__TRY(qnt__allocate(context, &search->memory, bytes, &block));
    if (search->count) memcpy(block, search->trials, search->count * sizeof *search->trials);
    qnt__free(&search->memory, search->trials, search->room * sizeof *search->trials);
    search->trials = block;
    search->room = room;
    return QNT_OK;
}

static qnt_status propose(const qnt_context *context, qnt_search *search)
{
    bool warm = search->count >= (size_t)search->spec.start;
    search->arm = -1;
    if (search->spec.method == QNT_SEARCH_SORTED) {
        qnt__propose_sorted(search);
        return QNT_OK;
    }
    if (warm && search->spec.method == QNT_SEARCH_BAYES) {
        QNT__TRY(qnt__propose_bayes(context, search));
    } else if (warm && search->spec.method == QNT_SEARCH_BANDIT) {
        qnt__propose_bandit(search);
    } else {
        qnt__propose_bounded(search, &search->pending[0]);
    }
    search->pending[1] = search->pending[2] = search->pending[0];
    return QNT_OK;
}

qnt_status qnt_search_ask(const qnt_context *context, qnt_search *search, qnt_qtable *tables)
{
    if (!context) return QNT_E_INVALID;
    if (!search || !tables) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", search ? "tables" : "search");
    }
    QNT__TRY(reserve(context, search));
    if (!search->asked) QNT__TRY(propose(context, search));
    search->asked = true;
    memcpy(tables, search->pending, (size_t)search->spec.tables * sizeof *tables);
    return QNT_OK;
}

static qnt_status check_answer(const qnt_context *context, double rate, double utility)
{
    if (isfinite(rate) && rate > 0.0 && isfinite(utility)) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID,
                     "rate is %g and utility %g, expected finite numbers and a rate above 0", rate,
                     utility);
}

qnt_status qnt_search_tell(const qnt_context *context, qnt_search *search, double rate,
                           double utility)
{
    if (!context) return QNT_E_INVALID;
    if (!search) return qnt__fail(context, QNT_E_INVALID, "search is NULL");
    if (!search->asked) {
        return qnt__fail(context, QNT_E_STATE,
                         "search has no open trial; call qnt_search_ask first");
    }
    QNT__TRY(check_answer(context, rate, utility));
    qnt_trial *trial = &search->trials[search->count];
    trial->rate = rate;
    trial->utility = utility;
    memcpy(trial->table, search->pending, sizeof trial->table);
    bool better = search->count == 0 ||
                  qnt__search_better(search, trial, &search->trials[search->best]);
    if (better) search->best = search->count;
    if (search->arm >= 0) {
        search->event[search->events++ % QNT__EVENTS] =
            (struct qnt__event){.arm = search->arm, .better = better};
    }
    search->count++;
    search->asked = false;
    return QNT_OK;
}

static qnt_status measure_trial(const qnt_context *context, qnt_trial_fn measure, void *user,
                                const qnt_qtable *tables, size_t count, double *rate,
                                double *utility)
{
    *rate = *utility = NAN;
    int32_t answer = measure(user, tables, count, rate, utility);
    if (answer != 0) {
        return qnt__fail(context, QNT_E_CANCELLED, "measure returned %d", (int)answer);
    }
    return check_answer(context, *rate, *utility);
}

qnt_status qnt_search_run(const qnt_context *context, qnt_search *search, uint64_t budget,
                          qnt_trial_fn measure, void *user)
{
    if (!context) return QNT_E_INVALID;
    if (!search || !measure) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", search ? "measure" : "search");
    }
    if (budget < 1) return qnt__fail(context, QNT_E_INVALID, "budget is 0, expected at least 1");
    for (uint64_t i = 0; i < budget; i++) {
        qnt_qtable tables[3];
        double rate, utility;
        QNT__TRY(qnt__progress(context, i, budget));
        QNT__TRY(qnt_search_ask(context, search, tables));
        QNT__TRY(measure_trial(context, measure, user, tables, (size_t)search->spec.tables, &rate,
                               &utility));
        QNT__TRY(qnt_search_tell(context, search, rate, utility));
    }
    return qnt__progress(context, budget, budget);
}

qnt_status qnt_search_trials(const qnt_context *context, const qnt_search *search,
                             qnt_trial *trials, size_t capacity, size_t *count)
{
    if (!context) return QNT_E_INVALID;
    if (!search || !count) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", search ? "count" : "search");
    }
    *count = search->count;
    if (!trials) return QNT_OK;
    if (capacity < search->count) {
        return qnt__fail(context, QNT_E_SPACE, "capacity is %zu, expected at least %zu trials",
                         capacity, search->count);
    }
    if (search->count) memcpy(trials, search->trials, search->count * sizeof *trials);
    return QNT_OK;
}

qnt_status qnt_search_best(const qnt_context *context, const qnt_search *search, qnt_trial *best)
{
    if (!context) return QNT_E_INVALID;
    if (!search || !best) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", search ? "best" : "search");
    }
    const qnt_trial *found = search->count ? &search->trials[search->best] : NULL;
    if (found && qnt__search_outside(search, found) > 0.0) found = NULL;
    if (!found) {
        return qnt__fail(context, QNT_E_STATE, "none of %zu trials has a rate from %g to %g",
                         search->count, search->spec.rate_low, search->spec.rate_high);
    }
    *best = *found;
    return QNT_OK;
}

qnt_status qnt_search_score(const qnt_context *context, qnt_trial *trials, size_t n, size_t tables,
                            qnt_trial_fn measure, void *user)
{
    if (!context) return QNT_E_INVALID;
    if ((!trials && n) || !measure) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", measure ? "trials" : "measure");
    }
    if (tables != 1 && tables != 3)
        return qnt__fail(context, QNT_E_INVALID, "tables is %zu, expected 1 or 3", tables);
    for (size_t i = 0; i < n; i++) {
        double rate, utility;
        QNT__TRY(qnt__qtables_check(context, trials[i].table, tables, 3));
        QNT__TRY(measure_trial(context, measure, user, trials[i].table, tables, &rate, &utility));
        trials[i].rate = rate;
        trials[i].utility = utility;
    }
    return QNT_OK;
}
