/* Matrix product with scales for blocks of k, with SDOT. */
#include "../slots.h"
#include "fields.h"

enum { TILE = 4, STEP = 16, SUMS = 4 };

/* 16 k of one panel times `count` rows. */
INLINE void multiply_step(int32x4_t acc[TILE][SUMS], int32x4_t sum[TILE], const int8_t *const *a,
                          size_t k, const uint8_t *cell, int bits, int count)
{
    int8x16_t part[TILE];
    UNROLL for (int r = 0; r < count; r++) {
        part[r] = vld1q_s8(a[r] + k);
        sum[r] = vdotq_s32(sum[r], part[r], vdupq_n_s8(1));
    }
    UNROLL for (int lane = 0; lane < 4; lane++) {
        const uint8_t *at = cell + (size_t)(lane / field_count(bits)) * qnt__cell_bytes(bits);
        UNROLL for (int q = 0; q < 4; q++) {
            IN_ORDER;
            uint8x16_t raw = load_field(at, bits, lane % field_count(bits), q);
            int8x16_t w = vreinterpretq_s8_u8(raw);
            UNROLL for (int r = 0; r < count; r++) {
                int32x4_t x = acc[r][q];
                acc[r][q] = lane == 0 ? vdotq_laneq_s32(x, w, part[r], 0)
                          : lane == 1 ? vdotq_laneq_s32(x, w, part[r], 1)
                          : lane == 2 ? vdotq_laneq_s32(x, w, part[r], 2)
                                      : vdotq_laneq_s32(x, w, part[r], 3);
            }
        }
    }
}

INLINE int32x4_t quarter(const int32x4_t acc[SUMS], int q)
{
    return acc[q];
}

#include "gemm_blocks.h"

void qnt__gemm_blocks_neondot(const struct qnt__gemm_blocks *g)
{
    multiply_blocks(g);
}
