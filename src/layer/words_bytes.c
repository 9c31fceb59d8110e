/*
 * Products of words as products of their bytes, for CPUs that multiply bytes at twice the pace of words:
 * w = 256 high + low + 128 with both within -128..127, x = 256 high + low with both within 0..255 once 128
 * is added to the high one. A side whose integers fit a byte has one part.
 *
 * A word times a byte takes what a product of words takes, but sums of bytes are exact in int32 for all of
 * k, and rows need not be gathered where a part of a sum has several taps. That counts more than the third
 * which two words times two words take in addition to a product of words and one of residues
 * (words_run.c), so they come here if there is more than one tap.
 *
 * With parts p of x, u - z each, times f (1 or 256), parts q of w times g, and c = 128 if w has two,
 *
 *     sum over k of x w = sum over p, q of f g sum u w_q - sum over p of f z * sum of (w - c)
 *                       + c sum over p of f sum of (u - z)
 *
 * in double, of integers far below 2^53.
 */
#include <string.h>

#include "base/arith.h"
#include "rows.h"

enum {
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    LIMIT = 65536, /* k: LIMIT * 255 * 128 < 2^31 */
    BIAS = 128,
    BYTE = 255
};

static bool fit(const int16_t *word, int32_t *low, int32_t *high)
{
    *low = *high = 0;
    for (int i = 0; i < 256; i++) {
        *low = word[i] < *low ? word[i] : *low;
        *high = word[i] > *high ? word[i] : *high;
    }
    return *high - *low <= BYTE;
}

static void split_table(struct qnt__words *w, const int16_t *word)
{
    for (int i = 0; i < 256; i++) {
        const int high = (word[i] - (word[i] & BYTE)) / 256;
        w->part[0][i] = (int8_t)(w->weight_parts == 1 ? word[i] : (word[i] & BYTE) - BIAS);
        w->part[1][i] = (int8_t)high;
    }
}

bool qnt__words_plan_bytes(struct qnt__run *run)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    struct qnt__words *w = &run->words;
    int32_t low, high;
    w->input_parts = w->weight_parts = 1;
    if (!layer->table_words || layer->head.block || s->merged > 1) return false;
    if (!run->context->simd.fast_bytes || run->rows <= QNT__BLOCK_ROWS) return false;
    if (layer->head.kind != QNT_DENSE && s->depth != s->panel_depth)
        return false; /* what is behind counts */
    if (s->panel_depth > LIMIT / s->tap_count) return false;
    if (layer->input_words) {
        w->input_parts = fit(layer->input_words, &low, &high) ? 1 : 2;
        w->zero = -low;
    }
    fit(layer->table_words, &low, &high);
    w->weight_parts = low >= INT8_MIN && high <= INT8_MAX ? 1 : 2;
    if (s->tap_count == 1 && w->input_parts + w->weight_parts == 4) return false;
    split_table(w, layer->table_words);
    if (w->input_parts == 1) run->element = 1;
    w->parts = 1;
    return w->bytes = true;
}

/* Sums of bytes of the columns, by a product with a row of ones; the arrays of words have none. */
static void sum_columns(const struct qnt__run *run, const uint8_t *weight, size_t panels,
                        double factor, double *sum)
{
    enum { DEPTH = 1024 };
    const size_t all = run->layer->shape.tap_count * run->layer->shape.panel_depth;
    const ptrdiff_t tap = 0;
    uint8_t ones[DEPTH];
    const uint8_t *row = ones;
    int32_t acc[COLUMNS];
    memset(ones, 1, sizeof ones);
    for (size_t k = 0; k < all; k += DEPTH) {
        const struct qnt__gemm gemm = {.rows = &row,
                                       .taps = &tap,
                                       .weight = weight + k * QNT__PANEL,
                                       .acc = acc,
                                       .m = 1,
                                       .panels = panels,
                                       .tap_count = 1,
                                       .depth = qnt__min(all - k, DEPTH),
                                       .panel_bytes = all * QNT__PANEL,
                                       .ld = COLUMNS,
                                       .bits = 8};
        run->context->simd.gemm_s8(&gemm);
        run->context->simd.add_parts_f64(sum, acc, panels * QNT__PANEL, factor);
    }
}

void qnt__words_expand_bytes(const struct qnt__run *run, size_t first, size_t panels,
                             uint8_t *weight, double *column_sum)
{
    const size_t bytes = panels * qnt__expanded_bytes(&run->layer->shape);
    memset(column_sum, 0, COLUMNS * sizeof *column_sum);
    for (size_t q = 0; q < run->words.weight_parts; q++, weight += bytes) {
        qnt__part_panels(run, run->words.part[q], first, panels, weight);
        sum_columns(run, weight, panels, q ? 256.0 : 1.0, column_sum);
    }
}

/* Rows of part p of x. */
static void find_rows(const struct qnt__run *run, const struct qnt__rows *rows, size_t p,
                      const uint8_t **at)
{
    const struct qnt__words *w = &run->words;
    const uint8_t *image = qnt__run_image(run);
    for (size_t i = 0; i < rows->m; i++) {
        at[i] = rows->at[i];
        if (w->input_parts == 2) at[i] = image + (2 + p) * w->image + (at[i] - image) / 2;
    }
}

void qnt__words_multiply_bytes(const struct qnt__run *run, const struct qnt__rows *rows,
                               const uint8_t *weight, size_t panels, const float *scale,
                               const double *column_sum, float *y)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__words *w = &run->words;
    const size_t bytes = qnt__expanded_bytes(s), m = rows->m;
    const double k = (double)(s->tap_count * s->panel_depth);
    const uint8_t *at[QNT__BLOCK_ROWS];
    int32_t acc[4][QNT__BLOCK_ROWS * COLUMNS], row_sum[QNT__BLOCK_ROWS];
    double row[QNT__BLOCK_ROWS], zero[QNT__BLOCK_ROWS];
    struct qnt__join_words join = {.column = column_sum, .scale = scale};
    struct qnt__gemm gemm = {.rows = at,
                             .taps = run->taps,
                             .m = m,
                             .panels = panels,
                             .tap_count = s->tap_count,
                             .depth = s->panel_depth,
                             .panel_bytes = bytes,
                             .ld = COLUMNS,
                             .bits = 8};
    for (size_t i = 0; i < m; i++) row[i] = zero[i] = 0.0;
    for (size_t p = 0; p < w->input_parts; p++) {
        const double factor = p ? 256.0 : 1.0;
        find_rows(run, rows, p, at);
        if (w->weight_parts == 2)
            simd->sum_rows(at, m, run->taps, s->tap_count, s->panel_depth, row_sum);
        for (size_t i = 0; i < m; i++) {
            const double z = w->input_parts == 1 ? rows->zero[i] : p ? BIAS : 0;
            zero[i] += factor * z;
            if (w->weight_parts == 2) row[i] += factor * BIAS * (row_sum[i] - k * z);
        }
        for (size_t q = 0; q < w->weight_parts; q++, join.parts++) {
            join.factor[join.parts] = q ? 256.0 * factor : factor;
            gemm.acc = acc[join.parts];
            gemm.weight = weight + q * panels * bytes;
            simd->gemm_s8(&gemm);
        }
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t p = 0; p < join.parts; p++) join.acc[p] = acc[p] + i * COLUMNS;
        join.row = row[i];
        join.zero = zero[i];
        simd->join_words(&join, panels * QNT__PANEL, y + i * COLUMNS);
    }
}
