/*
 * Quantized inputs of a product of floats become the values that their codes stand for; floats are
 * encoded first, so that they and their codes give the same result.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"
#include "stage.h"

/* NaN becomes the code of the value nearest to 0, the lowest of those that are equally near. */
static int32_t rank_of_nan(const struct qnt__book *book, const float *value, int bits)
{
    const float infinity = qnt__f32_of_bits(0x7f800000u);
    int32_t nan = 0;
    for (int32_t i = 1; i < 1 << bits && book->threshold[i - 1] < infinity; i++) {
        if (fabsf(value[book->code[i]]) < fabsf(value[book->code[nan]])) nan = i;
    }
    return nan;
}

void qnt__stage_decoded_open(struct qnt__run *run)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__book *book = layer->input_book;
    struct qnt__thresholds *t = &run->levels.thresholds;
    t->steps = layer->head.input.bits;
    t->nan = rank_of_nan(book, layer->input_values, t->steps);
    memcpy(t->value, book->threshold, sizeof t->value);
}

static void encode(const struct qnt__run *run, const struct qnt__affine *q, const float *x, size_t n,
                   uint8_t *codes)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__thresholds *t = &run->levels.thresholds;
    if (!run->layer->input_book) {
        simd->encode_8(q, x, n, codes);
        return;
    }
    simd->rank_f32(t, x, n, codes);
    simd->look_up_8(run->layer->input_book->code, t->steps, codes, n, codes);
}

static void decode(const struct qnt__run *run, const struct qnt__affine *q, const uint8_t *codes,
                   size_t n, float *y)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__layer_codes *c = &run->layer->head.input;
    const float signs[2] = {-q->scale, q->scale};
    if (run->layer->input_values)
        simd->look_up_f32(run->dynamic ? signs : run->layer->input_values, c->bits, codes, n, y);
    else if (c->flags & QNT_SIGNED)
        simd->decode_s8(q, (const int8_t *)codes, n, y);
    else
        simd->decode_u8(q, codes, n, y);
}

void qnt__stage_decoded(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                        int64_t at, int64_t step, size_t n, float *out)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__view *x = &run->x;
    const bool floats = x->code == QNT_FLOAT || x->code == QNT_BFLOAT;
    uint8_t *codes = scratch + run->scratch.bytes;
    for (size_t length; n > 0; n -= length, out += length, at += (int64_t)length * step) {
        length = qnt__min(n, QNT__CHUNK);
        if (floats) {
            qnt__read_f32(simd, x, at, step, length, out);
            encode(run, q, out, length, codes);
        } else {
            qnt__read_codes(simd, x, at, step, length, codes);
        }
        decode(run, q, codes, length, out);
    }
}
