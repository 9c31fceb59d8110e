/* Statistics: moments, exact values, histograms, importance, batches, workers, cancel, failures. */
#include "check.h"
#include "quantizer/histogram.h"
#include "quantizer/quantizer.h"
#include "quantizer/sort.h"
#include "quantizer/statistics.h"

static qnt_quantizer *create(qnt_context *c, int method, int grain, int axis, int64_t block)
{
    qnt_spec spec = {.size = sizeof spec, .method = method, .flags = QNT_SIGNED, .grain = grain,
                     .axis = axis, .block = block};
    qnt_quantizer *q = NULL;
    if (qnt_quantizer_create(c, &spec, &q) != QNT_OK) printf("  create: %s\n", check_reason);
    return q;
}

static double get(qnt_context *c, const qnt_quantizer *q, int param, size_t g)
{
    double values[4096];
    size_t count = 0;
    check_reason[0] = 0;
    if (qnt_quantizer_get(c, q, param, values, 4096, &count) != QNT_OK || g >= count) return -12345;
    return values[g];
}

static void set(qnt_context *c, qnt_quantizer *q, int param, double value)
{
    OK(qnt_quantizer_set(c, q, param, &value, 1));
}

/* Groups along the middle axis, blocks, and the last axis: counts and ends of every group. */
static void groups(void)
{
    qnt_context *c = check_context();
    enum { A = 3, B = 70, C = 5 };
    float x[A * B * C];
    for (int i = 0; i < A * B * C; i++) x[i] = (float)random_gauss();
    for (int axis = 0; axis < 3; axis++) {
        qnt_quantizer *q = create(c, QNT_MINMAX, QNT_PER_AXIS, axis, 0);
        OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, A, B, C), NULL));
        int extents[] = {A, B, C}, steps[] = {B * C, C, 1};
        for (int g = 0; g < extents[axis]; g++) {
            float low = INFINITY, high = -INFINITY;
            for (int i = 0; i < A * B * C; i++) {
                if (i / steps[axis] % extents[axis] != g) continue;
                low = fminf(low, x[i]);
                high = fmaxf(high, x[i]);
            }
            CHECK(get(c, q, QNT_P_MIN, (size_t)g) == (double)low);
            CHECK(get(c, q, QNT_P_MAX, (size_t)g) == (double)high);
            CHECK(get(c, q, QNT_P_OBSERVED, (size_t)g) == A * B * C / extents[axis]);
        }
        qnt_quantizer_destroy(q);
    }
    qnt_quantizer *q = create(c, QNT_MINMAX, QNT_PER_BLOCK, 1, 32);
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, A, B, C), NULL));
    for (int i = 0; i < A * 3 * C; i++) {
        CHECK(get(c, q, QNT_P_OBSERVED, (size_t)i) == (i / C % 3 == 2 ? 6 : 32));
    }
    qnt_quantizer_destroy(q);
    qnt_context_destroy(c);
}

/* Sums against a plain loop, importance broadcast over rows. */
static void importance(void)
{
    qnt_context *c = check_context();
    float x[6][7], h[7];
    double weight = 0, sum = 0, square = 0;
    for (int j = 0; j < 7; j++) h[j] = j == 2 ? 0 : (float)j + 0.5f;
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 7; j++) {
            x[i][j] = (float)random_gauss();
            weight += (double)h[j];
            sum += (double)h[j] * (double)x[i][j];
            square += (double)h[j] * (double)x[i][j] * (double)x[i][j];
        }
    }
    x[3][2] = 1e20f; /* of importance 0 */
    qnt_quantizer *q = create(c, QNT_MINMAX, QNT_PER_TENSOR, 0, 0);
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 6, 7), TENSOR(h, QNT_FLOAT, 32, 7)));
    const struct qnt__moments *m = q->statistics->moments;
    CHECK(m->count == 36 && m->max < 100);
    CHECK(fabs(m->weight - weight) < 1e-9 && fabs(m->sum - sum) < 1e-9);
    CHECK(fabs(m->square_sum - square) < 1e-9);
    CHECK(get(c, q, QNT_P_OBSERVED, 0) == 36);

    float rows[6] = {1, 0, 2, 0, 0, 0}; /* one weight for each row */
    qnt_quantizer *by_row = create(c, QNT_MINMAX, QNT_PER_TENSOR, 0, 0);
    OK(qnt_quantizer_observe(c, by_row, TENSOR(x, QNT_FLOAT, 32, 6, 7),
                             TENSOR(rows, QNT_FLOAT, 32, 6, 1)));
    CHECK(get(c, by_row, QNT_P_OBSERVED, 0) == 14);
    CHECK(by_row->statistics->moments->weight == 21);
    qnt_quantizer_destroy(by_row);

    FAILS(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 6, 7), TENSOR(h, QNT_FLOAT, 32, 6)),
          QNT_E_SHAPE, "importance: extent 0 is 6, expected 1 or x's 7");
    FAILS(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 42),
                                TENSOR(x, QNT_FLOAT, 32, 6, 7)),
          QNT_E_SHAPE, "importance: ndim is 2, expected at most x's 1");
    const float bad[] = {-1, (float)NAN, (float)INFINITY};
    for (int i = 0; i < 3; i++) {
        h[3] = bad[i];
        FAILS(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 6, 7),
                                    TENSOR(h, QNT_FLOAT, 32, 7)),
              QNT_E_INVALID, "importance has values that are negative, NaN or infinite");
        CHECK(get(c, q, QNT_P_OBSERVED, 0) == 36);
    }
    qnt_quantizer_destroy(q);
    qnt_context_destroy(c);
}

/* The histogram of data in batches equals that of all data at once, whatever their order. */
static void batches(void)
{
    qnt_context *c = check_context();
    enum { COUNT = 60000 };
    float *x = malloc(COUNT * sizeof *x);
    for (int i = 0; i < COUNT; i++) x[i] = (float)(random_laplace() * pow(10, 4.0 * i / COUNT)) + 3;
    qnt_quantizer *once = create(c, QNT_PERCENTILE, 0, 0, 0),
                  *many = create(c, QNT_PERCENTILE, 0, 0, 0);
    set(c, once, QNT_P_SAMPLES, 0);
    set(c, many, QNT_P_SAMPLES, 20000);
    set(c, once, QNT_P_BINS, 500);
    set(c, many, QNT_P_BINS, 500);
    OK(qnt_quantizer_observe(c, once, TENSOR(x, QNT_FLOAT, 32, COUNT), NULL));
    for (int at = 0, n; at < COUNT; at += n) {
        n = (int)random_in(1, 9000);
        if (n > COUNT - at) n = COUNT - at;
        OK(qnt_quantizer_observe(c, many, TENSOR(x + at, QNT_FLOAT, 32, n), NULL));
    }
    const struct qnt__statistics *a = once->statistics, *b = many->statistics;
    CHECK(a->bin && b->bin && !a->values && !b->values);
    double total = 0;
    for (size_t i = 0; i < 500; i++) {
        CHECK(a->bin[i].weight == b->bin[i].weight);
        CHECK(fabs(a->bin[i].sum - b->bin[i].sum) <= 1e-12 * fabs(a->bin[i].sum) + 1e-9);
        total += a->bin[i].weight;
    }
    CHECK(total == COUNT);
    double bins = 333;
    FAILS(qnt_quantizer_set(c, many, QNT_P_BINS, &bins, 1), QNT_E_STATE,
          "histograms with 500 bins");

    struct qnt__grid grid = qnt__grid_of(a->moments, 500);
    double width = ldexp(1, grid.exponent),
           range = (double)a->moments->max - (double)a->moments->min;
    CHECK(range / width < 500 && range / width > 240);
    qnt_quantizer_destroy(once);
    qnt_quantizer_destroy(many);
    free(x);
    qnt_context_destroy(c);
}

/* Ranges that would break an index: tiny, huge, far from 0, denormal, single. */
static void grids(void)
{
    static const float ends[][2] = {{0, 0}, {1, 1}, {-1e-45f, 1e-45f}, {1e-45f, 3e38f}, {-3e38f, 3e38f},
                                    {1e30f, 1.0000001e30f}, {-7, -7}, {-1e-38f, 2e-38f},
                                    {16777216, 16777218}, {-1e10f, 1e-10f}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        for (size_t bins = 64; bins <= 65536; bins *= 4) {
            struct qnt__moments m = {.count = 2, .min = ends[i][0], .max = ends[i][1]};
            struct qnt__grid grid = qnt__grid_of(&m, bins);
            CHECK_MSG(qnt__bin_of(&grid, m.min) == 0, "%g", (double)m.min);
            CHECK_MSG(qnt__bin_of(&grid, m.max) < bins, "%g", (double)m.max);
            CHECK(qnt__bin_of(&grid, m.max) == 0 || m.max > m.min);
        }
    }
}

/* Tensors without elements, whichever extent is 0, are legal and change nothing. */
static void empty(void)
{
    static const int64_t blocks[] = {0, 0, 2};
    qnt_context *c = check_context();
    for (int grain = QNT_PER_TENSOR; grain <= QNT_PER_BLOCK; grain++) {
        for (int axis = 0; axis < 3; axis++) {
            for (int zero = 0; zero < 3; zero++) {
                int64_t shape[3] = {8, 4, 5};
                shape[zero] = 0;
                check_tensor x = {0};
                qnt_tensor *t = check_view(&x, NULL, QNT_FLOAT, 32, 3, shape);
                qnt_quantizer *q = create(c, QNT_MINMAX, grain, grain ? axis : 0, blocks[grain]);
                REQUIRE(q);
                OK(qnt_quantizer_observe(c, q, t, NULL));
                OK(qnt_quantizer_observe(c, q, t, t));
                FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "");
                qnt_quantizer_destroy(q);
            }
        }
    }
    qnt_context_destroy(c);
}

static void other_groups(void)
{
    qnt_context *c = check_context();
    float x[4][5];
    double values[4];
    size_t count;
    for (int i = 0; i < 20; i++) x[i / 5][i % 5] = i < 5 ? (float)NAN : (float)random_gauss();
    qnt_quantizer *q = create(c, QNT_MINMAX, QNT_PER_AXIS, 0, 0);
    qnt_tensor *three = TENSOR(x, QNT_FLOAT, 32, 3, 5), *four = TENSOR(x, QNT_FLOAT, 32, 4, 5);
    OK(qnt_quantizer_observe(c, q, three, NULL));
    FAILS(qnt_quantizer_observe(c, q, four, NULL), QNT_E_SHAPE,
          "x has 4 groups, but 3 were observed before");
    OK(qnt_context_set_log(c, check_log, NULL, QNT_LOG_WARN));
    OK(qnt_quantizer_fit(c, q));
    CHECK_MSG(strstr(check_reason, "1 of 3 groups have no values; their scale is 1"), "%s",
              check_reason);
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, values, 4, &count));
    CHECK(count == 3 && values[0] == 1 && values[1] != 1);
    qnt_error error = {.size = sizeof error};
    FAILS(qnt_quantizer_error(c, q, four, NULL, &error), QNT_E_SHAPE,
          "x has 4 groups, but the quantizer has 3");
    qnt_quantizer_destroy(q);
    qnt_context_destroy(c);
}

static void not_finite(void)
{
    qnt_context *c = check_context();
    OK(qnt_context_set_log(c, check_log, NULL, QNT_LOG_WARN));
    float x[] = {1, (float)NAN, -2, (float)INFINITY, -(float)INFINITY, -0.0f};
    qnt_quantizer *q = create(c, QNT_MINMAX, 0, 0, 0);
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 6), NULL));
    CHECK(strstr(check_reason, "x: 3 values are NaN or infinite and were skipped"));
    CHECK(get(c, q, QNT_P_MIN, 0) == -2 && get(c, q, QNT_P_MAX, 0) == 1);
    CHECK(get(c, q, QNT_P_OBSERVED, 0) == 3);
    qnt_quantizer_destroy(q);

    q = create(c, QNT_MINMAX, 0, 0, 0);
    OK(qnt_quantizer_observe(c, q, TENSOR(x + 1, QNT_FLOAT, 32, 1), NULL));
    CHECK(isnan(get(c, q, QNT_P_MIN, 0)));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "no finite value");
    OK(qnt_quantizer_observe(c, q, TENSOR(NULL, QNT_FLOAT, 32, 0), NULL));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "no finite value");
    qnt_quantizer_destroy(q);
    qnt_context_destroy(c);
}

static int32_t backwards(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user;
    for (size_t i = count; i-- > 0;) run(task, i, i % 3);
    return 0;
}

/* Bytes of all sums, with other workers and portable C. */
static void workers(void)
{
    qnt_context *c = check_context(), *other = check_context();
    OK(qnt_context_set_parallel(other, backwards, NULL, 3));
    OK(qnt_context_set_cpu(other, 0));
    enum { A = 900, B = 130 };
    float *x = malloc(A * B * sizeof *x);
    for (int i = 0; i < A * B; i++) x[i] = (float)random_gauss();
    for (int k = 0; k < 10; k++) {
        qnt_quantizer *p = create(c, QNT_PERCENTILE, k / 2 % 3, k % 2, k / 2 % 3 == 2 ? 50 : 0);
        qnt_quantizer *q = create(c, QNT_PERCENTILE, k / 2 % 3, k % 2, k / 2 % 3 == 2 ? 50 : 0);
        for (int again = 0; again < 3; again++) {
            if (k >= 6) {
                if (again == 0) set(c, p, QNT_P_BINS, 64), set(c, q, QNT_P_BINS, 64);
                set(c, p, QNT_P_SAMPLES, 0), set(c, q, QNT_P_SAMPLES, 0);
            }
            OK(qnt_quantizer_observe(c, p, TENSOR(x, QNT_FLOAT, 32, A, B), NULL));
            OK(qnt_quantizer_observe(other, q, TENSOR(x, QNT_FLOAT, 32, A, B), NULL));
        }
        size_t groups = p->statistics->groups, bins = p->statistics->bins;
        CHECK(!memcmp(p->statistics->moments, q->statistics->moments,
                      groups * sizeof *p->statistics->moments));
        CHECK(!p->statistics->bin == !q->statistics->bin &&
              (k < 6 || k == 9 || p->statistics->bin));
        CHECK(!bins || !memcmp(p->statistics->bin, q->statistics->bin,
                               groups * bins * sizeof *p->statistics->bin));
        OK(qnt_quantizer_fit(c, p));
        OK(qnt_quantizer_fit(other, q));
        CHECK(!memcmp(p->scale, q->scale, groups * sizeof *p->scale));
        CHECK(!memcmp(p->error, q->error, groups * sizeof *p->error));
        qnt_quantizer_destroy(p);
        qnt_quantizer_destroy(q);
    }
    free(x);
    qnt_context_destroy(c);
    qnt_context_destroy(other);
}

/* ---- failures leave the quantizer as it was ---- */

struct trouble {
    int64_t left; /* calls that still succeed */
    size_t alive; /* blocks not freed */
};

static void *failing_alloc(void *user, size_t size, size_t align)
{
    struct trouble *t = user;
    if (t->left-- <= 0) return NULL;
    t->alive++;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void failing_free(void *user, void *block, size_t size)
{
    struct trouble *t = user;
    (void)size;
    t->alive--;
    free(block);
}

static int32_t cancel(void *user, uint64_t done, uint64_t total)
{
    struct trouble *t = user;
    CHECK(done <= total);
    return t->left-- <= 0;
}

struct snapshot {
    struct qnt__moments moments[40];
    float scale[40];
    size_t count;
    bool exact;
};

static struct snapshot snapshot_of(const qnt_quantizer *q)
{
    struct snapshot s;
    memset(&s, 0, sizeof s);
    if (q->statistics) {
        s.count = q->statistics->groups;
        s.exact = q->statistics->values != NULL;
        memcpy(s.moments, q->statistics->moments, s.count * sizeof *s.moments);
    }
    if (q->ready) memcpy(s.scale, q->scale, q->groups * sizeof *q->scale);
    return s;
}

/* The n-th allocation or progress report fails, for all n until the call succeeds. */
static void failures(void)
{
    enum { A = 40, B = 3000 };
    float *x = malloc(A * B * sizeof *x);
    for (int i = 0; i < A * B; i++) x[i] = (float)random_gauss();
    for (int mode = 0; mode < 2; mode++) {
        struct trouble t = {INT64_MAX, 0}, p = {INT64_MAX, 0};
        qnt_context *c;
        REQUIRE(qnt_context_create(failing_alloc, failing_free, &t, &c) == QNT_OK);
        OK(qnt_context_set_log(c, check_log, NULL, QNT_LOG_ERROR));
        OK(qnt_context_set_progress(c, cancel, &p));
        qnt_quantizer *q = create(c, QNT_PERCENTILE, QNT_PER_AXIS, 0, 0);
        double samples = 2.5 * A * B; /* exact twice, then histograms */
        OK(qnt_quantizer_set(c, q, QNT_P_SAMPLES, &samples, 1));
        double bins = 64;
        OK(qnt_quantizer_set(c, q, QNT_P_BINS, &bins, 1));
        int refused = 0;
        for (int batch = 0; batch < 4; batch++) {
            for (int fit = 0; fit < 2; fit++) {
                struct snapshot before = snapshot_of(q);
                for (int64_t n = 0; n < 200; n++) {
                    (mode ? &p : &t)->left = n;
                    qnt_status status = fit ? qnt_quantizer_fit(c, q)
                                            : qnt_quantizer_observe(
                                                  c, q, TENSOR(x, QNT_FLOAT, 32, A, B), NULL);
                    (mode ? &p : &t)->left = INT64_MAX;
                    if (status == QNT_OK) break;
                    refused++;
                    CHECK(status == (mode ? QNT_E_CANCELLED : QNT_E_NOMEM));
                    struct snapshot after = snapshot_of(q);
                    CHECK(!memcmp(&before, &after, sizeof before));
                }
            }
            CHECK(get(c, q, QNT_P_OBSERVED, 5) == (batch + 1) * B);
            CHECK(!q->statistics->values == (batch >= 2));
        }
        CHECK(refused > 12);
        qnt_quantizer_destroy(q);
        qnt_context_destroy(c);
        CHECK(t.alive == 0);
    }
    free(x);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void sorting(void)
{
    for (int k = 0; k < 200; k++) {
        size_t n = (size_t)random_in(1, k < 150 ? 120 : 5000);
        float *values = malloc(n * sizeof *values), *expected = malloc(n * sizeof *values);
        double *weights = malloc(n * sizeof *weights);
        for (size_t i = 0; i < n; i++) {
            values[i] = k % 3 ? (float)random_gauss() : (float)random_in(-3, 3);
            if (random_in(0, 20) == 0) values[i] = -0.0f;
            weights[i] = (double)values[i] * 3;
        }
        memcpy(expected, values, n * sizeof *values);
        qsort(expected, n, sizeof *expected, by_value);
        void *scratch = aligned_alloc(64, (qnt__sort_scratch(n, true) + 64) / 64 * 64);
        qnt__sort_f32(values, k % 2 ? weights : NULL, n, scratch);
        for (size_t i = 0; i < n; i++) {
            CHECK(values[i] == expected[i]);
            if (k % 2) CHECK(weights[i] == (double)values[i] * 3);
        }
        free(scratch);
        free(values);
        free(expected);
        free(weights);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(groups);
    RUN(importance);
    RUN(batches);
    RUN(grids);
    RUN(empty);
    RUN(other_groups);
    RUN(not_finite);
    RUN(workers);
    RUN(failures);
    RUN(sorting);
    return DONE;
}
