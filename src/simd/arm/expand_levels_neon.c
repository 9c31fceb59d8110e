/* Packed numbers of levels into bytes: one TBL of 64 entries holds the tables of four columns. */
#include "expand.h"

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

void qnt__expand_levels_neon(const struct qnt__expand *e)
{
    if (e->bits == 4)
        expand(e, 4);
    else if (e->bits == 3)
        expand(e, 3);
    else
        expand(e, 2);
}
