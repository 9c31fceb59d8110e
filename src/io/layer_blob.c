/* Layers as blobs: the head as numbers, then the layer's own data. The contract is in qnt/io.h,
 * the layout in doc/blobs.md. */
#include "base/arith.h"
#include "base/try.h"
#include "format.h"
#include "layer/layer.h"
#include "stream.h"

static void exchange_codes(struct qnt__stream *s, struct qnt__layer_codes *c)
{
    qnt__stream_i32(s, &c->kind);
    qnt__stream_i32(s, &c->bits);
    qnt__stream_i32(s, &c->flags);
    qnt__stream_i32(s, &c->zero);
    qnt__stream_f32(s, &c->scale);
    qnt__stream_f32(s, &c->offset);
}

/* The numbers, in the order of version 1. */
static void exchange_head(struct qnt__stream *s, struct qnt__layer_head *h)
{
    int32_t *const geometry[] = {&h->groups,      &h->group_shift, &h->stride[0], &h->stride[1],
                                 &h->dilation[0], &h->dilation[1], &h->pad[0],    &h->pad[1],
                                 &h->pad[2],      &h->pad[3]};
    qnt__stream_i32(s, &h->kind);
    qnt__stream_i32(s, &h->layout);
    qnt__stream_i32(s, &h->activation);
    qnt__stream_i32(s, &h->flags);
    qnt__stream_f32(s, &h->low);
    qnt__stream_f32(s, &h->high);
    for (size_t i = 0; i < sizeof geometry / sizeof *geometry; i++) qnt__stream_i32(s, geometry[i]);
    exchange_codes(s, &h->input);
    exchange_codes(s, &h->output);
    qnt__stream_i32(s, &h->arithmetic);
    qnt__stream_i32(s, &h->weight_bits);
    qnt__stream_i32(s, &h->cell_bits);
    qnt__stream_i32(s, &h->arrays);
    qnt__stream_i64(s, &h->outputs);
    qnt__stream_i64(s, &h->channels);
    qnt__stream_i64(s, &h->kernel[0]);
    qnt__stream_i64(s, &h->kernel[1]);
    qnt__stream_i64(s, &h->block);
}

/* And those that only layers of points have. */
static void exchange_all(struct qnt__stream *s, struct qnt__layer_head *h)
{
    exchange_head(s, h);
    if (h->arrays & QNT__HAS_POINTS) qnt__stream_i64(s, &h->panels);
}

/* Bytes of the numbers of a head. */
static size_t head_bytes(struct qnt__layer_head head)
{
    struct qnt__stream count = {0};
    exchange_all(&count, &head);
    return count.at;
}

qnt_status qnt_layer_save(const qnt_context *context, const qnt_layer *layer, void *data,
                          size_t capacity, size_t *length)
{
    if (!context) return QNT_E_INVALID;
    if (!layer) return qnt__fail(context, QNT_E_INVALID, "layer is NULL");
    struct qnt__layer_head head = layer->head;
    uint8_t *numbers, *arrays;
    QNT__TRY(qnt__blob_begin(context, QNT_BLOB_LAYER, head_bytes(head), layer->bytes, data,
                             capacity, length, &numbers, &arrays));
    if (!data) return QNT_OK;
    exchange_all(&(struct qnt__stream){.out = numbers}, &head);
    memcpy(arrays, layer->data, layer->bytes);
    qnt__blob_seal(data, *length);
    return QNT_OK;
}

static qnt_status read_head(const qnt_context *context, const struct qnt__blob *blob,
                            qnt_layer *layer)
{
    size_t expected = head_bytes(layer->head);
    if (blob->numbers_bytes >= expected) {
        exchange_head(&(struct qnt__stream){.in = blob->numbers}, &layer->head);
        expected = head_bytes(layer->head);
    }
    if (blob->numbers_bytes != expected) {
        return qnt__fail(context, QNT_E_FORMAT, "data: %zu bytes of numbers, expected %zu",
                         blob->numbers_bytes, expected);
    }
    exchange_all(&(struct qnt__stream){.in = blob->numbers}, &layer->head);
    size_t bytes;
    QNT__TRY(qnt__layer_measure(context, QNT_E_FORMAT, &layer->head, &layer->shape, &bytes));
    if (bytes == blob->data_bytes) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT,
                     "data: %zu bytes of arrays, expected %zu for this layer", blob->data_bytes,
                     bytes);
}

qnt_status qnt_layer_load(const qnt_context *context, const void *data, size_t size, int32_t flags,
                          qnt_layer **out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    struct qnt__blob blob;
    qnt_layer draft = {.memory = context->memory, .borrowed = flags & QNT_BORROW}, *layer;
    void *handle;
    const void *arrays;
    QNT__TRY(qnt__blob_check_flags(context, data, flags));
    QNT__TRY(qnt__blob_open(context, data, size, QNT_BLOB_LAYER, &blob));
    QNT__TRY(read_head(context, &blob, &draft));
    QNT__TRY(qnt__blob_hold(context, &draft.memory, &blob, draft.borrowed, sizeof draft, &handle,
                            &arrays));
    layer = handle;
    *layer = draft;
    qnt__layer_attach(layer, arrays, blob.data_bytes);
    qnt_status status = qnt__layer_verify(context, layer);
    if (status == QNT_OK) status = qnt__layer_sum_parts(context, layer);
    if (status != QNT_OK) {
        qnt_layer_destroy(layer);
        return status;
    }
    qnt__winograd_measure(layer);
    *out = layer;
    return QNT_OK;
}
