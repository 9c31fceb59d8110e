/*
 * Runs layers whose weights are planes of signs. The input codes of some rows get the form of the
 * path (kernel/bits.h) once for all outputs (planes_rows.c); tasks of 64 to 512 outputs form the
 * integers (kernel/bits_sums.h), and the epilogue is that of integer panels, for some rows at a time.
 *
 * With T the sum of a row's codes where the bit of a plane is 1, S the sum of all of them, and D
 * the bits in which the plane differs from those of the codes, each weighted by the power of two of
 * its place, the product of signs and codes is
 *
 *     2 T - S                                       tables
 *     D' - (2^bits - 1) (64 words - P)              counting, D' with the codes' bits turned over
 *
 * where P is the number of ones of the plane: so both are what a way finds, less a constant; adders and
 * bytes find the product. Signs as input are bits a that stand for 2 a - 1: twice the product, less the sum
 * of the weights.
 */
#include "base/arith.h"
#include "base/carve.h"
#include "base/try.h"
#include "kernel/bits_sums.h"
#include "planes.h"

enum {
    COLUMNS = QNT__ADDER_PANELS * QNT__PANEL, /* most of a task */
    BYTE_ROWS = 256,                          /* that share planes which became bytes */
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
    int32_t *acc; /* of one number for all planes, [m][ld] */
    size_t ld;
    size_t plane;         /* that is multiplied */
    bool last;            /* of those of the number */
    bool gaps;            /* are there outputs without a base? */
    const int32_t *codes; /* of rows: sums of their codes, or 1 when counting; nothing for bytes */
    uint32_t constant[QNT__BITS_PLANES][COLUMNS]; /* times that is what sums have too much */
};

/* ---- the plan ---- */

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
    const size_t columns = run->layer->shape.group_outputs;
    return qnt__bits_columns(run->planes.path, run->rows, columns, run->context->workers) /
           QNT__PANEL;
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
    p->row_bytes = qnt__bits_row_bytes(&product, p->path) + PAD;
    p->own = qnt__bits_share(run->rows, p->row_bytes, run->context->workers);
    size_t tasks = qnt__max(SLAB_BYTES / p->row_bytes / task_rows(run), 1);
    p->slab = qnt__min(tasks * task_rows(run), run->rows);
    if (p->path == QNT__BITS_SIX) p->slab = p->own.rows * run->context->workers;
    const size_t rows = qnt__min(task_rows(run), run->rows),
                 columns = task_panels(run) * QNT__PANEL;
    const size_t numbers = run->layer->head.weight_bits > 1 ? rows * columns : 0;
    return qnt__append(&c->end, numbers, 4, &p->acc) &&
           qnt__append(&c->end, qnt__bits_acc(p->path, rows, p->words, columns), 4, &p->part) &&
           qnt__append(&c->end, 128, p->words, &p->codes) &&
           qnt__append(&c->end, qnt__bits_cells(p->path, rows, p->words, product.a_planes, 1), 1,
                       &p->cells);
}

/* ---- integers ---- */

static const uint64_t *plane_at(const struct piece *p, size_t plane)
{
    const qnt_layer *layer = p->run->layer;
    const void *panel = layer->weight + p->panel * layer->shape.panel_bytes;
    return (const uint64_t *)panel + plane * qnt__bits_plane_words(p->run->planes.words);
}

static size_t panel_words(const struct piece *p)
{
    return p->run->layer->shape.panel_bytes / sizeof(uint64_t);
}

/* Where results of the piece go, if no others lie between the columns of a row. */
static struct qnt__results results_of(const struct piece *p)
{
    const struct qnt__run *run = p->run;
    const struct qnt__block all = {.n = p->n,
                                   .first_row = p->row,
                                   .row_step = 1,
                                   .output = p->group * run->layer->shape.group_outputs + p->done};
    return qnt__run_results(run, &all);
}

/* Forms the product of a plane and the codes, times 2^shift when counting, plus constants. */
static void multiply(struct piece *p, size_t plane, bool last, int shift,
                     void (*take)(void *, const struct qnt__bits_piece *))
{
    const struct qnt__run *run = p->run;
    const struct qnt__planes *planes = &run->planes;
    struct qnt__bits_sums s = {.simd = &run->context->simd,
                               .path = planes->path,
                               .rows = qnt__planes_row(run, p->row),
                               .row_bytes = planes->row_bytes,
                               .m = p->m,
                               .codes = p->codes,
                               .a_planes = (size_t)qnt__planes_code_bits(run),
                               .words = planes->words,
                               .b = plane_at(p, plane),
                               .b_panel = panel_words(p),
                               .panels = p->panels,
                               .n = p->n,
                               .planes = 1,
                               .shift = shift,
                               .acc = (void *)(p->scratch + planes->part),
                               .cells = p->scratch + planes->cells,
                               .ld = p->ld,
                               .take = take,
                               .state = p};
    const size_t panels = run->layer->shape.group_panels;
    s.ahead = qnt__bits_ahead(&s, plane, (size_t)run->layer->head.weight_bits,
                              p->done / QNT__PANEL + p->panels == panels);
    if (last) s.results = results_of(p);
    p->plane = plane;
    p->last = last;
    qnt__bits_form(&s);
}

/* ---- results ---- */

/* Do sums have constants too much? */
static bool has_constants(const struct piece *p)
{
    const enum qnt__bits_path path = p->run->planes.path;
    return path != QNT__BITS_ADDERS && path != QNT__BITS_BYTES;
}

/* What they have too much, for every column. */
static void find_constants(struct piece *p)
{
    const struct qnt__planes *planes = &p->run->planes;
    const uint32_t all = (1u << qnt__planes_code_bits(p->run)) - 1,
                   places = (uint32_t)(64 * planes->words);
    for (size_t i = 0; i < (size_t)p->run->layer->head.weight_bits; i++) {
        const uint64_t *ones = plane_at(p, i) + planes->words * QNT__PANEL;
        for (size_t c = 0; c < p->n; c++) {
            const uint32_t set = (uint32_t)ones[c / QNT__PANEL * panel_words(p) + c % QNT__PANEL];
            p->constant[i][c] = planes->path == QNT__BITS_COUNT ? all * (places - set) : 1;
        }
    }
}

/* The epilogue of rows of a piece, as many outputs at a time as it takes. */
static void finish_rows(const struct piece *p, const struct qnt__rows *rows,
                        const struct qnt__bits_piece *sums, const uint32_t *constant)
{
    const struct qnt__run *run = p->run;
    const size_t at = rows->first_row - p->row,
                 most = QNT__TILE / rows->m / QNT__PANEL * QNT__PANEL,
                 output = p->group * run->layer->shape.group_outputs + p->done;
    const bool has_zero = run->dynamic || run->input_zero != 0;
    for (size_t c = 0; c < p->n; c += most) {
        const size_t column = p->panel * QNT__PANEL + c;
        const struct qnt__block block = {.acc = sums->acc + (at - sums->row) * sums->ld + c,
                                         .m = rows->m,
                                         .n = qnt__min(p->n - c, most),
                                         .ld = sums->ld,
                                         .first_row = rows->first_row,
                                         .row_step = 1,
                                         .column = column,
                                         .output = output + c,
                                         .a_zero = has_zero ? rows->zero : NULL,
                                         .w_sum = has_zero ? run->layer->sum + column : NULL,
                                         .a_sum = constant ? p->codes + at : NULL,
                                         .w_zero = constant ? (const int32_t *)constant + c : NULL,
                                         .scale = run->dynamic ? rows->scale : NULL};
        qnt__run_epilogue(run, p->scratch, &block);
    }
}

static void finish(const struct piece *p, const struct qnt__bits_piece *sums,
                   const uint32_t *constant)
{
    const size_t first = p->row + sums->row;
    struct qnt__walk walk =
        qnt__rows_walk(p->run, qnt__planes_slice(p->run), first, first + sums->m);
    struct qnt__rows rows;
    while (qnt__rows_next(&walk, &rows)) finish_rows(p, &rows, sums, constant);
}

/* Coefficients are twice the weights, the products of signs as input half of the numbers asked for. */
static int shift_of(const struct piece *p)
{
    return qnt__layer_takes_signs(&p->run->layer->head) ? 1 : 0;
}

/* Rows whose planes are added up. */
static void finish_number(const struct piece *p, size_t row, size_t m)
{
    const struct qnt__bits_piece sums = {
        .acc = p->acc + row * p->ld, .ld = p->ld, .row = row, .apart = 1, .m = m, .n = p->n};
    for (size_t i = 0; shift_of(p) == 0 && i < m * p->ld; i++) sums.acc[i] /= 2;
    finish(p, &sums, NULL);
}

/* ---- planes ---- */

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

/* acc += coef (part - constants), modulo 2^32; the number is finished with its last plane. */
static void add_plane(void *state, const struct qnt__bits_piece *part)
{
    struct piece *p = state;
    uint32_t coef[COLUMNS] = {0};
    memcpy(coef, coef_at(p, p->plane), p->panels * QNT__PANEL * sizeof *coef);
    for (size_t i = part->row; i < part->row + part->m; i++) {
        int32_t *acc = p->acc + i * p->ld;
        const int32_t *sums = part->acc + (i - part->row) * part->ld;
        const uint32_t times = has_constants(p) ? (uint32_t)p->codes[i] : 0;
        for (size_t c = 0; c < p->n; c++) {
            uint32_t v = (uint32_t)sums[c] - times * p->constant[p->plane][c];
            acc[c] = (int32_t)((uint32_t)acc[c] + coef[c] * v);
        }
    }
    if (p->last) finish_number(p, part->row, part->m);
}

static void sum_planes(struct piece *p)
{
    size_t used = (size_t)p->run->layer->head.weight_bits;
    memset(p->acc, 0, p->m * p->ld * sizeof *p->acc);
    while (used > 0 && !is_used(p, used - 1)) used--;
    for (size_t i = 0; i < used; i++) {
        if (is_used(p, i)) multiply(p, i, i + 1 == used, 0, add_plane);
    }
    if (used == 0) finish_number(p, 0, p->m);
}

/* The only plane, its constants left to the epilogue; outputs without a base are 0. */
static void take_plane(void *state, const struct qnt__bits_piece *sums)
{
    struct piece *p = state;
    const int32_t *coef = coef_at(p, 0);
    const bool twice = shift_of(p) && p->run->planes.path != QNT__BITS_COUNT;
    for (size_t i = 0; i < sums->m && (twice || p->gaps); i++) {
        int32_t *acc = sums->acc + i * sums->ld;
        for (size_t c = 0; twice && c < p->n; c++) acc[c] = (int32_t)((uint32_t)acc[c] * 2);
        for (size_t c = 0; p->gaps && c < p->n; c++) acc[c] = coef[c] ? acc[c] : 0;
    }
    finish(p, sums, has_constants(p) ? p->constant[0] : NULL);
}

static void run_plane(struct piece *p)
{
    const int32_t *coef = coef_at(p, 0);
    for (size_t c = 0; c < p->n; c++) {
        p->constant[0][c] = coef[c] ? p->constant[0][c] << shift_of(p) : 0;
        p->gaps |= coef[c] == 0;
    }
    multiply(p, 0, true, shift_of(p), take_plane);
}

/* ---- tasks ---- */

/* Some rows of a slab, and the outputs from a panel of the group on. */
static void run_piece(const struct qnt__run *run, size_t first, size_t end, size_t panel,
                      size_t worker)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t panels = task_panels(run);
    struct piece p = {.run = run, .scratch = qnt__run_scratch(run, worker)};
    p.group = run->planes.group;
    p.panel = p.group * s->group_panels + panel;
    p.panels = qnt__min(s->group_panels - panel, panels);
    p.ld = panels * QNT__PANEL;
    p.done = panel * QNT__PANEL;
    p.n = qnt__min(s->group_outputs - p.done, p.ld);
    p.acc = (void *)(p.scratch + run->planes.acc);
    p.row = first, p.m = end - first;
    p.codes = qnt__planes_sum(run, p.row);
    find_constants(&p);
    if (run->layer->head.weight_bits == 1)
        run_plane(&p);
    else
        sum_planes(&p);
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
