/*
 * Pictures as blocks, every CPU level against the portable definition, byte for byte: random sizes with
 * all tails, extremes, any alignment, guard pages around all that is read and written. The definition
 * itself against plain arithmetic where it takes a detour: division by reciprocals, for all steps.
 */
#include "check.h"
#include "qtable/tables.h"
#include "simd/dct.h"
#include "simd_levels.h"

enum { MOST = 9 /* blocks */, PIXELS = 100 };

/* Random bytes in guarded memory, or few values: 0, 255, either. */
static guarded bytes(size_t size)
{
    guarded g = guard(size, random_in(0, 1));
    int kind = (int)random_in(0, 5);
    for (size_t i = 0; i < size; i++) {
        uint8_t random = (uint8_t)(random_u64() >> 40);
        g.data[i] = kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? (random & 1 ? 255 : 0) : random;
    }
    return g;
}

static struct qnt__steps random_steps(void)
{
    struct qnt__steps steps;
    qnt_qtable table;
    int kind = (int)random_in(0, 3);
    for (int i = 0; i < 64; i++) {
        table.step[i] = (uint16_t)(kind == 0 ? 1 : kind == 1 ? 255 : random_in(1, 255));
    }
    qnt__steps_prepare(&table, &steps);
    return steps;
}

static void split_rgb(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t n = (size_t)random_in(0, PIXELS);
        guarded rgb = bytes(3 * n), out[3];
        uint8_t want[3][PIXELS];
        qnt__split_rgb_c(rgb.data, n, want[0], want[1], want[2]);
        for (int c = 0; c < 3; c++) out[c] = guard(n, random_in(0, 1));
        for (int l = 0; l < levels; l++) {
            for (int c = 0; c < 3; c++) memset(out[c].data, 0x55, n);
            tables[l].split_rgb(rgb.data, n, out[0].data, out[1].data, out[2].data);
            for (int c = 0; c < 3; c++) {
                CHECK_MSG(!memcmp(out[c].data, want[c], n), "%s n %zu plane %d", names[l], n, c);
            }
        }
        unguard(&rgb), unguard(&out[0]), unguard(&out[1]), unguard(&out[2]);
    }
}

static void halve_u8(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t n = (size_t)random_in(0, PIXELS);
        guarded above = bytes(2 * n), below = bytes(2 * n), out = guard(n, random_in(0, 1));
        uint8_t want[PIXELS];
        qnt__halve_u8_c(above.data, below.data, n, want);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, n);
            tables[l].halve_u8(above.data, below.data, n, out.data);
            CHECK_MSG(!memcmp(out.data, want, n), "%s n %zu", names[l], n);
        }
        unguard(&above), unguard(&below), unguard(&out);
    }
}

/* Both transforms; extremes are the signs of each base function, which give its largest coefficient. */
static void transforms(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t blocks = (size_t)random_in(0, MOST), ld = 8 * blocks + (size_t)random_in(0, 20);
        size_t size = blocks ? 7 * ld + 8 * blocks : 0;
        guarded x = bytes(size), out = guard(128 * blocks, random_in(0, 1));
        guarded fine = guard(256 * blocks, random_in(0, 1));
        int16_t want[64 * MOST];
        float want_fine[64 * MOST];
        for (size_t p = 0; i < 64 && blocks && p < 64; p++) {
            float sign = qnt__cosine[i / 8][p / 8] * qnt__cosine[i % 8][p % 8];
            x.data[p / 8 * ld + p % 8] = sign < 0 ? 0 : 255;
        }
        qnt__dct_s16_c(x.data, ld, blocks, want);
        qnt__dct_f32_c(x.data, ld, blocks, want_fine);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 128 * blocks);
            tables[l].dct_s16(x.data, ld, blocks, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 128 * blocks), "%s blocks %zu", names[l], blocks);
            tables[l].dct_f32(x.data, ld, blocks, (void *)fine.data);
            CHECK_MSG(!memcmp(fine.data, want_fine, 256 * blocks), "%s blocks %zu", names[l],
                      blocks);
        }
        unguard(&x), unguard(&out), unguard(&fine);
    }
}

/* Every step with every coefficient near a multiple of half of it. */
static void all_steps(void)
{
    enum { LARGEST = 31747 };
    for (int step = 1; step <= 255; step += check_quick ? 7 : 1) {
        qnt_qtable table;
        struct qnt__steps steps;
        for (int i = 0; i < 64; i++) table.step[i] = (uint16_t)step;
        qnt__steps_prepare(&table, &steps);
        for (int at = 0; at <= LARGEST / 4 / step; at += 16) {
            int16_t c[64], want[64], level[64];
            for (int i = 0; i < 64; i++) {
                int magnitude = 4 * step * (at + i / 4) + i % 4 - 2;
                magnitude = magnitude < 0 ? 0 : magnitude > LARGEST ? LARGEST : magnitude;
                c[i] = (int16_t)((i ^ at / 16) & 1 ? -magnitude : magnitude);
                int nearest = (magnitude + 4 * step) / (8 * step);
                want[i] = (int16_t)(c[i] < 0 ? -nearest : nearest);
            }
            qnt__quantize_s16_c(&steps, c, 1, level);
            CHECK_MSG(!memcmp(level, want, sizeof level), "step %d at %d", step, at);
            for (int l = 0; l < levels; l++) {
                tables[l].quantize_s16(&steps, c, 1, level);
                CHECK_MSG(!memcmp(level, want, sizeof level), "%s step %d at %d", names[l], step,
                          at);
            }
        }
    }
}

static void quantize(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t blocks = (size_t)random_in(0, MOST), n = 64 * blocks;
        struct qnt__steps steps = random_steps();
        guarded coarse = guard(2 * n, random_in(0, 1)), fine = guard(4 * n, random_in(0, 1));
        guarded out = guard(2 * n, random_in(0, 1));
        int16_t *c = (void *)coarse.data, want[64 * MOST];
        float *f = (void *)fine.data;
        for (size_t k = 0; k < n; k++) {
            const float odd[] = {0.0f, -0.0f, 16384.0f, -16384.0f, 1e-40f};
            int reach = 1 << random_in(1, 15);
            c[k] =
                (int16_t)random_in(-(reach < 31747 ? reach : 31747), reach < 31747 ? reach : 31747);
            f[k] = random_in(0, 9) ? 0.5f * (float)random_in(-reach, reach) : odd[random_in(0, 4)];
        }
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 2 * n);
            qnt__quantize_s16_c(&steps, c, blocks, want);
            tables[l].quantize_s16(&steps, c, blocks, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 2 * n), "%s integers, blocks %zu", names[l], blocks);
            qnt__quantize_f32_c(&steps, f, blocks, want);
            tables[l].quantize_f32(&steps, f, blocks, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 2 * n), "%s floats, blocks %zu", names[l], blocks);
        }
        unguard(&coarse), unguard(&fine), unguard(&out);
    }
}

/* Levels as sparse as they are, dense, and out of bounds. */
static void fill_levels(int16_t *level, size_t n)
{
    int kind = (int)random_in(0, 3);
    for (size_t i = 0; i < n; i++) {
        int16_t any = (int16_t)(random_u64() >> 30);
        level[i] = kind == 0                          ? any
                   : random_in(0, kind == 1 ? 1 : 20) ? 0
                                                      : (int16_t)random_in(-9, 9);
        if (random_in(0, 99) == 0) level[i] = random_in(0, 1) ? INT16_MIN : INT16_MAX;
    }
}

static void back(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t blocks = (size_t)random_in(0, MOST);
        struct qnt__steps steps = random_steps();
        guarded level = guard(128 * blocks, random_in(0, 1)),
                out = guard(64 * blocks, random_in(0, 1));
        uint8_t want[64 * MOST];
        fill_levels((void *)level.data, 64 * blocks);
        qnt__restore_u8_c(&steps, (void *)level.data, blocks, want);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 64 * blocks);
            tables[l].restore_u8(&steps, (void *)level.data, blocks, out.data);
            CHECK_MSG(!memcmp(out.data, want, 64 * blocks), "%s blocks %zu", names[l], blocks);
        }
        unguard(&level), unguard(&out);
    }
}

static void places(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t blocks = (size_t)random_in(0, MOST);
        guarded level = guard(128 * blocks, random_in(0, 1)),
                out = guard(8 * blocks, random_in(0, 1));
        uint64_t want[MOST];
        int16_t *at = (void *)level.data;
        fill_levels(at, 64 * blocks);
        for (int k = 0; i < 64 && blocks && k < 64; k++) at[k] = (int16_t)(k == i ? 256 : 0);
        qnt__places_s16_c(at, blocks, want);
        if (i < 64 && blocks) CHECK((want[0] & (want[0] - 1)) == 0 && want[0] != 0);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 8 * blocks);
            tables[l].places_s16(at, blocks, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 8 * blocks), "%s blocks %zu", names[l], blocks);
        }
        unguard(&level), unguard(&out);
    }
}

/* Bits one after the other, as the standard tells it: the reference of code_blocks. */
struct tape {
    uint64_t bits, stuffed;
    uint32_t byte; /* its last bits, above them older ones */
};

static void put_bits(struct tape *t, uint32_t value, uint32_t length)
{
    while (length-- > 0) {
        t->byte = t->byte << 1 | (value >> length & 1);
        if (++t->bits % 8 == 0) t->stuffed += (t->byte & 0xff) == 0xff;
    }
}

static void put_level(struct tape *t, const struct qnt__block_codes *codes, uint32_t first,
                      int32_t value)
{
    uint32_t extra = 0;
    while (abs(value) >> extra) extra++;
    uint32_t entry = codes->entry[first + extra], length = (entry & 31) - extra;
    put_bits(t, entry >> 5 >> extra, length);
    put_bits(t, (uint32_t)(value < 0 ? value - 1 : value), extra);
}

static void put_block(struct tape *t, const struct qnt__block_codes *codes,
                      const struct qnt__coded_block *block)
{
    uint32_t run = 0;
    put_level(t, codes, 0, block->difference);
    for (int k = 1; k < 64; k++, run++) {
        int32_t value = block->level[qnt__zigzag[k]];
        if (value == 0) continue;
        for (; run > 15; run -= 16) put_level(t, codes, 16 + 0xf0, 0);
        put_level(t, codes, 16 + 16 * run, value);
        run = UINT32_MAX;
    }
    if (run > 0) put_level(t, codes, 16, 0);
}

/* Codes of any length; some full of ones, so that there are bytes of ones. */
static void fill_codes(struct qnt__block_codes *codes)
{
    for (uint32_t s = 0; s < 16 + 256; s++) {
        uint32_t extra = s % 16, length = (uint32_t)random_in(1, 16);
        uint32_t code = random_in(0, 2) ? (uint32_t)random_u64() : UINT32_MAX;
        if (extra > (s < 16 ? 11 : 10)) extra = 0;
        codes->entry[s] = (code & ((1u << length) - 1)) << (extra + 5) | (length + extra);
    }
}

static void code_blocks(void)
{
    enum { BLOCKS = 40 };
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t blocks = (size_t)random_in(0, i % 10 ? 9 : BLOCKS);
        guarded level = guard(128 * blocks, random_in(0, 1));
        guarded codes = guard(2 * sizeof(struct qnt__block_codes), random_in(0, 1));
        guarded list = guard(blocks * sizeof(struct qnt__coded_block), true);
        struct qnt__block_codes *code = (void *)codes.data;
        struct qnt__coded_block *block = (void *)list.data;
        int16_t *at = (void *)level.data;
        int dense = (int)random_in(0, 30), reach = 1 << random_in(0, 9);
        fill_codes(&code[0]), fill_codes(&code[1]);
        for (size_t k = 0; k < 64 * blocks; k++) {
            at[k] = (int16_t)(random_in(0, dense) ? 0 : random_in(1 - 2 * reach, 2 * reach - 1));
        }
        for (size_t b = 0; b < blocks; b++) {
            block[b] =
                (struct qnt__coded_block){.level = at + 64 * b,
                                          .difference = (int32_t)random_in(-2047, 2047) / reach,
                                          .kind = (int32_t)random_in(0, 1)};
            qnt__places_s16_c(block[b].level, 1, &block[b].places);
        }
        struct qnt__bit_stream start = {.bits = (uint64_t)random_in(0, 99), .stuffed = 7};
        start.rest = (uint32_t)random_in(0, (1 << start.bits % 8) - 1);
        struct tape tape = {start.bits, start.stuffed, start.rest};
        for (size_t b = 0; b < blocks; b++) put_block(&tape, &code[block[b].kind], &block[b]);
        for (int l = -1; l < levels; l++) {
            struct qnt__bit_stream s = start;
            (l < 0 ? qnt__code_blocks_c : tables[l].code_blocks)(code, block, blocks, &s);
            bool same = s.bits == tape.bits && s.stuffed == tape.stuffed &&
                        s.rest == (tape.byte & ((1u << tape.bits % 8) - 1));
            CHECK_MSG(same, "%s blocks %zu, one of %d not 0: %llu bits, expected %llu",
                      l < 0 ? "c" : names[l], blocks, dense + 1, (unsigned long long)s.bits,
                      (unsigned long long)tape.bits);
        }
        unguard(&level), unguard(&codes), unguard(&list);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(false);
    RUN(split_rgb);
    RUN(halve_u8);
    RUN(transforms);
    RUN(all_steps);
    RUN(quantize);
    RUN(back);
    RUN(places);
    RUN(code_blocks);
    return DONE;
}
