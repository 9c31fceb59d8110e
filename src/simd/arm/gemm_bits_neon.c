/* Differing bits of planes with CNT: populations of bytes, added as bytes, then widened. */
#include <arm_neon.h>

#include "../layout.h"
#include "../slots.h"

enum { PAIRS = QNT__PANEL / 2, RUN = 31 /* pairs of words whose populations bytes hold */ };

static inline uint8x16_t population(uint64x2_t x)
{
    return vcntq_u8(vreinterpretq_u8_u64(x));
}

static inline uint64x2_t not_u64(uint64x2_t x)
{
    return vreinterpretq_u64_u8(vmvnq_u8(vreinterpretq_u8_u64(x)));
}

static inline uint64x2_t sum_bytes(uint8x16_t x)
{
    return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(x)));
}

/* Differing bits of one row's plane and four vectors of two columns. */
static inline void count(const uint64_t *a, const uint64_t *b, size_t words, uint64x2_t out[4])
{
    uint64x2_t parity[4], carries[4];
    for (int h = 0; h < 4; h++) parity[h] = carries[h] = vdupq_n_u64(0);
    for (size_t w = 0; w < words;) {
        size_t end = words - w > 2 * RUN ? w + 2 * RUN : words;
        uint8x16_t bytes[4];
        for (int h = 0; h < 4; h++) bytes[h] = vdupq_n_u8(0);
        for (; w < end; w += 2, b += 2 * QNT__PANEL) {
            uint64x2_t a0 = vdupq_n_u64(a[w]), a1 = vdupq_n_u64(a[w + 1]);
            for (int h = 0; h < 4; h++) {
                uint64x2_t x = veorq_u64(vld1q_u64(b + 2 * h), a0);
                uint64x2_t s = veorq_u64(vld1q_u64(b + 2 * h + QNT__PANEL), a1);
                uint64x2_t odd = veorq_u64(x, parity[h]);
                bytes[h] = vaddq_u8(bytes[h], population(vbslq_u64(odd, not_u64(s), parity[h])));
                parity[h] = s;
            }
        }
        for (int h = 0; h < 4; h++) carries[h] = vaddq_u64(carries[h], sum_bytes(bytes[h]));
    }
    for (int h = 0; h < 4; h++) {
        out[h] = vaddq_u64(vaddq_u64(carries[h], carries[h]), sum_bytes(population(parity[h])));
    }
}

void qnt__gemm_bits_neon(const struct qnt__gemm_bits *g)
{
    for (size_t p = 0; p < g->panels; p++) {
        for (size_t q = 0; q < PAIRS; q += 4) {
            const uint64_t *b = g->b + p * g->b_panel + 2 * q;
            for (size_t i = 0; i < g->m; i++) {
                const uint64_t *a = g->a + i * g->a_row;
                uint64x2_t sum[4], found[4];
                for (int h = 0; h < 4; h++) sum[h] = vdupq_n_u64(0);
                for (size_t j = g->planes; j-- > 0;) {
                    count(a + j * g->a_plane, b, g->words, found);
                    for (int h = 0; h < 4; h++)
                        sum[h] = vaddq_u64(vaddq_u64(sum[h], sum[h]), found[h]);
                }
                int32_t *to = g->acc + i * g->ld + p * QNT__PANEL + 2 * q;
                for (int h = 0; h < 4; h++) {
                    vst1_s32(to + 2 * h, vreinterpret_s32_u32(
                                             vmovn_u64(vshlq_u64(sum[h], vdupq_n_s64(g->shift)))));
                }
            }
        }
    }
}
