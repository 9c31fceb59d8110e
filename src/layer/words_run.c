/*
 * Products of words: sums over parts of k in int32, which are exact, added up in double, exact below 2^53
 * and always in the order of k.
 *
 * An int16 times a number of up to 255 is below 2^23, and 256 of them below 2^31; smaller numbers allow
 * longer parts. Where both sides exceed 255 there are two ways:
 *
 * Residues. Products of words that wrap give a sum s modulo 2^32, products of residues, which are bytes, s
 * modulo 255. These have no common factor, so the two numbers determine s if |s| < 127.5 2^32, which up to
 * 508 products of any words keep: 2^32 is 1 modulo 255, therefore s = low + 2^32 q with |q| <= 127 and
 * q = residue - low modulo 255. As fast as three products of bytes, where those are multiplied at twice the
 * pace of words.
 *
 * Halves, where they are not, and for weights that are no codes: x = 256 high + low, high within -128..128
 * and low within -128..127. The rows of a block are first those of the high numbers, then of the low ones.
 */
#include <string.h>

#include "base/arith.h"
#include "rows.h"

enum { COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL };

/* Some k: they begin within a tap. */
struct part {
    size_t first, depth;
    const ptrdiff_t *tap;
    size_t k;         /* within the tap */
    size_t tap_depth; /* k of a tap that are read */
    bool whole;       /* they are in one tap, or taps follow each other */
};

static struct part part_at(const struct qnt__run *run, size_t first, size_t depth)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    struct part p = {.first = first, .depth = depth, .tap = run->taps + first / s->panel_depth};
    p.k = first % s->panel_depth;
    p.tap_depth = layer->table_words ? s->inputs ? s->depth : 0 : s->panel_depth;
    p.whole = p.k + depth <= p.tap_depth || layer->head.kind == QNT_DENSE;
    return p;
}

/* One row of a part whose taps are too short for it; 0 follows the last k of a tap where the weights there
 * are not 0. */
static void gather_row(const struct qnt__run *run, const struct part *p, size_t element,
                       const uint8_t *x, uint8_t *gathered)
{
    const size_t panel_depth = run->layer->shape.panel_depth;
    const ptrdiff_t *tap = p->tap;
    size_t k = p->k;
    for (size_t done = 0, length; done < p->depth; done += length, k = 0, tap++) {
        size_t used = 0;
        length = qnt__min(panel_depth - k, p->depth - done);
        if (k < p->tap_depth) used = qnt__min(p->tap_depth - k, length);
        const uint8_t *from = x + (*tap + (ptrdiff_t)k) * (ptrdiff_t)element;
        uint8_t *to = gathered + done * element;
        if (used * element == 2 * QNT__PANEL)
            memcpy(to, from, 2 * QNT__PANEL); /* no call */
        else
            memcpy(to, from, used * element);
        memset(to + used * element, 0, (length - used) * element);
    }
}

/* Weights of one part that are codes become words. */
static void expand_part(const struct qnt__run *run, const struct qnt__packed *weight, size_t panels,
                        size_t first, size_t depth, int16_t *out)
{
    const qnt_layer *layer = run->layer;
    const int bits = layer->head.cell_bits;
    struct qnt__expand_words e = {.cells = depth / qnt__cell_depth(bits),
                                  .bits = bits,
                                  .field_bits = bits,
                                  .words = layer->table_words,
                                  .out = out};
    e.cell = weight->cells + first / qnt__cell_depth(bits) * qnt__cell_bytes(bits);
    for (size_t p = 0; p < panels; p++, e.cell += weight->panel_bytes, e.out += depth * QNT__PANEL)
        run->context->simd.expand_words(&e);
}

/* Products of the residues of x and of weights, acc[m][COLUMNS]. */
static void multiply_residues(const struct qnt__run *run, const struct qnt__rows *rows,
                              const struct part *p, const uint8_t *panel, size_t panels,
                              int32_t *acc)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const uint8_t *image = qnt__run_image(run), *residues = image + 2 * run->words.image;
    const uint8_t *row[QNT__BLOCK_ROWS];
    uint8_t gathered[QNT__BLOCK_ROWS * QNT__WORDS_DEPTH];
    const ptrdiff_t tap = 0;
    const struct qnt__gemm gemm = {.rows = row,
                                   .taps = &tap,
                                   .weight = panel + p->first * QNT__PANEL,
                                   .acc = acc,
                                   .m = rows->m,
                                   .panels = panels,
                                   .tap_count = 1,
                                   .depth = p->depth,
                                   .panel_bytes = qnt__expanded_bytes(s),
                                   .ld = COLUMNS,
                                   .bits = 8};
    for (size_t i = 0; i < rows->m; i++) {
        const uint8_t *x = residues + (rows->at[i] - image) / 2;
        row[i] = x + *p->tap + p->k;
        if (p->whole) continue;
        row[i] = gathered + i * QNT__WORDS_DEPTH;
        gather_row(run, p, 1, x, gathered + i * QNT__WORDS_DEPTH);
    }
    run->context->simd.gemm_s8(&gemm);
}

/* sums[m][COLUMNS] += factor times rows of a part, n columns of them. */
static void add_rows(const struct qnt__simd *simd, const int32_t *acc, size_t m, size_t n,
                     double factor, double *sums)
{
    if (n == COLUMNS) n = m * COLUMNS, m = 1;
    for (size_t i = 0; i < m; i++)
        simd->add_parts_f64(sums + i * COLUMNS, acc + i * COLUMNS, n, factor);
}

/* The same for products of which the residues modulo 2^32 and 255 are known. */
static void add_residue_rows(const struct qnt__simd *simd, const int32_t *acc,
                             const int32_t *residue, size_t m, size_t n, double *sums)
{
    if (n == COLUMNS) n = m * COLUMNS, m = 1;
    for (size_t at = 0; at < m * COLUMNS; at += COLUMNS)
        simd->add_residues_f64(sums + at, acc + at, residue + at, n);
}

void qnt__words_multiply(const struct qnt__run *run, const struct qnt__rows *rows,
                         const struct qnt__packed *weight, size_t panels, const float *scale,
                         int16_t *expanded, float *y)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t all = s->tap_count * s->panel_depth, n = panels * QNT__PANEL, m = rows->m;
    const size_t block = run->layer->head.block ? (size_t)run->layer->head.block : all;
    const size_t parts = (size_t)run->words.parts, high = 2 * run->words.image;
    int16_t gathered[QNT__BLOCK_ROWS * QNT__WORDS_DEPTH];
    int32_t acc[QNT__BLOCK_ROWS * COLUMNS], residue[QNT__BLOCK_ROWS * COLUMNS];
    double sums[QNT__BLOCK_ROWS * COLUMNS];
    const int16_t *row[QNT__BLOCK_ROWS];
    memset(sums, 0, m * COLUMNS * sizeof *sums);
    memset(y, 0, m * COLUMNS * sizeof *y);

    for (size_t first = 0, depth; first < all; first += depth) {
        size_t left = block - first % block;
        depth = qnt__min(qnt__min(left, run->words.depth), all - first);
        const struct part part = part_at(run, first, depth);
        for (size_t i = 0; i < m * parts; i++) {
            const size_t r = i < m ? i : i - m;
            const uint8_t *x = rows->at[r] + (parts == 2 && i < m ? high : 0);
            row[i] = (const int16_t *)(const void *)x + *part.tap + part.k;
            if (part.whole) continue;
            row[i] = gathered + i * QNT__WORDS_DEPTH;
            gather_row(run, &part, 2, x, (void *)(gathered + i * QNT__WORDS_DEPTH));
        }
        struct qnt__gemm_s16 gemm = {
            .rows = row, .acc = acc, .m = m * parts, .panels = panels, .depth = depth, .ld = COLUMNS};
        if (weight->words) {
            gemm.weight = weight->words + first * QNT__PANEL;
            gemm.panel_words = all * QNT__PANEL;
        } else {
            expand_part(run, weight, panels, first, depth, expanded);
            gemm.weight = expanded;
            gemm.panel_words = depth * QNT__PANEL;
        }
        simd->gemm_s16(&gemm);
        if (weight->residues) {
            multiply_residues(run, rows, &part, weight->residues, panels, residue);
            add_residue_rows(simd, acc, residue, m, n, sums);
        }
        for (size_t i = 0; i < parts && !weight->residues; i++)
            add_rows(simd, acc + i * m * COLUMNS, m, n, i + 1 < parts ? 256.0 : 1.0, sums);
        if (depth < left && first + depth < all) continue;
        const size_t columns = s->blocks > 1 ? QNT__PANEL : n; /* whose scales follow each other */
        for (size_t j = 0; j < n; j += columns) {
            const float *here = scale + j * s->blocks + first / block * QNT__PANEL;
            for (size_t at = j; at < m * COLUMNS; at += COLUMNS)
                simd->scale_sums_f64(sums + at, here, columns, y + at);
        }
    }
}
