/* Packed numbers of levels into bytes: one TBL of 64 entries holds the tables of four columns. */
#include "expand.h"

#include "../columns.h"
#include "../slots.h"

INLINE void expand_own(const struct qnt__expand *e, int bits)
{
    const uint8_t first[16] = {0, 0, 0, 0, 16, 16, 16, 16, 32, 32, 32, 32, 48, 48, 48, 48};
    const uint8x16_t base = vld1q_u8(first);
    const uint8_t *cell = e->cell;
    uint8_t *to = e->out;
    uint8x16x4_t table[4];
    for (int q = 0; q < 4; q++) {
        for (int j = 0; j < 4; j++) {
            table[q].val[j] = vreinterpretq_u8_s8(vld1q_s8(e->levels + 64 * q + 16 * j));
        }
    }
    for (size_t i = 0; i < e->cells; i++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < field_count(bits); f++, to += 64)
        {
            UNROLL for (int q = 0; q < 4; q++)
            {
                uint8x16_t place = vaddq_u8(load_field(cell, bits, f, q), base);
                vst1q_u8(to + 16 * q, vqtbl4q_u8(table[q], place));
            }
        }
    }
}

INLINE void expand(const struct qnt__expand *e, int bits)
{
    if (e->step)
        expand_own(e, bits);
    else
        expand_cells(e->cell, e->cells, bits, e->levels, e->out);
}

/* Quarter q of field f of a cell of 5, 6 or 7 bits. */
INLINE uint8x16_t wide_field(const uint8_t *cell, int bits, int f, int q)
{
    const uint8_t *above = cell + QNT__CELL_HIGH;
    uint8x16_t low = load_field(cell + 64 * (f / 2), 4, f % 2, q);
    if (bits == 5) return vorrq_u8(low, vshlq_n_u8(third_bits(above + 8 * f + 2 * q), 2));
    return vorrq_u8(low, vshlq_n_u8(load_field(above, bits - 4, f, q), 4));
}

/* 32 levels for each column: two TBL hold the tables of four columns. */
static void expand_own_5(const struct qnt__expand *e)
{
    const uint8_t first[16] = {0, 0, 0, 0, 32, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 96};
    const uint8x16_t base = vld1q_u8(first), half = vdupq_n_u8(64);
    UNROLL for (int q = 0; q < 4; q++)
    {
        const uint8_t *cell = e->cell, *levels = (const void *)(e->levels + 128 * q);
        uint8_t *to = e->out + 16 * q;
        uint8x16x4_t low, high;
        for (int j = 0; j < 4; j++) {
            low.val[j] = vld1q_u8(levels + 16 * j), high.val[j] = vld1q_u8(levels + 64 + 16 * j);
        }
        for (size_t i = 0; i < e->cells; i++, cell += qnt__cell_bytes(5)) {
            UNROLL for (int f = 0; f < 4; f++, to += 64)
            {
                uint8x16_t place = vaddq_u8(wide_field(cell, 5, f, q), base);
                uint8x16_t level = vqtbl4q_u8(low, place); /* 0 beyond */
                vst1q_u8(to, vqtbx4q_u8(level, high, vsubq_u8(place, half)));
            }
        }
    }
}

/* Numbers of levels first, then all of them are looked up. */
INLINE void expand_wide(const struct qnt__expand *e, int bits)
{
    const uint8_t *cell = e->cell;
    uint8_t *to = e->out;
    for (size_t i = 0; i < e->cells; i++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < 4; f++, to += 64)
        {
            UNROLL for (int q = 0; q < 4; q++) vst1q_u8(to + 16 * q, wide_field(cell, bits, f, q));
        }
    }
    if (e->step)
        look_up_columns(e->levels, e->step, 4 * e->cells, e->out);
    else
        qnt__look_up_8_neon((const void *)e->levels, bits, e->out, 256 * e->cells, e->out);
}

void qnt__expand_levels_neon(const struct qnt__expand *e)
{
    if (e->bits == 7)
        expand_wide(e, 7);
    else if (e->bits == 6)
        expand_wide(e, 6);
    else if (e->bits == 5 && e->step)
        expand_own_5(e);
    else if (e->bits == 5)
        expand_wide(e, 5);
    else if (e->bits == 4)
        expand(e, 4);
    else if (e->bits == 3)
        expand(e, 3);
    else
        expand(e, 2);
}
