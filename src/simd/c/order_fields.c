/* Portable definition of putting packed codes into the order of cells: a transposition of 4 x 2 or 4 x 4
 * fields in each unit of 32 bits, by swaps (Warren, Hacker's Delight, 7-2 and 7-3). */
#include "../slots.h"

/* Exchanges the bits of `mask` with those `by` places above. */
static uint32_t swap_bits(uint32_t x, int by, uint32_t mask)
{
    const uint32_t t = (x ^ x >> by) & mask;
    return x ^ t ^ t << by;
}

void qnt__order_fields_c(uint8_t *units, size_t n, int bits)
{
    for (uint8_t *u = units; u < units + 4 * n; u += 4) {
        uint32_t x = u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
        if (bits == 4) {
            x = swap_bits(x, 8, 0x0000ff00);
            x = swap_bits(x, 4, 0x00f000f0);
        } else {
            x = swap_bits(x, 6, 0x00cc00cc);
            x = swap_bits(x, 12, 0x0000f0f0);
        }
        u[0] = (uint8_t)x, u[1] = (uint8_t)(x >> 8), u[2] = (uint8_t)(x >> 16),
        u[3] = (uint8_t)(x >> 24);
    }
}
