/* Portable definition of turning rows into cells of 16 columns. */
#include <string.h>

#include "../layout.h"
#include "../slots.h"

void qnt__interleave_rows_c(const void *rows, size_t columns, size_t ld, size_t quads, void *cells)
{
    const uint8_t *from = rows;
    uint8_t *to = cells;
    for (size_t e = 0; e < quads; e++, from += 4, to += 4 * QNT__PANEL) {
        for (size_t c = 0; c < columns; c++) memcpy(to + 4 * c, from + c * ld, 4);
        memset(to + 4 * columns, 0, 4 * (QNT__PANEL - columns));
    }
}
