/* Extents of a run and the layout of its workspace, from the shape and type of the input alone. */
#include "base/carve.h"
#include "base/try.h"
#include "run.h"

enum {
    ALIGN = QNT__CARVE_ALIGN,
    DECODE_BYTES = 256 * 1024,
    UNPACK_BYTES = 512 * 1024, /* of panels that are multiplied together, in a second-level cache */
    UNPACK_ROWS = 4 * QNT__BLOCK_ROWS
};

/* Do packed cells become bytes once for many rows? It pays where kernels unpack them for every few rows. */
static bool unpacks(const struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    return h->arithmetic == QNT__INTEGER && h->cell_bits <= QNT__NARROW_BITS && run->rows >= UNPACK_ROWS &&
           run->context->simd.packed_rows <= QNT__BLOCK_ROWS &&
           qnt__expanded_bytes(&run->layer->shape) <= UNPACK_BYTES / QNT__BLOCK_PANELS;
}

/* Are cells expanded? Places in tables are for many rows; a few rows look them up where they multiply,
 * unless that has no kernel. */
static bool expands(const struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    if (!(h->arrays & QNT__HAS_TABLES)) return unpacks(run);
    if (h->arithmetic == QNT__WORDS) return !run->words.few;
    return run->rows > QNT__BLOCK_ROWS || qnt__layer_has_own_tables(h) ||
           h->arithmetic == QNT__BLOCKS || h->cell_bits > QNT__NARROW_BITS;
}

static bool plan_scratch(struct qnt__run *run)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    bool depthwise = run->layer->head.arithmetic == QNT__DEPTHWISE;
    const size_t rows = run->ready ? QNT__PREPARED_ROWS : QNT__GEMM_ROWS;
    size_t tile = depthwise ? qnt__max(QNT__TILE, s->columns) : QNT__TILE / QNT__GEMM_ROWS * rows;
    size_t weights = 0;
    struct qnt__scratch *c = &run->scratch;
    if (run->layer->head.arithmetic == QNT__DECODE || expands(run)) {
        size_t depth = run->layer->head.arithmetic == QNT__DECODE ? s->depth : s->panel_depth, panel;
        const size_t element = run->words.bytes ? run->words.weight_parts : run->element;
        if (!qnt__mul(s->tap_count, QNT__PANEL * element, &panel) || !qnt__mul(panel, depth, &panel))
            return false;
        run->decode_panels = qnt__min(qnt__max(DECODE_BYTES / panel, 1), QNT__BLOCK_PANELS);
        if (run->words.bytes && panel <= UNPACK_BYTES / QNT__BLOCK_PANELS)
            run->decode_panels = QNT__BLOCK_PANELS;
        if (unpacks(run)) run->decode_panels = QNT__BLOCK_PANELS;
        const size_t residues = run->words.both ? panel / 2 : 0; /* on some CPUs */
        if (!qnt__add(panel, residues, &panel) || !qnt__mul(panel, run->decode_panels, &weights))
            return false;
    }
    if (run->words.few) weights = QNT__BLOCK_PANELS * QNT__PANEL * run->element * run->words.depth;
    c->end = 0;
    return qnt__append(&c->end, tile, 4, &c->acc) && qnt__append(&c->end, tile, 4, &c->tile) &&
           qnt__append(&c->end, tile, 1, &c->codes) &&
           qnt__append(&c->end, QNT__CHUNK, 4, &c->floats) &&
           qnt__append(&c->end, QNT__CHUNK, 1, &c->bytes) &&
           qnt__append(&c->end, weights, 1, &c->weights) &&
           qnt__append(&c->end, run->ready_late ? rows : 0, run->ready, &c->ready) &&
           qnt__append(&c->end, run->words.bytes ? QNT__TILE / QNT__GEMM_ROWS : 0, sizeof(double),
                       &c->sums) &&
           (run->layer->head.arithmetic != QNT__PLANES || qnt__planes_plan(run)) &&
           qnt__winograd_plan(run);
}

/* Elements of the staged input. */
static bool image_elements(const struct qnt__run *run, size_t *n)
{
    const struct qnt__geometry *g = &run->g;
    size_t depth = run->layer->head.kind == QNT_DENSE ? run->layer->shape.panel_depth : g->channels;
    return qnt__mul(g->batch, g->padded_height, n) && qnt__mul(*n, g->padded_width, n) &&
           qnt__mul(*n, depth, n) && qnt__add(*n, QNT__IMAGE_SLACK, n);
}

static qnt_status plan_places(struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    struct qnt__places *p = &run->places;
    size_t image = 0, dynamic = 0, end = 0, scratch, slab;
    if (h->input.kind == QNT__IN_DYNAMIC) dynamic = h->kind == QNT_DENSE ? run->rows : run->g.batch;
    const size_t parts = run->words.both || run->words.input_parts == 2 ? 2 : 1;
    bool fits = image_elements(run, &image) && qnt__append(&end, image, run->element * parts, &p->image) &&
                qnt__ready_plan(run) &&
                qnt__append(&end, run->ready_late ? 0 : run->rows, run->ready, &p->ready) &&
                qnt__append(&end, dynamic, sizeof(struct qnt__affine), &p->affine) &&
                qnt__append(&end, run->layer->shape.tap_count, sizeof(ptrdiff_t), &p->taps) &&
                plan_scratch(run) && qnt__mul(run->planes.slab, run->planes.row_bytes, &slab) &&
                qnt__append(&end, slab, 1, &p->rows) &&
                qnt__append(&end, run->planes.slab, sizeof(int32_t), &p->sums) &&
                qnt__append(&end, run->winograd.bytes, 1, &p->pixels) &&
                qnt__mul(run->scratch.end, run->context->workers, &scratch) &&
                qnt__append(&end, scratch, 1, &p->scratch) && qnt__add(end, ALIGN - 1, &p->bytes) &&
                p->bytes <= PTRDIFF_MAX;
    p->each = run->scratch.end;
    run->words.image = image;
    if (fits) return QNT_OK;
    return qnt__fail(run->context, QNT_E_SHAPE, "x: the workspace of this shape overflows");
}

/* Axes become [B,H,W,C]. */
static qnt_status open_conv(struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    struct qnt__view *x = &run->x;
    size_t channels;
    if (x->ndim != 4) {
        return qnt__fail(run->context, QNT_E_SHAPE, "x: ndim is %d, expected 4", x->ndim);
    }
    if (h->layout == QNT_NCHW) {
        struct qnt__view v = *x;
        for (int d = 1; d < 4; d++) {
            x->shape[d] = v.shape[d % 3 + 1];
            x->strides[d] = v.strides[d % 3 + 1];
        }
    }
    if (!qnt__mul((size_t)h->channels, (size_t)h->groups, &channels) ||
        channels != (size_t)x->shape[3]) {
        return qnt__fail(run->context, QNT_E_SHAPE,
                         "x: %lld channels, expected %lld in each of %d groups",
                         (long long)x->shape[3], (long long)h->channels, (int)h->groups);
    }
    struct qnt__geometry *g = &run->g;
    g->batch = (size_t)x->shape[0];
    g->height = (size_t)x->shape[1];
    g->width = (size_t)x->shape[2];
    g->channels = channels;
    return QNT_OK;
}

static qnt_status open_dense(struct qnt__run *run)
{
    const struct qnt__view *x = &run->x;
    if (x->ndim < 1 || x->shape[x->ndim - 1] != run->layer->head.channels) {
        return qnt__fail(run->context, QNT_E_SHAPE,
                         "x: %lld elements along the last of %d axes, expected %lld",
                         x->ndim < 1 ? 1LL : (long long)x->shape[x->ndim - 1], x->ndim,
                         (long long)run->layer->head.channels);
    }
    struct qnt__geometry *g = &run->g;
    g->batch = g->height = g->width = 1;
    g->channels = (size_t)run->layer->head.channels;
    for (int d = 0; d < x->ndim - 1; d++) { /* K may be 0: count tells nothing */
        if (!qnt__mul(g->width, (size_t)x->shape[d], &g->width)) {
            return qnt__fail(run->context, QNT_E_SHAPE, "x: extents overflow at axis %d", d);
        }
    }
    return QNT_OK;
}

static qnt_status check_type(const struct qnt__run *run)
{
    const struct qnt__layer_codes *c = &run->layer->head.input;
    const struct qnt__view *x = &run->x;
    if (x->code == QNT_FLOAT || x->code == QNT_BFLOAT) return QNT_OK;
    if (c->kind != QNT__IN_STATIC) {
        return qnt__fail(run->context, QNT_E_DTYPE, "x: integer codes, expected floats, since %s",
                         c->kind == QNT__IN_FLOAT ? "input_q was NULL" : "input_q is dynamic");
    }
    bool levels = run->layer->head.arrays & QNT__HAS_INPUT_LEVELS;
    uint8_t code = (c->flags & QNT_SIGNED) && !levels ? QNT_INT : QNT_UINT;
    return qnt__view_has_codes(run->context, "x", x, code, c->bits);
}

qnt_status qnt__run_plan(struct qnt__run *run, const qnt_context *context, const qnt_layer *layer,
                         const struct qnt__view *x)
{
    const struct qnt__layer_head *h = &layer->head;
    *run = (struct qnt__run){.context = context, .layer = layer, .x = *x};
    struct qnt__geometry *g = &run->g;
    g->outputs = (size_t)h->outputs;
    g->groups = (size_t)h->groups;
    g->group_shift = (size_t)h->group_shift;
    for (int i = 0; i < 2; i++) {
        g->kernel[i] = (size_t)h->kernel[i];
        g->stride[i] = (size_t)h->stride[i];
        g->dilation[i] = (size_t)h->dilation[i];
    }
    for (int i = 0; i < 4; i++) g->pad[i] = (size_t)h->pad[i];
    run->element = h->arithmetic == QNT__DECODE  ? sizeof(float)
                   : h->arithmetic == QNT__WORDS ? sizeof(int16_t)
                                                 : 1;

    QNT__TRY(check_type(run));
    QNT__TRY(h->kind == QNT_DENSE ? open_dense(run) : open_conv(run));
    QNT__TRY(qnt__geometry_close(context, g));
    if (!qnt__mul(g->batch, g->out_height, &run->rows) ||
        !qnt__mul(run->rows, g->out_width, &run->rows)) {
        return qnt__fail(context, QNT_E_SHAPE, "x: the result's extents overflow");
    }
    if (h->arithmetic == QNT__WORDS) qnt__words_plan(run);
    return plan_places(run);
}
