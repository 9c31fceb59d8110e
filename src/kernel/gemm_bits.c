/*
 * qnt_gemm_bits: products of bit planes by counting the bits in which they differ.
 *
 * With D such bits of K, two planes of signs have the product K - 2 D. A plane of bits, 0 or 1, is
 * half a plane of signs and half of ones; so its product with a plane of signs that has P ones is P
 * - D. Planes of a number are weighted by powers of two while they are counted: sum_j 2^j (P - D_j)
 * = (2^bits - 1) P - D.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "bits.h"
#include "qnt/kernel.h"
#include "simd/layout.h"

enum {
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    TASK_ROWS = 4 * QNT__BLOCK_ROWS,
    PLANES = 8,
    LARGEST_K = 1 << 23 /* 2^23 * 255 < 2^31 */
};

struct product {
    const qnt_context *context;
    struct qnt__view a, b, c, b_coef;
    float a_coef[PLANES];
    bool signs; /* planes of a are signs, with a_coef; else a is numbers */
    bool has_b_coef;
    size_t m, n, k, words, a_planes, b_planes;
    uint64_t *rows; /* a: [m][a_planes][words] */
};

/* Up to 12 rows and 64 columns. The epilogue of integer products does the rest: with a zero point
 * of 1 and sums M it forms D - M, whose negative is the product, so coefficients are negated too.
 */
struct block {
    const struct product *g;
    size_t row, m, column, n;
    int32_t count[QNT__BLOCK_ROWS * COLUMNS]; /* D */
    int32_t most[COLUMNS];                    /* M: (2^bits - 1) P, or K of signs */
    float coef[COLUMNS];                      /* of a pair of planes, negated */
    uint32_t tile[QNT__BLOCK_ROWS * COLUMNS]; /* results that c does not hold in rows */
};

/* Words from a plane of b to the same one of the next panel. */
static size_t panel_words(const struct product *g)
{
    return g->b_planes * (g->words + 1) * QNT__PANEL;
}

/* Plane i of b, of the block's first panel. */
static const uint64_t *plane_of(const struct block *b, size_t i)
{
    const struct product *g = b->g;
    const uint64_t *all = (const void *)g->b.data;
    return all + b->column / QNT__PANEL * panel_words(g) + i * (g->words + 1) * QNT__PANEL;
}

/* Counts against `planes` planes of a from plane j. */
static void count(struct block *b, size_t i, size_t j, size_t planes)
{
    const struct product *g = b->g;
    const struct qnt__gemm_bits bits = {.a = g->rows + (b->row * g->a_planes + j) * g->words,
                                        .a_row = g->a_planes * g->words,
                                        .a_plane = g->words,
                                        .b = plane_of(b, i),
                                        .b_panel = panel_words(g),
                                        .acc = b->count,
                                        .m = b->m,
                                        .panels = qnt__ceil_div(b->n, QNT__PANEL),
                                        .planes = planes,
                                        .words = g->words,
                                        .shift = g->signs ? 1 : 0,
                                        .ld = COLUMNS};
    g->context->simd.gemm_bits(&bits);
}

static void load_most(struct block *b, size_t i)
{
    const struct product *g = b->g;
    const int32_t all = (1 << g->a_planes) - 1;
    const uint64_t *set = plane_of(b, i) + g->words * QNT__PANEL;
    for (size_t c = 0; c < b->n; c++) {
        int32_t ones = (int32_t)set[c / QNT__PANEL * panel_words(g) + c % QNT__PANEL];
        b->most[c] = g->signs ? (int32_t)g->k : all * ones;
    }
}

static void load_coef(struct block *b, size_t i, size_t j)
{
    const struct product *g = b->g;
    const struct qnt__view *v = &g->b_coef;
    for (size_t c = 0; c < b->n; c++) {
        float coef = 1.0f;
        int64_t at = (int64_t)(b->column + c) * v->strides[0] + (int64_t)i * v->strides[1];
        if (g->has_b_coef) memcpy(&coef, v->data + 4 * at, sizeof coef);
        b->coef[c] = -(g->signs ? g->a_coef[j] * coef : coef);
    }
}

/* Where the results of the block go, and how far their rows are apart. */
static void *results_of(struct block *b, size_t *ld)
{
    const struct qnt__view *c = &b->g->c;
    bool rows = c->strides[1] == 1 && c->strides[0] >= 0;
    *ld = rows ? (size_t)c->strides[0] : COLUMNS;
    if (!rows) return b->tile;
    return c->data + 4 * ((int64_t)b->row * c->strides[0] + (int64_t)b->column);
}

/* The product of a pair of planes times its coefficient, added to those before it. */
static void finish(struct block *b, bool first)
{
    static const int32_t one[QNT__BLOCK_ROWS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct qnt__finish f = {.acc = b->count,
                            .a_zero = one,
                            .w_sum = b->most,
                            .multiplier = b->coef,
                            .m = b->m,
                            .n = b->n,
                            .ld = COLUMNS,
                            .low = -INFINITY,
                            .high = INFINITY,
                            .accumulate = !first};
    f.y = results_of(b, &f.y_ld);
    b->g->context->simd.finish_s32(&f);
}

static void finish_integers(struct block *b)
{
    size_t ld;
    uint8_t *to = results_of(b, &ld);
    for (size_t r = 0; r < b->m; r++) {
        int32_t *at = b->count + r * COLUMNS;
        for (size_t c = 0; c < b->n; c++) at[c] = b->most[c] - at[c];
        memcpy(to + 4 * r * ld, at, 4 * b->n);
    }
}

/* Results from the tile to wherever c has them. */
static void scatter(const struct block *b)
{
    const struct qnt__view *c = &b->g->c;
    for (size_t r = 0; r < b->m; r++) {
        int64_t at = (int64_t)(b->row + r) * c->strides[0] + (int64_t)b->column * c->strides[1];
        for (size_t j = 0; j < b->n; j++, at += c->strides[1]) {
            memcpy(c->data + 4 * at, &b->tile[r * COLUMNS + j], 4);
        }
    }
}

static void run_block(struct block *b)
{
    const struct product *g = b->g;
    size_t ld, pairs = g->signs ? g->a_planes : 1; /* of a plane of b */
    for (size_t i = 0; i < g->b_planes; i++) {
        load_most(b, i);
        for (size_t j = 0; j < pairs; j++) {
            count(b, i, j, g->signs ? 1 : g->a_planes);
            load_coef(b, i, j);
            if (g->c.code == QNT_INT)
                finish_integers(b);
            else
                finish(b, i == 0 && j == 0);
        }
    }
    if (results_of(b, &ld) == b->tile) scatter(b);
}

static void run_task(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct product *g = task;
    size_t row_tasks = qnt__ceil_div(g->m, TASK_ROWS), first = index % row_tasks * TASK_ROWS;
    size_t end = qnt__min(g->m, first + TASK_ROWS);
    struct block b;
    b.g = g;
    b.column = index / row_tasks * COLUMNS;
    b.n = qnt__min(g->n - b.column, COLUMNS);
    for (b.row = first; b.row < end; b.row += b.m) {
        b.m = qnt__min(end - b.row, QNT__BLOCK_ROWS);
        run_block(&b);
    }
}

static void slice_rows(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct product *g = task;
    for (size_t row = index * QNT__BLOCK_ROWS; row < qnt__min(g->m, (index + 1) * QNT__BLOCK_ROWS);
         row++) {
        qnt__bits_slice(g->context, &g->a, row, g->words, g->words, 1,
                        g->rows + row * g->a_planes * g->words);
    }
}

/* ---- checks ---- */

static qnt_status open_planes(struct product *g, const qnt_tensor *b)
{
    const struct qnt__view *v = &g->b;
    QNT__TRY(qnt__view_open(g->context, "b", b, QNT__CODES, &g->b));
    bool bytes = v->code == QNT_UINT && v->bits == 8 && v->ndim == 4 && qnt__view_is_compact(v);
    if (!bytes || v->shape[1] < 1 || v->shape[1] > PLANES || v->shape[2] != (int64_t)g->words + 1 ||
        v->shape[3] != 8 * QNT__PANEL || (uintptr_t)v->data % sizeof(uint64_t) != 0) {
        return qnt__fail(
            g->context, QNT_E_SHAPE,
            "b: expected planes of qnt_pack_bits, compact bytes [panels, 1 to %d, %zu, %d] "
            "aligned to 8 for K = %zu",
            PLANES, g->words + 1, 8 * QNT__PANEL, g->k);
    }
    g->b_planes = (size_t)v->shape[1];
    return QNT_OK;
}

static qnt_status open_coefs(struct product *g, const qnt_tensor *a_coef, const qnt_tensor *b_coef)
{
    struct qnt__view v;
    g->signs = a_coef;
    g->has_b_coef = b_coef;
    if (a_coef) {
        QNT__TRY(qnt__view_open(g->context, "a_coef", a_coef, QNT__FLOAT32, &v));
        if (v.ndim != 1 || v.count != g->a_planes) {
            return qnt__fail(g->context, QNT_E_SHAPE,
                             "a_coef: %d axes of %zu elements, expected 1 of %zu", v.ndim, v.count,
                             g->a_planes);
        }
        qnt__read_f32(&g->context->simd, &v, 0, v.strides[0], v.count, g->a_coef);
    }
    if (!b_coef && g->b_planes == 1) return QNT_OK;
    if (!b_coef) {
        return qnt__fail(g->context, QNT_E_INVALID,
                         "b_coef is NULL, expected coefficients of %zu planes", g->b_planes);
    }
    QNT__TRY(qnt__view_open(g->context, "b_coef", b_coef, QNT__FLOAT32, &g->b_coef));
    if (g->b_coef.ndim == 2 && (size_t)g->b_coef.shape[0] == g->n &&
        (size_t)g->b_coef.shape[1] == g->b_planes) {
        return QNT_OK;
    }
    return qnt__fail(g->context, QNT_E_SHAPE, "b_coef: %d axes of %zu elements, expected %zu x %zu",
                     g->b_coef.ndim, g->b_coef.count, g->n, g->b_planes);
}

static qnt_status open_result(struct product *g, qnt_tensor *c)
{
    QNT__TRY(qnt__view_open_output(g->context, "c", c, QNT__INT32 | QNT__FLOAT32, &g->c));
    if (g->c.ndim != 2 || (size_t)g->c.shape[0] != g->m) {
        return qnt__fail(g->context, QNT_E_SHAPE,
                         "c: %d axes of %zu elements, expected 2 with %zu rows", g->c.ndim,
                         g->c.count, g->m);
    }
    g->n = (size_t)g->c.shape[1];
    if (qnt__ceil_div(g->n, QNT__PANEL) != (size_t)g->b.shape[0]) {
        return qnt__fail(g->context, QNT_E_SHAPE, "c has %zu columns, but b %lld panels of 16",
                         g->n, (long long)g->b.shape[0]);
    }
    return QNT_OK;
}

static qnt_status check_result(const struct product *g)
{
    bool whole = !g->signs && !g->has_b_coef;
    if (g->c.code == QNT_INT && !whole) {
        return qnt__fail(g->context, QNT_E_DTYPE,
                         "c: int32, expected float32 where there are coefficients");
    }
    if (qnt__view_overlaps(&g->c, &g->a) || qnt__view_overlaps(&g->c, &g->b) ||
        (g->has_b_coef && qnt__view_overlaps(&g->c, &g->b_coef))) {
        return qnt__fail(g->context, QNT_E_INVALID,
                         "c overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

static qnt_status run(struct product *g)
{
    size_t bytes;
    void *rows;
    if (!qnt__mul(g->m, g->a_planes * g->words, &bytes) ||
        !qnt__mul(bytes, sizeof(uint64_t), &bytes)) {
        return qnt__fail(g->context, QNT_E_NOMEM, "planes of %zu rows overflow memory", g->m);
    }
    QNT__TRY(qnt__allocate(g->context, &g->context->memory, bytes, &rows));
    g->rows = rows;
    qnt_status status =
        qnt__parallel(g->context, slice_rows, g, qnt__ceil_div(g->m, QNT__BLOCK_ROWS));
    size_t tasks = qnt__ceil_div(g->m, TASK_ROWS) * qnt__ceil_div(g->n, COLUMNS);
    if (status == QNT_OK) status = qnt__parallel(g->context, run_task, g, tasks);
    qnt__free(&g->context->memory, rows, bytes);
    return status;
}

qnt_status qnt_gemm_bits(const qnt_context *context, const qnt_tensor *a, const qnt_tensor *a_coef,
                         const qnt_tensor *b, const qnt_tensor *b_coef, qnt_tensor *c)
{
    if (!context) return QNT_E_INVALID;
    struct product g = {.context = context};
    QNT__TRY(qnt__bits_open(context, "a", a, &g.a));
    g.m = (size_t)g.a.shape[0];
    g.k = (size_t)g.a.shape[1];
    g.a_planes = g.a.bits;
    if (g.k > LARGEST_K) {
        return qnt__fail(context, QNT_E_SHAPE, "a: extent 1 is %zu, expected at most %d", g.k,
                         LARGEST_K);
    }
    g.words = qnt__bits_words(g.k);
    QNT__TRY(open_planes(&g, b));
    QNT__TRY(open_result(&g, c));
    QNT__TRY(open_coefs(&g, a_coef, b_coef));
    QNT__TRY(check_result(&g));
    return g.c.count == 0 ? QNT_OK : run(&g);
}
