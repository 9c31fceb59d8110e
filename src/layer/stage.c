/* Brings the input into the form that the kernels read: rows of bytes or floats, padded. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/quantizer.h"
#include "quantizer/range.h"
#include "run.h"

enum { STAGE_ROWS = 16 }; /* rows of a matrix in one task */

int32_t qnt__run_zero(const struct qnt__run *run, int32_t zero)
{
    bool is_signed = run->layer->head.input.flags & QNT_SIGNED;
    if (run->layer->head.arithmetic == QNT__BLOCKS) return is_signed ? zero : zero - 128;
    return is_signed ? zero + 128 : zero;
}

static qnt_spec spec_of(const struct qnt__layer_codes *c)
{
    return (qnt_spec){.bits = c->bits, .flags = c->flags};
}

/* The static format as the encode slot takes it, giving bytes as the kernels want them. */
static struct qnt__affine static_input(const struct qnt__run *run)
{
    const struct qnt__layer_codes *c = &run->layer->head.input;
    qnt_spec spec = spec_of(c);
    return (struct qnt__affine){.scale = c->scale,
                                .low = (float)(qnt__code_low(&spec) - c->zero),
                                .high = (float)(qnt__code_high(&spec) - c->zero),
                                .zero = qnt__run_zero(run, c->zero)};
}

static struct qnt__affine dynamic_input(const struct qnt__run *run, const float range[2])
{
    qnt_spec spec = spec_of(&run->layer->head.input);
    struct qnt__affine q = qnt__affine_of_range(&spec, range);
    q.zero = qnt__run_zero(run, q.zero);
    return q;
}

static uint8_t *scratch_of(const struct qnt__run *run, size_t worker)
{
    return run->space + run->places.scratch + worker * run->places.each;
}

/* A run of float32 elements that needs no copy, or NULL. */
static const float *floats_at(const struct qnt__view *x, int64_t at, int64_t step)
{
    const uint8_t *p = x->data + at * 4;
    if (x->bits != 32 || step != 1 || (uintptr_t)p % sizeof(float) != 0) return NULL;
    return (const void *)p;
}

/* Widens range by n elements. */
static void widen_range(const struct qnt__run *run, uint8_t *scratch, int64_t at, int64_t step,
                        size_t n, float range[2])
{
    const struct qnt__simd *simd = &run->context->simd;
    float *chunk = (void *)(scratch + run->scratch.floats), part[2];
    if (n == 0) return;
    const float *all = floats_at(&run->x, at, step);
    size_t most = all ? n : QNT__CHUNK;
    for (size_t i = 0; i < n; i += most) {
        size_t length = qnt__min(n - i, most);
        if (!all) qnt__read_f32(simd, &run->x, at + (int64_t)i * step, step, length, chunk);
        simd->minmax(all ? all : chunk, length, part);
        range[0] = part[0] < range[0] ? part[0] : range[0];
        range[1] = part[1] > range[1] ? part[1] : range[1];
    }
}

/* Stages n elements as bytes; q encodes floats. */
static void stage_bytes(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                        int64_t at, int64_t step, size_t n, uint8_t *out)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__view *x = &run->x;
    if (x->code == QNT_INT || x->code == QNT_UINT) {
        bool wants_signed = run->layer->head.arithmetic == QNT__BLOCKS;
        qnt__read_codes(simd, x, at, step, n, out);
        if ((x->code == QNT_INT) == wants_signed) return;
        for (size_t i = 0; i < n; i++) out[i] ^= 0x80;
        return;
    }
    const float *all = floats_at(x, at, step);
    if (all) {
        simd->encode_8(q, all, n, out);
        return;
    }
    float *chunk = (void *)(scratch + run->scratch.floats);
    for (size_t i = 0; i < n; i += QNT__CHUNK) {
        size_t length = qnt__min(n - i, QNT__CHUNK);
        qnt__read_f32(simd, x, at + (int64_t)i * step, step, length, chunk);
        simd->encode_8(q, chunk, length, out + i);
    }
}

/* Stages n elements in whatever form the arithmetic wants. */
static void stage(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                  int64_t at, int64_t step, size_t n, uint8_t *out)
{
    if (n == 0) return;
    if (run->element == 1) {
        stage_bytes(run, scratch, q, at, step, n, out);
    } else {
        qnt__read_f32(&run->context->simd, &run->x, at, step, n, (void *)out);
    }
}

static uint8_t *image_of(const struct qnt__run *run)
{
    return run->space + run->places.image;
}

/* ---- matrices ---- */

static void stage_row(const struct qnt__run *run, uint8_t *scratch, size_t row)
{
    const struct qnt__view *x = &run->x;
    size_t n = run->g.channels;
    int64_t at = qnt__view_row(x, row), step = x->strides[x->ndim - 1];
    uint8_t *out = image_of(run) + (ptrdiff_t)row * run->pixel_step;
    const struct qnt__affine *q = &run->input;
    if (run->dynamic) {
        float range[2] = {0.0f, 0.0f};
        widen_range(run, scratch, at, step, n, range);
        run->dynamic[row] = dynamic_input(run, range);
        q = &run->dynamic[row];
    }
    stage(run, scratch, q, at, step, n, out);
    size_t bytes = n * run->element; /* what follows meets zero weights, unless they have zero points */
    memset(out + bytes, 0, (size_t)run->pixel_step - bytes);
}

static void stage_rows(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    size_t end = qnt__min(run->rows, (index + 1) * STAGE_ROWS);
    for (size_t row = index * STAGE_ROWS; row < end; row++) {
        stage_row(run, scratch_of(run, worker), row);
    }
}

/* Rows that follow each other in equal steps, readable to the panel depth. */
static bool matrix_in_place(struct qnt__run *run)
{
    const struct qnt__view *x = &run->x;
    int64_t step = 0, extent = 1;
    if (run->g.channels == 0) return false;
    if (run->layer->shape.panel_depth != run->g.channels && run->element == 1) return false;
    if (x->strides[x->ndim - 1] != 1 && run->g.channels > 1) return false;
    for (int d = x->ndim - 2; d >= 0; d--) {
        if (x->shape[d] == 1) continue;
        if (extent > 1 && x->strides[d] != step * extent) return false;
        if (extent == 1) step = x->strides[d];
        extent *= x->shape[d];
    }
    run->pixel_step = (ptrdiff_t)step * (ptrdiff_t)run->element;
    return true;
}

static qnt_status stage_matrix(struct qnt__run *run, bool may_stay)
{
    if (may_stay && matrix_in_place(run)) {
        run->base = run->x.data;
        return QNT_OK;
    }
    run->pixel_step = (ptrdiff_t)(run->layer->shape.panel_depth * run->element);
    run->base = image_of(run);
    return qnt__parallel(run->context, stage_rows, run, qnt__ceil_div(run->rows, STAGE_ROWS));
}

/* ---- images ---- */

/* The channels of one pixel, rotated by `shift`. */
static void stage_pixel(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                        int64_t at, size_t shift, uint8_t *out)
{
    size_t head = run->g.channels - shift;
    int64_t step = run->x.strides[3];
    stage(run, scratch, q, at + (int64_t)shift * step, step, head, out);
    stage(run, scratch, q, at, step, shift, out + head * run->element);
}

/* One row of a channel-major image: each channel is read along the row, then spread. */
static void stage_planes(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                         int64_t at, size_t shift, uint8_t *out)
{
    size_t channels = run->g.channels, pixel = channels * run->element;
    uint8_t *bytes = scratch + run->scratch.bytes;
    const struct qnt__view *x = &run->x;
    for (size_t c = 0; c < channels; c++) {
        int64_t from = at + (int64_t)((c + shift) % channels) * x->strides[3];
        for (size_t w = 0; w < run->g.width; w += QNT__CHUNK) {
            size_t n = qnt__min(run->g.width - w, QNT__CHUNK);
            uint8_t *to = out + w * pixel + c * run->element;
            int64_t first = from + (int64_t)w * x->strides[2];
            if (run->element == 1) {
                stage_bytes(run, scratch, q, first, x->strides[2], n, bytes);
                for (size_t i = 0; i < n; i++) to[i * pixel] = bytes[i];
            } else {
                float *floats = (void *)(scratch + run->scratch.floats);
                qnt__read_f32(&run->context->simd, x, first, x->strides[2], n, floats);
                for (size_t i = 0; i < n; i++) memcpy(to + i * pixel, &floats[i], sizeof(float));
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
    bool depthwise = run->layer->head.arithmetic == QNT__DEPTHWISE;
    size_t shift = depthwise ? g->group_shift : 0;
    bool whole = x->strides[3] == 1 && x->strides[2] == (int64_t)g->channels && shift == 0;
    if (whole) {
        stage(run, scratch, q, at, 1, g->width * g->channels, out);
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
    uint8_t *out = image_of(run) + index * row_bytes;
    const struct qnt__affine *q = run->dynamic ? &run->dynamic[image] : &run->input;
    int pad = run->element == 1 ? (uint8_t)q->zero : 0;

    if (line < g->pad[0] || line - g->pad[0] >= g->height) {
        memset(out, pad, row_bytes);
        return;
    }
    int64_t at = (int64_t)image * run->x.strides[0] +
                 (int64_t)(line - g->pad[0]) * run->x.strides[1];
    size_t left = g->pad[1] * pixel, inside = g->width * pixel;
    memset(out, pad, left);
    stage_inside(run, scratch_of(run, worker), q, at, out + left);
    memset(out + left + inside, pad, row_bytes - left - inside);
}

/* Range of one image. */
static void measure_image(void *task, size_t image, size_t worker)
{
    const struct qnt__run *run = task;
    const struct qnt__view *x = &run->x;
    const struct qnt__geometry *g = &run->g;
    float range[2] = {0.0f, 0.0f};
    bool planes = x->strides[3] != 1 && x->strides[2] == 1;
    size_t count = planes ? g->channels : g->width, n = planes ? g->width : g->channels;
    int64_t outer = x->strides[planes ? 3 : 2], inner = x->strides[planes ? 2 : 3];

    for (size_t h = 0; h < g->height; h++) {
        int64_t at = (int64_t)image * x->strides[0] + (int64_t)h * x->strides[1];
        for (size_t i = 0; i < count; i++) {
            widen_range(run, scratch_of(run, worker), at + (int64_t)i * outer, inner, n, range);
        }
    }
    run->dynamic[image] = dynamic_input(run, range);
}

/* Images without padding can be read where they are, if each tap is a whole number of cells. */
static bool image_in_place(const struct qnt__run *run)
{
    const struct qnt__geometry *g = &run->g;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__view *x = &run->x;
    bool depthwise = run->layer->head.arithmetic == QNT__DEPTHWISE;
    if (g->channels == 0 || (g->pad[0] | g->pad[1] | g->pad[2] | g->pad[3])) return false;
    if (run->element == 1 && !depthwise && s->depth != s->panel_depth) return false;
    if (depthwise && g->group_shift != 0) return false;
    bool runs = g->groups == 1 && g->dilation[1] == 1 && g->kernel[1] > 1; /* taps span pixels */
    return x->strides[3] == 1 && (!runs || x->strides[2] == (int64_t)g->channels);
}

static qnt_status stage_images(struct qnt__run *run, bool may_stay)
{
    const struct qnt__geometry *g = &run->g;
    ptrdiff_t element = (ptrdiff_t)run->element;
    if (may_stay && image_in_place(run)) {
        run->base = run->x.data;
        run->image_step = (ptrdiff_t)run->x.strides[0] * element;
        run->row_step = (ptrdiff_t)run->x.strides[1] * element;
        run->pixel_step = (ptrdiff_t)run->x.strides[2] * element;
        return QNT_OK;
    }
    run->base = image_of(run);
    if (g->channels == 0) memset(image_of(run), 0, run->element); /* a tap has at least one element */
    run->pixel_step = (ptrdiff_t)g->channels * element;
    run->row_step = (ptrdiff_t)g->padded_width * run->pixel_step;
    run->image_step = (ptrdiff_t)g->padded_height * run->row_step;
    if (run->dynamic) QNT__TRY(qnt__parallel(run->context, measure_image, run, g->batch));
    return qnt__parallel(run->context, stage_line, run, g->batch * g->padded_height);
}

/* Offsets of the taps, in elements. */
static void place_taps(struct qnt__run *run)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__geometry *g = &run->g;
    size_t per_row = s->tap_count / g->kernel[0];
    for (size_t t = 0; t < s->tap_count; t++) {
        ptrdiff_t down = (ptrdiff_t)(t / per_row * g->dilation[0]) * run->row_step;
        ptrdiff_t right = (ptrdiff_t)(t % per_row * g->dilation[1]) * run->pixel_step;
        run->taps[t] = (down + right) / (ptrdiff_t)run->element;
    }
}

qnt_status qnt__run_stage(struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    const struct qnt__view *x = &run->x;
    if (h->input.kind == QNT__IN_STATIC) {
        run->input = static_input(run);
        run->input_zero = run->input.zero;
    }
    if (h->input.kind == QNT__IN_DYNAMIC) {
        run->dynamic = (void *)(run->space + run->places.affine);
    }
    bool bytes = x->bits == 8 && x->code == (h->arithmetic == QNT__BLOCKS ? QNT_INT : QNT_UINT);
    bool floats = x->bits == 32 && (uintptr_t)x->data % sizeof(float) == 0;
    bool may_stay = run->element == 1 ? bytes : floats;
    if (h->kind == QNT_CONV) {
        QNT__TRY(stage_images(run, may_stay));
    } else {
        QNT__TRY(stage_matrix(run, may_stay));
    }
    run->taps = (void *)(run->space + run->places.taps);
    place_taps(run);
    return QNT_OK;
}
