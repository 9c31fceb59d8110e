/*
 * One block of a product of bit planes: integers of plane after plane, or of all planes together, of which
 * floats are made (gemm_bits_finish.c).
 *
 * Counting: rows have the bits of their codes turned over, so that D, the bits in which two planes
 * differ, are those in which the codes agree; of the places of all words, padding counts as such.
 * Two planes of signs have the product 2 D - (2 places - K). A plane of bits, 0 or 1, is half a
 * plane of signs and half of ones; so its product with a plane of signs that has P ones is
 * D - (places - P). Planes of a number are weighted by powers of two while they are counted. What
 * differs as the codes are would be the product's negative, and 0 a negative zero.
 *
 * Tables: the sum T of the codes where the plane's bit is 1 makes 2 T - S of a row with the sum S. So do
 * adders, which take all planes at once (gemm_bits_adders.c).
 *
 * Bytes: planes with the weights 1, 2, 4, ... are one signed byte (gemm_bits_bytes.c), and seven products
 * may do for eight (gemm_bits_strassen.c).
 *
 * Blocks with coefficients of their own: tables, or counting of signs and of numbers of one bit, and the
 * slot makes floats of the integers of each.
 */
#include "base/arith.h"
#include "bits_block.h"

enum { NARROW = QNT__BITS_NARROW };

/* ---- integers ---- */

/* Bits in which plane i of b differs from `planes` planes of a from plane j. */
static struct qnt__gemm_bits count_of(const struct qnt__bits_block *b, size_t i, size_t j,
                                      size_t planes, int32_t *acc)
{
    const struct qnt__bits_product *g = b->job->g;
    return (struct qnt__gemm_bits){.a = (const uint64_t *)(const void *)qnt__bits_row(b, 0) +
                                        j * g->words,
                                   .a_row = b->job->row_bytes / sizeof(uint64_t),
                                   .a_plane = g->words,
                                   .b = qnt__bits_plane(b, i),
                                   .b_panel = qnt__bits_panel_words(g),
                                   .acc = acc,
                                   .m = b->m,
                                   .panels = qnt__bits_panels(b),
                                   .planes = planes,
                                   .words = g->words,
                                   .shift = g->signs ? 1 : 0,
                                   .ld = b->job->task_columns};
}

/* Results are what becomes of acc, or none. */
static void count(const struct qnt__bits_block *b, size_t i, size_t j, size_t planes,
                  struct qnt__results results, int32_t *acc)
{
    struct qnt__gemm_bits bits = count_of(b, i, j, planes, acc);
    bits.results = results;
    b->job->g->context->simd.gemm_bits(&bits);
}

static struct qnt__look_up_bits look_up_of(struct qnt__bits_block *b, size_t i, int32_t *acc)
{
    const struct qnt__bits_product *g = b->job->g;
    return (struct qnt__look_up_bits){
        .tables = qnt__bits_row(b, 0),
        .row = b->job->row_bytes,
        .high = qnt__bits_two_digits(g) ? g->words * QNT__CODE_TABLES : 0,
        .b = qnt__bits_plane(b, i),
        .b_panel = qnt__bits_panel_words(g),
        .acc = acc,
        .m = b->m,
        .panels = qnt__bits_panels(b),
        .words = g->words,
        .ld = b->job->task_columns,
        .bits = qnt__bits_two_digits(g) ? QNT__LOW_DIGIT : (int)g->a_planes};
}

static void look_up(struct qnt__bits_block *b, size_t i, struct qnt__results results, int32_t *acc)
{
    const struct qnt__bits_product *g = b->job->g;
    struct qnt__look_up_bits bits = look_up_of(b, i, acc);
    bits.results = results;
    if (b->job->path == QNT__BITS_SIX)
        g->context->simd.look_up_six(&bits);
    else
        g->context->simd.look_up_bits(&bits);
}

/* All rows of the block. */
static struct qnt__bits_piece all_of(const struct qnt__bits_block *b)
{
    return (struct qnt__bits_piece){
        .acc = b->acc, .ld = b->job->task_columns, .apart = 1, .m = b->m, .n = b->n};
}

/* b->acc = sum over p < planes of 2^p times the path's integers of plane p from the result's on, for all
 * ways but bytes and adders. */
static void sum_planes(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    const struct qnt__bits_product *g = b->job->g;
    const struct qnt__bits_piece all = all_of(b);
    for (size_t p = 0; p < to->planes; p++) {
        struct qnt__results results = {0};
        int32_t *acc = p ? b->part : b->acc;
        if (p + 1 == to->planes) results = qnt__bits_results(to, &all);
        if (b->job->path == QNT__BITS_COUNT)
            count(b, to->plane + p, 0, g->a_planes, results, acc);
        else
            look_up(b, to->plane + p, results, acc);
        if (p) g->context->simd.add_s32(b->acc, acc, b->m * b->job->task_columns, (int)p, b->acc);
    }
}

/* ---- results ---- */

static void finish(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    const struct qnt__bits_piece all = all_of(b);
    qnt__bits_finish(b, to, &all);
}

static void multiply(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    if (b->job->path == QNT__BITS_BYTES) {
        qnt__bits_multiply_bytes(b, to);
    } else if (b->job->path == QNT__BITS_STRASSEN) {
        qnt__bits_multiply_strassen(b, to);
    } else if (b->job->path == QNT__BITS_ADDERS) {
        qnt__bits_multiply_adders(b, to);
    } else {
        sum_planes(b, to);
        finish(b, to);
    }
}

/* Plane after plane. */
static void run_separately(struct qnt__bits_block *b, uint32_t *y, size_t ld)
{
    const struct qnt__bits_product *g = b->job->g;
    for (size_t i = 0; i < g->b_planes; i++) {
        for (size_t j = 0; g->signs && j < g->a_planes; j++) {
            const struct qnt__bits_result to = {i, 1, g->a_coef[j], i + j > 0, y, ld};
            const struct qnt__bits_piece all = all_of(b);
            count(b, i, j, 1, qnt__bits_results(&to, &all), b->acc);
            finish(b, &to);
        }
        const struct qnt__bits_result to = {i, 1, 1.0f, i > 0, y, ld};
        if (!g->signs) multiply(b, &to);
    }
}

/* All planes in integers. */
static void run_combined(struct qnt__bits_block *b, uint32_t *y, size_t ld)
{
    const struct qnt__bits_result to = {0, b->job->g->b_planes, 1.0f, false, y, ld};
    multiply(b, &to);
}

/* Of the codes of the block's rows, by blocks of k. */
static const int32_t *sums_of(const struct qnt__bits_block *b)
{
    return b->sums + (b->row - b->base) * b->job->g->blocks;
}

/* Floats of all blocks of a plane. */
static void look_up_blocks(struct qnt__bits_block *b, size_t i, const float *coef, float *y)
{
    const struct qnt__bits_product *g = b->job->g;
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
static void count_blocks(struct qnt__bits_block *b, size_t i, const float *coef, float *y)
{
    const struct qnt__bits_product *g = b->job->g;
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
static void run_blocks(struct qnt__bits_block *b)
{
    const struct qnt__bits_product *g = b->job->g;
    float *y = (float *)(void *)b->part;
    for (size_t i = 0; i < g->b_planes; i++) {
        const float *coef = b->block_coef + i * g->blocks * NARROW;
        if (b->job->path == QNT__BITS_COUNT)
            count_blocks(b, i, coef, y);
        else
            look_up_blocks(b, i, coef, y);
    }
    for (size_t r = 0; r < b->m; r++) {
        int64_t at = (int64_t)(b->row + r) * g->c.strides[0] + (int64_t)b->column * g->c.strides[1];
        const float *row = y + r * NARROW;
        if (g->c.strides[1] == 1) memcpy(g->c.data + 4 * at, row, b->n * sizeof *row);
        for (size_t c = 0; g->c.strides[1] != 1 && c < b->n; c++, at += g->c.strides[1])
            memcpy(g->c.data + 4 * at, &row[c], sizeof *row);
    }
}

static void scatter(const struct qnt__bits_block *b)
{
    const struct qnt__view *c = &b->job->g->c;
    for (size_t r = 0; r < b->m; r++) {
        int64_t at = (int64_t)(b->row + r) * c->strides[0] + (int64_t)b->column * c->strides[1];
        for (size_t j = 0; j < b->n; j++, at += c->strides[1])
            memcpy(c->data + 4 * at, &b->tile[b->doubles[j]][r * b->job->task_columns + j], 4);
    }
}

void qnt__bits_run_block(struct qnt__bits_block *b)
{
    if (b->job->g->blocks > 1) {
        run_blocks(b);
        return;
    }
    const struct qnt__view *c = &b->job->g->c;
    bool direct = qnt__bits_in_rows(c) && (b->doubling == 0 || b->doubling == b->n);
    int64_t at = (int64_t)b->row * c->strides[0] + (int64_t)b->column;
    uint32_t *to = (uint32_t *)(void *)(c->data + 4 * at);
    size_t ld = direct ? (size_t)c->strides[0] : b->job->task_columns;
    if (b->doubling < b->n) run_separately(b, direct ? to : b->tile[0], ld);
    if (b->doubling > 0) run_combined(b, direct ? to : b->tile[1], ld);
    if (!direct) scatter(b);
}
