/* Decodes panels of weights: into floats, float(code - zero) * scale (+ offset) or level * scale; places in
 * tables into bytes. */
#include "base/arith.h"
#include "run.h"

/* The codes of one cell as [k][column], as qnt__cell_code gives them; in loops that vectorize. */
static void open_cell(const uint8_t *cell, int bits, int8_t *out)
{
    int fields = bits == 8 ? 1 : bits == 4 ? 2 : 4, width = bits == 4 ? 4 : 2;
    for (int f = 0; f < fields; f++) {
        for (size_t j = 0; j < 4; j++, out += QNT__PANEL) {
            for (size_t c = 0; c < QNT__PANEL; c++) {
                int byte = cell[4 * c + j];
                out[c] = (int8_t)(bits == 8 ? byte : byte >> width * f & ((1 << width) - 1));
            }
            if (bits == 8) continue;
            for (size_t c = 0; bits == 3 && c < QNT__PANEL; c++) {
                int third = cell[64 + 8 * f + (int)(4 * c + j) / 8] >> (4 * c + j) % 8 & 1;
                out[c] = (int8_t)(out[c] | third << 2);
            }
            for (size_t c = 0; c < QNT__PANEL; c++) out[c] = (int8_t)(out[c] - (1 << (bits - 1)));
        }
    }
}

/* The same for codes that are places in a table, as schemes with codebooks have them. */
static void decode_row_levels(const qnt_layer *layer, size_t at, const int8_t *codes, float *out)
{
    const float *scale = layer->scale + at, *levels = layer->levels;
    const int bits = layer->head.weight_bits, size = 1 << bits;
    size_t step = layer->head.arrays & QNT__HAS_OWN_LEVELS ? (size_t)size : 0;
    levels += at * step;
    for (size_t c = 0; c < QNT__PANEL; c++, levels += step) {
        out[c] = levels[(codes[c] + size / 2) & (size - 1)] * scale[c];
    }
}

static void decode_row(const qnt_layer *layer, size_t at, const int8_t *codes, float *out)
{
    const float *scale = layer->scale + at;
    int32_t wide[QNT__PANEL];
    for (size_t c = 0; c < QNT__PANEL; c++) wide[c] = codes[c];
    if (layer->zero) {
        for (size_t c = 0; c < QNT__PANEL; c++) wide[c] -= layer->zero[at + c];
    }
    for (size_t c = 0; c < QNT__PANEL; c++) out[c] = (float)wide[c] * scale[c];
    if (layer->offset) {
        for (size_t c = 0; c < QNT__PANEL; c++) out[c] = out[c] + layer->offset[at + c];
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
        open_cell(cell, bits, codes);
        for (size_t k = first; k < end; k++, out += QNT__PANEL) {
            size_t at = (panel * s->blocks + k / block) * QNT__PANEL;
            const int8_t *row = codes + (k - first) * QNT__PANEL;
            if (layer->levels) decode_row_levels(layer, at, row, out);
            else decode_row(layer, at, row, out);
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

void qnt__expand_panels(const struct qnt__run *run, size_t first, size_t panels, uint8_t *out)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    bool own = layer->head.arrays & QNT__HAS_OWN_TABLES;
    struct qnt__expand e = {.cells = s->panel_bytes / qnt__cell_bytes(layer->head.cell_bits),
                            .bits = layer->head.cell_bits,
                            .step = own ? QNT__TABLE : 0};
    for (size_t p = first; p < first + panels; p++, out += qnt__expanded_bytes(s)) {
        e.cell = layer->weight + p * s->panel_bytes;
        e.levels = layer->tables + p * QNT__PANEL * e.step;
        e.out = out;
        run->context->simd.expand_levels(&e);
    }
}
