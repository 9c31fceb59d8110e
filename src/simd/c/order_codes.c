/* Portable definition of putting codes of a row into the order that packed codes of another one have as
 * fields of cells: a transposition of 4 x 2 or 4 x 4 bytes. */
#include <string.h>

#include "../slots.h"

void qnt__order_codes_c(uint8_t *codes, size_t n, int bits)
{
    const size_t fields = (size_t)(8 / bits), group = 4 * fields;
    for (uint8_t *to = codes; to < codes + n; to += group) {
        uint8_t from[16];
        memcpy(from, to, group);
        for (size_t i = 0; i < group; i++) to[i] = from[i % 4 * fields + i / 4];
    }
}
