/*
 * Products of words: sums over up to WORD_DEPTH k in int32, which are exact, added up in double, exact
 * below 2^53 and always in the order of k. Inputs are staged as bytes and become words where they are
 * multiplied, so that dense layers and convolutions are the same.
 *
 * An int16 times a number of up to 255 is below 2^23, and 256 of them below 2^31. Where both sides
 * exceed 255, x = 256 high + low: high is within -128..127 and low within 0..255.
 */
#include <string.h>

#include "base/arith.h"
#include "rows.h"

enum { WORD_DEPTH = 256, BYTE = 255, COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL };

static bool exceeds_bytes(const int16_t *word)
{
    for (int i = 0; word && i < 256; i++) {
        if (word[i] > BYTE || word[i] < -BYTE) return true;
    }
    return false;
}

void qnt__words_open(struct qnt__run *run)
{
    const qnt_layer *layer = run->layer;
    const int16_t *x = layer->input_words;
    struct qnt__words *w = &run->words;
    bool wide = !layer->table_words || exceeds_bytes(layer->table_words);
    w->parts = wide && exceeds_bytes(x) ? 2 : 1;
    w->bits = x ? layer->head.input.bits : 8;
    for (int v = 0; !x && v < QNT__WORD_RAMP; v++) w->word[0][v] = (int16_t)(v - BYTE);
    if (!x) return;
    while (w->pad < BYTE && x[w->pad] != 0) w->pad++;
    if (w->pad >= 1 << w->bits) w->bits = 8;
    for (int i = 0; i < 256; i++) {
        int low = x[i] & BYTE;
        w->word[0][i] = (int16_t)(w->parts == 2 ? (x[i] - low) / 256 : x[i]);
        w->word[1][i] = (int16_t)low;
    }
}

/* One row of one piece as words. What pads a tap is 0, or meets weights of 0 where no byte is. */
static void read_row(const struct qnt__run *run, const struct qnt__rows *rows, size_t i, int part,
                     size_t first, size_t depth, int16_t *out)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__words *w = &run->words;
    const int16_t *word = w->word[part];
    const size_t tap_depth = s->inputs ? s->depth : 0;
    const int zero = run->layer->input_words ? w->pad : rows->zero[i];
    uint8_t gathered[WORD_DEPTH];
    const uint8_t *codes = gathered;
    if (!run->layer->input_words) word += BYTE - zero;
    const ptrdiff_t *tap = run->taps + first / s->panel_depth;
    for (size_t done = 0, k = first % s->panel_depth, length; done < depth; done += length, k = 0) {
        size_t used = 0;
        length = qnt__min(s->panel_depth - k, depth - done);
        if (k < tap_depth) used = qnt__min(tap_depth - k, length);
        const uint8_t *from = rows->at[i] + *tap++ + k;
        if (used == depth) codes = from;
        else if (used == QNT__PANEL)
            memcpy(gathered + done, from, QNT__PANEL); /* in place of a call */
        else memcpy(gathered + done, from, used);
        if (used < length) memset(gathered + done + used, zero, length - used);
    }
    run->context->simd.look_up_16(word, w->bits, codes, depth, out);
}

void qnt__words_multiply(const struct qnt__run *run, const struct qnt__rows *rows, const int16_t *weight,
                         size_t panels, const float *scale, float *y)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const size_t all = s->tap_count * s->panel_depth, n = panels * QNT__PANEL, m = rows->m;
    const size_t block = run->layer->head.block ? (size_t)run->layer->head.block : all;
    const size_t parts = (size_t)run->words.parts;
    int16_t words[QNT__BLOCK_ROWS * WORD_DEPTH];
    int32_t acc[QNT__BLOCK_ROWS * COLUMNS];
    double sums[QNT__BLOCK_ROWS * COLUMNS];
    const int16_t *row[QNT__BLOCK_ROWS];
    for (size_t i = 0; i < m * parts; i++) row[i] = words + i * WORD_DEPTH;
    for (size_t i = 0; i < m * COLUMNS; i++) sums[i] = 0.0, y[i] = 0.0f;

    for (size_t first = 0, depth; first < all; first += depth) {
        size_t left = block - first % block;
        depth = qnt__min(qnt__min(left, WORD_DEPTH), all - first);
        for (size_t i = 0; i < m * parts; i++) {
            read_row(run, rows, i % m, (int)(i / m), first, depth, words + i * WORD_DEPTH);
        }
        const struct qnt__gemm_s16 gemm = {.rows = row,
                                           .weight = weight + first * QNT__PANEL,
                                           .acc = acc,
                                           .m = m * parts,
                                           .panels = panels,
                                           .depth = depth,
                                           .panel_words = all * QNT__PANEL,
                                           .ld = COLUMNS};
        simd->gemm_s16(&gemm);
        for (size_t i = 0; i < m * parts; i++) {
            double factor = parts == 2 && i < m ? 256.0 : 1.0;
            simd->add_parts_f64(sums + i % m * COLUMNS, acc + i * COLUMNS, n, factor);
        }
        if (depth < left && first + depth < all) continue;
        for (size_t p = 0; p < panels; p++) {
            const float *here = scale + (p * s->blocks + first / block) * QNT__PANEL;
            for (size_t i = 0; i < m; i++) {
                size_t at = i * COLUMNS + p * QNT__PANEL;
                simd->scale_sums_f64(sums + at, here, QNT__PANEL, y + at);
            }
        }
    }
}
