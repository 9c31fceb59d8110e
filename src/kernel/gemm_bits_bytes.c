/* Integers of planes that are merged to bytes and multiplied like any int8 matrix. */
#include "bits_sums.h"

enum {
    NARROW = QNT__BLOCK_PANELS * QNT__PANEL,
    CELL_WORDS = QNT__BITS_CELL_WORDS,
    CELL_BYTES = QNT__BITS_CELL_BYTES
};

/* acc = or += twelve rows at most times the cells of some words. */
static void multiply_cells(const struct qnt__bits_sums *s, size_t row, size_t m, size_t word,
                           size_t words, struct qnt__results results, int32_t *acc)
{
    const uint8_t *rows[QNT__BLOCK_ROWS];
    const ptrdiff_t tap = 0;
    int32_t part[QNT__BLOCK_ROWS * NARROW];
    for (size_t r = 0; r < m; r++) rows[r] = s->rows + (row + r) * s->row_bytes + 64 * word;
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = s->cells,
                                   .acc = word ? part : acc,
                                   .m = m,
                                   .panels = s->panels,
                                   .tap_count = 1,
                                   .depth = 64 * words,
                                   .panel_bytes = CELL_BYTES * words,
                                   .ld = NARROW,
                                   .bits = 8,
                                   .results = results};
    s->simd->gemm_s8(&gemm);
    if (word) s->simd->add_s32(acc, part, m * NARROW, 0, acc);
}

/* Some words of a panel as cells; behind them come those of the next panel. */
static void expand(const struct qnt__bits_sums *s, size_t panel, size_t word, size_t words)
{
    const struct qnt__expand_bits e = {.b = s->b + panel * s->b_panel,
                                       .b_plane = qnt__bits_plane_words(s->words),
                                       .first = word,
                                       .words = words,
                                       .planes = s->planes,
                                       .ahead = s->b_panel,
                                       .cells = s->cells + panel * CELL_BYTES * words};
    s->simd->expand_bits(&e);
}

void qnt__bits_form_of_bytes(const struct qnt__bits_sums *s)
{
    for (size_t word = 0; word < s->words; word += CELL_WORDS) {
        const size_t words = qnt__min(s->words - word, CELL_WORDS);
        for (size_t p = 0; p < s->panels; p++) expand(s, p, word, words);
        for (size_t row = 0; row < s->m; row += QNT__BLOCK_ROWS) {
            const size_t m = qnt__min(s->m - row, QNT__BLOCK_ROWS);
            int32_t *acc = s->acc + (words < s->words ? row * NARROW : 0);
            const bool last = word + words == s->words;
            const struct qnt__bits_piece piece = {
                .acc = acc, .ld = NARROW, .row = row, .apart = 1, .m = m, .n = s->n};
            multiply_cells(s, row, m, word, words,
                           last ? qnt__bits_results_from(s, row) : (struct qnt__results){0}, acc);
            if (last) s->take(s->state, &piece);
        }
    }
}
