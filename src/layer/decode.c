/* Decodes panels of weights into floats: value = float(code - zero) * scale (+ offset). */
#include "base/arith.h"
#include "run.h"

/* The codes of one cell as [k][column]. */
static void open_cell(const uint8_t *cell, int bits, size_t depth, int8_t *out)
{
    for (size_t k = 0; k < depth; k++, out += QNT__PANEL) {
        for (size_t c = 0; c < QNT__PANEL; c++) out[c] = (int8_t)qnt__cell_code(cell, bits, c, k);
    }
}

static void decode_row(const qnt_layer *layer, size_t at, const int8_t *codes, float *out)
{
    const float *scale = layer->scale + at;
    for (size_t c = 0; c < QNT__PANEL; c++) {
        int32_t code = codes[c] - (layer->zero ? layer->zero[at + c] : 0);
        float product = (float)code * scale[c];
        out[c] = product + (layer->offset ? layer->offset[at + c] : 0.0f);
    }
}

static float *decode_tap(const qnt_layer *layer, size_t panel, const uint8_t *cell, float *out)
{
    const struct qnt__layer_shape *s = &layer->shape;
    int bits = layer->head.cell_bits;
    size_t cell_depth = qnt__cell_depth(bits), cell_bytes = qnt__cell_bytes(bits);
    size_t block = layer->head.block ? (size_t)layer->head.block : s->depth;
    int8_t codes[16 * QNT__PANEL];

    for (size_t first = 0; first < s->depth; first += cell_depth, cell += cell_bytes) {
        size_t end = qnt__min(s->depth, first + cell_depth);
        open_cell(cell, bits, cell_depth, codes);
        for (size_t k = first; k < end; k++, out += QNT__PANEL) {
            size_t at = (panel * s->blocks + k / block) * QNT__PANEL;
            decode_row(layer, at, codes + (k - first) * QNT__PANEL, out);
        }
    }
    return out;
}

void qnt__decode_panels(const qnt_layer *layer, size_t first, size_t panels, float *out)
{
    const struct qnt__layer_shape *s = &layer->shape;
    size_t tap_bytes = s->panel_bytes / s->tap_count;
    for (size_t p = first; p < first + panels; p++) {
        for (size_t t = 0; t < s->tap_count; t++) {
            out = decode_tap(layer, p, layer->weight + p * s->panel_bytes + t * tap_bytes, out);
        }
    }
}
