/*
 * qnt_gemm_table: codes of both operands are looked up, then multiplied as the integers that they stand
 * for: bytes by gemm_s8, anything wider as 16-bit words. Rows of a are looked up once for all columns of b,
 * 64 columns of b once for all rows of a block, and a product runs through a whole chunk of k. Columns are
 * interleaved as codes, packed ones as they lie in memory, and become levels after that; so rows of a get
 * the order that fields of packed codes of b have. Kernels write sums into c wherever they can.
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
    CHUNK_BYTES = 4096, /* of a row: longer ones are added up in c */
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    BLOCK_ROWS = 480,    /* most of a block, for which 64 columns are looked up */
    PART_ROWS = 48,      /* least rows of one task */
    STAGED = QNT__PANEL, /* rows of a of one task of looking up */
    BIAS_BITS = 7        /* levels of a that are bytes have 2^7 added */
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
    bool wide;     /* 16 bits */
    bool direct;   /* cells are made of b as it lies in memory */
    int cell_bits; /* of b */
    size_t unit;   /* bytes of a level */

    size_t row, rows;      /* of the block at hand */
    size_t first_k, depth; /* of the chunk at hand */
    size_t padded;         /* depth in whole cells */
    size_t part;           /* rows of one task */

    uint8_t *staged;             /* [rows][padded]: levels of a */
    uint8_t *space;              /* of all workers */
    size_t panels, cells, lines; /* places in that of a worker */
    size_t each;                 /* its bytes */
    uint8_t ones[CHUNK_BYTES];
};

/* 64 columns, or fewer. */
struct strip {
    const struct product *product;
    size_t column, columns;
    uint8_t *panels; /* [panel][padded][16] levels: 64-byte aligned, as kernels load whole lines */
    uint8_t *cells;  /* codes of one panel */
    uint8_t *lines;  /* [16][padded]: codes of its columns */
    int32_t start[COLUMNS]; /* what sums of bytes start with: less what the bias of a adds */
    bool direct;            /* kernels write sums where they belong */
};

static size_t row_bytes(const struct product *g)
{
    return g->unit * g->padded;
}

/* The chunk in whole cells, at least one: K may be 0. */
static size_t padded_depth(const struct product *g)
{
    return qnt__round_up(qnt__max(g->depth, 1), qnt__cell_depth(g->cell_bits));
}

/* Rows of codes of the chunk, [rows][padded], with 0 behind them. */
static void read_rows(const struct product *g, const struct operand *o, size_t first, size_t rows,
                      uint8_t *out)
{
    const int64_t step = o->codes.strides[1];
    for (size_t i = 0; i < rows; i++, out += g->padded) {
        int64_t at = (int64_t)(first + i) * o->codes.strides[0] + (int64_t)g->first_k * step;
        if (g->depth > 0) qnt__read_codes(&g->context->simd, &o->codes, at, step, g->depth, out);
        memset(out + g->depth, 0, g->padded - g->depth);
    }
}

/* Where number k of a row of a is: as fields of b are, where its codes are packed. */
static size_t place_of(const struct product *g, size_t k)
{
    const size_t fields = (size_t)(8 / g->cell_bits), group = 4 * fields, i = k % group;
    return k - i + i % fields * 4 + i / fields;
}

/* Levels of rows of a; they are 0 behind the chunk, so that it does not matter what b has there. */
static void stage_rows(void *task, size_t index, size_t worker)
{
    const struct product *g = task;
    const struct qnt__simd *simd = &g->context->simd;
    const size_t end = qnt__min(g->rows, (index + 1) * STAGED);
    uint8_t codes[CHUNK_BYTES];
    (void)worker;
    for (size_t i = index * STAGED; i < end; i++) {
        uint8_t *row = g->staged + i * row_bytes(g);
        read_rows(g, &g->a, g->row + i, 1, codes);
        if (g->cell_bits < 8) simd->order_codes(codes, g->padded, g->cell_bits);
        if (g->wide)
            simd->look_up_16(g->a.levels, g->a.codes.bits, codes, g->padded, (int16_t *)(void *)row);
        else
            simd->look_up_8(g->a.bytes, g->a.codes.bits, codes, g->padded, row);
        for (size_t k = g->depth; k < g->padded; k++) memset(row + g->unit * place_of(g, k), 0, g->unit);
    }
}

static size_t panels_of(const struct strip *s)
{
    return qnt__ceil_div(s->columns, QNT__PANEL);
}

/* Where row `row` of c begins, in the columns of the strip. */
static uint8_t *result_at(const struct strip *s, size_t row)
{
    const struct qnt__view *c = &s->product->c;
    return c->data + 4 * ((int64_t)row * c->strides[0] + (int64_t)s->column * c->strides[1]);
}

/* Where a call of a kernel writes sums of rows from number `row` of the block on. */
struct sums {
    int32_t *at;
    size_t ld;
};

/* Where sums of a block of rows will be stored. */
static struct qnt__results results_of(const struct strip *s, size_t row)
{
    const struct product *g = s->product;
    if (g->c.strides[1] != 1) return (struct qnt__results){0};
    return (struct qnt__results){.at = result_at(s, g->row + row),
                                 .pitch = 4 * (size_t)g->c.strides[0],
                                 .bytes = 4 * s->columns};
}

/* acc[m][COLUMNS] = rows of bytes, from number `first` of the block on, times the columns of the strip;
 * with `ones`, those are the first row. */
static void multiply_bytes(const struct strip *s, bool ones, size_t first, size_t m, struct sums sums)
{
    const struct product *g = s->product;
    const uint8_t *rows = g->staged + first * row_bytes(g);
    const uint8_t *row[QNT__GEMM_ROWS];
    const ptrdiff_t tap = 0;
    const struct qnt__gemm gemm = {.rows = row,
                                   .taps = &tap,
                                   .weight = s->panels,
                                   .acc = sums.at,
                                   .start = ones ? NULL : s->start,
                                   .m = ones + m,
                                   .panels = panels_of(s),
                                   .tap_count = 1,
                                   .depth = row_bytes(g),
                                   .panel_bytes = QNT__PANEL * g->padded,
                                   .ld = sums.ld,
                                   .bits = 8,
                                   .results =
                                       ones ? (struct qnt__results){0} : results_of(s, first)};
    row[0] = g->ones;
    for (size_t i = 0; i < m; i++) row[ones + i] = rows + i * row_bytes(g);
    g->context->simd.gemm_s8(&gemm);
}

static void multiply_words(const struct strip *s, size_t first, size_t m, struct sums sums)
{
    const struct product *g = s->product;
    const uint8_t *rows = g->staged + first * row_bytes(g);
    const int16_t *row[QNT__BLOCK_ROWS];
    const struct qnt__gemm_s16 gemm = {.rows = row,
                                       .weight = (const void *)s->panels,
                                       .acc = sums.at,
                                       .m = m,
                                       .panels = panels_of(s),
                                       .depth = g->padded,
                                       .panel_words = QNT__PANEL * g->padded,
                                       .ld = sums.ld,
                                       .results = results_of(s, first)};
    for (size_t i = 0; i < m; i++) row[i] = (const void *)(rows + i * row_bytes(g));
    g->context->simd.gemm_s16(&gemm);
}

/* What the bias of a adds to a product, from that of the columns with a row of ones. */
static void keep_start(struct strip *s, const int32_t *sum)
{
    for (size_t j = 0; j < s->columns; j++)
        s->start[j] = (int32_t)(0 - ((uint32_t)sum[j] << BIAS_BITS));
}

/* Rows of codes, as bytes or packed, become cells of a panel: of levels, or of codes to be widened. */
static uint8_t *make_cells(const struct strip *s, const void *rows, size_t columns, size_t ld, size_t quads,
                           uint8_t *out)
{
    const struct product *g = s->product;
    const struct qnt__simd *simd = &g->context->simd;
    const struct operand *b = &g->b;
    const size_t fields = (size_t)(8 / g->cell_bits);
    if (!g->wide) {
        const struct qnt__level_cells c = {.rows = rows,
                                           .columns = columns,
                                           .ld = ld,
                                           .quads = quads,
                                           .bits = g->cell_bits,
                                           .level_bits = b->codes.bits,
                                           .levels = b->bytes,
                                           .out = out};
        simd->level_cells(&c);
        return out + 64 * fields * quads;
    }
    const struct qnt__expand_words e = {.cell = s->cells,
                                        .cells = quads,
                                        .bits = g->cell_bits,
                                        .field_bits = b->codes.bits,
                                        .words = b->levels,
                                        .out = (int16_t *)(void *)out};
    simd->interleave_rows(rows, columns, ld, quads, s->cells);
    simd->expand_words(&e);
    return out + 128 * fields * quads;
}

/* Up to 16 columns whose codes lie in memory as cells have them. */
static void cells_of_memory(const struct strip *s, size_t first, size_t columns, uint8_t *panel)
{
    const struct product *g = s->product;
    const struct qnt__view *v = &g->b.codes;
    const size_t bits = (size_t)g->cell_bits, quads = g->depth * bits / 32;
    const size_t rest = qnt__ceil_div(g->depth * bits, 8) - 4 * quads;
    const int64_t pitch = v->strides[0] * (int64_t)bits / 8;
    const uint8_t *from = v->data + (int64_t)(s->column + first) * pitch + g->first_k * bits / 8;
    uint8_t last[QNT__PANEL * 4] = {0};
    panel = make_cells(s, from, columns, (size_t)pitch, quads, panel);
    if (rest == 0) return;
    for (size_t j = 0; j < columns; j++) memcpy(last + 4 * j, from + (int64_t)j * pitch + 4 * quads, rest);
    make_cells(s, last, QNT__PANEL, 4, 1, panel);
}

static void cells_of_codes(const struct strip *s, size_t first, size_t columns, uint8_t *panel)
{
    const struct product *g = s->product;
    read_rows(g, &g->b, s->column + first, columns, s->lines);
    make_cells(s, s->lines, columns, g->padded, g->padded / 4, panel);
}

static void pack_strip(const struct strip *s)
{
    const struct product *g = s->product;
    uint8_t *panel = s->panels;
    for (size_t first = 0; first < s->columns;
         first += QNT__PANEL, panel += QNT__PANEL * row_bytes(g)) {
        const size_t columns = qnt__min(s->columns - first, QNT__PANEL);
        if (g->direct) cells_of_memory(s, first, columns, panel);
        else cells_of_codes(s, first, columns, panel);
    }
}

static bool is_plain(const struct qnt__view *c)
{
    return c->strides[1] == 1 && (uintptr_t)c->data % sizeof(int32_t) == 0;
}

/* Do kernels write sums where they belong? Whole panels, and not where they come back to sums, as those do
 * that prepare weights. */
static bool is_direct(const struct strip *s)
{
    const struct product *g = s->product;
    const bool once = g->wide || g->context->simd.gemm_rows < QNT__GEMM_ROWS;
    return once && is_plain(&g->c) && g->c.strides[0] >= 0 && g->first_k == 0 &&
           s->columns % QNT__PANEL == 0;
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

/* Sets or adds rows of results, modulo 2^32; `start`: NULL where sums have it. */
static void store_rows(const struct strip *s, size_t row, size_t rows, const int32_t *start, int32_t *acc)
{
    const struct product *g = s->product;
    const struct qnt__simd *simd = &g->context->simd;
    const struct qnt__view *c = &g->c;
    const bool add = g->first_k > 0;
    for (size_t i = 0; i < rows; i++, acc += COLUMNS) {
        uint8_t *to = result_at(s, row + i);
        if (start) simd->add_s32(acc, start, s->columns, 0, acc);
        if (!is_plain(c)) add_scattered(to, c->strides[1], acc, s->columns, add);
        else if (add) simd->add_s32((void *)to, acc, s->columns, 0, (void *)to);
        else memcpy(to, acc, 4 * s->columns);
    }
}

static void multiply_strip(void *task, size_t index, size_t worker)
{
    const struct product *g = task;
    const size_t parts = qnt__ceil_div(g->rows, g->part), first = index % parts * g->part;
    const size_t end = qnt__min(g->rows, first + g->part);
    const size_t most = g->wide ? QNT__BLOCK_ROWS : g->context->simd.gemm_rows;
    uint8_t *space = g->space + worker * g->each;
    _Alignas(64) int32_t acc[QNT__GEMM_ROWS * COLUMNS];
    struct strip s = {.product = g,
                      .column = index / parts * COLUMNS,
                      .panels = space + g->panels,
                      .cells = space + g->cells,
                      .lines = space + g->lines};
    s.columns = qnt__min(g->n - s.column, COLUMNS);
    s.direct = is_direct(&s);
    pack_strip(&s);
    bool ones = !g->wide; /* in the first call */
    for (size_t row = first, m; row < end; row += m, ones = false) {
        m = qnt__min(end - row, most - ones);
        struct sums sums = {acc, COLUMNS};
        if (s.direct && !ones)
            sums = (struct sums){(void *)result_at(&s, g->row + row), (size_t)g->c.strides[0]};
        if (g->wide)
            multiply_words(&s, row, m, sums);
        else
            multiply_bytes(&s, ones, row, m, sums);
        if (ones) keep_start(&s, acc);
        if (sums.at == acc) store_rows(&s, g->row + row, m, ones ? s.start : NULL, acc + ones * COLUMNS);
    }
}

/* A block of rows and a chunk of k. Tasks share rows where strips are few; each looks its strip up. */
static qnt_status multiply_block(struct product *g)
{
    const size_t strips = qnt__ceil_div(g->n, COLUMNS);
    const size_t parts = qnt__ceil_div(2 * g->context->workers, strips);
    g->part = qnt__max(qnt__ceil_div(g->rows, g->context->workers > 1 ? parts : 1), PART_ROWS);
    QNT__TRY(qnt__parallel(g->context, stage_rows, g, qnt__ceil_div(g->rows, STAGED)));
    return qnt__parallel(g->context, multiply_strip, g, strips * qnt__ceil_div(g->rows, g->part));
}

static qnt_status multiply_all(struct product *g, size_t rows)
{
    for (g->row = 0; g->row < g->m; g->row += g->rows) {
        g->rows = qnt__min(rows, g->m - g->row);
        g->first_k = 0;
        do { /* K may be 0 */
            g->depth = qnt__min(g->k - g->first_k, CHUNK_BYTES / g->unit);
            g->padded = padded_depth(g);
            memset(g->ones, 1, g->padded);
            for (size_t k = g->depth; k < g->padded; k++) g->ones[place_of(g, k)] = 0;
            QNT__TRY(multiply_block(g));
            g->first_k += g->depth;
        } while (g->first_k < g->k);
    }
    return QNT_OK;
}

/* Packed codes of 2, 4 and 8 bits whose rows begin with a byte are cells once columns are interleaved. */
static void choose_cells(struct product *g)
{
    const struct qnt__view *v = &g->b.codes;
    g->direct = g->k > 0 && (v->bits == 2 || v->bits == 4 || v->bits == 8) && v->strides[1] == 1 &&
                v->strides[0] >= 0 && v->strides[0] % 8 * v->bits % 8 == 0;
    g->cell_bits = g->direct ? v->bits : 8;
}

static qnt_status multiply(struct product *g)
{
    const struct qnt__memory *memory = &g->context->memory;
    const size_t blocks = qnt__ceil_div(g->m, BLOCK_ROWS), rows = qnt__ceil_div(g->m, blocks);
    size_t bytes = 0, staged, workers;
    void *block;
    choose_cells(g);
    g->depth = qnt__min(g->k, CHUNK_BYTES / g->unit); /* of the longest chunk */
    g->padded = padded_depth(g);
    g->each = 0;
    if (!qnt__append(&g->each, COLUMNS, row_bytes(g), &g->panels) ||
        !qnt__append(&g->each, QNT__PANEL, g->padded, &g->cells) ||
        !qnt__append(&g->each, QNT__PANEL, g->padded, &g->lines) ||
        !qnt__append(&bytes, rows, row_bytes(g), &staged) ||
        !qnt__append(&bytes, g->context->workers, g->each, &workers) ||
        !qnt__add(bytes, QNT__CARVE_ALIGN - 1, &bytes)) {
        return qnt__fail(g->context, QNT_E_NOMEM, "memory of %zu workers overflows", g->context->workers);
    }
    QNT__TRY(qnt__allocate(g->context, memory, bytes, &block));
    const size_t over = (uintptr_t)block % QNT__CARVE_ALIGN;
    uint8_t *space = (uint8_t *)block + (over ? QNT__CARVE_ALIGN - over : 0);
    g->staged = space + staged;
    g->space = space + workers;
    qnt_status status = multiply_all(g, rows);
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
        for (size_t k = 0; k < (size_t)v->shape[1]; k += CHUNK_BYTES) {
            uint8_t codes[CHUNK_BYTES];
            size_t n = qnt__min((size_t)v->shape[1] - k, CHUNK_BYTES);
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
    memset(g.ones, 1, sizeof g.ones);
    for (size_t i = 0; i < g.a.count; i++) g.a.bytes[i] ^= 0x80;
    return multiply(&g);
}
