/* Three digits in a byte, or six, and sums over them, one after the other. */
#include "../slots.h"

void qnt__pack_lowbit_c(const uint8_t *codes, size_t step, size_t n, size_t triples, uint8_t *to,
                        size_t to_step)
{
    for (size_t i = 0; i < n; i++, codes += step, to += to_step) {
        for (size_t t = 0; t < triples; t++)
            to[t] = (uint8_t)(codes[t] | codes[triples + t] << 2 | codes[2 * triples + t] << 4);
    }
}

void qnt__digits_lowbit_c(const uint8_t *x, size_t n, size_t step, size_t triples, int32_t *sum)
{
    for (size_t i = 0; i < n; i++, x += step) {
        sum[i] = 0;
        for (size_t t = 0; t < triples; t++)
            sum[i] += (x[t] & 3) + (x[t] >> 2 & 3) + (x[t] >> 4 & 3);
    }
}

int qnt__join_lowbit_c(const uint8_t *x, size_t n, size_t step, size_t triples, uint8_t *to,
                       size_t to_step)
{
    unsigned all = 0;
    for (size_t i = 0; i < n; i++, x += step, to += to_step) {
        size_t t = 0;
        for (; t + 2 <= triples; t += 2) to[t / 2] = qnt__lowbit_six(x[t], x[t + 1]);
        if (t < triples) to[t / 2] = qnt__lowbit_six(0, x[t]);
        for (t = 0; t < triples; t++) all |= x[t];
    }
    return (all & QNT__HIGH_BITS) == 0;
}
