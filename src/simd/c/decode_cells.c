/* Portable definition of decoding the cells of a panel to floats. */
#include "../layout.h"
#include "../slots.h"

static float decode(const struct qnt__decode_cells *d, size_t c, int code)
{
    if (d->levels) {
        int size = 1 << d->level_bits;
        return d->levels[c * d->step + (size_t)((code + size / 2) & (size - 1))] * d->scale[c];
    }
    float y = (float)(code - (d->zero ? d->zero[c] : 0)) * d->scale[c];
    return d->offset ? y + d->offset[c] : y;
}

void qnt__decode_cells_c(const struct qnt__decode_cells *d)
{
    const size_t depth = qnt__cell_depth(d->bits), bytes = qnt__cell_bytes(d->bits);
    float *out = d->out;
    for (size_t k = d->first; k < d->end; k++, out += QNT__PANEL) {
        const uint8_t *cell = d->cell + k / depth * bytes;
        for (size_t c = 0; c < QNT__PANEL; c++) {
            out[c] = decode(d, c, qnt__cell_code(cell, d->bits, c, k % depth));
        }
    }
}
