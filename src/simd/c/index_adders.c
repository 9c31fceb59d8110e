/* Codes as adders take them, in portable C. */
#include "../slots.h"

enum { HALF = 32 /* codes of half a word */ };

/* Eight codes of each of three halves of words: bit `plane` of each. */
static uint64_t three_bits(const uint8_t *codes, size_t plane)
{
    const uint64_t each = 0x0101010101010101;
    uint64_t x[3];
    for (size_t h = 0; h < 3; h++) __builtin_memcpy(&x[h], codes + h * HALF, sizeof x[h]);
    return (x[0] >> plane & each) << 4 | (x[1] >> plane & each) << 5 | (x[2] >> plane & each) << 6;
}

void qnt__index_adders_c(const uint8_t *codes, size_t chunks, size_t planes, size_t plane,
                         uint8_t *to)
{
    for (size_t c = 0; c < chunks; c++, codes += 3 * HALF, to += QNT__ADDER_GROUPS) {
        for (size_t j = 0; j < planes; j++) {
            for (size_t g = 0; g < QNT__ADDER_GROUPS; g += 8) {
                uint64_t eight = three_bits(codes + g, j);
                __builtin_memcpy(to + j * plane + g, &eight, sizeof eight);
            }
        }
    }
}
