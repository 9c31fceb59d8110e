/*
 * Runs a convolution of packed digits. A task is one line of the result, or one group of it where
 * the result has the same groups; blocks of 64 outputs outermost, so that a block's weights stay in
 * the first cache along the line.
 */
#include <string.h>

#include "base/try.h"
#include "lowbit.h"
#include "lowbit_line.h"

enum {
    COLUMNS = QNT__LOWBIT_COLUMNS,
    PIXELS = 56, /* of the result, in one call of a slot: whole tiles of 4, 7 and 8; half for two blocks */
    ROOM = PIXELS * COLUMNS,
    MANY = 64    /* channels of a group, see may_look_up */
};

static void sum_line(void *task, size_t index, size_t worker)
{
    const struct qnt__lowbit_conv *c = task;
    const struct qnt__simd *simd = &c->context->simd;
    const size_t pixel = c->g.groups * c->triples;
    const uint8_t *x = c->pixels + index * c->g.width * pixel;
    int32_t *to = c->digits + index * c->g.width * c->g.groups;
    for (size_t g = 0; g < c->g.groups; g++, to += c->g.width)
        simd->digits_lowbit(x + g * c->triples, c->g.width, pixel, c->triples, to);
    if (!c->sixes || c->high[worker]) return;
    const size_t all = c->g.width * c->g.groups;
    if (!simd->join_lowbit(x, all, c->triples, c->triples, c->joined + index * all * c->depth,
                           c->depth))
        c->high[worker] = 1;
}

/* Sums of digits that the pixels of a line of the result meet. */
static void sum_boxes(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                      size_t group)
{
    const struct qnt__geometry *g = &c->g;
    const size_t ld = g->groups * g->width;
    const int32_t *digits =
        c->digits + (l->image * g->height + l->row * g->stride[0]) * ld + group * g->width;
    c->context->simd.box_lowbit(&(struct qnt__lowbit_box){.digits = digits,
                                                          .box = l->box,
                                                          .m = g->out_width,
                                                          .rows = g->kernel[0],
                                                          .columns = g->kernel[1],
                                                          .ld = g->dilation[0] * ld,
                                                          .dilation = g->dilation[1],
                                                          .step = g->stride[1]});
}

/* ---- what becomes of m pixels of a block: outputs `output` to output + n - 1, ld apart ---- */

static void store_sums(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                       const int32_t *acc, size_t ld, size_t column, size_t m, size_t output,
                       size_t n)
{
    const struct qnt__view *y = c->sums;
    for (size_t i = 0; i < m; i++, acc += ld) {
        int64_t at = (int64_t)l->image * y->strides[0] + (int64_t)l->row * y->strides[1] +
                     (int64_t)(column + i) * y->strides[2] + (int64_t)output * y->strides[3];
        if (y->strides[3] == 1) memcpy(y->data + 4 * at, acc, n * sizeof *acc);
        for (size_t j = 0; y->strides[3] != 1 && j < n; j++, at += y->strides[3])
            memcpy(y->data + 4 * at, &acc[j], sizeof *acc);
    }
}

/* ---- one or two blocks of outputs along a line ---- */

struct block {
    size_t count;    /* of blocks, one or two: the second one may not be full */
    size_t first, n; /* outputs first to first + n - 1 */
    const uint8_t *x, *weight, *pairs;
    const void *limits; /* or NULL */
};

static struct block find_block(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                               size_t group, size_t block)
{
    const struct qnt__geometry *g = &c->g;
    const size_t pixel = g->groups * c->x_bytes, from = (group + g->group_shift) % g->groups;
    const size_t number = group * c->blocks + block, left = c->group_outputs - block * COLUMNS;
    const size_t alike = c->blocks - (c->pair_taps > 0) - block; /* pairs of pixels have other taps */
    struct block b = {.count = alike >= 2 ? 2 : 1,
                      .first = group * c->group_outputs + block * COLUMNS,
                      .weight = c->taps + number * c->depth * c->tap_count * COLUMNS};
    b.n = qnt__min(b.count * COLUMNS, left);
    b.x = c->x + (l->image * g->height + l->row * g->stride[0]) * g->width * pixel +
          from * c->x_bytes;
    if (c->pair_taps && block == c->blocks - 1)
        b.pairs = c->pairs + group * c->depth * c->pair_taps * COLUMNS;
    if (c->limits.data)
        b.limits =
            (const uint8_t *)c->limits.data + number * qnt__lowbit_block_bytes(c->limits.half);
    return b;
}

/* What a slot gives for m pixels from `column` on, `pixels` at a time. */
struct made {
    size_t column, m, pixels;
    int32_t acc[ROOM];
    uint8_t codes[ROOM];
};

/* Sums in 16 bits become codes at once, in the line if they lie there as they leave the slot. */
static void run_narrow(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                       const struct block *b, const struct qnt__lowbit *s,
                       const struct qnt__lowbit_boxes *box, struct made *made)
{
    const size_t half = (size_t)c->limits.half,
                 limit_ld = qnt__lowbit_block_bytes(c->limits.half) / sizeof(int16_t);
    uint8_t *const place = b->n == b->count * COLUMNS
                               ? qnt__lowbit_find_codes(c, l, made->column, b->first, b->n)
                               : NULL;
    const int16_t *limit = b->limits;
    c->context->simd.codes_lowbit(
        s, &(struct qnt__lowbit_codes){.box = *box,
                                       .limit = limit,
                                       .flip = limit + (half + 1) * 3 * COLUMNS,
                                       .limit_ld = limit_ld,
                                       .codes = place ? place : made->codes,
                                       .step = place ? l->pixel : b->count * COLUMNS,
                                       .zero = c->zero,
                                       .half = c->limits.half});
    if (!place)
        qnt__lowbit_keep_codes(c, l, made->codes, b->count * COLUMNS / made->pixels, made->column,
                               made->m, b->first, b->n);
}

/* Sums of 32 bits become codes, floats or results, block by block. */
static void run_wide(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                     const struct block *b, const struct qnt__lowbit *s,
                     const struct qnt__lowbit_boxes *box, struct made *made)
{
    const size_t ld = COLUMNS / made->pixels;
    const int32_t *limits = b->limits;
    struct qnt__lowbit_finish f = {.acc = made->acc,
                                   .box = *box,
                                   .thresholds = limits,
                                   .codes = made->codes,
                                   .m = s->m,
                                   .step = c->step,
                                   .zero = c->zero};
    c->context->simd.conv_lowbit(s);
    for (size_t i = 0; i < b->count; i++, f.acc += s->m * COLUMNS) {
        const size_t output = b->first + i * COLUMNS, n = qnt__min(COLUMNS, b->n - i * COLUMNS);
        if (limits) {
            f.thresholds = limits + i * 4 * COLUMNS;
            f.flip = f.thresholds + 3 * COLUMNS;
        }
        c->context->simd.finish_lowbit(&f);
        if (limits)
            qnt__lowbit_keep_codes(c, l, f.codes, ld, made->column, made->m, output, n);
        else if (c->affine)
            qnt__lowbit_keep_sums(c, l, f.acc, ld, made->column, made->m, output, n);
        else
            store_sums(c, l, f.acc, ld, made->column, made->m, output, n);
    }
}

/* Pixels `column` to `end` - 1, two at a time if `pixels` is 2. */
static void run_stretch(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                        const struct block *b, size_t column, size_t end, size_t pixels)
{
    const struct qnt__geometry *g = &c->g;
    const size_t step = g->stride[1] * g->groups * c->x_bytes;
    struct made made;
    struct qnt__lowbit s = {.taps = pixels == 2 ? c->pair : c->tap,
                            .acc = made.acc,
                            .blocks = b->count,
                            .weight_ld = c->depth * c->tap_count * COLUMNS,
                            .step = pixels * step,
                            .depth = c->depth,
                            .last = c->sixes ? c->triples - 2 : 0,
                            .form = c->form,
                            .tap_count = pixels == 2 ? c->pair_taps : c->tap_count,
                            .weight = pixels == 2 ? b->pairs : b->weight};
    made.pixels = pixels;
    for (made.column = column; made.column < end; made.column += made.m) {
        const struct qnt__lowbit_boxes box = {l->box + made.column, pixels, pixels - 1};
        made.m = qnt__min(PIXELS * pixels / b->count, end - made.column);
        s.m = made.m / pixels;
        s.x = b->x + made.column * step;
        if (b->limits && c->limits.half >= 0)
            run_narrow(c, l, b, &s, &box, &made);
        else
            run_wide(c, l, b, &s, &box, &made);
    }
}

static void run_block(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                      const struct block *b)
{
    const size_t width = c->g.out_width, paired = b->pairs ? width / 2 * 2 : 0;
    run_stretch(c, l, b, 0, paired, 2);
    run_stretch(c, l, b, paired, width, 1);
}

/* ---- a line ---- */

static void run_line(void *task, size_t index, size_t worker)
{
    const struct qnt__lowbit_conv *c = task;
    const size_t groups = c->g.groups / c->parts, part = index % c->parts;
    const size_t width = c->g.out_width, row = index / c->parts;
    struct qnt__lowbit_line l = {.image = row / c->g.out_height,
                                 .row = row % c->g.out_height,
                                 .first = part * groups * c->group_outputs,
                                 .outputs = groups * c->group_outputs,
                                 .pixel = c->packed.groups / c->parts * 3 * c->packed.triples};
    void *space = c->line + worker * c->line_bytes;
    l.box = qnt__carve(&space, width, sizeof *l.box);
    l.sum = qnt__carve(&space, c->affine ? width * l.outputs : 0, sizeof *l.sum);
    l.code = space;
    if (c->packed.data) memset(l.code, 0, width * l.pixel);
    for (size_t group = part * groups; group < (part + 1) * groups; group++) {
        sum_boxes(c, &l, (group + c->g.group_shift) % c->g.groups);
        for (size_t block = 0, count; block < c->blocks; block += count) {
            const struct block b = find_block(c, &l, group, block);
            count = b.count;
            run_block(c, &l, &b);
        }
    }
    if (c->affine) qnt__lowbit_run_floats(c, &l);
    if (c->packed.data) qnt__lowbit_pack_line(c, &l);
}

/* ---- the call ---- */

/* Taps of sixes meet pixels that were joined, unless a digit has two bits: then the pixels as they
 * are. */
static void choose_form(struct qnt__lowbit_conv *c)
{
    bool high = !c->sixes;
    for (size_t i = 0; !high && i < c->context->workers; i++) high = c->high[i];
    c->x = high ? c->pixels : c->joined;
    c->x_bytes = high ? c->triples : c->depth;
    c->form = !c->sixes ? QNT__TRIPLES : high ? QNT__SIXES_ON_TWO : QNT__SIXES_ON_SIX;
}

static void set_taps(const struct qnt__lowbit_conv *c)
{
    const struct qnt__geometry *g = &c->g;
    const size_t pixel = g->groups * c->x_bytes;
    for (size_t p = 0; p < c->tap_count; p++) {
        size_t down = p / g->kernel[1] * g->dilation[0], right = p % g->kernel[1] * g->dilation[1];
        c->tap[p] = (ptrdiff_t)((down * g->width + right) * pixel);
    }
}

size_t qnt__lowbit_parts(const struct qnt__lowbit_conv *c)
{
    if (c->affine && c->affine->transpose) return 1;
    return c->packed.data && c->packed.groups % c->g.groups ? 1 : c->g.groups;
}

/* Offsets of taps, digits, lines, taps of pairs and their weights, joined pixels and what is known
 * of them; the last one is the size. */
static bool lay_out(struct qnt__lowbit_conv *c, size_t at[8])
{
    const struct qnt__geometry *g = &c->g;
    size_t sums, out, sum, code, each, all, end = 0, nothing;
    c->parts = qnt__lowbit_parts(c);
    c->line_bytes = 0;
    const size_t outputs = c->affine ? g->outputs / c->parts : 0;
    const size_t pixel = c->packed.data ? c->packed.groups / c->parts * 3 * c->packed.triples : 0;
    bool fits = qnt__mul(g->batch, g->height, &sums) && qnt__mul(sums, g->width, &sums) &&
                qnt__mul(sums, g->groups, &sums) && qnt__mul(g->out_width, outputs, &sum) &&
                qnt__mul(g->out_width, pixel, &code);
    size_t pairs, joined;
    out = each = 0;
    c->pair_taps = qnt__lowbit_pair_taps(c);
    fits = fits && qnt__mul(g->groups * c->depth, c->pair_taps, &pairs) &&
           qnt__mul(sums, c->sixes ? c->depth : 0, &joined);
    fits = fits && qnt__append(&each, g->out_width, sizeof(int32_t), &out) &&
           qnt__append(&each, sum, sizeof(int32_t), &nothing) &&
           qnt__append(&each, code, 1, &nothing) && qnt__mul(each, c->context->workers, &all) &&
           qnt__append(&end, c->tap_count, sizeof(ptrdiff_t), &at[0]) &&
           qnt__append(&end, sums, sizeof(int32_t), &at[1]) && qnt__append(&end, all, 1, &at[2]) &&
           qnt__append(&end, c->pair_taps, sizeof(ptrdiff_t), &at[3]) &&
           qnt__append(&end, pairs, COLUMNS, &at[4]) && qnt__append(&end, joined, 1, &at[5]) &&
           qnt__append(&end, c->sixes ? c->context->workers : 0, 1, &at[6]) &&
           qnt__add(end, QNT__CARVE_ALIGN, &at[7]);
    if (fits) c->line_bytes = each;
    return fits;
}

/* Looking up six products of one bit each is as fast as tiles where a group has many channels: then it is
 * the pixels that decide. */
static bool may_look_up(const struct qnt__lowbit_conv *c)
{
    return c->sixes && c->g.channels / c->g.groups >= MANY;
}

size_t qnt__lowbit_workspace(struct qnt__lowbit_conv *c)
{
    size_t at[8], tiles = 0;
    if (qnt__lowbit_tiles_serve(c)) {
        tiles = qnt__lowbit_tiles_workspace(c);
        if (!may_look_up(c)) return tiles;
    }
    return lay_out(c, at) ? qnt__max(at[7], tiles) : SIZE_MAX;
}

qnt_status qnt__lowbit_run(struct qnt__lowbit_conv *c, void *workspace)
{
    size_t at[8];
    const struct qnt__geometry *g = &c->g;
    uint8_t *bytes = workspace;
    const bool tiles = qnt__lowbit_tiles_serve(c);
    if (tiles && !may_look_up(c)) return qnt__lowbit_tiles_run(c, workspace);
    bytes += -(uintptr_t)bytes % QNT__CARVE_ALIGN;
    lay_out(c, at);
    c->tap = (ptrdiff_t *)(void *)(bytes + at[0]);
    c->digits = (int32_t *)(void *)(bytes + at[1]);
    c->line = bytes + at[2];
    c->pair = (ptrdiff_t *)(void *)(bytes + at[3]);
    c->pairs = bytes + at[4];
    c->joined = bytes + at[5];
    c->high = bytes + at[6];
    if (c->sixes) memset(c->high, 0, c->context->workers);
    QNT__TRY(qnt__parallel(c->context, sum_line, c, g->batch * g->height));
    choose_form(c);
    if (tiles && c->form != QNT__SIXES_ON_SIX) return qnt__lowbit_tiles_run(c, workspace);
    set_taps(c);
    if (c->pair_taps) qnt__lowbit_pair_up(c, c->pairs, c->pair);
    if (c->packed.data) qnt__lowbit_clear_border(c);
    return qnt__parallel(c->context, run_line, c, g->batch * g->out_height * c->parts);
}
