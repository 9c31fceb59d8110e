/* Checking views. The contract is in qnt/tensor.h. */
#include <stdlib.h>

#include "base/arith.h"
#include "base/try.h"
#include "context/context.h"
#include "view.h"

enum { CPU_DEVICE = 1 };

/* Bits from the first element to the last are a number of 64 bits, and the bytes of any type are one of
 * size_t, which has 32 bits on some machines. */
#define MOST_ELEMENTS (PTRDIFF_MAX / 32)

static bool is_float(uint8_t code, uint8_t bits)
{
    return (code == QNT_FLOAT && (bits == 16 || bits == 32)) || (code == QNT_BFLOAT && bits == 16);
}

static bool is_integer(uint8_t code)
{
    return code == QNT_INT || code == QNT_UINT;
}

/* Does the type belong to one of the kinds? */
static bool is_kind(uint8_t code, uint8_t bits, int kinds)
{
    bool integer = is_integer(code);
    if ((kinds & (QNT__FLOATS | QNT__ANY)) && is_float(code, bits)) return true;
    if ((kinds & QNT__FLOAT32) && code == QNT_FLOAT && bits == 32) return true;
    if ((kinds & (QNT__CODES | QNT__ANY)) && integer && bits >= 1 && bits <= 8) return true;
    if ((kinds & (QNT__CODES16 | QNT__ANY)) && integer && bits == 16) return true;
    return (kinds & (QNT__INT32 | QNT__ANY)) && code == QNT_INT && bits == 32;
}

const char *qnt__type_class(uint8_t code)
{
    switch (code) {
    case QNT_INT: return "int";
    case QNT_UINT: return "uint";
    case QNT_FLOAT: return "float";
    default: return "bfloat";
    }
}

static const char *kinds_text(int kinds)
{
    if (kinds & QNT__ANY) return "a float of 16 or 32 bits or an integer of 1 to 8, 16 or 32 bits";
    if (kinds & QNT__FLOATS) {
        return kinds & QNT__CODES ? "float32, float16, bfloat16 or integer codes"
                                  : "float32, float16 or bfloat16";
    }
    if (kinds & QNT__FLOAT32) return "float32";
    if (kinds & QNT__INT32) return "int32";
    return kinds & QNT__CODES16 ? "an integer of 1 to 8 or 16 bits" : "an integer of 1 to 8 bits";
}

static qnt_status check_type(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                             int kinds)
{
    uint8_t code = tensor->dtype_code, bits = tensor->dtype_bits;
    if (tensor->dtype_lanes != 1) {
        return qnt__fail(context, QNT_E_DTYPE, "%s: dtype_lanes is %d, expected 1", name,
                         tensor->dtype_lanes);
    }
    if (is_kind(code, bits, kinds)) return QNT_OK;
    if (!is_integer(code) && code != QNT_FLOAT && code != QNT_BFLOAT) {
        return qnt__fail(context, QNT_E_DTYPE,
                         "%s: dtype_code is %d, which is unknown; expected %s", name, code,
                         kinds_text(kinds));
    }
    return qnt__fail(context, QNT_E_DTYPE, "%s: elements are %s%d, expected %s", name,
                     qnt__type_class(code), bits, kinds_text(kinds));
}

/* Copies extents and strides and proves that every element offset and the byte range fit in
 * memory. */
static qnt_status copy_extents(const qnt_context *context, const char *name,
                               const qnt_tensor *tensor, struct qnt__view *view)
{
    int64_t compact = 1;
    uint64_t reach = 0; /* sum of (extent - 1) |stride| */
    bool empty = false;

    for (int d = tensor->ndim - 1; d >= 0; d--) {
        int64_t extent = tensor->shape[d];
        if (extent < 0) {
            return qnt__fail(context, QNT_E_SHAPE, "%s: extent %d is %lld, expected at least 0",
                             name, d, (long long)extent);
        }
        empty = empty || extent == 0;
        view->shape[d] = extent;
    }
    for (int d = tensor->ndim - 1; d >= 0; d--) {
        int64_t extent = view->shape[d], stride = tensor->strides ? tensor->strides[d] : compact;
        view->strides[d] = stride;
        if (empty && (uint64_t)extent <= PTRDIFF_MAX) continue;
        uint64_t step = stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride, far;
        if (empty || __builtin_mul_overflow(step, (uint64_t)(extent - 1), &far) ||
            __builtin_add_overflow(reach, far, &reach) || reach > MOST_ELEMENTS ||
            __builtin_mul_overflow(compact, extent, &compact) || compact > MOST_ELEMENTS) {
            return qnt__fail(context, QNT_E_SHAPE,
                             "%s: extents and strides overflow at axis %d, expected at most %lld "
                             "elements from the first to the last",
                             name, d, (long long)MOST_ELEMENTS);
        }
    }
    view->count = empty ? 0 : (size_t)compact;
    return QNT_OK;
}

static qnt_status open_view(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                            int kinds, bool need_data, struct qnt__view *view)
{
    if (!tensor) return qnt__fail(context, QNT_E_INVALID, "%s is NULL", name);
    if (tensor->device_type != CPU_DEVICE) {
        return qnt__fail(context, QNT_E_DEVICE, "%s: device_type is %d, expected 1 (CPU)", name,
                         (int)tensor->device_type);
    }
    if (tensor->ndim < 0 || tensor->ndim > QNT_MAX_NDIM) {
        return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, expected 0 to %d", name,
                         (int)tensor->ndim, QNT_MAX_NDIM);
    }
    QNT__TRY(check_type(context, name, tensor, kinds));
    if (tensor->ndim > 0 && !tensor->shape) {
        return qnt__fail(context, QNT_E_INVALID, "%s: shape is NULL", name);
    }
    *view = (struct qnt__view){
        .ndim = tensor->ndim, .code = tensor->dtype_code, .bits = tensor->dtype_bits};
    QNT__TRY(copy_extents(context, name, tensor, view));
    if (!need_data || view->count == 0) return QNT_OK;
    if (!tensor->data) return qnt__fail(context, QNT_E_INVALID, "%s: data is NULL", name);
    view->data = (uint8_t *)tensor->data + tensor->byte_offset;
    return QNT_OK;
}

qnt_status qnt__view_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                          int kinds, struct qnt__view *view)
{
    return open_view(context, name, tensor, kinds, true, view);
}

qnt_status qnt__view_open_shape(const qnt_context *context, const char *name,
                                const qnt_tensor *tensor, int kinds, struct qnt__view *view)
{
    return open_view(context, name, tensor, kinds, false, view);
}

/* Axes sorted by |stride| must nest: each steps over everything the smaller ones reach. */
static bool meets_itself(const struct qnt__view *view)
{
    int order[QNT_MAX_NDIM], used = 0;
    for (int d = 0; d < view->ndim; d++) {
        if (view->shape[d] <= 1) continue;
        int at = used++;
        for (; at > 0; at--) {
            if (llabs(view->strides[order[at - 1]]) <= llabs(view->strides[d])) break;
            order[at] = order[at - 1];
        }
        order[at] = d;
    }
    int64_t reach = 0;
    for (int i = 0; i < used; i++) {
        int64_t step = llabs(view->strides[order[i]]);
        if (step <= reach) return true;
        reach += step * (view->shape[order[i]] - 1);
    }
    return false;
}

qnt_status qnt__view_open_output(const qnt_context *context, const char *name, qnt_tensor *tensor,
                                 int kinds, struct qnt__view *view)
{
    QNT__TRY(open_view(context, name, tensor, kinds, true, view));
    if (view->count > 1 && meets_itself(view)) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "%s: strides let two elements share memory, expected disjoint ones", name);
    }
    return QNT_OK;
}

qnt_status qnt__view_describe(const qnt_context *context, const char *name, int ndim,
                              const int64_t *shape, uint8_t code, uint8_t bits, qnt_tensor *out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "%s is NULL", name);
    if (ndim > 0 && (!out->shape || !out->strides)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "%s: shape and strides must point to QNT_MAX_NDIM (%d) numbers each", name,
                         QNT_MAX_NDIM);
    }
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        out->strides[d] = stride;
        if (__builtin_mul_overflow(stride, shape[d] ? shape[d] : 1, &stride)) {
            return qnt__fail(context, QNT_E_SHAPE, "%s: extents overflow at axis %d", name, d);
        }
    }
    for (int d = 0; d < ndim; d++) out->shape[d] = shape[d];
    out->device_type = CPU_DEVICE;
    out->device_id = 0;
    out->ndim = ndim;
    out->dtype_code = code;
    out->dtype_bits = bits;
    out->dtype_lanes = 1;
    out->byte_offset = 0;
    return QNT_OK;
}

/* Lowest and highest element offset; the view has elements. */
static void reach(const struct qnt__view *view, int64_t *low, int64_t *high)
{
    *low = *high = 0;
    for (int d = 0; d < view->ndim; d++) {
        int64_t far = (view->shape[d] - 1) * view->strides[d];
        if (far < 0) *low += far;
        else *high += far;
    }
}

/* Floor and ceiling of a bit count in bytes; bits may be negative. */
static int64_t byte_floor(int64_t bits)
{
    return bits >= 0 ? bits / 8 : -((-bits + 7) / 8);
}

void qnt__view_range(const struct qnt__view *view, const uint8_t **first, const uint8_t **end)
{
    *first = *end = NULL;
    if (view->count == 0) return;
    int64_t low, high;
    reach(view, &low, &high);
    *first = view->data + byte_floor(low * view->bits);
    *end = view->data + byte_floor((high + 1) * view->bits + 7);
}

bool qnt__view_overlaps(const struct qnt__view *a, const struct qnt__view *b)
{
    const uint8_t *a_first, *a_end, *b_first, *b_end;
    qnt__view_range(a, &a_first, &a_end);
    qnt__view_range(b, &b_first, &b_end);
    return (uintptr_t)a_first < (uintptr_t)b_end && (uintptr_t)b_first < (uintptr_t)a_end;
}

/* Are these the same elements, index by index? */
static bool same_place(const struct qnt__view *a, const struct qnt__view *b)
{
    if (a->data != b->data || a->code != b->code || a->bits != b->bits) return false;
    if (a->ndim != b->ndim) return false;
    for (int d = 0; d < a->ndim; d++) {
        if (a->shape[d] != b->shape[d]) return false;
        if (a->strides[d] != b->strides[d] && a->shape[d] > 1) return false;
    }
    return true;
}

qnt_status qnt__view_apart(const qnt_context *context, const char *a_name, const struct qnt__view *a,
                           const char *b_name, const struct qnt__view *b, bool same)
{
    if (!qnt__view_overlaps(a, b)) return QNT_OK;
    if (same && same_place(a, b)) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "%s overlaps %s in memory, expected disjoint ranges",
                     b_name, a_name);
}

qnt_status qnt__view_same_shape(const qnt_context *context, const char *a_name,
                                const struct qnt__view *a, const char *b_name,
                                const struct qnt__view *b)
{
    if (a->ndim != b->ndim) {
        return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, expected %d as in %s", b_name,
                         b->ndim, a->ndim, a_name);
    }
    for (int d = 0; d < a->ndim; d++) {
        if (a->shape[d] == b->shape[d]) continue;
        return qnt__fail(context, QNT_E_SHAPE, "%s: extent %d is %lld, expected %lld as in %s",
                         b_name, d, (long long)b->shape[d], (long long)a->shape[d], a_name);
    }
    return QNT_OK;
}

bool qnt__view_is_compact(const struct qnt__view *view)
{
    int64_t stride = 1;
    if (view->count == 0) return true; /* strides mean nothing */
    for (int d = view->ndim - 1; d >= 0; d--) {
        if (view->shape[d] > 1 && view->strides[d] != stride) return false;
        stride *= view->shape[d];
    }
    return true;
}

qnt_status qnt_tensor_check(const qnt_context *context, const qnt_tensor *tensor)
{
    if (!context) return QNT_E_INVALID;
    struct qnt__view view;
    return qnt__view_open(context, "tensor", tensor, QNT__ANY, &view);
}

qnt_status qnt_tensor_bytes(const qnt_context *context, const qnt_tensor *tensor, uint64_t *bytes)
{
    if (!context) return QNT_E_INVALID;
    if (!bytes) return qnt__fail(context, QNT_E_INVALID, "bytes is NULL");
    struct qnt__view view;
    QNT__TRY(qnt__view_open_shape(context, "tensor", tensor, QNT__ANY, &view));
    *bytes = 0;
    if (view.count == 0) return QNT_OK;
    int64_t low, high;
    reach(&view, &low, &high);
    *bytes = (uint64_t)(byte_floor((high + 1) * view.bits + 7) - byte_floor(low * view.bits));
    return QNT_OK;
}

qnt_status qnt__view_has_codes(const qnt_context *context, const char *name,
                               const struct qnt__view *view, int code, int bits)
{
    if (view->code == code && (view->bits == bits || (view->bits == 8 && bits < 8))) return QNT_OK;
    const char *found = qnt__type_class(view->code), *wanted = qnt__type_class((uint8_t)code);
    if (bits < 8) {
        return qnt__fail(context, QNT_E_DTYPE, "%s: elements are %s%d, expected %s%d or %s8", name,
                         found, view->bits, wanted, bits, wanted);
    }
    return qnt__fail(context, QNT_E_DTYPE, "%s: elements are %s%d, expected %s%d", name, found,
                     view->bits, wanted, bits);
}
