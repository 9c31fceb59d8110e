/*
 * How products of bit planes run. Rows of a get the form of the path (gemm_bits_rows.c), a slab of
 * them at a time; tasks of 64 to 512 columns run block by block (gemm_bits_block.c).
 */
#include "base/arith.h"
#include "base/try.h"
#include "bits_block.h"

enum {
    NARROW = QNT__BITS_NARROW,
    COLUMNS = QNT__BITS_COLUMNS,
    TILE = QNT__BITS_TILE,
    CELL_WORDS = QNT__BITS_CELL_WORDS,
    ROWS = 1024,
    LEAST_ROWS = 96,     /* of bytes */
    ROW_CACHE = 5 << 18, /* of rows or their tables, in a second-level cache of 2 MB */
    SLAB_BYTES = 1 << 23,
    PAD = 64 /* rows a power of two apart would meet in the same sets of a cache */
};

/* Rows that get their form together. */
static size_t unit_of(enum qnt__bits_path path)
{
    return path == QNT__BITS_STRASSEN ? 2 : 1;
}

/* Rows from `first` on, to places from `at` on. */
static void prepare_rows(const struct qnt__bits_job *r, size_t first, size_t end, size_t at)
{
    const size_t unit = unit_of(r->path);
    for (size_t row = first; row < end; row += unit, at += unit) {
        uint8_t *to = r->rows + at * r->row_bytes;
        if (unit == 2)
            qnt__bits_prepare_pair(r->g, row, to);
        else
            qnt__bits_prepare_row(r->g, r->path, row, to, r->sums + at * r->g->blocks);
    }
}

static void prepare_slab(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct qnt__bits_job *r = task;
    size_t at = index * QNT__BLOCK_ROWS, first = r->first + at;
    prepare_rows(r, first, qnt__min(first + QNT__BLOCK_ROWS, r->end), at);
}

/* ---- columns of a task ---- */

/* Of n columns, from element `at` on. */
static void copy_coefs(const struct qnt__view *v, int64_t at, size_t n, float *to)
{
    const int64_t step = v->strides[0];
    if (step == 1) memcpy(to, v->data + 4 * at, n * sizeof *to);
    for (size_t c = 0; step != 1 && c < n; c++)
        memcpy(&to[c], v->data + 4 * (at + (int64_t)c * step), sizeof *to);
}

/* Coefficients next to each other by columns; those behind the last column are 0. */
static void load_blocks(struct qnt__bits_block *b)
{
    const struct qnt__bits_product *g = b->job->g;
    const struct qnt__view *v = &g->b_coef;
    const size_t rows = g->b_planes * g->blocks;
    for (size_t i = 0; i < rows; i++) {
        const size_t plane = i / g->blocks, block = i % g->blocks;
        float *to = b->block_coef + i * NARROW;
        int64_t at = (int64_t)b->column * v->strides[0] + (int64_t)block * v->strides[1] +
                     (int64_t)plane * v->strides[2];
        copy_coefs(v, at, b->n, to);
        for (size_t c = b->n; c < NARROW; c++) to[c] = 0;
    }
}

/* Of one plane; 1 where there are none. */
static void load_coefs(const struct qnt__bits_block *b, size_t plane, float *to)
{
    const struct qnt__bits_product *g = b->job->g;
    const struct qnt__view *v = &g->b_coef;
    if (g->has_b_coef) {
        copy_coefs(v, (int64_t)b->column * v->strides[0] + (int64_t)plane * v->strides[v->ndim - 1],
                   b->n, to);
    } else {
        for (size_t c = 0; c < b->n; c++) to[c] = 1.0f;
    }
}

static void load_ones(const struct qnt__bits_block *b, size_t plane, int32_t *to)
{
    const struct qnt__bits_product *g = b->job->g;
    const uint64_t *set = qnt__bits_plane(b, plane) + g->words * QNT__PANEL;
    for (size_t p = 0; p < qnt__bits_panels(b);
         p++, set += qnt__bits_panel_words(g), to += QNT__PANEL) {
        for (size_t c = 0; c < QNT__PANEL; c++) to[c] = (int32_t)set[c];
    }
}

static void load_columns(struct qnt__bits_block *b)
{
    const struct qnt__bits_job *r = b->job;
    const struct qnt__bits_product *g = r->g;
    if (g->blocks > 1) {
        load_blocks(b);
        return;
    }
    for (size_t i = 0; i < g->b_planes; i++) {
        load_coefs(b, i, b->coef[i]);
        if (r->path == QNT__BITS_COUNT) load_ones(b, i, b->ones[i]);
    }
    for (size_t c = 0; r->combine && c < b->n; c++) {
        b->doubles[c] = qnt__bits_doubling(g, b->column + c);
        b->doubling += b->doubles[c];
    }
}

/* ---- tasks ---- */

/* The memory of a worker, and rows whose form is at place `at`. */
static void open_block(const struct qnt__bits_job *r, size_t worker, size_t base, size_t at,
                       struct qnt__bits_block *b)
{
    b->job = r;
    b->rows = r->rows + at * r->row_bytes;
    b->sums = r->sums + at * r->g->blocks;
    b->base = base;
    b->acc = r->acc + worker * r->acc_count;
    b->part = b->acc + r->part_at;
    b->cells = (void *)b->part;
    b->block_coef = r->coef + worker * r->coef_count;
}

/* Some rows, and the columns of a task. */
static void run_columns(struct qnt__bits_block *b, size_t first, size_t end, size_t column)
{
    const struct qnt__bits_job *r = b->job;
    const struct qnt__bits_product *g = r->g;
    b->column = column;
    b->n = qnt__min(g->n - column, r->task_columns);
    b->doubling = 0;
    memset(b->doubles, 0, sizeof b->doubles);
    load_columns(b);
    bool tiles = !qnt__bits_in_rows(&g->c) || (b->doubling > 0 && b->doubling < b->n);
    size_t rows = r->task_rows;
    if (tiles && g->blocks == 1) rows = qnt__min(rows, TILE / r->task_columns);
    for (b->row = first; b->row < end; b->row += b->m) {
        b->m = qnt__min(end - b->row, rows);
        qnt__bits_run_block(b);
    }
}

static void run_task(void *task, size_t index, size_t worker)
{
    const struct qnt__bits_job *r = task;
    size_t column_tasks = qnt__ceil_div(r->g->n, r->task_columns);
    size_t first = r->first + index / column_tasks * r->task_rows;
    struct qnt__bits_block b;
    open_block(r, worker, r->first, 0, &b);
    run_columns(&b, first, qnt__min(r->end, first + r->task_rows),
                index % column_tasks * r->task_columns);
}

/* Rows and a part of the columns, from the rows' form on, which stays in the worker's cache. */
static void run_own_rows(void *task, size_t index, size_t worker)
{
    const struct qnt__bits_job *r = task;
    const size_t first = index / r->parts * r->task_rows, part = index % r->parts,
                 end = qnt__min(first + r->task_rows, r->g->m), at = worker * r->task_rows;
    const size_t pieces = qnt__ceil_div(r->g->n, r->task_columns);
    struct qnt__bits_block b;
    prepare_rows(r, first, end, at);
    open_block(r, worker, first, at, &b);
    for (size_t p = pieces * part / r->parts; p < pieces * (part + 1) / r->parts; p++)
        run_columns(&b, first, end, p * r->task_columns);
}

/* Slab by slab, so that memory does not grow with the rows. */
static qnt_status run_slabs(struct qnt__bits_job *r, size_t slab)
{
    const struct qnt__bits_product *g = r->g;
    for (r->first = 0; r->first < g->m; r->first = r->end) {
        r->end = qnt__min(g->m, r->first + slab);
        size_t rows = r->end - r->first;
        size_t tasks = qnt__ceil_div(rows, r->task_rows) * qnt__ceil_div(g->n, r->task_columns);
        QNT__TRY(qnt__parallel(g->context, prepare_slab, r, qnt__ceil_div(rows, QNT__BLOCK_ROWS)));
        QNT__TRY(qnt__parallel(g->context, run_task, r, tasks));
    }
    return QNT_OK;
}

struct qnt__bits_share qnt__bits_share(size_t rows, size_t row_bytes, size_t workers)
{
    size_t most = qnt__max(qnt__min(ROW_CACHE / row_bytes / 4 * 4, QNT__TABLE_ROWS), 4);
    size_t tasks = qnt__ceil_div(qnt__max(rows, 1), most);
    struct qnt__bits_share s = {.parts = tasks < workers ? qnt__ceil_div(workers, tasks) : 1};
    if (tasks > workers) tasks = qnt__round_up(tasks, workers);
    s.rows = qnt__min(qnt__round_up(qnt__ceil_div(qnt__max(rows, 1), tasks), 2), most);
    return s;
}

/* Rows of bytes that share a pass over the planes: as many as stay in a cache, but tasks enough. What seven
 * products take of the planes costs more than reading rows again. */
static size_t rows_of_bytes(const struct qnt__bits_job *r)
{
    const struct qnt__bits_product *g = r->g;
    const size_t workers = g->context->workers, columns = qnt__ceil_div(g->n, r->task_columns);
    size_t most = ROWS, tasks = 1;
    if (r->path == QNT__BITS_BYTES) most = qnt__min(ROW_CACHE / r->row_bytes, most);
    if (workers > 1) tasks = qnt__ceil_div(4, qnt__ceil_div(columns, workers));
    most = qnt__min(most, qnt__ceil_div(g->m, tasks));
    return qnt__max(qnt__round_up(most, QNT__BLOCK_ROWS), LEAST_ROWS);
}

/* Tasks enough, but no fewer than 64 rows, or tables are most of the work. */
size_t qnt__bits_adder_rows(size_t rows, size_t columns, size_t workers)
{
    const size_t pieces = qnt__ceil_div(columns, COLUMNS);
    size_t tasks = qnt__ceil_div(qnt__max(rows, 1), QNT__ADDER_ROWS);
    if (workers > 1) tasks = qnt__max(tasks, qnt__ceil_div(4, qnt__ceil_div(pieces, workers)));
    return qnt__max(qnt__ceil_div(rows, tasks), 64);
}

/* Few rows make a task short; what it costs besides is less with many columns. */
static size_t columns_of_few(size_t columns, size_t workers)
{
    const size_t even = workers > 1 ? qnt__ceil_div(columns, 4 * workers) : columns;
    return qnt__min(qnt__max(qnt__round_up(even, NARROW), NARROW), COLUMNS);
}

size_t qnt__bits_columns(enum qnt__bits_path path, size_t rows, size_t columns, size_t workers)
{
    switch (path) {
    case QNT__BITS_ADDERS: return COLUMNS;
    case QNT__BITS_SIX: return QNT__SIX_PANELS * QNT__PANEL;
    case QNT__BITS_STRASSEN: return 2 * NARROW;
    case QNT__BITS_BYTES: return NARROW;
    default: return rows > QNT__TABLE_FEW ? NARROW : columns_of_few(columns, workers);
    }
}

/* Rows whose tables, and columns whose indices, are used again and again. */
static void size_tasks(struct qnt__bits_job *r)
{
    const struct qnt__bits_product *g = r->g;
    r->task_columns = NARROW;
    if (g->blocks == 1)
        r->task_columns = qnt__bits_columns(r->path, g->m, g->n, g->context->workers);
    switch (r->path) {
    case QNT__BITS_BYTES:
    case QNT__BITS_STRASSEN: r->task_rows = rows_of_bytes(r); break;
    case QNT__BITS_ADDERS:
        r->task_rows = qnt__bits_adder_rows(g->m, g->n, g->context->workers);
        break;
    default: r->task_rows = QNT__TABLE_ROWS; break;
    }
    if (r->path != QNT__BITS_SIX) return;
    const struct qnt__bits_share share = qnt__bits_share(g->m, r->row_bytes, g->context->workers);
    r->task_rows = share.rows;
    r->parts = share.parts;
}

static qnt_status run_all(struct qnt__bits_job *r, size_t slab)
{
    if (r->parts == 0) return run_slabs(r, slab);
    size_t tasks = qnt__ceil_div(r->g->m, r->task_rows) * r->parts;
    return qnt__parallel(r->g->context, run_own_rows, r, tasks);
}

/* Memory of a worker, for tasks of some rows. */
static void size_worker(struct qnt__bits_job *r, size_t rows)
{
    const struct qnt__bits_product *g = r->g;
    const size_t planes = r->combine ? g->b_planes : 1;
    r->part_at = qnt__bits_acc(r->path, rows, g->words, r->task_columns);
    size_t part = qnt__max(
        r->part_at, qnt__bits_cells(r->path, rows, g->words, g->a_planes, planes) / sizeof *r->acc);
    if (r->path == QNT__BITS_STRASSEN) qnt__bits_strassen_memory(g, rows, &r->part_at, &part);
    r->acc_count = r->part_at + part;
}

qnt_status qnt__bits_run(const struct qnt__bits_product *g, enum qnt__bits_path path)
{
    struct qnt__bits_job r = {.g = g, .path = path, .combine = qnt__bits_combine(g)};
    r.row_bytes = qnt__bits_row_bytes(g, path) + PAD; /* k is at most 2^23 */
    size_tasks(&r);
    const size_t unit = unit_of(path);
    size_t slab = qnt__max(SLAB_BYTES / r.row_bytes / unit, 1) * unit;
    if (slab > r.task_rows) slab -= slab % r.task_rows;
    slab = r.parts ? r.task_rows * g->context->workers : qnt__min(slab, qnt__round_up(g->m, unit));
    size_t sums = slab * g->blocks, bytes, coefs, accs;
    size_worker(&r, qnt__min(slab, r.task_rows));
    if (g->blocks > 1) r.coef_count = g->b_planes * g->blocks * NARROW;
    bool fits = qnt__mul(r.acc_count * sizeof *r.acc, g->context->workers, &accs) &&
                qnt__mul(r.coef_count * sizeof *r.coef, g->context->workers, &coefs) &&
                qnt__add(accs, slab * r.row_bytes + sums * sizeof *r.sums, &bytes) &&
                qnt__add(bytes, coefs, &bytes);
    void *block;
    if (!fits)
        return qnt__fail(g->context, QNT_E_NOMEM, "memory of %zu workers overflows",
                         g->context->workers);
    QNT__TRY(qnt__allocate(g->context, &g->context->memory, bytes, &block));
    r.rows = block;
    r.acc = (void *)(r.rows + slab * r.row_bytes);
    r.sums = r.acc + accs / sizeof *r.acc;
    r.coef = (void *)(r.sums + sums);
    qnt_status status = run_all(&r, slab);
    qnt__free(&g->context->memory, block, bytes);
    return status;
}
