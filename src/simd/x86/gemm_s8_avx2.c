/*
 * Integer matrix product for AVX2: 8-bit weights are multiplied in pairs where that is exact and widened
 * elsewhere, narrower ones are added in 16 bits.
 */
#include "../slots.h"
#include "narrow_avx2.h"
#include "pairs_avx2.h"

/* A place within the taps: the k after it have not been read yet. */
struct place {
    size_t tap, k;
};

/* Rows of a chunk. */
struct chunk {
    int32_t x[QNT__GEMM_ROWS][QUADS];
    struct wide wide; /* the same, if a cell needs it */
    int is_wide;
};

static void copy_quads(const uint8_t *x, size_t quads, int32_t *to)
{
    size_t q = 0;
    for (; q + 8 <= quads; q += 8) {
        _mm256_storeu_si256((void *)(to + q), _mm256_loadu_si256((const void *)(x + 4 * q)));
    }
    for (; q < quads; q++) memcpy(to + q, x + 4 * q, sizeof *to);
}

/* Gathers up to a chunk of all rows, across taps unless there are gaps between their weights; returns
 * its quads and moves on. */
static size_t gather_rows(const struct qnt__gemm *g, struct place *at, struct chunk *c)
{
    size_t quads = 0;
    while (quads < QUADS && at->tap < g->tap_count) {
        size_t left = (g->depth - at->k) / 4, count = left < QUADS - quads ? left : QUADS - quads;
        for (size_t i = 0; i < g->m; i++) {
            copy_quads(g->rows[i] + g->taps[at->tap] + at->k, count, c->x[i] + quads);
        }
        quads += count;
        at->k += 4 * count;
        if (at->k < g->depth) continue;
        *at = (struct place){at->tap + 1, 0};
        if (g->gap) break;
    }
    c->is_wide = 0;
    return quads;
}

/* Adds the cells of a panel that do not pass as pairs. */
static void add_others(const struct qnt__gemm *g, struct chunk *c, size_t quads, const struct pairs *pairs,
                       const uint8_t *cell, int add, int32_t *acc)
{
    for (size_t i = 0; i < g->m && !c->is_wide; i++) {
        widen_row((const void *)c->x[i], quads, 0, c->wide.x[i]);
    }
    c->is_wide = 1;
    for (size_t q = 0; q < pairs->other_count; q++) {
        widen_cells(cell + 64 * pairs->other[q], 1, c->wide.w + q);
    }
    wide_rows(&c->wide, g->m, pairs->other, pairs->other_count, add, acc, g->ld);
}

static void pair_panels(const struct qnt__gemm *g)
{
    const uint8_t *w = g->weight;
    struct chunk chunk;
    struct place at = {0, 0};

    for (int first = 1; at.tap < g->tap_count; first = 0) {
        size_t quads = gather_rows(g, &at, &chunk);
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *cell = w + p * g->panel_bytes;
            int32_t *acc = g->acc + p * QNT__PANEL;
            const struct pairs pairs = find_pairs(cell, quads);
            int add = !first;
            if (pairs.safe_count) {
                pairs_rows(&pairs, chunk.x, g->m, cell, add, acc, g->ld);
                add = 1;
            }
            if (pairs.other_count) add_others(g, &chunk, quads, &pairs, cell, add, acc);
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
    if (g->bits == 8) pair_panels(g);
    else if (g->bits == 4) narrow_4(g);
    else if (g->bits == 3) narrow_3(g);
    else narrow_2(g);
}
