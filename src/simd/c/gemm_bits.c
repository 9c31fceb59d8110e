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
