/* Ranks among thresholds, and levels by code, in portable C: the definition. */
#include "../pack_ranks.h"

void qnt__rank_f32_c(const struct qnt__thresholds *t, const float *x, size_t n, uint8_t *ranks)
{
    for (size_t i = 0; i < n; i++) {
        int32_t rank = 0;
        for (int32_t half = 1 << t->steps >> 1; half > 0; half >>= 1) {
            rank += x[i] > t->value[rank + half - 1] ? half : 0;
        }
        ranks[i] = (uint8_t)(x[i] == x[i] ? rank : t->nan);
    }
}

QNT__PACK_RANKS(qnt__pack_ranks_c, c, c)

void qnt__look_up_f32_c(const float *table, int bits, const uint8_t *codes, size_t n, float *levels)
{
    for (size_t i = 0; i < n; i++) levels[i] = table[codes[i] & ((1 << bits) - 1)];
}
