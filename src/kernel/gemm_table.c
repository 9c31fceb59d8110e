/*
 * qnt_gemm_table: codes of both operands are looked up piece by piece on the stack, then multiplied as the
 * integers that they stand for: bytes by gemm_s8, anything wider as 16-bit words.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "context/context.h"
#include "panels.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum {
    DEPTH = 512, /* k of one piece of bytes; words have half of that */
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    PIECE_COLUMNS = 2 * COLUMNS,
    TASK_ROWS = 40 * QNT__BLOCK_ROWS,
    BIAS_BITS = 7 /* levels of a that are bytes have 2^7 added */
};

/* Codes, and the integers that they stand for. */
struct operand {
    struct qnt__view codes;
    size_t count;        /* levels */
    int bits;            /* of them */
    int16_t levels[256];
    uint8_t bytes[256];  /* the same for gemm_s8: biased by 128 for a, two's complement for b */
};

struct product {
    const qnt_context *context;
    struct operand a, b;
    struct qnt__view c;
    size_t m, n, k;
    bool wide; /* 16 bits */
};

/* What one task holds while it works. */
struct piece {
    const struct product *product;
    size_t column, columns, first_row, end_row, first_k, depth;
    int32_t minus_sum[PIECE_COLUMNS]; /* of bytes of columns so far, 0 of words */
    union {
        uint8_t bytes[PIECE_COLUMNS * DEPTH];
        int16_t words[PIECE_COLUMNS * DEPTH / 2];
    } panels;
};

static void read_codes(const struct piece *p, const struct operand *o, size_t row, uint8_t *codes)
{
    int64_t step = o->codes.strides[1];
    int64_t at = (int64_t)row * o->codes.strides[0] + (int64_t)p->first_k * step;
    qnt__read_codes(&p->product->context->simd, &o->codes, at, step, p->depth, codes);
}

static void read_bytes(const struct piece *p, const struct operand *o, size_t row, uint8_t *levels)
{
    read_codes(p, o, row, levels);
    p->product->context->simd.look_up_8(o->bytes, o->codes.bits, levels, p->depth, levels);
}

/* An odd depth gets a level 0 at its end. */
static void read_words(const struct piece *p, const struct operand *o, size_t row, int16_t *levels)
{
    uint8_t codes[DEPTH / 2];
    read_codes(p, o, row, codes);
    p->product->context->simd.look_up_16(o->levels, o->codes.bits, codes, p->depth, levels);
    if (p->depth % 2) levels[p->depth] = 0;
}

/* acc = m rows of bytes times the columns of one block. */
static void multiply_panels(const struct piece *p, const uint8_t *const *rows, size_t m, size_t first,
                            int32_t *acc)
{
    size_t panel_bytes = qnt__panel_bytes(1, p->depth, 8);
    const ptrdiff_t tap = 0;
    const struct qnt__gemm gemm = {
        .rows = rows, .taps = &tap, .weight = p->panels.bytes + first / QNT__PANEL * panel_bytes,
        .acc = acc, .m = m, .panels = qnt__ceil_div(qnt__min(p->columns - first, COLUMNS), QNT__PANEL),
        .tap_count = 1, .depth = qnt__panel_depth(p->depth, 8), .panel_bytes = panel_bytes,
        .ld = COLUMNS, .bits = 8};
    p->product->context->simd.gemm_s8(&gemm);
}

static void pack_bytes(struct piece *p)
{
    size_t bytes = qnt__panel_bytes(1, p->depth, 8);
    int8_t levels[QNT__PANEL * DEPTH];
    for (size_t first = 0; first < p->columns; first += QNT__PANEL) {
        size_t columns = qnt__min(p->columns - first, QNT__PANEL);
        for (size_t j = 0; j < columns; j++) {
            read_bytes(p, &p->product->b, p->column + first + j, (uint8_t *)levels + j * DEPTH);
        }
        qnt__pack_panel(levels, columns, DEPTH, 1, p->depth, 8,
                        p->panels.bytes + first / QNT__PANEL * bytes);
    }
}

/* What the bias of a adds to a product: the product with a row of ones gives the sums of columns. */
static void subtract_columns(struct piece *p)
{
    uint8_t ones[DEPTH];
    const uint8_t *row = ones;
    int32_t sum[COLUMNS];
    uint32_t *minus = (uint32_t *)p->minus_sum; /* wraps */
    memset(ones, 1, sizeof ones);
    for (size_t first = 0; first < p->columns; first += COLUMNS) {
        multiply_panels(p, &row, 1, first, sum);
        for (size_t j = 0; j < COLUMNS; j++) minus[first + j] -= (uint32_t)sum[j];
    }
}

static void pack_words(struct piece *p)
{
    size_t depth = qnt__round_up(p->depth, 2);
    int16_t levels[DEPTH / 2];
    for (size_t j = 0; j < p->columns; j++) {
        int16_t *cell = p->panels.words + j / QNT__PANEL * QNT__PANEL * depth + j % QNT__PANEL * 2;
        read_words(p, &p->product->b, p->column + j, levels);
        for (size_t k = 0; k < depth; k += 2) memcpy(cell + k * QNT__PANEL, levels + k, 4);
    }
}

/* Sets or adds results wherever they are. */
static void add_scattered(uint8_t *to, int64_t step, const int32_t *acc, size_t n, bool add)
{
    for (size_t j = 0; j < n; j++) {
        uint32_t sum = 0;
        if (add) memcpy(&sum, to + 4 * (int64_t)j * step, 4);
        sum += (uint32_t)acc[j];
        memcpy(to + 4 * (int64_t)j * step, &sum, 4);
    }
}

/* Sets or adds m rows of up to COLUMNS results, modulo 2^32; the last k takes the bias of a away.
 */
static void add_rows(const struct piece *p, size_t row, size_t m, size_t first, int32_t *acc)
{
    const struct product *g = p->product;
    const struct qnt__view *c = &g->c;
    const struct qnt__simd *simd = &g->context->simd;
    const bool add = p->first_k > 0, last = p->first_k + p->depth == g->k;
    const size_t n = qnt__min(p->columns - first, COLUMNS);
    const int64_t step = c->strides[1];

    for (size_t i = 0; i < m; i++, acc += COLUMNS) {
        int64_t at = (int64_t)(row + i) * c->strides[0] + (int64_t)(p->column + first) * step;
        uint8_t *to = c->data + 4 * at;
        if (last && !g->wide) simd->add_s32(acc, p->minus_sum + first, n, BIAS_BITS);
        if (step != 1 || (uintptr_t)to % sizeof *acc)
            add_scattered(to, step, acc, n, add);
        else if (add)
            simd->add_s32((int32_t *)(void *)to, acc, n, 0);
        else
            memcpy(to, acc, n * sizeof *acc);
    }
}

static void multiply_bytes(const struct piece *p, size_t row, size_t m)
{
    uint8_t copies[QNT__BLOCK_ROWS * DEPTH];
    const uint8_t *rows[QNT__BLOCK_ROWS];
    int32_t acc[QNT__BLOCK_ROWS * COLUMNS];
    size_t depth = qnt__panel_depth(p->depth, 8);

    for (size_t i = 0; i < m; i++) {
        uint8_t *copy = copies + i * DEPTH;
        rows[i] = copy;
        read_bytes(p, &p->product->a, row + i, copy);
        memset(copy + p->depth, 0, depth - p->depth);
    }
    for (size_t first = 0; first < p->columns; first += COLUMNS) {
        multiply_panels(p, rows, m, first, acc);
        add_rows(p, row, m, first, acc);
    }
}

static void multiply_words(const struct piece *p, size_t row, size_t m)
{
    int16_t copies[QNT__BLOCK_ROWS * DEPTH / 2];
    const int16_t *rows[QNT__BLOCK_ROWS];
    int32_t acc[QNT__BLOCK_ROWS * COLUMNS];
    size_t depth = qnt__round_up(p->depth, 2);

    for (size_t i = 0; i < m; i++) {
        rows[i] = copies + i * (DEPTH / 2);
        read_words(p, &p->product->a, row + i, copies + i * (DEPTH / 2));
    }
    for (size_t first = 0; first < p->columns; first += COLUMNS) {
        const struct qnt__gemm_s16 gemm = {
            .rows = rows,
            .weight = p->panels.words + first * depth,
            .acc = acc,
            .m = m,
            .panels = qnt__ceil_div(qnt__min(p->columns - first, COLUMNS), QNT__PANEL),
            .depth = depth,
            .ld = COLUMNS};
        p->product->context->simd.gemm_s16(&gemm);
        add_rows(p, row, m, first, acc);
    }
}

static void set_zero(const struct piece *p)
{
    int32_t zeros[COLUMNS] = {0};
    for (size_t row = p->first_row; row < p->end_row; row++) {
        for (size_t first = 0; first < p->columns; first += COLUMNS)
            add_rows(p, row, 1, first, zeros);
    }
}

static void run_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct product *g = task;
    const size_t row_tasks = qnt__ceil_div(g->m, TASK_ROWS), depth = g->wide ? DEPTH / 2 : DEPTH;
    struct piece p;
    p.product = g;
    p.column = index / row_tasks * PIECE_COLUMNS;
    p.columns = qnt__min(g->n - p.column, PIECE_COLUMNS);
    p.first_row = index % row_tasks * TASK_ROWS;
    p.end_row = qnt__min(g->m, p.first_row + TASK_ROWS);
    p.first_k = p.depth = 0;
    memset(p.minus_sum, 0, sizeof p.minus_sum);
    memset(&p.panels, 0, sizeof p.panels); /* columns that are missing */
    if (g->k == 0) set_zero(&p);
    for (; p.first_k < g->k; p.first_k += depth) {
        p.depth = qnt__min(g->k - p.first_k, depth);
        (g->wide ? pack_words : pack_bytes)(&p);
        if (!g->wide) subtract_columns(&p);
        for (size_t row = p.first_row; row < p.end_row; row += QNT__BLOCK_ROWS) {
            size_t m = qnt__min(p.end_row - row, QNT__BLOCK_ROWS);
            (g->wide ? multiply_words : multiply_bytes)(&p, row, m);
        }
    }
}

/* ---- checks ---- */

/* Numbers of levels: unsigned, and all below the count where the type allows more. */
static qnt_status open_codes(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                             struct operand *o)
{
    struct qnt__view *v = &o->codes;
    QNT__TRY(qnt__view_open(context, name, tensor, QNT__CODES, v));
    if (v->code != QNT_UINT) {
        return qnt__fail(context, QNT_E_DTYPE, "%s: signed type, expected unsigned numbers of levels",
                         name);
    }
    if (v->ndim == 2) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, expected 2", name, v->ndim);
}

static qnt_status open_levels(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                              struct operand *o, struct qnt__view *v)
{
    QNT__TRY(qnt__view_open(context, name, tensor, QNT__CODES | QNT__CODES16, v));
    if (v->code != QNT_INT || v->bits < 8) {
        return qnt__fail(context, QNT_E_DTYPE, "%s: %d bits%s, expected int8 or int16", name, v->bits,
                         v->code == QNT_INT ? "" : " unsigned");
    }
    size_t most = (size_t)1 << o->codes.bits;
    if (v->ndim != 1 || v->count == 0 || v->count > most) {
        return qnt__fail(context, QNT_E_SHAPE, "%s: %d axes of %zu levels, expected 1 of 1 to %zu", name,
                         v->ndim, v->count, most);
    }
    o->count = v->count;
    o->bits = v->bits;
    for (size_t i = 0; i < v->count; i++) {
        const uint8_t *from = v->data + (int64_t)i * v->strides[0] * (v->bits / 8);
        if (v->bits == 16) memcpy(&o->levels[i], from, 2);
        else o->levels[i] = (int8_t)*from;
        o->bytes[i] = (uint8_t)o->levels[i];
    }
    return QNT_OK;
}

static qnt_status check_codes(const qnt_context *context, const char *name, const struct operand *o)
{
    const struct qnt__view *v = &o->codes;
    if (o->count == (size_t)1 << v->bits) return QNT_OK;
    for (size_t row = 0; v->count > 0 && row < (size_t)v->shape[0]; row++) {
        for (size_t k = 0; k < (size_t)v->shape[1]; k += DEPTH) {
            uint8_t codes[DEPTH];
            size_t n = qnt__min((size_t)v->shape[1] - k, DEPTH);
            qnt__read_codes(&context->simd, v, (int64_t)row * v->strides[0] + (int64_t)k * v->strides[1],
                            v->strides[1], n, codes);
            for (size_t i = 0; i < n; i++) {
                if (codes[i] < o->count) continue;
                return qnt__fail(context, QNT_E_INVALID, "%s: element %zu, %zu is %d, expected below %zu",
                                 name, row, k + i, codes[i], o->count);
            }
        }
    }
    return QNT_OK;
}

static qnt_status open_c(struct product *g, qnt_tensor *c, const struct qnt__view *a_table,
                         const struct qnt__view *b_table)
{
    const qnt_context *context = g->context;
    QNT__TRY(qnt__view_open_output(context, "c", c, QNT__INT32, &g->c));
    if (g->c.ndim != 2 || (size_t)g->c.shape[0] != g->m || (size_t)g->c.shape[1] != g->n) {
        return qnt__fail(context, QNT_E_SHAPE, "c: %d axes of %zu elements, expected %zu x %zu", g->c.ndim,
                         g->c.count, g->m, g->n);
    }
    if (qnt__view_overlaps(&g->c, &g->a.codes) || qnt__view_overlaps(&g->c, &g->b.codes) ||
        qnt__view_overlaps(&g->c, a_table) || qnt__view_overlaps(&g->c, b_table)) {
        return qnt__fail(context, QNT_E_INVALID, "c overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

qnt_status qnt_gemm_table(const qnt_context *context, const qnt_tensor *a, const qnt_tensor *a_table,
                          const qnt_tensor *b, const qnt_tensor *b_table, qnt_tensor *c)
{
    if (!context) return QNT_E_INVALID;
    struct product g = {.context = context};
    struct qnt__view a_levels, b_levels;
    QNT__TRY(open_codes(context, "a", a, &g.a));
    QNT__TRY(open_levels(context, "a_table", a_table, &g.a, &a_levels));
    QNT__TRY(open_codes(context, "b", b, &g.b));
    QNT__TRY(open_levels(context, "b_table", b_table, &g.b, &b_levels));
    g.m = (size_t)g.a.codes.shape[0];
    g.k = (size_t)g.a.codes.shape[1];
    g.n = (size_t)g.b.codes.shape[0];
    if ((size_t)g.b.codes.shape[1] != g.k) {
        return qnt__fail(context, QNT_E_SHAPE, "b: extent 1 is %lld, expected %zu as in a",
                         (long long)g.b.codes.shape[1], g.k);
    }
    QNT__TRY(open_c(&g, c, &a_levels, &b_levels));
    QNT__TRY(check_codes(context, "a", &g.a));
    QNT__TRY(check_codes(context, "b", &g.b));
    if (g.c.count == 0) return QNT_OK;

    g.wide = g.a.bits == 16 || g.b.bits == 16;
    for (size_t i = 0; i < g.a.count; i++) g.a.bytes[i] ^= 0x80;
    size_t tasks = qnt__ceil_div(g.n, PIECE_COLUMNS) * qnt__ceil_div(g.m, TASK_ROWS);
    return qnt__parallel(context, run_piece, &g, tasks);
}
