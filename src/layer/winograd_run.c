/*
 * Runs a convolution by minimal filtering. Pixels of some rows of tiles become words at all places; then a
 * task has some panels, filters their taps, and for a few tiles at a time multiplies place by place, adds
 * products down, then across, and finishes line by line.
 */
#include "base/try.h"
#include "winograd.h"

enum {
    POINTS = QNT__WINOGRAD_POINTS,
    TILE = QNT__WINOGRAD_TILE,
    TILES = QNT__WINOGRAD_TILES,
    KINDS = 4
};

/* ---- pixels ---- */

/* n tiles side by side, whose first result is number (y, x) of an image and whose first index is `tile`. */
static void filter_tiles(const struct qnt__winograd_call *c, uint8_t *scratch, const uint8_t *image,
                         size_t n, struct qnt__winograd_tile y, struct qnt__winograd_tile x,
                         size_t tile)
{
    const struct qnt__run *run = c->run;
    const size_t channels = run->g.channels, pixels = 4 * (n - 1) + (size_t)x.size + 2;
    int16_t *lines = (void *)(scratch + run->winograd.lines);
    const struct qnt__winograd_pass down = {.in = image + (ptrdiff_t)y.at * run->row_step +
                                                  (ptrdiff_t)x.at * run->pixel_step,
                                            .out = lines,
                                            .in_ld = (size_t)run->row_step,
                                            .out_ld = pixels * channels,
                                            .n = pixels * channels,
                                            .count = 1,
                                            .results = y.size};
    run->context->simd.winograd_bytes(&down);
    struct qnt__winograd_pass across = {.in = lines,
                                        .out = c->pixels + tile * run->winograd.tile,
                                        .in_ld = channels,
                                        .in_step = 4 * channels,
                                        .out_ld = channels,
                                        .out_step = run->winograd.tile,
                                        .n = channels,
                                        .count = n,
                                        .results = x.size};
    for (int i = 0; i < y.size + 2; i++) {
        run->context->simd.winograd_words(&across);
        across.in = (const int16_t *)across.in + pixels * channels;
        across.out = (int16_t *)across.out + POINTS * channels;
    }
}

/* One row of tiles. */
static void filter_row(void *task, size_t index, size_t worker)
{
    const struct qnt__winograd_call *c = task;
    const struct qnt__run *run = c->run;
    const struct qnt__winograd_axis *down = &c->chunk.down, *across = &c->chunk.across;
    const size_t row = c->chunk.first + index, rows = down->fours + down->twos;
    const uint8_t *image = run->base + (ptrdiff_t)(row / rows) * run->image_step;
    const struct qnt__winograd_tile y = qnt__winograd_tile(down, row % rows);
    for (size_t column = 0, n; column < across->fours + across->twos; column += n) {
        const struct qnt__winograd_tile x = qnt__winograd_tile(across, column);
        for (n = 1; n < QNT__WINOGRAD_RUN && column + n < across->fours; n++)
            if (qnt__winograd_tile(across, column + n).at != x.at + 4 * n) break;
        filter_tiles(c, qnt__run_scratch(run, worker), image, n, y, x,
                     qnt__winograd_index(&c->chunk, row, column));
    }
}

/* ---- products ---- */

/* Tiles that have these points. */
static struct qnt__winograd_range tiles_at(const struct qnt__winograd_piece *p, int down,
                                           int across)
{
    const size_t *index = p->call->chunk.index;
    const bool tall = down > 3, wide = across > 3; /* only these have the last two points */
    const size_t end = tall ? QNT__LOW_WIDE : wide ? QNT__LOW_NARROW : KINDS;
    return qnt__winograd_meet(p, wide ? index[QNT__TALL_WIDE] : 0, index[end]);
}

/* Words from one place of taps to the next. */
static size_t taps_ld(const struct qnt__run *run)
{
    return run->winograd.panels * (size_t)run->layer->head.channels * QNT__PANEL +
           QNT__WINOGRAD_APART;
}

static void filter_taps(const struct qnt__winograd_piece *p)
{
    const struct qnt__run *run = p->call->run;
    const qnt_layer *layer = run->layer;
    const size_t words = (size_t)layer->head.channels * QNT__PANEL,
                 first = p->group * layer->shape.group_panels + p->panel;
    const uint8_t *panel = layer->weight + first * layer->shape.panel_bytes;
    struct qnt__winograd_taps t = {.cells = words / qnt__cell_bytes(8),
                                   .out = (void *)(p->scratch + run->winograd.taps),
                                   .ld = taps_ld(run)};
    if (layer->head.cell_bits != 8) {
        qnt__expand_panels(run, first, p->panels, p->scratch + run->winograd.cells);
        panel = p->scratch + run->winograd.cells;
    }
    for (size_t i = 0; i < p->panels; i++, t.out += words) {
        t.panel = panel + i * qnt__expanded_bytes(&layer->shape);
        run->context->simd.winograd_taps(&t);
    }
}

/* Adds up products of one column of places, of those tiles from `first` to end - 1 that have it. */
static void add_down(const struct qnt__winograd_piece *p, int across, size_t first, size_t end,
                     int results)
{
    const struct qnt__run *run = p->call->run;
    struct qnt__winograd_range r = tiles_at(p, 0, across);
    r = qnt__winograd_meet(p, qnt__max(r.first, first), qnt__min(r.end, end));
    if (r.first == r.end) return;
    const struct qnt__winograd_pass w = {
        .in = qnt__winograd_sums(p, run->winograd.products, r.first),
        .out = qnt__winograd_sums(p, run->winograd.sums, r.first) +
               (size_t)(across * TILE) * run->winograd.place,
        .in_ld = run->winograd.place,
        .out_ld = run->winograd.place,
        .n = (r.end - r.first) * p->columns,
        .count = 1,
        .results = results};
    run->context->simd.winograd_sums(&w);
}

/* Products of all places of one column of places, of some channels, added down: sums[across][line]. */
static void multiply(const struct qnt__winograd_piece *p, size_t first, size_t depth, int across)
{
    const struct qnt__run *run = p->call->run;
    const struct qnt__winograd_plan *w = &run->winograd;
    const struct qnt__simd *simd = &run->context->simd;
    const size_t panel = (size_t)run->layer->head.channels * QNT__PANEL;
    const int16_t *taps =
                      (const int16_t *)(const void *)(p->scratch + w->taps) + first * QNT__PANEL,
                  *pixels = p->call->pixels + p->slice + first;
    for (int down = 0; down < POINTS; down++) {
        const struct qnt__winograd_range r = tiles_at(p, down, across);
        const size_t place = (size_t)(POINTS * down + across);
        const int16_t *rows[TILES];
        if (r.end == r.first) continue;
        for (size_t i = r.first; i < r.end; i++)
            rows[i - r.first] = pixels + i * w->tile + place * run->g.channels;
        const struct qnt__gemm_s16 gemm = {.rows = rows,
                                           .weight = taps + place * taps_ld(run),
                                           .acc = qnt__winograd_sums(p, w->products, r.first) +
                                                  (size_t)down * w->place,
                                           .m = r.end - r.first,
                                           .panels = p->panels,
                                           .depth = depth,
                                           .panel_words = panel,
                                           .ld = p->columns};
        simd->gemm_s16(&gemm);
    }
    add_down(p, across, 0, p->call->chunk.index[QNT__LOW_WIDE], 4);
    add_down(p, across, p->call->chunk.index[QNT__LOW_WIDE], p->call->chunk.index[KINDS], 2);
}

/* Tiles first to end - 1 of a piece. */
static void run_tiles(const struct qnt__winograd_piece *p)
{
    const qnt_layer *layer = p->call->run->layer;
    const size_t channels = (size_t)layer->head.channels;
    for (size_t first = 0, depth; first < channels; first += depth) {
        depth = qnt__min(channels - first, layer->winograd_depth);
        for (int across = 0; across < POINTS; across++) multiply(p, first, depth, across);
        for (size_t line = 0; line < 4; line++) {
            const enum qnt__winograd_kind last = line < 2 ? QNT__LOW_NARROW : QNT__TALL_WIDE;
            for (enum qnt__winograd_kind kind = QNT__TALL_NARROW; kind <= last; kind++) {
                qnt__winograd_add_across(p, line, kind, first > 0);
                if (first + depth == channels) qnt__winograd_finish(p, line, kind);
            }
        }
    }
}

/* Panels of one group and a part of the tiles. */
static void run_piece(void *task, size_t index, size_t worker)
{
    const struct qnt__winograd_call *c = task;
    const struct qnt__run *run = c->run;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t parts = run->winograd.parts, block = index / parts, part = index % parts,
                 columns = run->winograd.panels * QNT__PANEL,
                 all = qnt__ceil_div(c->chunk.index[KINDS], TILES), first = all * part / parts,
                 end = all * (part + 1) / parts;
    struct qnt__winograd_piece p = {.call = c,
                                    .scratch = qnt__run_scratch(run, worker),
                                    .group = block / c->panel_blocks,
                                    .panel = block % c->panel_blocks * run->winograd.panels,
                                    .columns = columns};
    if (first == end) return;
    p.panels = qnt__min(s->group_panels - p.panel, run->winograd.panels);
    p.slice = (p.group + run->g.group_shift) % run->g.groups * (size_t)run->layer->head.channels;
    filter_taps(&p);
    for (size_t t = first; t < end; t++) {
        p.first = t * TILES;
        p.end = qnt__min(p.first + TILES, c->chunk.index[KINDS]);
        run_tiles(&p);
    }
}

/* Two tasks never write the same byte unless results share some. */
static qnt_status share(struct qnt__winograd_call *c, qnt_task_fn task, size_t count)
{
    if (!c->run->shared_bytes) return qnt__parallel(c->run->context, task, c, count);
    for (size_t i = 0; i < count; i++) task(c, i, 0);
    return QNT_OK;
}

qnt_status qnt__run_winograd(struct qnt__run *run)
{
    const struct qnt__winograd_axis down = qnt__winograd_axis(run->g.out_height),
                                    across = qnt__winograd_axis(run->g.out_width);
    const size_t rows = run->g.batch * (down.fours + down.twos),
                 tasks = run->winograd.blocks * run->winograd.parts;
    struct qnt__winograd_call c = {
        .run = run,
        .pixels = (void *)(run->space + run->places.pixels),
        .panel_blocks = qnt__ceil_div(run->layer->shape.group_panels, run->winograd.panels)};
    for (size_t first = 0; first < rows; first += run->winograd.rows) {
        const size_t end = qnt__min(rows, first + run->winograd.rows);
        c.chunk = qnt__winograd_chunk(down, across, first, end);
        QNT__TRY(share(&c, filter_row, end - first));
        QNT__TRY(share(&c, run_piece, tasks));
    }
    return QNT_OK;
}
