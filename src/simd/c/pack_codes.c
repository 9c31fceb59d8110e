/* Portable definition of packing codes of 1 to 7 bits without gaps. */
#include "../slots.h"

void qnt__pack_codes_c(const uint8_t *codes, size_t n, int bits, bool stream, uint8_t *packed)
{
    (void)stream;
    uint32_t mask = (1u << bits) - 1u, held = 0;
    int count = 0; /* bits in held */
    for (size_t i = 0; i < n; i++) {
        held |= (codes[i] & mask) << count;
        count += bits;
        if (count >= 8) {
            *packed++ = (uint8_t)held;
            held >>= 8;
            count -= 8;
        }
    }
    if (count > 0) *packed = (uint8_t)held;
}

void qnt__unpack_codes_c(const uint8_t *packed, size_t n, int bits, int sign, uint8_t *codes)
{
    uint32_t mask = (1u << bits) - 1u, top = sign ? 1u << (bits - 1) : 0u, held = 0;
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        if (count < bits) {
            held |= (uint32_t)*packed++ << count;
            count += 8;
        }
        codes[i] = (uint8_t)(((held & mask) ^ top) - top);
        held >>= bits;
        count -= bits;
    }
}
