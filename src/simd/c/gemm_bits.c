/* Differing bits of planes in portable C: the definition. */
#include "../slots.h"

#include "../layout.h"

static uint32_t population(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(x * 0x0101010101010101u >> 56);
}

/* Words are `step` apart in the column. */
static uint32_t differing(const uint64_t *row, const uint64_t *column, size_t step, size_t words)
{
    uint64_t parity = 0;
    uint32_t carries = 0;
    for (size_t w = 0; w < words; w += 2) {
        uint64_t x = row[w] ^ column[w * step], s = row[w + 1] ^ column[(w + 1) * step];
        uint64_t odd = parity ^ x;
        carries += population((odd & ~s) | (~odd & parity));
        parity = s;
    }
    return 2 * carries + population(parity);
}

void qnt__gemm_bits_c(const struct qnt__gemm_bits *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) {
            const uint64_t *column = g->b + c / QNT__PANEL * g->b_panel + c % QNT__PANEL;
            uint32_t sum = 0;
            for (size_t j = g->planes; j-- > 0;) {
                const uint64_t *row = g->a + i * g->a_row + j * g->a_plane;
                sum = 2 * sum + differing(row, column, QNT__PANEL, g->words);
            }
            g->acc[i * g->ld + c] = (int32_t)(sum << g->shift);
        }
    }
}

static uint64_t stored(const uint64_t *row, const uint64_t *column, size_t w)
{
    return row[w] ^ column[w * QNT__PANEL];
}

/* Word w of the difference, as it was before odd words became parities. */
static uint64_t difference(const uint64_t *row, const uint64_t *column, size_t w)
{
    uint64_t x = stored(row, column, w);
    if (w % 2 == 0) return x;
    return x ^ stored(row, column, w - 1) ^ (w > 1 ? stored(row, column, w - 2) : 0);
}

void qnt__count_blocks_c(const struct qnt__count_blocks *f)
{
    const struct qnt__gemm_bits *g = &f->bits;
    for (size_t i = 0; i < g->m; i++) {
        const uint64_t *row = g->a + i * g->a_row;
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) {
            const uint64_t *column = g->b + c / QNT__PANEL * g->b_panel + c % QNT__PANEL;
            float *y = f->y + i * f->y_ld + c;
            for (size_t t = 0; t < f->blocks; t++) {
                uint32_t sum = 0;
                for (size_t w = t * f->block; w < (t + 1) * f->block; w++)
                    sum += population(f->sums ? row[w] & qnt__bits_word(column, w)
                                              : difference(row, column, w));
                int32_t less = f->sums ? f->sums[i * f->blocks + t] : 64 * (int32_t)f->block;
                int32_t v = 2 * (int32_t)sum - less;
                float coef = f->by * f->coef[t * f->coef_ld + c], term = (float)v * coef;
                *y = t || f->add ? *y + term : term;
            }
        }
    }
}
