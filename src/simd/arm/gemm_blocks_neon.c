/* Matrix product with scales for blocks of k, with widening multiplications: the four products of a narrow
 * cell add up in 16 bits; an 8-bit product stands alone there. */
#include "../slots.h"
#include "fields.h"

enum { TILE = 2, STEP = 16, SUMS = 8 };

/* One cell times the same k of `count` rows: fields first, first + 1, ... of the 16 k in `part`.
 * acc[r][2 q] and acc[r][2 q + 1] hold two sums each of the four columns of quarter q. */
INLINE void multiply_cell(int32x4_t acc[TILE][SUMS], int8x16_t quad[TILE][4], int first,
                          const uint8_t *cell, int bits, int count)
{
    UNROLL for (int q = 0; q < 4; q++) {
        IN_ORDER;
        int16x8_t low[TILE], high[TILE];
        int8x16_t w = vreinterpretq_s8_u8(load_field(cell, bits, 0, q));
        UNROLL for (int r = 0; r < count; r++) {
            low[r] = vmull_s8(vget_low_s8(w), vget_low_s8(quad[r][first]));
            high[r] = vmull_high_s8(w, quad[r][first]);
        }
        UNROLL for (int f = 1; f < field_count(bits); f++) {
            w = vreinterpretq_s8_u8(load_field(cell, bits, f, q));
            UNROLL for (int r = 0; r < count; r++) {
                low[r] = vmlal_s8(low[r], vget_low_s8(w), vget_low_s8(quad[r][first + f]));
                high[r] = vmlal_high_s8(high[r], w, quad[r][first + f]);
            }
        }
        UNROLL for (int r = 0; r < count; r++) {
            acc[r][2 * q] = vpadalq_s16(acc[r][2 * q], low[r]);
            acc[r][2 * q + 1] = vpadalq_s16(acc[r][2 * q + 1], high[r]);
        }
    }
}

/* 16 k of one panel times `count` rows. */
INLINE void multiply_step(int32x4_t acc[TILE][SUMS], int32x4_t sum[TILE], const int8_t *const *a,
                          size_t k, const uint8_t *cell, int bits, int count)
{
    int8x16_t quad[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        int8x16_t part = vld1q_s8(a[r] + k);
        int32x4_t word = vreinterpretq_s32_s8(part);
        sum[r] = vpadalq_s16(sum[r], vpaddlq_s8(part));
        quad[r][0] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 0));
        quad[r][1] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 1));
        quad[r][2] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 2));
        quad[r][3] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 3));
    }
    UNROLL for (int first = 0; first < 4; first += field_count(bits)) {
        multiply_cell(acc, quad, first, cell, bits, count);
        cell += qnt__cell_bytes(bits);
    }
}

INLINE int32x4_t quarter(const int32x4_t acc[SUMS], int q)
{
    return vpaddq_s32(acc[2 * q], acc[2 * q + 1]);
}

#include "gemm_blocks.h"

void qnt__gemm_blocks_neon(const struct qnt__gemm_blocks *g)
{
    multiply_blocks(g);
}
