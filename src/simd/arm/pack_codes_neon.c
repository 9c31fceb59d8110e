/*
 * Packing codes of 1 to 7 bits: neighbours are joined three times, so that eight codes become the
 * low 8 * bits of a 64-bit lane, whose `bits` bytes a table look-up closes up. Unpacking goes back
 * the same way. Sixteen codes are 2 * bits bytes.
 */
#include <arm_neon.h>
#include <string.h>

#include "../slots.h"

/* Shifts by variable counts: to the left, or with a negative count to the right. */
static inline uint8x16_t join(uint8x16_t x, int bits)
{
    uint16x8_t a = vreinterpretq_u16_u8(x);
    a = vorrq_u16(vandq_u16(a, vdupq_n_u16(0xff)),
                  vshlq_u16(vshrq_n_u16(a, 8), vdupq_n_s16((int16_t)bits)));
    uint32x4_t b = vreinterpretq_u32_u16(a);
    b = vorrq_u32(vandq_u32(b, vdupq_n_u32(0xffff)),
                  vshlq_u32(vshrq_n_u32(b, 16), vdupq_n_s32(2 * bits)));
    uint64x2_t c = vreinterpretq_u64_u32(b);
    c = vorrq_u64(vandq_u64(c, vdupq_n_u64(0xffffffffu)),
                  vshlq_u64(vshrq_n_u64(c, 32), vdupq_n_s64(4 * bits)));
    return vreinterpretq_u8_u64(c);
}

/* The upper bits of a byte are those of its neighbour. */
static inline uint8x16_t separate(uint8x16_t x, int bits)
{
    uint64x2_t c = vreinterpretq_u64_u8(x), c_mask = vdupq_n_u64((1ull << 4 * bits) - 1);
    c = vorrq_u64(vandq_u64(c, c_mask), vshlq_n_u64(vshlq_u64(c, vdupq_n_s64(-4 * bits)), 32));
    uint32x4_t b = vreinterpretq_u32_u64(c), b_mask = vdupq_n_u32((1u << 2 * bits) - 1);
    b = vorrq_u32(vandq_u32(b, b_mask), vshlq_n_u32(vshlq_u32(b, vdupq_n_s32(-2 * bits)), 16));
    uint16x8_t a = vreinterpretq_u16_u32(b), a_mask = vdupq_n_u16(0xff);
    a = vorrq_u16(vandq_u16(a, a_mask), vshlq_n_u16(vshlq_u16(a, vdupq_n_s16((int16_t)-bits)), 8));
    return vreinterpretq_u8_u16(a);
}

void qnt__pack_codes_neon(const uint8_t *codes, size_t n, int bits, bool stream, uint8_t *packed)
{
    size_t group = 2 * (size_t)bits, i = 0;
    uint8x16_t mask = vdupq_n_u8((uint8_t)((1 << bits) - 1));
    uint8_t closing[16]; /* byte b of the result comes from here */
    for (size_t b = 0; b < 16; b++) {
        closing[b] = (uint8_t)(b < group / 2 ? b : b < group ? 8 + b - group / 2 : 255);
    }
    uint8x16_t order = vld1q_u8(closing);

    for (; i + 16 <= n; i += 16, packed += group) {
        uint8x16_t joined = join(vandq_u8(vld1q_u8(codes + i), mask), bits);
        uint8x16_t closed = vqtbl1q_u8(joined, order);
        if ((n - i) / 8 * (size_t)bits >= 16) {
            vst1q_u8(packed, closed); /* what is too much, the next groups write again */
        } else {
            uint8_t bytes[16];
            vst1q_u8(bytes, closed);
            memcpy(packed, bytes, group);
        }
    }
    qnt__pack_codes_c(codes + i, n - i, bits, stream, packed);
}

/* Bytes from where packed codes are read to where they are prefetched: callers unpack a few thousand codes,
 * then decode them, and meanwhile memory can bring the next ones. */
enum { AHEAD = 2048 };

void qnt__unpack_codes_neon(const uint8_t *packed, size_t n, int bits, int sign, uint8_t *codes)
{
    size_t group = 2 * (size_t)bits, i = 0;
    uint8x16_t mask = vdupq_n_u8((uint8_t)((1 << bits) - 1));
    uint8x16_t top = vdupq_n_u8((uint8_t)(sign ? 1 << (bits - 1) : 0));
    uint8_t opening[16];
    for (size_t b = 0; b < 16; b++) {
        opening[b] = (uint8_t)(b % 8 < group / 2 ? b % 8 + b / 8 * (group / 2) : 255);
    }
    uint8x16_t order = vld1q_u8(opening);

    for (; i + 16 <= n; i += 16, packed += group) {
        __builtin_prefetch((const void *)((uintptr_t)packed + AHEAD));
        uint8_t bytes[16] = {0};
        const uint8_t *from = packed;
        if ((n - i) / 8 * (size_t)bits < 16) from = memcpy(bytes, packed, group);
        uint8x16_t code = separate(vqtbl1q_u8(vld1q_u8(from), order), bits);
        vst1q_u8(codes + i, vsubq_u8(veorq_u8(vandq_u8(code, mask), top), top));
    }
    qnt__unpack_codes_c(packed, n - i, bits, sign, codes + i);
}
