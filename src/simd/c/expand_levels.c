/* Portable definition of turning packed numbers of levels into bytes. */
#include "../layout.h"
#include "../slots.h"

void qnt__expand_levels_c(const struct qnt__expand *e)
{
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(e->bits);
    const int bias = 1 << (e->bits - 1);
    uint8_t *out = e->out;
    for (; cell < end; cell += qnt__cell_bytes(e->bits)) {
        for (size_t k = 0; k < qnt__cell_depth(e->bits); k += 4, out += 64) {
            for (size_t i = 0; i < 64; i++) {
                int field = qnt__cell_code(cell, e->bits, i / 4, k + i % 4) + bias;
                out[i] = (uint8_t)e->levels[i / 4 * e->step + (size_t)field];
            }
        }
    }
}
