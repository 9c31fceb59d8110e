/* Codes of a row into the order of fields, sixteen at a time: see the portable version. */
#include <arm_neon.h>

#include "../slots.h"

void qnt__order_codes_neon(uint8_t *codes, size_t n, int bits)
{
    static const uint8_t orders[2][16] = {{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
                                          {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15}};
    const uint8x16_t order = vld1q_u8(orders[bits == 4]);
    for (; n >= 16; n -= 16, codes += 16) vst1q_u8(codes, vqtbl1q_u8(vld1q_u8(codes), order));
    qnt__order_codes_c(codes, n, bits);
}
