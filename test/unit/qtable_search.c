/*
 * The searches on a made-up objective: their distributions, fronts, curves, boxes, that the
 * informed ones beat chance at equal budget, that seeds repeat, and every refusal.
 */
#include "check.h"
#include "simd/dct.h"

/* Rate grows with the steps; utility falls with their distance from a hidden table. */
struct task {
    double noise;
    int calls, fail_at, nan_at;
    bool rate_is_nan, constant;
};

static int32_t measure(void *user, const qnt_qtable *tables, size_t count, double *rate,
                       double *utility)
{
    struct task *task = user;
    double bits = 0, loss = 0;
    (void)count;
    task->calls++;
    if (task->calls == task->fail_at) return 7;
    for (int k = 0; k < 64; k++) {
        double step = tables[0].step[qnt__zigzag[k]], ideal = 10 + 1.5 * k;
        bits += log2(1 + 300 / (1 + 0.3 * k) / step);
        loss += (step - ideal) * (step - ideal) / 64;
    }
    *rate = 512 / (bits + 4);
    *utility = 1 - loss / 2000 + task->noise * random_gauss();
    if (task->calls == task->nan_at) *(task->rate_is_nan ? rate : utility) = (double)NAN;
    if (task->constant) *rate = 20, *utility = 0.5;
    return 0;
}

static qnt_search *start(const qnt_context *context, qnt_search_spec spec)
{
    qnt_search *search = NULL;
    spec.size = sizeof spec;
    CHECK_MSG(qnt_search_create(context, &spec, &search) == QNT_OK, "%s", check_reason);
    return search;
}

/* A table drawn as the paper says, in the plainest way: scale 1, along the diagonal order. */
static void draw_plainly(double out[64])
{
    double low = (double)random_in(0, 34), high = (double)random_in(50, 149);
    for (int k = 0; k < 64; k++) {
        double x = fabs(random_gauss());
        int at = k;
        for (; at > 0 && out[at - 1] > x; at--) out[at] = out[at - 1];
        out[at] = x;
    }
    double largest = out[63];
    for (int k = 0; k < 64; k++) out[k] = fmax(rint(out[k] / largest * (high - low) + low), 1);
}

/* Means and spreads of all steps are those of the plain draw, within five standard errors. */
static void profile(void)
{
    enum { DRAWS = 20000 };
    qnt_context *context = check_context();
    qnt_search *search =
        start(context, (qnt_search_spec){.seed = check_seed + 1, .scale_low = 1, .scale_high = 1});
    REQUIRE(search);
    static double mean[2][64], square[2][64];
    memset(mean, 0, sizeof mean), memset(square, 0, sizeof square);
    int draws = ROUNDS(DRAWS);
    for (int i = 0; i < draws; i++) {
        qnt_qtable t;
        double plain[64];
        OK(qnt_search_ask(context, search, &t));
        OK(qnt_search_tell(context, search, 1, 0));
        draw_plainly(plain);
        for (int k = 0; k < 64; k++) {
            double step[2] = {t.step[qnt__zigzag[k]], plain[k]};
            for (int w = 0; w < 2; w++) {
                mean[w][k] += step[w] / draws, square[w][k] += step[w] * step[w] / draws;
            }
        }
    }
    for (int k = 0; k < 64; k++) {
        double variance = square[1][k] - mean[1][k] * mean[1][k];
        double error = sqrt(2 * variance / draws), other = square[0][k] - mean[0][k] * mean[0][k];
        CHECK_MSG(fabs(mean[0][k] - mean[1][k]) < 5 * error, "step %d: mean %g, expected %g", k,
                  mean[0][k], mean[1][k]);
        CHECK_MSG(fabs(other / variance - 1) < 15 / sqrt(draws),
                  "step %d: variance %g, expected %g", k, other, variance);
    }
    qnt_search_destroy(search);
    qnt_context_destroy(context);
}

/* Rising along the diagonal order; range and scale as published. */
static void sorted(void)
{
    enum { DRAWS = 20000 };
    qnt_context *context = check_context();
    qnt_search *search =
        start(context,
              (qnt_search_spec){.tables = 3, .seed = check_seed, .scale_low = 1, .scale_high = 1});
    REQUIRE(search);
    static int lows[36], highs[256];
    double middle = 0, square = 0;
    int draws = ROUNDS(DRAWS);
    for (int i = 0; i < draws; i++) {
        qnt_qtable t[3], again[3];
        OK(qnt_search_ask(context, search, t));
        if (i == 0) {
            OK(qnt_search_ask(context, search, again));
            CHECK(!memcmp(t, again, sizeof t));
        }
        for (int c = 0; c < 3; c++) {
            for (int k = 1; k < 64; k++) {
                CHECK(t[c].step[qnt__zigzag[k]] >= t[c].step[qnt__zigzag[k - 1]]);
            }
            CHECK(t[c].step[0] >= 1 && t[c].step[63] == t[0].step[63]);
        }
        highs[t[0].step[63]]++;
        lows[t[0].step[0] < 35 ? t[0].step[0] : 35]++;
        double part = (double)t[0].step[qnt__zigzag[32]] / t[0].step[63];
        middle += part / draws, square += part * part / draws;
        OK(qnt_search_tell(context, search, 1 + i, 0));
    }
    double chi = 0, expected = draws / 100.0;
    for (int v = 50; v < 150; v++) chi += (highs[v] - expected) * (highs[v] - expected) / expected;
    CHECK_MSG(chi < 99 + 5 * sqrt(2 * 99), "chi-square %g of 99 degrees", chi);
    for (int v = 0; v < 256; v++) CHECK((v >= 50 && v < 150) || highs[v] == 0);
    CHECK(lows[0] == 0 && lows[1] > 0); /* a low of 0 is kept to 1, or the first value lifts it */
    CHECK_MSG(middle > 0.30 && middle < 0.55, "mean of the middle step %g", middle);
    qnt_search_destroy(search);
    qnt_context_destroy(context);
}

/* Frozen: the first table of seed 1. */
static void frozen(void)
{
    qnt_context *context = check_context();
    qnt_search *search = start(context, (qnt_search_spec){.seed = 1});
    qnt_qtable t;
    REQUIRE(search);
    OK(qnt_search_ask(context, search, &t));
    uint64_t sum = 0;
    for (int i = 0; i < 64; i++) sum = sum * 31 + t.step[i];
    CHECK_MSG(t.step[0] == 20 && t.step[63] == 63 && sum == 5957294416147191041u, "%d, %d, %lluu",
              t.step[0], t.step[63], (unsigned long long)sum);
    qnt_search_destroy(search);
    qnt_context_destroy(context);
}

static void front(void)
{
    enum { MOST = 60 };
    qnt_context *context = check_context();
    for (int round = 0; round < ROUNDS(300); round++) {
        qnt_trial trials[MOST] = {{0}};
        size_t n = (size_t)random_in(0, MOST), index[MOST], count = 99;
        bool member[MOST] = {false};
        for (size_t i = 0; i < n; i++) {
            trials[i].rate = (double)random_in(1, 12), trials[i].utility = (double)random_in(1, 12);
        }
        OK(qnt_search_front(context, trials, n, index, &count));
        for (size_t f = 0; f < count; f++) {
            member[index[f]] = true;
            if (f) CHECK(trials[index[f]].rate <= trials[index[f - 1]].rate);
        }
        for (size_t i = 0; i < n; i++) {
            bool beaten = false;
            for (size_t j = 0; j < n; j++) {
                beaten |=
                    trials[j].rate >= trials[i].rate && trials[j].utility >= trials[i].utility &&
                    (trials[j].rate > trials[i].rate || trials[j].utility > trials[i].utility);
            }
            CHECK(member[i] == !beaten);
        }
    }
    qnt_context_destroy(context);
}

static void curve_and_box(void)
{
    qnt_context *context = check_context();
    qnt_trial trials[40] = {{0}};
    double curve[3];
    for (int i = 0; i < 40; i++) {
        double rate = 5 + i;
        trials[i].rate = rate, trials[i].utility = 0.7 - 0.002 * rate - 6e-5 * rate * rate;
        for (int k = 0; k < 64; k++) trials[i].table[0].step[k] = (uint16_t)(i + 1 + k);
    }
    OK(qnt_search_curve(context, trials, 40, curve));
    CHECK(fabs(curve[0] - 0.7) < 1e-9 && fabs(curve[1] + 0.002) < 1e-10);
    CHECK(fabs(curve[2] + 6e-5) < 1e-11);
    FAILS(qnt_search_curve(context, trials, 2, curve), QNT_E_STATE, "at least 3");
    FAILS(qnt_search_curve(context, NULL, 2, curve), QNT_E_INVALID, "trials is NULL");

    qnt_qtable low, high;
    OK(qnt_search_box(context, trials, 40, 14.5, 16.5, 0, &low, &high)); /* i = 10, 11 */
    CHECK(low.step[0] == 11 && high.step[0] == 12);
    CHECK(low.step[1] == 12 && high.step[1] == 12 + 8); /* 11 + 1 to, transposed, 12 + 8 */
    CHECK(low.step[8] == 12 && high.step[8] == 20);
    OK(qnt_search_box(context, trials, 40, 14.5, 16.5, 4, &low, &high));
    CHECK(low.step[0] == 9 && high.step[0] == 14); /* deviation 0.5 */
    const qnt_qtable before = low;
    FAILS(qnt_search_box(context, trials, 40, 100, 101, 0, &low, &high), QNT_E_STATE, "none of 40");
    FAILS(qnt_search_box(context, trials, 40, 16, 15, 0, &low, &high), QNT_E_STATE, "none of 40");
    CHECK(!memcmp(&low, &before, sizeof low));
    FAILS(qnt_search_box(context, trials, 40, 1, 2, -1, &low, &high), QNT_E_INVALID,
          "spread is -1");
    trials[3].utility = (double)NAN;
    FAILS(qnt_search_box(context, trials, 40, 1, 90, 0, &low, &high), QNT_E_INVALID, "trial 3");
    qnt_context_destroy(context);
}

/* Best fitness of a whole pipeline's second step, at equal budget. */
static double searched(const qnt_context *context, int method, uint64_t seed, uint64_t budget)
{
    struct task task = {.noise = 0.002};
    qnt_trial best = {0};
    qnt_search *search =
        start(context, (qnt_search_spec){.method = method, .seed = seed, .start = 20});
    if (!search) return -INFINITY;
    CHECK(qnt_search_run(context, search, budget, measure, &task) == QNT_OK);
    CHECK((uint64_t)task.calls == budget);
    CHECK(qnt_search_best(context, search, &best) == QNT_OK);
    qnt_search_destroy(search);
    return best.utility;
}

static void informed(void)
{
    qnt_context *context = check_context();
    int seeds = ROUNDS(4);
    double chance = 0, bayes = 0, bandit = 0;
    for (int s = 0; s < seeds; s++) {
        uint64_t seed = check_seed + (uint64_t)s;
        chance += searched(context, QNT_SEARCH_BOUNDED, seed, 100) / seeds;
        bayes += searched(context, QNT_SEARCH_BAYES, seed, 100) / seeds;
        bandit += searched(context, QNT_SEARCH_BANDIT, seed, 100) / seeds;
    }
    CHECK_MSG(bayes > chance + 0.3, "Bayes %g, chance %g", bayes, chance);
    CHECK_MSG(bandit > chance + 0.3, "bandit %g, chance %g", bandit, chance);
    qnt_context_destroy(context);
}

/* Trials of a search whose rate lies in the window; the best one, if there is any, is among
 * them. */
static int inside(const qnt_context *context, int method, double low, double high, double *largest)
{
    enum { TRIALS = 100 };
    struct task task = {0};
    qnt_trial trials[TRIALS], best;
    size_t count;
    int met = 0;
    qnt_search *search = start(
        context, (qnt_search_spec){
                     .method = method, .seed = 3, .start = 30, .rate_low = low, .rate_high = high});
    if (!search) return -1;
    CHECK(qnt_search_run(context, search, TRIALS, measure, &task) == QNT_OK);
    CHECK(qnt_search_trials(context, search, trials, TRIALS, &count) == QNT_OK);
    *largest = 0;
    for (size_t i = 0; i < count; i++) {
        met += trials[i].rate >= low && trials[i].rate <= high;
        *largest = fmax(*largest, trials[i].rate);
    }
    qnt_status status = qnt_search_best(context, search, &best);
    CHECK(status == (met ? QNT_OK : QNT_E_STATE));
    CHECK(status != QNT_OK || (best.rate >= low && best.rate <= high));
    qnt_search_destroy(search);
    return met;
}

/* Rates that chance does not reach are reached by the searches that heed the window; where no
 * table leads, all of them end with a status. */
static void heeds_window(void)
{
    qnt_context *context = check_context();
    double most, any;
    inside(context, QNT_SEARCH_BOUNDED, 1e-9, 1e9, &most);
    const double low = 1.03 * most, high = 1.1 * most;
    CHECK(inside(context, QNT_SEARCH_BOUNDED, low, high, &any) == 0);
    CHECK(inside(context, QNT_SEARCH_SORTED, 1e5, 2e5, &any) == 0);
    for (int method = QNT_SEARCH_BAYES; method <= QNT_SEARCH_BANDIT; method++) {
        int met = inside(context, method, low, high, &any);
        CHECK_MSG(met >= 5, "method %d: %d of 70 in the window", method, met);
        CHECK(inside(context, method, 1e5, 2e5, &any) == 0);
    }
    qnt_context_destroy(context);
}

static void repeatable(void)
{
    qnt_context *context = check_context();
    for (int method = 0; method < 4; method++) {
        qnt_trial first[40], second[40];
        size_t count;
        for (int run = 0; run < 2; run++) {
            struct task task = {0};
            qnt_search *search =
                start(context, (qnt_search_spec){.method = method, .seed = 5, .start = 10});
            REQUIRE(search);
            OK(qnt_search_run(context, search, 40, measure, &task));
            OK(qnt_search_trials(context, search, run ? second : first, 40, &count));
            CHECK(count == 40);
            qnt_search_destroy(search);
        }
        CHECK(!memcmp(first, second, sizeof first));
        CHECK(memcmp(&first[0].table, &first[39].table, sizeof first[0].table));
    }
    qnt_context_destroy(context);
}

/* Every table achieves the same: models have nothing to go by, and no search fails or leaves its
 * box. */
static void nothing_to_find(void)
{
    qnt_context *context = check_context();
    for (int method = 0; method < 4; method++) {
        for (int windowed = 0; windowed < 2; windowed++) {
            struct task task = {.constant = true};
            qnt_trial trials[45], best;
            size_t count;
            double curve[3];
            qnt_qtable low, high;
            for (int i = 0; i < 64; i++) low.step[i] = (uint16_t)(1 + i), high.step[i] = 64;
            qnt_search *search = start(context, (qnt_search_spec){.method = method,
                                                                  .start = 10,
                                                                  .low = &low,
                                                                  .high = &high,
                                                                  .rate_low = windowed ? 30 : 0,
                                                                  .rate_high = windowed ? 31 : 0});
            REQUIRE(search);
            OK(qnt_search_run(context, search, 45, measure, &task));
            OK(qnt_search_trials(context, search, trials, 45, &count));
            for (size_t t = 0; method != QNT_SEARCH_SORTED && t < count; t++)
                for (int i = 0; i < 64; i++)
                    CHECK(trials[t].table[0].step[i] > i && trials[t].table[0].step[i] <= 64);
            if (windowed)
                FAILS(qnt_search_best(context, search, &best), QNT_E_STATE, "none of 45 trials");
            else
                OK(qnt_search_best(context, search, &best));
            FAILS(qnt_search_curve(context, trials, count, curve), QNT_E_STATE, "at least 3");
            qnt_search_destroy(search);
        }
    }
    qnt_context_destroy(context);
}

static int32_t stop_at_3(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    return done == 3 && total == 10;
}

static void refusals(void)
{
    qnt_context *context = check_context();
    qnt_search_spec spec = {.size = sizeof spec};
    qnt_search *search = NULL;
    qnt_qtable t, box = {{0}};
    qnt_trial best, trials[16];
    size_t count;
    struct task task = {0};
#define REFUSED(text, ...)                                                                         \
    do {                                                                                           \
        qnt_search_spec s_ = {.size = sizeof s_, __VA_ARGS__};                                     \
        FAILS(qnt_search_create(context, &s_, &search), QNT_E_INVALID, text);                      \
        CHECK(!search);                                                                            \
    } while (0)
    REFUSED("method is 4", .method = 4);
    REFUSED("tables is 2", .tables = 2);
    REFUSED("1 within a box", .tables = 3, .method = QNT_SEARCH_BOUNDED);
    REFUSED("start is -1", .start = -1);
    REFUSED("scale is 2 to 1", .scale_low = 2, .scale_high = 1);
    REFUSED("rate window is 6 to 5, expected 0 <= low < high", .rate_low = 6, .rate_high = 5);
    REFUSED("rate window is 6 to 6, expected 0 <= low < high", .rate_low = 6, .rate_high = 6);
    REFUSED("window is nan", .rate_low = (double)NAN, .rate_high = 5);
    REFUSED("curve[1] is inf", .curve = {0, (double)INFINITY, 0});
    REFUSED("step 0 is 0", .low = &box);
    for (int i = 0; i < 64; i++) box.step[i] = 5;
    box.step[9] = 1;
    qnt_qtable other = box;
    other.step[9] = 2;
    REFUSED("step 9 is 2 to 1", .low = &other, .high = &box);
    FAILS(qnt_search_create(context, NULL, &search), QNT_E_INVALID, "search spec is NULL");
    FAILS(qnt_search_create(context, &spec, NULL), QNT_E_INVALID, "out is NULL");

    spec.rate_low = 1e6, spec.rate_high = 2e6;
    OK(qnt_search_create(context, &spec, &search));
    memset(&best, 0x5a, sizeof best);
    const qnt_trial untouched = best;
    FAILS(qnt_search_best(context, search, &best), QNT_E_STATE, "none of 0 trials");
    FAILS(qnt_search_tell(context, search, 1, 1), QNT_E_STATE, "call qnt_search_ask first");
    OK(qnt_search_ask(context, search, &t));
    FAILS(qnt_search_tell(context, search, 1, (double)NAN), QNT_E_INVALID, "utility nan");
    FAILS(qnt_search_tell(context, search, 0, 1), QNT_E_INVALID, "rate is 0");
    FAILS(qnt_search_run(context, search, 0, measure, &task), QNT_E_INVALID, "budget is 0");
    FAILS(qnt_search_run(context, search, 1, NULL, &task), QNT_E_INVALID, "measure is NULL");
    task.fail_at = 3;
    FAILS(qnt_search_run(context, search, 9, measure, &task), QNT_E_CANCELLED,
          "measure returned 7");
    task = (struct task){.nan_at = 2};
    FAILS(qnt_search_run(context, search, 9, measure, &task), QNT_E_INVALID, "utility nan");
    OK(qnt_search_trials(context, search, NULL, 0, &count));
    CHECK(count == 3);
    FAILS(qnt_search_trials(context, search, trials, 2, &count), QNT_E_SPACE, "at least 3");
    FAILS(qnt_search_best(context, search, &best), QNT_E_STATE, "none of 3 trials");
    CHECK(!memcmp(&best, &untouched, sizeof best));
    qnt_context_set_progress(context, stop_at_3, NULL);
    task = (struct task){0};
    FAILS(qnt_search_run(context, search, 10, measure, &task), QNT_E_CANCELLED, "3 of 10");
    qnt_context_set_progress(context, NULL, NULL);
    OK(qnt_search_trials(context, search, trials, 16, &count));
    CHECK(count == 6);

    task = (struct task){.nan_at = 1, .rate_is_nan = true};
    FAILS(qnt_search_run(context, search, 1, measure, &task), QNT_E_INVALID, "rate is nan");
    FAILS(qnt_search_tell(context, search, (double)INFINITY, 1), QNT_E_INVALID, "rate is inf");
    OK(qnt_search_trials(context, search, NULL, 0, &count));
    CHECK(count == 6);

    task = (struct task){0};
    OK(qnt_search_score(context, trials, 6, 1, measure, &task));
    qnt_trial scored[6];
    for (int i = 0; i < 6; i++) trials[i].rate = trials[i].utility = 77;
    memcpy(scored, trials, sizeof scored);
    task = (struct task){.fail_at = 3};
    FAILS(qnt_search_score(context, trials, 6, 1, measure, &task), QNT_E_CANCELLED,
          "measure returned 7");
    CHECK(trials[1].rate != 77 && !memcmp(trials + 2, scored + 2, 4 * sizeof *trials));
    task = (struct task){.nan_at = 1};
    memcpy(trials, scored, sizeof scored);
    FAILS(qnt_search_score(context, trials, 6, 1, measure, &task), QNT_E_INVALID, "utility nan");
    CHECK(!memcmp(trials, scored, sizeof scored));
    FAILS(qnt_search_score(context, trials, 6, 1, NULL, &task), QNT_E_INVALID, "measure is NULL");
    trials[2].table[0].step[7] = 0;
    FAILS(qnt_search_score(context, trials, 6, 1, measure, &task), QNT_E_INVALID, "step 7 is 0");
    for (size_t tables = 0; tables < 5; tables++) {
        if (tables == 1 || tables == 3) continue;
        FAILS(qnt_search_score(context, trials, 6, tables, measure, &task), QNT_E_INVALID,
              "expected 1 or 3");
    }
    qnt_search_destroy(search);
    qnt_search_destroy(NULL);
    qnt_context_destroy(context);
}

/* ---- memory that runs out at every point ---- */

struct supply {
    long left, live;
};

static void *scarce(void *user, size_t size, size_t align)
{
    struct supply *supply = user;
    (void)align;
    if (supply->left-- <= 0) return NULL;
    supply->live++;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void give_back(void *user, void *block, size_t size)
{
    (void)size;
    ((struct supply *)user)->live--;
    free(block);
}

static void no_memory(void)
{
    struct supply supply = {.left = 1};
    qnt_context *context = NULL;
    OK(qnt_context_create(scarce, give_back, &supply, &context));
    bool done = false;
    for (long budget = 0; !done; budget++) {
        REQUIRE(budget < 200);
        struct task task = {0};
        qnt_search *search = NULL;
        qnt_search_spec spec = {.size = sizeof spec, .method = QNT_SEARCH_BAYES, .start = 60};
        qnt_trial trials[70];
        qnt_qtable low, high;
        double curve[3];
        size_t count = 0;
        supply.left = budget;
        qnt_status status = qnt_search_create(context, &spec, &search);
        if (status == QNT_OK) status = qnt_search_run(context, search, 70, measure, &task);
        if (search) CHECK(qnt_search_trials(context, search, trials, 70, &count) == QNT_OK);
        CHECK(count <= (size_t)task.calls);
        if (status == QNT_OK) status = qnt_search_curve(context, trials, count, curve);
        if (status == QNT_OK) {
            status = qnt_search_box(context, trials, count, 0, 1e9, 1, &low, &high);
        }
        done = status == QNT_OK;
        CHECK_MSG(done || status == QNT_E_NOMEM, "%s", qnt_status_name(status));
        qnt_search_destroy(search);
        CHECK(supply.live == 1);
    }
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(profile);
    RUN(sorted);
    RUN(frozen);
    RUN(front);
    RUN(curve_and_box);
    RUN(informed);
    RUN(heeds_window);
    RUN(repeatable);
    RUN(nothing_to_find);
    RUN(refusals);
    RUN(no_memory);
    return DONE;
}
