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
    ROW_BYTES = 512, /* of a row of one piece, whose k are bytes or words */
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    PIECE_COLUMNS = 2 * COLUMNS,
    ROWS = 2 * QNT__BLOCK_ROWS, /* of a that are looked up at a time */
    TASK_ROWS = 20 * ROWS,
    BIAS_BITS = 7, /* levels of a that are bytes have 2^7 added */
    LINE = 64
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

/* What one task holds while it works. Kernels load whole lines of panels, so these do not straddle
 * two. */
struct piece {
    const struct product *product;
    size_t column, columns, first_row, end_row, first_k, depth;
    size_t quads;                     /* of four bytes in a row of this piece */
    int32_t minus_sum[PIECE_COLUMNS]; /* of bytes of columns so far, 0 of words */
    _Alignas(LINE) int16_t panels[PIECE_COLUMNS * ROW_BYTES / 2];
};

/* Up to ROWS rows of levels, [rows][quads] without gaps; k that fill the last quad have the code 0. */
static void read_rows(const struct piece *p, const struct operand *o, size_t first, size_t rows,
                      int16_t *levels)
{
    const struct product *g = p->product;
    const struct qnt__simd *simd = &g->context->simd;
    const int64_t step = o->codes.strides[1];
    const size_t padded = (g->wide ? 2 : 4) * p->quads;
    uint8_t words[ROWS * ROW_BYTES / 2], *codes = g->wide ? words : (uint8_t *)levels;
    for (size_t i = 0; i < rows; i++) {
        int64_t at = (int64_t)(first + i) * o->codes.strides[0] + (int64_t)p->first_k * step;
        qnt__read_codes(simd, &o->codes, at, step, p->depth, codes + i * padded);
        memset(codes + i * padded + p->depth, 0, padded - p->depth);
    }
    if (g->wide)
        simd->look_up_16(o->levels, o->codes.bits, codes, rows * padded, levels);
    else
        simd->look_up_8(o->bytes, o->codes.bits, codes, rows * padded, codes);
}

/* k that fill the last quad are 0, so that it does not matter what they are in a. */
static void pack_panels(struct piece *p)
{
    const size_t row_bytes = 4 * p->quads, used = (p->product->wide ? 2 : 1) * p->depth;
    int16_t levels[QNT__PANEL * ROW_BYTES / 2];
    uint8_t *panel = (uint8_t *)p->panels;
    for (size_t first = 0; first < p->columns; first += QNT__PANEL, panel += 64 * p->quads) {
        size_t columns = qnt__min(p->columns - first, QNT__PANEL);
        read_rows(p, &p->product->b, p->column + first, columns, levels);
        for (size_t j = 0; j < columns; j++) {
            memset((uint8_t *)levels + j * row_bytes + used, 0, row_bytes - used);
        }
        p->product->context->simd.interleave_rows(levels, columns, row_bytes, p->quads, panel);
    }
}

static size_t panels_from(const struct piece *p, size_t first)
{
    return qnt__ceil_div(qnt__min(p->columns - first, COLUMNS), QNT__PANEL);
}

/* acc[m][ld] = m rows of bytes times the columns of one block. */
static void multiply_bytes(const struct piece *p, const uint8_t *rows, size_t m, size_t first,
                           int32_t *acc, size_t ld)
{
    const uint8_t *row[QNT__GEMM_ROWS];
    const size_t panel_bytes = 64 * p->quads;
    const ptrdiff_t tap = 0;
    const struct qnt__gemm gemm = {.rows = row,
                                   .taps = &tap,
                                   .weight = (const uint8_t *)p->panels +
                                             first / QNT__PANEL * panel_bytes,
                                   .acc = acc,
                                   .m = m,
                                   .panels = panels_from(p, first),
                                   .tap_count = 1,
                                   .depth = 4 * p->quads,
                                   .panel_bytes = panel_bytes,
                                   .ld = ld,
                                   .bits = 8};
    for (size_t i = 0; i < m; i++) row[i] = rows + i * 4 * p->quads;
    p->product->context->simd.gemm_s8(&gemm);
}

static void multiply_words(const struct piece *p, const int16_t *rows, size_t m, size_t first,
                           int32_t *acc, size_t ld)
{
    const int16_t *row[QNT__BLOCK_ROWS];
    const struct qnt__gemm_s16 gemm = {.rows = row,
                                       .weight = p->panels + first * 2 * p->quads,
                                       .acc = acc,
                                       .m = m,
                                       .panels = panels_from(p, first),
                                       .depth = 2 * p->quads,
                                       .panel_words = QNT__PANEL * 2 * p->quads,
                                       .ld = ld};
    for (size_t i = 0; i < m; i++) row[i] = rows + i * 2 * p->quads;
    p->product->context->simd.gemm_s16(&gemm);
}

/* What the bias of a adds to a product: the product with a row of ones gives the sums of columns. */
static void subtract_columns(struct piece *p)
{
    uint8_t ones[ROW_BYTES];
    int32_t sum[COLUMNS];
    uint32_t *minus = (uint32_t *)p->minus_sum; /* wraps */
    memset(ones, 1, sizeof ones);
    for (size_t first = 0; first < p->columns; first += COLUMNS) {
        multiply_bytes(p, ones, 1, first, sum, COLUMNS);
        for (size_t j = 0; j < QNT__PANEL * panels_from(p, first); j++) {
            minus[first + j] -= (uint32_t)sum[j];
        }
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

static uint8_t *result_at(const struct piece *p, size_t row, size_t first)
{
    const struct qnt__view *c = &p->product->c;
    return c->data +
           4 * ((int64_t)row * c->strides[0] + (int64_t)(p->column + first) * c->strides[1]);
}

/* Do the elements of a row of results follow each other, as numbers that can be read and written? */
static bool is_plain(const struct piece *p)
{
    const struct qnt__view *c = &p->product->c;
    return c->strides[1] == 1 && (uintptr_t)c->data % sizeof(int32_t) == 0;
}

static bool is_last(const struct piece *p)
{
    return p->first_k + p->depth == p->product->k;
}

/* Sets or adds m rows of up to COLUMNS results, modulo 2^32; the last k takes the bias of a away.
 */
static void add_rows(const struct piece *p, size_t row, size_t m, size_t first, int32_t *acc)
{
    const struct product *g = p->product;
    const struct qnt__simd *simd = &g->context->simd;
    const bool add = p->first_k > 0, plain = is_plain(p);
    const size_t n = qnt__min(p->columns - first, COLUMNS);

    for (size_t i = 0; i < m; i++, acc += COLUMNS) {
        uint8_t *to = result_at(p, row + i, first);
        if (is_last(p) && !g->wide) simd->add_s32(acc, p->minus_sum + first, n, BIAS_BITS);
        if (!plain)
            add_scattered(to, g->c.strides[1], acc, n, add);
        else if (add)
            simd->add_s32((int32_t *)(void *)to, acc, n, 0);
        else
            memcpy(to, acc, n * sizeof *acc);
    }
}

/* Can a product be written where its results belong, in whole panels of columns? */
static bool is_final(const struct piece *p, size_t first)
{
    return p->first_k == 0 && (p->product->wide || !is_last(p)) && is_plain(p) &&
           p->product->c.strides[0] >= COLUMNS && (first + COLUMNS <= p->columns);
}

/* Up to ROWS rows. */
static void multiply_rows(const struct piece *p, size_t row, size_t rows)
{
    const struct product *g = p->product;
    const size_t most = g->wide ? QNT__BLOCK_ROWS : qnt__min(g->context->simd.gemm_rows, ROWS);
    int16_t levels[ROWS * ROW_BYTES / 2];
    int32_t sums[ROWS * COLUMNS];
    read_rows(p, &g->a, row, rows, levels);
    for (size_t i = 0; i < rows; i += most) {
        const uint8_t *bytes = (const uint8_t *)levels + i * 4 * p->quads;
        const size_t m = qnt__min(rows - i, most);
        for (size_t first = 0; first < p->columns; first += COLUMNS) {
            const bool final = is_final(p, first);
            int32_t *acc = final ? (int32_t *)(void *)result_at(p, row + i, first) : sums;
            size_t ld = final ? (size_t)g->c.strides[0] : COLUMNS;
            if (g->wide)
                multiply_words(p, levels + i * 2 * p->quads, m, first, acc, ld);
            else
                multiply_bytes(p, bytes, m, first, acc, ld);
            if (!final) add_rows(p, row + i, m, first, sums);
        }
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
    const size_t row_tasks = qnt__ceil_div(g->m, TASK_ROWS), unit = g->wide ? 2 : 1;
    struct piece p;
    p.product = g;
    p.column = index / row_tasks * PIECE_COLUMNS;
    p.columns = qnt__min(g->n - p.column, PIECE_COLUMNS);
    p.first_row = index % row_tasks * TASK_ROWS;
    p.end_row = qnt__min(g->m, p.first_row + TASK_ROWS);
    p.first_k = p.depth = 0;
    memset(p.minus_sum, 0, sizeof p.minus_sum);
    if (g->k == 0) set_zero(&p);
    for (; p.first_k < g->k; p.first_k += p.depth) {
        p.depth = qnt__min(g->k - p.first_k, ROW_BYTES / unit);
        p.quads = qnt__ceil_div(unit * p.depth, 4);
        pack_panels(&p);
        if (!g->wide) subtract_columns(&p);
        for (size_t row = p.first_row; row < p.end_row; row += ROWS) {
            multiply_rows(&p, row, qnt__min(p.end_row - row, ROWS));
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
        for (size_t k = 0; k < (size_t)v->shape[1]; k += ROW_BYTES) {
            uint8_t codes[ROW_BYTES];
            size_t n = qnt__min((size_t)v->shape[1] - k, ROW_BYTES);
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
