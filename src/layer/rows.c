/*
 * Finds the input of the next block of output rows, and the part of the kernel that matters to it.
 *
 * Padding may be left out where it adds nothing. A block then has rows that meet the same part of
 * the kernel. Kernel rows alone leave long runs of output rows; where kernel columns can be left out
 * too, a band of lines is walked in zones: columns at the edges downwards, what lies between along
 * the lines.
 */
#include "rows.h"

#include "base/arith.h"

/* Kernel rows (axis 0) or columns (axis 1) that meet the image. */
struct range {
    size_t first, end;
};

static struct range met(const struct qnt__geometry *g, int axis, size_t at)
{
    size_t start = at * g->stride[axis], low = g->pad[axis]; /* in the padded image */
    size_t high = low + (axis == 0 ? g->height : g->width), step = g->dilation[axis];
    struct range r = {0, g->kernel[axis]};
    while (r.first < r.end && start + r.first * step < low) r.first++;
    while (r.end > r.first && start + (r.end - 1) * step >= high) r.end--;
    return r.first < r.end ? r : (struct range){0, 1};
}

static bool is_same(struct range a, struct range b)
{
    return a.first == b.first && a.end == b.end;
}

size_t qnt__rows_most(const struct qnt__run *run)
{
    const struct qnt__simd *simd = &run->context->simd;
    bool packed = run->layer->head.cell_bits <= QNT__NARROW_BITS && !run->decode_panels;
    if (packed) return simd->packed_rows;
    if (run->ready) return QNT__PREPARED_ROWS;
    return run->layer->shape.tap_count > 1 ? simd->conv_rows : simd->gemm_rows;
}

/* Do kernels prepare weights for every block of rows? Then a block of few rows costs more than it saves. */
static bool want_many(const struct qnt__run *run)
{
    return qnt__rows_most(run) == QNT__GEMM_ROWS;
}

/* Padding adds what is known: nothing if its bytes are 0, else what the sums of parts tell. Weights with
 * zero points need the sums of all bytes. */
static bool may_skip(const struct qnt__run *run)
{
    const size_t *pad = run->g.pad;
    const bool is_known = run->layer->left_out || (!run->dynamic && run->input_zero == 0);
    if (want_many(run) && run->g.out_width < QNT__BLOCK_ROWS) return false;
    return run->layer->head.arithmetic == QNT__INTEGER && !run->layer->zero && is_known &&
           (pad[0] | pad[1] | pad[2] | pad[3]) != 0;
}

bool qnt__rows_zones(const struct qnt__run *run)
{
    const struct qnt__geometry *g = &run->g;
    const qnt_layer *l = run->layer;
    bool spans = l->shape.tap_count == g->kernel[0] && g->kernel[1] > 1; /* one tap, all columns */
    return may_skip(run) && spans && !want_many(run) && (g->pad[1] | g->pad[3]) != 0 &&
           l->shape.tap_parts == g->kernel[1];
}

/* Zones have taps next to each other to the right. If they are so downwards, too, and padding is narrower
 * than the kernel, every output meets a part of the image, whatever its size: nothing else is read. */
bool qnt__rows_inside(const struct qnt__run *run)
{
    const struct qnt__geometry *g = &run->g;
    const size_t *pad = g->pad, *kernel = g->kernel;
    return qnt__rows_zones(run) && g->dilation[0] == 1 && pad[0] < kernel[0] &&
           pad[2] < kernel[0] && pad[1] < kernel[1] && pad[3] < kernel[1];
}

struct qnt__walk qnt__rows_walk(const struct qnt__run *run, ptrdiff_t slice, size_t first,
                                size_t end)
{
    bool integers = run->layer->head.arithmetic == QNT__INTEGER;
    return (struct qnt__walk){.run = run,
                              .slice = slice,
                              .most = integers ? qnt__rows_most(run)
                                      : run->words.parts == 2 ? QNT__BLOCK_ROWS / 2
                                                              : QNT__BLOCK_ROWS,
                              .row = first,
                              .end = end,
                              .zones = qnt__rows_zones(run)};
}

/* Line y of image n is number n * height + y. */
static struct range lines_of(const struct qnt__geometry *g, size_t line)
{
    return met(g, 0, line % g->out_height);
}

static void set_lines(const struct qnt__run *run, struct range lines, struct qnt__rows *rows)
{
    size_t per_line = run->layer->shape.tap_count / run->g.kernel[0];
    rows->first_tap = lines.first * per_line;
    rows->taps = (lines.end - lines.first) * per_line;
}

/* How many lines from one on, at most `most`, meet the same kernel rows. */
static size_t count_lines(const struct qnt__geometry *g, size_t line, size_t most)
{
    struct range lines = lines_of(g, line);
    size_t count = 1;
    while (count < most && is_same(lines_of(g, line + count), lines)) count++;
    return count;
}

/* Of n rows that are left the next block's: the last two blocks are even. */
static size_t take(size_t n, size_t most)
{
    return n <= most ? n : n < 2 * most ? (n + 1) / 2 : most;
}

/* The rows from here on that meet the same kernel rows, if those that meet padding only may be left out. */
static void find_band(struct qnt__walk *w, struct qnt__rows *rows)
{
    const size_t width = w->run->g.out_width;
    w->band_end = w->end;
    if (may_skip(w->run)) {
        const size_t line = w->row / width, lines = qnt__ceil_div(w->end, width) - line;
        set_lines(w->run, lines_of(&w->run->g, line), rows);
        w->band_end = qnt__min(w->end, (line + count_lines(&w->run->g, line, lines)) * width);
    }
    w->first_tap = rows->first_tap;
    w->taps = rows->taps;
}

/* The next rows in order, as many as meet the same kernel rows. */
static void next_in_order(struct qnt__walk *w, struct qnt__rows *rows)
{
    if (w->row >= w->band_end) find_band(w, rows);
    rows->first_row = w->row;
    rows->first_tap = w->first_tap;
    rows->taps = w->taps;
    rows->m = take(w->band_end - w->row, w->most);
    w->row += rows->m;
}

/* The columns from here on that meet the same kernel columns. */
static void find_zone(struct qnt__walk *w)
{
    const struct qnt__geometry *g = &w->run->g;
    const struct range columns = met(g, 1, w->x);
    w->wide = 1;
    while (w->x + w->wide < g->out_width && is_same(met(g, 1, w->x + w->wide), columns)) w->wide++;
    w->first_k = columns.first * g->channels;
    w->depth = (columns.end - columns.first) * g->channels;
}

/* The next zone's rows: downwards if it is one column, else along a line. */
static void next_in_zone(struct qnt__walk *w, struct qnt__rows *rows)
{
    const struct qnt__geometry *g = &w->run->g;
    size_t width = g->out_width, first_line = w->row / width;
    if (w->band == 0) w->band = count_lines(g, first_line, (w->end - w->row) / width);
    if (w->line == 0 && w->inner == 0) find_zone(w);
    set_lines(w->run, lines_of(g, first_line), rows);
    rows->first_k = w->first_k;
    rows->depth = w->depth;
    rows->first_row = (first_line + w->line) * width + w->x + w->inner;
    if (w->wide == 1) {
        rows->row_step = width;
        rows->m = take(w->band - w->line, w->most);
        w->line += rows->m;
    } else {
        rows->m = take(w->wide - w->inner, w->most);
        w->inner += rows->m;
        if (w->inner == w->wide) w->inner = 0, w->line++;
    }
    if (w->line < w->band) return;
    w->line = 0;
    w->x += w->wide;
    if (w->x < width) return;
    w->x = 0;
    w->row += w->band * width;
    w->band = 0;
}

/* Bytes from the padded input to where that of an output row begins. */
static ptrdiff_t input_offset(const struct qnt__run *run, size_t row, size_t *image)
{
    const struct qnt__geometry *g = &run->g;
    size_t x = row % g->out_width, line = row / g->out_width, y = line % g->out_height;
    *image = line / g->out_height;
    return (ptrdiff_t)*image * run->image_step + (ptrdiff_t)(y * g->stride[0]) * run->row_step +
           (ptrdiff_t)(x * g->stride[1]) * run->pixel_step;
}

const uint8_t *qnt__row_input(const struct qnt__run *run, size_t row, size_t *image)
{
    return run->base + input_offset(run, row, image);
}

/* Rows of one line follow each other in equal steps; only their first one needs divisions. Where x has no
 * padding, only the sum of all offsets is within it. */
static void find_input(const struct qnt__run *run, ptrdiff_t slice, struct qnt__rows *rows)
{
    const struct qnt__geometry *g = &run->g;
    const ptrdiff_t right = (ptrdiff_t)g->stride[1] * run->pixel_step;
    bool dense = run->layer->head.kind == QNT_DENSE;
    const ptrdiff_t first = (ptrdiff_t)rows->first_k + run->taps[rows->first_tap]; /* elements */
    slice += run->origin + first * (ptrdiff_t)run->element;
    for (size_t i = 0, end; i < rows->m; i = end) {
        size_t image, row = rows->first_row + i * rows->row_step;
        const uint8_t *at = run->base + (input_offset(run, row, &image) + slice);
        end = rows->row_step > 1 ? i + 1 : qnt__min(rows->m, i + g->out_width - row % g->out_width);
        for (size_t k = i; k < end; k++) rows->at[k] = at + (ptrdiff_t)(k - i) * right;
        for (size_t k = i; run->dynamic && k < end; k++) {
            const struct qnt__affine *q = &run->dynamic[dense ? row + k - i : image];
            rows->zero[k] = q->zero;
            rows->scale[k] = q->scale;
        }
    }
    for (size_t i = 0; !run->dynamic && i < rows->m; i++) rows->zero[i] = run->input_zero;
}

bool qnt__rows_next(struct qnt__walk *walk, struct qnt__rows *rows)
{
    const struct qnt__layer_shape *s = &walk->run->layer->shape;
    if (walk->row == walk->end) return false;
    rows->row_step = 1;
    rows->first_tap = 0;
    rows->taps = s->tap_count;
    rows->first_k = 0;
    rows->depth = s->panel_depth;
    if (walk->zones) next_in_zone(walk, rows);
    else next_in_order(walk, rows);
    find_input(walk->run, walk->slice, rows);
    return true;
}
