/*
 * qnt_gemm_table: codes of both operands are looked up, then multiplied as the integers that they stand
 * for: bytes by gemm_s8, anything wider as 16-bit words. A strip of columns of b is looked up once for all
 * rows of a task, rows of a once for each strip; sums leave for c when all of a strip's k are in them.
 */
#include <string.h>

#include "base/arith.h"
#include "base/carve.h"
#include "base/try.h"
#include "context/context.h"
#include "panels.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum {
    PIECE_BYTES = 1024, /* of a row: sums are added up seldom, and panels of a product stay near */
    PIECES = 8,         /* most of a strip */
    STRIP_BYTES = 1 << 19,
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL, /* of one product */
    LEAST_BLOCKS = 2, MOST_BLOCKS = 8,        /* of so many columns in a strip */
    ROWS = 2 * QNT__BLOCK_ROWS,               /* of a that are looked up at a time */
    TASK_ROWS = 20 * ROWS,
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
    bool wide;      /* 16 bits */
    size_t unit;    /* bytes of a level */
    size_t columns; /* of a strip */
    uint8_t *space; /* of all workers */
    size_t panels, rows, sums, minus, each; /* places in the space of a worker, and its bytes */
};

/* A strip: some columns, some k. */
struct strip {
    const struct product *product;
    size_t column, columns, first_k, k;
    uint8_t *panels; /* [piece][panel][quad][64]: 64-byte aligned, as kernels load whole lines */
    int16_t *rows;   /* [ROWS][quads]: up to ROWS rows of one piece, bytes or words */
    int32_t *sums;   /* [block][ROWS][COLUMNS] */
    int32_t *minus;  /* [columns]: less the sum of the bytes of a column so far, 0 of words */
};

/* A part of k whose rows have up to PIECE_BYTES. */
struct piece {
    size_t first_k, depth;
    size_t quads; /* of four bytes in a row */
    const uint8_t *panels;
};

/* Where the panels of the piece from k = done on begin. */
static size_t panels_at(const struct strip *s, size_t done)
{
    return done * s->product->unit * qnt__round_up(s->columns, QNT__PANEL);
}

static struct piece piece_at(const struct strip *s, size_t done)
{
    const size_t unit = s->product->unit;
    struct piece p = {.first_k = s->first_k + done};
    p.depth = qnt__min(s->k - done, PIECE_BYTES / unit);
    p.quads = qnt__ceil_div(unit * p.depth, 4);
    p.panels = s->panels + panels_at(s, done);
    return p;
}

/* Up to ROWS rows of levels, [rows][quads] without gaps; k that fill the last quad have the code 0. */
static void read_rows(const struct strip *s, const struct piece *p, const struct operand *o, size_t first,
                      size_t rows)
{
    const struct product *g = s->product;
    const struct qnt__simd *simd = &g->context->simd;
    const int64_t step = o->codes.strides[1];
    const size_t padded = 4 * p->quads / g->unit;
    uint8_t words[ROWS * PIECE_BYTES / 2], *codes = g->wide ? words : (uint8_t *)s->rows;
    for (size_t i = 0; i < rows; i++) {
        int64_t at = (int64_t)(first + i) * o->codes.strides[0] + (int64_t)p->first_k * step;
        qnt__read_codes(simd, &o->codes, at, step, p->depth, codes + i * padded);
        memset(codes + i * padded + p->depth, 0, padded - p->depth);
    }
    if (g->wide)
        simd->look_up_16(o->levels, o->codes.bits, codes, rows * padded, s->rows);
    else
        simd->look_up_8(o->bytes, o->codes.bits, codes, rows * padded, codes);
}

static size_t panels_from(const struct strip *s, size_t first)
{
    return qnt__ceil_div(qnt__min(s->columns - first, COLUMNS), QNT__PANEL);
}

/* acc[m][COLUMNS] = m rows of bytes times the columns of one block. */
static void multiply_bytes(const struct strip *s, const struct piece *p, const uint8_t *rows, size_t m,
                           size_t first, int32_t *acc)
{
    const uint8_t *row[ROWS];
    const ptrdiff_t tap = 0;
    const struct qnt__gemm gemm = {.rows = row,
                                   .taps = &tap,
                                   .weight = p->panels + first * 4 * p->quads,
                                   .acc = acc,
                                   .m = m,
                                   .panels = panels_from(s, first),
                                   .tap_count = 1,
                                   .depth = 4 * p->quads,
                                   .panel_bytes = 64 * p->quads,
                                   .ld = COLUMNS,
                                   .bits = 8};
    for (size_t i = 0; i < m; i++) row[i] = rows + i * 4 * p->quads;
    s->product->context->simd.gemm_s8(&gemm);
}

static void multiply_words(const struct strip *s, const struct piece *p, const int16_t *rows, size_t m,
                           size_t first, int32_t *acc)
{
    const int16_t *row[QNT__BLOCK_ROWS];
    const struct qnt__gemm_s16 gemm = {.rows = row,
                                       .weight = (const void *)(p->panels + first * 4 * p->quads),
                                       .acc = acc,
                                       .m = m,
                                       .panels = panels_from(s, first),
                                       .depth = 2 * p->quads,
                                       .panel_words = QNT__PANEL * 2 * p->quads,
                                       .ld = COLUMNS};
    for (size_t i = 0; i < m; i++) row[i] = rows + i * 2 * p->quads;
    s->product->context->simd.gemm_s16(&gemm);
}

/* What the bias of a adds to a product: the product with a row of ones gives the sums of columns. */
static void subtract_columns(const struct strip *s, const struct piece *p)
{
    uint8_t ones[PIECE_BYTES];
    int32_t sum[COLUMNS];
    uint32_t *minus = (uint32_t *)s->minus; /* wraps */
    memset(ones, 1, sizeof ones);
    for (size_t first = 0; first < s->columns; first += COLUMNS) {
        multiply_bytes(s, p, ones, 1, first, sum);
        for (size_t j = 0; j < QNT__PANEL * panels_from(s, first); j++)
            minus[first + j] -= (uint32_t)sum[j];
    }
}

/* k that fill the last quad are 0, so that it does not matter what they are in a. */
static void pack_strip(const struct strip *s)
{
    const struct product *g = s->product;
    struct piece p;
    for (size_t done = 0; done < s->k; done += p.depth) {
        p = piece_at(s, done);
        const size_t row_bytes = 4 * p.quads, used = g->unit * p.depth;
        uint8_t *panel = s->panels + panels_at(s, done), *rows = (uint8_t *)s->rows;
        for (size_t first = 0; first < s->columns; first += QNT__PANEL, panel += 64 * p.quads) {
            size_t columns = qnt__min(s->columns - first, QNT__PANEL);
            read_rows(s, &p, &g->b, s->column + first, columns);
            for (size_t j = 0; j < columns; j++) memset(rows + j * row_bytes + used, 0, row_bytes - used);
            g->context->simd.interleave_rows(rows, columns, row_bytes, p.quads, panel);
        }
        if (!g->wide) subtract_columns(s, &p);
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

/* Sets or adds rows of results, modulo 2^32; the last k takes the bias of a away. */
static void store_rows(const struct strip *s, size_t row, size_t rows)
{
    const struct product *g = s->product;
    const struct qnt__simd *simd = &g->context->simd;
    const struct qnt__view *c = &g->c;
    const bool add = s->first_k > 0, last = s->first_k + s->k == g->k;
    const bool plain = c->strides[1] == 1 && (uintptr_t)c->data % sizeof(int32_t) == 0;
    for (size_t i = 0; i < rows; i++) {
        for (size_t first = 0; first < s->columns; first += COLUMNS) {
            const size_t n = qnt__min(s->columns - first, COLUMNS);
            int32_t *acc = s->sums + (first / COLUMNS * ROWS + i) * COLUMNS;
            uint8_t *to = c->data + 4 * ((int64_t)(row + i) * c->strides[0] +
                                         (int64_t)(s->column + first) * c->strides[1]);
            if (plain && last && !add) {
                simd->add_s32(acc, s->minus + first, n, BIAS_BITS, (void *)to);
                continue;
            }
            if (last) simd->add_s32(acc, s->minus + first, n, BIAS_BITS, acc);
            if (!plain)
                add_scattered(to, c->strides[1], acc, n, add);
            else if (add)
                simd->add_s32((void *)to, acc, n, 0, (void *)to);
            else
                memcpy(to, acc, n * sizeof *acc);
        }
    }
}

/* Up to ROWS rows times the whole strip. */
static void multiply_rows(const struct strip *s, size_t row, size_t rows)
{
    const struct product *g = s->product;
    const size_t most = g->wide ? QNT__BLOCK_ROWS : qnt__min(g->context->simd.gemm_rows, ROWS);
    int32_t part[ROWS * COLUMNS] = {0}; /* whole blocks are added, whatever they have */
    struct piece p;
    for (size_t done = 0; done < s->k; done += p.depth) {
        p = piece_at(s, done);
        read_rows(s, &p, &g->a, row, rows);
        for (size_t first = 0; first < s->columns; first += COLUMNS) {
            int32_t *sums = s->sums + first * ROWS, *acc = done ? part : sums;
            for (size_t i = 0; i < rows; i += most) {
                const size_t m = qnt__min(rows - i, most);
                const uint8_t *at = (const uint8_t *)s->rows + i * 4 * p.quads;
                if (g->wide)
                    multiply_words(s, &p, (const void *)at, m, first, acc + i * COLUMNS);
                else
                    multiply_bytes(s, &p, at, m, first, acc + i * COLUMNS);
            }
            if (done) g->context->simd.add_s32(sums, part, rows * COLUMNS, 0, sums);
        }
    }
    store_rows(s, row, rows);
}

static void run_strip(void *task, size_t index, size_t worker)
{
    const struct product *g = task;
    const size_t row_tasks = qnt__ceil_div(g->m, TASK_ROWS), first_row = index % row_tasks * TASK_ROWS;
    const size_t end_row = qnt__min(g->m, first_row + TASK_ROWS), most_k = PIECES * PIECE_BYTES / g->unit;
    uint8_t *space = g->space + worker * g->each;
    struct strip s = {.product = g,
                      .column = index / row_tasks * g->columns,
                      .panels = space + g->panels,
                      .rows = (void *)(space + g->rows),
                      .sums = (void *)(space + g->sums),
                      .minus = (void *)(space + g->minus)};
    s.columns = qnt__min(g->n - s.column, g->columns);
    memset(s.minus, 0, g->columns * sizeof *s.minus);
    memset(s.sums, 0, g->columns * ROWS * sizeof *s.sums); /* whole panels are added; K may be 0 */
    do {
        s.k = qnt__min(g->k - s.first_k, most_k);
        pack_strip(&s);
        for (size_t row = first_row; row < end_row; row += ROWS)
            multiply_rows(&s, row, qnt__min(end_row - row, ROWS));
        s.first_k += s.k;
    } while (s.first_k < g->k);
}

/* As many columns as a strip has room for, and the memory of one worker. */
static bool plan(struct product *g, size_t *bytes)
{
    const size_t row_bytes = qnt__round_up(qnt__min(g->k, PIECES * PIECE_BYTES / g->unit) * g->unit, 4);
    const size_t fit = STRIP_BYTES / qnt__max(row_bytes, 1) / COLUMNS;
    const size_t blocks = qnt__min(qnt__max(fit, LEAST_BLOCKS), MOST_BLOCKS);
    g->columns = qnt__min(blocks * COLUMNS, qnt__round_up(g->n, COLUMNS));
    g->each = 0;
    return qnt__append(&g->each, g->columns, row_bytes, &g->panels) &&
           qnt__append(&g->each, ROWS, PIECE_BYTES, &g->rows) &&
           qnt__append(&g->each, ROWS * g->columns, sizeof(int32_t), &g->sums) &&
           qnt__append(&g->each, g->columns, sizeof(int32_t), &g->minus) &&
           qnt__mul(g->each, g->context->workers, bytes) && qnt__add(*bytes, QNT__CARVE_ALIGN - 1, bytes);
}

static qnt_status multiply(struct product *g)
{
    const struct qnt__memory *memory = &g->context->memory;
    size_t bytes;
    void *block;
    if (!plan(g, &bytes)) {
        return qnt__fail(g->context, QNT_E_NOMEM, "memory of %zu workers overflows", g->context->workers);
    }
    QNT__TRY(qnt__allocate(g->context, memory, bytes, &block));
    const size_t over = (uintptr_t)block % QNT__CARVE_ALIGN;
    g->space = (uint8_t *)block + (over ? QNT__CARVE_ALIGN - over : 0);
    size_t tasks = qnt__ceil_div(g->n, g->columns) * qnt__ceil_div(g->m, TASK_ROWS);
    qnt_status status = qnt__parallel(g->context, run_strip, g, tasks);
    qnt__free(memory, block, bytes);
    return status;
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
        for (size_t k = 0; k < (size_t)v->shape[1]; k += PIECE_BYTES) {
            uint8_t codes[PIECE_BYTES];
            size_t n = qnt__min((size_t)v->shape[1] - k, PIECE_BYTES);
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
    g.unit = g.wide ? 2 : 1;
    for (size_t i = 0; i < g.a.count; i++) g.a.bytes[i] ^= 0x80;
    return multiply(&g);
}
