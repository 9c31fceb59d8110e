/*
 * Matrix product with scales for blocks of k, with the VPDPBUSD of AVX-VNNI. As on 512 bits the weights are
 * the unsigned operand, biased by 2^(bits - 1) (128 for whole bytes): sums begin with what takes the bias
 * off, -2^(bits - 1) times the block's sum of activations.
 */
#include "../slots.h"
#include "fields_avxvnni.h"

/* Half a cell of whole bytes, biased. */
INLINE __m256i biased_bytes(const uint8_t *cell, int half)
{
    __m256i codes = _mm256_loadu_si256((const void *)(cell + 32 * half));
    return _mm256_xor_si256(codes, _mm256_set1_epi8((char)0x80));
}

INLINE void multiply_row(const uint8_t *cell, size_t cells, int bits, const uint8_t *x, __m256i sum[2])
{
    struct field_sums sums;
    clear_sums(&sums);
    for (size_t e = 0; e < cells; e++, cell += qnt__cell_bytes(bits), x += qnt__cell_depth(bits)) {
        if (bits != 8) {
            add_cell(cell, bits, x, 1, &sums);
            continue;
        }
        ask_ahead(cell);
        UNROLL for (int h = 0; h < 2; h++) DPBUSD(sum[h], biased_bytes(cell, h), broadcast_quad(x));
    }
    UNROLL for (int h = 0; h < 2 && bits != 8; h++) {
        sum[h] = _mm256_add_epi32(sum[h], join_sums(&sums, bits, 1, h));
    }
}

#include "row_blocks_avx2.h"

/* Whole blocks, or a part of one: their weights of one panel as bytes, and what belongs to them. */
struct part {
    size_t first, depth; /* k of the first one, and of each */
    size_t count;
    int starts, ends; /* those of blocks */
    int bias;
    int32_t sums[QNT__BLOCK_ROWS][QUADS]; /* of activations, [row][block] */
    struct narrow bytes;
};

static void sum_blocks(const struct qnt__gemm_blocks *g, struct part *c)
{
    for (size_t i = 0; i < g->m; i++) {
        const int8_t *x = g->rows[i] + c->first;
        for (size_t b = 0; b < c->count; b++, x += g->block) c->sums[i][b] = sum_row(x, g->block);
    }
}

INLINE void unpack(const struct qnt__gemm_blocks *g, size_t panel, int bits, struct part *c)
{
    const size_t cells = c->count * c->depth / qnt__cell_depth(bits);
    const uint8_t *cell = g->weight + panel * g->panel_bytes +
                          c->first / qnt__cell_depth(bits) * qnt__cell_bytes(bits);
    if (bits != 8) {
        narrow_cells(cell, cells, bits, 0, &c->bytes);
        return;
    }
    for (size_t e = 0; e < cells; e++, cell += 64) {
        UNROLL for (int h = 0; h < 2; h++) c->bytes.w[e][h] = biased_bytes(cell, h);
    }
}

/* y += float(sum) * scale for 16 columns of a row; the group is that of the panel and block. */
INLINE void finish(const struct qnt__gemm_blocks *g, const __m256i sum[2], int32_t row_sum, size_t group,
                   float *y)
{
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i whole = sum[h];
        if (g->zero) {
            __m128i zero = _mm_loadl_epi64((const void *)(g->zero + group + 8 * h));
            __m256i share = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(zero), _mm256_set1_epi32(row_sum));
            whole = _mm256_sub_epi32(whole, share);
        }
        __m256 product =
            _mm256_mul_ps(_mm256_cvtepi32_ps(whole), _mm256_loadu_ps(g->scale + group + 8 * h));
        _mm256_storeu_ps(y + 8 * h, _mm256_add_ps(_mm256_loadu_ps(y + 8 * h), product));
    }
}

/* Sums of a block that goes on are kept in `carry`, [row][16]. */
INLINE void tile(const struct qnt__gemm_blocks *g, const struct part *c, size_t row, size_t panel,
                 int rows, int32_t *carry)
{
    const int8_t *x[MAX_ROWS];
    const size_t blocks = g->depth / g->block, quads = c->depth / 4;
    const __m256i(*w)[2] = c->bytes.w;
    size_t group = (panel * blocks + c->first / g->block) * QNT__PANEL;
    ptrdiff_t at = (ptrdiff_t)c->first;

    UNROLL for (int i = 0; i < rows; i++) x[i] = g->rows[row + (size_t)i];
    for (size_t b = 0; b < c->count; b++, group += QNT__PANEL) {
        __m256i sum[MAX_ROWS][2];
        UNROLL for (int i = 0; i < rows; i++) {
            const __m256i start = _mm256_set1_epi32(-c->bias * c->sums[row + (size_t)i][b]);
            UNROLL for (int h = 0; h < 2; h++) {
                const void *from = carry + (row + (size_t)i) * QNT__PANEL + 8 * (size_t)h;
                sum[i][h] = c->starts ? start : _mm256_loadu_si256(from);
            }
        }
        for (const __m256i(*end)[2] = w + quads; w < end; w++, at += 4) {
            FORGET(at);
            const __m256i w0 = (*w)[0], w1 = (*w)[1];
            UNROLL for (int i = 0; i < rows; i++) {
                const __m256i quad = broadcast_quad(x[i] + at);
                DPBUSD(sum[i][0], w0, quad);
                DPBUSD(sum[i][1], w1, quad);
            }
        }
        UNROLL for (int i = 0; i < rows; i++) {
            const size_t r = row + (size_t)i;
            if (c->ends) {
                finish(g, sum[i], c->sums[r][b], group, g->y + r * g->ld + panel * QNT__PANEL);
            } else {
                UNROLL for (int h = 0; h < 2; h++) {
                    _mm256_storeu_si256((void *)(carry + r * QNT__PANEL + 8 * (size_t)h), sum[i][h]);
                }
            }
        }
    }
}

/* All rows, in pieces as even as possible. */
static void all_rows(const struct qnt__gemm_blocks *g, const struct part *c, size_t panel, int32_t *carry)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, rows = left <= MAX_ROWS ? left : (left + 1) / 2;
        switch (rows) {
        case 1: tile(g, c, row, panel, 1, carry); break;
        case 2: tile(g, c, row, panel, 2, carry); break;
        case 3: tile(g, c, row, panel, 3, carry); break;
        case 4: tile(g, c, row, panel, 4, carry); break;
        case 5: tile(g, c, row, panel, 5, carry); break;
        default: tile(g, c, row, panel, 6, carry); break;
        }
        row += rows;
    }
}

/* As many blocks as a part holds, or as much of one. */
INLINE void all_parts(const struct qnt__gemm_blocks *g, int bits)
{
    enum { MOST = 4 * QUADS };
    const int whole = g->block <= MOST;
    int32_t carry[QNT__BLOCK_PANELS][QNT__BLOCK_ROWS * QNT__PANEL];
    struct part c = {.bias = 1 << (bits - 1)};

    if (g->m == 1) {
        one_row(g, bits);
        return;
    }
    for (size_t i = 0; i < g->m; i++) {
        memset(g->y + i * g->ld, 0, g->panels * QNT__PANEL * sizeof *g->y);
    }
    for (; c.first < g->depth; c.first += c.count * c.depth) {
        const size_t left = g->depth - c.first, inside = g->block - c.first % g->block;
        const size_t most = whole ? MOST / g->block : 1, blocks = whole ? left / g->block : 1;
        c.depth = whole ? g->block : inside < MOST ? inside : MOST;
        c.count = blocks < most ? blocks : most;
        c.starts = inside == g->block;
        c.ends = c.depth == inside;
        if (c.starts) sum_blocks(g, &c);
        for (size_t p = 0; p < g->panels; p++) {
            unpack(g, p, bits, &c);
            all_rows(g, &c, p, carry[p]);
        }
    }
}

/* One copy of the code for each width. */
static void all_8(const struct qnt__gemm_blocks *g) { all_parts(g, 8); }
static void all_4(const struct qnt__gemm_blocks *g) { all_parts(g, 4); }
static void all_3(const struct qnt__gemm_blocks *g) { all_parts(g, 3); }
static void all_2(const struct qnt__gemm_blocks *g) { all_parts(g, 2); }

void qnt__gemm_blocks_avxvnni(const struct qnt__gemm_blocks *g)
{
    if (g->bits == 8) all_8(g);
    else if (g->bits == 4) all_4(g);
    else if (g->bits == 3) all_3(g);
    else all_2(g);
}
