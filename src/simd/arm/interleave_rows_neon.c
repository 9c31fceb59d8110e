/* Sixteen rows become cells: blocks of 4 x 4 units of four bytes are transposed in registers. */
#include <arm_neon.h>

#include "../layout.h"
#include "../slots.h"

static inline uint32x4_t row(const uint8_t *from)
{
    return vreinterpretq_u32_u8(vld1q_u8(from));
}

static inline uint64x2_t wide(uint32x4_t v)
{
    return vreinterpretq_u64_u32(v);
}

/* Four cells of four rows. */
static inline void transpose(const uint8_t *from, size_t ld, uint8_t *to)
{
    uint32x4_t a = row(from), b = row(from + ld), c = row(from + 2 * ld), d = row(from + 3 * ld);
    uint64x2_t ab = wide(vtrn1q_u32(a, b)), cd = wide(vtrn1q_u32(c, d));
    uint64x2_t ab_odd = wide(vtrn2q_u32(a, b)), cd_odd = wide(vtrn2q_u32(c, d));
    vst1q_u8(to, vreinterpretq_u8_u64(vtrn1q_u64(ab, cd)));
    vst1q_u8(to + 64, vreinterpretq_u8_u64(vtrn1q_u64(ab_odd, cd_odd)));
    vst1q_u8(to + 128, vreinterpretq_u8_u64(vtrn2q_u64(ab, cd)));
    vst1q_u8(to + 192, vreinterpretq_u8_u64(vtrn2q_u64(ab_odd, cd_odd)));
}

void qnt__interleave_rows_neon(const void *rows, size_t columns, size_t ld, size_t quads,
                               void *cells)
{
    const uint8_t *from = rows;
    uint8_t *to = cells;
    size_t e = 0;
    for (; columns == QNT__PANEL && e + 4 <= quads; e += 4, from += 16, to += 4 * 64) {
        for (size_t c = 0; c < QNT__PANEL; c += 4) transpose(from + c * ld, ld, to + 4 * c);
    }
    qnt__interleave_rows_c(from, columns, ld, quads - e, to);
}
