/* Convolutions of digits in tiles: minimal filtering, as slots_lowbit.h writes it down. */
#include "../slots.h"

enum { COLUMNS = QNT__LOWBIT_COLUMNS, TILE = QNT__LOWBIT_TILE };

void qnt__tile_pixels_c(const struct qnt__lowbit_pixels *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t b = 0; b < p->bytes; b++) {
            int down[4][6];
            uint8_t *to = p->to + i * p->bytes + b;
            for (size_t j = 0; j < 6; j++) {
                const size_t at = (TILE * i + j) * p->bytes + b;
                const int d0 = p->line[0][at], d1 = p->line[1][at], d2 = p->line[2][at],
                          d3 = p->line[3][at];
                down[0][j] = d0 - d2, down[1][j] = d1 + d2, down[2][j] = d2 - d1,
                down[3][j] = d1 - d3;
            }
            for (size_t r = 0; r < 4; r++) {
                const int *d = down[r];
                const int row[6] = {
                    4 * d[0] - 5 * d[2] + d[4],      -4 * (d[1] + d[2]) + d[3] + d[4],
                    4 * (d[1] - d[2]) - d[3] + d[4], 2 * (d[3] - d[1]) - d[2] + d[4],
                    2 * (d[1] - d[3]) - d[2] + d[4], 4 * d[1] - 5 * d[3] + d[5]};
                for (size_t j = 0; j < 6; j++, to += p->ld)
                    *to = (uint8_t)(row[j] + QNT__LOWBIT_RAISE);
            }
        }
    }
}

/* y of line r of tile i, for one column. */
static void join_line(const struct qnt__lowbit_tiles *t, size_t i, size_t c, size_t r,
                      uint32_t y[TILE])
{
    uint32_t m[6];
    for (size_t j = 0; j < 6; j++) {
        const int32_t *at = t->m + j * t->ld + i * COLUMNS + c;
        const size_t down = 6 * t->ld;
        m[j] = r ? (uint32_t)at[down] - (uint32_t)at[2 * down] - (uint32_t)at[3 * down]
                 : (uint32_t)at[0] + (uint32_t)at[down] + (uint32_t)at[2 * down];
    }
    const uint32_t p = 4 * (m[1] + m[2]), q = 4 * (m[1] - m[2]), s = m[3] + m[4], d = m[3] - m[4];
    y[0] = 2 * m[0] + s - p;
    y[1] = 2 * d - q;
    y[2] = 4 * s - p;
    y[3] = 8 * (d + m[5]) - q;
    for (size_t j = 0; j < TILE; j++) y[j] += (uint32_t)t->bias[(TILE * r + j) * COLUMNS + c];
}

/* y >> n of two's complement. */
static int32_t shift(uint32_t y, int n)
{
    const uint32_t sign = 1u << (31 - n);
    return (int32_t)(((y >> n) ^ sign) - sign);
}

static uint8_t count(const struct qnt__lowbit_tiles *t, size_t c, int32_t s)
{
    int reached = 0;
    for (size_t k = 0; k < 3; k++) reached += (s ^ t->flip[c]) >= t->limit[k * COLUMNS + c];
    return (uint8_t)reached;
}

void qnt__join_tiles_c(const struct qnt__lowbit_tiles *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c++) {
            for (size_t r = 0; r < 2; r++) {
                uint32_t y[TILE];
                join_line(t, i, c, r, y);
                for (size_t j = 0; j < TILE; j++) {
                    const size_t at = (TILE * i + j) * t->step + c;
                    if (t->limit)
                        t->codes[r][at] = count(t, c, shift(y[j], 5));
                    else
                        t->sums[r][at] = (int32_t)((uint32_t)shift(y[j], 4) * 0xaaaaaaabu);
                }
            }
        }
    }
}

void qnt__unpack_lowbit_c(const uint8_t *x, size_t n, size_t channels, uint8_t *to, size_t to_step)
{
    const size_t triples = (channels + 2) / 3;
    for (size_t i = 0; i < n; i++, x += triples, to += to_step) {
        for (size_t c = 0; c < channels; c++) to[c] = x[c % triples] >> 2 * (c / triples) & 3;
        for (size_t c = channels; c < to_step; c++) to[c] = 0;
    }
}
