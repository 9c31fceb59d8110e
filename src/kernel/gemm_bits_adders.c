/*
 * Products by carry-save adders: sums of all rows and planes are binary digits until the end; then a few
 * rows at a time become integers and results, while they are in the first-level cache.
 */
#include "base/arith.h"
#include "bits_block.h"

enum { ROWS = QNT__BITS_ADDER_ROWS };

/* From plane i of the block to what is multiplied after `planes` planes: the next plane, or the planes of
 * the next columns. */
static size_t ahead_of(const struct qnt__bits_block *b, size_t i, size_t planes)
{
    const struct qnt__bits_product *g = b->job->g;
    const size_t plane = (g->words + 1) * QNT__PANEL;
    if (i + planes < g->b_planes) return planes * plane;
    if (b->column + b->n == g->n) return 0;
    return qnt__bits_panels(b) * qnt__bits_panel_words(g) - i * plane;
}

void qnt__bits_multiply_adders(struct qnt__bits_block *b, const struct qnt__bits_result *to)
{
    const struct qnt__bits_job *r = b->job;
    const struct qnt__bits_product *g = r->g;
    struct qnt__bits_piece piece = {
        .acc = b->acc, .ld = r->task_columns, .apart = 1, .m = b->m, .n = b->n};
    const struct qnt__gemm_adders adders = {.a = qnt__bits_row(b, 0),
                                            .a_row = r->row_bytes,
                                            .a_plane = qnt__adder_plane(g->words),
                                            .b = qnt__bits_plane(b, to->plane),
                                            .b_panel = qnt__bits_panel_words(g),
                                            .b_plane = (g->words + 1) * QNT__PANEL,
                                            .ahead = ahead_of(b, to->plane, to->planes),
                                            .sums = (void *)b->part,
                                            .results = qnt__bits_results(to, &piece),
                                            .m = b->m,
                                            .panels = qnt__bits_panels(b),
                                            .planes = g->a_planes,
                                            .b_planes = to->planes,
                                            .words = g->words,
                                            .ld = r->task_columns};
    g->context->simd.gemm_adders(&adders);
    for (; piece.row < b->m; piece.row += piece.m) {
        const int32_t *codes = b->sums + (b->row - b->base + piece.row);
        int32_t less[ROWS];
        piece.m = qnt__min(b->m - piece.row, ROWS);
        const struct qnt__results results = qnt__bits_results(to, &piece);
        qnt__ask_now(&results, 0, piece.m, 0, 1); /* from the second-level cache */
        for (size_t i = 0; i < piece.m; i++)
            less[i] = (int32_t)((uint32_t)codes[i] * ((1u << to->planes) - 1));
        g->context->simd.read_adders(&adders, piece.row, piece.m, less, b->acc);
        qnt__bits_finish(b, to, &piece);
    }
}
