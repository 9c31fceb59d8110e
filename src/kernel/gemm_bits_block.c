/*
 * One block of a product of bit planes: integers of plane after plane, or of all planes together
 * (gemm_bits_sums.c), of which floats are made (gemm_bits_finish.c).
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

/* What becomes of sums. */
struct taker {
    struct qnt__bits_block *b;
    const struct qnt__bits_result *to;
};

static void take(void *state, const struct qnt__bits_piece *piece)
{
    const struct taker *t = state;
    qnt__bits_finish(t->b, t->to, piece);
}

/* All rows of the block and `planes` planes from plane i on. */
static struct qnt__bits_sums sums_of(struct qnt__bits_block *b, size_t i, size_t planes)
{
    const struct qnt__bits_product *g = b->job->g;
    struct qnt__bits_sums s = {.simd = &g->context->simd,
                               .path = b->job->path,
                               .rows = qnt__bits_row(b, 0),
                               .row_bytes = b->job->row_bytes,
                               .m = b->m,
                               .codes = b->sums + (b->row - b->base) * g->blocks,
                               .a_planes = g->a_planes,
                               .words = g->words,
                               .b = qnt__bits_plane(b, i),
                               .b_panel = qnt__bits_panel_words(g),
                               .panels = qnt__bits_panels(b),
                               .n = b->n,
                               .planes = planes,
                               .acc = b->acc,
                               .part = b->part,
                               .cells = b->cells,
                               .ld = b->job->task_columns};
    s.ahead = qnt__bits_ahead(&s, i, g->b_planes, b->column + b->n == g->n);
    return s;
}

/* The same of plane j of signs. */
static struct qnt__bits_sums sums_of_signs(struct qnt__bits_block *b, size_t i, size_t j)
{
    struct qnt__bits_sums s = sums_of(b, i, 1);
    s.rows += j * s.words * sizeof(uint64_t);
    s.a_planes = 1;
    s.shift = 1;
    return s;
}

/* Forms sums and makes results of them. */
static void form(struct qnt__bits_block *b, struct qnt__bits_sums *s,
                 const struct qnt__bits_result *to)
{
    struct taker t = {b, to};
    const struct qnt__bits_piece all = {.n = b->n, .apart = 1};
    s->results = qnt__bits_results(to, &all);
    s->take = take;
    s->state = &t;
    qnt__bits_form(s);
}

static void multiply(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    if (b->job->path == QNT__BITS_STRASSEN) {
        qnt__bits_multiply_strassen(b, to);
        return;
    }
    struct qnt__bits_sums s = sums_of(b, to->plane, to->planes);
    form(b, &s, to);
}

/* Plane after plane. */
static void run_separately(struct qnt__bits_block *b, uint32_t *y, size_t ld)
{
    const struct qnt__bits_product *g = b->job->g;
    for (size_t i = 0; i < g->b_planes; i++) {
        for (size_t j = 0; g->signs && j < g->a_planes; j++) {
            const struct qnt__bits_result to = {i, 1, g->a_coef[j], i + j > 0, y, ld};
            struct qnt__bits_sums s = sums_of_signs(b, i, j);
            form(b, &s, &to);
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

/* Floats of all blocks of a plane. */
static void look_up_blocks(struct qnt__bits_block *b, size_t i, const float *coef, float *y)
{
    const struct qnt__bits_product *g = b->job->g;
    const struct qnt__bits_sums s = sums_of(b, i, 1);
    const struct qnt__look_up_blocks f = {.bits = qnt__bits_looking_up(&s),
                                          .blocks = g->blocks,
                                          .block = g->k / g->blocks / 64,
                                          .sums = s.codes,
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
        const struct qnt__bits_sums s = sums_of_signs(b, i, j);
        const struct qnt__count_blocks f = {.bits = qnt__bits_counting(&s),
                                            .blocks = g->blocks,
                                            .block = g->k / g->blocks / 64,
                                            .sums = g->signs ? NULL : s.codes,
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
