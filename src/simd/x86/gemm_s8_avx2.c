/* Integer matrix product for AVX2, on widened chunks. */
#include "../slots.h"
#include "wide_avx2.h"

/* A place within the taps: the k after it have not been widened yet. */
struct place {
    size_t tap, k;
};

/* Widens up to a chunk of all rows, across taps; returns its quads and moves on. */
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
        if (at->k == g->depth) *at = (struct place){at->tap + 1, 0};
    }
    return quads;
}

INLINE void all_panels(const struct qnt__gemm *g, int bits)
{
    const size_t quads_per_cell = qnt__cell_depth(bits) / 4;
    const __m256i bias = _mm256_set1_epi16((short)(bits == 8 ? 0 : 1 << (bits - 1)));
    const __m256i zero[2] = {bias, bias};
    const uint8_t *w = g->weight;
    struct wide chunk;
    struct place at = {0, 0};

    for (int add = 0; at.tap < g->tap_count; add = 1) {
        size_t quads = widen_rows(g, &at, &chunk), cells = quads / quads_per_cell;
        for (size_t p = 0; p < g->panels; p++) {
            widen_cells(w + p * g->panel_bytes, cells, bits, zero, chunk.w);
            wide_rows(&chunk, g->m, quads, add, g->acc + p * QNT__PANEL, g->ld);
        }
        w += cells * qnt__cell_bytes(bits);
    }
}

/* One copy of the code for each width. */
static void all_8(const struct qnt__gemm *g) { all_panels(g, 8); }
static void all_4(const struct qnt__gemm *g) { all_panels(g, 4); }
static void all_3(const struct qnt__gemm *g) { all_panels(g, 3); }
static void all_2(const struct qnt__gemm *g) { all_panels(g, 2); }

void qnt__gemm_s8_avx2(const struct qnt__gemm *g)
{
    if (g->bits == 8) all_8(g);
    else if (g->bits == 4) all_4(g);
    else if (g->bits == 3) all_3(g);
    else all_2(g);
}
