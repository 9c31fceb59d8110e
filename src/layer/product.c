/* The products of blocks of rows and panels, for whole matrices and convolutions. */
#include <string.h>

#include "base/arith.h"
#include "rows.h"

/* Blocks of output rows of one task: as many as fit a cache, fewer if there would be less than MANY
 * tasks, but no fewer rows than kernels want. */
enum { BLOCK = 48, MOST_BLOCKS = 5, MOST_DECODED = 10, MANY = 8 };

/* What a task works on, and where. */
struct piece {
    const struct qnt__run *run;
    uint8_t *scratch;
    size_t group, panel, panels; /* panel counts within the group */
    size_t first_row, end_row;
    ptrdiff_t slice;     /* bytes to the group's input channels */
    const void *weights; /* its panels, decoded or not */
    size_t panel_bytes;
    int bits; /* of their cells */
};

static struct qnt__block block_of(const struct piece *p, const struct qnt__rows *rows)
{
    const struct qnt__layer_shape *s = &p->run->layer->shape;
    const bool decoded = p->run->layer->head.arithmetic == QNT__DECODE;
    const struct qnt__layer_outputs outputs =
        qnt__layer_outputs(p->run->layer, p->group, p->panel, p->panels);
    return (struct qnt__block){.acc = p->scratch + p->run->scratch.acc,
                               .m = rows->m,
                               .n = outputs.count,
                               .ld = QNT__BLOCK_PANELS * QNT__PANEL,
                               .first_row = rows->first_row,
                               .row_step = rows->row_step,
                               .column = p->group * s->group_columns + outputs.first,
                               .output = p->group * s->group_outputs + outputs.first,
                               .scale = p->run->dynamic && !decoded ? rows->scale : NULL};
}

/* Bytes of a panel that hold `depth` k, whole cells. */
static size_t cell_bytes(size_t depth, int bits)
{
    return depth / qnt__cell_depth(bits) * qnt__cell_bytes(bits);
}

/* Sums of the weights that a block meets: those of the layer, or without what padding lets it leave out. */
static const int32_t *met_sums(const struct qnt__run *run, const struct qnt__rows *rows,
                               const struct qnt__block *block, int32_t *sums)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    const int32_t *all = layer->sum + block->column;
    if (rows->taps == s->tap_count && rows->depth == s->panel_depth) return all;
    const size_t part = s->panel_depth / s->tap_parts, first = rows->first_k / part,
                 end = first + rows->depth / part;
    const int32_t *left_out = layer->left_out + block->column;
    memcpy(sums, all, block->n * sizeof *sums);
    for (size_t t = 0; t < s->tap_count; t++) {
        const bool is_met = t - rows->first_tap < rows->taps;
        for (size_t p = 0; p < s->tap_parts; p++, left_out += s->columns) {
            if (is_met && first <= p && p < end) continue;
            run->context->simd.add_s32(sums, left_out, block->n, 0, sums);
        }
    }
    return sums;
}

/* Rows as they were prepared, or are here. */
static const uint8_t *prepared_rows(const struct piece *p, const struct qnt__rows *rows)
{
    const struct qnt__run *run = p->run;
    if (!run->ready_late) return qnt__run_ready(run, rows->first_row);
    uint8_t *prepared = p->scratch + run->scratch.ready;
    for (size_t i = 0; i < rows->m; i++)
        run->context->simd.prepare_row(rows->at[i], rows->depth, prepared + i * run->ready);
    return prepared;
}

/* A block of prepared rows on the way to results. */
struct way {
    const struct piece *p;
    const struct qnt__block *block;
};

static void finish_rows(void *of, size_t row, size_t rows)
{
    const struct way *way = of;
    const struct qnt__block some = qnt__block_rows(way->block, row, rows);
    qnt__run_epilogue(way->p->run, way->p->scratch, &some);
}

static void multiply_prepared(const struct piece *p, const struct qnt__rows *rows,
                              const struct qnt__gemm *g, const struct qnt__block *block)
{
    struct way way = {p, block};
    const struct qnt__gemm_prepared gemm = {.prepared = prepared_rows(p, rows),
                                            .row = rows->at[0],
                                            .row_step = p->run->pixel_step,
                                            .weight = g->weight,
                                            .acc = g->acc,
                                            .m = g->m,
                                            .panels = g->panels,
                                            .depth = g->depth,
                                            .panel_bytes = g->panel_bytes,
                                            .ld = g->ld,
                                            .results = g->results,
                                            .done = finish_rows,
                                            .of = &way};
    p->run->context->simd.gemm_prepared(&gemm);
}

static void multiply_integer(const struct piece *p, const struct qnt__rows *rows)
{
    const struct qnt__run *run = p->run;
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    struct qnt__block block = block_of(p, rows);
    int32_t sums[QNT__PREPARED_ROWS], met[QNT__BLOCK_PANELS * QNT__PANEL];

    const size_t tap_bytes = p->panel_bytes / s->tap_count;
    const uint8_t *weight = (const uint8_t *)p->weights + rows->first_tap * tap_bytes;
    const struct qnt__gemm gemm = {.rows = rows->at,
                                   .taps = run->taps,
                                   .weight = weight + cell_bytes(rows->first_k, p->bits),
                                   .acc = (void *)(p->scratch + run->scratch.acc),
                                   .m = rows->m,
                                   .panels = p->panels,
                                   .tap_count = rows->taps,
                                   .depth = rows->depth,
                                   .panel_bytes = p->panel_bytes,
                                   .gap = tap_bytes - cell_bytes(rows->depth, p->bits),
                                   .ld = block.ld,
                                   .bits = p->bits,
                                   .results = qnt__run_results(run, &block)};
    if (layer->zero) {
        run->context->simd.sum_rows(rows->at, rows->m, run->taps, s->tap_count,
                                    s->inputs / s->tap_count, sums);
        block.a_sum = sums;
        block.w_zero = layer->zero + block.column;
    }
    if (run->dynamic || run->input_zero != 0) {
        block.a_zero = rows->zero;
        block.w_sum = met_sums(run, rows, &block, met);
    }
    if (run->ready) {
        multiply_prepared(p, rows, &gemm, &block);
        return;
    }
    if (layer->tables && p->bits != 8)
        run->context->simd.gemm_levels(&gemm, layer->tables);
    else
        run->context->simd.gemm_s8(&gemm);
    qnt__layer_reduce(&run->context->simd, layer, p->group, p->panel, p->panels, rows->m, gemm.acc);
    qnt__run_epilogue(run, p->scratch, &block);
}

/* Activations with a zero point: takes its share, zero * fsum, off the sums. */
static void subtract_zeros(const struct qnt__rows *rows, const float *fsum, size_t n, size_t ld,
                           float *acc)
{
    for (size_t i = 0; i < rows->m; i++) {
        float zero = (float)rows->zero[i];
        for (size_t j = 0; j < n; j++) {
            float share = zero * fsum[j];
            acc[i * ld + j] = acc[i * ld + j] - share;
        }
    }
}

static void multiply_blocks(const struct piece *p, const struct qnt__rows *rows)
{
    const struct qnt__run *run = p->run;
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    struct qnt__block block = block_of(p, rows);
    size_t panel = p->group * s->group_panels + p->panel, at = panel * s->blocks * QNT__PANEL;
    const int8_t *signed_rows[QNT__BLOCK_ROWS];
    float *acc = (void *)(p->scratch + run->scratch.acc);

    for (size_t i = 0; i < rows->m; i++) signed_rows[i] = (const void *)rows->at[i];
    const struct qnt__gemm_blocks gemm = {.rows = signed_rows,
                                          .weight = p->weights,
                                          .scale = layer->scale + at,
                                          .zero = layer->zero8 ? layer->zero8 + at : NULL,
                                          .y = acc,
                                          .m = rows->m,
                                          .panels = p->panels,
                                          .depth = s->panel_depth,
                                          .block = (size_t)layer->head.block,
                                          .panel_bytes = p->panel_bytes,
                                          .ld = block.ld,
                                          .bits = p->bits};
    run->context->simd.gemm_blocks(&gemm);
    if (layer->fsum) subtract_zeros(rows, layer->fsum + block.column, block.n, block.ld, acc);
    qnt__run_epilogue(run, p->scratch, &block);
}

/* Behind the panels of words. */
static uint8_t *residues_of(const struct piece *p)
{
    const size_t words = 2 * p->panels * qnt__expanded_bytes(&p->run->layer->shape);
    return p->scratch + p->run->scratch.weights + words;
}

static void multiply_words(const struct piece *p, const struct qnt__rows *rows)
{
    const struct qnt__run *run = p->run;
    const struct qnt__layer_shape *s = &run->layer->shape;
    struct qnt__block block = block_of(p, rows);
    size_t panel = p->group * s->group_panels + p->panel;
    const float *scale = run->layer->scale + panel * s->blocks * QNT__PANEL;
    float *acc = (void *)(p->scratch + run->scratch.acc);
    const struct qnt__results results = qnt__run_results(run, &block);
    qnt__ask_now(&results, 0, block.m, 0, 1);
    if (run->words.bytes) {
        qnt__words_multiply_bytes(run, rows, p->weights, p->panels, scale,
                                  (const void *)(p->scratch + run->scratch.sums), acc);
        qnt__run_epilogue(run, p->scratch, &block);
        return;
    }
    const bool codes = run->layer->table_words && !run->decode_panels;
    const struct qnt__packed weight = {.words = codes ? NULL : p->weights,
                                       .residues = run->words.residues ? residues_of(p) : NULL,
                                       .cells = p->weights,
                                       .panel_bytes = p->panel_bytes};
    qnt__words_multiply(run, rows, &weight, p->panels, scale,
                        (void *)(p->scratch + run->scratch.weights), acc);
    qnt__run_epilogue(run, p->scratch, &block);
}

static void multiply_floats(const struct piece *p, const struct qnt__rows *rows)
{
    const struct qnt__run *run = p->run;
    const struct qnt__layer_shape *s = &run->layer->shape;
    struct qnt__block block = block_of(p, rows);
    const float *float_rows[QNT__BLOCK_ROWS];

    for (size_t i = 0; i < rows->m; i++) float_rows[i] = (const void *)rows->at[i];
    const struct qnt__gemm_f32 gemm = {.rows = float_rows,
                                       .taps = run->taps,
                                       .weight = p->weights,
                                       .y = (void *)(p->scratch + run->scratch.acc),
                                       .m = rows->m,
                                       .panels = p->panels,
                                       .tap_count = s->tap_count,
                                       .depth = s->depth,
                                       .ld = block.ld};
    run->context->simd.gemm_f32(&gemm);
    qnt__run_epilogue(run, p->scratch, &block);
}

static void multiply_piece(struct piece *p)
{
    const struct qnt__run *run = p->run;
    if (qnt__layer_outputs(run->layer, p->group, p->panel, p->panels).count == 0) return;
    struct qnt__walk walk = qnt__rows_walk(run, p->slice, p->first_row, p->end_row);
    struct qnt__rows rows;
    while (qnt__rows_next(&walk, &rows)) {
        switch (run->layer->head.arithmetic) {
        case QNT__DECODE: multiply_floats(p, &rows); break;
        case QNT__BLOCKS: multiply_blocks(p, &rows); break;
        case QNT__WORDS: multiply_words(p, &rows); break;
        default: multiply_integer(p, &rows); break;
        }
    }
}

/* How the work is cut; nothing in it depends on the number of workers. */
struct cut {
    size_t panels;      /* of one task */
    size_t panel_tasks; /* of one group */
    size_t rows;        /* of one task */
    size_t row_tasks;
    size_t count;
    bool rows_first; /* tasks of the same rows follow each other, not those of the same panels */
};

/* The larger of input and weights is read once, task by task; the smaller one again and again, so it is the
 * one that may stay in a cache. Groups have inputs of their own. */
static bool takes_rows_first(const struct qnt__run *run)
{
    const struct qnt__geometry *g = &run->g;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t input = g->batch * g->padded_height * g->padded_width * g->channels * run->element;
    return s->columns == s->group_columns && s->group_panels * s->panel_bytes <= input;
}

static struct cut cut_work(const struct qnt__run *run)
{
    bool decode = run->layer->head.arithmetic == QNT__DECODE;
    struct cut c = {.panels = run->decode_panels ? run->decode_panels : QNT__BLOCK_PANELS,
                    .rows_first = takes_rows_first(run)};
    c.panel_tasks = qnt__ceil_div(run->layer->shape.group_panels, c.panels);
    const size_t groups = run->g.groups / run->layer->shape.merged;
    size_t whole = qnt__rows_zones(run) ? run->g.out_width : 1, least = qnt__rows_most(run);
    for (size_t blocks = run->decode_panels ? MOST_DECODED : MOST_BLOCKS;; blocks /= 2) {
        c.rows = blocks * BLOCK > least ? blocks * BLOCK : least;
        c.row_tasks = qnt__ceil_div(run->rows, c.rows);
        c.rows = qnt__round_up(qnt__ceil_div(run->rows, c.row_tasks), QNT__BLOCK_ROWS);
        c.rows = qnt__round_up(c.rows, whole);
        c.row_tasks = qnt__ceil_div(run->rows, c.rows);
        c.count = groups * c.panel_tasks * c.row_tasks;
        if (decode || c.count >= MANY || blocks == 1) return c;
    }
}

/* Points a piece to its panels, which are decoded first where the kernels want it. */
static void find_weights(struct piece *p)
{
    const qnt_layer *layer = p->run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    void *decoded = p->scratch + p->run->scratch.weights;
    size_t first = p->group * s->group_panels + p->panel;
    p->weights = layer->weight + first * s->panel_bytes;
    p->panel_bytes = s->panel_bytes;
    p->bits = layer->head.cell_bits;
    if (!p->run->decode_panels) return;
    p->weights = decoded;
    if (layer->head.arithmetic == QNT__DECODE) {
        qnt__decode_panels(p->run, first, p->panels, decoded);
        return;
    }
    if (p->run->words.bytes) {
        qnt__words_expand_bytes(p->run, first, p->panels, decoded,
                                (void *)(p->scratch + p->run->scratch.sums));
        return;
    }
    if (layer->head.arithmetic == QNT__WORDS) {
        const int8_t *residue = p->run->words.part[0];
        qnt__widen_panels(p->run, first, p->panels, decoded);
        if (p->run->words.residues)
            qnt__part_panels(p->run, residue, first, p->panels, residues_of(p));
        return;
    }
    qnt__expand_panels(p->run, first, p->panels, decoded);
    p->panel_bytes = qnt__expanded_bytes(s);
    p->bits = 8;
}

static void run_piece(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct cut cut = cut_work(run);
    struct piece p = {.run = run, .scratch = qnt__run_scratch(run, worker)};
    const size_t column_tasks = cut.count / cut.row_tasks;
    const size_t columns = cut.rows_first ? index % column_tasks : index / cut.row_tasks;
    const size_t rows = cut.rows_first ? index / column_tasks : index % cut.row_tasks;

    p.group = columns / cut.panel_tasks;
    p.panel = columns % cut.panel_tasks * cut.panels;
    p.panels = qnt__min(s->group_panels - p.panel, cut.panels);
    p.first_row = rows * cut.rows;
    p.end_row = qnt__min(run->rows, p.first_row + cut.rows);
    size_t shift = s->merged > 1 ? 0 : run->g.group_shift; /* staging has shifted those */
    size_t from = (p.group * s->merged + shift) % run->g.groups;
    p.slice = (ptrdiff_t)(from * (run->g.channels / run->g.groups) * run->element);
    find_weights(&p);
    multiply_piece(&p);
}

qnt_status qnt__run_product(struct qnt__run *run)
{
    size_t work = run->rows * run->layer->shape.inputs * qnt__ceil_div(run->g.outputs, 64);
    return qnt__run_share(run, run_piece, cut_work(run).count, run->shared_bytes ? 0 : work);
}
