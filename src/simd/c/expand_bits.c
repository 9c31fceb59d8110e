/* Portable definition of bit planes as bytes. */
#include "../layout.h"
#include "../slots.h"

void qnt__expand_bits_c(const struct qnt__expand_bits *e)
{
    const uint32_t all = (1u << e->planes) - 1;
    for (size_t w = 0; w < e->words; w++) {
        for (size_t c = 0; c < QNT__PANEL; c++) {
            uint8_t *cell = e->cells + w * 16 * 64 + 4 * c;
            uint64_t word[7];
            for (size_t i = 0; i < e->planes; i++)
                word[i] = qnt__bits_word(e->b + i * e->b_plane + c, e->first + w);
            for (size_t k = 0; k < 64; k++) {
                uint32_t code = 0;
                for (size_t i = 0; i < e->planes; i++) code |= (uint32_t)(word[i] >> k & 1) << i;
                cell[k / 4 * 64 + k % 4] = (uint8_t)(2 * code - all);
            }
        }
    }
}

/* The number of a column at k, or 0. */
static uint8_t number(const struct qnt__expand_seven *e, int block, size_t column, size_t k)
{
    const uint64_t *b = e->b[block];
    uint32_t code = 0;
    if (!b) return 0;
    for (size_t i = 0; i < e->planes; i++)
        code |=
            (uint32_t)(qnt__bits_word(b + i * e->b_plane + column, e->first[block / 2] + k / 64) >>
                           k % 64 &
                       1)
            << i;
    return (uint8_t)(2 * code - ((1u << e->planes) - 1));
}

void qnt__expand_seven_c(const struct qnt__expand_seven *e)
{
    for (size_t k = 0; k < 64 * e->words; k++) {
        for (size_t c = 0; c < QNT__PANEL; c++) {
            const size_t at = k / 4 * 64 + 4 * c + k % 4;
            uint8_t x[4];
            for (int b = 0; b < 4; b++) x[b] = number(e, b, c, k);
            e->out[0][at] = (uint8_t)(x[0] + x[3]);
            e->out[1][at] = x[0];
            e->out[2][at] = (uint8_t)(x[1] - x[3]);
            e->out[3][at] = (uint8_t)(x[2] - x[0]);
            e->out[4][at] = x[3];
            e->out[5][at] = (uint8_t)(x[0] + x[1]);
            e->out[6][at] = (uint8_t)(x[2] + x[3]);
        }
    }
}
