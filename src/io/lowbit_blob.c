/* Layers of packed digits as blobs: the head as numbers, then the layer's own data. The contract is
 * in qnt/io.h, the layout in doc/blobs.md. */
#include "base/arith.h"
#include "base/try.h"
#include "format.h"
#include "lowbit/layer.h"
#include "stream.h"

/* The numbers, in the order of version 1; the last two are forms of digits, of pixels (0 so far)
 * and of taps. */
static void exchange_head(struct qnt__stream *s, struct qnt__lowbit_head *h, int32_t *pixels)
{
    int32_t *const first[] = {&h->groups,      &h->group_shift, &h->stride[0],  &h->stride[1],
                              &h->dilation[0], &h->dilation[1], &h->step,       &h->zero,
                              &h->flags,       &h->results,     &h->out_groups, &h->pad[0],
                              &h->pad[1],      &h->pad[2],      &h->pad[3]};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) qnt__stream_i32(s, first[i]);
    for (int k = 0; k < 3; k++) qnt__stream_f32(s, &h->limit[k]);
    qnt__stream_i64(s, &h->outputs);
    qnt__stream_i64(s, &h->channels);
    qnt__stream_i64(s, &h->kernel[0]);
    qnt__stream_i64(s, &h->kernel[1]);
    qnt__stream_i32(s, pixels);
    qnt__stream_i32(s, &h->sixes);
}

qnt_status qnt_lowbit_layer_save(const qnt_context *context, const qnt_lowbit_layer *layer,
                                 void *data, size_t capacity, size_t *length)
{
    if (!context) return QNT_E_INVALID;
    if (!layer) return qnt__fail(context, QNT_E_INVALID, "layer is NULL");
    struct qnt__lowbit_head head = layer->head;
    int32_t pixels = 0;
    struct qnt__stream count = {0};
    uint8_t *numbers, *arrays;
    exchange_head(&count, &head, &pixels);
    QNT__TRY(qnt__blob_begin(context, QNT_BLOB_LOWBIT, count.at, layer->bytes, data, capacity,
                             length, &numbers, &arrays));
    if (!data) return QNT_OK;
    exchange_head(&(struct qnt__stream){.out = numbers}, &head, &pixels);
    memcpy(arrays, layer->data, layer->bytes);
    qnt__blob_seal(data, *length);
    return QNT_OK;
}

static qnt_status read_head(const qnt_context *context, const struct qnt__blob *blob,
                            qnt_lowbit_layer *layer)
{
    int32_t pixels = 0;
    struct qnt__stream count = {0};
    exchange_head(&count, &layer->head, &pixels);
    if (blob->numbers_bytes != count.at) {
        return qnt__fail(context, QNT_E_FORMAT, "data: %zu bytes of numbers, expected %zu",
                         blob->numbers_bytes, count.at);
    }
    exchange_head(&(struct qnt__stream){.in = blob->numbers}, &layer->head, &pixels);
    if (pixels || layer->head.sixes < 0 || layer->head.sixes > 1) {
        return qnt__fail(context, QNT_E_FORMAT,
                         "data: forms of digits are %d and %d, expected 0, and 0 or 1", (int)pixels,
                         (int)layer->head.sixes);
    }
    QNT__TRY(qnt__lowbit_head_verify(context, &layer->head));
    QNT__TRY(qnt__blob_damage(qnt__lowbit_layer_measure(context, layer)));
    if (layer->bytes == blob->data_bytes) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT,
                     "data: %zu bytes of arrays, expected %zu for this layer", blob->data_bytes,
                     layer->bytes);
}

qnt_status qnt_lowbit_layer_load(const qnt_context *context, const void *data, size_t size,
                                 int32_t flags, qnt_lowbit_layer **out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    struct qnt__blob blob;
    qnt_lowbit_layer draft = {.memory = context->memory, .borrowed = flags & QNT_BORROW}, *layer;
    void *handle;
    const void *arrays;
    QNT__TRY(qnt__blob_check_flags(context, data, flags));
    QNT__TRY(qnt__blob_open(context, data, size, QNT_BLOB_LOWBIT, &blob));
    QNT__TRY(read_head(context, &blob, &draft));
    QNT__TRY(qnt__blob_hold(context, &draft.memory, &blob, draft.borrowed, sizeof draft, &handle,
                            &arrays));
    layer = handle;
    *layer = draft;
    qnt__lowbit_layer_attach(layer, arrays);
    qnt_status status = qnt__lowbit_layer_verify(context, layer);
    if (status == QNT_OK) status = qnt__lowbit_layer_derive(context, layer);
    if (status == QNT_OK) *out = layer;
    else qnt_lowbit_layer_destroy(layer);
    return status;
}
