/*
 * Layers of 3 x 3 taps in tiles of 2 x 4 pixels of the result (slots_lowbit.h): 24 products of bytes for
 * what otherwise takes 72, or 24 look-ups. Weights are filtered when the layer is made (lowbit_filters.c);
 * pixels are unpacked and filtered, strip by strip of tiles; products of the places of a column are added
 * up as they are made, and joined at once. Where one or two pixels are left at the end of a line, its last
 * tile is narrow; narrow tiles come after all others of those that are multiplied together, as some places
 * have none.
 */
#include <string.h>

#include "base/carve.h"
#include "base/try.h"
#include "lowbit.h"
#include "lowbit_filters.h"
#include "lowbit_line.h"

enum {
    COLUMNS = QNT__LOWBIT_COLUMNS,
    PLACES = QNT__LOWBIT_PLACES,
    TILE = QNT__LOWBIT_TILE,
    PIXELS = 2 * TILE,
    FEW = 1 << 20, /* bytes of filters that workers may share */
    NARROW = QNT__LOWBIT_NARROW,
    TILES = 28,    /* whose pixels are filtered at a time */
    TOGETHER = 64, /* bytes of pixels that are filtered together */
    APART = 64     /* bytes that keep places from being multiples of a page apart */
};

/* ---- a strip of tiles ---- */

/* What a run is made of. A strip has whole rows of tiles, and keeps the lines of those rows that it has at
 * hand: others take their places. */
struct tiles {
    const struct qnt__lowbit_conv *c;
    size_t rows, columns; /* tiles of an image */
    size_t narrow;        /* columns of narrow tiles, the last one or none; with it tiles that are
                           * filtered at a time are whole rows */
    size_t strips;        /* of an image */
    size_t parts;         /* of the groups, tasks for one strip */
    size_t most;          /* tiles whose pixels are filtered at a time */
    size_t span;          /* rows that these may lie in */
    size_t together;      /* groups that are filtered at a time */
    size_t depth, pixel;  /* bytes of a group, of all groups */
    bool made;            /* filters are made of taps */
    bool direct;          /* codes leave the slot packed, at their place in the result */
    size_t line_bytes;    /* of unpacked pixels */
    size_t space;         /* of a worker */
};

/* As many parts of the groups as there are workers, or one. Workers with groups of their own read no
 * filters of others but unpack all pixels, which pays where filters are many or rows are not alike for
 * all. */
static size_t count_parts(const struct tiles *t)
{
    const struct qnt__lowbit_conv *c = t->c;
    const size_t workers = c->context->workers;
    if (workers == 1 || qnt__lowbit_parts(c) % workers) return 1;
    const bool even = t->rows % workers == 0 || c->g.batch % workers == 0;
    return even && qnt__lowbit_filter_bytes(c) < FEW ? 1 : workers;
}

/* Whether lines end with a narrow tile. Two rows at least are multiplied together: fewer tiles read filters
 * more often than is gained. */
static bool is_narrow(const struct qnt__lowbit_conv *c)
{
    const size_t rest = c->g.out_width % TILE;
    return (rest == 1 || rest == 2) && qnt__ceil_div(c->g.out_width, TILE) <= TILES / 2;
}

/* Whether a block of outputs is a group of the result, and its pixels are whole tiles. */
static bool is_direct(const struct qnt__lowbit_conv *c)
{
    const size_t width = is_narrow(c) ? NARROW : TILE;
    return c->packed.data && !c->affine && c->blocks == 1 && c->packed.groups == c->g.groups &&
           c->g.out_width % width == 0 && c->g.out_height % 2 == 0;
}

static struct tiles divide(const struct qnt__lowbit_conv *c)
{
    const size_t workers = c->context->workers;
    struct tiles t = {.c = c,
                      .rows = qnt__ceil_div(c->g.out_height, 2),
                      .columns = qnt__ceil_div(c->g.out_width, TILE),
                      .narrow = is_narrow(c),
                      .depth = qnt__lowbit_filter_depth(c),
                      .made = qnt__lowbit_making(c) == QNT__FILTERS_MADE,
                      .direct = is_direct(c)};
    t.parts = count_parts(&t);
    t.strips = t.parts == 1 ? qnt__min(workers, t.rows) : 1;
    t.most = t.narrow ? TILES / t.columns * t.columns : TILES;
    t.most = qnt__min(t.most, qnt__ceil_div(t.rows, qnt__max(t.strips, 1)) * t.columns);
    t.span = t.most % t.columns ? (t.most - 1) / t.columns + 2 : t.most / t.columns;
    t.together = qnt__min(c->g.groups / t.parts, qnt__ceil_div(TOGETHER, t.depth));
    t.pixel = t.depth * c->g.groups;
    return t;
}

/* Room of a worker for a strip. */
struct strip {
    uint8_t *unpacked;              /* [2 span + 2][4 columns + 2][pixel] */
    int32_t *sum;                   /* of 2 span lines of the result */
    uint8_t *code;                  /* and their codes */
    uint8_t *pixels;                /* [24][tiles][groups][depth], filtered */
    int32_t *products;              /* [6][2][TILES][64] */
    int32_t *room;                  /* [3][TILES][64] */
    int32_t *sums;                  /* [2][4 TILES][64], or codes */
    size_t group, groups;           /* of the result */
    size_t image, row, rows;        /* of tiles */
    size_t seen, unpacked_lines;    /* lines of pixels */
    size_t packed_rows;             /* of tiles, whose results are finished */
    size_t pixel, pixels_ld;        /* from one tile to the next, from one place */
};

/* From one line of sums to the next, of rows of that length. */
static size_t products_ld(size_t row)
{
    return TILES * row + APART / sizeof(int32_t);
}

/* Of a pixel of the result, before it is packed. */
static size_t code_bytes(const struct tiles *t)
{
    return t->direct ? 0 : t->c->packed.groups / t->parts * 3 * t->c->packed.triples;
}

/* Every part of a strip, and what its lines take. */
static bool lay_out_strip(const struct tiles *t, size_t at[7], size_t *end)
{
    const struct qnt__lowbit_conv *c = t->c;
    const size_t width = TILE * t->columns, lines = 2 * t->span,
                 outputs = c->affine ? c->g.outputs / t->parts : 0;
    size_t code = 0, sum, pixels;
    *end = 0;
    if (c->packed.data && !qnt__mul(code_bytes(t), width, &code)) return false;
    return qnt__mul(outputs, width, &sum) && qnt__mul(sum, lines, &sum) &&
           qnt__mul(code, lines, &code) && qnt__mul(t->most, t->together * t->depth, &pixels) &&
           qnt__add(pixels, APART, &pixels) && qnt__mul(pixels, PLACES, &pixels) &&
           qnt__append(end, sum, sizeof(int32_t), &at[0]) && qnt__append(end, code, 1, &at[1]) &&
           qnt__append(end, pixels, 1, &at[2]) &&
           qnt__append(end, QNT__LOWBIT_SUM_LINES * products_ld(COLUMNS), sizeof(int32_t),
                       &at[3]) &&
           qnt__append(end, PIXELS * TILES * COLUMNS, sizeof(int32_t), &at[4]) &&
           qnt__append(end, lines + 2, t->line_bytes, &at[5]) &&
           qnt__append(end, 3 * TILES * COLUMNS, sizeof(int32_t), &at[6]);
}

static bool lay_out(struct tiles *t, size_t *bytes)
{
    size_t at[7], room;
    *bytes = 0;
    return qnt__mul(TILE * t->columns + 2, t->pixel, &t->line_bytes) &&
           lay_out_strip(t, at, &t->space) &&
           qnt__append(bytes, t->space, t->c->context->workers, &room) &&
           qnt__add(*bytes, QNT__CARVE_ALIGN, bytes);
}

static void open_strip(const struct tiles *t, size_t index, uint8_t *space, struct strip *s)
{
    const struct qnt__lowbit_conv *c = t->c;
    size_t at[7], end;
    lay_out_strip(t, at, &end);
    const size_t part = index % t->parts, strip = index / t->parts % t->strips;
    s->group = part * (c->g.groups / t->parts);
    s->groups = c->g.groups / t->parts;
    s->image = index / t->parts / t->strips;
    s->row = t->rows * strip / t->strips;
    s->rows = t->rows * (strip + 1) / t->strips - s->row;
    s->unpacked_lines = s->packed_rows = 0;
    s->seen = qnt__min(2 * s->rows + 2, c->g.height - 2 * s->row);
    s->sum = (int32_t *)(void *)(space + at[0]);
    s->code = space + at[1];
    s->unpacked = space + at[5];
    s->pixels = space + at[2];
    s->products = (int32_t *)(void *)(space + at[3]);
    s->sums = (int32_t *)(void *)(space + at[4]);
    s->room = (int32_t *)(void *)(space + at[6]);
    if (c->packed.data) memset(s->code, 0, 2 * t->span * TILE * t->columns * code_bytes(t));
}

/* Line l of the results of a strip. */
static struct qnt__lowbit_line find_line(const struct tiles *t, const struct strip *s, size_t l)
{
    const size_t at = l % (2 * t->span) * TILE * t->columns, pixel = code_bytes(t),
                 outputs = s->groups * t->c->group_outputs;
    return (struct qnt__lowbit_line){.image = s->image,
                                     .row = 2 * s->row + l,
                                     .first = s->group * t->c->group_outputs,
                                     .outputs = outputs,
                                     .sum = s->sum + at * outputs,
                                     .code = s->code + at * pixel,
                                     .pixel = pixel};
}

/* Line l of the unpacked pixels that a strip sees. */
static uint8_t *find_unpacked(const struct tiles *t, const struct strip *s, size_t l)
{
    return s->unpacked + l % (2 * t->span + 2) * t->line_bytes;
}

/* Lines that are not unpacked yet, up to the last one that row `row` of a strip's tiles sees: they are
 * filtered while they are near. */
static void unpack(const struct tiles *t, struct strip *s, size_t row)
{
    const struct qnt__lowbit_conv *c = t->c;
    const size_t runs = c->g.width * c->g.groups, used = c->g.width * t->pixel;
    const size_t end = qnt__min(2 * row + 4, s->seen);
    for (; s->unpacked_lines < end; s->unpacked_lines++) {
        const size_t line = s->image * c->g.height + 2 * s->row + s->unpacked_lines;
        uint8_t *to = find_unpacked(t, s, s->unpacked_lines);
        c->context->simd.unpack_lowbit(c->pixels + line * runs * c->triples, runs,
                                       c->g.channels / c->g.groups, to, t->depth);
        memset(to + used, 0, t->line_bytes - used);
    }
}

/* How many of n tiles from `first` on are wide. */
static size_t count_wide(const struct tiles *t, size_t n)
{
    return n - n / t->columns * t->narrow;
}

/* Tiles next to each other, or narrow ones, one below the other. */
struct run {
    size_t row, column, n, width;
};

/* Those from number i on of the tiles `first` to `first` + n - 1 of a strip, wide ones first. */
static struct run next_run(const struct tiles *t, size_t first, size_t n, size_t i)
{
    const size_t columns = t->columns - t->narrow, wide = count_wide(t, n);
    if (i >= wide) return (struct run){first / t->columns + i - wide, columns, n - i, NARROW};
    const size_t at = count_wide(t, first) + i, column = at % columns;
    return (struct run){at / columns, column, qnt__min(wide - i, columns - column), TILE};
}

/* Pixels of tiles `first` to `first` + n - 1 in some groups; a line beyond the image is one that no
 * result sees. */
static void filter_pixels(const struct tiles *t, struct strip *s, size_t first, size_t n,
                          size_t group, size_t groups)
{
    const struct qnt__lowbit_conv *c = t->c;
    s->pixel = groups * t->depth;
    s->pixels_ld = n * s->pixel + APART;
    for (size_t i = 0, some; i < n; i += some) {
        const struct run run = next_run(t, first, n, i);
        some = run.width == TILE ? run.n : 1;
        struct qnt__lowbit_pixels p = {.to = s->pixels + i * s->pixel,
                                       .n = some,
                                       .width = run.width,
                                       .bytes = s->pixel,
                                       .step = t->pixel,
                                       .ld = s->pixels_ld};
        for (size_t l = 0; l < 4; l++) {
            const size_t line = qnt__min(2 * run.row + l, s->seen - 1);
            p.line[l] =
                find_unpacked(t, s, line) + TILE * run.column * t->pixel + group * t->depth;
        }
        c->context->simd.tile_pixels(&p);
    }
}

/* Outputs `output` to `output` + n - 1: one block of filters, for pixels of one group. */
struct block {
    struct qnt__lowbit_filters filters;
    const uint8_t *next; /* panels that come after this block */
    size_t output, n;
    bool paired;    /* sums leave products as pairs */
    size_t columns; /* 32 or 64 */
    size_t row;     /* of their sums */
};

static struct block find_block(const struct tiles *t, size_t index)
{
    const struct qnt__lowbit_conv *c = t->c;
    const size_t group = index / c->blocks, block = index % c->blocks;
    union { /* who fills filters writes them */
        const uint8_t *in;
        uint8_t *out;
    } filters = {c->filters};
    const size_t next = (index + 1) % (c->g.groups * c->blocks);
    struct block b = {
        .filters = qnt__lowbit_find_filters(c, t->made, filters.out, group, block),
        .next = qnt__lowbit_find_filters(c, t->made, filters.out, next / c->blocks, next % c->blocks)
                    .panels,
        .output = group * c->group_outputs + block * COLUMNS,
        .n = qnt__min(COLUMNS, c->group_outputs - block * COLUMNS)};
    b.columns = b.n <= COLUMNS / 2 ? COLUMNS / 2 : COLUMNS;
    b.paired = !t->made && c->limits.data && *b.filters.paired;
    b.row = qnt__lowbit_row(b.paired, b.columns);
    return b;
}

/* Products of n tiles for all places that they have. */
static void multiply(const struct tiles *t, const struct strip *s, const struct block *b,
                     const uint8_t *pixels, size_t n)
{
    const size_t place = t->made ? 0 : QNT__BLOCK_PANELS * qnt__lowbit_panel_bytes(t->c),
                 ld = products_ld(b->row);
    const struct qnt__simd *simd = &t->c->context->simd;
    struct qnt__lowbit_products p = {.pixels = pixels,
                                     .filters = b->filters.panels,
                                     .start = b->filters.start,
                                     .sums = {s->products, s->products + ld},
                                     .room = s->room,
                                     .step = s->pixel,
                                     .ld = s->pixels_ld,
                                     .filters_ld = place,
                                     .depth = t->depth,
                                     .panels = b->columns / QNT__PANEL,
                                     .paired = b->paired};
    for (size_t j = 0; j < PLACES / 4; j++) {
        p.next = j + 1 < PLACES / 4 ? p.filters + 4 * place : b->next;
        p.n = j == 3 || j == 4 ? count_wide(t, n) : n;
        p.table = b->filters.tables + 64 * j;
        if (t->made) p.next = b->next + j * (b->columns / 32) * qnt__lowbit_panel_bytes(t->c);
        if (p.n && t->made) simd->multiply_taps(&p);
        else if (p.n) simd->multiply_tiles(&p);
        p.pixels += 4 * s->pixels_ld;
        p.filters += 4 * place;
        p.start += 2 * COLUMNS;
        for (size_t i = 0; i < 2; i++) p.sums[i] += 2 * ld;
    }
}

/* Whether n sums or codes of a block lie in a line as they leave the slot, none written behind them. */
static bool is_in_place(const struct qnt__lowbit_conv *c, size_t n)
{
    if (n != COLUMNS && n != COLUMNS / 2) return false;
    return c->affine ? !c->affine->transpose : c->packed.groups == c->g.groups;
}

/* Products to lines of the packed result. */
static void join_packed(const struct tiles *t, const struct strip *s, struct qnt__lowbit_tiles *j,
                        size_t r, size_t column, const struct block *b)
{
    const struct qnt__lowbit_packed *p = &t->c->packed;
    const size_t pixel = p->groups * p->triples,
                 line = s->image * p->height + p->top + 2 * (s->row + r);
    j->triples = p->triples;
    j->step = pixel;
    j->apart = j->width == TILE ? TILE * pixel : 2 * p->width * pixel;
    for (size_t i = 0; i < 2; i++)
        j->codes[i] = p->data + ((line + i) * p->width + p->left + column) * pixel +
                      b->output / t->c->group_outputs * p->triples;
    t->c->context->simd.join_tiles(j);
}

/* Products to lines from pixel `column` on, two for a row of tiles, first of all by way of s->sums if they
 * are not in place there. */
static void join_lines(const struct tiles *t, const struct strip *s, struct qnt__lowbit_tiles *j,
                       size_t r, size_t column, const struct block *b)
{
    const struct qnt__lowbit_conv *c = t->c;
    const bool in_place = is_in_place(c, b->n);
    const size_t rows = j->width == TILE ? 1 : j->n,
                 m = qnt__min(j->width * j->n / rows, c->g.out_width - column);
    const size_t group = b->output / c->group_outputs - s->group,
                 sum = b->output - s->group * c->group_outputs,
                 code = group * 3 * c->packed.triples + b->output % c->group_outputs;
    const struct qnt__lowbit_line lines[2] = {find_line(t, s, 2 * r), find_line(t, s, 2 * r + 1)};
    for (size_t i = 0; i < 2; i++) {
        const struct qnt__lowbit_line *l = &lines[i];
        const size_t part = i * TILE * TILES * COLUMNS;
        j->sums[i] = in_place ? l->sum + column * l->outputs + sum : s->sums + part;
        j->codes[i] = in_place ? l->code + column * l->pixel + code : (uint8_t *)s->sums + part;
        j->step = !in_place ? COLUMNS : j->limit ? l->pixel : l->outputs;
    }
    j->apart = (in_place && j->width < TILE ? 2 * TILE * t->columns : j->width) * j->step;
    c->context->simd.join_tiles(j);
    for (size_t i = 0; !in_place && i < 2 * rows; i++) {
        const struct qnt__lowbit_line l = find_line(t, s, 2 * r + i);
        const size_t at = i / 2 * j->apart;
        if (j->limit)
            qnt__lowbit_keep_codes(c, &l, j->codes[i % 2] + at, COLUMNS, column, m, b->output,
                                   b->n);
        else
            qnt__lowbit_keep_sums(c, &l, j->sums[i % 2] + at, COLUMNS, column, m, b->output, b->n);
    }
}

/* Results of tiles `first` to `first` + n - 1, from their products. */
static void join(const struct tiles *t, const struct strip *s, const struct block *b, size_t first,
                 size_t n)
{
    for (size_t i = 0; i < n;) {
        const struct run run = next_run(t, first, n, i);
        struct qnt__lowbit_tiles j = {.m = s->products + i * b->row,
                                      .limit = t->c->limits.data ? b->filters.limit : NULL,
                                      .wide = t->made ? b->filters.wide : NULL,
                                      .flip = b->filters.flip,
                                      .n = run.n,
                                      .width = run.width,
                                      .ld = products_ld(b->row),
                                      .columns = b->columns,
                                      .paired = b->paired};
        if (t->direct) join_packed(t, s, &j, run.row, TILE * run.column, b);
        else join_lines(t, s, &j, run.row, TILE * run.column, b);
        i += run.n;
    }
}

/* Tiles `first` to `first` + n - 1, some groups at a time: all of them, wherever a shift begins, or fewer
 * where it parts them. */
static void run_tiles(const struct tiles *t, struct strip *s, size_t first, size_t n)
{
    const struct qnt__lowbit_conv *c = t->c;
    const size_t groups = c->g.groups, end = s->group + s->groups;
    for (size_t group = s->group, some; group < end; group += some) {
        const size_t from = (group + c->g.group_shift) % groups;
        some = qnt__min(t->together, end - group);
        if (some < groups) some = qnt__min(some, groups - from);
        const size_t filtered = some < groups ? from : 0;
        filter_pixels(t, s, first, n, filtered, some);
        for (size_t i = 0; i < some * c->blocks; i++) {
            const struct block b = find_block(t, group * c->blocks + i);
            const size_t pixels = (from + i / c->blocks) % groups - filtered;
            multiply(t, s, &b, s->pixels + pixels * t->depth, n);
            join(t, s, &b, first, n);
        }
    }
}

/* Results of rows of tiles before row `end`. */
static void finish(const struct tiles *t, struct strip *s, size_t end)
{
    const struct qnt__lowbit_conv *c = t->c;
    for (size_t l = 2 * s->packed_rows; l < 2 * end; l++) {
        const struct qnt__lowbit_line line = find_line(t, s, l);
        if (line.row == c->g.out_height) break;
        if (c->affine) qnt__lowbit_run_floats(c, &line);
        if (c->packed.data && !t->direct) qnt__lowbit_pack_line(c, &line);
    }
    s->packed_rows = end;
}

static void run_strip(void *task, size_t index, size_t worker)
{
    const struct tiles *t = task;
    const struct qnt__lowbit_conv *c = t->c;
    struct strip s;
    open_strip(t, index, c->line + worker * t->space, &s);
    for (size_t first = 0, n; first < s.rows * t->columns; first += n) {
        n = qnt__min(t->most, s.rows * t->columns - first);
        unpack(t, &s, (first + n - 1) / t->columns);
        run_tiles(t, &s, first, n);
        finish(t, &s, (first + n) / t->columns);
    }
}

/* ---- the call ---- */

/* Some tiles, and four fifths of their pixels are wanted, as if none were narrow. If filters are made of
 * taps, look-ups for a pixel cost 6 where products of a tile cost 24, and filters 48 for eight tiles. */
bool qnt__lowbit_tiles_serve(const struct qnt__lowbit_conv *c)
{
    const size_t width = qnt__round_up(c->g.out_width, TILE),
                 height = qnt__round_up(c->g.out_height, 2);
    size_t all;
    if (!c->filters || c->g.batch == 0 || !qnt__mul(width, height, &all)) return false;
    const size_t wanted = c->g.out_width * c->g.out_height, tiles = all / PIXELS;
    if (qnt__lowbit_making(c) == QNT__FILTERS_MADE)
        return c->context->simd.fast_taps && 4 * tiles + 8 * qnt__ceil_div(tiles, 8) <= wanted;
    return all >= 4 * PIXELS && all - wanted <= wanted / 4;
}

size_t qnt__lowbit_tiles_workspace(struct qnt__lowbit_conv *c)
{
    struct tiles t = divide(c);
    size_t bytes;
    return lay_out(&t, &bytes) ? bytes : SIZE_MAX;
}

qnt_status qnt__lowbit_tiles_run(struct qnt__lowbit_conv *c, void *workspace)
{
    struct tiles t = divide(c);
    size_t bytes;
    lay_out(&t, &bytes);
    c->parts = t.parts;
    c->line = workspace;
    c->line += -(uintptr_t)c->line % QNT__CARVE_ALIGN;
    if (c->packed.data) qnt__lowbit_clear_border(c);
    return qnt__parallel(c->context, run_strip, &t, c->g.batch * t.strips * t.parts);
}
