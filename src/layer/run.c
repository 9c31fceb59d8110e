/* The public side of running: the result's description, the workspace, and the run itself. */
#include "run.h"

#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/quantizer.h"

enum {
    ALIGN = 64,
    WORTH = 65536 /* elements staged, or 64 multiplications each, that are worth waking a worker */
};

qnt_status qnt__run_share(struct qnt__run *run, qnt_task_fn task, size_t count, size_t work)
{
    if (work >= WORTH) return qnt__parallel(run->context, task, run, count);
    for (size_t i = 0; i < count; i++) task(run, i, 0);
    return QNT_OK;
}

/* Shape of the result in the order of the caller's axes. */
static int result_shape(const struct qnt__run *run, int64_t shape[QNT_MAX_NDIM])
{
    const struct qnt__geometry *g = &run->g;
    if (run->layer->head.kind == QNT_DENSE) {
        for (int d = 0; d < run->x.ndim; d++) shape[d] = run->x.shape[d];
        shape[run->x.ndim - 1] = (int64_t)g->outputs;
        return run->x.ndim;
    }
    bool planes = run->layer->head.layout == QNT_NCHW;
    shape[0] = (int64_t)g->batch;
    shape[planes ? 2 : 1] = (int64_t)g->out_height;
    shape[planes ? 3 : 2] = (int64_t)g->out_width;
    shape[planes ? 1 : 3] = (int64_t)g->outputs;
    return 4;
}

static qnt_status plan_shape(struct qnt__run *run, const qnt_context *context,
                             const qnt_layer *layer, const qnt_tensor *x)
{
    struct qnt__view view;
    if (!context) return QNT_E_INVALID;
    if (!layer) return qnt__fail(context, QNT_E_INVALID, "layer is NULL");
    QNT__TRY(qnt__view_open_shape(context, "x", x, QNT__FLOATS | QNT__CODES, &view));
    return qnt__run_plan(run, context, layer, &view);
}

qnt_status qnt_layer_view(const qnt_context *context, const qnt_layer *layer, const qnt_tensor *x,
                          qnt_tensor *y)
{
    struct qnt__run run;
    QNT__TRY(plan_shape(&run, context, layer, x));
    int64_t shape[QNT_MAX_NDIM];
    int ndim = result_shape(&run, shape);
    const struct qnt__layer_codes *c = &layer->head.output;
    if (c->kind == QNT__IN_FLOAT) {
        return qnt__view_describe(context, "y", ndim, shape, QNT_FLOAT, 32, y);
    }
    uint8_t code = c->flags & QNT_SIGNED ? QNT_INT : QNT_UINT;
    return qnt__view_describe(context, "y", ndim, shape, code, (uint8_t)c->bits, y);
}

qnt_status qnt_layer_workspace(const qnt_context *context, const qnt_layer *layer,
                               const qnt_tensor *x, size_t *bytes)
{
    struct qnt__run run;
    QNT__TRY(plan_shape(&run, context, layer, x));
    if (!bytes) return qnt__fail(context, QNT_E_INVALID, "bytes is NULL");
    *bytes = run.places.bytes;
    return QNT_OK;
}

static qnt_status check_output_type(const struct qnt__run *run)
{
    const struct qnt__layer_codes *c = &run->layer->head.output;
    const struct qnt__view *y = &run->y;
    bool floats = y->code == QNT_FLOAT || y->code == QNT_BFLOAT;
    if (c->kind == QNT__IN_FLOAT) {
        if (floats) return QNT_OK;
        return qnt__fail(run->context, QNT_E_DTYPE,
                         "y: integer codes, expected floats, "
                         "since output_q was NULL");
    }
    uint8_t code = c->flags & QNT_SIGNED ? QNT_INT : QNT_UINT;
    return qnt__view_has_codes(run->context, "y", y, code, c->bits);
}

static qnt_status open_output(struct qnt__run *run, qnt_tensor *y)
{
    int64_t shape[QNT_MAX_NDIM];
    int ndim = result_shape(run, shape);
    QNT__TRY(qnt__view_open_output(run->context, "y", y, QNT__FLOATS | QNT__CODES, &run->y));
    QNT__TRY(check_output_type(run));
    if (run->y.ndim != ndim) {
        return qnt__fail(run->context, QNT_E_SHAPE, "y: ndim is %d, expected %d", run->y.ndim,
                         ndim);
    }
    for (int d = 0; d < ndim; d++) {
        if (run->y.shape[d] == shape[d]) continue;
        return qnt__fail(run->context, QNT_E_SHAPE, "y: extent %d is %lld, expected %lld", d,
                         (long long)run->y.shape[d], (long long)shape[d]);
    }
    if (run->layer->head.kind == QNT_CONV && run->layer->head.layout == QNT_NCHW) {
        struct qnt__view v = run->y;
        for (int d = 1; d < 4; d++) {
            run->y.shape[d] = v.shape[d % 3 + 1];
            run->y.strides[d] = v.strides[d % 3 + 1];
        }
    }
    return QNT_OK;
}

/* Do output rows follow each other in equal steps? Finds out whether epilogues can write directly.
 */
static void plan_output(struct qnt__run *run)
{
    const struct qnt__view *y = &run->y;
    int64_t step = 0, extent = 1;
    run->collapsed = true;
    for (int d = y->ndim - 2; d >= 0; d--) {
        if (y->shape[d] == 1) continue;
        if (extent > 1 && y->strides[d] != step * extent) run->collapsed = false;
        if (extent == 1) step = y->strides[d];
        extent *= y->shape[d];
        if (y->strides[d] * y->bits % 8 != 0) run->shared_bytes = true;
    }
    run->y_step = step;
    bool dense = y->strides[y->ndim - 1] == 1 || y->shape[y->ndim - 1] == 1;
    bool floats = y->bits == 32 && (uintptr_t)y->data % sizeof(float) == 0;
    bool codes =
        y->bits == 8 && qnt__layer_sums_integers(&run->layer->head) && !run->layer->output_book;
    run->direct = run->collapsed && dense && step >= 0 && (floats || codes);
    size_t outputs = run->layer->shape.group_outputs;
    if (!dense || run->layer->start || outputs * y->bits % 8 != 0) run->shared_bytes = true;
    if (y->bits >= 8) run->shared_bytes = false;
}

/* A bound of the activation in steps of the output, kept within the codes. */
static float bound_in_codes(const struct qnt__layer_codes *c, float bound, float low, float high)
{
    double steps = ((double)bound - (double)c->offset) / (double)c->scale;
    return steps < (double)low ? low : steps > (double)high ? high : (float)steps;
}

static void plan_ranks(struct qnt__run *run)
{
    const struct qnt__layer_codes *c = &run->layer->head.output;
    run->ranks.steps = c->bits;
    run->ranks.nan = c->zero;
    memcpy(run->ranks.value, run->layer->output_book->threshold, sizeof run->ranks.value);
}

static void plan_clamp(struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    const struct qnt__layer_codes *c = &h->output;
    run->low = h->low;
    run->high = h->high;
    if (run->layer->output_book) plan_ranks(run);
    if (qnt__layer_finishes_floats(h)) return;

    qnt_spec spec = {.bits = c->bits, .flags = c->flags};
    float low = (float)(qnt__code_low(&spec) - c->zero);
    float high = (float)(qnt__code_high(&spec) - c->zero);
    run->output = (struct qnt__affine){
        .scale = c->scale, .offset = c->offset, .low = low, .high = high, .zero = c->zero};
    if (!qnt__layer_sums_integers(h)) return; /* clamped as floats */
    run->low = bound_in_codes(c, h->low, low, high);
    run->high = bound_in_codes(c, h->high, low, high);
}

qnt_status qnt_layer_run(const qnt_context *context, const qnt_layer *layer, const qnt_tensor *x,
                         qnt_tensor *y, void *workspace, size_t bytes)
{
    struct qnt__run run;
    struct qnt__view view;
    if (!context) return QNT_E_INVALID;
    if (!layer) return qnt__fail(context, QNT_E_INVALID, "layer is NULL");
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS | QNT__CODES, &view));
    QNT__TRY(qnt__run_plan(&run, context, layer, &view));
    QNT__TRY(open_output(&run, y));
    if (qnt__view_overlaps(&run.x, &run.y)) {
        return qnt__fail(context, QNT_E_INVALID, "y overlaps x, expected disjoint memory");
    }
    if (!workspace) return qnt__fail(context, QNT_E_INVALID, "workspace is NULL");
    if (bytes < run.places.bytes) {
        return qnt__fail(context, QNT_E_SPACE, "workspace has %zu bytes, expected at least %zu",
                         bytes, run.places.bytes);
    }
    if (run.y.count == 0) return QNT_OK;

    uint8_t *start = workspace;
    run.space = start + (ALIGN - (uintptr_t)start % ALIGN) % ALIGN;
    plan_output(&run);
    plan_clamp(&run);
    QNT__TRY(qnt__run_stage(&run));
    switch (layer->head.arithmetic) {
    case QNT__DEPTHWISE: return qnt__run_depthwise(&run);
    case QNT__PLANES: return qnt__run_planes(&run);
    default: return run.winograd.serves ? qnt__run_winograd(&run) : qnt__run_product(&run);
    }
}
