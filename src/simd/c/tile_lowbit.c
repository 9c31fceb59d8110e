/* Convolutions of digits in tiles: minimal filtering, as slots_lowbit.h writes it down. */
#include <stdbool.h>

#include "../layout.h"
#include "../lowbit_packed.h"
#include "../slots.h"

enum { COLUMNS = QNT__LOWBIT_COLUMNS, TILE = QNT__LOWBIT_TILE };

/* Numbers of a line of a tile, as far as there are any. */
static void filter_across(const int d[6], size_t width, int to[6])
{
    if (width < TILE) {
        to[0] = 4 * (d[0] - d[2]);
        to[1] = -3 * (d[1] + d[2]);
        to[2] = 3 * (d[1] - d[2]);
        to[5] = d[3] - d[1];
        return;
    }
    to[0] = 4 * d[0] - 5 * d[2] + d[4];
    to[1] = -4 * (d[1] + d[2]) + d[3] + d[4];
    to[2] = 4 * (d[1] - d[2]) - d[3] + d[4];
    to[3] = 2 * (d[3] - d[1]) - d[2] + d[4];
    to[4] = 2 * (d[1] - d[3]) - d[2] + d[4];
    to[5] = 4 * d[1] - 5 * d[3] + d[5];
}

/* Whether tiles of that width have places j. */
static bool has_places(size_t width, size_t j)
{
    return width == TILE || (j != 3 && j != 4);
}

void qnt__tile_pixels_c(const struct qnt__lowbit_pixels *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t b = 0; b < p->bytes; b++) {
            int down[4][6];
            for (size_t j = 0; j < p->width + 2; j++) {
                const size_t at = (p->width * i + j) * p->step + b;
                const int d0 = p->line[0][at], d1 = p->line[1][at], d2 = p->line[2][at],
                          d3 = p->line[3][at];
                down[0][j] = d0 - d2, down[1][j] = d1 + d2, down[2][j] = d2 - d1,
                down[3][j] = d3 - d1;
            }
            for (size_t r = 0; r < 4; r++) {
                int row[6];
                filter_across(down[r], p->width, row);
                for (size_t j = 0; j < 6; j++)
                    if (has_places(p->width, j))
                        p->to[(4 * j + r) * p->ld + i * p->bytes + b] =
                            (uint8_t)(row[j] + QNT__LOWBIT_RAISE);
            }
        }
    }
}

/* Number k of column c of the filters of place r; without a table they are there. */
static int filter(const struct qnt__lowbit_products *p, size_t r, size_t k, size_t c)
{
    const size_t depth = qnt__cell_depth(8), bytes = qnt__cell_bytes(8),
                 cell = c / QNT__PANEL * (p->depth / depth) + k / depth, column = c % QNT__PANEL;
    if (!p->table)
        return qnt__cell_code(p->filters + r * p->filters_ld + cell * bytes, 8, column, k % depth);
    const uint8_t *taps = p->filters + 3 * cell * bytes + depth * column + k % depth;
    const int r0 = p->table[taps[0]], r1 = p->table[taps[bytes]], r2 = p->table[taps[2 * bytes]];
    switch (r) {
    case 0: return 2 * r0;
    case 1: return r0 + r1 + r2;
    case 2: return r0 - r1 + r2;
    default: return 2 * r2;
    }
}

/* One product of place r. */
static uint32_t product(const struct qnt__lowbit_products *p, size_t r, size_t i, size_t c)
{
    const uint8_t *x = p->pixels + r * p->ld + i * p->step;
    uint32_t sum = 0;
    for (size_t k = 0; k < p->depth; k++) sum += (uint32_t)(x[k] * filter(p, r, k, c));
    return sum;
}

/* Where in a row of pairs a column is, and whether it is the high word. */
static size_t pair_of(size_t c)
{
    return c / 32 * 16 + c % 16;
}

static bool is_high(size_t c)
{
    return c / 16 % 2;
}

/* Low words are written first. */
static void keep(const struct qnt__lowbit_products *p, int32_t *row, size_t c, uint32_t sum)
{
    if (!p->paired) {
        row[c] = (int32_t)sum;
        return;
    }
    int32_t *pair = row + pair_of(c);
    const uint32_t half = sum >> 1 & 0xffff;
    *pair = (int32_t)(is_high(c) ? (uint32_t)*pair | half << 16 : half);
}

static void multiply(const struct qnt__lowbit_products *p)
{
    const size_t columns = p->panels * QNT__PANEL, row = qnt__lowbit_row(p->paired, columns);
    for (size_t i = 0; i < p->n; i++) {
        for (size_t c = 0; c < columns; c++) {
            const uint32_t m1 = product(p, 1, i, c) + (uint32_t)p->start[c],
                           m2 = product(p, 2, i, c) + (uint32_t)p->start[COLUMNS + c];
            keep(p, p->sums[0] + i * row, c, product(p, 0, i, c) + m1 + m2);
            keep(p, p->sums[1] + i * row, c, m1 - m2 + product(p, 3, i, c));
        }
    }
}

void qnt__multiply_tiles_c(const struct qnt__lowbit_products *p)
{
    struct qnt__lowbit_products ready = *p;
    ready.table = NULL;
    multiply(&ready);
}

void qnt__multiply_taps_c(const struct qnt__lowbit_products *p)
{
    struct qnt__lowbit_products made = *p;
    made.paired = false;
    multiply(&made);
}

/* Number j of line r of tile i, for one column; of a pair the word, which is enough modulo 2^16. */
static uint32_t load_sum(const struct qnt__lowbit_tiles *t, size_t i, size_t c, size_t r, size_t j)
{
    const int32_t *row = t->m + (2 * j + r) * t->ld + i * qnt__lowbit_row(t->paired, t->columns);
    if (!t->paired) return (uint32_t)row[c];
    return (uint32_t)row[pair_of(c)] >> (is_high(c) ? 16 : 0);
}

/* y of line r of tile i, for one column, `width` of them. */
static void join_line(const struct qnt__lowbit_tiles *t, size_t i, size_t c, size_t r,
                      uint32_t y[TILE])
{
    uint32_t m[6] = {0};
    for (size_t j = 0; j < 6; j++)
        if (has_places(t->width, j)) m[j] = load_sum(t, i, c, r, j);
    const uint32_t p = 4 * (m[1] + m[2]), q = 4 * (m[1] - m[2]), s = m[3] + m[4], d = m[3] - m[4];
    y[0] = 2 * m[0] + s - p;
    y[1] = 2 * d - q;
    y[2] = 4 * s - p;
    y[3] = 8 * (d + m[5]) - q;
    if (t->width < TILE) y[1] = y[3];
}

/* y >> n of two's complement. */
static int32_t shift(uint32_t y, int n)
{
    const uint32_t sign = 1u << (31 - n);
    return (int32_t)(((y >> n) ^ sign) - sign);
}

/* What is compared with thresholds. */
static int32_t find_s(const struct qnt__lowbit_tiles *t, uint32_t y)
{
    return t->paired ? (int32_t)((y * 0xaaab & 0xffff) ^ 0x8000) - 0x8000 : shift(y, 5);
}

static uint8_t count(const struct qnt__lowbit_tiles *t, size_t c, uint32_t y)
{
    const int32_t s = t->wide ? shift(y, 0) ^ t->wide[3 * COLUMNS + c] : find_s(t, y) ^ t->flip[c];
    int reached = 0;
    for (size_t k = 0; k < 3; k++)
        reached += s >= (t->wide ? t->wide[k * COLUMNS + c] : t->limit[k * COLUMNS + c]);
    return (uint8_t)reached;
}

void qnt__join_tiles_c(const struct qnt__lowbit_tiles *t)
{
    if (t->limit && t->triples) {
        qnt__join_packed(t, qnt__join_tiles_c, qnt__pack_lowbit_c);
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c++) {
            for (size_t r = 0; r < 2; r++) {
                uint32_t y[TILE];
                join_line(t, i, c, r, y);
                for (size_t j = 0; j < t->width; j++) {
                    const size_t at = i * t->apart + j * t->step + c;
                    if (t->limit)
                        t->codes[r][at] = count(t, c, y[j]);
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
