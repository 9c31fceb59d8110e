/* Tables that belong to columns, for CPUs that have no instruction for more than 16 entries of
 * each. */
#ifndef QNT__SIMD_COLUMNS_H
#define QNT__SIMD_COLUMNS_H

#include "layout.h"

/* bytes: `quads` cells of 8 bits, each byte the number of a level in the table of its column. */
static inline void look_up_columns(const int8_t *levels, size_t step, size_t quads, uint8_t *bytes)
{
    for (size_t c = 0; c < QNT__PANEL; c++, levels += step) {
        uint8_t *column = bytes + 4 * c;
        for (size_t q = 0; q < quads; q++, column += 64) {
            for (size_t j = 0; j < 4; j++) column[j] = (uint8_t)levels[column[j]];
        }
    }
}

#endif
