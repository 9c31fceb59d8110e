/*
 * Products with the VPDPBUSD of AVX-VNNI: what it does on 512 bits it does here on 256, without masks and
 * with 16 registers. A cell of 8-bit weights is two registers of 8 columns; cells of 2 to 4 bits become
 * such cells, a chunk at a time, which stay in the first-level cache for all rows of a call.
 */
#ifndef QNT__SIMD_X86_GEMM_AVXVNNI_H
#define QNT__SIMD_X86_GEMM_AVXVNNI_H

#include "../slots.h"
#include "dot_avxvnni.h"
#include "expand_avx2.h"
#include "fields_avxvnni.h"

enum {
    CHUNK = 256,     /* quads of k that are unpacked at a time */
    MOST_PANELS = 4, /* that one row meets at a time: 8 sums */
    PAIR = 2         /* of panels */
};

/* acc (=, or += if add) rows x panels results of 8-bit weights: at most 12 sums. */
INLINE void bytes_tile(const struct qnt__gemm *g, size_t row, size_t panel, int rows, int panels,
                       int add)
{
    const size_t stride = g->panel_bytes;
    const uint8_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    int32_t *to = g->acc + row * g->ld + panel * QNT__PANEL;
    __m256i sum[MAX_ROWS][2 * MOST_PANELS];

    for (int p = 0; p < panels && !add; p++)
        qnt__ask_now(&g->results, row, (size_t)rows, panel + (size_t)p, g->panels);
    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + (size_t)i];
        UNROLL for (int h = 0; h < 2 * panels; h++) {
            const void *from = to + (size_t)i * g->ld + 8 * h;
            if (!add && g->start) from = g->start + panel * QNT__PANEL + 8 * (size_t)h;
            sum[i][h] = add || g->start ? _mm256_loadu_si256(from) : _mm256_setzero_si256();
        }
    }
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at += 4, w += 64) {
            FORGET(at);
            if (rows == 1) {
                UNROLL for (int p = 0; p < panels; p++) ask_ahead(w + (size_t)p * stride);
            }
            __m256i cell[2 * MOST_PANELS];
            UNROLL for (int h = 0; h < 2 * panels; h++) {
                cell[h] = _mm256_loadu_si256((const void *)(w + (size_t)(h / 2) * stride + 32 * (h % 2)));
            }
            UNROLL for (int i = 0; i < rows; i++) {
                __m256i quad = broadcast_quad(x[i] + at);
                UNROLL for (int h = 0; h < 2 * panels; h++) DPBUSD(sum[i][h], quad, cell[h]);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2 * panels; h++) {
            _mm256_storeu_si256((void *)(to + (size_t)i * g->ld + 8 * h), sum[i][h]);
        }
    }
}

/* All panels of some rows, of which there are enough for VPDPBUSD to wait for none of its sums. */
INLINE void bytes_rows(const struct qnt__gemm *g, size_t row, int rows, int add)
{
    size_t p = 0;
    if (rows == 1) {
        for (; p + MOST_PANELS <= g->panels; p += MOST_PANELS) bytes_tile(g, row, p, 1, MOST_PANELS, add);
    }
    if (rows <= 3) {
        for (; p + PAIR <= g->panels; p += PAIR) bytes_tile(g, row, p, rows, PAIR, add);
    }
    for (; p < g->panels; p++) bytes_tile(g, row, p, rows, 1, add);
}

/* A product of 8-bit weights, whatever g->bits says. Pieces of four rows have eight sums, so VPDPBUSD
 * waits: of eight and ten rows the first piece has five. */
static inline void multiply_bytes(const struct qnt__gemm *g, int add)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, rows = left <= MAX_ROWS ? left : left == 8 || left == 10 ? 5 : MAX_ROWS;
        switch (rows) {
        case 1: bytes_rows(g, row, 1, add); break;
        case 2: bytes_rows(g, row, 2, add); break;
        case 3: bytes_rows(g, row, 3, add); break;
        case 4: bytes_rows(g, row, 4, add); break;
        case 5: bytes_rows(g, row, 5, add); break;
        default: bytes_rows(g, row, 6, add); break;
        }
        row += rows;
    }
}

/* A product of narrower weights: field u of a cell stands for levels[u]. */
INLINE void multiply_packed(const struct qnt__gemm *g, const int8_t *levels, int bits)
{
    const size_t cell_depth = qnt__cell_depth(bits), cell_bytes = qnt__cell_bytes(bits);
    const size_t tap_bytes = g->depth / cell_depth * cell_bytes + g->gap;
    uint8_t bytes[64 * CHUNK];
    struct qnt__gemm piece = *g;
    piece.weight = bytes, piece.panels = 1, piece.gap = 0;

    for (size_t t = 0; t < g->tap_count; t += piece.tap_count) { /* short taps go together */
        const size_t most = g->depth < 4 * CHUNK ? 4 * CHUNK / g->depth : 1, left = g->tap_count - t;
        piece.tap_count = left < most ? left : most;
        for (size_t k = 0; k < g->depth; k += 4 * CHUNK) {
            const ptrdiff_t tap = g->taps[t] + (ptrdiff_t)k;
            piece.depth = g->depth - k < 4 * CHUNK ? g->depth - k : 4 * CHUNK;
            piece.taps = piece.tap_count > 1 ? g->taps + t : &tap;
            for (size_t p = 0; p < g->panels; p++) {
                const uint8_t *w =
                    g->weight + p * g->panel_bytes + t * tap_bytes + k / cell_depth * cell_bytes;
                for (size_t i = 0; i < piece.tap_count; i++, w += tap_bytes) {
                    expand_cells(w, piece.depth / cell_depth, bits, levels, bytes + 16 * i * piece.depth);
                }
                piece.acc = g->acc + p * QNT__PANEL;
                piece.results = qnt__results_part(&g->results, p, g->panels);
                multiply_bytes(&piece, t + k > 0);
            }
        }
    }
}

/* One row of narrower weights and of one panel, biased; `start` takes the bias off. */
INLINE void fields_row(const struct qnt__gemm *g, size_t panel, int bits, int32_t start)
{
    const uint8_t *w = g->weight + panel * g->panel_bytes;
    int32_t *to = g->acc + panel * QNT__PANEL;
    struct field_sums sums;
    clear_sums(&sums);
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        const uint8_t *x = g->rows[0] + g->taps[t], *end = x + g->depth;
        for (; x < end; x += qnt__cell_depth(bits), w += qnt__cell_bytes(bits)) {
            add_cell(w, bits, x, 0, &sums);
        }
    }
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i sum = join_sums(&sums, bits, 0, h);
        _mm256_storeu_si256((void *)(to + 8 * h), _mm256_add_epi32(sum, _mm256_set1_epi32(start)));
    }
}

/* The same of levels, with sums of even and of odd fields, so that VPDPBUSD waits for none. */
INLINE void levels_row(const struct qnt__gemm *g, size_t panel, const int8_t *levels, int bits)
{
    const int fields = bits == 4 ? 2 : 4;
    const __m256i table = load_levels(levels, bits);
    const uint8_t *w = g->weight + panel * g->panel_bytes;
    int32_t *to = g->acc + panel * QNT__PANEL;
    __m256i sum[2][2];
    UNROLL for (int i = 0; i < 4; i++) sum[i / 2][i % 2] = _mm256_setzero_si256();
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        const uint8_t *x = g->rows[0] + g->taps[t], *end = x + g->depth;
        for (; x < end; x += 4 * fields, w += qnt__cell_bytes(bits)) {
            ask_ahead(w);
            UNROLL for (int f = 0; f < fields; f++) {
                const __m256i quad = broadcast_quad(x + 4 * f);
                UNROLL for (int h = 0; h < 2; h++) {
                    __m256i level = _mm256_shuffle_epi8(table, half_field(w, bits, f, h));
                    DPBUSD(sum[f % 2][h], quad, level);
                }
            }
        }
    }
    UNROLL for (int h = 0; h < 2; h++) {
        _mm256_storeu_si256((void *)(to + 8 * h), _mm256_add_epi32(sum[0][h], sum[1][h]));
    }
}

#endif
