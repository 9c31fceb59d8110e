/*
 * The work of qnt_conv_s8. It keeps nothing: k is taken in chunks that fit on the stack; weights
 * are packed, input pixels are gathered with their padding, and y itself accumulates.
 */
#include <string.h>

#include "base/arith.h"
#include "conv_s8.h"
#include "panels.h"

enum {
    DEPTH = 256, /* k of one chunk, whole cells */
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    TASK_ROWS = 40 * QNT__BLOCK_ROWS
};

/* What one task holds while it works. */
struct piece {
    const struct qnt__conv_s8 *conv;
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

static struct stretch stretch_at(const struct qnt__conv_s8 *c, size_t k, size_t end)
{
    size_t channel = k % c->group_channels;
    return (struct stretch){k / c->group_channels, channel,
                            qnt__min(c->group_channels - channel, end - k)};
}

/* Codes of one output, shifted to two's complement; returns their sum. */
static int32_t read_weights(const struct piece *p, size_t output, int8_t *codes)
{
    const struct qnt__conv_s8 *c = p->conv;
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
    const struct qnt__conv_s8 *c = p->conv;
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
static void read_pixel(const struct qnt__conv_s8 *c, int64_t at, size_t n, uint8_t *out)
{
    qnt__read_codes(&c->context->simd, &c->x, at, c->x.strides[3], n, out);
    if (c->flip == 0) return;
    for (size_t i = 0; i < n; i++) out[i] ^= c->flip;
}

/* Gathers the chunk of k of one output pixel. */
static void gather(const struct piece *p, size_t row, uint8_t *out)
{
    const struct qnt__conv_s8 *c = p->conv;
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
    const struct qnt__conv_s8 *c = p->conv;
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
    const struct qnt__conv_s8 *c = task;
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

qnt_status qnt__conv_s8_run(struct qnt__conv_s8 *c)
{
    size_t columns = qnt__ceil_div(c->group_outputs, COLUMNS),
           rows = qnt__ceil_div(c->rows, TASK_ROWS);
    return qnt__parallel(c->context, run_piece, c, c->g.groups * columns * rows);
}
