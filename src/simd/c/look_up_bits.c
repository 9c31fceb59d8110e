/* Bit planes by tables of sums, and as bytes, in portable C: the definition. */
#include "../layout.h"
#include "../slots.h"

enum { NIBBLES = 16, ENTRIES = 16 };

void qnt__tabulate_bits_c(const uint8_t *codes, size_t words, uint8_t *tables)
{
    for (size_t n = 0; n < NIBBLES * words; n++, codes += 4) {
        uint8_t *table = tables + (n / NIBBLES * NIBBLES + qnt__bits_table(n % NIBBLES)) * ENTRIES;
        table[0] = 0;
        for (size_t t = 0; t < 4; t++) {
            size_t half = (size_t)1 << t; /* entries without code t */
            for (size_t e = 0; e < half; e++) table[half + e] = (uint8_t)(table[e] + codes[t]);
        }
    }
}

static uint32_t sum(const uint8_t *tables, const uint64_t *column, size_t first, size_t words)
{
    uint32_t sum = 0;
    tables += first * NIBBLES * ENTRIES;
    for (size_t w = first; w < first + words; w++, tables += NIBBLES * ENTRIES) {
        uint64_t word = qnt__bits_word(column, w);
        for (size_t n = 0; n < NIBBLES; n++, word >>= 4)
            sum += tables[qnt__bits_table(n) * ENTRIES + (word & 15)];
    }
    return sum;
}

/* Of some words of row i and column c. */
static uint32_t sum_both(const struct qnt__look_up_bits *g, size_t i, size_t c, size_t first,
                         size_t words)
{
    const uint8_t *tables = g->tables + i * g->row;
    const uint64_t *column = g->b + c / QNT__PANEL * g->b_panel + c % QNT__PANEL;
    uint32_t v = 2 * sum(tables, column, first, words);
    return g->high ? v + 32 * sum(tables + g->high, column, first, words) : v;
}

void qnt__look_up_bits_c(const struct qnt__look_up_bits *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++)
            g->acc[i * g->ld + c] = (int32_t)sum_both(g, i, c, 0, g->words);
    }
}

void qnt__look_up_blocks_c(const struct qnt__look_up_blocks *f)
{
    const struct qnt__look_up_bits *g = &f->bits;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) {
            float *y = f->y + i * f->y_ld + c;
            for (size_t t = 0; t < f->blocks; t++) {
                uint32_t v = sum_both(g, i, c, t * f->block, f->block);
                v -= (uint32_t)f->sums[i * f->blocks + t];
                float term = (float)(int32_t)v * f->coef[t * f->coef_ld + c];
                *y = t || f->add ? *y + term : term;
            }
        }
    }
}
