/* Products of planes that are merged to bytes and multiplied like any int8 matrix. */
#include "base/arith.h"
#include "bits_block.h"

enum {
    NARROW = QNT__BITS_NARROW,
    CELL_WORDS = QNT__BITS_CELL_WORDS,
    CELL_BYTES = QNT__BITS_CELL_BYTES
};

/* acc = or += twelve rows at most times the cells of some words. */
static void multiply_cells(struct qnt__bits_block *b, size_t row, size_t m, size_t word,
                           size_t words, struct qnt__results results, int32_t *acc)
{
    const struct qnt__bits_product *g = b->job->g;
    const uint8_t *rows[QNT__BLOCK_ROWS];
    const ptrdiff_t tap = 0;
    int32_t part[QNT__BLOCK_ROWS * NARROW];
    for (size_t r = 0; r < m; r++) rows[r] = qnt__bits_row(b, row + r) + 64 * word;
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = b->cells,
                                   .acc = word ? part : acc,
                                   .m = m,
                                   .panels = qnt__bits_panels(b),
                                   .tap_count = 1,
                                   .depth = 64 * words,
                                   .panel_bytes = CELL_BYTES * words,
                                   .ld = NARROW,
                                   .bits = 8,
                                   .results = results};
    g->context->simd.gemm_s8(&gemm);
    if (word) g->context->simd.add_s32(acc, part, m * NARROW, 0, acc);
}

/* Some words of a panel as cells; behind them come those of the next panel. */
static void expand(const struct qnt__bits_block *b, const struct qnt__bits_result *to, size_t panel,
                   size_t word, size_t words, uint8_t *cells)
{
    const struct qnt__bits_product *g = b->job->g;
    const struct qnt__expand_bits e = {.b = qnt__bits_plane(b, to->plane) +
                                            panel * qnt__bits_panel_words(g),
                                       .b_plane = (g->words + 1) * QNT__PANEL,
                                       .first = word,
                                       .words = words,
                                       .planes = to->planes,
                                       .ahead = qnt__bits_panel_words(g),
                                       .cells = cells};
    g->context->simd.expand_bits(&e);
}

/* Planes merged to bytes. A few rows at a time are finished as soon as they can be: their sums are in
 * the first-level cache, and their stores go on while the next rows are multiplied. */
void qnt__bits_multiply_bytes(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    const struct qnt__bits_product *g = b->job->g;
    for (size_t word = 0; word < g->words; word += CELL_WORDS) {
        const size_t words = qnt__min(g->words - word, CELL_WORDS);
        for (size_t p = 0; p < qnt__bits_panels(b); p++)
            expand(b, to, p, word, words, b->cells + p * CELL_BYTES * words);
        for (size_t row = 0; row < b->m; row += QNT__BLOCK_ROWS) {
            const size_t m = qnt__min(b->m - row, QNT__BLOCK_ROWS);
            int32_t *acc = b->acc + (words < g->words ? row * NARROW : 0);
            const bool last = word + words == g->words;
            const struct qnt__bits_piece piece = {
                .acc = acc, .ld = NARROW, .row = row, .apart = 1, .m = m, .n = b->n};
            multiply_cells(b, row, m, word, words,
                           last ? qnt__bits_results(to, &piece) : (struct qnt__results){0}, acc);
            if (last) qnt__bits_finish(b, to, &piece);
        }
    }
}
