/*
 * How products of bit planes run. Rows of a get the form of the path (gemm_bits_rows.c), a slab of
 * them at a time; tasks of 64 to 512 columns form integers, block by block, and the epilogue of integer
 * products makes floats of them.
 *
 * Counting: rows have the bits of their codes turned over, so that D, the bits in which two planes
 * differ, are those in which the codes agree; of the places of all words, padding counts as such.
 * Two planes of signs have the product 2 D - (2 places - K). A plane of bits, 0 or 1, is half a
 * plane of signs and half of ones; so its product with a plane of signs that has P ones is
 * D - (places - P). Planes of a number are weighted by powers of two while they are counted. What
 * differs as the codes are would be the product's negative, and 0 a negative zero.
 *
 * Tables and adders: the sum T of the codes where the plane's bit is 1 makes 2 T - S of a row with the
 * sum S.
 *
 * Bytes: planes with the weights 1, 2, 4, ... are one signed byte.
 *
 * Blocks with coefficients of their own: tables, or counting of signs and of numbers of one bit, and the
 * slot makes floats of the integers of each.
 */
#include <math.h>

#include "base/arith.h"
#include "base/try.h"
#include "bits.h"
#include "simd/layout.h"

enum {
    PLANES = QNT__BITS_PLANES,
    NARROW = QNT__BLOCK_PANELS * QNT__PANEL,
    COLUMNS = QNT__ADDER_PANELS * QNT__PANEL, /* most of a block */
    TILE = QNT__BLOCK_ROWS * QNT__SIX_PANELS * QNT__PANEL,
    ROWS = 1024,
    LEAST_ROWS = 96,     /* of bytes */
    CELL_WORDS = 32,     /* of planes that are bytes at a time */
    CELL_BYTES = 1024,   /* of a word of a panel as bytes */
    ROW_CACHE = 5 << 18, /* of rows or their tables, in a second-level cache of 2 MB */
    SLAB_BYTES = 1 << 23,
    PAD = 64 /* rows a power of two apart would meet in the same sets of a cache */
};

struct run {
    const struct qnt__bits_product *g;
    enum qnt__bits_path path;
    bool combine;  /* planes in integers, in columns where coefficients double */
    uint8_t *rows; /* of the slab, row_bytes each */
    int32_t *sums; /* of the codes of each, [blocks], for tables */
    size_t row_bytes;
    size_t first, end; /* the slab */
    size_t task_rows, task_columns;
    size_t parts;      /* of the columns, where tasks prepare rows themselves */
    int32_t *acc; /* [workers][acc_count]; half of it for one more plane, or planes as bytes */
    size_t acc_count;
    float *coef; /* [workers][coef_count], of the columns of a task: [planes][blocks][NARROW] */
    size_t coef_count;
};

/* Up to 1,024 rows of bytes and 64 columns, 256 rows for adders and 512, 48 of another form and 64 or
 * 256. */
struct block {
    const struct run *run;
    const uint8_t *rows; /* from row `base` on, and the sums of their codes */
    const int32_t *sums;
    size_t base;
    size_t row, m, column, n;
    size_t doubling; /* columns of it with integers of all planes */
    bool doubles[COLUMNS];
    float coef[PLANES][COLUMNS];                 /* of the planes of b */
    float *block_coef;                           /* of planes and blocks, where there are several */
    int32_t ones[PLANES][NARROW];                /* their numbers of ones, for counting */
    int32_t *acc, *part;                         /* integers of the path; of one more plane */
    uint8_t *cells;                              /* planes as bytes */
    int32_t w_sum[COLUMNS];                      /* the epilogue's constant of columns */
    int32_t one[QNT__TABLE_ROWS];                /* and of rows, for counting */
    uint32_t tile[2][TILE];                      /* results that do not go to c as they are */
};

/* Rows from `first` on, to places from `at` on. */
static void prepare_rows(const struct run *r, size_t first, size_t end, size_t at)
{
    for (size_t row = first; row < end; row++, at++) {
        qnt__bits_prepare_row(r->g, r->path, row, r->rows + at * r->row_bytes,
                              r->sums + at * r->g->blocks);
    }
}

static void prepare_slab(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct run *r = task;
    size_t at = index * QNT__BLOCK_ROWS, first = r->first + at;
    prepare_rows(r, first, qnt__min(first + QNT__BLOCK_ROWS, r->end), at);
}

/* ---- integers ---- */

/* Words from a plane of b to the same one of the next panel. */
static size_t panel_words(const struct qnt__bits_product *g)
{
    return g->b_planes * (g->words + 1) * QNT__PANEL;
}

/* Plane i of b, of the block's first panel. */
static const uint64_t *plane_of(const struct block *b, size_t i)
{
    const struct qnt__bits_product *g = b->run->g;
    const uint64_t *all = (const void *)g->b.data;
    return all + b->column / QNT__PANEL * panel_words(g) + i * (g->words + 1) * QNT__PANEL;
}

static const uint8_t *row_of(const struct block *b, size_t row)
{
    return b->rows + (b->row - b->base + row) * b->run->row_bytes;
}

static size_t panels_of(const struct block *b)
{
    return qnt__ceil_div(b->n, QNT__PANEL);
}

/* Bits in which plane i of b differs from `planes` planes of a from plane j. */
static struct qnt__gemm_bits count_of(const struct block *b, size_t i, size_t j, size_t planes,
                                      int32_t *acc)
{
    const struct qnt__bits_product *g = b->run->g;
    return (struct qnt__gemm_bits){.a = (const uint64_t *)(const void *)row_of(b, 0) + j * g->words,
                                   .a_row = b->run->row_bytes / sizeof(uint64_t),
                                   .a_plane = g->words,
                                   .b = plane_of(b, i),
                                   .b_panel = panel_words(g),
                                   .acc = acc,
                                   .m = b->m,
                                   .panels = panels_of(b),
                                   .planes = planes,
                                   .words = g->words,
                                   .shift = g->signs ? 1 : 0,
                                   .ld = b->run->task_columns};
}

static void count(const struct block *b, size_t i, size_t j, size_t planes, int32_t *acc)
{
    const struct qnt__gemm_bits bits = count_of(b, i, j, planes, acc);
    b->run->g->context->simd.gemm_bits(&bits);
}

static struct qnt__look_up_bits look_up_of(struct block *b, size_t i, int32_t *acc)
{
    const struct qnt__bits_product *g = b->run->g;
    return (struct qnt__look_up_bits){
        .tables = row_of(b, 0),
        .row = b->run->row_bytes,
        .high = qnt__bits_two_digits(g) ? g->words * QNT__CODE_TABLES : 0,
        .b = plane_of(b, i),
        .b_panel = panel_words(g),
        .acc = acc,
        .m = b->m,
        .panels = panels_of(b),
        .words = g->words,
        .ld = b->run->task_columns,
        .bits = qnt__bits_two_digits(g) ? QNT__LOW_DIGIT : (int)g->a_planes};
}

static void look_up(struct block *b, size_t i, int32_t *acc)
{
    const struct qnt__bits_product *g = b->run->g;
    const struct qnt__look_up_bits bits = look_up_of(b, i, acc);
    if (b->run->path == QNT__BITS_SIX)
        g->context->simd.look_up_six(&bits);
    else
        g->context->simd.look_up_bits(&bits);
}

static void add_up(struct block *b, size_t i, int32_t *acc)
{
    const struct qnt__bits_product *g = b->run->g;
    const struct qnt__gemm_adders adders = {.a = row_of(b, 0),
                                            .a_row = b->run->row_bytes,
                                            .a_plane =
                                                qnt__adder_chunks(g->words) * QNT__ADDER_GROUPS,
                                            .b = plane_of(b, i),
                                            .b_panel = panel_words(g),
                                            .acc = acc,
                                            .m = b->m,
                                            .panels = panels_of(b),
                                            .planes = g->a_planes,
                                            .words = g->words,
                                            .ld = b->run->task_columns};
    g->context->simd.gemm_adders(&adders);
}

/* acc = or += twelve rows at most times the cells of some words. */
static void multiply_cells(struct block *b, size_t row, size_t m, size_t word, size_t words,
                           int32_t *acc)
{
    const struct qnt__bits_product *g = b->run->g;
    const uint8_t *rows[QNT__BLOCK_ROWS];
    const ptrdiff_t tap = 0;
    int32_t part[QNT__BLOCK_ROWS * NARROW];
    for (size_t r = 0; r < m; r++) rows[r] = row_of(b, row + r) + 64 * word;
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = b->cells,
                                   .acc = word ? part : acc,
                                   .m = m,
                                   .panels = panels_of(b),
                                   .tap_count = 1,
                                   .depth = 64 * words,
                                   .panel_bytes = CELL_BYTES * words,
                                   .ld = NARROW,
                                   .bits = 8};
    g->context->simd.gemm_s8(&gemm);
    if (word) g->context->simd.add_s32(acc, part, m * NARROW, 0, acc);
}

/* The words of 64 columns as cells of the numbers of `planes` planes from plane i, merged. */
static void expand_cells(struct block *b, size_t i, size_t planes, size_t word, size_t words)
{
    const struct qnt__bits_product *g = b->run->g;
    for (size_t p = 0; p < panels_of(b); p++) {
        const struct qnt__expand_bits e = {.b = plane_of(b, i) + p * panel_words(g),
                                           .b_plane = (g->words + 1) * QNT__PANEL,
                                           .first = word,
                                           .words = words,
                                           .planes = planes,
                                           .ahead = panel_words(g),
                                           .cells = b->cells + p * CELL_BYTES * words};
        g->context->simd.expand_bits(&e);
    }
}

/* b->acc = sum over p < planes of 2^p times the path's integers of plane i + p, for all ways but bytes. */
static void sum_planes(struct block *b, size_t i, size_t planes)
{
    const struct qnt__bits_product *g = b->run->g;
    for (size_t p = 0; p < planes; p++) {
        int32_t *acc = p ? b->part : b->acc;
        if (b->run->path == QNT__BITS_COUNT)
            count(b, i + p, 0, g->a_planes, acc);
        else if (b->run->path == QNT__BITS_ADDERS)
            add_up(b, i + p, acc);
        else
            look_up(b, i + p, acc);
        if (p) g->context->simd.add_s32(b->acc, acc, b->m * b->run->task_columns, (int)p, b->acc);
    }
}

/* ---- results ---- */

/* What becomes of integers of `planes` planes of b from `plane` on; a_coef is 1 of numbers. */
struct result {
    size_t plane, planes;
    float a_coef;
    bool accumulate;
    uint32_t *y; /* of the block */
    size_t ld;
};

/*
 * From integers of m rows to products: v = acc - a_zero w_sum - w_zero a_sum.
 * Counting: D - (2^bits - 1) (places - P), of signs 2 D - (2 places - K). Tables: 2 T - S. Planes
 * that were summed have all of it summed.
 */
static void describe_finish(struct block *b, const struct result *to, const int32_t *acc,
                            size_t row, size_t m, struct qnt__finish *f)
{
    const struct run *r = b->run;
    const struct qnt__bits_product *g = r->g;
    *f = (struct qnt__finish){.acc = acc,
                              .m = m,
                              .n = b->n,
                              .ld = r->task_columns,
                              .low = -INFINITY,
                              .high = INFINITY,
                              .accumulate = to->accumulate,
                              .y = to->y + row * to->ld,
                              .y_ld = to->ld};
    if (r->path == QNT__BITS_COUNT) {
        const uint32_t places = (uint32_t)(64 * g->words);
        for (size_t c = 0; c < b->n; c++) {
            uint32_t sum = 0;
            for (size_t p = 0; p < to->planes; p++)
                sum += (places - (uint32_t)b->ones[to->plane + p][c]) << p;
            b->w_sum[c] = (int32_t)(g->signs ? 2 * places - (uint32_t)g->k
                                             : ((1u << g->a_planes) - 1) * sum);
        }
        for (size_t i = 0; i < m; i++) b->one[i] = 1;
        f->a_zero = b->one, f->w_sum = b->w_sum;
    } else if (r->path != QNT__BITS_BYTES) {
        for (size_t c = 0; c < b->n; c++) b->w_sum[c] = (1 << to->planes) - 1;
        f->w_zero = b->w_sum, f->a_sum = b->sums + (b->row - b->base + row);
    }
}

/* The integers themselves, of one plane. */
static void finish_integers(const struct qnt__finish *f)
{
    uint32_t *y = f->y;
    for (size_t r = 0; r < f->m; r++) {
        for (size_t c = 0; c < f->n; c++) {
            uint32_t v = (uint32_t)f->acc[r * f->ld + c];
            if (f->w_sum) v -= (uint32_t)f->w_sum[c];
            if (f->w_zero) v -= (uint32_t)f->a_sum[r];
            y[r * f->y_ld + c] = v;
        }
    }
}

/* y = or += integers of m rows of the block, as they are or times coefficients. */
static void finish(struct block *b, const struct result *to, const int32_t *acc, size_t row,
                   size_t m)
{
    const struct qnt__bits_product *g = b->run->g;
    float coef[COLUMNS];
    struct qnt__finish f;
    describe_finish(b, to, acc, row, m, &f);
    if (g->c.code == QNT_INT) {
        finish_integers(&f);
        return;
    }
    for (size_t c = 0; c < b->n; c++) coef[c] = to->a_coef * b->coef[to->plane][c];
    f.multiplier = coef;
    g->context->simd.finish_s32(&f);
}

/* Planes merged to bytes. A few rows at a time are finished as soon as they can be: their sums are in
 * the first-level cache, and their stores go on while the next rows are multiplied. */
static void multiply_bytes(struct block *b, const struct result *to)
{
    const struct qnt__bits_product *g = b->run->g;
    for (size_t word = 0; word < g->words; word += CELL_WORDS) {
        const size_t words = qnt__min(g->words - word, CELL_WORDS);
        expand_cells(b, to->plane, to->planes, word, words);
        for (size_t row = 0; row < b->m; row += QNT__BLOCK_ROWS) {
            const size_t m = qnt__min(b->m - row, QNT__BLOCK_ROWS);
            int32_t *acc = b->acc + (words < g->words ? row * NARROW : 0);
            multiply_cells(b, row, m, word, words, acc);
            if (word + words == g->words) finish(b, to, acc, row, m);
        }
    }
}

static void multiply(struct block *b, const struct result *to)
{
    if (b->run->path == QNT__BITS_BYTES) {
        multiply_bytes(b, to);
        return;
    }
    sum_planes(b, to->plane, to->planes);
    finish(b, to, b->acc, 0, b->m);
}

/* Plane after plane. */
static void run_separately(struct block *b, uint32_t *y, size_t ld)
{
    const struct qnt__bits_product *g = b->run->g;
    for (size_t i = 0; i < g->b_planes; i++) {
        for (size_t j = 0; g->signs && j < g->a_planes; j++) {
            const struct result to = {i, 1, g->a_coef[j], i + j > 0, y, ld};
            count(b, i, j, 1, b->acc);
            finish(b, &to, b->acc, 0, b->m);
        }
        const struct result to = {i, 1, 1.0f, i > 0, y, ld};
        if (!g->signs) multiply(b, &to);
    }
}

/* All planes in integers. */
static void run_combined(struct block *b, uint32_t *y, size_t ld)
{
    const struct result to = {0, b->run->g->b_planes, 1.0f, false, y, ld};
    multiply(b, &to);
}

/* Of the codes of the block's rows, by blocks of k. */
static const int32_t *sums_of(const struct block *b)
{
    return b->sums + (b->row - b->base) * b->run->g->blocks;
}

/* Floats of all blocks of a plane. */
static void look_up_blocks(struct block *b, size_t i, const float *coef, float *y)
{
    const struct qnt__bits_product *g = b->run->g;
    const struct qnt__look_up_blocks f = {.bits = look_up_of(b, i, b->acc),
                                          .blocks = g->blocks,
                                          .block = g->k / g->blocks / 64,
                                          .sums = sums_of(b),
                                          .coef = coef,
                                          .coef_ld = NARROW,
                                          .y = y,
                                          .y_ld = NARROW,
                                          .add = i > 0};
    g->context->simd.look_up_blocks(&f);
}

/* The same of a plane and each plane of signs of a, or the one of numbers. */
static void count_blocks(struct block *b, size_t i, const float *coef, float *y)
{
    const struct qnt__bits_product *g = b->run->g;
    for (size_t j = 0; j < g->a_planes; j++) {
        const struct qnt__count_blocks f = {.bits = count_of(b, i, j, 1, NULL),
                                            .blocks = g->blocks,
                                            .block = g->k / g->blocks / 64,
                                            .sums = g->signs ? NULL : sums_of(b),
                                            .by = g->signs ? g->a_coef[j] : 1.0f,
                                            .coef = coef,
                                            .coef_ld = NARROW,
                                            .y = y,
                                            .y_ld = NARROW,
                                            .add = i + j > 0};
        g->context->simd.count_blocks(&f);
    }
}

/* Floats of all blocks of plane after plane. */
static void run_blocks(struct block *b)
{
    const struct qnt__bits_product *g = b->run->g;
    float *y = (float *)(void *)b->part;
    for (size_t i = 0; i < g->b_planes; i++) {
        const float *coef = b->block_coef + i * g->blocks * NARROW;
        if (b->run->path == QNT__BITS_COUNT)
            count_blocks(b, i, coef, y);
        else look_up_blocks(b, i, coef, y);
    }
    for (size_t r = 0; r < b->m; r++) {
        int64_t at = (int64_t)(b->row + r) * g->c.strides[0] + (int64_t)b->column * g->c.strides[1];
        const float *row = y + r * NARROW;
        if (g->c.strides[1] == 1) memcpy(g->c.data + 4 * at, row, b->n * sizeof *row);
        for (size_t c = 0; g->c.strides[1] != 1 && c < b->n; c++, at += g->c.strides[1])
            memcpy(g->c.data + 4 * at, &row[c], sizeof *row);
    }
}

/* May slots write the result where it belongs? They take rows of aligned numbers. */
static bool in_rows(const struct qnt__view *c)
{
    return c->strides[1] == 1 && c->strides[0] >= 0 && (uintptr_t)c->data % sizeof(float) == 0;
}

static void scatter(const struct block *b)
{
    const struct qnt__view *c = &b->run->g->c;
    for (size_t r = 0; r < b->m; r++) {
        int64_t at = (int64_t)(b->row + r) * c->strides[0] + (int64_t)b->column * c->strides[1];
        for (size_t j = 0; j < b->n; j++, at += c->strides[1])
            memcpy(c->data + 4 * at, &b->tile[b->doubles[j]][r * b->run->task_columns + j], 4);
    }
}

static void run_block(struct block *b)
{
    if (b->run->g->blocks > 1) {
        run_blocks(b);
        return;
    }
    const struct qnt__view *c = &b->run->g->c;
    bool direct = in_rows(c) && (b->doubling == 0 || b->doubling == b->n);
    int64_t at = (int64_t)b->row * c->strides[0] + (int64_t)b->column;
    uint32_t *to = (uint32_t *)(void *)(c->data + 4 * at);
    size_t ld = direct ? (size_t)c->strides[0] : b->run->task_columns;
    if (b->doubling < b->n) run_separately(b, direct ? to : b->tile[0], ld);
    if (b->doubling > 0) run_combined(b, direct ? to : b->tile[1], ld);
    if (!direct) scatter(b);
}

/* ---- tasks ---- */

/* Of n columns, from element `at` on. */
static void copy_coefs(const struct qnt__view *v, int64_t at, size_t n, float *to)
{
    const int64_t step = v->strides[0];
    if (step == 1) memcpy(to, v->data + 4 * at, n * sizeof *to);
    for (size_t c = 0; step != 1 && c < n; c++)
        memcpy(&to[c], v->data + 4 * (at + (int64_t)c * step), sizeof *to);
}

/* Coefficients next to each other by columns; those behind the last column are 0. */
static void load_blocks(struct block *b)
{
    const struct qnt__bits_product *g = b->run->g;
    const struct qnt__view *v = &g->b_coef;
    const size_t rows = g->b_planes * g->blocks;
    for (size_t i = 0; i < rows; i++) {
        const size_t plane = i / g->blocks, block = i % g->blocks;
        float *to = b->block_coef + i * NARROW;
        int64_t at = (int64_t)b->column * v->strides[0] + (int64_t)block * v->strides[1] +
                     (int64_t)plane * v->strides[2];
        copy_coefs(v, at, b->n, to);
        for (size_t c = b->n; c < NARROW; c++) to[c] = 0;
    }
}

/* Of one plane; 1 where there are none. */
static void load_coefs(const struct block *b, size_t plane, float *to)
{
    const struct qnt__bits_product *g = b->run->g;
    const struct qnt__view *v = &g->b_coef;
    if (g->has_b_coef) {
        copy_coefs(v, (int64_t)b->column * v->strides[0] + (int64_t)plane * v->strides[v->ndim - 1],
                   b->n, to);
    } else {
        for (size_t c = 0; c < b->n; c++) to[c] = 1.0f;
    }
}

static void load_ones(const struct block *b, size_t plane, int32_t *to)
{
    const struct qnt__bits_product *g = b->run->g;
    const uint64_t *set = plane_of(b, plane) + g->words * QNT__PANEL;
    for (size_t p = 0; p < panels_of(b); p++, set += panel_words(g), to += QNT__PANEL) {
        for (size_t c = 0; c < QNT__PANEL; c++) to[c] = (int32_t)set[c];
    }
}

static void load_columns(struct block *b)
{
    const struct run *r = b->run;
    const struct qnt__bits_product *g = r->g;
    if (g->blocks > 1) {
        load_blocks(b);
        return;
    }
    for (size_t i = 0; i < g->b_planes; i++) {
        load_coefs(b, i, b->coef[i]);
        if (r->path == QNT__BITS_COUNT) load_ones(b, i, b->ones[i]);
    }
    for (size_t c = 0; r->combine && c < b->n; c++) {
        b->doubles[c] = qnt__bits_doubling(g, b->column + c);
        b->doubling += b->doubles[c];
    }
}

/* The memory of a worker, and rows whose form is at place `at`. */
static void open_block(const struct run *r, size_t worker, size_t base, size_t at, struct block *b)
{
    b->run = r;
    b->rows = r->rows + at * r->row_bytes;
    b->sums = r->sums + at * r->g->blocks;
    b->base = base;
    b->acc = r->acc + worker * r->acc_count;
    b->part = b->acc + r->acc_count / 2;
    b->cells = (void *)b->part;
    b->block_coef = r->coef + worker * r->coef_count;
}

/* Some rows, and the columns of a task. */
static void run_columns(struct block *b, size_t first, size_t end, size_t column)
{
    const struct run *r = b->run;
    const struct qnt__bits_product *g = r->g;
    b->column = column;
    b->n = qnt__min(g->n - column, r->task_columns);
    b->doubling = 0;
    memset(b->doubles, 0, sizeof b->doubles);
    load_columns(b);
    bool tiles = !in_rows(&g->c) || (b->doubling > 0 && b->doubling < b->n);
    size_t rows = r->task_rows;
    if (tiles && g->blocks == 1) rows = qnt__min(rows, TILE / r->task_columns);
    for (b->row = first; b->row < end; b->row += b->m) {
        b->m = qnt__min(end - b->row, rows);
        run_block(b);
    }
}

static void run_task(void *task, size_t index, size_t worker)
{
    const struct run *r = task;
    size_t column_tasks = qnt__ceil_div(r->g->n, r->task_columns);
    size_t first = r->first + index / column_tasks * r->task_rows;
    struct block b;
    open_block(r, worker, r->first, 0, &b);
    run_columns(&b, first, qnt__min(r->end, first + r->task_rows),
                index % column_tasks * r->task_columns);
}

/* Rows and a part of the columns, from the rows' form on, which stays in the worker's cache. */
static void run_own_rows(void *task, size_t index, size_t worker)
{
    const struct run *r = task;
    const size_t first = index / r->parts * r->task_rows, part = index % r->parts,
                 end = qnt__min(first + r->task_rows, r->g->m), at = worker * r->task_rows;
    const size_t pieces = qnt__ceil_div(r->g->n, r->task_columns);
    struct block b;
    prepare_rows(r, first, end, at);
    open_block(r, worker, first, at, &b);
    for (size_t p = pieces * part / r->parts; p < pieces * (part + 1) / r->parts; p++)
        run_columns(&b, first, end, p * r->task_columns);
}

/* Slab by slab, so that memory does not grow with the rows. */
static qnt_status run_slabs(struct run *r, size_t slab)
{
    const struct qnt__bits_product *g = r->g;
    for (r->first = 0; r->first < g->m; r->first = r->end) {
        r->end = qnt__min(g->m, r->first + slab);
        size_t rows = r->end - r->first;
        size_t tasks = qnt__ceil_div(rows, r->task_rows) * qnt__ceil_div(g->n, r->task_columns);
        QNT__TRY(qnt__parallel(g->context, prepare_slab, r, qnt__ceil_div(rows, QNT__BLOCK_ROWS)));
        QNT__TRY(qnt__parallel(g->context, run_task, r, tasks));
    }
    return QNT_OK;
}

struct qnt__bits_share qnt__bits_share(size_t rows, size_t row_bytes, size_t workers)
{
    size_t most = qnt__max(qnt__min(ROW_CACHE / row_bytes / 4 * 4, QNT__TABLE_ROWS), 4);
    size_t tasks = qnt__ceil_div(qnt__max(rows, 1), most);
    struct qnt__bits_share s = {.parts = tasks < workers ? qnt__ceil_div(workers, tasks) : 1};
    if (tasks > workers) tasks = qnt__round_up(tasks, workers);
    s.rows = qnt__min(qnt__round_up(qnt__ceil_div(qnt__max(rows, 1), tasks), 2), most);
    return s;
}

/* Rows of bytes that share a pass over the planes: as many as stay in a cache, but tasks enough. */
static size_t rows_of_bytes(const struct run *r)
{
    const struct qnt__bits_product *g = r->g;
    const size_t workers = g->context->workers, columns = qnt__ceil_div(g->n, NARROW);
    size_t most = qnt__min(ROW_CACHE / r->row_bytes, ROWS), tasks = 1;
    if (workers > 1) tasks = qnt__ceil_div(4, qnt__ceil_div(columns, workers));
    most = qnt__min(most, qnt__ceil_div(g->m, tasks));
    return qnt__max(qnt__round_up(most, QNT__BLOCK_ROWS), LEAST_ROWS);
}

/* Tasks enough, but no fewer than 64 rows, or tables are most of the work. */
size_t qnt__bits_adder_rows(size_t rows, size_t columns, size_t workers)
{
    const size_t pieces = qnt__ceil_div(columns, COLUMNS);
    size_t tasks = qnt__ceil_div(rows, QNT__ADDER_ROWS);
    if (workers > 1) tasks = qnt__max(tasks, qnt__ceil_div(4, qnt__ceil_div(pieces, workers)));
    return qnt__max(qnt__ceil_div(rows, tasks), 64);
}

/* Rows whose tables, and columns whose indices, are used again and again. */
static void size_tasks(struct run *r)
{
    const struct qnt__bits_product *g = r->g;
    r->task_rows = r->path == QNT__BITS_BYTES ? rows_of_bytes(r)
                   : r->path == QNT__BITS_ADDERS
                       ? qnt__bits_adder_rows(g->m, g->n, g->context->workers)
                       : QNT__TABLE_ROWS;
    r->task_columns = r->path == QNT__BITS_ADDERS ? COLUMNS
                      : r->path == QNT__BITS_SIX  ? QNT__SIX_PANELS * QNT__PANEL
                                                  : NARROW;
    if (r->path != QNT__BITS_SIX) return;
    const struct qnt__bits_share share = qnt__bits_share(g->m, r->row_bytes, g->context->workers);
    r->task_rows = share.rows;
    r->parts = share.parts;
}

static qnt_status run_all(struct run *r, size_t slab)
{
    if (r->parts == 0) return run_slabs(r, slab);
    size_t tasks = qnt__ceil_div(r->g->m, r->task_rows) * r->parts;
    return qnt__parallel(r->g->context, run_own_rows, r, tasks);
}

qnt_status qnt__bits_run(const struct qnt__bits_product *g, enum qnt__bits_path path)
{
    struct run r = {.g = g, .path = path, .combine = qnt__bits_combine(g)};
    r.row_bytes = qnt__bits_row_bytes(g, path) + PAD; /* k is at most 2^23 */
    size_tasks(&r);
    size_t slab = qnt__max(SLAB_BYTES / r.row_bytes, 1);
    if (slab > r.task_rows) slab -= slab % r.task_rows;
    slab = r.parts ? r.task_rows * g->context->workers : qnt__min(slab, g->m);
    size_t acc_rows = qnt__min(slab, r.task_rows), sums = slab * g->blocks, bytes, coefs, accs;
    r.acc_count = 2 * acc_rows * r.task_columns;
    if (path == QNT__BITS_BYTES) {
        if (g->words <= CELL_WORDS) acc_rows = QNT__BLOCK_ROWS; /* finished at once */
        r.acc_count = 2 * qnt__max(acc_rows * NARROW, NARROW * CELL_WORDS * 64 / sizeof *r.acc);
    }
    if (g->blocks > 1) r.coef_count = g->b_planes * g->blocks * NARROW;
    bool fits = qnt__mul(r.acc_count * sizeof *r.acc, g->context->workers, &accs) &&
                qnt__mul(r.coef_count * sizeof *r.coef, g->context->workers, &coefs) &&
                qnt__add(accs, slab * r.row_bytes + sums * sizeof *r.sums, &bytes) &&
                qnt__add(bytes, coefs, &bytes);
    void *block;
    if (!fits)
        return qnt__fail(g->context, QNT_E_NOMEM, "memory of %zu workers overflows",
                         g->context->workers);
    QNT__TRY(qnt__allocate(g->context, &g->context->memory, bytes, &block));
    r.rows = block;
    r.acc = (void *)(r.rows + slab * r.row_bytes);
    r.sums = r.acc + accs / sizeof *r.acc;
    r.coef = (void *)(r.sums + sums);
    qnt_status status = run_all(&r, slab);
    qnt__free(&g->context->memory, block, bytes);
    return status;
}
