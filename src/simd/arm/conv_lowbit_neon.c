/* Products of codes by TBL: two digits of a triple in one look-up and the third in another, three digits of
 * a six in each; of two sixes by counting the bits of both. */
#include <arm_neon.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define ASSEMBLED 0
#define UNROLL _Pragma("GCC unroll 16")

typedef uint8x16_t vec;
struct index { uint8x16_t low, high; };
struct row { uint8x16_t low, high; };

enum { LANES = 16, PIXELS = 8 };

static const uint8_t products[16][16] = {ROWS_16(ROW_OF_16, 0)};

static const uint8_t sums[64][16] = {ROWS_16(SUMS_16, 0), ROWS_16(SUMS_16, 16),
                                     ROWS_16(SUMS_16, 32), ROWS_16(SUMS_16, 48)};

INLINE struct index load_index(const uint8_t *w, int form)
{
    uint8x16_t x = vld1q_u8(w);
    if (form == QNT__SIXES_ON_SIX) return (struct index){x, x};
    if (form == QNT__TRIPLES)
        return (struct index){vandq_u8(x, vdupq_n_u8(15)), vshrq_n_u8(x, 4)};
    return (struct index){vandq_u8(x, vdupq_n_u8(7)), vshrq_n_u8(x, 3)};
}

INLINE struct row load_row(const uint8_t *x, int form)
{
    if (form == QNT__SIXES_ON_SIX) return (struct row){vld1q_dup_u8(x), vdupq_n_u8(0)};
    if (form == QNT__SIXES_ON_TWO)
        return (struct row){vld1q_u8(sums[x[0] & 63]), vld1q_u8(sums[x[1] & 63])};
    return (struct row){vld1q_u8(products[x[0] & 15]), vld1q_u8(products[x[0] >> 4])};
}

INLINE vec look_up(struct index index, struct row row, int form)
{
    if (form == QNT__SIXES_ON_SIX) return vcntq_u8(vandq_u8(row.low, index.low));
    return vaddq_u8(vqtbl1q_u8(row.low, index.low), vqtbl1q_u8(row.high, index.high));
}

INLINE vec add_8(vec a, vec b)
{
    __asm__("add %0.16b, %0.16b, %1.16b" : "+w"(a) : "w"(b));
    return a;
}

#define WIDE vreinterpretq_u16_u8
#define BYTES vreinterpretq_u8_u16

INLINE vec zero(void) { return vdupq_n_u8(0); }
INLINE vec add_16(vec a, vec b) { return BYTES(vaddq_u16(WIDE(a), WIDE(b))); }
INLINE vec sub_16(vec a, vec b) { return BYTES(vsubq_u16(WIDE(a), WIDE(b))); }
INLINE vec high_16(vec a) { return BYTES(vshrq_n_u16(WIDE(a), 8)); }
INLINE vec low_to_high_16(vec a) { return BYTES(vshlq_n_u16(WIDE(a), 8)); }

INLINE vec set_16(int16_t x) { return vreinterpretq_u8_s16(vdupq_n_s16(x)); }
INLINE vec load(const void *from) { return vld1q_u8(from); }
INLINE vec halves(vec a, vec b) { (void)b; return a; } /* never asked for */
INLINE vec differ(vec a, vec b) { return veorq_u8(a, b); }
INLINE void store_codes(uint8_t *to, vec v) { vst1q_u8(to, v); }

INLINE vec add_reached(vec n, vec s, const vec limit[3], int high)
{
    uint16x8_t reached = vdupq_n_u16(3);
    UNROLL for (int t = 0; t < 3; t++)
        reached = vaddq_u16(reached, vcltq_s16(vreinterpretq_s16_u8(s), vreinterpretq_s16_u8(limit[t])));
    return vorrq_u8(n, BYTES(high ? vshlq_n_u16(reached, 8) : reached));
}

INLINE void store(vec even, vec odd, int32_t *acc, int add)
{
    uint16x8_t low = vzip1q_u16(WIDE(even), WIDE(odd)), high = vzip2q_u16(WIDE(even), WIDE(odd));
    uint16x4_t part[4] = {vget_low_u16(low), vget_high_u16(low), vget_low_u16(high),
                          vget_high_u16(high)};
    UNROLL for (int q = 0; q < 4; q++) {
        int32x4_t sum = vreinterpretq_s32_u32(vmovl_u16(part[q]));
        if (add) sum = vaddq_s32(sum, vld1q_s32(acc + 4 * q));
        vst1q_s32(acc + 4 * q, sum);
    }
}

#include "../lowbit.h"

void qnt__conv_lowbit_neon(const struct qnt__lowbit *g)
{
    convolve(g, NULL);
}

void qnt__codes_lowbit_neon(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    convolve(g, f);
}
