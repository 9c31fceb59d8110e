/*
 * qnt_gemm_s8: a matrix product that keeps nothing. k is taken in chunks that fit on the stack: 64
 * rows of b are packed, rows of a are used where they are or copied, and c itself accumulates.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "context/context.h"
#include "panels.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum {
    DEPTH = 512, /* k of one chunk, whole cells */
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    ROWS = 36, /* of one call of a kernel */
    TASK_ROWS = 14 * ROWS
};

struct product {
    const qnt_context *context;
    struct qnt__view a, b, c;
    struct qnt__view b_zero; /* count 0: all 0 */
    size_t m, n, k;
    uint8_t zero;  /* of unsigned bytes of a */
    uint8_t flip;  /* 0x80: turns int8 into them */
    int32_t shift; /* taken off unsigned b */
};

/* What one task holds while it works. */
struct piece {
    const struct product *product;
    size_t column, columns;
    size_t first_row, end_row;
    size_t first_k, depth;
    uint8_t panels[COLUMNS * DEPTH];
    int32_t b_zero[COLUMNS], w_sum[COLUMNS]; /* of shifted codes */
};

static int32_t read_zero(const struct product *g, size_t n)
{
    if (g->b_zero.count == 0) return 0;
    int64_t at = g->b_zero.count == 1 ? 0 : (int64_t)n * g->b_zero.strides[0];
    int32_t zero;
    memcpy(&zero, g->b_zero.data + at * 4, sizeof zero);
    return zero;
}

static void pack_weights(struct piece *p)
{
    const struct product *g = p->product;
    size_t bytes = qnt__panel_bytes(1, p->depth, 8);
    int8_t codes[QNT__PANEL * DEPTH];
    for (size_t first = 0; first < p->columns; first += QNT__PANEL) {
        size_t columns = qnt__min(p->columns - first, QNT__PANEL);
        for (size_t j = 0; j < columns; j++) {
            int8_t *row = codes + j * DEPTH;
            int64_t at = (int64_t)(p->column + first + j) * g->b.strides[0] +
                         (int64_t)p->first_k * g->b.strides[1];
            qnt__read_codes(&g->context->simd, &g->b, at, g->b.strides[1], p->depth,
                            (uint8_t *)row);
            int32_t sum = 0;
            for (size_t k = 0; k < p->depth; k++) sum += row[k] = (int8_t)(row[k] - g->shift);
            p->w_sum[first + j] = sum;
        }
        qnt__pack_panel(codes, columns, DEPTH, 1, p->depth, 8,
                        p->panels + first / QNT__PANEL * bytes);
    }
}

/* n bytes with their top bits flipped, eight at a time. */
static void flip_bytes(uint8_t *bytes, size_t n, uint8_t flip)
{
    uint64_t word, flips = flip * 0x0101010101010101u;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, bytes + i, 8);
        word ^= flips;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < n; i++) bytes[i] ^= flip;
}

/* The chunk of a row of a as unsigned bytes up to whole cells: in place if it is that already. */
static const uint8_t *read_row(const struct piece *p, size_t row, size_t padded, uint8_t *out)
{
    const struct product *g = p->product;
    int64_t at = (int64_t)row * g->a.strides[0] + (int64_t)p->first_k * g->a.strides[1];
    if (g->flip == 0 && g->a.strides[1] == 1 && padded == p->depth) return g->a.data + at;
    qnt__read_codes(&g->context->simd, &g->a, at, g->a.strides[1], p->depth, out);
    if (g->flip) flip_bytes(out, p->depth, g->flip);
    memset(out + p->depth, 0, padded - p->depth);
    return out;
}

/* Where sums of some rows will be stored. */
static struct qnt__results results_of(const struct piece *p, size_t row)
{
    const struct qnt__view *c = &p->product->c;
    if (c->strides[1] != 1) return (struct qnt__results){0};
    return (struct qnt__results){.at = c->data +
                                       4 * ((int64_t)row * c->strides[0] + (int64_t)p->column),
                                 .pitch = 4 * (size_t)c->strides[0],
                                 .bytes = 4 * p->columns};
}

/* c += or = acc - a_zero w_sum - b_zero (a_sum - depth a_zero), modulo 2^32. */
static void add_row(const struct piece *p, size_t row, const int32_t *acc, int32_t a_sum)
{
    const struct product *g = p->product;
    int64_t step = g->c.strides[1];
    uint8_t *to = g->c.data + 4 * ((int64_t)row * g->c.strides[0] + (int64_t)p->column * step);
    uint32_t surplus = (uint32_t)a_sum - g->zero * (uint32_t)p->depth;
    for (size_t j = 0; j < p->columns; j++, to += 4 * step) {
        uint32_t old, v = (uint32_t)acc[j] - g->zero * (uint32_t)p->w_sum[j] -
                          (uint32_t)p->b_zero[j] * surplus;
        if (p->first_k > 0) {
            memcpy(&old, to, sizeof old);
            v += old;
        }
        memcpy(to, &v, sizeof v);
    }
}

static void multiply_rows(const struct piece *p, size_t row, size_t m)
{
    const struct qnt__simd *simd = &p->product->context->simd;
    uint8_t copies[ROWS * DEPTH];
    const uint8_t *rows[ROWS];
    int32_t acc[ROWS * COLUMNS], sums[ROWS] = {0};
    const ptrdiff_t tap = 0;
    size_t depth = qnt__panel_depth(p->depth, 8);

    for (size_t i = 0; i < m; i++) rows[i] = read_row(p, row + i, depth, copies + i * DEPTH);
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = p->panels,
                                   .acc = acc,
                                   .m = m,
                                   .panels = qnt__ceil_div(p->columns, QNT__PANEL),
                                   .tap_count = 1,
                                   .depth = depth,
                                   .panel_bytes = qnt__panel_bytes(1, p->depth, 8),
                                   .ld = COLUMNS,
                                   .bits = 8,
                                   .results = results_of(p, row)};
    simd->gemm_s8(&gemm);
    if (p->product->b_zero.count > 0 || p->product->shift) {
        simd->sum_rows(rows, m, &tap, 1, p->depth, sums);
    }
    for (size_t i = 0; i < m; i++) add_row(p, row + i, acc + i * COLUMNS, sums[i]);
}

static void set_zero(const struct piece *p)
{
    static const int32_t zeros[COLUMNS];
    for (size_t row = p->first_row; row < p->end_row; row++) add_row(p, row, zeros, 0);
}

static void run_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct product *g = task;
    size_t row_tasks = qnt__ceil_div(g->m, TASK_ROWS),
           most = qnt__min(g->context->simd.gemm_rows, ROWS);
    struct piece p;
    p.product = g;
    p.column = index / row_tasks * COLUMNS;
    p.columns = qnt__min(g->n - p.column, COLUMNS);
    p.first_row = index % row_tasks * TASK_ROWS;
    p.end_row = qnt__min(g->m, p.first_row + TASK_ROWS);
    p.first_k = p.depth = 0;
    for (size_t j = 0; j < p.columns; j++) {
        p.b_zero[j] = read_zero(g, p.column + j) - g->shift;
        p.w_sum[j] = 0;
    }
    if (g->k == 0) set_zero(&p);
    for (; p.first_k < g->k; p.first_k += DEPTH) {
        p.depth = qnt__min(g->k - p.first_k, DEPTH);
        pack_weights(&p);
        for (size_t row = p.first_row; row < p.end_row; row += most) {
            multiply_rows(&p, row, qnt__min(p.end_row - row, most));
        }
    }
}

/* ---- checks ---- */

static qnt_status check_ndim(const qnt_context *context, const char *name,
                             const struct qnt__view *v, int ndim)
{
    if (v->ndim == ndim) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, expected %d", name, v->ndim, ndim);
}

static qnt_status open_a(struct product *g, const qnt_tensor *a, int32_t a_zero)
{
    QNT__TRY(qnt__view_open(g->context, "a", a, QNT__CODES, &g->a));
    if (g->a.bits != 8) {
        return qnt__fail(g->context, QNT_E_DTYPE, "a: %d bits, expected int8 or uint8", g->a.bits);
    }
    QNT__TRY(check_ndim(g->context, "a", &g->a, 2));
    int32_t low = g->a.code == QNT_INT ? -128 : 0;
    if (a_zero < low || a_zero > low + 255) {
        return qnt__fail(g->context, QNT_E_INVALID, "a_zero is %d, expected %d to %d", (int)a_zero,
                         (int)low, (int)low + 255);
    }
    g->m = (size_t)g->a.shape[0];
    g->k = (size_t)g->a.shape[1];
    g->zero = (uint8_t)(a_zero - low);
    g->flip = low ? 0x80 : 0;
    return QNT_OK;
}

static qnt_status open_b(struct product *g, const qnt_tensor *b)
{
    QNT__TRY(qnt__view_open(g->context, "b", b, QNT__CODES, &g->b));
    QNT__TRY(check_ndim(g->context, "b", &g->b, 2));
    if ((size_t)g->b.shape[1] != g->k) {
        return qnt__fail(g->context, QNT_E_SHAPE, "b: extent 1 is %lld, expected %zu as in a",
                         (long long)g->b.shape[1], g->k);
    }
    g->n = (size_t)g->b.shape[0];
    g->shift = g->b.code == QNT_UINT ? 1 << (g->b.bits - 1) : 0;
    return QNT_OK;
}

static qnt_status open_b_zero(struct product *g, const qnt_tensor *b_zero)
{
    if (!b_zero) return QNT_OK;
    QNT__TRY(qnt__view_open(g->context, "b_zero", b_zero, QNT__INT32, &g->b_zero));
    QNT__TRY(check_ndim(g->context, "b_zero", &g->b_zero, 1));
    if (g->b_zero.count != g->n && g->b_zero.count != 1) {
        return qnt__fail(g->context, QNT_E_SHAPE, "b_zero: extent 0 is %zu, expected %zu or 1",
                         g->b_zero.count, g->n);
    }
    int32_t low = g->b.code == QNT_UINT ? 0 : -(1 << (g->b.bits - 1));
    int32_t high = low + (1 << g->b.bits) - 1;
    for (size_t n = 0; n < g->b_zero.count; n++) {
        int32_t zero = read_zero(g, n);
        if (zero >= low && zero <= high) continue;
        return qnt__fail(g->context, QNT_E_INVALID, "b_zero: element %zu is %d, expected %d to %d",
                         n, (int)zero, (int)low, (int)high);
    }
    return QNT_OK;
}

static qnt_status open_c(struct product *g, qnt_tensor *c)
{
    QNT__TRY(qnt__view_open_output(g->context, "c", c, QNT__INT32, &g->c));
    QNT__TRY(check_ndim(g->context, "c", &g->c, 2));
    if ((size_t)g->c.shape[0] != g->m || (size_t)g->c.shape[1] != g->n) {
        return qnt__fail(g->context, QNT_E_SHAPE, "c: shape is %lld x %lld, expected %zu x %zu",
                         (long long)g->c.shape[0], (long long)g->c.shape[1], g->m, g->n);
    }
    if (qnt__view_overlaps(&g->c, &g->a) || qnt__view_overlaps(&g->c, &g->b) ||
        qnt__view_overlaps(&g->c, &g->b_zero)) {
        return qnt__fail(g->context, QNT_E_INVALID,
                         "c overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

qnt_status qnt_gemm_s8(const qnt_context *context, const qnt_tensor *a, int32_t a_zero,
                       const qnt_tensor *b, const qnt_tensor *b_zero, qnt_tensor *c)
{
    if (!context) return QNT_E_INVALID;
    struct product g = {.context = context};
    QNT__TRY(open_a(&g, a, a_zero));
    QNT__TRY(open_b(&g, b));
    QNT__TRY(open_b_zero(&g, b_zero));
    QNT__TRY(open_c(&g, c));
    if (g.c.count == 0) return QNT_OK;

    size_t tasks = qnt__ceil_div(g.n, COLUMNS) * qnt__ceil_div(g.m, TASK_ROWS);
    return qnt__parallel(context, run_piece, &g, tasks);
}
