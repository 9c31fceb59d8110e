/* Rotating groups of channels. The contract is in qnt/kernel.h. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "context/context.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum { CODES_AT_ONCE = 512 }; /* a multiple of 8, so that runs stay on whole bytes */

/* A part of x that goes to a part of y of the same extents. */
struct box {
    const struct qnt__simd *simd;
    const struct qnt__view *x, *y;
    int ndim; /* after joining axes that are one run in both */
    int64_t shape[QNT_MAX_NDIM], x_strides[QNT_MAX_NDIM], y_strides[QNT_MAX_NDIM];
};

static void copy_small_codes(const struct box *b, int64_t x_at, int64_t x_step, int64_t y_at,
                             int64_t y_step, size_t n)
{
    uint8_t codes[CODES_AT_ONCE];
    for (size_t done = 0; done < n; done += CODES_AT_ONCE) {
        size_t some = qnt__min(n - done, CODES_AT_ONCE);
        int64_t i = (int64_t)done;
        qnt__read_codes(b->simd, b->x, x_at + i * x_step, x_step, some, codes);
        qnt__write_codes(b->simd, b->y, y_at + i * y_step, y_step, some, codes);
    }
}

static void copy_run(const struct box *b, int64_t x_at, int64_t x_step, int64_t y_at,
                     int64_t y_step, size_t n)
{
    if (b->x->bits < 8) {
        copy_small_codes(b, x_at, x_step, y_at, y_step, n);
        return;
    }
    size_t size = b->x->bits / 8u;
    const uint8_t *x = b->x->data + x_at * (int64_t)size;
    uint8_t *y = b->y->data + y_at * (int64_t)size;
    if (x_step == 1 && y_step == 1) {
        memcpy(y, x, n * size);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(y, x, size);
        x += x_step * (int64_t)size;
        y += y_step * (int64_t)size;
    }
}

/* Runs along the last axis; recursion is no deeper than QNT_MAX_NDIM. */
static void copy_box(const struct box *b, int axis, int64_t x_at, int64_t y_at)
{
    if (axis == b->ndim - 1) {
        copy_run(b, x_at, b->x_strides[axis], y_at, b->y_strides[axis], (size_t)b->shape[axis]);
        return;
    }
    for (int64_t i = 0; i < b->shape[axis]; i++) {
        copy_box(b, axis + 1, x_at + i * b->x_strides[axis], y_at + i * b->y_strides[axis]);
    }
}

/* Is axis d - 1 the continuation of axis d in both? */
static bool continues(const struct box *b, int d)
{
    return b->x_strides[d - 1] == b->shape[d] * b->x_strides[d] &&
           b->y_strides[d - 1] == b->shape[d] * b->y_strides[d];
}

static void join_axes(struct box *b)
{
    while (b->ndim > 1 && continues(b, b->ndim - 1)) {
        int last = --b->ndim;
        b->shape[last - 1] *= b->shape[last];
        b->x_strides[last - 1] = b->x_strides[last];
        b->y_strides[last - 1] = b->y_strides[last];
    }
}

/* Channels y_first.. of y come from x_first.. of x. */
static void copy_channels(const struct qnt__simd *simd, const struct qnt__view *x,
                          const struct qnt__view *y, int axis, int64_t x_first, int64_t y_first,
                          int64_t channels)
{
    if (channels == 0) return;
    struct box b = {.simd = simd, .x = x, .y = y, .ndim = x->ndim};
    for (int d = 0; d < x->ndim; d++) {
        b.shape[d] = d == axis ? channels : x->shape[d];
        b.x_strides[d] = x->strides[d];
        b.y_strides[d] = y->strides[d];
    }
    join_axes(&b);
    copy_box(&b, 0, x_first * x->strides[axis], y_first * y->strides[axis]);
}

static qnt_status check_numbers(const qnt_context *context, const struct qnt__view *x,
                                int32_t *axis, int32_t groups, int32_t shift)
{
    if (x->ndim == 0) {
        return qnt__fail(context, QNT_E_SHAPE, "x: ndim is 0, expected 1 to %d", QNT_MAX_NDIM);
    }
    if (*axis < -x->ndim || *axis >= x->ndim) {
        return qnt__fail(context, QNT_E_INVALID, "axis is %d, expected %d to %d, an axis of x",
                         (int)*axis, -x->ndim, x->ndim - 1);
    }
    if (*axis < 0) *axis += x->ndim;
    if (groups < 1) {
        return qnt__fail(context, QNT_E_INVALID, "groups is %d, expected at least 1", (int)groups);
    }
    if (x->shape[*axis] % groups != 0) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "groups is %d, expected a divisor of extent %lld of x", (int)groups,
                         (long long)x->shape[*axis]);
    }
    if (shift < 0 || shift >= groups) {
        return qnt__fail(context, QNT_E_INVALID, "shift is %d, expected 0 to %d", (int)shift,
                         (int)groups - 1);
    }
    return QNT_OK;
}

qnt_status qnt_shuffle_cyclic(const qnt_context *context, const qnt_tensor *x, int32_t axis,
                              int32_t groups, int32_t shift, qnt_tensor *y)
{
    if (!context) return QNT_E_INVALID;
    struct qnt__view in, out;
    QNT__TRY(qnt__view_open(context, "x", x, QNT__ANY, &in));
    QNT__TRY(qnt__view_open_output(context, "y", y, QNT__ANY, &out));
    QNT__TRY(check_numbers(context, &in, &axis, groups, shift));
    if (in.code != out.code || in.bits != out.bits) {
        return qnt__fail(context, QNT_E_DTYPE, "y: elements are %s%d, expected %s%d as in x",
                         qnt__type_class(out.code), out.bits, qnt__type_class(in.code), in.bits);
    }
    QNT__TRY(qnt__view_same_shape(context, "x", &in, "y", &out));
    if (qnt__view_overlaps(&in, &out)) {
        return qnt__fail(context, QNT_E_INVALID, "y: overlaps x, expected disjoint memory");
    }
    if (in.count == 0) return QNT_OK;

    int64_t channels = in.shape[axis], turn = channels / groups * shift;
    copy_channels(&context->simd, &in, &out, axis, turn, 0, channels - turn);
    copy_channels(&context->simd, &in, &out, axis, 0, channels - turn, turn);
    return QNT_OK;
}
