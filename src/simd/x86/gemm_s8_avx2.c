/* Integer matrix product for AVX2: 8-bit weights are widened, narrower ones are added in 16 bits. */
#include "../slots.h"
#include "narrow_avx2.h"

/* A place within the taps: the k after it have not been widened yet. */
struct place {
    size_t tap, k;
};

/* Widens up to a chunk of all rows, across taps unless there are gaps between their weights; returns
 * its quads and moves on. */
static size_t widen_rows(const struct qnt__gemm *g, struct place *at, struct wide *chunk)
{
    size_t quads = 0;
    while (quads < QUADS && at->tap < g->tap_count) {
        size_t left = (g->depth - at->k) / 4, count = left < QUADS - quads ? left : QUADS - quads;
        for (size_t i = 0; i < g->m; i++) {
            const uint8_t *x = g->rows[i] + g->taps[at->tap] + at->k;
            widen_row(x, count, 0, chunk->x[i] + quads);
        }
        quads += count;
        at->k += 4 * count;
        if (at->k < g->depth) continue;
        *at = (struct place){at->tap + 1, 0};
        if (g->gap) break;
    }
    return quads;
}

static void wide_panels(const struct qnt__gemm *g)
{
    const uint8_t *w = g->weight;
    struct wide chunk;
    struct place at = {0, 0};

    for (int add = 0; at.tap < g->tap_count; add = 1) {
        size_t quads = widen_rows(g, &at, &chunk);
        for (size_t p = 0; p < g->panels; p++) {
            widen_cells(w + p * g->panel_bytes, quads, chunk.w);
            wide_rows(&chunk, g->m, quads, add, g->acc + p * QNT__PANEL, g->ld);
        }
        w += quads * qnt__cell_bytes(8) + (at.k == 0 ? g->gap : 0);
    }
}

INLINE void narrow_panels(const struct qnt__gemm *g, int bits)
{
    const size_t depth = qnt__cell_depth(bits);
    const uint8_t *w = g->weight;
    struct narrow chunk;
    int add = 0;

    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        for (size_t k = 0; k < g->depth; k += 4 * QUADS, add = 1) {
            size_t left = g->depth - k, cells = (left < 4 * QUADS ? left : 4 * QUADS) / depth;
            ptrdiff_t at = g->taps[t] + (ptrdiff_t)k;
            for (size_t p = 0; p < g->panels; p++) {
                narrow_cells(w + p * g->panel_bytes, cells, bits, 1 << (bits - 1), &chunk);
                narrow_rows(&chunk, g->rows, at, g->m, cells * depth / 4, narrow_run(bits), 0, add,
                            g->acc + p * QNT__PANEL, g->ld);
            }
            w += cells * qnt__cell_bytes(bits);
        }
    }
}

/* One copy of the code for each width. */
static void narrow_4(const struct qnt__gemm *g) { narrow_panels(g, 4); }
static void narrow_3(const struct qnt__gemm *g) { narrow_panels(g, 3); }
static void narrow_2(const struct qnt__gemm *g) { narrow_panels(g, 2); }

void qnt__gemm_s8_avx2(const struct qnt__gemm *g)
{
    if (g->bits == 8) wide_panels(g);
    else if (g->bits == 4) narrow_4(g);
    else if (g->bits == 3) narrow_3(g);
    else narrow_2(g);
}
