/* Convolutions of digits in tiles: minimal filtering, F(2 x 2, 3 x 3), as slots_lowbit.h writes it down. */
#include "../slots.h"

void qnt__tile_pixels_c(const struct qnt__lowbit_pixels *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t b = 0; b < p->bytes; b++) {
            int down[4][4];
            uint8_t *to = p->to + i * p->bytes + b;
            for (size_t j = 0; j < 4; j++) {
                const size_t at = (2 * i + j) * p->bytes + b;
                const int d0 = p->line[0][at], d1 = p->line[1][at], d2 = p->line[2][at],
                          d3 = p->line[3][at];
                down[0][j] = d0 - d2, down[1][j] = d1 + d2, down[2][j] = d2 - d1, down[3][j] = d1 - d3;
            }
            for (size_t r = 0; r < 4; r++, to += 4 * p->ld) {
                const int *v = down[r];
                const int row[4] = {v[0] - v[2], v[1] + v[2], v[2] - v[1], v[1] - v[3]};
                for (size_t j = 0; j < 4; j++) to[j * p->ld] = (uint8_t)(row[j] + QNT__LOWBIT_RAISE);
            }
        }
    }
}

/* v / 4, rounded down. */
static int32_t quarter(uint32_t v)
{
    return (int32_t)((v >> 2 ^ 1u << 29) - (1u << 29));
}

/* The two pixels of line r of a tile, for one column. */
static void join_line(const struct qnt__lowbit_tiles *t, size_t i, size_t c, int r, int32_t sum[2])
{
    uint32_t row[4];
    for (size_t j = 0; j < 4; j++) {
        const int32_t *m = t->m + j * t->ld + i * QNT__LOWBIT_COLUMNS + c;
        const size_t down = 4 * t->ld;
        row[j] = r ? (uint32_t)m[down] - (uint32_t)m[2 * down] - (uint32_t)m[3 * down]
                   : (uint32_t)m[0] + (uint32_t)m[down] + (uint32_t)m[2 * down];
    }
    const int32_t *bias = t->bias + 2 * r * QNT__LOWBIT_COLUMNS + c;
    sum[0] = quarter(row[0] + row[1] + row[2] + (uint32_t)bias[0]);
    sum[1] = quarter(row[1] - row[2] - row[3] + (uint32_t)bias[QNT__LOWBIT_COLUMNS]);
}

void qnt__join_tiles_c(const struct qnt__lowbit_tiles *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c++) {
            for (int r = 0; r < 2; r++) {
                int32_t sum[2];
                join_line(t, i, c, r, sum);
                for (size_t j = 0; j < 2; j++) {
                    const size_t at = (2 * i + j) * QNT__LOWBIT_COLUMNS + c;
                    if (!t->limit) {
                        t->sums[r][at] = sum[j];
                        continue;
                    }
                    int count = 0;
                    for (size_t k = 0; k < 3; k++)
                        count += (sum[j] ^ t->flip[c]) >= t->limit[k * QNT__LOWBIT_COLUMNS + c];
                    t->codes[r][at] = (uint8_t)count;
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
