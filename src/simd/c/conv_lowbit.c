/* Products of digits and what thresholds make of them, one after the other. */
#include "../slots.h"

/* Of two triples. */
static int32_t dot(unsigned a, unsigned b)
{
    return (int32_t)((a & 3) * (b & 3) + (a >> 2 & 3) * (b >> 2 & 3) + (a >> 4 & 3) * (b >> 4 & 3));
}

/* Three bits as a triple. */
static unsigned spread(unsigned bits)
{
    return (bits & 1) | (bits & 2) << 1 | (bits & 4) << 2;
}

/* A byte of weights with what it meets. */
static int32_t product(enum qnt__lowbit_form form, const uint8_t *x, unsigned weight)
{
    if (form == QNT__TRIPLES) return dot(x[0], weight);
    const unsigned low = form == QNT__SIXES_ON_SIX ? spread(x[0]) : x[0];
    const unsigned high = form == QNT__SIXES_ON_SIX ? spread(x[0] >> 3) : x[1];
    return dot(low, spread(weight)) + dot(high, spread(weight >> 3));
}

static void sum_pixel(const struct qnt__lowbit *g, size_t block, size_t i, int32_t *acc)
{
    for (int c = 0; c < QNT__LOWBIT_COLUMNS; c++) acc[c] = 0;
    for (size_t d = 0; d < g->depth; d++) {
        const size_t two = 2 * d < g->last ? 2 * d : g->last;
        const size_t place = i * g->step + (g->form == QNT__SIXES_ON_TWO ? two : d);
        for (size_t p = 0; p < g->tap_count; p++) {
            const uint8_t *weight =
                g->weight + block * g->weight_ld + (d * g->tap_count + p) * QNT__LOWBIT_COLUMNS;
            const uint8_t *x = g->x + g->taps[p] + (ptrdiff_t)place;
            for (int c = 0; c < QNT__LOWBIT_COLUMNS; c++) acc[c] += product(g->form, x, weight[c]);
        }
    }
}

void qnt__conv_lowbit_c(const struct qnt__lowbit *g)
{
    int32_t *acc = g->acc;
    for (size_t b = 0; b < g->blocks; b++)
        for (size_t i = 0; i < g->m; i++, acc += QNT__LOWBIT_COLUMNS) sum_pixel(g, b, i, acc);
}

/* The number below 2^15 in magnitude that is x modulo 2^16. */
static int32_t wrap_16(int32_t x)
{
    return (int32_t)(((uint32_t)x + 0x8000u) & 0xffffu) - 0x8000;
}

static void find_codes(const struct qnt__lowbit_codes *f, size_t block, size_t i,
                       const int32_t *acc)
{
    const int16_t *flip = f->flip + block * f->limit_ld;
    uint8_t *codes = f->codes + i * f->step + block * QNT__LOWBIT_COLUMNS;
    for (int c = 0; c < QNT__LOWBIT_COLUMNS; c++) {
        const int32_t z = -f->zero * qnt__lowbit_box(&f->box, i, c);
        const int at = c % 2 * (QNT__LOWBIT_COLUMNS / 2) + c / 2; /* even channels first */
        const int16_t *limit =
            f->limit + block * f->limit_ld + (z & f->half) * 3 * QNT__LOWBIT_COLUMNS;
        const int32_t s = wrap_16(acc[c] - (z >> f->half)) ^ flip[at];
        int count = 0;
        for (int t = 0; t < 3; t++) count += s >= limit[t * QNT__LOWBIT_COLUMNS + at];
        codes[c] = (uint8_t)count;
    }
}

void qnt__codes_lowbit_c(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    int32_t acc[QNT__LOWBIT_COLUMNS];
    for (size_t b = 0; b < g->blocks; b++) {
        for (size_t i = 0; i < g->m; i++) {
            sum_pixel(g, b, i, acc);
            find_codes(f, b, i, acc);
        }
    }
}
