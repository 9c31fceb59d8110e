/* Bit planes by tables of six codes in portable C: the definition. */
#include "../layout.h"
#include "../slots.h"

enum { SIX = 6, ENTRIES = 64, WORD = 64 };

void qnt__tabulate_six_c(const uint8_t *codes, size_t words, uint8_t *tables)
{
    for (size_t t = 0; t < QNT__SIXES * words; t++, tables += ENTRIES) {
        const uint8_t *word = codes + t / QNT__SIXES * WORD;
        for (size_t e = 0; e < ENTRIES; e++) {
            uint8_t sum = 0;
            for (size_t i = 0; i < SIX; i++) {
                size_t k = qnt__bits_six(t % QNT__SIXES, i);
                if (k < WORD && e >> i & 1) sum = (uint8_t)(sum + word[k]);
            }
            tables[e] = sum;
        }
    }
}

static size_t index_of(uint64_t word, size_t t)
{
    size_t index = 0;
    for (size_t i = 0; i < SIX; i++) {
        size_t k = qnt__bits_six(t, i);
        if (k < WORD) index |= (size_t)(word >> k & 1) << i;
    }
    return index;
}

void qnt__look_up_six_c(const struct qnt__look_up_bits *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) {
            const uint64_t *column = g->b + c / QNT__PANEL * g->b_panel + c % QNT__PANEL;
            const uint8_t *table = g->tables + i * g->row;
            uint32_t sum = 0;
            for (size_t w = 0; w < g->words; w++) {
                uint64_t word = qnt__bits_word(column, w);
                for (size_t t = 0; t < QNT__SIXES; t++, table += ENTRIES)
                    sum += table[index_of(word, t)];
            }
            g->acc[i * g->ld + c] = (int32_t)(2 * sum);
        }
    }
}
