/*
 * Integer matrix product with VPDPBUSD: activations unsigned, one broadcast for each row and four k;
 * a cell of weights is one register of 16 columns.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

enum {
    MAX_ROWS = 6, /* rows x panels accumulators: 24 of 32 registers */
    MAX_PANELS = QNT__BLOCK_PANELS,
    ONE_ROW_CELLS = 16384 /* 16384 cells * 4 * 255 * 128 < 2^31: see one_row */
};

/* Sum of the bytes that the taps of a row cover, of those for which `keep` is 0xff. */
static uint32_t sum_row(const struct qnt__gemm *g, const uint8_t *row, __m512i keep)
{
    __m512i sum = _mm512_setzero_si512(), zero = sum;
    for (size_t t = 0; t < g->tap_count; t++) {
        const uint8_t *x = row + g->taps[t], *end = x + g->depth;
        for (; end - x >= 64; x += 64) {
            __m512i bytes = _mm512_and_si512(_mm512_loadu_si512(x), keep);
            sum = _mm512_add_epi64(sum, _mm512_sad_epu8(bytes, zero));
        }
        if (x == end) continue;
        __m512i bytes = _mm512_maskz_loadu_epi8((1ull << (end - x)) - 1, x);
        sum = _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_and_si512(bytes, keep), zero));
    }
    return (uint32_t)_mm512_reduce_add_epi64(sum);
}

/* One cell of some panels times the same k of some rows. */
INLINE void multiply_cell(__m512i acc[MAX_ROWS][MAX_PANELS], const uint8_t *const *x, ptrdiff_t at,
                          const uint8_t *w, size_t stride, int rows, int panels, int bits)
{
    UNROLL for (int f = 0; f < cell_fields(bits); f++) {
        __m512i field[MAX_PANELS];
        if (bits != 8) FORGET(w);
        UNROLL for (int p = 0; p < panels; p++) field[p] = cell_field(w + (size_t)p * stride, bits, f);
        UNROLL for (int i = 0; i < rows; i++) {
            __m512i quad = broadcast_quad(x[i] + at + 4 * f);
            UNROLL for (int p = 0; p < panels; p++) DPBUSD(acc[i][p], quad, field[p]);
        }
    }
}

/*
 * Whole steps of four cells; returns their k.
 *
 * Rows of a matrix come once, and several in turns, which hides from hardware that they follow each
 * other. So the next rows are asked for while these are multiplied, in the order of their addresses. They
 * are taken to be as far behind these as these are apart; where they are not, nothing is won.
 */
INLINE ptrdiff_t matrix_cells(const struct qnt__gemm *g, __m512i acc[MAX_ROWS][MAX_PANELS],
                              const uint8_t *const *x, size_t used, const uint8_t *w, int rows,
                              int panels, struct qnt__asking *asking)
{
    enum { CELLS = 4, K = 4 * CELLS, LINE = 64 };
    const uintptr_t pitch = used > 1 ? (uintptr_t)x[1] - (uintptr_t)x[0] : 0;
    const ptrdiff_t tap = g->taps[0];
    uintptr_t next = (uintptr_t)(x[0] + tap) + used * pitch;
    ptrdiff_t at = tap, end = tap + (ptrdiff_t)(g->depth / K * K);
    for (; at < end; at += K, next += K * (uintptr_t)rows) {
        FORGET(at);
        qnt__ask(asking);
        UNROLL for (int line = 0; line < K * rows; line += LINE) {
            _mm_prefetch((const void *)(next + (uintptr_t)line), _MM_HINT_T0);
        }
        UNROLL for (int c = 0; c < CELLS; c++, w += qnt__cell_bytes(8)) {
            multiply_cell(acc, x, at + 4 * c, w, g->panel_bytes, rows, panels, 8);
        }
    }
    return at - tap;
}

/* Weights of four panels and the rows of a convolution do not stay in the first-level cache together; what
 * is left there keeps hardware from seeing that the rest follow each other. */
INLINE void ask_ahead(const uint8_t *w, size_t stride, int panels)
{
    enum { AHEAD = 256 };
    UNROLL for (int p = 0; p < panels; p++) {
        _mm_prefetch((const void *)((uintptr_t)w + (size_t)p * stride + AHEAD), _MM_HINT_T0);
    }
}

/* What the sums of a panel start with, less what the bias of the weights will add. */
INLINE __m512i start_of(const struct qnt__gemm *g, size_t panel, uint32_t bias)
{
    const __m512i start = _mm512_set1_epi32((int32_t)(0 - bias));
    if (!g->start) return start;
    return _mm512_add_epi32(start, _mm512_loadu_si512(g->start + panel * QNT__PANEL));
}

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. is_matrix: one
 * tap of 8-bit weights. */
INLINE void tile(const struct qnt__gemm *g, size_t row, size_t used, size_t panel, int rows,
                 int panels, int bits, int is_matrix)
{
    const int fields = cell_fields(bits);
    const size_t cell_bytes = qnt__cell_bytes(bits), stride = g->panel_bytes;
    const uint8_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    const __m512i all = _mm512_set1_epi8(-1);
    struct qnt__asking asking =
        qnt__asking(&g->results, row, panel == 0 ? used : 0,
                    g->tap_count * (g->depth / (size_t)(is_matrix ? 16 : 4 * fields)));
    __m512i acc[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        uint32_t bias = bits == 8 ? 0 : sum_row(g, x[i], all) << (bits - 1);
        UNROLL for (int p = 0; p < panels; p++) acc[i][p] = start_of(g, panel + (size_t)p, bias);
    }
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        if (is_matrix) {
            ptrdiff_t done = matrix_cells(g, acc, x, used, w, rows, panels, &asking);
            at += done, w += done * 16;
        }
        for (; at < end; at += 4 * fields, w += cell_bytes) {
            if (!is_matrix) qnt__ask(&asking);
            FORGET(at); /* one index for all rows, not a pointer to increment for each */
            if (bits == 8 && rows > 3 && panels == 4) ask_ahead(w, stride, panels);
            multiply_cell(acc, x, at, w, stride, rows, panels, bits);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        int32_t *to = g->acc + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_si512(to + p * QNT__PANEL, acc[i][p]);
    }
}

/* 16 code of the high field of a 4-bit cell, signed: (w & 0xf0) ^ 0x80, in place of w. */
INLINE __m512i high_codes(__m512i w)
{
    const __m512i mask = _mm512_set1_epi8((char)0xf0), top = _mm512_set1_epi8((char)0x80);
    __asm__("vpternlogd $0x6a, %2, %1, %0" : "+v"(w) : "v"(mask), "v"(top));
    return w;
}

/*
 * One row: reading the weights is all that counts, so fields are not shifted into place. The high field of
 * a 4-bit cell is 16 u, which as a signed byte is made 16 code by flipping the top bit; then only the low
 * fields are biased. Sums in place stay below 2^31 up to ONE_ROW_CELLS.
 */
INLINE void one_row(const struct qnt__gemm *g, size_t row, size_t panel, int panels, int bits)
{
    const int fields = cell_fields(bits), shift = in_place_shift(bits);
    const size_t cell_bytes = qnt__cell_bytes(bits), stride = g->panel_bytes;
    const uint8_t *x = g->rows[row], *w = g->weight + panel * stride;
    const __m512i keep = bits == 4 ? _mm512_set1_epi64(0xffffffff) : _mm512_set1_epi8(-1);
    uint32_t bias = bits == 8 ? 0 : sum_row(g, x, keep) << (bits - 1);
    __m512i acc[MAX_PANELS], high[MAX_PANELS];

    UNROLL for (int p = 0; p < panels; p++) {
        acc[p] = start_of(g, panel + (size_t)p, bias);
        high[p] = _mm512_setzero_si512();
    }
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at += 4 * fields, w += cell_bytes) {
            __m512i quad[4];
            UNROLL for (int f = 0; f < fields; f++) quad[f] = broadcast_quad(x + at + 4 * f);
            UNROLL for (int p = 0; p < panels; p++) {
                const uint8_t *cell = w + (size_t)p * stride;
                __m512i held = load_cell(cell, bits);
                UNROLL for (int f = 0; f < fields; f++) {
                    __m512i u = bits == 8 ? held : cell_field_in_place(held, cell, bits, f);
                    if (bits == 4 && f) u = high_codes(held);
                    if (f % 2) DPBUSD(high[p], quad[f], u);
                    else DPBUSD(acc[p], quad[f], u);
                }
            }
        }
    }
    int32_t *to = g->acc + row * g->ld + panel * QNT__PANEL;
    UNROLL for (int p = 0; p < panels; p++) {
        __m512i more = _mm512_sra_epi32(high[p], _mm_cvtsi32_si128(shift));
        _mm512_storeu_si512(to + p * QNT__PANEL, _mm512_add_epi32(acc[p], more));
    }
}

/* One row of a convolution, bytes: its weights are in the second-level cache, where other rows have left
 * them, and hardware foresees them; pairs of cells have sums of their own, as four would wait for each
 * other. */
INLINE void one_pixel(const struct qnt__gemm *g, size_t row, size_t panel, int panels)
{
    const size_t cell_bytes = qnt__cell_bytes(8), stride = g->panel_bytes;
    const uint8_t *x = g->rows[row], *w = g->weight + panel * stride;
    __m512i acc[2][MAX_PANELS];
    UNROLL for (int p = 0; p < panels; p++) {
        acc[0][p] = start_of(g, panel + (size_t)p, 0);
        acc[1][p] = _mm512_setzero_si512();
    }
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at + 4 < end; at += 8, w += 2 * cell_bytes) {
            UNROLL for (int c = 0; c < 2; c++) {
                const __m512i quad = broadcast_quad(x + at + 4 * c);
                UNROLL for (int p = 0; p < panels; p++) {
                    const uint8_t *cell = w + (size_t)p * stride + (size_t)c * cell_bytes;
                    DPBUSD(acc[c][p], quad, _mm512_loadu_si512(cell));
                }
            }
        }
        if (at < end) {
            const __m512i quad = broadcast_quad(x + at);
            UNROLL for (int p = 0; p < panels; p++)
                DPBUSD(acc[0][p], quad, _mm512_loadu_si512(w + (size_t)p * stride));
            w += cell_bytes;
        }
    }
    int32_t *to = g->acc + row * g->ld + panel * QNT__PANEL;
    UNROLL for (int p = 0; p < panels; p++)
        _mm512_storeu_si512(to + p * QNT__PANEL, _mm512_add_epi32(acc[0][p], acc[1][p]));
}

/* All rows of one group of panels, in few and equal pieces of 6, 4 or 2 rows; of 5 and 3 too for bytes,
 * the common case. */
INLINE void all_rows(const struct qnt__gemm *g, size_t panel, int panels, int bits, int is_matrix)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, pieces = (left + MAX_ROWS - 1) / MAX_ROWS;
        size_t used = (left + pieces - 1) / pieces;
        if (used == 1 && bits == 8 && g->tap_count > 1) one_pixel(g, row, panel, panels);
        else if (used == 1 && g->tap_count * (g->depth / qnt__cell_depth(bits)) <= ONE_ROW_CELLS) {
            one_row(g, row, panel, panels, bits);
        } else if (used <= 2) tile(g, row, used, panel, 2, panels, bits, is_matrix);
        else if (used == 3 && bits == 8) tile(g, row, used, panel, 3, panels, bits, is_matrix);
        else if (used <= 4) tile(g, row, used, panel, 4, panels, bits, is_matrix);
        else if (used == 5 && bits == 8) tile(g, row, used, panel, 5, panels, bits, is_matrix);
        else tile(g, row, used, panel, 6, panels, bits, is_matrix);
        row += used;
    }
}

INLINE void all_panels(const struct qnt__gemm *g, int bits)
{
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) {
        if (bits == 8 && g->tap_count == 1) all_rows(g, panel, 4, bits, 1);
        else all_rows(g, panel, 4, bits, 0);
    }
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2, bits, 0);
    for (; panel < g->panels; panel++) all_rows(g, panel, 1, bits, 0);
}

/* One copy of the code for each width. */
static void all_8(const struct qnt__gemm *g) { all_panels(g, 8); }
static void all_4(const struct qnt__gemm *g) { all_panels(g, 4); }
static void all_3(const struct qnt__gemm *g) { all_panels(g, 3); }
static void all_2(const struct qnt__gemm *g) { all_panels(g, 2); }

void qnt__gemm_s8_avx512vnni(const struct qnt__gemm *g)
{
    if (g->bits == 8) all_8(g);
    else if (g->bits == 4) all_4(g);
    else if (g->bits == 3) all_3(g);
    else all_2(g);
}
