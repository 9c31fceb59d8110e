/* From products that are added up down their tiles to results: added up across, finished line by line. */
#include "winograd.h"

enum { TILE = QNT__WINOGRAD_TILE, PIXELS = TILE * QNT__WINOGRAD_TILES };

/* Finishes pixels x to x + n - 1 of one line of an image. */
static void finish(const struct qnt__winograd_piece *p, const int32_t *sums, size_t image,
                   size_t line, size_t x, size_t n)
{
    const struct qnt__run *run = p->call->run;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__layer_outputs outputs =
        qnt__layer_outputs(run->layer, p->group, p->panel, p->panels);
    struct qnt__block b = {.acc = sums,
                           .m = n,
                           .n = outputs.count,
                           .ld = p->columns,
                           .first_row = (image * run->g.out_height + line) * run->g.out_width + x,
                           .row_step = 1,
                           .column = p->group * s->group_columns + outputs.first,
                           .output = p->group * s->group_outputs + outputs.first};
    int32_t zero[PIXELS];
    float scale[PIXELS];
    const int32_t centred =
        (run->dynamic ? run->dynamic[image].zero : run->input_zero) - QNT__WINOGRAD_CENTRE;
    for (size_t i = 0; i < n; i++) {
        zero[i] = centred;
        scale[i] = run->dynamic ? run->dynamic[image].scale : 0;
    }
    if (centred != 0) b.a_zero = zero, b.w_sum = run->layer->sum + b.column;
    if (run->dynamic) b.scale = scale;
    qnt__run_epilogue(run, p->scratch, &b);
}

/* Line `line` of n tiles of one row of tiles, all of one width: from number `column` of the row on. Pixels
 * of tiles are next to each other, but for the last one that may leave some out. */
static void finish_tiles(const struct qnt__winograd_piece *p, const int32_t *results, size_t row,
                         size_t line, size_t column, size_t n)
{
    const struct qnt__winograd_chunk *c = &p->call->chunk;
    const size_t rows = c->down.fours + c->down.twos;
    const struct qnt__winograd_tile y = qnt__winograd_tile(&c->down, row % rows);
    if (line < y.skip) return;
    for (size_t i = 0, some; i < n; i += some) {
        const struct qnt__winograd_tile x = qnt__winograd_tile(&c->across, column + i);
        for (some = 1; i + some < n; some++)
            if (qnt__winograd_tile(&c->across, column + i + some).skip != x.skip) break;
        finish(p, results + (i * TILE + x.skip) * p->columns, row / rows, y.at + line, x.at + x.skip,
               some * (size_t)x.size - x.skip);
    }
}

/* Number `rank` of the rows of tiles of this height. */
static size_t row_of(const struct qnt__winograd_chunk *c, bool tall, size_t rank)
{
    const size_t rows = c->down.fours + c->down.twos;
    rank += tall ? c->first_tall : c->first_low;
    return tall ? rank / c->down.fours * rows + rank % c->down.fours : rank * rows + c->down.fours;
}

static bool is_tall(enum qnt__winograd_kind kind)
{
    return kind <= QNT__TALL_WIDE;
}

static bool is_wide(enum qnt__winograd_kind kind)
{
    return kind == QNT__TALL_WIDE || kind == QNT__LOW_WIDE;
}

static struct qnt__winograd_range tiles_of(const struct qnt__winograd_piece *p,
                                           enum qnt__winograd_kind kind)
{
    const size_t *index = p->call->chunk.index;
    return qnt__winograd_meet(p, index[kind], index[kind + 1]);
}

/* Results of a line of the piece from a tile on: a line is pixel after pixel. */
static int32_t *find_results(const struct qnt__winograd_piece *p, size_t line, size_t tile)
{
    const struct qnt__winograd_plan *w = &p->call->run->winograd;
    int32_t *results = (void *)(p->scratch + w->results);
    return results + line * TILE * w->place + (tile - p->first) * TILE * p->columns;
}

/* Each direction makes results 24 or 6 times as large; behind the division by 9 that is 8 or 2 times. */
void qnt__winograd_add_across(const struct qnt__winograd_piece *p, size_t line,
                              enum qnt__winograd_kind kind, bool add)
{
    const struct qnt__winograd_plan *w = &p->call->run->winograd;
    const struct qnt__winograd_range r = tiles_of(p, kind);
    if (r.first == r.end) return;
    const struct qnt__winograd_pass results = {
        .in = qnt__winograd_sums(p, w->sums, r.first) + line * w->place,
        .out = find_results(p, line, r.first),
        .in_ld = TILE * w->place,
        .in_step = p->columns,
        .out_ld = p->columns,
        .out_step = TILE * p->columns,
        .n = p->columns,
        .count = r.end - r.first,
        .results = is_wide(kind) ? 4 : 2,
        .shift = (is_tall(kind) ? 3 : 1) + (is_wide(kind) ? 3 : 1),
        .add = add};
    p->call->run->context->simd.winograd_results(&results);
}

void qnt__winograd_finish(const struct qnt__winograd_piece *p, size_t line,
                          enum qnt__winograd_kind kind)
{
    const struct qnt__winograd_chunk *c = &p->call->chunk;
    const struct qnt__winograd_range r = tiles_of(p, kind);
    const size_t each = is_wide(kind) ? c->across.fours : c->across.twos;
    for (size_t tile = r.first, n; tile < r.end; tile += n) {
        const size_t rank = (tile - c->index[kind]) / each, column = (tile - c->index[kind]) % each;
        n = qnt__min(each - column, r.end - tile);
        finish_tiles(p, find_results(p, line, tile), row_of(c, is_tall(kind), rank), line,
                     is_wide(kind) ? column : c->across.fours + column, n);
    }
}
