/*
 * Integer matrix product with VPDPBUSD: activations unsigned, one broadcast for each row and four k;
 * a cell of weights is one register of 16 columns.
 *
 * Weights below 8 bits stay in their biased form u = code + 2^(bits - 1), which is also a positive signed
 * byte; what that adds is taken away once: sum x code = sum x u - 2^(bits - 1) sum x.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

enum {
    MAX_ROWS = 6, /* rows x panels accumulators: 24 of 32 registers */
    MAX_PANELS = QNT__BLOCK_PANELS
};

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* The intrinsic makes gcc 12 copy accumulators around. u: 64 unsigned bytes, s: signed. */
#define DPBUSD(acc, u, s) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(s))

/* Keeps a cell from being held in a register over all of its fields: loading it again is cheaper. */
#define FORGET(pointer) __asm__("" : "+r"(pointer))

INLINE __m512i broadcast_quad(const uint8_t *x)
{
    int32_t quad;
    __builtin_memcpy(&quad, x, sizeof quad);
    return _mm512_set1_epi32(quad);
}

/* Sum of all bytes that the taps of a row cover. */
static uint32_t sum_row(const struct qnt__gemm *g, const uint8_t *row)
{
    __m512i sum = _mm512_setzero_si512(), zero = sum;
    for (size_t t = 0; t < g->tap_count; t++) {
        const uint8_t *x = row + g->taps[t];
        size_t k = 0;
        for (; k + 64 <= g->depth; k += 64) {
            sum = _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_loadu_si512(x + k), zero));
        }
        if (k < g->depth) {
            __mmask64 rest = (1ull << (g->depth - k)) - 1;
            sum = _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(rest, x + k), zero));
        }
    }
    return (uint32_t)_mm512_reduce_add_epi64(sum);
}

/* Field f of a cell: biased bytes, or codes if bits is 8. */
INLINE __m512i cell_field(const uint8_t *cell, int bits, int f)
{
    __m512i w = _mm512_loadu_si512(cell);
    if (bits == 8) return w;
    int width = bits == 4 ? 4 : 2;
    switch (width * f) { /* the count must be a literal */
    case 2: w = _mm512_srli_epi16(w, 2); break;
    case 4: w = _mm512_srli_epi16(w, 4); break;
    case 6: w = _mm512_srli_epi16(w, 6); break;
    default: break;
    }
    w = _mm512_and_si512(w, _mm512_set1_epi8((char)((1 << width) - 1)));
    if (bits == 3) {
        uint64_t third;
        __builtin_memcpy(&third, cell + 64 + 8 * f, sizeof third);
        w = _mm512_mask_add_epi8(w, third, w, _mm512_set1_epi8(4));
    }
    return w;
}

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm *g, size_t row, size_t used, size_t panel, int rows,
                 int panels, int bits)
{
    const int fields = bits == 8 ? 1 : bits == 4 ? 2 : 4;
    const size_t cell_bytes = qnt__cell_bytes(bits), stride = g->panel_bytes;
    const uint8_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    __m512i acc[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        uint32_t bias = bits == 8 ? 0 : sum_row(g, x[i]) << (bits - 1);
        UNROLL for (int p = 0; p < panels; p++) acc[i][p] = _mm512_set1_epi32((int32_t)(0 - bias));
    }
    for (size_t t = 0; t < g->tap_count; t++) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at += 4 * fields, w += cell_bytes) {
            UNROLL for (int f = 0; f < fields; f++) {
                __m512i field[MAX_PANELS];
                if (bits != 8) FORGET(w);
                UNROLL for (int p = 0; p < panels; p++) {
                    field[p] = cell_field(w + (size_t)p * stride, bits, f);
                }
                UNROLL for (int i = 0; i < rows; i++) {
                    __m512i quad = broadcast_quad(x[i] + at + 4 * f);
                    UNROLL for (int p = 0; p < panels; p++) DPBUSD(acc[i][p], quad, field[p]);
                }
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        int32_t *to = g->acc + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_si512(to + p * QNT__PANEL, acc[i][p]);
    }
}

/* All rows of one group of panels, in pieces of 6, 4 or 2. */
INLINE void all_rows(const struct qnt__gemm *g, size_t panel, int panels, int bits)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, used = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : 6;
        if (used <= 2) tile(g, row, used, panel, 2, panels, bits);
        else if (used <= 4) tile(g, row, used, panel, 4, panels, bits);
        else tile(g, row, used, panel, 6, panels, bits);
        row += used;
    }
}

INLINE void all_panels(const struct qnt__gemm *g, int bits)
{
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) all_rows(g, panel, 4, bits);
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2, bits);
    for (; panel < g->panels; panel++) all_rows(g, panel, 1, bits);
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
