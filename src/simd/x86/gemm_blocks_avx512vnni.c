/*
 * Matrix product with scales for blocks of k, with VPDPBUSD: here the weights are the unsigned operand,
 * biased by 2^(bits - 1) (128 for whole bytes), and the activations the signed one. What the bias and
 * the zero point add to a block is (bias + zero) times the block's sum of activations.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

enum {
    MAX_ROWS = 3, /* rows x panels sums of a block, and as many floats: 24 of 32 registers */
    MAX_PANELS = QNT__BLOCK_PANELS,
    SUM_BLOCKS = 128 /* blocks whose activation sums are computed at a time */
};

/* sums[b] = sum of the activations of block b. PSADBW wants them unsigned. */
static void sum_blocks(const int8_t *x, size_t count, size_t block, int32_t *sums)
{
    const __m128i flip = _mm_set1_epi8((char)0x80), zero = _mm_setzero_si128();
    for (size_t b = 0; b < count; b++) {
        __m128i sum = zero;
        for (size_t k = 0; k < block; k += 16, x += 16) {
            __m128i bytes = _mm_xor_si128(_mm_loadu_si128((const void *)x), flip);
            sum = _mm_add_epi32(sum, _mm_sad_epu8(bytes, zero));
        }
        sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
        sums[b] = _mm_cvtsi128_si32(sum) - 128 * (int32_t)block;
    }
}

INLINE __m512i unsigned_field(const uint8_t *cell, int bits, int f)
{
    if (bits != 8) return cell_field(cell, bits, f);
    return _mm512_xor_si512(_mm512_loadu_si512(cell), _mm512_set1_epi8((char)0x80));
}

/* acc += sums of one block of biased weights, for one row; fields stay where they are in the byte. */
INLINE void multiply_row(const int8_t *x, const uint8_t *w, size_t stride, size_t block, int panels,
                         int bits, __m512i acc[MAX_PANELS])
{
    const int fields = cell_fields(bits);
    __m512i high[MAX_PANELS];
    UNROLL for (int p = 0; p < panels; p++) high[p] = _mm512_setzero_si512();

    for (size_t k = 0; k < block; k += (size_t)(4 * fields), w += qnt__cell_bytes(bits)) {
        __m512i quad[4];
        UNROLL for (int f = 0; f < fields; f++) quad[f] = broadcast_quad(x + k + 4 * (size_t)f);
        UNROLL for (int p = 0; p < panels; p++) {
            const uint8_t *cell = w + (size_t)p * stride;
            __m512i held = load_cell(cell, bits);
            UNROLL for (int f = 0; f < fields; f++) {
                __m512i u = cell_field_in_place(held, cell, bits, f);
                if (f % 2) DPBUSD(high[p], u, quad[f]);
                else DPBUSD(acc[p], u, quad[f]);
            }
        }
    }
    UNROLL for (int p = 0; p < panels; p++) {
        __m512i more = bits == 4 ? _mm512_srai_epi32(high[p], 4) : _mm512_srai_epi32(high[p], 2);
        acc[p] = _mm512_add_epi32(acc[p], more);
    }
}

/* acc += sums of one block of biased weights. */
INLINE void multiply_block(const int8_t *const *x, const uint8_t *w, size_t stride, size_t block,
                           size_t first, int rows, int panels, int bits,
                           __m512i acc[MAX_ROWS][MAX_PANELS])
{
    const int fields = cell_fields(bits);
    if (rows == 1 && bits != 8) {
        multiply_row(x[0] + first, w, stride, block, panels, bits, acc[0]);
        return;
    }
    for (size_t k = first; k < first + block; k += (size_t)(4 * fields), w += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < fields; f++) {
            __m512i field[MAX_PANELS];
            UNROLL for (int p = 0; p < panels; p++) {
                field[p] = unsigned_field(w + (size_t)p * stride, bits, f);
            }
            UNROLL for (int i = 0; i < rows; i++) {
                __m512i quad = broadcast_quad(x[i] + k + 4 * (size_t)f);
                UNROLL for (int p = 0; p < panels; p++) DPBUSD(acc[i][p], field[p], quad);
            }
        }
    }
}

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm_blocks *g, size_t row, size_t used, size_t panel, int rows,
                 int panels, int bits)
{
    const size_t stride = g->panel_bytes, blocks = g->depth / g->block;
    const size_t block_bytes = g->block / qnt__cell_depth(bits) * qnt__cell_bytes(bits);
    const int32_t bias = 1 << (bits - 1);
    const uint8_t *w = g->weight + panel * stride;
    const int8_t *x[MAX_ROWS];
    int32_t sums[MAX_ROWS][SUM_BLOCKS];
    __m512 y[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        UNROLL for (int p = 0; p < panels; p++) y[i][p] = _mm512_setzero_ps();
    }
    for (size_t b = 0; b < blocks; b++, w += block_bytes) {
        size_t at = b % SUM_BLOCKS;
        if (at == 0) {
            size_t count = blocks - b < SUM_BLOCKS ? blocks - b : SUM_BLOCKS;
            UNROLL for (int i = 0; i < rows; i++) {
                sum_blocks(x[i] + b * g->block, count, g->block, sums[i]);
            }
        }
        __m512i acc[MAX_ROWS][MAX_PANELS];
        UNROLL for (int i = 0; i < rows; i++) {
            __m512i start = _mm512_set1_epi32(-bias * sums[i][at]);
            UNROLL for (int p = 0; p < panels; p++) acc[i][p] = start;
        }
        multiply_block(x, w, stride, g->block, b * g->block, rows, panels, bits, acc);
        UNROLL for (int p = 0; p < panels; p++) {
            size_t group = ((panel + (size_t)p) * blocks + b) * QNT__PANEL;
            __m512 scale = _mm512_loadu_ps(g->scale + group);
            __m512i zero = _mm512_setzero_si512();
            if (g->zero) zero = _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(g->zero + group)));
            UNROLL for (int i = 0; i < rows; i++) {
                __m512i sum = acc[i][p];
                if (g->zero) {
                    __m512i all = _mm512_set1_epi32(sums[i][at]);
                    sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zero, all));
                }
                __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
                y[i][p] = _mm512_add_ps(y[i][p], product);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        float *to = g->y + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_ps(to + p * QNT__PANEL, y[i][p]);
    }
}

INLINE void all_rows(const struct qnt__gemm_blocks *g, size_t panel, int panels, int bits)
{
    size_t row = 0;
    for (; row + 1 < g->m; row += MAX_ROWS) {
        size_t left = g->m - row;
        tile(g, row, left < MAX_ROWS ? left : MAX_ROWS, panel, MAX_ROWS, panels, bits);
    }
    if (row < g->m) tile(g, row, 1, panel, 1, panels, bits);
}

INLINE void all_panels(const struct qnt__gemm_blocks *g, int bits)
{
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) all_rows(g, panel, 4, bits);
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2, bits);
    for (; panel < g->panels; panel++) all_rows(g, panel, 1, bits);
}

/* One copy of the code for each width. */
static void all_8(const struct qnt__gemm_blocks *g) { all_panels(g, 8); }
static void all_4(const struct qnt__gemm_blocks *g) { all_panels(g, 4); }
static void all_3(const struct qnt__gemm_blocks *g) { all_panels(g, 3); }
static void all_2(const struct qnt__gemm_blocks *g) { all_panels(g, 2); }

void qnt__gemm_blocks_avx512vnni(const struct qnt__gemm_blocks *g)
{
    if (g->bits == 8) all_8(g);
    else if (g->bits == 4) all_4(g);
    else if (g->bits == 3) all_3(g);
    else all_2(g);
}
