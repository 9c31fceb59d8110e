/* Looking up the fields of packed cells with TBL. */
#ifndef QNT__SIMD_ARM_EXPAND_H
#define QNT__SIMD_ARM_EXPAND_H

#include "fields.h"

/* The levels of `cells` cells as cells of 64 bytes, one for each field. */
INLINE void expand_cells(const uint8_t *cell, size_t cells, int bits, const int8_t *levels, uint8_t *to)
{
    int8_t all[16] = {0};
    memcpy(all, levels, (size_t)1 << bits);
    const uint8x16_t table = vreinterpretq_u8_s8(vld1q_s8(all));
    for (size_t e = 0; e < cells; e++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < field_count(bits); f++, to += 64) {
            UNROLL for (int q = 0; q < 4; q++) {
                vst1q_u8(to + 16 * q, vqtbl1q_u8(table, load_field(cell, bits, f, q)));
            }
        }
    }
}

#endif
