/* What comes before and after Strassen's seven products, 16 bytes at a time. */
#include <arm_neon.h>

#include "../slots.h"

enum { BYTES = 16, LANES = 4 };

void qnt__five_sums_neon(const struct qnt__five_sums *s)
{
    const uint8x16_t raise = vdupq_n_u8(s->raise);
    struct qnt__five_sums rest = *s;
    size_t i = 0;
    for (; i + BYTES <= s->n; i += BYTES) {
        uint8x16_t x[4];
        for (int b = 0; b < 4; b++) x[b] = vld1q_u8(rest.x[b] + i);
        vst1q_u8(rest.out[0] + i, vaddq_u8(x[0], x[3]));
        vst1q_u8(rest.out[1] + i, vaddq_u8(x[0], x[1]));
        vst1q_u8(rest.out[2] + i, vaddq_u8(x[2], x[3]));
        vst1q_u8(rest.out[3] + i, vaddq_u8(vsubq_u8(x[1], x[3]), raise));
        vst1q_u8(rest.out[4] + i, vaddq_u8(vsubq_u8(x[2], x[0]), raise));
    }
    rest.n -= i;
    for (int b = 0; b < 4; b++) rest.x[b] += i;
    for (int o = 0; o < 5; o++) rest.out[o] += i;
    qnt__five_sums_c(&rest);
}

static void put(const struct qnt__join_seven *j, size_t block, size_t i, int32x4_t x)
{
    int32_t *to = j->sums + block * j->step + i;
    vst1q_s32(to, j->add ? vaddq_s32(x, vld1q_s32(to)) : x);
}

void qnt__join_seven_neon(const struct qnt__join_seven *j)
{
    size_t i = 0;
    for (; i + LANES <= j->n; i += LANES) {
        int32x4_t m[7];
        for (size_t p = 0; p < 7; p++) m[p] = vld1q_s32(j->products + p * j->pitch + i);
        put(j, 0, i, vaddq_s32(vsubq_s32(m[0], m[4]), vaddq_s32(m[3], m[6])));
        put(j, 1, i, vaddq_s32(m[2], m[4]));
        put(j, 2, i, vaddq_s32(m[1], m[3]));
        put(j, 3, i, vaddq_s32(vsubq_s32(m[0], m[1]), vaddq_s32(m[2], m[5])));
    }
    struct qnt__join_seven rest = *j;
    rest.products += i, rest.sums += i, rest.n -= i;
    qnt__join_seven_c(&rest);
}
