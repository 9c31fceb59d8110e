/* Finds the input of the next block of output rows, and the taps that matter to it. */
#include "rows.h"

#include "base/arith.h"

struct qnt__cursor qnt__cursor_at(const struct qnt__geometry *g, size_t row)
{
    size_t line = row / g->out_width;
    return (struct qnt__cursor){line / g->out_height, line % g->out_height, row % g->out_width};
}

static void step(const struct qnt__geometry *g, struct qnt__cursor *c)
{
    if (++c->x < g->out_width) return;
    c->x = 0;
    if (++c->y < g->out_height) return;
    c->y = 0;
    c->image++;
}

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
                          struct qnt__rows *rows)
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

static void find_rows(const struct qnt__run *run, ptrdiff_t slice, struct qnt__cursor *c, size_t m,
                      struct qnt__rows *rows)
{
    const struct qnt__geometry *g = &run->g;
    bool dense = run->layer->head.kind == QNT_DENSE;
    rows->m = m;
    for (size_t i = 0; i < m; i++) {
        rows->at[i] = run->base + slice + (ptrdiff_t)c->image * run->image_step +
                      (ptrdiff_t)(c->y * g->stride[0]) * run->row_step +
                      (ptrdiff_t)(c->x * g->stride[1]) * run->pixel_step;
        rows->zero[i] = run->input_zero;
        if (run->dynamic) {
            const struct qnt__affine *q = &run->dynamic[dense ? c->x : c->image];
            rows->zero[i] = q->zero;
            rows->scale[i] = q->scale;
        }
        step(g, c);
    }
}

void qnt__rows_next(const struct qnt__run *run, ptrdiff_t slice, struct qnt__cursor *c, size_t most,
                    struct qnt__rows *rows)
{
    find_rows(run, slice, c, count_alike(run, c, most, rows), rows);
}
