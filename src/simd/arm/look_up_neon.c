/* Looking up levels with TBL and TBX, 64 entries of the table at a time. */
#include <arm_neon.h>
#include <string.h>

#include "../slots.h"

struct table {
    uint8x16x4_t piece[4];
    int pieces;
};

static inline struct table load_table(const uint8_t *entries, int bits)
{
    uint8_t all[256] = {0};
    struct table t = {.pieces = bits <= 6 ? 1 : 1 << (bits - 6)};
    memcpy(all, entries, (size_t)1 << bits);
    for (int i = 0; i < t.pieces; i++) {
        for (int q = 0; q < 4; q++) t.piece[i].val[q] = vld1q_u8(all + 64 * i + 16 * q);
    }
    return t;
}

static inline uint8x16_t look_up(const struct table *t, uint8x16_t codes)
{
    uint8x16_t found = vqtbl4q_u8(t->piece[0], codes);
    for (int i = 1; i < t->pieces; i++) { /* an index that is not in the piece leaves what was found */
        codes = vsubq_u8(codes, vdupq_n_u8(64));
        found = vqtbx4q_u8(found, t->piece[i], codes);
    }
    return found;
}

void qnt__look_up_8_neon(const uint8_t *table, int bits, const uint8_t *codes, size_t n,
                         uint8_t *levels)
{
    struct table t = load_table(table, bits);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) vst1q_u8(levels + i, look_up(&t, vld1q_u8(codes + i)));
    qnt__look_up_8_c(table, bits, codes + i, n - i, levels + i);
}

void qnt__look_up_16_neon(const int16_t *table, int bits, const uint8_t *codes, size_t n,
                          int16_t *levels)
{
    uint8_t bytes[2][256];
    size_t i = 0;
    for (size_t e = 0; e < (size_t)1 << bits; e++) {
        bytes[0][e] = (uint8_t)table[e];
        bytes[1][e] = (uint8_t)((uint16_t)table[e] >> 8);
    }
    struct table low = load_table(bytes[0], bits), high = load_table(bytes[1], bits);
    for (; i + 16 <= n; i += 16) {
        uint8x16_t x = vld1q_u8(codes + i), a = look_up(&low, x), b = look_up(&high, x);
        vst1q_s16(levels + i, vreinterpretq_s16_u8(vzip1q_u8(a, b)));
        vst1q_s16(levels + i + 8, vreinterpretq_s16_u8(vzip2q_u8(a, b)));
    }
    qnt__look_up_16_c(table, bits, codes + i, n - i, levels + i);
}
