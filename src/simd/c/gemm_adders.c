/* Products of bits, three k at a time, in portable C: the definition of what adders find. */
#include "../layout.h"
#include "../slots.h"

/* Bit i of three halves of words is bit i + 4 of the byte of table i. */
static uint32_t half_of(const uint8_t *a, int i)
{
    uint32_t half = 0;
    for (int k = 0; k < QNT__ADDER_GROUPS; k++) half |= (uint32_t)(a[k] >> (4 + i) & 1) << k;
    return half;
}

static uint32_t ones(uint32_t v)
{
    v -= v >> 1 & 0x55555555;
    v = (v & 0x33333333) + (v >> 2 & 0x33333333);
    return ((v + (v >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

void qnt__gemm_adders_c(const struct qnt__gemm_adders *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) g->acc[i * g->ld + c] = 0;
        for (size_t j = 0; j < g->planes; j++) {
            for (size_t half = 0; half < 2 * g->words; half++) {
                const uint8_t *a =
                    g->a + i * g->a_row + j * g->a_plane + half / 3 * QNT__ADDER_GROUPS;
                const uint32_t bits = half_of(a, (int)(half % 3));
                for (size_t c = 0; c < QNT__PANEL * g->panels; c++) {
                    const uint64_t *column = g->b + c / QNT__PANEL * g->b_panel + c % QNT__PANEL;
                    uint64_t word = qnt__bits_word(column, half / 2);
                    uint32_t sum = ones(bits & (uint32_t)(word >> half % 2 * 32));
                    uint32_t *acc = (uint32_t *)&g->acc[i * g->ld + c];
                    *acc += sum << (j + 1);
                }
            }
        }
    }
}
