/* Decodes panels of weights: into floats, float(code - zero) * scale (+ offset) or level * scale;
 * places in tables into bytes or words; other packed codes into bytes. */
#include "base/arith.h"
#include "run.h"

/* Cells of 5 to 7 bits, or of places in tables of integers, become bytes first, a few at a time. */
static void decode_expanded(const struct qnt__simd *simd, const struct qnt__decode_cells *places,
                            const int8_t *table, size_t step)
{
    enum { CELLS = 4, DEPTH = CELLS * 16 };
    const size_t depth = qnt__cell_depth(places->bits);
    uint8_t bytes[DEPTH * QNT__PANEL];
    struct qnt__decode_cells d = *places;
    d.cell = bytes;
    d.bits = 8;
    for (size_t k = places->first, end; k < places->end; k = end) {
        const size_t start = k / DEPTH * DEPTH;
        end = qnt__min(places->end, start + DEPTH);
        const struct qnt__expand e = {
            .cell = places->cell + start / depth * qnt__cell_bytes(places->bits),
            .cells = qnt__ceil_div(end - start, depth),
            .bits = places->bits,
            .levels = table,
            .step = step,
            .out = bytes};
        simd->expand_levels(&e);
        d.first = k - start;
        d.end = end - start;
        simd->decode_cells(&d);
        d.out += (end - k) * QNT__PANEL;
    }
}

/* One tap of a panel: [depth][16], block by block. */
static float *decode_tap(const struct qnt__run *run, size_t panel, const uint8_t *cells, float *out)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    const int bits = layer->head.weight_bits;
    size_t block = layer->head.block ? (size_t)layer->head.block : s->depth;
    bool own = layer->head.arrays & QNT__HAS_OWN_LEVELS;
    size_t step = qnt__layer_has_own_tables(&layer->head) ? qnt__layer_table(&layer->head) : 0;
    int8_t code[QNT__TABLE]; /* of places in tables of floats */
    for (int i = 0; i < QNT__TABLE; i++) code[i] = (int8_t)(i - (1 << (bits - 1)));
    struct qnt__decode_cells d = {.cell = cells,
                                  .bits = layer->head.cell_bits,
                                  .levels = layer->levels,
                                  .step = own ? (size_t)1 << bits : 0,
                                  .level_bits = bits};
    for (; d.first < s->depth; d.first = d.end) {
        size_t at = (panel * s->blocks + d.first / block) * QNT__PANEL;
        d.end = qnt__min(s->depth, d.first + block);
        d.scale = layer->scale + at;
        d.zero = layer->zero ? layer->zero + at : NULL;
        d.offset = layer->offset ? layer->offset + at : NULL;
        const int8_t *tables = layer->tables ? qnt__layer_tables(layer, panel, d.first / block) : NULL;
        if (own) d.levels = layer->levels + at * d.step;
        d.out = out;
        if (tables || qnt__cell_is_wide(d.bits))
            decode_expanded(&run->context->simd, &d, tables ? tables : code, step);
        else
            run->context->simd.decode_cells(&d);
        out += (d.end - d.first) * QNT__PANEL;
    }
    return out;
}

void qnt__decode_panels(const struct qnt__run *run, size_t first, size_t panels, float *out)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    size_t tap_bytes = s->panel_bytes / s->tap_count;
    for (size_t p = first; p < first + panels; p++) {
        for (size_t t = 0; t < s->tap_count; t++) {
            out = decode_tap(run, p, layer->weight + p * s->panel_bytes + t * tap_bytes, out);
        }
    }
}

void qnt__widen_panels(const struct qnt__run *run, size_t first, size_t panels, int16_t *out)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    const int bits = layer->head.cell_bits;
    const struct qnt__expand_words e = {.cell = layer->weight + first * s->panel_bytes,
                                        .cells = panels * (s->panel_bytes / qnt__cell_bytes(bits)),
                                        .bits = bits,
                                        .field_bits = bits,
                                        .words = layer->table_words,
                                        .out = out};
    run->context->simd.expand_words(&e);
}

void qnt__part_panels(const struct qnt__run *run, const int8_t *table, size_t first, size_t panels,
                      uint8_t *out)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const int bits = run->layer->head.cell_bits;
    const struct qnt__expand e = {.cell = run->layer->weight + first * s->panel_bytes,
                                  .cells = panels * (s->panel_bytes / qnt__cell_bytes(bits)),
                                  .bits = bits,
                                  .levels = table,
                                  .out = out};
    if (bits < 8)
        run->context->simd.expand_levels(&e);
    else
        run->context->simd.look_up_8((const uint8_t *)e.levels, 8, e.cell, 64 * e.cells, out);
}

void qnt__expand_panels(const struct qnt__run *run, size_t first, size_t panels, uint8_t *out)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    const int bits = layer->head.cell_bits;
    const bool own = qnt__layer_has_own_tables(&layer->head);
    const size_t blocks = layer->head.arrays & QNT__HAS_BLOCK_TABLES ? s->blocks : 1;
    struct qnt__expand e = {.cell = layer->weight + first * s->panel_bytes,
                            .cells = s->panel_bytes / qnt__cell_bytes(bits) / blocks,
                            .bits = bits,
                            .step = own ? qnt__layer_table(&layer->head) : 0,
                            .out = out};
    int8_t code[1 << QNT__NARROW_BITS]; /* where there are no tables */
    for (int i = 0; i < 1 << QNT__NARROW_BITS; i++) code[i] = (int8_t)(i - (1 << (bits - 1)));
    for (size_t i = 0; i < panels * blocks; i++) {
        e.levels = layer->tables ? qnt__layer_tables(layer, first + i / blocks, i % blocks) : code;
        run->context->simd.expand_levels(&e);
        e.cell += e.cells * qnt__cell_bytes(bits);
        e.out += qnt__expanded_bytes(s) / blocks;
    }
}
