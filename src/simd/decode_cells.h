/*
 * Walking over the cells that qnt__decode_cells() decodes, four k at a time, which is what a field
 * holds.
 *
 * The file that includes this has defined INLINE, UNROLL, struct decoder and
 *
 *     make_decoder(d, bits): whatever the next one needs
 *     decode_field(decoder, d, bits, cell, f, out): the four k of field f, [4][16]; f is a
 * constant.
 */
#ifndef QNT__SIMD_DECODE_CELLS_H
#define QNT__SIMD_DECODE_CELLS_H

#include <string.h>

#include "layout.h"
#include "slots.h"

/* The part of a field's four k, of which k is the first, that is asked for. */
INLINE float *decode_part(const struct decoder *decoder, const struct qnt__decode_cells *d,
                          int bits, const uint8_t *cell, int f, size_t k, float *out)
{
    if (k + 4 <= d->first || k >= d->end) return out;
    if (k >= d->first && k + 4 <= d->end) {
        decode_field(decoder, d, bits, cell, f, out);
        return out + 4 * QNT__PANEL;
    }
    float all[4 * QNT__PANEL];
    size_t from = k < d->first ? d->first - k : 0, to = d->end - k < 4 ? d->end - k : 4;
    decode_field(decoder, d, bits, cell, f, all);
    memcpy(out, all + from * QNT__PANEL, (to - from) * QNT__PANEL * sizeof *out);
    return out + (to - from) * QNT__PANEL;
}

INLINE void decode_bits(const struct qnt__decode_cells *d, int bits)
{
    const struct decoder decoder = make_decoder(d, bits);
    const size_t depth = qnt__cell_depth(bits), skip = d->first / depth;
    const uint8_t *cell = d->cell + skip * qnt__cell_bytes(bits);
    float *out = d->out;
    for (size_t k = skip * depth; k < d->end; k += depth, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < (int)qnt__cell_depth(bits) / 4; f++)
        {
            out = decode_part(&decoder, d, bits, cell, f, k + 4 * (size_t)f, out);
        }
    }
}

/* One copy of the code for each width. */
static void decode_8(const struct qnt__decode_cells *d)
{
    decode_bits(d, 8);
}
static void decode_4(const struct qnt__decode_cells *d)
{
    decode_bits(d, 4);
}
static void decode_3(const struct qnt__decode_cells *d)
{
    decode_bits(d, 3);
}
static void decode_2(const struct qnt__decode_cells *d)
{
    decode_bits(d, 2);
}

static void decode_cells(const struct qnt__decode_cells *d)
{
    if (d->bits == 8)
        decode_8(d);
    else if (d->bits == 4)
        decode_4(d);
    else if (d->bits == 3)
        decode_3(d);
    else
        decode_2(d);
}

#endif
