/*
 * qnt_conv_lowbit: convolution of packed digits. A task is one line of the result; groups and
 * blocks of 64 outputs outermost, so that a block's weights stay in the first cache along the line.
 */
#include <string.h>

#include "base/carve.h"
#include "base/try.h"
#include "geometry.h"
#include "lowbit.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum {
    FIRST_LOWBIT = sizeof(qnt_lowbit),
    COLUMNS = QNT__LOWBIT_COLUMNS,
    PIXELS = 56,    /* of the result, in one call of the slot: whole tiles of 4, 7 and 8 */
    LIMIT = 1 << 15 /* of step and zero */
};

struct conv {
    const qnt_context *context;
    struct qnt__view pixels, taps, y, thresholds;
    struct qnt__geometry g;
    size_t group_outputs, blocks, triples, tap_count;
    int32_t step, zero;
    size_t top, left, out_groups, out_triples; /* of a packed result */
    ptrdiff_t *tap;  /* [tap_count] bytes from a pixel of the result to its taps */
    int32_t *digits; /* [B][H][W][groups]: sums over the digits of a pixel */
    int32_t *limit;  /* [groups][blocks][3][64] */
    uint8_t *line;   /* [workers][width][3 T of each group of the result]: its codes */
    size_t line_bytes;
};

/* ---- sums of digits ---- */

/* The sums over the three digits of each of eight bytes, at most 9. */
static uint64_t sum_triples(uint64_t word)
{
    const uint64_t digit = 0x0303030303030303u;
    return (word & digit) + (word >> 2 & digit) + (word >> 4 & digit);
}

/* The sum of eight bytes. */
static uint32_t sum_bytes(uint64_t bytes)
{
    const uint64_t even = 0x00ff00ff00ff00ffu;
    uint64_t pairs = (bytes & even) + (bytes >> 8 & even);
    return (uint32_t)(pairs * 0x0001000100010001u >> 48);
}

/* The sum of all digits of a pixel; 28 words fit the bytes of one. */
static uint32_t sum_of(const uint8_t *x, size_t triples)
{
    uint32_t sum = 0;
    while (triples > 0) {
        size_t part = qnt__min(triples, 28 * 8), t = 0;
        uint64_t bytes = 0, word = 0;
        for (; t + 8 <= part; t += 8) {
            memcpy(&word, x + t, 8);
            bytes += sum_triples(word);
        }
        for (word = 0; t < part; t++) word = word << 8 | x[t];
        sum += sum_bytes(bytes) + sum_bytes(sum_triples(word));
        x += part;
        triples -= part;
    }
    return sum;
}

static void sum_line(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct conv *c = task;
    const uint8_t *x = c->pixels.data + index * c->g.width * c->g.groups * c->triples;
    int32_t *to = c->digits + index * c->g.width * c->g.groups;
    for (size_t i = 0; i < c->g.width; i++) {
        for (size_t group = 0; group < c->g.groups; group++, x += c->triples)
            to[group * c->g.width + i] = (int32_t)sum_of(x, c->triples);
    }
}

/* Sums of digits that the pixels of a line of the result meet: down the kernel first, then along
 * it. */
static void sum_boxes(const struct conv *c, size_t image, size_t row, size_t group,
                      int32_t *columns, int32_t *box)
{
    const struct qnt__geometry *g = &c->g;
    memset(columns, 0, g->width * sizeof *columns);
    for (size_t i = 0; i < g->kernel[0]; i++) {
        size_t down = row * g->stride[0] + i * g->dilation[0];
        const int32_t *line =
            c->digits + ((image * g->height + down) * g->groups + group) * g->width;
        for (size_t x = 0; x < g->width; x++) columns[x] += line[x];
    }
    memset(box, 0, g->out_width * sizeof *box);
    for (size_t j = 0; j < g->kernel[1]; j++) {
        const int32_t *from = columns + j * g->dilation[1];
        for (size_t x = 0; x < g->out_width; x++) box[x] += from[x * g->stride[1]];
    }
}

/* ---- one line of the result ---- */

/* m finished pixels of one block go to y. */
static void store_sums(const struct conv *c, const int32_t *acc, size_t image, size_t row,
                       size_t column, size_t m, size_t output, size_t n)
{
    const struct qnt__view *y = &c->y;
    for (size_t i = 0; i < m; i++, acc += COLUMNS) {
        int64_t at = (int64_t)image * y->strides[0] + (int64_t)row * y->strides[1] +
                     (int64_t)(column + i) * y->strides[2] + (int64_t)output * y->strides[3];
        int32_t *to = (int32_t *)(void *)y->data;
        for (size_t j = 0; j < n; j++) to[at + (int64_t)j * y->strides[3]] = acc[j];
    }
}

/* The same for codes, to the line, run by run of one group of the result. */
static void store_codes(const struct conv *c, const uint8_t *codes, size_t column, size_t m,
                        size_t output, size_t n, uint8_t *line)
{
    const size_t channels = c->g.outputs / c->out_groups,
                 pixel = c->out_groups * 3 * c->out_triples;
    for (size_t j = 0; j < n;) {
        size_t group = (output + j) / channels, at = (output + j) % channels;
        size_t run = qnt__min(channels - at, n - j);
        uint8_t *to = line + column * pixel + group * 3 * c->out_triples + at;
        if (run == COLUMNS) { /* a length that the compiler knows */
            for (size_t i = 0; i < m; i++) memcpy(to + i * pixel, codes + i * COLUMNS, COLUMNS);
        } else {
            for (size_t i = 0; i < m; i++) memcpy(to + i * pixel, codes + i * COLUMNS + j, run);
        }
        j += run;
    }
}

static void run_block(const struct conv *c, size_t image, size_t row, size_t group, size_t block,
                      const int32_t *box, uint8_t *line)
{
    const struct qnt__geometry *g = &c->g;
    const size_t pixel = g->groups * c->triples, from = (group + g->group_shift) % g->groups;
    const uint8_t *x = c->pixels.data +
                       (image * g->height + row * g->stride[0]) * g->width * pixel +
                       from * c->triples;
    const size_t first = group * c->group_outputs + block * COLUMNS;
    const size_t n = qnt__min(COLUMNS, c->group_outputs - block * COLUMNS);
    int32_t acc[PIXELS * COLUMNS];
    uint8_t codes[PIXELS * COLUMNS];
    struct qnt__lowbit l = {.taps = c->tap,
                            .acc = acc,
                            .step = g->stride[1] * pixel,
                            .triples = c->triples,
                            .tap_count = c->tap_count,
                            .weight = c->taps.data + (group * c->blocks + block) * c->triples *
                                                         c->tap_count * COLUMNS};
    struct qnt__lowbit_finish f = {
        .acc = acc,
        .codes = codes,
        .step = c->step,
        .zero = c->zero,
        .thresholds = c->limit ? c->limit + (group * c->blocks + block) * 3 * COLUMNS : NULL};
    for (size_t column = 0; column < g->out_width; column += PIXELS) {
        l.m = f.m = qnt__min(PIXELS, g->out_width - column);
        l.x = x + column * g->stride[1] * pixel;
        f.box = box + column;
        c->context->simd.conv_lowbit(&l);
        c->context->simd.finish_lowbit(&f);
        if (c->limit)
            store_codes(c, codes, column, l.m, first, n, line);
        else
            store_sums(c, acc, image, row, column, l.m, first, n);
    }
}

static void run_line(void *task, size_t index, size_t worker)
{
    const struct conv *c = task;
    const struct qnt__geometry *g = &c->g;
    const size_t image = index / g->out_height, row = index % g->out_height;
    uint8_t *mine = c->line + worker * c->line_bytes;
    int32_t *box = (int32_t *)(void *)mine;
    int32_t *columns = box + g->out_width;
    uint8_t *line = (uint8_t *)(columns + g->width);
    if (c->limit) memset(line, 0, g->out_width * c->out_groups * 3 * c->out_triples);
    for (size_t group = 0; group < g->groups; group++) {
        size_t from = (group + g->group_shift) % g->groups;
        sum_boxes(c, image, row, from, columns, box);
        for (size_t block = 0; block < c->blocks; block++)
            run_block(c, image, row, group, block, box, line);
    }
    if (!c->limit) return;
    const size_t width = (size_t)c->y.shape[2], bytes = c->out_groups * c->out_triples;
    uint8_t *to =
        c->y.data + ((image * (size_t)c->y.shape[1] + c->top + row) * width + c->left) * bytes;
    for (size_t i = 0; i < g->out_width * c->out_groups; i++, to += c->out_triples)
        qnt__pack_triples(line + i * 3 * c->out_triples, c->out_triples, to);
}

/* ---- checks ---- */

static qnt_status read_conv(struct conv *c, const qnt_conv *conv, const qnt_lowbit *lowbit)
{
    const qnt_context *context = c->context;
    qnt_lowbit low;
    struct qnt__geometry *g = &c->g;
    QNT__TRY(qnt__geometry_read(context, conv, g));
    QNT__TRY(qnt__sized_read(context, "lowbit", lowbit, FIRST_LOWBIT, sizeof low, &low));
    for (int i = 0; i < 4; i++) {
        if (g->pad[i] == 0 && low.pad[i] >= 0 && low.pad[i] <= 1 << 20) continue;
        return qnt__fail(
            context, QNT_E_INVALID,
            "conv: pad is %zu, expected 0, pixels have their border; lowbit: pad is %d, expected "
            "0 to 2^20",
            g->pad[i], (int)low.pad[i]);
    }
    if (low.step < -LIMIT || low.step > LIMIT || low.zero < -LIMIT || low.zero > LIMIT ||
        low.channels < 1) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "lowbit: step %d, zero %d, channels %d; expected magnitudes up to 2^15, and at least 1",
            (int)low.step, (int)low.zero, (int)low.channels);
    }
    g->channels = (size_t)low.channels * g->groups;
    c->triples = qnt__triples((size_t)low.channels);
    c->step = low.step;
    c->zero = low.zero;
    c->top = (size_t)low.pad[0];
    c->left = (size_t)low.pad[1];
    return QNT_OK;
}

static bool is_bytes(const struct qnt__view *v, int ndim)
{
    return v->ndim == ndim && v->code == QNT_UINT && v->bits == 8 && qnt__view_is_compact(v);
}

static qnt_status open_inputs(struct conv *c, const qnt_tensor *pixels, const qnt_tensor *taps)
{
    const qnt_context *context = c->context;
    struct qnt__geometry *g = &c->g;
    QNT__TRY(qnt__view_open(context, "pixels", pixels, QNT__CODES, &c->pixels));
    QNT__TRY(qnt__view_open(context, "taps", taps, QNT__CODES, &c->taps));
    const int64_t *x = c->pixels.shape, *w = c->taps.shape;
    if (!is_bytes(&c->pixels, 5) || x[3] != (int64_t)g->groups || x[4] != (int64_t)c->triples) {
        return qnt__fail(context, QNT_E_SHAPE, "pixels: expected compact bytes [B,H,W,%zu,%zu]",
                         g->groups, c->triples);
    }
    if (!is_bytes(&c->taps, 6) || w[0] != (int64_t)g->groups || w[2] != (int64_t)c->triples ||
        w[3] < 1 || w[4] < 1 || w[5] != COLUMNS) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "taps: expected compact bytes [%zu,blocks,%zu,kh,kw,64]", g->groups,
                         c->triples);
    }
    g->batch = (size_t)x[0];
    g->height = (size_t)x[1];
    g->width = (size_t)x[2];
    g->kernel[0] = (size_t)w[3];
    g->kernel[1] = (size_t)w[4];
    c->blocks = (size_t)w[1];
    if (g->kernel[0] > (1u << 20) || g->kernel[1] > (1u << 20)) {
        return qnt__fail(context, QNT_E_SHAPE, "taps: a kernel of %zu x %zu is too large",
                         g->kernel[0], g->kernel[1]);
    }
    c->tap_count = g->kernel[0] * g->kernel[1];
    /* sums of int32: digits 3 times weights, for all of K */
    size_t inputs, magnitude = (size_t)(3 * (c->step < 0 ? -c->step : c->step) +
                                        (c->zero < 0 ? -c->zero : c->zero));
    if (!qnt__mul(c->tap_count, 3 * c->triples, &inputs) ||
        !qnt__mul(inputs, 3 * (magnitude ? magnitude : 1), &inputs) || inputs > INT32_MAX) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "taps: sums over %zu taps of %zu channels may overflow int32",
                         c->tap_count, 3 * c->triples);
    }
    return qnt__geometry_close(context, g);
}

static qnt_status open_thresholds(struct conv *c, const qnt_tensor *thresholds)
{
    QNT__TRY(qnt__view_open(c->context, "thresholds", thresholds, QNT__INT32, &c->thresholds));
    const struct qnt__view *t = &c->thresholds;
    if (t->ndim != 2 || (t->shape[1] != 1 && t->shape[1] != 3)) {
        return qnt__fail(c->context, QNT_E_SHAPE, "thresholds: expected shape O x 1 or O x 3");
    }
    const int32_t *limit = (const int32_t *)(const void *)t->data;
    for (int64_t o = 0; o < t->shape[0]; o++) {
        for (int64_t k = 1; k < t->shape[1]; k++) {
            const int32_t *at = limit + o * t->strides[0] + k * t->strides[1];
            if (*at >= *(at - t->strides[1])) continue;
            return qnt__fail(c->context, QNT_E_INVALID, "thresholds: row %lld decreases",
                             (long long)o);
        }
    }
    return QNT_OK;
}

static qnt_status open_result(struct conv *c, const qnt_lowbit *lowbit, qnt_tensor *y)
{
    const qnt_context *context = c->context;
    struct qnt__geometry *g = &c->g;
    const bool packed = c->thresholds.data != NULL;
    QNT__TRY(qnt__view_open_output(context, "y", y, packed ? QNT__CODES : QNT__INT32, &c->y));
    const int64_t *s = c->y.shape;
    int64_t height = (int64_t)g->out_height, width = (int64_t)g->out_width;
    if (packed) {
        height += lowbit->pad[0] + lowbit->pad[2];
        width += lowbit->pad[1] + lowbit->pad[3];
    }
    if (c->y.ndim != (packed ? 5 : 4) || s[0] != (int64_t)g->batch || s[1] != height ||
        s[2] != width) {
        return qnt__fail(context, QNT_E_SHAPE, "y: expected shape %zu x %lld x %lld x ...",
                         g->batch, (long long)height, (long long)width);
    }
    g->outputs = (size_t)(packed ? c->thresholds.shape[0] : s[3]);
    c->group_outputs = g->outputs / g->groups;
    if (g->outputs % g->groups || qnt__ceil_div(c->group_outputs, COLUMNS) != c->blocks) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "%s: %zu outputs in %zu groups do not fit %zu blocks of taps",
                         packed ? "thresholds" : "y", g->outputs, g->groups, c->blocks);
    }
    if (packed) {
        c->out_groups = (size_t)s[3];
        c->out_triples = (size_t)s[4];
        if (!is_bytes(&c->y, 5) || c->out_groups == 0 || g->outputs % c->out_groups ||
            c->out_triples != qnt__triples(g->outputs / c->out_groups)) {
            return qnt__fail(context, QNT_E_SHAPE,
                             "y: expected compact bytes [.., G, T] for %zu outputs", g->outputs);
        }
    }
    QNT__TRY(qnt__view_apart(context, "pixels", &c->pixels, "y", &c->y, false));
    return qnt__view_apart(context, "taps", &c->taps, "y", &c->y, false);
}

/* ---- the call ---- */

static void set_taps(struct conv *c)
{
    const struct qnt__geometry *g = &c->g;
    const size_t pixel = g->groups * c->triples;
    for (size_t p = 0; p < c->tap_count; p++) {
        size_t down = p / g->kernel[1] * g->dilation[0], right = p % g->kernel[1] * g->dilation[1];
        c->tap[p] = (ptrdiff_t)((down * g->width + right) * pixel);
    }
}

/* Thresholds by block; those that are missing are never reached. */
static void set_limits(struct conv *c)
{
    const struct qnt__view *t = &c->thresholds;
    const int32_t *from = (const int32_t *)(const void *)t->data;
    for (size_t i = 0; i < c->g.groups * c->blocks * 3 * COLUMNS; i++) c->limit[i] = INT32_MAX;
    for (size_t o = 0; o < c->g.outputs; o++) {
        size_t column = o % c->group_outputs;
        int32_t *block =
            c->limit + (o / c->group_outputs * c->blocks + column / COLUMNS) * 3 * COLUMNS;
        for (int64_t k = 0; k < t->shape[1]; k++)
            block[k * COLUMNS + (int64_t)(column % COLUMNS)] =
                from[(int64_t)o * t->strides[0] + k * t->strides[1]];
    }
}

static qnt_status work(struct conv *c)
{
    const struct qnt__geometry *g = &c->g;
    const bool packed = c->thresholds.data != NULL;
    size_t end = 0, at[4] = {0}, lines = 0, sums, out, all,
           limits = packed ? g->groups * c->blocks * 3 * COLUMNS : 0;
    bool fits =
        qnt__mul(g->batch, g->height, &lines) && qnt__mul(lines, g->width, &sums) &&
        qnt__mul(sums, g->groups, &sums) &&
        qnt__mul(g->out_width, sizeof(int32_t) + 3 * c->out_triples * c->out_groups, &out) &&
        qnt__add(out, g->width * sizeof(int32_t), &out) && out <= SIZE_MAX - 64;
    c->line_bytes = fits ? qnt__round_up(out, 64) : 0;
    fits = fits && qnt__mul(c->line_bytes, c->context->workers, &all) &&
           qnt__append(&end, c->tap_count, sizeof(ptrdiff_t), &at[0]) &&
           qnt__append(&end, sums, sizeof(int32_t), &at[1]) &&
           qnt__append(&end, limits, sizeof(int32_t), &at[2]) && qnt__append(&end, all, 1, &at[3]);
    void *block;
    QNT__TRY(qnt__allocate(c->context, &c->context->memory, fits ? end : SIZE_MAX, &block));
    uint8_t *bytes = block;
    c->tap = (ptrdiff_t *)(void *)(bytes + at[0]);
    c->digits = (int32_t *)(void *)(bytes + at[1]);
    c->limit = packed ? (int32_t *)(void *)(bytes + at[2]) : NULL;
    c->line = bytes + at[3];
    set_taps(c);
    if (packed) {
        set_limits(c);
        memset(c->y.data, 0, c->y.count);
    }
    qnt_status status = qnt__parallel(c->context, sum_line, c, lines);
    if (status == QNT_OK) status = qnt__parallel(c->context, run_line, c, g->batch * g->out_height);
    qnt__free(&c->context->memory, block, end);
    return status;
}

qnt_status qnt_conv_lowbit(const qnt_context *context, const qnt_conv *conv,
                           const qnt_lowbit *lowbit, const qnt_tensor *pixels,
                           const qnt_tensor *taps, const qnt_tensor *thresholds, qnt_tensor *y)
{
    struct conv c = {.context = context};
    if (!context) return QNT_E_INVALID;
    QNT__TRY(read_conv(&c, conv, lowbit));
    QNT__TRY(open_inputs(&c, pixels, taps));
    if (thresholds) QNT__TRY(open_thresholds(&c, thresholds));
    QNT__TRY(open_result(&c, lowbit, y));
    if (c.y.count == 0) return QNT_OK;
    return work(&c);
}
