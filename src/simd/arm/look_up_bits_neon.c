/*
 * Bit planes by tables of sums with NEON: TBL looks 16 columns up in the table of four codes. Sums
 * stay bytes as long as they fit, then 16 bits for the words whose indices are in the first-level
 * cache.
 */
#include <arm_neon.h>

#include "../layout.h"
#include "../slots.h"
#include "plane_words_neon.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    NIBBLES = 16, /* of a word, a table of 16 bytes for each */
    CHUNK = 16,   /* words whose sums of codes up to 63 fit 16 bits, 64,512 */
    MAX_ROWS = 4,
    MAX_PANELS = QNT__BLOCK_PANELS
};

/* ---- tables ---- */

void qnt__tabulate_bits_neon(const uint8_t *codes, size_t words, uint8_t *tables)
{
    /* the place of code t in the entries that have it, elsewhere none */
    static const uint8_t places[4][16] = {
        {255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0},
        {255, 255, 1, 1, 255, 255, 1, 1, 255, 255, 1, 1, 255, 255, 1, 1},
        {255, 255, 255, 255, 2, 2, 2, 2, 255, 255, 255, 255, 2, 2, 2, 2},
        {255, 255, 255, 255, 255, 255, 255, 255, 3, 3, 3, 3, 3, 3, 3, 3}};
    for (size_t n = 0; n < NIBBLES * words; n++) {
        const uint8x16_t x = vld1q_u8(codes + n / 4 * 16), first = vdupq_n_u8((uint8_t)(n % 4 * 4));
        uint8x16_t sum = vdupq_n_u8(0);
        for (int t = 0; t < 4; t++)
            sum = vaddq_u8(sum, vqtbl1q_u8(x, vqaddq_u8(vld1q_u8(places[t]), first)));
        size_t table = n / NIBBLES * NIBBLES + qnt__bits_table(n % NIBBLES);
        vst1q_u8(tables + table * NIBBLES, sum);
    }
}

/* ---- indices ---- */

/* The bytes of a word of 16 columns, byte by byte instead of column by column. */
static inline void transpose(const uint64x2_t columns[8], uint8x16_t out[8])
{
    uint8x16_t a[8];
    uint16x8_t b[8];
    uint32x4_t c[8];
    for (int i = 0; i < 4; i++) {
        uint8x16_t x = vreinterpretq_u8_u64(vuzp1q_u64(columns[2 * i], columns[2 * i + 1])),
                   y = vreinterpretq_u8_u64(vuzp2q_u64(columns[2 * i], columns[2 * i + 1]));
        a[2 * i] = vzip1q_u8(x, y);     /* columns 0 and 1 of four */
        a[2 * i + 1] = vzip2q_u8(x, y); /* 2 and 3 */
    }
    for (int i = 0; i < 4; i++) {
        uint16x8_t x = vreinterpretq_u16_u8(a[2 * i]), y = vreinterpretq_u16_u8(a[2 * i + 1]);
        b[i] = vzip1q_u16(x, y);
        b[i + 4] = vzip2q_u16(x, y);
    }
    for (int h = 0; h < 2; h++) {
        for (int i = 0; i < 2; i++) {
            uint32x4_t x = vreinterpretq_u32_u16(b[4 * h + 2 * i]),
                       y = vreinterpretq_u32_u16(b[4 * h + 2 * i + 1]);
            c[4 * h + i] = vzip1q_u32(x, y);
            c[4 * h + i + 2] = vzip2q_u32(x, y);
        }
    }
    for (int i = 0; i < 4; i++) {
        uint64x2_t x = vreinterpretq_u64_u32(c[2 * i]), y = vreinterpretq_u64_u32(c[2 * i + 1]);
        out[2 * i] = vreinterpretq_u8_u64(vzip1q_u64(x, y));
        out[2 * i + 1] = vreinterpretq_u8_u64(vzip2q_u64(x, y));
    }
}

/* to: [words][NIBBLES][panels][16], in the order of tables */
static void make_indices(const struct qnt__look_up_bits *g, size_t first, size_t words, uint8_t *to)
{
    const size_t step = QNT__PANEL * g->panels;
    for (size_t p = 0; p < g->panels; p++) {
        for (size_t w = 0; w < words; w++) {
            uint8_t *at = to + w * NIBBLES * step + p * QNT__PANEL;
            uint64x2_t columns[8];
            uint8x16_t bytes[8];
            for (size_t j = 0; j < 8; j++)
                columns[j] = load_word(g->b + p * g->b_panel + 2 * j, first + w);
            transpose(columns, bytes);
            for (size_t i = 0; i < 8; i++) {
                size_t table = i / 4 * 8 + i % 4;
                vst1q_u8(at + table * step, vandq_u8(bytes[i], vdupq_n_u8(15)));
                vst1q_u8(at + (table + 4) * step, vshrq_n_u8(bytes[i], 4));
            }
        }
    }
}

/* ---- sums ---- */

struct chunk {
    const struct qnt__look_up_bits *g;
    const uint8_t *indices;
    size_t first, tables; /* words before; tables in it */
    size_t run;           /* tables whose sums fit bytes */
    bool add;             /* to acc */
};

/* to = or += sums of 16 columns times 2^shift. */
static inline void store_panel(int32_t *to, const uint16x8_t sums[2], int shift, bool add)
{
    const int32x4_t by = vdupq_n_s32(shift);
    uint32x4_t part[4] = {vmovl_u16(vget_low_u16(sums[0])), vmovl_high_u16(sums[0]),
                          vmovl_u16(vget_low_u16(sums[1])), vmovl_high_u16(sums[1])};
    for (int i = 0; i < 4; i++) {
        int32x4_t v = vreinterpretq_s32_u32(vshlq_u32(part[i], by));
        vst1q_s32(to + 4 * i, add ? vaddq_s32(v, vld1q_s32(to + 4 * i)) : v);
    }
}

/* Rows times the chunk. */
INLINE void tile(const struct chunk *c, size_t row, size_t panel, size_t from, int shift, bool add,
                 int rows, int panels)
{
    const struct qnt__look_up_bits *g = c->g;
    const uint8_t *tables = g->tables + row * g->row + from + c->first * NIBBLES * NIBBLES;
    const uint8_t *index = c->indices + panel * QNT__PANEL;
    uint16x8_t wide[MAX_ROWS][MAX_PANELS][2];
    for (int i = 0; i < rows; i++) {
        for (int p = 0; p < panels; p++) wide[i][p][0] = wide[i][p][1] = vdupq_n_u16(0);
    }
    for (size_t t = 0; t < c->tables;) {
        size_t end = t + c->run < c->tables ? t + c->run : c->tables;
        uint8x16_t sum[MAX_ROWS][MAX_PANELS];
        for (int i = 0; i < rows; i++) {
            for (int p = 0; p < panels; p++) sum[i][p] = vdupq_n_u8(0);
        }
        for (; t < end; t++, index += QNT__PANEL * g->panels, tables += NIBBLES) {
            uint8x16_t at[MAX_PANELS];
            for (int p = 0; p < panels; p++) at[p] = vld1q_u8(index + p * QNT__PANEL);
            for (int i = 0; i < rows; i++) {
                uint8x16_t table = vld1q_u8(tables + (size_t)i * g->row);
                for (int p = 0; p < panels; p++)
                    sum[i][p] = vaddq_u8(sum[i][p], vqtbl1q_u8(table, at[p]));
            }
        }
        for (int i = 0; i < rows; i++) {
            for (int p = 0; p < panels; p++) {
                wide[i][p][0] = vaddw_u8(wide[i][p][0], vget_low_u8(sum[i][p]));
                wide[i][p][1] = vaddw_high_u8(wide[i][p][1], sum[i][p]);
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int p = 0; p < panels; p++) {
            int32_t *to = g->acc + (row + (size_t)i) * g->ld + (panel + (size_t)p) * QNT__PANEL;
            store_panel(to, wide[i][p], shift, add);
        }
    }
}

INLINE void all_rows(const struct chunk *c, size_t panel, size_t from, int shift, bool add,
                     int panels)
{
    size_t row = 0, m = c->g->m;
    for (; row + 4 <= m; row += 4) tile(c, row, panel, from, shift, add, 4, panels);
    for (; row < m; row++) tile(c, row, panel, from, shift, add, 1, panels);
}

INLINE void all_digits_of(const struct chunk *c, size_t panel, int panels)
{
    all_rows(c, panel, 0, 1, c->add, panels);
    if (c->g->high) all_rows(c, panel, c->g->high, 5, true, panels);
}

static void all_digits(const struct chunk *c)
{
    size_t panel = 0;
    for (; panel + 4 <= c->g->panels; panel += 4) all_digits_of(c, panel, 4);
    for (; panel < c->g->panels; panel++) all_digits_of(c, panel, 1);
}

#include "../look_up_blocks.h"

void qnt__look_up_bits_neon(const struct qnt__look_up_bits *g)
{
    uint8_t indices[CHUNK * NIBBLES * MAX_PANELS * QNT__PANEL];
    for (size_t first = 0; first < g->words; first += CHUNK) {
        size_t words = g->words - first < CHUNK ? g->words - first : CHUNK;
        make_indices(g, first, words, indices);
        struct chunk c = {g, indices, first, NIBBLES * words, run_of(g), first > 0};
        all_digits(&c);
    }
}

/* ---- blocks ---- */

static void finish_block(const struct qnt__look_up_blocks *f, size_t t)
{
    const struct qnt__look_up_bits *g = &f->bits;
    const float *coef = f->coef + t * f->coef_ld;
    const bool add = t > 0 || f->add;
    for (size_t i = 0; i < g->m; i++) {
        const int32x4_t sum = vdupq_n_s32(f->sums[i * f->blocks + t]);
        const int32_t *acc = g->acc + i * g->ld;
        float *y = f->y + i * f->y_ld;
        for (size_t c = 0; c < QNT__PANEL * g->panels; c += 4) {
            float32x4_t v = vcvtq_f32_s32(vsubq_s32(vld1q_s32(acc + c), sum));
            v = vmulq_f32(v, vld1q_f32(coef + c));
            vst1q_f32(y + c, add ? vaddq_f32(vld1q_f32(y + c), v) : v);
        }
    }
}

void qnt__look_up_blocks_neon(const struct qnt__look_up_blocks *f)
{
    uint8_t indices[CHUNK * NIBBLES * MAX_PANELS * QNT__PANEL];
    look_up_blocks(f, indices, NIBBLES * f->bits.panels * QNT__PANEL);
}
