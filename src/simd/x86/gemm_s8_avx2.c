/*
 * Integer matrix product for AVX2: 8-bit weights are multiplied in pairs that are made exact where
 * they would not be, narrower ones are added in 16 bits.
 */
#include "../slots.h"
#include "narrow_avx2.h"
#include "pairs_avx2.h"

/* Quads of a chunk that is copied: fewer, for the sake of the stack. */
enum { GATHERED = QUADS / 2 };

/* A place within the taps: the k after it have not been read yet. */
struct place {
    size_t tap, k;
};

static void copy_quads(const uint8_t *x, size_t quads, int32_t *to)
{
    size_t q = 0;
    for (; q + 8 <= quads; q += 8) {
        _mm256_storeu_si256((void *)(to + q), _mm256_loadu_si256((const void *)(x + 4 * q)));
    }
    for (; q < quads; q++) memcpy(to + q, x + 4 * q, sizeof *to);
}

/* Gathers up to a chunk of a row, across taps unless there are gaps between their weights; returns its
 * quads and moves on. */
static size_t gather_row(const struct qnt__gemm *g, const uint8_t *row, struct place *at, int32_t *x)
{
    size_t quads = 0;
    while (quads < GATHERED && at->tap < g->tap_count) {
        size_t left = (g->depth - at->k) / 4, free = GATHERED - quads,
               count = left < free ? left : free;
        copy_quads(row + g->taps[at->tap] + at->k, count, x + quads);
        quads += count;
        at->k += 4 * count;
        if (at->k < g->depth) continue;
        *at = (struct place){at->tap + 1, 0};
        if (g->gap) break;
    }
    return quads;
}

static int is_zero(const uint8_t *x, size_t quads)
{
    int32_t quad;
    for (; quads >= 8; quads -= 8, x += 32) {
        __m256i bytes = _mm256_loadu_si256((const void *)x);
        if (!_mm256_testz_si256(bytes, bytes)) return 0;
    }
    for (; quads > 0; quads--, x += 4) {
        memcpy(&quad, x, sizeof quad);
        if (quad) return 0;
    }
    return 1;
}

/* Rows of a chunk that are not 0 everywhere, as padding is. */
struct chunk {
    const uint8_t *x[QNT__GEMM_ROWS];
    uint8_t row[QNT__GEMM_ROWS]; /* their numbers */
    size_t m, quads;
    int32_t copy[QNT__GEMM_ROWS][GATHERED];
};

/* Long taps are read where they are, short ones gathered. */
static void next_chunk(const struct qnt__gemm *g, struct place *at, struct chunk *c)
{
    const struct place start = *at;
    const size_t left = (g->depth - start.k) / 4;
    const int is_long = g->depth >= 2 * QUADS;
    c->m = 0;
    for (size_t i = 0; i < g->m; i++) {
        c->row[c->m] = (uint8_t)i;
        if (is_long) {
            c->quads = left < QUADS ? left : QUADS;
            c->x[c->m] = g->rows[i] + g->taps[start.tap] + start.k;
        } else {
            *at = start;
            c->quads = gather_row(g, g->rows[i], at, c->copy[i]);
            c->x[c->m] = (const void *)c->copy[i];
        }
        c->m += !is_zero(c->x[c->m], c->quads);
    }
    if (!is_long) return;
    at->k += 4 * c->quads;
    if (at->k == g->depth) *at = (struct place){start.tap + 1, 0};
}

static void pair_panels(const struct qnt__gemm *g)
{
    const uint8_t *w = g->weight;
    struct chunk chunk;
    struct pairs pairs;
    struct place at = {0, 0};

    for (size_t i = 0; i < g->m; i++) {
        memset(g->acc + i * g->ld, 0, g->panels * QNT__PANEL * sizeof *g->acc);
    }
    while (at.tap < g->tap_count) {
        next_chunk(g, &at, &chunk);
        for (size_t p = 0; p < g->panels && chunk.m > 0; p++) {
            const uint8_t *cell = w + p * g->panel_bytes;
            find_pairs(cell, chunk.quads, &pairs);
            mend_pairs(cell, &pairs);
            pairs_rows(&pairs, chunk.x, chunk.row, chunk.m, cell, g->acc + p * QNT__PANEL, g->ld);
        }
        w += chunk.quads * qnt__cell_bytes(8) + (at.k == 0 ? g->gap : 0);
    }
}

/* Rows for which preparing cells does not pay: up to MAX_ROWS always, up to FEW if most cells need it. */
enum { FEW = 24 };

static int has_few_rows(const struct qnt__gemm *g)
{
    struct pairs pairs;
    size_t cells = g->depth / 4 < QUADS ? g->depth / 4 : QUADS;
    if (g->m <= MAX_ROWS || g->m > FEW) return g->m <= MAX_ROWS;
    find_pairs(g->weight, cells, &pairs);
    return pairs.mended_count > cells / 2;
}

/* Weights are widened as they are read. */
static void wide_panels(const struct qnt__gemm *g)
{
    const uint8_t *w = g->weight;
    int32_t x[FEW][QUADS][2];
    int add = 0;

    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        for (size_t k = 0; k < g->depth; k += 4 * QUADS, add = 1) {
            size_t left = (g->depth - k) / 4, quads = left < QUADS ? left : QUADS;
            for (size_t i = 0; i < g->m; i++) widen_row(g->rows[i] + g->taps[t] + k, quads, 0, x[i]);
            for (size_t p = 0; p < g->panels; p++) {
                wide_rows(w + p * g->panel_bytes, quads, x, g->m, add, g->acc + p * QNT__PANEL, g->ld);
            }
            w += quads * qnt__cell_bytes(8);
        }
    }
}

/* One row: fields are multiplied as they are read, as unsigned numbers; then their bias comes off. */
INLINE void narrow_one_row(const struct qnt__gemm *g, int bits)
{
    const size_t cells = g->depth / qnt__cell_depth(bits), bytes = cells * qnt__cell_bytes(bits);
    int32_t sum;
    qnt__sum_rows_avx2(g->rows, 1, g->taps, g->tap_count, g->depth, &sum);
    const __m256i bias = _mm256_set1_epi32((int32_t)(0 - ((uint32_t)sum << (bits - 1))));
    for (size_t p = 0; p < g->panels; p++) {
        const uint8_t *w = g->weight + p * g->panel_bytes;
        __m256i total[2] = {bias, bias};
        for (size_t t = 0; t < g->tap_count; t++, w += bytes + g->gap) {
            narrow_row(w, cells, bits, g->rows[0] + g->taps[t], 0, total);
        }
        _mm256_storeu_si256((void *)(g->acc + p * QNT__PANEL), total[0]);
        _mm256_storeu_si256((void *)(g->acc + p * QNT__PANEL + 8), total[1]);
    }
}

INLINE void narrow_panels(const struct qnt__gemm *g, int bits)
{
    const size_t depth = qnt__cell_depth(bits);
    const uint8_t *w = g->weight;
    struct narrow chunk;
    int add = 0;

    if (g->m == 1) {
        narrow_one_row(g, bits);
        return;
    }
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
    if (g->bits == 8 && has_few_rows(g)) wide_panels(g);
    else if (g->bits == 8) pair_panels(g);
    else if (g->bits == 4) narrow_4(g);
    else if (g->bits == 3) narrow_3(g);
    else narrow_2(g);
}
