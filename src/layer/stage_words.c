/*
 * Inputs of QNT__WORDS become int16: what input codes stand for, or codes less their zero point, so that
 * padding is 0. Where words of both sides exceed a byte, those of the input are two numbers, x = 256 high +
 * low (words_run.c): an image of low ones and one of high ones behind it.
 */
#include "base/arith.h"
#include "stage.h"

enum { BYTE = 255, RAMP = 2 * BYTE + 1, PIECE = 1 << 14 };

static int32_t largest_of(const int16_t *word)
{
    int32_t largest = 0;
    for (int i = 0; i < 256; i++) {
        const int32_t size = word[i] < 0 ? -word[i] : word[i];
        largest = size > largest ? size : largest;
    }
    return largest;
}

void qnt__words_plan(struct qnt__run *run)
{
    enum { LEAST = 256, MOST = 2 * LEAST };
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_codes *c = &layer->head.input;
    struct qnt__words *w = &run->words;
    const bool centred = (c->flags & QNT_SYMMETRIC) && (c->flags & QNT_SIGNED) && c->zero == 0;
    int32_t x = layer->input_words ? largest_of(layer->input_words) : centred ? BYTE / 2 + 1 : BYTE;
    int32_t weight = layer->table_words ? largest_of(layer->table_words) : -INT16_MIN;
    w->parts = x > BYTE && weight > BYTE ? 2 : 1;
    if (w->parts == 2) x = BYTE;
    w->few = layer->table_words && run->rows * (size_t)w->parts <= QNT__BLOCK_ROWS;
    w->depth = !w->few && (int64_t)MOST * x * weight <= INT32_MAX ? MOST : LEAST;
}

void qnt__stage_words(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q, int64_t at,
                      int64_t step, size_t n, int16_t *out)
{
    const struct qnt__simd *simd = &run->context->simd;
    const qnt_layer *layer = run->layer;
    uint8_t *codes = scratch + run->scratch.bytes;
    int16_t ramp[RAMP];
    const int16_t *word = layer->input_words;
    const int bits = word ? layer->head.input.bits : 8;
    if (!word) {
        for (int v = 0; v < RAMP; v++) ramp[v] = (int16_t)(v - BYTE);
        word = ramp + BYTE - q->zero;
    }
    for (size_t length; n > 0; n -= length, out += length, at += (int64_t)length * step) {
        length = qnt__min(n, QNT__CHUNK);
        if (layer->input_words) qnt__stage_levels(run, scratch, at, step, length, codes);
        else qnt__stage_bytes(run, scratch, q, at, step, length, codes);
        simd->look_up_16(word, bits, codes, length, out);
    }
}

static void split_piece(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    int16_t *low = (int16_t *)(void *)qnt__run_image(run) + index * PIECE;
    (void)worker;
    run->context->simd.split_words(low, qnt__min(run->words.image - index * PIECE, PIECE),
                                   low + run->words.image);
}

qnt_status qnt__stage_words_split(struct qnt__run *run)
{
    if (run->words.parts == 1) return QNT_OK;
    return qnt__run_share(run, split_piece, qnt__ceil_div(run->words.image, PIECE), run->words.image);
}
