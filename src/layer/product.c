/* The products of blocks of rows and panels, for whole matrices and convolutions. */
#include "base/arith.h"
#include "run.h"

enum { CHUNK_ROWS = 20 * QNT__BLOCK_ROWS }; /* output rows of one task */

struct qnt__cursor qnt__cursor_at(const struct qnt__geometry *g, size_t row)
{
    size_t line = row / g->out_width;
    return (struct qnt__cursor){line / g->out_height, line % g->out_height, row % g->out_width};
}

void qnt__cursor_next(const struct qnt__geometry *g, struct qnt__cursor *c)
{
    if (++c->x < g->out_width) return;
    c->x = 0;
    if (++c->y < g->out_height) return;
    c->y = 0;
    c->image++;
}

/* What a task works on, and where. */
struct piece {
    const struct qnt__run *run;
    uint8_t *scratch;
    size_t group, panel, panels; /* panel counts within the group */
    size_t first_row, end_row;
    ptrdiff_t slice;             /* bytes to the group's input channels */
    const float *weights;        /* decoded panels */
};

/* The input of one block of rows. */
struct rows {
    const uint8_t *at[QNT__BLOCK_ROWS];
    int32_t zero[QNT__BLOCK_ROWS];
    float scale[QNT__BLOCK_ROWS];
    size_t m;
    size_t first_tap, taps; /* the others meet padding only, in all of these rows */
};

/* Kernel rows that meet the image, in one line of the result. */
struct lines {
    size_t first, end;
};

static struct lines lines_of(const struct qnt__geometry *g, size_t y)
{
    size_t top = y * g->stride[0], bottom = g->pad[0] + g->height; /* in the padded image */
    struct lines l = {0, g->kernel[0]};
    while (l.first < l.end && top + l.first * g->dilation[0] < g->pad[0]) l.first++;
    while (l.end > l.first && top + (l.end - 1) * g->dilation[0] >= bottom) l.end--;
    return l.first < l.end ? l : (struct lines){0, 1};
}

/* Padding may be left out where it adds nothing: bytes of 0 times weights without zero points. */
static bool may_skip(const struct qnt__run *run)
{
    return run->layer->head.arithmetic == QNT__INTEGER && !run->layer->zero && !run->dynamic &&
           run->input_zero == 0 && (run->g.pad[0] | run->g.pad[2]) != 0;
}

/* How many of the next rows, at most `most`, meet the same kernel rows. */
static size_t count_alike(const struct qnt__run *run, const struct qnt__cursor *c, size_t most,
                          struct rows *rows)
{
    const struct qnt__geometry *g = &run->g;
    size_t tap_count = run->layer->shape.tap_count, per_line = tap_count / g->kernel[0];
    rows->first_tap = 0;
    rows->taps = tap_count;
    if (!may_skip(run)) return most;
    struct lines lines = lines_of(g, c->y);
    size_t count = g->out_width - c->x;
    rows->first_tap = lines.first * per_line;
    rows->taps = (lines.end - lines.first) * per_line;
    for (size_t y = c->y + 1; count < most; y++, count += g->out_width) {
        if (y == g->out_height) y = 0; /* the next image */
        struct lines next = lines_of(g, y);
        if (next.first != lines.first || next.end != lines.end) break;
    }
    return qnt__min(count, most);
}

static void find_rows(const struct piece *p, struct qnt__cursor *c, size_t m, struct rows *rows)
{
    const struct qnt__run *run = p->run;
    const struct qnt__geometry *g = &run->g;
    bool dense = run->layer->head.kind == QNT_DENSE;
    rows->m = m;
    for (size_t i = 0; i < m; i++) {
        rows->at[i] = run->base + p->slice + (ptrdiff_t)c->image * run->image_step +
                      (ptrdiff_t)(c->y * g->stride[0]) * run->row_step +
                      (ptrdiff_t)(c->x * g->stride[1]) * run->pixel_step;
        rows->zero[i] = run->input_zero;
        if (run->dynamic) {
            const struct qnt__affine *q = &run->dynamic[dense ? c->x : c->image];
            rows->zero[i] = q->zero;
            rows->scale[i] = q->scale;
        }
        qnt__cursor_next(g, c);
    }
}

static struct qnt__block block_of(const struct piece *p, const struct rows *rows, size_t first_row)
{
    const struct qnt__layer_shape *s = &p->run->layer->shape;
    size_t done = p->panel * QNT__PANEL;
    return (struct qnt__block){
        .acc = p->scratch + p->run->scratch.acc,
        .m = rows->m,
        .n = qnt__min(s->group_outputs - done, p->panels * QNT__PANEL),
        .ld = QNT__BLOCK_PANELS * QNT__PANEL,
        .first_row = first_row,
        .column = p->group * s->group_columns + done,
        .output = p->group * s->group_outputs + done,
        .scale = p->run->dynamic ? rows->scale : NULL};
}

static void multiply_integer(const struct piece *p, const struct rows *rows, size_t first_row)
{
    const struct qnt__run *run = p->run;
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    struct qnt__block block = block_of(p, rows, first_row);
    size_t panel = p->group * s->group_panels + p->panel;
    int32_t sums[QNT__BLOCK_ROWS];

    const uint8_t *weight = layer->weight + panel * s->panel_bytes;
    const struct qnt__gemm gemm = {.rows = rows->at, .taps = run->taps + rows->first_tap,
                                   .weight = weight + rows->first_tap * (s->panel_bytes / s->tap_count),
                                   .acc = (void *)(p->scratch + run->scratch.acc), .m = rows->m,
                                   .panels = p->panels, .tap_count = rows->taps,
                                   .depth = s->panel_depth, .panel_bytes = s->panel_bytes,
                                   .ld = block.ld, .bits = layer->head.cell_bits};
    run->context->simd.gemm_s8(&gemm);
    if (layer->zero) {
        run->context->simd.sum_rows(rows->at, rows->m, run->taps, s->tap_count,
                                    s->inputs / s->tap_count, sums);
        block.a_sum = sums;
    }
    if (run->dynamic || run->input_zero != 0) block.a_zero = rows->zero;
    qnt__run_epilogue(run, p->scratch, &block);
}

/* Activations with a zero point: takes its share, zero * fsum, off the sums. */
static void subtract_zeros(const struct rows *rows, const float *fsum, size_t n, size_t ld, float *acc)
{
    for (size_t i = 0; i < rows->m; i++) {
        float zero = (float)rows->zero[i];
        for (size_t j = 0; j < n; j++) {
            float share = zero * fsum[j];
            acc[i * ld + j] = acc[i * ld + j] - share;
        }
    }
}

static void multiply_blocks(const struct piece *p, const struct rows *rows, size_t first_row)
{
    const struct qnt__run *run = p->run;
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    struct qnt__block block = block_of(p, rows, first_row);
    size_t panel = p->group * s->group_panels + p->panel, at = panel * s->blocks * QNT__PANEL;
    const int8_t *signed_rows[QNT__BLOCK_ROWS];
    float *acc = (void *)(p->scratch + run->scratch.acc);

    for (size_t i = 0; i < rows->m; i++) signed_rows[i] = (const void *)rows->at[i];
    const struct qnt__gemm_blocks gemm = {.rows = signed_rows,
                                          .weight = layer->weight + panel * s->panel_bytes,
                                          .scale = layer->scale + at,
                                          .zero = layer->zero8 ? layer->zero8 + at : NULL,
                                          .y = acc, .m = rows->m, .panels = p->panels,
                                          .depth = s->panel_depth,
                                          .block = (size_t)layer->head.block,
                                          .panel_bytes = s->panel_bytes, .ld = block.ld,
                                          .bits = layer->head.cell_bits};
    run->context->simd.gemm_blocks(&gemm);
    if (layer->fsum) subtract_zeros(rows, layer->fsum + block.column, block.n, block.ld, acc);
    qnt__run_epilogue(run, p->scratch, &block);
}

static void multiply_floats(const struct piece *p, const struct rows *rows, size_t first_row)
{
    const struct qnt__run *run = p->run;
    const struct qnt__layer_shape *s = &run->layer->shape;
    struct qnt__block block = block_of(p, rows, first_row);
    const float *float_rows[QNT__BLOCK_ROWS];

    for (size_t i = 0; i < rows->m; i++) float_rows[i] = (const void *)rows->at[i];
    const struct qnt__gemm_f32 gemm = {.rows = float_rows, .taps = run->taps, .weight = p->weights,
                                       .y = (void *)(p->scratch + run->scratch.acc), .m = rows->m,
                                       .panels = p->panels, .tap_count = s->tap_count,
                                       .depth = s->depth, .ld = block.ld};
    run->context->simd.gemm_f32(&gemm);
    qnt__run_epilogue(run, p->scratch, &block);
}

static void multiply_piece(struct piece *p)
{
    const struct qnt__run *run = p->run;
    struct qnt__cursor cursor = qnt__cursor_at(&run->g, p->first_row);
    struct rows rows;
    for (size_t row = p->first_row; row < p->end_row; row += rows.m) {
        size_t most = qnt__min(p->end_row - row, QNT__BLOCK_ROWS);
        find_rows(p, &cursor, count_alike(run, &cursor, most, &rows), &rows);
        switch (run->layer->head.arithmetic) {
        case QNT__DECODE: multiply_floats(p, &rows, row); break;
        case QNT__BLOCKS: multiply_blocks(p, &rows, row); break;
        default: multiply_integer(p, &rows, row); break;
        }
    }
}

/* How the work is cut; nothing in it depends on the number of workers. */
struct cut {
    size_t panels;       /* of one task */
    size_t panel_tasks;  /* of one group */
    size_t row_tasks;
    size_t count;
};

static struct cut cut_work(const struct qnt__run *run)
{
    bool decode = run->layer->head.arithmetic == QNT__DECODE;
    struct cut c = {.panels = decode ? run->decode_panels : QNT__BLOCK_PANELS};
    c.panel_tasks = qnt__ceil_div(run->layer->shape.group_panels, c.panels);
    c.row_tasks = qnt__ceil_div(run->rows, CHUNK_ROWS);
    c.count = run->g.groups * c.panel_tasks * c.row_tasks;
    return c;
}

static void run_piece(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct cut cut = cut_work(run);
    struct piece p = {.run = run, .scratch = run->space + run->places.scratch + worker * run->places.each};
    size_t columns = index / cut.row_tasks;

    p.group = columns / cut.panel_tasks;
    p.panel = columns % cut.panel_tasks * cut.panels;
    p.panels = qnt__min(s->group_panels - p.panel, cut.panels);
    p.first_row = index % cut.row_tasks * CHUNK_ROWS;
    p.end_row = qnt__min(run->rows, p.first_row + CHUNK_ROWS);
    size_t from = (p.group + run->g.group_shift) % run->g.groups;
    p.slice = (ptrdiff_t)(from * (run->g.channels / run->g.groups) * run->element);
    if (run->layer->head.arithmetic == QNT__DECODE) {
        float *weights = (void *)(p.scratch + run->scratch.weights);
        qnt__decode_panels(run->layer, p.group * s->group_panels + p.panel, p.panels, weights);
        p.weights = weights;
    }
    multiply_piece(&p);
}

qnt_status qnt__run_product(struct qnt__run *run)
{
    size_t count = cut_work(run).count;
    if (run->shared_bytes) {
        for (size_t i = 0; i < count; i++) run_piece(run, i, 0);
        return QNT_OK;
    }
    return qnt__parallel(run->context, run_piece, run, count);
}
