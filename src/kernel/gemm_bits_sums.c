/* Integers of bit planes by counting and by tables, plane after plane of all rows; and what memory sums of
 * any way need. */
#include "bits_sums.h"

enum { NARROW = QNT__BLOCK_PANELS * QNT__PANEL, COLUMNS = QNT__ADDER_PANELS * QNT__PANEL };

size_t qnt__bits_acc(enum qnt__bits_path path, size_t rows, size_t words, size_t columns)
{
    if (path == QNT__BITS_ADDERS) return QNT__BITS_ADDER_ROWS * COLUMNS;
    if (path != QNT__BITS_BYTES) return rows * columns;
    return (words > QNT__BITS_CELL_WORDS ? rows : QNT__BLOCK_ROWS) * NARROW;
}

size_t qnt__bits_cells(enum qnt__bits_path path, size_t rows, size_t words, size_t a_planes,
                       size_t planes)
{
    if (path == QNT__BITS_ADDERS) return rows * qnt__adder_row(words, a_planes, planes);
    if (path != QNT__BITS_BYTES) return 0;
    return QNT__BLOCK_PANELS * qnt__min(words, QNT__BITS_CELL_WORDS) * QNT__BITS_CELL_BYTES;
}

struct qnt__gemm_bits qnt__bits_counting(const struct qnt__bits_sums *s)
{
    return (struct qnt__gemm_bits){.a = (const void *)s->rows,
                                   .a_row = s->row_bytes / sizeof(uint64_t),
                                   .a_plane = s->words,
                                   .b = s->b,
                                   .b_panel = s->b_panel,
                                   .acc = s->acc,
                                   .m = s->m,
                                   .panels = s->panels,
                                   .planes = s->a_planes,
                                   .words = s->words,
                                   .shift = s->shift,
                                   .ld = s->ld,
                                   .results = s->results};
}

struct qnt__look_up_bits qnt__bits_looking_up(const struct qnt__bits_sums *s)
{
    const bool two = s->a_planes > QNT__DIGIT_MOST;
    return (struct qnt__look_up_bits){.tables = s->rows,
                                      .row = s->row_bytes,
                                      .high = two ? s->words * QNT__CODE_TABLES : 0,
                                      .b = s->b,
                                      .b_panel = s->b_panel,
                                      .acc = s->acc,
                                      .m = s->m,
                                      .panels = s->panels,
                                      .words = s->words,
                                      .ld = s->ld,
                                      .bits = two ? QNT__LOW_DIGIT : (int)s->a_planes,
                                      .results = s->results};
}

/* A plane of as many panels as a slot takes. */
static void form_panels(const struct qnt__bits_sums *s)
{
    if (s->path == QNT__BITS_COUNT) {
        const struct qnt__gemm_bits g = qnt__bits_counting(s);
        s->simd->gemm_bits(&g);
        return;
    }
    const struct qnt__look_up_bits g = qnt__bits_looking_up(s);
    if (s->path == QNT__BITS_SIX)
        s->simd->look_up_six(&g);
    else
        s->simd->look_up_bits(&g);
}

static void form_plane(const struct qnt__bits_sums *s)
{
    const size_t most = s->path == QNT__BITS_SIX ? QNT__SIX_PANELS : QNT__BLOCK_PANELS;
    struct qnt__bits_sums part = *s;
    for (size_t panel = 0; panel < s->panels; panel += most) {
        part.panels = qnt__min(s->panels - panel, most);
        part.results.bytes = s->results.bytes * part.panels / s->panels;
        form_panels(&part);
        part.b += most * s->b_panel;
        part.acc += most * QNT__PANEL;
        if (part.results.at) part.results.at += part.results.bytes;
    }
}

static void form_planes(const struct qnt__bits_sums *s)
{
    struct qnt__bits_sums one = *s;
    for (size_t p = 0; p < s->planes; p++) {
        one.results = p + 1 < s->planes ? (struct qnt__results){0} : s->results;
        one.acc = p ? s->part : s->acc;
        form_plane(&one);
        if (p) s->simd->add_s32(s->acc, s->part, s->m * s->ld, (int)p, s->acc);
        one.b += qnt__bits_plane_words(s->words);
    }
    const struct qnt__bits_piece all = {
        .acc = s->acc, .ld = s->ld, .apart = 1, .m = s->m, .n = s->n};
    s->take(s->state, &all);
}

void qnt__bits_form(const struct qnt__bits_sums *s)
{
    if (s->path == QNT__BITS_BYTES)
        qnt__bits_form_of_bytes(s);
    else if (s->path == QNT__BITS_ADDERS)
        qnt__bits_form_by_adders(s);
    else
        form_planes(s);
}
