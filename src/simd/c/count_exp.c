/* Portable definition of bit planes and of counting exponent sums. */
#include <string.h>

#include "../slots.h"

void qnt__slice_codes_c(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    memset(planes, 0, (size_t)bits * words * sizeof *planes);
    for (size_t i = 0; i < n; i++) {
        for (int p = 0; p < bits; p++) {
            planes[(size_t)p * words + i / 64] |= (uint64_t)(codes[i] >> p & 1) << i % 64;
        }
    }
}

/* The field or sign of one element: `count` planes from plane `first`. */
static size_t gather(const struct qnt__count_exp *c, const uint64_t *planes, size_t i, int first,
                     int count)
{
    size_t value = 0;
    for (int p = 0; p < count; p++) {
        uint64_t word = planes[(size_t)(first + p) * c->words + i / 64];
        value |= (size_t)(word >> i % 64 & 1) << p;
    }
    return value;
}

void qnt__count_exp_c(const struct qnt__count_exp *c)
{
    size_t levels = ((size_t)1 << c->bits) - 1;
    int32_t *sums = c->counts, *of_a = sums + 2 * levels - 1, *of_b = of_a + levels;
    int32_t *all = of_b + levels;
    for (size_t i = 0; i < 64 * c->words; i++) {
        size_t f = gather(c, c->a, i, 0, c->bits), g = gather(c, c->b, i, 0, c->bits);
        if (f == 0 || g == 0) continue;
        size_t differ = gather(c, c->a, i, c->bits, 1) ^ gather(c, c->b, i, c->bits, 1);
        int32_t s = differ ? -1 : 1;
        sums[f + g - 2] += s;
        if (c->parts & QNT__COUNT_OF_B) of_b[g - 1] += s;
        if (!(c->parts & QNT__COUNT_OF_A)) continue;
        of_a[f - 1] += s;
        *all += s;
    }
}
