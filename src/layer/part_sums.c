/*
 * Sums of weights over parts of the kernel.
 *
 * Where the code of 0 is z, products with padding add z times the weights that meet it, and the epilogue
 * takes z times the sum of all weights off again. A block of rows that leaves such a part of the kernel out
 * needs the sum of the others only. The sums follow from the weights, so blobs do not have them.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "kernel/bits.h"
#include "layer.h"

/* May blocks leave padding out, and is its code possibly not 0? Tables of columns and wide cells have no
 * kernel that reads them as they are. */
static bool is_wanted(const qnt_layer *layer)
{
    const struct qnt__layer_head *h = &layer->head;
    const struct qnt__layer_codes *in = &h->input;
    if (h->arithmetic != QNT__INTEGER || layer->zero || !layer->sum) return false;
    if (layer->shape.columns == 0 || !(h->pad[0] | h->pad[1] | h->pad[2] | h->pad[3])) return false;
    if (h->arrays & QNT__HAS_OWN_TABLES) return false;
    if (layer->tables && h->cell_bits > QNT__NARROW_BITS) return false;
    const int32_t shift = in->flags & QNT_SIGNED ? 128 : 0;
    return in->kind == QNT__IN_DYNAMIC || layer->input_levels || in->zero + shift != 0;
}

/* left_out[tap, part] of all columns, from products with a row of ones. */
static void sum_parts(const qnt_context *context, const qnt_layer *layer, const uint8_t *ones,
                      int32_t *left_out)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t groups = (size_t)layer->head.groups, parts = s->tap_count * s->tap_parts;
    const size_t bytes = s->panel_bytes / parts;
    const ptrdiff_t tap = 0;
    int32_t sum[QNT__BLOCK_PANELS * QNT__PANEL];
    struct qnt__gemm g = {.rows = &ones, .taps = &tap, .acc = sum, .m = 1, .tap_count = 1,
                          .depth = s->panel_depth / s->tap_parts, .panel_bytes = s->panel_bytes,
                          .ld = QNT__BLOCK_PANELS * QNT__PANEL, .bits = layer->head.cell_bits};
    for (size_t i = 0; i < groups * qnt__layer_blocks(s); i++) {
        const size_t group = i / qnt__layer_blocks(s),
                     panel = i % qnt__layer_blocks(s) * QNT__BLOCK_PANELS;
        g.panels = qnt__min(s->group_panels - panel, QNT__BLOCK_PANELS);
        const struct qnt__layer_outputs outputs = qnt__layer_outputs(layer, group, panel, g.panels);
        for (size_t t = 0; t < parts; t++) {
            int32_t *to = left_out + t * s->columns + group * s->group_columns + outputs.first;
            g.weight =
                layer->weight + (group * s->group_panels + panel) * s->panel_bytes + t * bytes;
            if (layer->tables && g.bits != 8) context->simd.gemm_levels(&g, layer->tables);
            else context->simd.gemm_s8(&g);
            qnt__layer_reduce(&context->simd, layer, group, panel, g.panels, 1, sum);
            for (size_t c = 0; c < outputs.count; c++) to[c] = (int32_t)(0 - (uint32_t)sum[c]);
        }
    }
}

qnt_status qnt__layer_sum_parts(const qnt_context *context, qnt_layer *layer)
{
    const struct qnt__layer_shape *s = &layer->shape;
    if (!is_wanted(layer)) return QNT_OK;
    const size_t depth = s->panel_depth / s->tap_parts;
    size_t bytes;
    void *ones, *sums;
    if (!qnt__mul(s->tap_count * s->tap_parts, s->columns, &bytes) ||
        !qnt__mul(bytes, sizeof(int32_t), &bytes)) {
        bytes = SIZE_MAX;
    }
    QNT__TRY(qnt__allocate(context, &layer->memory, depth, &ones));
    qnt_status status = qnt__allocate(context, &layer->memory, bytes, &sums);
    if (status == QNT_OK) {
        memset(ones, 1, depth);
        memset(sums, 0, bytes); /* of columns without an output */
        sum_parts(context, layer, ones, sums);
        layer->left_out = sums;
        layer->left_out_bytes = bytes;
    }
    qnt__free(&layer->memory, ones, depth);
    return status;
}
