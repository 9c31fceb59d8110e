/* Stages images: channels last, padded with the code of 0, the channels of depthwise layers
 * rotated. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "rows.h"
#include "stage.h"

static bool is_depthwise(const qnt_layer *layer)
{
    return layer->head.arithmetic == QNT__DEPTHWISE || layer->shape.merged > 1;
}

/* The channels of one pixel, rotated by `shift`. */
static void stage_pixel(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                        int64_t at, size_t shift, uint8_t *out)
{
    size_t head = run->g.channels - shift;
    int64_t step = run->x.strides[3];
    qnt__stage_elements(run, scratch, q, at + (int64_t)shift * step, step, head, out);
    qnt__stage_elements(run, scratch, q, at, step, shift, out + head * run->element);
}

/* One row of a channel-major image: each channel is read along the row, then spread. */
static void stage_planes(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                         int64_t at, size_t shift, uint8_t *out)
{
    size_t channels = run->g.channels, pixel = channels * run->element;
    uint8_t *line = scratch + run->scratch.tile;
    const struct qnt__view *x = &run->x;
    for (size_t c = 0; c < channels; c++) {
        int64_t from = at + (int64_t)((c + shift) % channels) * x->strides[3];
        for (size_t w = 0; w < run->g.width; w += QNT__CHUNK) {
            size_t n = qnt__min(run->g.width - w, QNT__CHUNK);
            uint8_t *to = out + w * pixel + c * run->element;
            int64_t first = from + (int64_t)w * x->strides[2];
            qnt__stage_elements(run, scratch, q, first, x->strides[2], n, line);
            if (run->element == 1) {
                for (size_t i = 0; i < n; i++) to[i * pixel] = line[i];
            } else if (run->element == 2) {
                for (size_t i = 0; i < n; i++) memcpy(to + i * pixel, line + 2 * i, 2);
            } else {
                for (size_t i = 0; i < n; i++) memcpy(to + i * pixel, line + 4 * i, 4);
            }
        }
    }
}

/* The columns of one row that lie inside the image. */
static void stage_inside(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                         int64_t at, uint8_t *out)
{
    const struct qnt__view *x = &run->x;
    const struct qnt__geometry *g = &run->g;
    bool depthwise = is_depthwise(run->layer);
    size_t shift = depthwise ? g->group_shift : 0;
    bool whole = x->strides[3] == 1 && x->strides[2] == (int64_t)g->channels && shift == 0;
    if (whole) {
        qnt__stage_elements(run, scratch, q, at, 1, g->width * g->channels, out);
    } else if (x->strides[3] != 1 && x->strides[2] == 1) {
        stage_planes(run, scratch, q, at, shift, out);
    } else {
        size_t pixel = g->channels * run->element;
        for (size_t w = 0; w < g->width; w++) {
            stage_pixel(run, scratch, q, at + (int64_t)w * x->strides[2], shift, out + w * pixel);
        }
    }
}

/* One row of the padded image; padding is the code of 0. */
static void stage_line(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    const struct qnt__geometry *g = &run->g;
    size_t image = index / g->padded_height, line = index % g->padded_height;
    size_t pixel = g->channels * run->element, row_bytes = g->padded_width * pixel;
    uint8_t *out = qnt__run_image(run) + index * row_bytes;
    const struct qnt__affine *q = run->dynamic ? &run->dynamic[image] : &run->input;
    int pad = run->element == 1 ? (uint8_t)q->zero : 0;

    if (line < g->pad[0] || line - g->pad[0] >= g->height) {
        memset(out, pad, row_bytes);
        return;
    }
    int64_t at =
        (int64_t)image * run->x.strides[0] + (int64_t)(line - g->pad[0]) * run->x.strides[1];
    size_t left = g->pad[1] * pixel, inside = g->width * pixel;
    memset(out, pad, left);
    stage_inside(run, qnt__run_scratch(run, worker), q, at, out + left);
    memset(out + left + inside, pad, row_bytes - left - inside);
}

static void measure_lines(const struct qnt__run *run, uint8_t *scratch, size_t image,
                          struct qnt__measured *m)
{
    const struct qnt__view *x = &run->x;
    const struct qnt__geometry *g = &run->g;
    bool planes = x->strides[3] != 1 && x->strides[2] == 1;
    size_t count = planes ? g->channels : g->width, n = planes ? g->width : g->channels;
    int64_t outer = x->strides[planes ? 3 : 2], inner = x->strides[planes ? 2 : 3];

    for (size_t h = 0; h < g->height; h++) {
        int64_t at = (int64_t)image * x->strides[0] + (int64_t)h * x->strides[1];
        for (size_t i = 0; i < count; i++)
            qnt__stage_measure(run, scratch, at + (int64_t)i * outer, inner, n, m);
    }
}

static void measure_image(void *task, size_t image, size_t worker)
{
    const struct qnt__run *run = task;
    const struct qnt__geometry *g = &run->g;
    struct qnt__measured m = {.sum = 0.0};
    do {
        measure_lines(run, qnt__run_scratch(run, worker), image, &m);
    } while (qnt__stage_again(run, &m));
    run->dynamic[image] = qnt__stage_dynamic(run, &m, g->height * g->width * g->channels);
}

/* Images can be read where they are, if each tap is a whole number of cells and no padding is read. */
static bool image_in_place(const struct qnt__run *run)
{
    const struct qnt__geometry *g = &run->g;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__view *x = &run->x;
    bool depthwise = is_depthwise(run->layer);
    if (g->channels == 0 || run->winograd.serves) return false;
    if ((g->pad[0] | g->pad[1] | g->pad[2] | g->pad[3]) != 0 && !qnt__rows_inside(run)) return false;
    if (run->element == 1 && !depthwise && s->depth != s->panel_depth) return false;
    if (depthwise && g->group_shift != 0) return false;
    bool runs = g->groups == 1 && g->dilation[1] == 1 && g->kernel[1] > 1; /* taps span pixels */
    return x->strides[3] == 1 && (!runs || x->strides[2] == (int64_t)g->channels);
}

qnt_status qnt__stage_images(struct qnt__run *run, bool may_stay)
{
    const struct qnt__geometry *g = &run->g;
    ptrdiff_t element = (ptrdiff_t)run->element;
    if (may_stay && image_in_place(run)) {
        run->base = run->x.data;
        run->image_step = (ptrdiff_t)run->x.strides[0] * element;
        run->row_step = (ptrdiff_t)run->x.strides[1] * element;
        run->pixel_step = (ptrdiff_t)run->x.strides[2] * element;
        run->origin = -(ptrdiff_t)g->pad[0] * run->row_step - (ptrdiff_t)g->pad[1] * run->pixel_step;
        return QNT_OK;
    }
    run->base = qnt__run_image(run);
    if (g->channels == 0)
        memset(qnt__run_image(run), 0, run->element); /* a tap has at least one element */
    run->pixel_step = (ptrdiff_t)g->channels * element;
    run->row_step = (ptrdiff_t)g->padded_width * run->pixel_step;
    run->image_step = (ptrdiff_t)g->padded_height * run->row_step;
    size_t lines = g->batch * g->padded_height, work = lines * g->padded_width * g->channels;
    memset(qnt__run_image(run) + work * run->element, 0, QNT__IMAGE_SLACK * run->element);
    if (run->dynamic) QNT__TRY(qnt__run_share(run, measure_image, g->batch, work));
    return qnt__run_share(run, stage_line, lines, work);
}
