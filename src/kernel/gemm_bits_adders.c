/*
 * Integers by carry-save adders: sums of all rows and planes are binary digits until the end; then a few
 * rows at a time become integers and results, while they are in the first-level cache.
 */
#include "bits_sums.h"

enum { ROWS = QNT__BITS_ADDER_ROWS };

void qnt__bits_form_by_adders(const struct qnt__bits_sums *s)
{
    const struct qnt__gemm_adders adders = {.a = s->rows,
                                            .a_row = s->row_bytes,
                                            .a_plane = qnt__adder_plane(s->words),
                                            .b = s->b,
                                            .b_panel = s->b_panel,
                                            .b_plane = qnt__bits_plane_words(s->words),
                                            .ahead = s->ahead,
                                            .sums = s->cells,
                                            .results = s->results,
                                            .m = s->m,
                                            .panels = s->panels,
                                            .planes = s->a_planes,
                                            .b_planes = s->planes,
                                            .words = s->words,
                                            .ld = s->ld};
    s->simd->gemm_adders(&adders);
    struct qnt__bits_piece piece = {.acc = s->acc, .ld = s->ld, .apart = 1, .n = s->n};
    for (; piece.row < s->m; piece.row += piece.m) {
        const int32_t *codes = s->codes + piece.row;
        const struct qnt__results results = qnt__bits_results_from(s, piece.row);
        int32_t less[ROWS];
        piece.m = qnt__min(s->m - piece.row, ROWS);
        qnt__ask_now(&results, 0, piece.m, 0, 1); /* from the second-level cache */
        for (size_t i = 0; i < piece.m; i++)
            less[i] = (int32_t)((uint32_t)codes[i] * ((1u << s->planes) - 1));
        s->simd->read_adders(&adders, piece.row, piece.m, less, s->acc);
        s->take(s->state, &piece);
    }
}
