/* Portable definition of what comes before and after Strassen's seven products. */
#include "../slots.h"

void qnt__five_sums_c(const struct qnt__five_sums *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const uint8_t x11 = s->x[0][i], x12 = s->x[1][i], x21 = s->x[2][i], x22 = s->x[3][i];
        s->out[0][i] = (uint8_t)(x11 + x22);
        s->out[1][i] = (uint8_t)(x11 + x12);
        s->out[2][i] = (uint8_t)(x21 + x22);
        s->out[3][i] = (uint8_t)(x12 - x22 + s->raise);
        s->out[4][i] = (uint8_t)(x21 - x11 + s->raise);
    }
}

void qnt__join_seven_c(const struct qnt__join_seven *j)
{
    for (size_t i = 0; i < j->n; i++) {
        uint32_t m[7];
        for (size_t p = 0; p < 7; p++) m[p] = (uint32_t)j->products[p * j->pitch + i];
        const uint32_t block[4] = {m[0] + m[3] - m[4] + m[6], m[2] + m[4], m[1] + m[3],
                                   m[0] - m[1] + m[2] + m[5]};
        for (size_t b = 0; b < 4; b++) {
            int32_t *sum = &j->sums[b * j->step + i];
            *sum = (int32_t)(block[b] + (j->add ? (uint32_t)*sum : 0));
        }
    }
}
