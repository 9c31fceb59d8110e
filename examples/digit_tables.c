/*
 * Searches quantization tables for the digits network: what does each search gain on digits that
 * neither training nor search has seen?
 *
 *     digit_tables examples/data/digits.bin build/digits.safetensors [SEEDS|quick [PICTURE.svg]]
 *
 * Every digit is one 8x8 block, levels 0..16 spread over 0..255, and a picture of its own: rate =
 * 512 / mean bits of its coded block (standard Huffman codes, no header), utility = share of digits
 * that the network, frozen, still gets right. Records 0..1199 trained the network; each seed divides
 * the other 597 into one half to search on and one that is held out. In the order published (Li, De
 * Sa, Sampson 2020): sorted tables, four times as coarse because digits have little to lose; the
 * curve through their front, and a box around its part in the window; the three searches in the box.
 * The best table within the window is compared, in points of accuracy, with the standard table at
 * the same rate: those of 400 scales of it that come near, averaged with a window of 3 % in rate.
 * "quick" is one seed, one window, and half as many trials in the box.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"
#include "plan.h"
#include "qnt.h"
#include "reference.h"
#include "table_svg.h"

enum { SIDE = 8, PIXELS = 64, CLASSES = 10, TRAINED = 1200, BATCH = 64, WORKERS = 2 };
#define SMOOTH 0.03 /* deviation of logarithms of rates in averages */
enum { SCALES = 400, SORTED = 1000, BOUNDED = 600, BAYES_START = 100, BAYES = 300, BANDIT = 600 };

/* Half of the digits that did not train the network, as one-block pictures. */
struct half {
    int count;
    uint8_t (*pixel)[PIXELS];
    uint8_t *label;
    qnt_image **picture;
};

/* Accuracy and rate of the standard table at those scales that matter in a window. */
struct standard {
    int count;
    double rate[SCALES], right[SCALES];
};

struct lab {
    const qnt_context *context;
    const struct graph *graph;
    struct plan plan;
    uint8_t *memory;
    const struct half *half; /* what `measure` measures on */
    bool quick;
};

enum { METHODS = 4 };
static const struct {
    const char *name;
    int method, trials, start;
    double spread; /* of the box, in standard deviations */
} methods[METHODS] = {{"sorted", QNT_SEARCH_SORTED, SORTED, 0, 0},
                      {"bounded", QNT_SEARCH_BOUNDED, BOUNDED, 0, 0.5},
                      {"bandit", QNT_SEARCH_BANDIT, BANDIT, 0, 1.5},
                      {"Bayes", QNT_SEARCH_BAYES, BAYES, BAYES_START, 1.5}};

static const struct {
    double low, high, scale_low, scale_high;
} windows[] = {{5.6, 6.4, 2.0, 6.0}, {3.8, 4.3, 1.1, 3.3}};

enum { WINDOWS = sizeof windows / sizeof *windows };

/* What a seed found; `found` false: no table had a rate in the window. */
struct gain {
    bool found;
    double searched, held_out;
    qnt_qtable table;
};

/* ---- digits ---- */

static uint64_t next(uint64_t *state) /* xorshift64* (Vigna 2016) */
{
    *state ^= *state >> 12, *state ^= *state << 25, *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du >> 33;
}

static void half_free(struct half *h)
{
    for (int i = 0; h->picture && i < h->count; i++) qnt_image_destroy(h->picture[i]);
    free(h->picture), free(h->pixel), free(h->label);
}

/* Records order[0], order[2], .. */
static bool half_read(const qnt_context *context, const struct dataset *set, const int *order,
                      int count, struct half *out)
{
    qnt_image_spec spec = {.size = sizeof spec, .width = SIDE, .height = SIDE};
    *out = (struct half){.count = count, .pixel = calloc((size_t)count, sizeof *out->pixel),
                         .label = calloc((size_t)count, 1),
                         .picture = calloc((size_t)count, sizeof *out->picture)};
    if (!out->pixel || !out->label || !out->picture) return false;
    for (int i = 0; i < count; i++) {
        const uint8_t *level = set->pixel + (size_t)order[2 * i] * PIXELS;
        for (int p = 0; p < PIXELS; p++) out->pixel[i][p] = (uint8_t)((level[p] * 255 + 8) / 16);
        out->label[i] = set->label[order[2 * i]];
        if (qnt_image_create(context, &spec, &out->picture[i]) ||
            qnt_image_read(context, out->picture[i], out->pixel[i], SIDE)) {
            return false;
        }
    }
    return true;
}

/* ---- measuring ---- */

static int count_right(struct lab *lab, int first, int count)
{
    int right = 0;
    const float *logits =
        reference_run(lab->graph, &lab->plan, count, lab->memory, NULL, NULL);
    for (int i = 0; i < count; i++, logits += CLASSES) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++) best = logits[c] > logits[best] ? c : best;
        right += best == lab->half->label[first + i];
    }
    return right;
}

/* Codes all digits with the tables. */
static bool find_rate(const struct lab *lab, const qnt_qtable *tables, size_t count, double *rate)
{
    const struct half *half = lab->half;
    uint64_t bits = 0;
    for (int i = 0; i < half->count; i++) {
        qnt_image_bytes bytes = {.size = sizeof bytes};
        if (qnt_image_quantize(lab->context, half->picture[i], tables, count) ||
            qnt_image_size(lab->context, half->picture[i], QNT_HUFFMAN_STANDARD, &bytes)) {
            return false;
        }
        bits += bytes.bits;
    }
    *rate = 512.0 * half->count / (double)bits;
    return true;
}

/* The network looks at what was coded. */
static bool find_utility(struct lab *lab, double *utility)
{
    const struct half *half = lab->half;
    float *input = (float *)(void *)(lab->memory + lab->plan.offset[0]);
    int right = 0;
    for (int first = 0; first < half->count; first += BATCH) {
        int n = half->count - first < BATCH ? half->count - first : BATCH;
        for (int i = 0; i < n; i++) {
            uint8_t decoded[PIXELS];
            if (qnt_image_write(lab->context, half->picture[first + i], decoded, SIDE)) return false;
            for (int p = 0; p < PIXELS; p++) input[i * PIXELS + p] = (float)decoded[p] / 255;
        }
        right += count_right(lab, first, n);
    }
    *utility = (double)right / half->count;
    return true;
}

static int32_t measure(void *user, const qnt_qtable *tables, size_t count, double *rate,
                       double *utility)
{
    return !find_rate(user, tables, count, rate) || !find_utility(user, utility);
}

/* The standard table scaled by 1/2 to 16 in equal ratios, where that gives a rate in the window, or
 * so near to it that the averages there have a part of it. */
static bool measure_standard(struct lab *lab, int w, struct standard *out)
{
    static const double near = 5 * SMOOTH;
    qnt_qtable base, table;
    double rate;
    out->count = 0;
    if (qnt_qtable_standard(lab->context, QNT_QTABLE_LUMA, 50, &base)) return false;
    for (int s = 0; s < SCALES; s++) {
        double scale = 0.5 * pow(32, (double)s / (SCALES - 1));
        for (int i = 0; i < 64; i++) {
            table.step[i] = (uint16_t)fmin(fmax(rint(base.step[i] * scale), 1), 255);
        }
        if (!find_rate(lab, &table, 1, &rate)) return false;
        if (log(windows[w].low / rate) > near || log(rate / windows[w].high) > near) continue;
        if (!find_utility(lab, &out->right[out->count])) return false;
        out->rate[out->count++] = rate;
    }
    return true;
}

/* Its accuracy at a rate. */
static double standard_right(const struct standard *s, double rate)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < s->count; i++) {
        double off = log(s->rate[i] / rate) / SMOOTH, weight = exp(-0.5 * off * off);
        sum += weight * s->right[i], weights += weight;
    }
    return sum / weights;
}

/* ---- searching ---- */

static int trials_of(int m, bool quick)
{
    return quick && methods[m].method != QNT_SEARCH_SORTED ? methods[m].trials / 2
                                                           : methods[m].trials;
}

/* Trials of one search; box and curve come from `before`, the sorted ones. */
static qnt_status search(struct lab *lab, int m, int w, uint64_t seed, const qnt_trial *before,
                         qnt_trial *trials, qnt_trial *best)
{
    qnt_qtable low, high;
    qnt_search *s = NULL;
    size_t count;
    qnt_search_spec spec = {.size = sizeof spec, .method = methods[m].method, .seed = seed,
                            .start = methods[m].start, .scale_low = windows[w].scale_low,
                            .scale_high = windows[w].scale_high, .rate_low = windows[w].low,
                            .rate_high = windows[w].high};
    qnt_status status = QNT_OK;
    if (before) {
        spec.low = &low, spec.high = &high;
        status = qnt_search_curve(lab->context, before, SORTED, spec.curve);
        if (!status) {
            status = qnt_search_box(lab->context, before, SORTED, windows[w].low, windows[w].high,
                                    methods[m].spread, &low, &high);
        }
    }
    if (!status) status = qnt_search_create(lab->context, &spec, &s);
    if (!status) status = qnt_search_run(lab->context, s, (uint64_t)trials_of(m, lab->quick), measure, lab);
    if (!status && trials) status = qnt_search_trials(lab->context, s, trials, SORTED, &count);
    if (!status && before) status = qnt_search_best(lab->context, s, best);
    qnt_search_destroy(s);
    return status;
}

/* The sorted table furthest above the curve through all of them, within the window. */
static qnt_status best_sorted(const qnt_context *context, const qnt_trial *trials, int w,
                              qnt_trial *best)
{
    double curve[3], most = -INFINITY;
    qnt_status status = qnt_search_curve(context, trials, SORTED, curve);
    for (int i = 0; !status && i < SORTED; i++) {
        double rate = trials[i].rate;
        double fitness = trials[i].utility - (curve[0] + rate * (curve[1] + rate * curve[2]));
        if (rate < windows[w].low || rate > windows[w].high || fitness <= most) continue;
        most = fitness;
        *best = trials[i];
    }
    return status ? status : most == -INFINITY ? QNT_E_STATE : QNT_OK;
}

/* QNT_E_STATE means that a search has nothing to show in the window; anything else is a failure. */
static bool run_window(struct lab *lab, const struct half half[2], int w, uint64_t seed,
                       struct gain gains[METHODS])
{
    static const int searched = 0;
    struct standard *standard = malloc(2 * sizeof *standard);
    qnt_trial *sorted = malloc(SORTED * sizeof *sorted), best;
    bool good = standard && sorted;
    for (int h = 0; good && h < 2; h++) {
        lab->half = &half[h];
        good = measure_standard(lab, w, &standard[h]);
    }
    for (int m = 0; good && m < METHODS; m++) {
        lab->half = &half[searched];
        qnt_status status = search(lab, m, w, seed, m ? sorted : NULL, m ? NULL : sorted, &best);
        if (!status && m == 0) status = best_sorted(lab->context, sorted, w, &best);
        good = status == QNT_OK || status == QNT_E_STATE;
        if (status) continue;
        gains[m] = (struct gain){.found = true, .table = best.table[0]};
        gains[m].searched = best.utility - standard_right(&standard[searched], best.rate);
        lab->half = &half[!searched];
        good = qnt_search_score(lab->context, &best, 1, 1, measure, lab) == QNT_OK;
        gains[m].held_out = best.utility - standard_right(&standard[!searched], best.rate);
    }
    free(standard), free(sorted);
    return good;
}

/* ---- seeds, in parallel ---- */

struct job {
    const struct graph *graph;
    const struct dataset *set;
    struct gain (*gains)[WINDOWS][METHODS]; /* of each seed */
    bool *good;
    bool quick;
};

static void run_seed(void *task, size_t seed, size_t worker)
{
    const struct job *job = task;
    struct lab lab = {.graph = job->graph, .quick = job->quick};
    struct half half[2] = {{0}};
    qnt_context *context = NULL;
    int rest = job->set->count - TRAINED, *order = malloc((size_t)rest * sizeof *order);
    uint64_t state = 2 * seed + 1;
    (void)worker;
    for (int i = 0; order && i < rest; i++) { /* a random order */
        int j = (int)(next(&state) % (uint64_t)(i + 1));
        order[i] = order[j];
        order[j] = TRAINED + i;
    }
    plan_make(job->graph, BATCH, &lab.plan);
    lab.memory = malloc(reference_memory(job->graph, &lab.plan));
    bool good = order && lab.memory && qnt_context_create(NULL, NULL, NULL, &context) == QNT_OK &&
                half_read(context, job->set, order, rest / 2, &half[0]) &&
                half_read(context, job->set, order + 1, rest / 2, &half[1]);
    lab.context = context;
    for (int w = 0; good && w < (job->quick ? 1 : WINDOWS); w++) {
        good = run_window(&lab, half, w, seed + 1, job->gains[seed][w]);
    }
    job->good[seed] = good;
    half_free(&half[0]), half_free(&half[1]);
    qnt_context_destroy(context);
    free(order), free(lab.memory);
}

/* ---- the table ---- */

struct mean {
    int count;
    double searched, held_out, error; /* standard error of held_out */
};

static struct mean average(const struct job *job, int seeds, int w, int m)
{
    struct mean mean = {0};
    double square = 0;
    for (int s = 0; s < seeds; s++) {
        const struct gain *gain = &job->gains[s][w][m];
        if (!gain->found) continue;
        mean.count++;
        mean.searched += gain->searched;
        mean.held_out += gain->held_out;
        square += gain->held_out * gain->held_out;
    }
    if (mean.count == 0) return mean;
    mean.searched /= mean.count, mean.held_out /= mean.count;
    double variance = square / mean.count - mean.held_out * mean.held_out;
    if (mean.count > 1) mean.error = sqrt(fmax(variance, 0) / (mean.count - 1));
    return mean;
}

static void print(const struct job *job, int seeds)
{
    printf("\nTables for the digits network: points of accuracy above the standard table at the same "
           "rate; %d seed%s\n\n", seeds, seeds > 1 ? "s" : "");
    printf("  %-16s %-8s %6s %10s  %-16s %s\n", "rate", "search", "trials", "searched", "held out",
           "in the window");
    for (int w = 0; w < (job->quick ? 1 : WINDOWS); w++) {
        for (int m = 0; m < METHODS; m++) {
            struct mean mean = average(job, seeds, w, m);
            printf("  %.1f to %-9.1f %-8s %6d %+10.2f  %+.2f", windows[w].low, windows[w].high,
                   methods[m].name, trials_of(m, job->quick), 100 * mean.searched, 100 * mean.held_out);
            if (mean.count > 1) printf(" +- %.2f", 100 * mean.error);
            printf("%*s %d of %d\n", mean.count > 1 ? 2 : 10, "", mean.count, seeds);
        }
    }
    printf("\n  %d digits are searched, as many are held out. The best of many noisy trials looks "
           "better than it is:\n  believe the digits held out.\n",
           (job->set->count - TRAINED) / 2);
}

/* The first seed's table of each search. */
static const char *draw(const struct job *job, const char *path)
{
    struct table_picture pictures[METHODS];
    int count = 0;
    for (int m = 0; m < METHODS; m++) {
        const struct gain *gain = &job->gains[0][0][m];
        if (gain->found) pictures[count++] = (struct table_picture){methods[m].name, gain->table};
    }
    return table_svg_write(path, pictures, count);
}

static const char *load(const char *path, struct graph **graph)
{
    struct safetensors file;
    const char *reason = safetensors_read(path, &file);
    if (reason) return reason;
    *graph = model_digits(&file);
    safetensors_free(&file);
    if (!*graph) return "out of memory";
    return (*graph)->problem[0] ? (*graph)->problem : NULL;
}

static const char *run(struct job *job, int seeds, const char *picture)
{
    qnt_context *context = NULL;
    qnt_pool *pool = NULL;
    const char *reason = "out of memory";
    job->gains = calloc((size_t)seeds, sizeof *job->gains);
    job->good = calloc((size_t)seeds, sizeof *job->good);
    if (job->gains && job->good && !qnt_context_create(NULL, NULL, NULL, &context) &&
        !qnt_pool_create(context, WORKERS, &pool)) {
        reason = NULL;
        qnt_pool_run(pool, run_seed, job, (size_t)seeds);
    }
    qnt_pool_destroy(pool);
    qnt_context_destroy(context);
    for (int s = 0; !reason && s < seeds; s++) {
        if (!job->good[s]) reason = "a seed could not be measured";
    }
    if (!reason) print(job, seeds);
    if (!reason && picture) reason = draw(job, picture);
    struct mean sorted = reason ? (struct mean){0} : average(job, seeds, 0, 0);
    if (!reason && sorted.held_out + 2 * sorted.error <= 0) reason = "no gain: something is broken";
    free(job->gains), free(job->good);
    return reason;
}

int main(int argc, char **argv)
{
    struct dataset set = {0};
    struct graph *graph = NULL;
    bool quick = argc > 3 && !strcmp(argv[3], "quick");
    int seeds = quick ? 1 : argc > 3 ? atoi(argv[3]) : 10;
    if (argc < 3 || argc > 5 || seeds < 1) {
        fprintf(stderr, "usage: %s digits.bin weights.safetensors [SEEDS|quick [PICTURE.svg]]\n",
                argv[0]);
        return 2;
    }
    const char *reason = dataset_read_records(argv[1], &digits_form, &set);
    if (!reason && set.count < TRAINED + 100) reason = "too few records are left to search on";
    if (!reason) reason = load(argv[2], &graph);
    struct job job = {.graph = graph, .set = &set, .quick = quick};
    if (!reason) reason = run(&job, seeds, argc > 4 ? argv[4] : NULL);
    if (reason) fprintf(stderr, "digit_tables: %s\n", reason);
    graph_free(graph);
    dataset_free(&set);
    return reason ? 1 : 0;
}
