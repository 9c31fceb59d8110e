/*
 * Products of planes that are merged to bytes, seven for eight (Strassen, "Gaussian Elimination is not
 * Optimal", 1969). Rows, columns and k are halved; with blocks A_ij of rows and k, B_ij of k and columns,
 *
 *     M_0 = (A_11 + A_22) (B_11 + B_22)    M_4 = (A_11 + A_12) B_22
 *     M_1 = (A_21 + A_22) B_11             M_5 = (A_21 - A_11) (B_11 + B_12)
 *     M_2 = A_11 (B_12 - B_22)             M_6 = (A_12 - A_22) (B_21 + B_22)
 *     M_3 = A_22 (B_21 - B_11)
 *
 *     C_11 = M_0 + M_3 - M_4 + M_6         C_12 = M_2 + M_4
 *     C_21 = M_1 + M_3                     C_22 = M_0 - M_1 + M_2 + M_5
 *
 * Codes have bits to spare, so sums and differences of two are bytes still, and integers are exact. A's
 * bytes are unsigned: the differences in M_5 and M_6 are raised by a constant, whose product with the
 * columns of B is an excess of C_22 and C_11 that ends where other constants end.
 *
 * The first half of the rows is every other one, from the first on: a pair of rows is the unit of a. The
 * halves of k are those of a chunk, for which the bytes of B are made once for all rows; products of other
 * chunks are added. What is missing where something is not even is 0.
 */
#include <string.h>

#include "base/arith.h"
#include "bits_block.h"

enum {
    PAIRS = QNT__BLOCK_ROWS, /* of rows that are multiplied at a time */
    SEVEN = 7,
    FOUR = 4,
    PRODUCTS = SEVEN * PAIRS * QNT__BITS_NARROW,
    CELL_BYTES = QNT__BITS_CELL_BYTES,
    HALF_WORDS = QNT__BITS_HALF_WORDS,
    APART = 5 * 64, /* operands a power of two apart would meet in the same sets of a cache */
    CELLS = SEVEN * (QNT__BLOCK_PANELS * HALF_WORDS * CELL_BYTES + APART)
};

/* A chunk of k of a block. */
struct chunk {
    struct qnt__bits_block *b;
    const struct qnt__bits_result *to;
    size_t word, half;  /* halves of k are `half` words from `word` and from `word` + half on */
    size_t panels;      /* of a half of the columns; the second one may have one less */
    size_t columns;     /* of these panels */
    size_t step;        /* from the sums of a block of C to those of the next one */
    int32_t *excess[2]; /* of columns of C_11, of C_22, of all chunks */
};

void qnt__bits_strassen_memory(const struct qnt__bits_product *g, size_t rows, size_t *acc,
                               size_t *cells)
{
    const bool several = g->words > 2 * HALF_WORDS;
    const size_t pairs = several ? qnt__max(qnt__ceil_div(rows, 2), PAIRS) : PAIRS;
    *acc = PRODUCTS + FOUR * pairs * QNT__BITS_NARROW;
    *cells = CELLS / sizeof(int32_t);
}

/* ---- the bytes of B ---- */

static size_t panel_bytes(const struct chunk *c)
{
    return c->half * CELL_BYTES;
}

/* Those that M_i takes, of a panel. */
static uint8_t *operand(const struct chunk *c, size_t i, size_t panel)
{
    return c->b->cells + (i * c->panels + panel) * panel_bytes(c) + i * APART;
}

/* Some words of both halves of k of a panel of both halves of the columns. */
static void form_words(const struct chunk *c, size_t panel, size_t word, size_t words)
{
    const struct qnt__bits_product *g = c->b->job->g;
    const size_t panels = qnt__bits_panels(c->b), high = c->word + c->half + word;
    const uint64_t *b = qnt__bits_plane(c->b, c->to->plane) + panel * qnt__bits_panel_words(g);
    const bool right = panel + c->panels < panels, low = high < g->words; /* is there any? */
    const uint64_t *other = right ? b + c->panels * qnt__bits_panel_words(g) : NULL;
    /* behind the last panels of both halves those of the next block */
    const size_t next = panel + 1 == c->panels ? c->panels + 1 : 1;
    struct qnt__expand_seven e = {.b = {b, other, low ? b : NULL, low ? other : NULL},
                                  .b_plane = (g->words + 1) * QNT__PANEL,
                                  .first = {c->word + word, high},
                                  .words = words,
                                  .planes = c->to->planes,
                                  .ahead = next * qnt__bits_panel_words(g)};
    for (size_t i = 0; i < SEVEN; i++) e.out[i] = operand(c, i, panel) + word * CELL_BYTES;
    g->context->simd.expand_seven(&e);
}

/* The last pair of words may be missing. */
static void form_operands(const struct chunk *c)
{
    const size_t end = c->word + 2 * c->half, all = c->b->job->g->words;
    const size_t held = c->half - (end > all ? end - all : 0);
    for (size_t p = 0; p < c->panels; p++) {
        if (held) form_words(c, p, 0, held);
        if (held < c->half) form_words(c, p, held, c->half - held);
    }
}

/* ---- products ---- */

/* M_i of m rows. */
static void multiply(const struct chunk *c, size_t i, const uint8_t *const *rows, size_t m,
                     int32_t *acc)
{
    const ptrdiff_t tap = 0;
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = operand(c, i, 0),
                                   .acc = acc,
                                   .m = m,
                                   .panels = c->panels,
                                   .tap_count = 1,
                                   .depth = 64 * c->half,
                                   .panel_bytes = panel_bytes(c),
                                   .ld = c->columns,
                                   .bits = 8};
    c->b->job->g->context->simd.gemm_s8(&gemm);
}

/* What a row of constants has as products. */
static void find_excess(const struct chunk *c)
{
    static const size_t raised[2] = {6, 5};
    uint8_t row[64 * HALF_WORDS];
    const uint8_t *rows = row;
    int32_t part[QNT__BITS_NARROW];
    memset(row, QNT__BITS_RAISE, 64 * c->half);
    for (size_t e = 0; e < 2; e++) {
        multiply(c, raised[e], &rows, 1, part);
        for (size_t j = 0; j < c->columns; j++)
            c->excess[e][j] =
                (int32_t)((uint32_t)part[j] + (c->word ? (uint32_t)c->excess[e][j] : 0));
    }
}

/* Pairs of rows, and where their sums are. */
struct pairs {
    size_t first, m;
    int32_t *sums;
};

/* A block of the result. */
static void finish(const struct chunk *c, const struct pairs *of, size_t i)
{
    struct qnt__bits_block *b = c->b;
    const size_t column = i % 2 * c->columns, row = 2 * of->first + i / 2;
    if (of->m == 0 || row >= b->m || column >= b->n) return;
    const struct qnt__bits_piece piece = {.acc = of->sums + i * c->step,
                                          .ld = c->columns,
                                          .row = row,
                                          .apart = 2,
                                          .m = qnt__min(of->m, qnt__ceil_div(b->m - row, 2)),
                                          .column = column,
                                          .n = qnt__min(b->n - column, c->columns),
                                          .excess = i == 0   ? c->excess[0]
                                                    : i == 3 ? c->excess[1]
                                                             : NULL};
    qnt__bits_finish(b, c->to, &piece);
}

/* Products of pairs of rows. Between them those before are finished, a block at a time: their stores
 * miss every cache and go on while others are multiplied. */
static void multiply_pairs(const struct chunk *c, const struct pairs *now,
                           const struct pairs *before)
{
    const struct qnt__bits_job *r = c->b->job;
    int32_t *products = c->b->acc;
    const size_t pitch = now->m * c->columns;
    for (size_t i = 0; i < SEVEN; i++) {
        const uint8_t *rows[PAIRS];
        for (size_t j = 0; j < now->m; j++)
            rows[j] = qnt__bits_row(c->b, 2 * (now->first + j)) + qnt__bits_half(r->g, i, c->word);
        multiply(c, i, rows, now->m, products + i * pitch);
        if (i < FOUR) finish(c, before, i);
    }
    const struct qnt__join_seven join = {.products = products,
                                         .pitch = pitch,
                                         .n = pitch,
                                         .sums = now->sums,
                                         .step = c->step,
                                         .add = c->word > 0};
    r->g->context->simd.join_seven(&join);
}

void qnt__bits_multiply_strassen(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    const size_t words = qnt__round_up(b->job->g->words, 4), pairs = qnt__ceil_div(b->m, 2);
    const bool several = words > 2 * HALF_WORDS;
    int32_t excess[2][QNT__BITS_NARROW], *sums = b->acc + PRODUCTS;
    struct chunk c = {.b = b, .to = to, .excess = {excess[0], excess[1]}};
    struct pairs before = {.m = 0};
    c.panels = qnt__ceil_div(qnt__bits_panels(b), 2);
    c.columns = c.panels * QNT__PANEL;
    c.step = (several ? pairs : PAIRS) * c.columns;
    for (; c.word < words; c.word += 2 * c.half) {
        c.half = qnt__min(words - c.word, 2 * HALF_WORDS) / 2;
        const bool last = c.word + 2 * c.half == words;
        form_operands(&c);
        find_excess(&c);
        for (size_t pair = 0; pair < pairs; pair += PAIRS) {
            const struct pairs now = {pair, qnt__min(pairs - pair, PAIRS),
                                      sums + (several ? pair * c.columns : 0)};
            multiply_pairs(&c, &now, &before);
            if (last) before = now;
        }
    }
    for (size_t i = 0; i < FOUR; i++) finish(&c, &before, i);
}
