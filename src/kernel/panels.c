/* Packing signed codes into the panels of simd/layout.h. */
#include "panels.h"

#include <string.h>

#include "base/arith.h"

int qnt__panel_bits(int bits)
{
    return bits <= 2 ? 2 : bits <= 4 ? bits : 8;
}

int qnt__place_bits(int bits)
{
    return bits <= 2 ? 2 : bits;
}

size_t qnt__panel_depth(size_t depth, int panel_bits)
{
    return qnt__round_up(depth, qnt__cell_depth(panel_bits));
}

size_t qnt__panel_bytes(size_t tap_count, size_t depth, int panel_bits)
{
    size_t cells = qnt__ceil_div(depth, qnt__cell_depth(panel_bits));
    return tap_count * cells * qnt__cell_bytes(panel_bits);
}

static void put_mask_bit(uint8_t *masks, size_t c, size_t k, unsigned bit)
{
    size_t at = 4 * c + k % 4;
    uint8_t *mask = masks + 8 * (k / 4) + at / 8;
    *mask = (uint8_t)(*mask | bit << at % 8);
}

/* Writes a field below 5 bits into its cell, whose bits are 0 there. */
static void put_narrow(uint8_t *cell, int bits, size_t c, size_t k, unsigned raw)
{
    uint8_t *at = cell + 4 * c + k % 4;
    const size_t field = k / 4;
    if (bits == 1) {
        put_mask_bit(cell, c, k, raw);
    } else if (bits == 4) {
        *at = (uint8_t)(*at | raw << 4 * field);
    } else {
        *at = (uint8_t)(*at | (raw & 3) << 2 * field);
        if (bits == 3) put_mask_bit(cell + 64, c, k, raw >> 2);
    }
}

/* The same of a code below 8 bits. */
static void put(uint8_t *cell, int bits, size_t c, size_t k, int code)
{
    unsigned raw = (unsigned)(code + (1 << (bits - 1)));
    if (!qnt__cell_is_wide(bits)) {
        put_narrow(cell, bits, c, k, raw);
        return;
    }
    put_narrow(cell + 64 * (k / 8), 4, c, k % 8, raw & 15);
    put_narrow(cell + QNT__CELL_HIGH, bits - 4, c, k, raw >> 4);
}

/* Whole bytes: a column's quads of k go where they are. */
static void pack_bytes(const int8_t *codes, size_t columns, size_t ld, size_t tap_count,
                       size_t depth, uint8_t *panel)
{
    size_t cells = qnt__ceil_div(depth, 4), whole = depth / 4;
    for (size_t t = 0; t < tap_count; t++, codes += depth, panel += 64 * cells) {
        for (size_t c = 0; c < columns; c++) {
            const int8_t *from = codes + c * ld;
            uint8_t *to = panel + 4 * c;
            for (size_t e = 0; e < whole; e++) memcpy(to + 64 * e, from + 4 * e, 4);
            if (whole < cells) memcpy(to + 64 * whole, from + 4 * whole, depth % 4);
        }
    }
}

void qnt__pack_panel(const int8_t *codes, size_t columns, size_t ld, size_t tap_count, size_t depth,
                     int panel_bits, uint8_t *panel)
{
    size_t cell_depth = qnt__cell_depth(panel_bits), cell_bytes = qnt__cell_bytes(panel_bits);

    memset(panel, 0, qnt__panel_bytes(tap_count, depth, panel_bits));
    if (panel_bits == 8) {
        pack_bytes(codes, columns, ld, tap_count, depth, panel);
        return;
    }
    for (size_t t = 0; t < tap_count; t++) {
        for (size_t first = 0; first < depth; first += cell_depth, panel += cell_bytes) {
            for (size_t c = 0; c < QNT__PANEL; c++) {
                for (size_t k = 0; k < cell_depth; k++) {
                    bool inside = c < columns && first + k < depth;
                    int code = inside ? codes[c * ld + t * depth + first + k] : 0;
                    put(panel, panel_bits, c, k, code);
                }
            }
        }
    }
}
