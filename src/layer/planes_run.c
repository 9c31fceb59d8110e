/*
 * Runs layers whose weights are planes of signs. The input codes of some rows get the form of the
 * path (kernel/bits.h) once for all outputs (planes_rows.c); tasks of 64 to 512 outputs form the
 * integers, and the epilogue is that of integer panels.
 *
 * With T the sum of a row's codes where the bit of a plane is 1, S the sum of all of them, and D
 * the bits in which the plane differs from those of the codes, each weighted by the power of two of
 * its place, the product of signs and codes is
 *
 *     2 T - S                                       tables, adders
 *     D' - (2^bits - 1) (64 words - P)              counting, D' with the codes' bits turned over
 *
 * where P is the number of ones of the plane: so both are what a slot gives, less a constant. Signs
 * as input are bits a that stand for 2 a - 1: twice the product, less the sum of the weights.
 */
#include "base/arith.h"
#include "base/carve.h"
#include "base/try.h"
#include "planes.h"

enum {
    NARROW = QNT__BLOCK_PANELS * QNT__PANEL,  /* of an epilogue */
    COLUMNS = QNT__ADDER_PANELS * QNT__PANEL, /* most of a task */
    BYTE_ROWS = 256,                          /* that share planes which became bytes */
    CHUNK_WORDS = 8,                          /* of planes that become bytes together */
    CELL_BYTES = 1024,                        /* of a word of a panel as bytes */
    SLAB_BYTES = 1 << 22,
    PAD = 64 /* rows a power of two apart would meet in the same sets of a cache */
};

/* What a task works on. */
struct piece {
    const struct qnt__run *run;
    uint8_t *scratch;
    size_t panel, panels;  /* of the layer */
    size_t group, done, n; /* outputs of the group before it, and of it */
    size_t row, m;
    int32_t *acc, *part; /* [m][ld] */
    size_t ld;
    const int32_t *row_constant; /* [m] of the slab, or NULL */
    uint32_t constant[QNT__BITS_PLANES][COLUMNS];
};

/* ---- the plan ---- */

static size_t row_bytes(const struct qnt__run *run, size_t words)
{
    switch (run->planes.path) {
    case QNT__BITS_COUNT: return 8 * (size_t)qnt__planes_code_bits(run) * words;
    case QNT__BITS_TABLE: return (qnt__planes_two_digits(run) ? 2u : 1u) * QNT__CODE_TABLES * words;
    case QNT__BITS_SIX: return 64 * QNT__SIXES * words;
    case QNT__BITS_ADDERS:
        return (size_t)qnt__planes_code_bits(run) * qnt__adder_plane(words);
    default: return 64 * words;
    }
}

/* Rows that share a pass over the planes. */
static size_t task_rows(const struct qnt__run *run)
{
    if (run->planes.path == QNT__BITS_BYTES) return BYTE_ROWS;
    if (run->planes.path == QNT__BITS_SIX) return run->planes.own.rows;
    if (run->planes.path == QNT__BITS_ADDERS)
        return qnt__bits_adder_rows(run->rows, run->layer->shape.group_outputs,
                                    run->context->workers);
    return QNT__TABLE_ROWS;
}

static size_t task_panels(const struct qnt__run *run)
{
    if (run->planes.path == QNT__BITS_ADDERS) return QNT__ADDER_PANELS;
    return run->planes.path == QNT__BITS_SIX ? QNT__SIX_PANELS : QNT__BLOCK_PANELS;
}

bool qnt__planes_plan(struct qnt__run *run)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    struct qnt__planes *p = &run->planes;
    struct qnt__scratch *c = &run->scratch;
    p->words = qnt__bits_words(s->inputs);
    const struct qnt__bits_product product = {.context = run->context,
                                              .m = run->rows,
                                              .n = s->group_outputs,
                                              .k = s->inputs,
                                              .words = p->words,
                                              .a_planes = (size_t)qnt__planes_code_bits(run),
                                              .b_planes = 1,
                                              .blocks = 1};
    p->path = qnt__bits_choose(&product);
    p->row_bytes = row_bytes(run, p->words) + PAD;
    p->own = qnt__bits_share(run->rows, p->row_bytes, run->context->workers);
    size_t tasks = qnt__max(SLAB_BYTES / p->row_bytes / task_rows(run), 1);
    p->slab = qnt__min(tasks * task_rows(run), run->rows);
    if (p->path == QNT__BITS_SIX) p->slab = p->own.rows * run->context->workers;
    size_t sums = qnt__min(task_rows(run), run->rows) * task_panels(run) * QNT__PANEL;
    size_t cells = 0;
    if (p->path == QNT__BITS_BYTES) cells = QNT__BLOCK_PANELS * CHUNK_WORDS * CELL_BYTES;
    if (p->path == QNT__BITS_ADDERS)
        cells = qnt__min(task_rows(run), run->rows) * qnt__adder_row(p->words, product.a_planes, 1);
    return qnt__append(&c->end, sums, 4, &p->acc) && qnt__append(&c->end, sums, 4, &p->part) &&
           qnt__append(&c->end, 128, p->words, &p->codes) &&
           qnt__append(&c->end, cells, 1, &p->cells);
}

/* ---- integers ---- */

static const uint64_t *plane_at(const struct piece *p, size_t plane)
{
    const qnt_layer *layer = p->run->layer;
    const void *panel = layer->weight + p->panel * layer->shape.panel_bytes;
    return (const uint64_t *)panel + plane * (p->run->planes.words + 1) * QNT__PANEL;
}

static size_t panel_words(const struct piece *p)
{
    return p->run->layer->shape.panel_bytes / sizeof(uint64_t);
}

static void count(const struct piece *p, size_t plane, int shift, int32_t *acc)
{
    const struct qnt__planes *planes = &p->run->planes;
    const void *rows = qnt__planes_row(p->run, p->row);
    const struct qnt__gemm_bits g = {.a = rows,
                                     .a_row = planes->row_bytes / sizeof(uint64_t),
                                     .a_plane = planes->words,
                                     .b = plane_at(p, plane),
                                     .b_panel = panel_words(p),
                                     .acc = acc,
                                     .m = p->m,
                                     .panels = p->panels,
                                     .planes = (size_t)qnt__planes_code_bits(p->run),
                                     .words = planes->words,
                                     .shift = shift,
                                     .ld = p->ld};
    p->run->context->simd.gemm_bits(&g);
}

static void look_up(const struct piece *p, size_t plane, int32_t *acc)
{
    const struct qnt__planes *planes = &p->run->planes;
    bool two = qnt__planes_two_digits(p->run);
    const struct qnt__look_up_bits g = {.tables = qnt__planes_row(p->run, p->row),
                                        .row = planes->row_bytes,
                                        .high = two ? planes->words * QNT__CODE_TABLES : 0,
                                        .b = plane_at(p, plane),
                                        .b_panel = panel_words(p),
                                        .acc = acc,
                                        .m = p->m,
                                        .panels = p->panels,
                                        .words = planes->words,
                                        .ld = p->ld,
                                        .bits = two ? QNT__LOW_DIGIT : qnt__planes_code_bits(p->run)};
    if (planes->path == QNT__BITS_SIX)
        p->run->context->simd.look_up_six(&g);
    else
        p->run->context->simd.look_up_bits(&g);
}

static void add_up(const struct piece *p, size_t plane, int32_t *acc)
{
    const struct qnt__planes *planes = &p->run->planes;
    const struct qnt__gemm_adders g = {.a = qnt__planes_row(p->run, p->row),
                                       .a_row = planes->row_bytes,
                                       .a_plane = qnt__adder_plane(planes->words),
                                       .b = plane_at(p, plane),
                                       .b_panel = panel_words(p),
                                       .sums = p->scratch + planes->cells,
                                       .m = p->m,
                                       .panels = p->panels,
                                       .planes = (size_t)qnt__planes_code_bits(p->run),
                                       .b_planes = 1,
                                       .words = planes->words,
                                       .ld = p->ld};
    p->run->context->simd.gemm_adders(&g);
    p->run->context->simd.read_adders(&g, 0, p->m, NULL, acc);
}

/* Some words of twelve rows at most times bytes; sums go on from word 0. */
static void multiply_cells(const struct piece *p, const uint8_t *cells, size_t row, size_t word,
                           size_t words, int32_t *acc)
{
    const struct qnt__simd *simd = &p->run->context->simd;
    const uint8_t *rows[QNT__BLOCK_ROWS];
    const ptrdiff_t tap = 0;
    int32_t part[QNT__BLOCK_ROWS * NARROW];
    size_t m = qnt__min(p->m - row, QNT__BLOCK_ROWS);
    for (size_t i = 0; i < m; i++) rows[i] = qnt__planes_row(p->run, p->row + row + i) + 64 * word;
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = cells,
                                   .acc = word ? part : acc,
                                   .m = m,
                                   .panels = p->panels,
                                   .tap_count = 1,
                                   .depth = 64 * words,
                                   .panel_bytes = CELL_BYTES * words,
                                   .ld = NARROW,
                                   .bits = 8};
    simd->gemm_s8(&gemm);
    if (word) simd->add_s32(acc, part, m * NARROW, 0, acc);
}

static void multiply_bytes(const struct piece *p, size_t plane, int32_t *acc)
{
    const size_t all = p->run->planes.words;
    uint8_t *cells = p->scratch + p->run->planes.cells;
    for (size_t word = 0; word < all; word += CHUNK_WORDS) {
        size_t words = qnt__min(all - word, CHUNK_WORDS);
        for (size_t i = 0; i < p->panels; i++) {
            const struct qnt__expand_bits e = {.b = plane_at(p, plane) + i * panel_words(p),
                                               .first = word,
                                               .words = words,
                                               .planes = 1,
                                               .cells = cells + i * CELL_BYTES * words};
            p->run->context->simd.expand_bits(&e);
        }
        for (size_t row = 0; row < p->m; row += QNT__BLOCK_ROWS)
            multiply_cells(p, cells, row, word, words, acc + row * NARROW);
    }
}

/* The product of a plane and the codes, times 2^shift, plus constants. */
static void multiply(const struct piece *p, size_t plane, int shift, int32_t *acc)
{
    switch (p->run->planes.path) {
    case QNT__BITS_COUNT: count(p, plane, shift, acc); return;
    case QNT__BITS_BYTES: multiply_bytes(p, plane, acc); break;
    case QNT__BITS_ADDERS: add_up(p, plane, acc); break;
    default: look_up(p, plane, acc); break;
    }
    for (size_t i = 0; shift && i < p->m * p->ld; i++) acc[i] = (int32_t)((uint32_t)acc[i] * 2);
}

/* ---- one number for all planes ---- */

static const int32_t *coef_at(const struct piece *p, size_t plane)
{
    const qnt_layer *layer = p->run->layer;
    return layer->coef + plane * layer->shape.columns + p->panel * QNT__PANEL;
}

static bool is_used(const struct piece *p, size_t plane)
{
    const int32_t *coef = coef_at(p, plane);
    for (size_t c = 0; c < p->panels * QNT__PANEL; c++) {
        if (coef[c] != 0) return true;
    }
    return false;
}

/* acc += coef (part - constants), modulo 2^32. */
static void add_plane(struct piece *p, size_t plane)
{
    uint32_t coef[COLUMNS] = {0};
    memcpy(coef, coef_at(p, plane), p->panels * QNT__PANEL * sizeof *coef);
    for (size_t i = 0; i < p->m; i++) {
        int32_t *acc = p->acc + i * p->ld;
        const int32_t *part = p->part + i * p->ld;
        uint32_t row = qnt__planes_tables(p->run) ? (uint32_t)p->row_constant[i] : 0;
        for (size_t c = 0; c < p->ld; c++) {
            uint32_t v = (uint32_t)part[c] - row - p->constant[plane][c];
            acc[c] = (int32_t)((uint32_t)acc[c] + coef[c] * v);
        }
    }
}

/* Coefficients are twice the weights, the products of signs as input half of the numbers asked for.
 */
static void sum_planes(struct piece *p)
{
    const struct qnt__layer_head *h = &p->run->layer->head;
    memset(p->acc, 0, p->m * p->ld * sizeof *p->acc);
    for (size_t i = 0; i < (size_t)h->weight_bits; i++) {
        if (!is_used(p, i)) continue;
        multiply(p, i, 0, p->part);
        add_plane(p, i);
    }
    for (size_t i = 0; !qnt__layer_takes_signs(h) && i < p->m * p->ld; i++) p->acc[i] /= 2;
}

/* The only plane, its constants left to the epilogue; outputs without a base are 0. */
static void take_plane(struct piece *p, int32_t constant[COLUMNS])
{
    const int32_t *coef = coef_at(p, 0);
    int shift = qnt__layer_takes_signs(&p->run->layer->head) ? 1 : 0;
    multiply(p, 0, shift, p->acc);
    for (size_t c = 0; c < p->ld; c++) constant[c] = (int32_t)(p->constant[0][c] << shift);
    for (size_t c = 0; c < p->n; c++) {
        if (coef[c] != 0) continue;
        constant[c] = 0;
        for (size_t i = 0; i < p->m; i++) p->acc[i * p->ld + c] = 0;
    }
}

/* ---- tasks ---- */

/* What slots give too much, for every column: a multiple of row_constant. */
static void find_constants(struct piece *p)
{
    const struct qnt__planes *planes = &p->run->planes;
    const uint32_t all = (1u << qnt__planes_code_bits(p->run)) - 1, places = (uint32_t)(64 * planes->words);
    for (size_t i = 0; i < (size_t)p->run->layer->head.weight_bits; i++) {
        const uint64_t *ones = plane_at(p, i) + planes->words * QNT__PANEL;
        for (size_t c = 0; c < p->ld; c++) {
            uint32_t set = 0;
            if (c < p->panels * QNT__PANEL)
                set = (uint32_t)ones[c / QNT__PANEL * panel_words(p) + c % QNT__PANEL];
            p->constant[i][c] = planes->path == QNT__BITS_COUNT ? all * (places - set)
                                : qnt__planes_tables(p->run)    ? 1
                                                                : 0;
        }
    }
}

/* The epilogue of some rows, as many outputs at a time as it takes. */
static void finish_rows(const struct piece *p, const struct qnt__rows *rows, const int32_t *constant)
{
    const struct qnt__run *run = p->run;
    const size_t at = rows->first_row - p->row,
                 output = p->group * run->layer->shape.group_outputs + p->done;
    const bool has_zero = run->dynamic || run->input_zero != 0;
    for (size_t c = 0; c < p->n; c += NARROW) {
        const size_t column = p->panel * QNT__PANEL + c;
        const struct qnt__block block = {.acc = p->acc + at * p->ld + c,
                                         .m = rows->m,
                                         .n = qnt__min(p->n - c, NARROW),
                                         .ld = p->ld,
                                         .first_row = rows->first_row,
                                         .row_step = 1,
                                         .column = column,
                                         .output = output + c,
                                         .a_zero = has_zero ? rows->zero : NULL,
                                         .w_sum = has_zero ? run->layer->sum + column : NULL,
                                         .a_sum = constant ? p->row_constant + at : NULL,
                                         .w_zero = constant ? constant + c : NULL,
                                         .scale = run->dynamic ? rows->scale : NULL};
        qnt__run_epilogue(run, p->scratch, &block);
    }
}

static void finish(const struct piece *p, const int32_t *constant)
{
    struct qnt__walk walk = qnt__rows_walk(p->run, qnt__planes_slice(p->run), p->row, p->row + p->m);
    struct qnt__rows rows;
    while (qnt__rows_next(&walk, &rows)) finish_rows(p, &rows, constant);
}

/* Some rows of a slab, and the outputs from a panel of the group on. */
static void run_piece(const struct qnt__run *run, size_t first, size_t end, size_t panel,
                      size_t worker)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t panels = task_panels(run);
    struct piece p = {.run = run, .scratch = qnt__run_scratch(run, worker)};
    int32_t constant[COLUMNS];
    bool one = run->layer->head.weight_bits == 1;
    p.group = run->planes.group;
    p.panel = p.group * s->group_panels + panel;
    p.panels = qnt__min(s->group_panels - panel, panels);
    p.ld = panels * QNT__PANEL;
    p.done = panel * QNT__PANEL;
    p.n = qnt__min(s->group_outputs - p.done, p.ld);
    p.acc = (void *)(p.scratch + run->planes.acc);
    p.part = (void *)(p.scratch + run->planes.part);
    find_constants(&p);
    p.row = first, p.m = end - first;
    p.row_constant = qnt__planes_sum(run, p.row);
    if (one) take_plane(&p, constant);
    else sum_planes(&p);
    finish(&p, one && run->planes.path != QNT__BITS_BYTES ? constant : NULL);
}

static size_t count_pieces(const struct qnt__run *run)
{
    return qnt__ceil_div(run->layer->shape.group_panels, task_panels(run));
}

static void run_task(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    const size_t pieces = count_pieces(run);
    size_t first = run->planes.first + index / pieces * task_rows(run);
    size_t end = qnt__min(run->planes.end, first + task_rows(run));
    run_piece(run, first, end, index % pieces * task_panels(run), worker);
}

/* Rows and a part of the outputs, from the rows' form on: the slab is the worker's own. */
static void run_own_rows(void *task, size_t index, size_t worker)
{
    struct qnt__run run = *(const struct qnt__run *)task;
    struct qnt__planes *p = &run.planes;
    const size_t parts = p->own.parts, part = index % parts, pieces = count_pieces(&run);
    run.places.rows += worker * p->own.rows * p->row_bytes;
    run.places.sums += worker * p->own.rows * sizeof(int32_t);
    p->first = index / parts * p->own.rows;
    p->end = qnt__min(p->first + p->own.rows, run.rows);
    for (size_t i = 0; i < qnt__ceil_div(p->end - p->first, QNT__BLOCK_ROWS); i++)
        qnt__planes_prepare(&run, i, worker);
    for (size_t i = pieces * part / parts; i < pieces * (part + 1) / parts; i++)
        run_piece(&run, p->first, p->end, i * task_panels(&run), worker);
}

/* Slab by slab, so that the workspace does not grow with the rows. */
static qnt_status run_slabs(struct qnt__run *run)
{
    struct qnt__planes *p = &run->planes;
    const size_t inputs = run->layer->shape.inputs, pieces = count_pieces(run);
    for (p->first = 0; p->first < run->rows; p->first = p->end) {
        p->end = qnt__min(run->rows, p->first + p->slab);
        size_t rows = p->end - p->first, work = rows * inputs;
        QNT__TRY(qnt__run_share(run, qnt__planes_prepare, qnt__ceil_div(rows, QNT__BLOCK_ROWS), work));
        size_t tasks = qnt__ceil_div(rows, task_rows(run)) * pieces;
        work = run->shared_bytes ? 0 : work * pieces;
        QNT__TRY(qnt__run_share(run, run_task, tasks, work));
    }
    return QNT_OK;
}

/* Group by group. */
qnt_status qnt__run_planes(struct qnt__run *run)
{
    struct qnt__planes *p = &run->planes;
    for (p->group = 0; p->group < run->g.groups; p->group++) {
        if (p->path != QNT__BITS_SIX) {
            QNT__TRY(run_slabs(run));
            continue;
        }
        size_t tasks = qnt__ceil_div(run->rows, p->own.rows) * p->own.parts;
        size_t work = run->shared_bytes ? 0 : run->rows * run->layer->shape.inputs * count_pieces(run);
        QNT__TRY(qnt__run_share(run, run_own_rows, tasks, work));
    }
    return QNT_OK;
}
