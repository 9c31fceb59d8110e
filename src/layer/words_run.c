/*
 * Products of words: sums over parts of k in int32, which are exact, added up in double, exact below 2^53
 * and always in the order of k.
 *
 * An int16 times a number of up to 255 is below 2^23, and 256 of them below 2^31; smaller numbers allow
 * longer parts. Where both sides exceed 255, x = 256 high + low: high is within -128..127 and low within
 * 0..255, and the rows of a block are first those of the high numbers, then those of the low ones.
 */
#include <string.h>

#include "base/arith.h"
#include "rows.h"

enum { MOST_DEPTH = 512, COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL };

/* One row of one part. Taps that are too short for it are gathered; 0 follows the last k of a tap where the
 * weights there are not 0. */
static const int16_t *find_row(const struct qnt__run *run, const uint8_t *at, size_t first, size_t depth,
                               int16_t *gathered)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    const int16_t *x = (const void *)at;
    const size_t tap_depth = layer->table_words ? s->inputs ? s->depth : 0 : s->panel_depth;
    const ptrdiff_t *tap = run->taps + first / s->panel_depth;
    size_t k = first % s->panel_depth;
    if (k + depth <= tap_depth || layer->head.kind == QNT_DENSE) return x + *tap + k;
    for (size_t done = 0, length; done < depth; done += length, k = 0, tap++) {
        size_t used = 0;
        length = qnt__min(s->panel_depth - k, depth - done);
        if (k < tap_depth) used = qnt__min(tap_depth - k, length);
        if (used == QNT__PANEL) memcpy(gathered + done, x + *tap + k, 2 * QNT__PANEL); /* no call */
        else memcpy(gathered + done, x + *tap + k, used * sizeof *x);
        memset(gathered + done + used, 0, (length - used) * sizeof *x);
    }
    return gathered;
}

/* Weights of one part that are codes become words. */
static void expand_part(const struct qnt__run *run, const struct qnt__packed *weight, size_t panels,
                        size_t first, size_t depth, int16_t *out)
{
    const qnt_layer *layer = run->layer;
    const int bits = layer->head.cell_bits;
    struct qnt__expand_words e = {.cells = depth / qnt__cell_depth(bits),
                                  .bits = bits,
                                  .words = layer->table_words,
                                  .out = out};
    e.cell = weight->cells + first / qnt__cell_depth(bits) * qnt__cell_bytes(bits);
    for (size_t p = 0; p < panels; p++, e.cell += weight->panel_bytes, e.out += depth * QNT__PANEL)
        run->context->simd.expand_words(&e);
}

void qnt__words_multiply(const struct qnt__run *run, const struct qnt__rows *rows,
                         const struct qnt__packed *weight, size_t panels, const float *scale,
                         int16_t *expanded, float *y)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t all = s->tap_count * s->panel_depth, n = panels * QNT__PANEL, m = rows->m;
    const size_t block = run->layer->head.block ? (size_t)run->layer->head.block : all;
    const size_t parts = (size_t)run->words.parts, high = 2 * run->words.image;
    int16_t gathered[QNT__BLOCK_ROWS * MOST_DEPTH];
    int32_t acc[QNT__BLOCK_ROWS * COLUMNS];
    double sums[QNT__BLOCK_ROWS * COLUMNS];
    const int16_t *row[QNT__BLOCK_ROWS];
    memset(sums, 0, m * COLUMNS * sizeof *sums);
    memset(y, 0, m * COLUMNS * sizeof *y);

    for (size_t first = 0, depth; first < all; first += depth) {
        size_t left = block - first % block;
        depth = qnt__min(qnt__min(left, run->words.depth), all - first);
        for (size_t i = 0; i < m * parts; i++) {
            const uint8_t *at = rows->at[i % m] + (parts == 2 && i < m ? high : 0);
            row[i] = find_row(run, at, first, depth, gathered + i * MOST_DEPTH);
        }
        struct qnt__gemm_s16 gemm = {
            .rows = row, .acc = acc, .m = m * parts, .panels = panels, .depth = depth, .ld = COLUMNS};
        if (weight->words) {
            gemm.weight = weight->words + first * QNT__PANEL;
            gemm.panel_words = all * QNT__PANEL;
        } else {
            expand_part(run, weight, panels, first, depth, expanded);
            gemm.weight = expanded;
            gemm.panel_words = depth * QNT__PANEL;
        }
        simd->gemm_s16(&gemm);
        for (size_t i = 0; i < m * parts; i++) {
            double factor = parts == 2 && i < m ? 256.0 : 1.0;
            simd->add_parts_f64(sums + i % m * COLUMNS, acc + i * COLUMNS, n, factor);
        }
        if (depth < left && first + depth < all) continue;
        for (size_t p = 0; p < panels; p++) {
            const float *here = scale + (p * s->blocks + first / block) * QNT__PANEL;
            for (size_t i = 0; i < m; i++) {
                size_t at = i * COLUMNS + p * QNT__PANEL;
                simd->scale_sums_f64(sums + at, here, QNT__PANEL, y + at);
            }
        }
    }
}
