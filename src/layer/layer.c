/* Making and destroying layers. The contract is in qnt/layer.h. */
#include "base/arith.h"
#include "base/try.h"
#include "prepare.h"

/* Allocates the handle and its data, and fills both. */
static qnt_status build(struct qnt__recipe *r, qnt_layer **out)
{
    const struct qnt__memory *memory = &r->context->memory;
    qnt_layer *layer;
    void *block, *data;
    QNT__TRY(qnt__allocate(r->context, memory, sizeof *layer, &block));
    layer = block;
    *layer = (qnt_layer){.memory = *memory, .head = r->head};

    size_t bytes;
    qnt_status status =
        qnt__layer_measure(r->context, QNT_E_INVALID, &layer->head, &layer->shape, &bytes);
    if (status != QNT_OK) goto fail;
    status = qnt__allocate(r->context, memory, bytes, &data);
    if (status != QNT_OK) goto fail;
    qnt__layer_attach(layer, data, bytes);
    status = qnt__recipe_fill(r, layer, data);
    if (status == QNT_OK) status = qnt__layer_sum_parts(r->context, layer);
    if (status == QNT_OK) {
        qnt__winograd_measure(layer);
        *out = layer;
        return QNT_OK;
    }
    qnt__free(memory, data, bytes);
fail:
    qnt__free(memory, layer, sizeof *layer);
    return status;
}

static void tell_choice(const qnt_context *context, const qnt_layer *layer)
{
    static const char *const names[] = {"gemm_f32", "gemm_s8", "gemm_blocks", "depthwise_s8",
                                        "bit planes", "gemm_s16"};
    const struct qnt__layer_head *h = &layer->head;
    qnt__log(context, QNT_LOG_INFO,
             "layer of %lld outputs, %zu inputs: %s, %d-bit weights in %d-bit cells, %zu bytes",
             (long long)h->outputs, layer->shape.inputs, names[h->arithmetic], (int)h->weight_bits,
             (int)h->cell_bits, layer->bytes);
}

qnt_status qnt_layer_create(const qnt_context *context, const qnt_layer_spec *spec,
                            const qnt_tensor *weight, const qnt_quantizer *weight_q,
                            const qnt_tensor *bias, const qnt_quantizer *input_q,
                            const qnt_quantizer *output_q, qnt_layer **out)
{
    if (out) *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");

    struct qnt__recipe r = {.context = context};
    QNT__TRY(qnt__recipe_read(&r, spec, weight, weight_q, bias, input_q, output_q));
    size_t bytes = r.weight.count; /* one code in a byte */
    void *codes;
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &codes));
    r.codes = codes;
    qnt_status status = qnt__recipe_encode(&r);
    if (status == QNT_OK) status = qnt__recipe_choose(&r);
    if (status == QNT_OK) status = build(&r, out);
    if (status == QNT_OK) tell_choice(context, *out);
    qnt__free(&context->memory, codes, bytes);
    return status;
}

void qnt_layer_destroy(qnt_layer *layer)
{
    if (!layer) return;
    struct qnt__memory memory = layer->memory;
    union { /* data is const for everybody who only reads */
        const uint8_t *data;
        void *block;
    } u = {layer->data};
    if (layer->left_out) qnt__free(&memory, layer->left_out, layer->left_out_bytes);
    if (!layer->borrowed) qnt__free(&memory, u.block, layer->bytes);
    qnt__free(&memory, layer, sizeof *layer);
}
