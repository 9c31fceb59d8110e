/*
 * Integer matrix product for AVX2: 8-bit weights are multiplied in pairs that are made exact where
 * they would not be, narrower ones are added in 16 bits.
 */
#include "../slots.h"
#include "narrow_avx2.h"
#include "pairs_avx2.h"

/* A place within the taps: the k after it have not been read yet. */
struct place {
    size_t tap, k;
};

/* Most cells of a chunk. Short taps go together unless there are gaps between their weights; long taps of a
 * convolution are cut where pixels of many channels end, so that rows are seen to be 0 in the padding. */
static size_t most_cells(const struct qnt__gemm *g)
{
    enum { LONG = 192, PIXEL = 64 };
    const size_t tap = g->depth / 4;
    const int is_long = tap >= LONG && g->tap_count > 1;
    const size_t run = g->gap || is_long ? tap : tap * g->tap_count, most = is_long ? PIXEL : CELLS;
    const size_t pieces = (run + most - 1) / most;
    return (run + pieces - 1) / pieces;
}

/* Finds the quads of the next chunk, at most `most`; returns how many there are and moves on. */
static size_t next_quads(const struct qnt__gemm *g, size_t most, struct place *place, ptrdiff_t *at)
{
    size_t quads = 0;
    while (quads < most && place->tap < g->tap_count) {
        const ptrdiff_t tap = g->taps[place->tap];
        for (; quads < most && place->k < g->depth; place->k += 4) at[quads++] = tap + (ptrdiff_t)place->k;
        if (place->k < g->depth) break;
        *place = (struct place){place->tap + 1, 0};
        if (g->gap) break;
    }
    return quads;
}

static uint32_t quad_at(const uint8_t *x, ptrdiff_t at)
{
    uint32_t quad;
    memcpy(&quad, x + at, sizeof quad);
    return quad;
}

static int is_even(const uint8_t *x, const ptrdiff_t *at, size_t quads)
{
    const uint32_t first = quad_at(x, at[0]);
    for (size_t q = 1; q < quads; q++) {
        if (quad_at(x, at[q]) != first) return 0;
    }
    return 1;
}

static void add_row(const struct qnt__gemm *g, size_t i, struct pair_rows *r)
{
    r->x[r->m] = g->rows[i];
    r->row[r->m++] = (uint8_t)i;
}

/* Leaves out rows that are 0 everywhere, and takes one of those that repeat one quad, as in padding. */
static void find_rows(const struct qnt__gemm *g, size_t quads, struct pair_rows *r)
{
    enum { WORTH = 3 /* one row takes more than its share of a tile */ };
    uint32_t quad = 0; /* that is repeated */
    r->m = r->alike_count = 0;
    for (size_t i = 0; i < g->m; i++) {
        const uint32_t first = quad_at(g->rows[i], r->at[0]);
        const int even = is_even(g->rows[i], r->at, quads);
        if (even && first == 0) continue;
        if (even && r->alike_count == 0) quad = first;
        if (even && first == quad) r->alike[r->alike_count++] = (uint8_t)i;
        else add_row(g, i, r);
    }
    if (r->alike_count < WORTH) {
        for (size_t i = 0; i < r->alike_count; i++) add_row(g, r->alike[i], r);
        r->alike_count = 0;
    } else {
        r->x[r->m] = g->rows[r->alike[0]];
        r->row[r->m] = 0;
    }
}

/* acc += the products of a panel's part of a chunk. */
static void pair_panel(const uint8_t *cell, size_t quads, const struct pair_rows *rows,
                       struct qnt__results results, int32_t *acc, size_t ld)
{
    struct pairs pairs;
    int32_t alike[QNT__PANEL] = {0};
    for (size_t q = 0; q < quads;) {
        q = prepare_pairs(cell, q, quads, rows->at, &pairs);
        pairs_rows(&pairs, rows, &results, acc, ld);
        results.at = NULL;
        if (rows->alike_count) pairs_alike(&pairs, rows, alike);
    }
    add_alike(rows, alike, acc, ld);
}

static void pair_panels(const struct qnt__gemm *g)
{
    const size_t most = most_cells(g);
    const uint8_t *w = g->weight;
    struct pair_rows rows;
    struct place place = {0, 0};
    int asked = 0;

    for (size_t i = 0; i < g->m; i++) {
        const size_t bytes = g->panels * QNT__PANEL * sizeof *g->acc;
        if (g->start) memcpy(g->acc + i * g->ld, g->start, bytes);
        else memset(g->acc + i * g->ld, 0, bytes);
    }
    while (place.tap < g->tap_count) {
        const size_t quads = next_quads(g, most, &place, rows.at);
        find_rows(g, quads, &rows);
        for (size_t p = 0; p < g->panels && rows.m + rows.alike_count > 0; p++) {
            struct qnt__results results = qnt__results_part(&g->results, p, g->panels);
            if (asked) results.at = NULL;
            pair_panel(w + p * g->panel_bytes, quads, &rows, results, g->acc + p * QNT__PANEL, g->ld);
        }
        asked = 1;
        w += quads * qnt__cell_bytes(8) + (place.k == 0 ? g->gap : 0);
    }
}

/* Rows for which preparing cells does not pay: up to MAX_ROWS always, up to FEW if most cells need it. */
enum { FEW = 24 };

static int has_few_rows(const struct qnt__gemm *g)
{
    size_t cells = g->depth / 4 < QUADS ? g->depth / 4 : QUADS, safe = 0;
    if (g->m <= MAX_ROWS || g->m > FEW) return g->m <= MAX_ROWS;
    for (size_t q = 0; q < cells; q++) safe += (size_t)is_safe((const void *)(g->weight + 64 * q));
    return safe < cells - cells / 2;
}

/* Weights are widened as they are read. */
static void wide_panels(const struct qnt__gemm *g)
{
    const uint8_t *w = g->weight;
    int32_t x[FEW][QUADS][2];
    int add = g->start != NULL;

    for (size_t i = 0; add && i < g->m; i++)
        memcpy(g->acc + i * g->ld, g->start, g->panels * QNT__PANEL * sizeof *g->acc);
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        for (size_t k = 0; k < g->depth; k += 4 * QUADS, add = 1) {
            size_t left = (g->depth - k) / 4, quads = left < QUADS ? left : QUADS;
            for (size_t i = 0; i < g->m; i++) widen_row(g->rows[i] + g->taps[t] + k, quads, 0, x[i]);
            for (size_t p = 0; p < g->panels; p++) {
                if (!add) qnt__ask_now(&g->results, 0, g->m, p, g->panels);
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
                if (!add) qnt__ask_now(&g->results, 0, g->m, p, g->panels);
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
