/* Packed codes into the order of cells: LD4 reads the bytes of sixteen units apart, so that fields are
 * exchanged between registers. */
#include <arm_neon.h>

#include "../slots.h"

/* Bytes 0 to 3 have the codes 2 j and 2 j + 1; byte j of a cell has j and j + 4. */
static inline uint8x16x4_t order_4(uint8x16x4_t b)
{
    uint8x16x4_t x;
    x.val[0] = vsliq_n_u8(b.val[0], b.val[2], 4);
    x.val[1] = vsriq_n_u8(b.val[2], b.val[0], 4);
    x.val[2] = vsliq_n_u8(b.val[1], b.val[3], 4);
    x.val[3] = vsriq_n_u8(b.val[3], b.val[1], 4);
    return x;
}

/* Exchanges the bits of `mask` of b with those `by` places above of a. */
#define SWAP(a, b, by, mask)                                                                       \
    do {                                                                                           \
        uint8x16_t t = vandq_u8(veorq_u8(vshrq_n_u8(a, by), b), vdupq_n_u8(mask));                 \
        b = veorq_u8(b, t), a = veorq_u8(a, vshlq_n_u8(t, by));                                    \
    } while (0)

/* Field f of byte j becomes field j of byte f. */
static inline uint8x16x4_t order_2(uint8x16x4_t b)
{
    SWAP(b.val[0], b.val[1], 2, 0x33);
    SWAP(b.val[2], b.val[3], 2, 0x33);
    SWAP(b.val[0], b.val[2], 4, 0x0f);
    SWAP(b.val[1], b.val[3], 4, 0x0f);
    return b;
}

void qnt__order_fields_neon(uint8_t *units, size_t n, int bits)
{
    for (; n >= 16; n -= 16, units += 64) {
        uint8x16x4_t b = vld4q_u8(units);
        vst4q_u8(units, bits == 4 ? order_4(b) : order_2(b));
    }
    qnt__order_fields_c(units, n, bits);
}
