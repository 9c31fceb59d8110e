/* Decoding cells to floats, 4 columns at a time; one TBL of 64 bytes looks up 16 levels. */
#include "fields.h"

#include "../slots.h"

struct decoder {
    uint8x16x4_t table; /* 16 levels, over and over */
    int32x4_t bias[4];  /* affine: what is subtracted from a field, of each four columns */
    int shift, mask;    /* levels: the place is (field + shift) & mask */
    int loads;          /* one by one: tables for each column, or more than 16 levels */
};

INLINE struct decoder make_decoder(const struct qnt__decode_cells *d, int bits)
{
    const int stored = bits == 8 ? 0 : 1 << (bits - 1), size = 1 << d->level_bits;
    struct decoder r = {.shift = size / 2 - stored, .mask = size - 1};
    for (int q = 0; q < 4; q++) {
        r.bias[q] = vdupq_n_s32(stored);
        if (d->zero) r.bias[q] = vaddq_s32(r.bias[q], vld1q_s32(d->zero + 4 * q));
    }
    r.loads = d->levels && (d->step != 0 || d->level_bits > 4);
    float all[16] = {0};
    for (int i = 0; d->levels && !r.loads && i < 16; i++) all[i] = d->levels[i & (size - 1)];
    for (int i = 0; i < 4; i++) r.table.val[i] = vreinterpretq_u8_f32(vld1q_f32(all + 4 * i));
    return r;
}

/* Levels of 4 columns from column c on. */
INLINE float32x4_t find_levels(const struct decoder *r, const struct qnt__decode_cells *d,
                               int32x4_t v, size_t c)
{
    uint32x4_t place = vreinterpretq_u32_s32(vaddq_s32(v, vdupq_n_s32(r->shift)));
    place = vandq_u32(place, vdupq_n_u32((uint32_t)r->mask));
    if (r->loads) {
        uint32_t at[4];
        float level[4];
        vst1q_u32(at, place);
        for (size_t i = 0; i < 4; i++) level[i] = d->levels[(c + i) * d->step + at[i]];
        return vld1q_f32(level);
    }
    uint32x4_t bytes = vaddq_u32(vmulq_n_u32(place, 0x04040404u), vdupq_n_u32(0x03020100u));
    return vreinterpretq_f32_u8(vqtbl4q_u8(r->table, vreinterpretq_u8_u32(bytes)));
}

INLINE float32x4_t decode_quarter(const struct decoder *r, const struct qnt__decode_cells *d,
                                  int32x4_t v, int q)
{
    const float32x4_t scale = vld1q_f32(d->scale + 4 * q);
    if (d->levels) return vmulq_f32(find_levels(r, d, v, 4 * (size_t)q), scale);
    float32x4_t y = vmulq_f32(vcvtq_f32_s32(vsubq_s32(v, r->bias[q])), scale);
    return d->offset ? vaddq_f32(y, vld1q_f32(d->offset + 4 * q)) : y;
}

INLINE void decode_field(const struct decoder *r, const struct qnt__decode_cells *d, int bits,
                         const uint8_t *cell, int f, float *out)
{
    UNROLL for (int q = 0; q < 4; q++)
    {
        uint32x4_t field = vreinterpretq_u32_u8(load_field(cell, bits, f, q));
        UNROLL for (int j = 0; j < 4; j++)
        {
            uint32x4_t top = vshlq_u32(field, vdupq_n_s32(24 - 8 * j));
            int32x4_t v = bits == 8 ? vshrq_n_s32(vreinterpretq_s32_u32(top), 24)
                                    : vreinterpretq_s32_u32(vshrq_n_u32(top, 24));
            vst1q_f32(out + j * QNT__PANEL + 4 * q, decode_quarter(r, d, v, q));
        }
    }
}

#include "../decode_cells.h"

void qnt__decode_cells_neon(const struct qnt__decode_cells *d)
{
    decode_cells(d);
}
