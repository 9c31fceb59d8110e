/*
 * Products with packed numbers of levels by way of whole bytes: a chunk of cells at a time is looked up
 * into cells of 8 bits, which stay in the cache and go to the product of bytes.
 *
 * The file that includes this has defined INLINE and
 *
 *     expand_cells(cell, cells, bits, levels, to): the fields of `cells` cells, one cell of 64 bytes each.
 */
#ifndef QNT__SIMD_LEVELS_H
#define QNT__SIMD_LEVELS_H

#include "layout.h"
#include "slots.h"

enum { LEVEL_QUADS = 64 /* of k, in a chunk */, LEVEL_BYTES = 64 * LEVEL_QUADS };

/* to = from, or += from if add. */
static void add_sums(const struct qnt__gemm *g, const int32_t *from, int add)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++) {
            const int32_t *sum = from + (i * QNT__BLOCK_PANELS + p) * QNT__PANEL;
            int32_t *to = g->acc + i * g->ld + p * QNT__PANEL;
            for (size_t c = 0; c < QNT__PANEL; c++) {
                to[c] = (int32_t)((add ? (uint32_t)to[c] : 0) + (uint32_t)sum[c]);
            }
        }
    }
}

INLINE void multiply_levels(const struct qnt__gemm *g, const int8_t *levels, int bits,
                            void (*gemm_s8)(const struct qnt__gemm *))
{
    const size_t cell_depth = qnt__cell_depth(bits), cell_bytes = qnt__cell_bytes(bits);
    uint8_t bytes[QNT__BLOCK_PANELS * LEVEL_BYTES];
    int32_t sums[QNT__GEMM_ROWS * QNT__BLOCK_PANELS * QNT__PANEL];
    const uint8_t *w = g->weight;
    int add = 0;
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        for (size_t k = 0; k < g->depth; k += 4 * LEVEL_QUADS, add = 1) {
            size_t left = g->depth - k, depth = left < 4 * LEVEL_QUADS ? left : 4 * LEVEL_QUADS;
            ptrdiff_t tap = g->taps[t] + (ptrdiff_t)k;
            for (size_t p = 0; p < g->panels; p++) {
                expand_cells(w + p * g->panel_bytes, depth / cell_depth, bits, levels,
                             bytes + p * LEVEL_BYTES);
            }
            struct qnt__gemm piece = *g;
            piece.taps = &tap, piece.tap_count = 1, piece.depth = depth, piece.gap = 0;
            piece.weight = bytes, piece.panel_bytes = LEVEL_BYTES, piece.bits = 8;
            if (add) piece.results.at = NULL;
            piece.acc = sums, piece.ld = QNT__BLOCK_PANELS * QNT__PANEL;
            gemm_s8(&piece);
            add_sums(g, sums, add);
            w += depth / cell_depth * cell_bytes;
        }
    }
}

#endif
