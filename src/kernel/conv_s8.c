/*
 * qnt_conv_s8: a convolution that keeps nothing. k is taken in chunks that fit on the stack:
 * weights are packed, input pixels are gathered with their padding, and y itself accumulates.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "geometry.h"
#include "panels.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum {
    DEPTH = 256, /* k of one chunk, whole cells */
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    TASK_ROWS = 40 * QNT__BLOCK_ROWS
};

struct conv {
    const qnt_context *context;
    struct qnt__view x, w, y;
    struct qnt__geometry g;
    size_t rows, inputs; /* output pixels; k of one output */
    size_t group_channels, group_outputs;
    uint8_t zero;  /* of unsigned input bytes */
    uint8_t flip;  /* 0x80: turns int8 into them */
    int32_t shift; /* taken off unsigned weights */
};

/* What one task holds while it works. */
struct piece {
    const struct conv *conv;
    size_t group, output, columns; /* first output of its group, and how many */
    size_t first_row, end_row;
    size_t first_k, depth;
    uint8_t panels[QNT__BLOCK_PANELS * QNT__PANEL * DEPTH];
    int32_t w_sum[COLUMNS];
};

/* The run of channels that contains k: its kernel element, first channel and length up to `end`. */
struct stretch {
    size_t element, channel, n;
};

static struct stretch stretch_at(const struct conv *c, size_t k, size_t end)
{
    size_t channel = k % c->group_channels;
    return (struct stretch){k / c->group_channels, channel,
                            qnt__min(c->group_channels - channel, end - k)};
}

/* Codes of one output, shifted to two's complement; returns their sum. */
static int32_t read_weights(const struct piece *p, size_t output, int8_t *codes)
{
    const struct conv *c = p->conv;
    const int64_t *step = c->w.strides;
    size_t width = c->g.kernel[1], end = p->first_k + p->depth;
    uint8_t *out = (uint8_t *)codes;
    int32_t sum = 0;
    for (size_t k = p->first_k; k < end;) {
        struct stretch s = stretch_at(c, k, end);
        int64_t at = (int64_t)output * step[0] + (int64_t)(s.element / width) * step[1] +
                     (int64_t)(s.element % width) * step[2] + (int64_t)s.channel * step[3];
        qnt__read_codes(&c->context->simd, &c->w, at, step[3], s.n, out + (k - p->first_k));
        k += s.n;
    }
    for (size_t i = 0; i < p->depth; i++) {
        out[i] = (uint8_t)(out[i] - c->shift);
        sum += codes[i];
    }
    return sum;
}

static void pack_weights(struct piece *p)
{
    const struct conv *c = p->conv;
    size_t bytes = qnt__panel_bytes(1, p->depth, 8), base = p->group * c->group_outputs + p->output;
    int8_t codes[QNT__PANEL * DEPTH];
    for (size_t first = 0; first < p->columns; first += QNT__PANEL) {
        size_t columns = qnt__min(p->columns - first, QNT__PANEL);
        for (size_t j = 0; j < columns; j++) {
            p->w_sum[first + j] = read_weights(p, base + first + j, codes + j * DEPTH);
        }
        qnt__pack_panel(codes, columns, DEPTH, 1, p->depth, 8,
                        p->panels + first / QNT__PANEL * bytes);
    }
}

/* n channels of one input pixel as unsigned bytes. */
static void read_pixel(const struct conv *c, int64_t at, size_t n, uint8_t *out)
{
    qnt__read_codes(&c->context->simd, &c->x, at, c->x.strides[3], n, out);
    if (c->flip == 0) return;
    for (size_t i = 0; i < n; i++) out[i] ^= c->flip;
}

/* Gathers the chunk of k of one output pixel. */
static void gather(const struct piece *p, size_t row, uint8_t *out)
{
    const struct conv *c = p->conv;
    const struct qnt__geometry *g = &c->g;
    size_t ox = row % g->out_width, oy = row / g->out_width % g->out_height;
    size_t image = row / g->out_width / g->out_height, end = p->first_k + p->depth;
    size_t slice = (p->group + g->group_shift) % g->groups * c->group_channels;
    for (size_t k = p->first_k; k < end;) {
        struct stretch s = stretch_at(c, k, end);
        /* below pad wraps to a huge number, which is outside as well */
        size_t y = oy * g->stride[0] + s.element / g->kernel[1] * g->dilation[0] - g->pad[0];
        size_t x = ox * g->stride[1] + s.element % g->kernel[1] * g->dilation[1] - g->pad[1];
        if (y < g->height && x < g->width) {
            int64_t at = (int64_t)image * c->x.strides[0] + (int64_t)y * c->x.strides[1] +
                         (int64_t)x * c->x.strides[2] +
                         (int64_t)(slice + s.channel) * c->x.strides[3];
            read_pixel(c, at, s.n, out + (k - p->first_k));
        } else {
            memset(out + (k - p->first_k), c->zero, s.n);
        }
        k += s.n;
    }
}

/* y += or = acc with its corrections; everything modulo 2^32. */
static void add_row(const struct piece *p, size_t row, const int32_t *acc, int32_t a_sum)
{
    const struct conv *c = p->conv;
    int64_t step = c->y.strides[3];
    int64_t at =
        qnt__view_row(&c->y, row) + (int64_t)(p->group * c->group_outputs + p->output) * step;
    uint32_t surplus = (uint32_t)c->shift * ((uint32_t)a_sum - c->zero * (uint32_t)p->depth);
    for (size_t j = 0; j < p->columns; j++, at += step) {
        uint32_t v = (uint32_t)acc[j] - c->zero * (uint32_t)p->w_sum[j] + surplus, old;
        if (p->first_k > 0) {
            memcpy(&old, c->y.data + at * 4, sizeof old);
            v += old;
        }
        memcpy(c->y.data + at * 4, &v, sizeof v);
    }
}

static void multiply_rows(const struct piece *p, size_t row, size_t m)
{
    const struct qnt__simd *simd = &p->conv->context->simd;
    uint8_t input[QNT__BLOCK_ROWS * DEPTH];
    const uint8_t *rows[QNT__BLOCK_ROWS];
    int32_t acc[QNT__BLOCK_ROWS * COLUMNS], sums[QNT__BLOCK_ROWS] = {0};
    const ptrdiff_t tap = 0;

    size_t depth = qnt__panel_depth(p->depth, 8);
    for (size_t i = 0; i < m; i++) {
        rows[i] = input + i * DEPTH;
        gather(p, row + i, input + i * DEPTH);
        memset(input + i * DEPTH + p->depth, 0, depth - p->depth);
    }
    const struct qnt__gemm gemm = {.rows = rows,
                                   .taps = &tap,
                                   .weight = p->panels,
                                   .acc = acc,
                                   .m = m,
                                   .panels = qnt__ceil_div(p->columns, QNT__PANEL),
                                   .tap_count = 1,
                                   .depth = depth,
                                   .panel_bytes = qnt__panel_bytes(1, p->depth, 8),
                                   .ld = COLUMNS,
                                   .bits = 8};
    simd->gemm_s8(&gemm);
    if (p->conv->shift) simd->sum_rows(rows, m, &tap, 1, p->depth, sums);
    for (size_t i = 0; i < m; i++) add_row(p, row + i, acc + i * COLUMNS, sums[i]);
}

static void set_zero(const struct piece *p)
{
    static const int32_t zeros[COLUMNS];
    for (size_t row = p->first_row; row < p->end_row; row++) add_row(p, row, zeros, 0);
}

static void run_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct conv *c = task;
    size_t row_tasks = qnt__ceil_div(c->rows, TASK_ROWS);
    size_t column_tasks = qnt__ceil_div(c->group_outputs, COLUMNS), columns = index / row_tasks;
    struct piece p = {.conv = c,
                      .group = columns / column_tasks,
                      .output = columns % column_tasks * COLUMNS,
                      .first_row = index % row_tasks * TASK_ROWS};
    p.columns = qnt__min(c->group_outputs - p.output, COLUMNS);
    p.end_row = qnt__min(c->rows, p.first_row + TASK_ROWS);
    if (c->inputs == 0) set_zero(&p);
    for (; p.first_k < c->inputs; p.first_k += DEPTH) {
        p.depth = qnt__min(c->inputs - p.first_k, DEPTH);
        pack_weights(&p);
        for (size_t row = p.first_row; row < p.end_row; row += QNT__BLOCK_ROWS) {
            multiply_rows(&p, row, qnt__min(p.end_row - row, QNT__BLOCK_ROWS));
        }
    }
}

/* ---- checks ---- */

static qnt_status check_number(const qnt_context *context, const char *name, int32_t value,
                               int32_t low, int32_t high)
{
    if (value >= low && value <= high) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "conv: %s is %d, expected %d to %d", name, (int)value,
                     (int)low, (int)high);
}

static qnt_status read_geometry(struct conv *c, const qnt_conv *conv)
{
    qnt_conv v;
    QNT__TRY(qnt__sized_read(c->context, "conv", conv, sizeof v, sizeof v, &v));
    int32_t groups = v.groups ? v.groups : 1;
    QNT__TRY(check_number(c->context, "groups", v.groups, 0, INT32_MAX));
    QNT__TRY(check_number(c->context, "group_shift", v.group_shift, 0, groups - 1));
    QNT__TRY(check_number(c->context, "reserved", v.reserved, 0, 0));
    for (int i = 0; i < 2; i++) {
        QNT__TRY(check_number(c->context, "stride", v.stride[i], 0, INT32_MAX));
        QNT__TRY(check_number(c->context, "dilation", v.dilation[i], 0, INT32_MAX));
        c->g.stride[i] = v.stride[i] ? (size_t)v.stride[i] : 1;
        c->g.dilation[i] = v.dilation[i] ? (size_t)v.dilation[i] : 1;
    }
    for (int i = 0; i < 4; i++) {
        QNT__TRY(check_number(c->context, "pad", v.pad[i], 0, INT32_MAX));
        c->g.pad[i] = (size_t)v.pad[i];
    }
    c->g.groups = (size_t)groups;
    c->g.group_shift = (size_t)v.group_shift;
    return QNT_OK;
}

static qnt_status open_input(struct conv *c, const qnt_tensor *x, int32_t x_zero)
{
    QNT__TRY(qnt__view_open(c->context, "x", x, QNT__CODES, &c->x));
    if (c->x.bits != 8) {
        return qnt__fail(c->context, QNT_E_DTYPE, "x: %d bits, expected int8 or uint8", c->x.bits);
    }
    if (c->x.ndim != 4) {
        return qnt__fail(c->context, QNT_E_SHAPE, "x: ndim is %d, expected 4", c->x.ndim);
    }
    bool is_signed = c->x.code == QNT_INT;
    int32_t low = is_signed ? -128 : 0, high = low + 255;
    if (x_zero < low || x_zero > high) {
        return qnt__fail(c->context, QNT_E_INVALID, "x_zero is %d, expected %d to %d", (int)x_zero,
                         (int)low, (int)high);
    }
    c->flip = is_signed ? 0x80 : 0;
    c->zero = (uint8_t)(x_zero - low);
    c->g.batch = (size_t)c->x.shape[0];
    c->g.height = (size_t)c->x.shape[1];
    c->g.width = (size_t)c->x.shape[2];
    c->g.channels = (size_t)c->x.shape[3];
    return QNT_OK;
}

static qnt_status open_weights(struct conv *c, const qnt_tensor *w)
{
    QNT__TRY(qnt__view_open(c->context, "w", w, QNT__CODES, &c->w));
    if (c->w.ndim != 4) {
        return qnt__fail(c->context, QNT_E_SHAPE, "w: ndim is %d, expected 4", c->w.ndim);
    }
    const int64_t *shape = c->w.shape;
    size_t channels, area;
    if (shape[1] < 1 || shape[2] < 1) {
        return qnt__fail(c->context, QNT_E_SHAPE,
                         "w: kernel of %lld x %lld, expected at least 1 x 1", (long long)shape[1],
                         (long long)shape[2]);
    }
    if (!qnt__mul((size_t)shape[3], c->g.groups, &channels) || channels != c->g.channels ||
        (size_t)shape[0] % c->g.groups != 0) {
        return qnt__fail(c->context, QNT_E_SHAPE,
                         "w: %lld outputs of %lld channels; x has %zu channels and conv %zu groups",
                         (long long)shape[0], (long long)shape[3], c->g.channels, c->g.groups);
    }
    c->g.outputs = (size_t)shape[0];
    c->g.kernel[0] = (size_t)shape[1];
    c->g.kernel[1] = (size_t)shape[2];
    c->group_channels = (size_t)shape[3];
    c->group_outputs = c->g.outputs / c->g.groups;
    c->shift = c->w.code == QNT_UINT ? 1 << (c->w.bits - 1) : 0;
    if (qnt__mul(c->g.kernel[0], c->g.kernel[1], &area) &&
        qnt__mul(area, c->group_channels, &c->inputs)) {
        return QNT_OK;
    }
    return qnt__fail(c->context, QNT_E_SHAPE, "w: extents overflow");
}

static qnt_status open_output(struct conv *c, qnt_tensor *y)
{
    const struct qnt__geometry *g = &c->g;
    QNT__TRY(qnt__view_open_output(c->context, "y", y, QNT__INT32, &c->y));
    const size_t shape[4] = {g->batch, g->out_height, g->out_width, g->outputs};
    if (c->y.ndim != 4) {
        return qnt__fail(c->context, QNT_E_SHAPE, "y: ndim is %d, expected 4", c->y.ndim);
    }
    for (int d = 0; d < 4; d++) {
        if ((size_t)c->y.shape[d] == shape[d]) continue;
        return qnt__fail(c->context, QNT_E_SHAPE, "y: extent %d is %lld, expected %zu", d,
                         (long long)c->y.shape[d], shape[d]);
    }
    if (qnt__view_overlaps(&c->y, &c->x) || qnt__view_overlaps(&c->y, &c->w)) {
        return qnt__fail(c->context, QNT_E_INVALID,
                         "y overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

qnt_status qnt_conv_s8(const qnt_context *context, const qnt_conv *conv, const qnt_tensor *x,
                       int32_t x_zero, const qnt_tensor *w, qnt_tensor *y)
{
    if (!context) return QNT_E_INVALID;
    struct conv c = {.context = context};
    QNT__TRY(read_geometry(&c, conv));
    QNT__TRY(open_input(&c, x, x_zero));
    QNT__TRY(open_weights(&c, w));
    QNT__TRY(qnt__geometry_close(context, &c.g));
    QNT__TRY(open_output(&c, y));
    if (c.y.count == 0) return QNT_OK;

    c.rows = c.y.count / c.g.outputs;
    size_t tasks =
        c.g.groups * qnt__ceil_div(c.group_outputs, COLUMNS) * qnt__ceil_div(c.rows, TASK_ROWS);
    return qnt__parallel(context, run_piece, &c, tasks);
}
