/* Portable definition of looking up levels. */
#include "../slots.h"

void qnt__look_up_8_c(const uint8_t *table, int bits, const uint8_t *codes, size_t n, uint8_t *levels)
{
    (void)bits;
    for (size_t i = 0; i < n; i++) levels[i] = table[codes[i]];
}

void qnt__look_up_16_c(const int16_t *table, int bits, const uint8_t *codes, size_t n, int16_t *levels)
{
    (void)bits;
    for (size_t i = 0; i < n; i++) levels[i] = table[codes[i]];
}
