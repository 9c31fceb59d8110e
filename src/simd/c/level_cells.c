/* Portable definition of turning rows of codes into cells of levels. */
#include "../layout.h"
#include "../slots.h"

void qnt__level_cells_c(const struct qnt__level_cells *c)
{
    const int fields = 8 / c->bits, mask = (1 << c->bits) - 1;
    uint8_t *out = c->out;
    for (size_t e = 0; e < c->quads; e++) {
        for (int f = 0; f < fields; f++, out += 4 * QNT__PANEL) {
            for (size_t i = 0; i < 4 * QNT__PANEL; i++) {
                const size_t row = i / 4;
                const int byte = row < c->columns ? c->rows[row * c->ld + 4 * e + i % 4] : 0;
                out[i] = c->levels[byte >> f * c->bits & mask];
            }
        }
    }
}
