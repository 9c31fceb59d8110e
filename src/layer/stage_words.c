/*
 * Inputs of QNT__WORDS become int16: what input codes stand for, or codes less their zero point, so that
 * padding is 0. Where words of both sides exceed a byte (words_run.c), behind their image there is one of
 * residues, or they are two numbers, x = 256 high + low, an image of low ones and one of high ones.
 */
#include "base/arith.h"
#include "stage.h"

enum { BYTE = 255, HALF = 128, RAMP = 2 * BYTE + 1, PIECE = 1 << 14 };

static int32_t largest_of(const int16_t *word)
{
    int32_t largest = 0;
    for (int i = 0; i < 256; i++) {
        const int32_t size = word[i] < 0 ? -word[i] : word[i];
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* Modulo 255, within -127..127. */
static void find_residues(const int16_t *word, int8_t residue[256])
{
    for (int i = 0; i < 256; i++) {
        const int r = word[i] % 255;
        residue[i] = (int8_t)(r > 127 ? r - 255 : r < -127 ? r + 255 : r);
    }
}

void qnt__words_plan(struct qnt__run *run)
{
    enum { FEW = 256, CELL = 16 };
    const qnt_layer *layer = run->layer;
    const struct qnt__layer_shape *s = &layer->shape;
    const struct qnt__layer_codes *c = &layer->head.input;
    if (qnt__words_plan_bytes(run)) return;
    struct qnt__words *w = &run->words;
    const bool centred = (c->flags & QNT_SYMMETRIC) && (c->flags & QNT_SIGNED) && c->zero == 0;
    int32_t x = layer->input_words ? largest_of(layer->input_words) : centred ? HALF : BYTE;
    int32_t weight = layer->table_words ? largest_of(layer->table_words) : -INT16_MIN;
    w->both = x > BYTE && weight > BYTE;
    w->few = layer->table_words && run->rows * (w->both ? 2 : 1) <= QNT__BLOCK_ROWS;
    w->residues = w->both && layer->table_words && !w->few && run->context->simd.fast_bytes;
    w->parts = w->both && !w->residues ? 2 : 1;
    if (w->residues) find_residues(layer->table_words, w->part[0]);
    if (w->parts == 2) x = HALF;
    const uint64_t limit = w->residues ? QNT__RESIDUE_LIMIT : INT32_MAX;
    const uint64_t largest = qnt__max((size_t)x * (size_t)weight, 1); /* product */
    const uint64_t exact = limit / largest / CELL * CELL;
    const size_t most = w->few ? FEW : exact < QNT__WORDS_DEPTH ? (size_t)exact : QNT__WORDS_DEPTH;
    const size_t all =
        layer->head.block ? (size_t)layer->head.block : s->tap_count * s->panel_depth;
    w->depth = qnt__round_up(qnt__ceil_div(all, qnt__max(qnt__ceil_div(all, most), 1)), CELL);
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
    const size_t n = qnt__min(run->words.image - index * PIECE, PIECE);
    uint8_t *behind = qnt__run_image(run) + 2 * run->words.image;
    if (run->words.bytes)
        run->context->simd.bytes_of_words(low, n, behind + index * PIECE,
                                          behind + run->words.image + index * PIECE);
    else if (run->words.residues)
        run->context->simd.residues_255(low, n, behind + index * PIECE);
    else
        run->context->simd.split_words(low, n, low + run->words.image);
}

qnt_status qnt__stage_words_split(struct qnt__run *run)
{
    const bool bytes = run->words.bytes && run->words.input_parts == 2;
    if (run->words.parts < 2 && !run->words.residues && !bytes) return QNT_OK;
    return qnt__run_share(run, split_piece, qnt__ceil_div(run->words.image, PIECE), run->words.image);
}
