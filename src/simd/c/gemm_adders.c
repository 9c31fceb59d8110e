/* Products of bits, three k at a time, in portable C: the definition of what adders find. */
#include "../layout.h"
#include "../slots.h"

enum { COLUMNS = QNT__ADDER_PANELS * QNT__PANEL };

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

static void add_plane(const struct qnt__gemm_adders *g, const uint8_t *a, const uint64_t *b,
                      int shift, uint32_t *sums)
{
    for (size_t half = 0; half < 2 * g->words; half++) {
        const uint32_t bits = half_of(a + half / 3 * QNT__ADDER_GROUPS, (int)(half % 3));
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) {
            const uint64_t *column = b + c / QNT__PANEL * g->b_panel + c % QNT__PANEL;
            uint64_t word = qnt__bits_word(column, half / 2);
            sums[c] += ones(bits & (uint32_t)(word >> half % 2 * 32)) << shift;
        }
    }
}

/* Sums are integers. */
void qnt__gemm_adders_c(const struct qnt__gemm_adders *g)
{
    for (size_t i = 0; i < g->m; i++) {
        uint32_t *sums = (uint32_t *)(void *)g->sums + i * COLUMNS;
        for (size_t c = 0; c < COLUMNS; c++) sums[c] = 0;
        for (size_t l = 0; l < g->b_planes; l++) {
            for (size_t j = 0; j < g->planes; j++)
                add_plane(g, g->a + i * g->a_row + j * g->a_plane, g->b + l * g->b_plane,
                          (int)(j + l + 1), sums);
        }
    }
}

void qnt__read_adders_c(const struct qnt__gemm_adders *g, size_t row, size_t m, const int32_t *less,
                        int32_t *acc)
{
    for (size_t i = 0; i < m; i++, acc += g->ld) {
        const uint32_t *sums = (const uint32_t *)(const void *)g->sums + (row + i) * COLUMNS,
                       minus = less ? (uint32_t)less[i] : 0;
        for (size_t c = 0; c < QNT__PANEL * g->panels; c++) acc[c] = (int32_t)(sums[c] - minus);
    }
}
