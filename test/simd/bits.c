/*
 * Bit planes by differing bits, tables, adders and bytes, and seven products for eight: the portable
 * definitions against plain loops, every CPU level against the definitions; all tails, extremes, guard
 * pages.
 */
#include <float.h>

#include "check.h"
#include "simd/layout.h"
#include "simd_levels.h"

enum { MOST_WORDS = 140 };

/* Words as they are stored: odd ones hold the parity of all up to them. */
static void store(const uint64_t *from, size_t words, uint64_t *to, size_t step)
{
    uint64_t parity = 0;
    for (size_t w = 0; w < words; w++) {
        parity ^= from[w];
        to[w * step] = w % 2 ? parity : from[w];
    }
}

static void fill(uint64_t *words, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++) words[i] = kind == 0 ? 0 : kind == 1 ? UINT64_MAX : random_u64();
}

static int32_t differing(const uint64_t *a, const uint64_t *b, size_t words)
{
    int32_t sum = 0;
    for (size_t w = 0; w < words; w++) {
        for (uint64_t x = a[w] ^ b[w]; x; x &= x - 1) sum++;
    }
    return sum;
}

static void products(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t m = (size_t)random_in(1, i % 4 ? QNT__BLOCK_ROWS : QNT__TABLE_ROWS),
               panels = (size_t)random_in(1, QNT__BLOCK_PANELS);
        size_t planes = (size_t)random_in(1, 8),
               words = 2 * (size_t)random_in(1, i % 5 ? 9 : MOST_WORDS / 2);
        size_t columns = QNT__PANEL * panels, ld = columns + (size_t)random_in(0, 5);
        size_t a_size = m * planes * words, b_size = columns * words,
               size = 4 * ((m - 1) * ld + columns);
        uint64_t *a = malloc(8 * a_size), *b = malloc(8 * b_size);
        guarded ga = guard(8 * a_size, random_in(0, 1)), gb = guard(8 * b_size, random_in(0, 1));
        guarded acc = guard(size, random_in(0, 1)), want = guard(size, true);
        uint64_t *pa = (void *)ga.data, *pb = (void *)gb.data;
        fill(a, a_size, (int)random_in(0, 4));
        fill(b, b_size, (int)random_in(0, 4));
        for (size_t r = 0; r < m * planes; r++) store(a + r * words, words, pa + r * words, 1);
        for (size_t c = 0; c < columns; c++) {
            size_t at = c / QNT__PANEL * QNT__PANEL * words + c % QNT__PANEL;
            store(b + c * words, words, pb + at, QNT__PANEL);
        }
        struct qnt__gemm_bits g = {.a = pa,
                                   .a_row = planes * words,
                                   .a_plane = words,
                                   .b = pb,
                                   .b_panel = QNT__PANEL * words,
                                   .acc = (void *)want.data,
                                   .m = m,
                                   .panels = panels,
                                   .planes = planes,
                                   .words = words,
                                   .shift = i % 2,
                                   .ld = ld};
        memset(want.data, 0x55, size);
        qnt__gemm_bits_c(&g);
        for (int k = 0; k < 20; k++) {
            size_t r = (size_t)random_in(0, (int64_t)m - 1),
                   c = (size_t)random_in(0, (int64_t)columns - 1);
            int32_t sum = 0;
            for (size_t j = 0; j < planes; j++) {
                sum += differing(a + (r * planes + j) * words, b + c * words, words) << j;
            }
            sum <<= g.shift;
            CHECK_MSG(g.acc[r * ld + c] == sum, "%d, counted %d", g.acc[r * ld + c], sum);
        }
        g.acc = (void *)acc.data;
        for (int l = 0; l < levels; l++) {
            memset(acc.data, 0x55, size);
            tables[l].gemm_bits(&g);
            CHECK_MSG(!memcmp(acc.data, want.data, size),
                      "%s m %zu panels %zu planes %zu words %zu", names[l], m, panels, planes,
                      words);
        }
        free(a), free(b);
        unguard(&ga), unguard(&gb), unguard(&acc), unguard(&want);
    }
}

static int32_t common(const uint64_t *a, const uint64_t *b, size_t words)
{
    int32_t n = 0;
    for (size_t w = 0; w < words; w++)
        for (int bit = 0; bit < 64; bit++) n += (int32_t)((a[w] & b[w]) >> bit & 1);
    return n;
}

/* Blocks with coefficients of their own: floats against their definition in integers; of signs, and of
 * numbers, which have sums. */
static void counts_of_blocks(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t m = (size_t)random_in(1, i % 4 ? 9 : QNT__TABLE_ROWS),
               panels = (size_t)random_in(1, QNT__BLOCK_PANELS),
               block = (size_t)(i % 3 ? random_in(1, i % 7 ? 3 : 70) : 1),
               blocks = (size_t)random_in(1, 6), words = blocks * block;
        size_t columns = QNT__PANEL * panels, ld = columns + (size_t)random_in(0, 5);
        size_t a_size = m * words, b_size = columns * words, size = 4 * ((m - 1) * ld + columns);
        uint64_t *a = malloc(8 * a_size), *b = malloc(8 * b_size);
        guarded ga = guard(8 * a_size, random_in(0, 1)), gb = guard(8 * b_size, random_in(0, 1)),
                coef = guard(4 * (blocks * ld - (ld - columns)), random_in(0, 1)),
                y = guard(size, random_in(0, 1)), want = guard(size, true),
                start = guard(size, true);
        uint64_t *pa = (void *)ga.data, *pb = (void *)gb.data;
        float *k = (void *)coef.data, *w = (void *)want.data, *from = (void *)start.data;
        fill(a, a_size, (int)random_in(0, 4));
        fill(b, b_size, (int)random_in(0, 4));
        const bool numbers = random_in(0, 1);
        guarded sums = guard(4 * m * blocks, random_in(0, 1));
        int32_t *sum = (void *)sums.data;
        for (size_t j = 0; j < m * blocks; j++) sum[j] = (int32_t)random_in(0, 64 * (int64_t)block);
        for (size_t r = 0; r < m; r++) store(a + r * words, words, pa + r * words, 1);
        if (numbers) memcpy(pa, a, 8 * a_size);
        for (size_t c = 0; c < columns; c++) {
            size_t at = c / QNT__PANEL * QNT__PANEL * words + c % QNT__PANEL;
            store(b + c * words, words, pb + at, QNT__PANEL);
        }
        for (size_t j = 0; j < blocks * ld - (ld - columns); j++)
            k[j] = j % 50 ? (float)random_gauss() : -FLT_MAX;
        for (size_t j = 0; j < size / 4; j++) from[j] = j % 9 ? (float)random_gauss() : -0.0f;
        struct qnt__count_blocks f = {.bits = {.a = pa,
                                               .a_row = words,
                                               .b = pb,
                                               .b_panel = QNT__PANEL * words,
                                               .m = m,
                                               .panels = panels,
                                               .planes = 1,
                                               .words = words,
                                               .shift = 1},
                                      .blocks = blocks,
                                      .block = block,
                                      .sums = numbers ? sum : NULL,
                                      .by = (float)random_gauss(),
                                      .coef = k,
                                      .coef_ld = ld,
                                      .y = w,
                                      .y_ld = ld,
                                      .add = i % 2};
        memcpy(want.data, start.data, size);
        qnt__count_blocks_c(&f);
        for (int n = 0; n < 20; n++) {
            size_t r = (size_t)random_in(0, (int64_t)m - 1),
                   c = (size_t)random_in(0, (int64_t)columns - 1);
            float all = f.add ? from[r * ld + c] : 0;
            for (size_t t = 0; t < blocks; t++) {
                size_t at = t * block;
                const uint64_t *x = a + r * words + at, *w_at = b + c * words + at;
                int32_t v = numbers ? 2 * common(x, w_at, block) - sum[r * blocks + t]
                                    : 2 * differing(x, w_at, block) - 64 * (int32_t)block;
                float both = f.by * k[t * ld + c], term = (float)v * both;
                all = t || f.add ? all + term : term;
            }
            CHECK_MSG(!memcmp(&w[r * ld + c], &all, 4) || all != all, "%g, summed %g",
                      (double)w[r * ld + c], (double)all);
        }
        f.y = (void *)y.data;
        for (int l = 0; l < levels; l++) {
            memcpy(y.data, start.data, size);
            tables[l].count_blocks(&f);
            CHECK_MSG(!memcmp(y.data, want.data, size), "%s %s m %zu panels %zu blocks %zu of %zu",
                      names[l], numbers ? "numbers" : "signs", m, panels, blocks, block);
        }
        free(a), free(b);
        unguard(&sums);
        unguard(&ga), unguard(&gb), unguard(&coef), unguard(&y), unguard(&want), unguard(&start);
    }
}

/* Planes of random or extreme words, stored, and what they were made of. */
static void fill_planes(uint64_t *words, uint64_t *stored, size_t columns, size_t n)
{
    fill(words, columns * n, (int)random_in(0, 4));
    for (size_t c = 0; c < columns; c++) {
        size_t at = c / QNT__PANEL * QNT__PANEL * n + c % QNT__PANEL;
        store(words + c * n, n, stored + at, QNT__PANEL);
    }
}

/* Tables are the same bytes; what is looked up in them are sums of the codes. */
static void tables_of_sums(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        int bits = 1 + i % 6, most = (1 << bits) - 1, extreme = (int)random_in(0, 2);
        size_t m = (size_t)random_in(1, i % 4 ? 9 : QNT__TABLE_ROWS),
               panels = (size_t)random_in(1, QNT__BLOCK_PANELS),
               words = 2 * (size_t)random_in(1, i % 5 ? 6 : 36);
        bool high = i % 3 == 0 && bits <= 4;
        size_t columns = QNT__PANEL * panels, ld = columns + (size_t)random_in(0, 5);
        size_t half = 256 * words, row = half * (high ? 2 : 1);
        size_t size = 4 * ((m - 1) * ld + columns), codes_size = m * (row / 4);
        uint64_t *b = malloc(8 * columns * words);
        guarded codes = guard(codes_size, random_in(0, 1)), tab = guard(m * row, random_in(0, 1)),
                same = guard(m * row, random_in(0, 1)),
                stored = guard(8 * columns * words, random_in(0, 1)),
                acc = guard(size, random_in(0, 1)), want = guard(size, true);
        for (size_t j = 0; j < codes_size; j++)
            codes.data[j] = (uint8_t)(extreme == 0 ? most : random_in(0, most));
        fill_planes(b, (void *)stored.data, columns, words);
        qnt__tabulate_bits_c(codes.data, codes_size / 64, tab.data);
        struct qnt__look_up_bits g = {.tables = tab.data,
                                      .row = row,
                                      .high = high ? half : 0,
                                      .b = (void *)stored.data,
                                      .b_panel = QNT__PANEL * words,
                                      .acc = (void *)want.data,
                                      .m = m,
                                      .panels = panels,
                                      .words = words,
                                      .ld = ld,
                                      .bits = bits};
        memset(want.data, 0x55, size);
        qnt__look_up_bits_c(&g);
        for (int k = 0; k < 20; k++) {
            size_t r = (size_t)random_in(0, (int64_t)m - 1),
                   c = (size_t)random_in(0, (int64_t)columns - 1);
            int32_t sum = 0;
            for (size_t j = 0; j < 64 * words; j++) {
                const uint8_t *code = codes.data + r * (row / 4) + j;
                if (b[c * words + j / 64] >> j % 64 & 1)
                    sum += 2 * code[0] + (high ? 32 * code[64 * words] : 0);
            }
            CHECK_MSG(g.acc[r * ld + c] == sum, "%d, summed %d", g.acc[r * ld + c], sum);
        }
        g.acc = (void *)acc.data;
        g.tables = same.data;
        for (int l = 0; l < levels; l++) {
            memset(same.data, 0x55, m * row);
            tables[l].tabulate_bits(codes.data, codes_size / 64, same.data);
            CHECK_MSG(!memcmp(same.data, tab.data, m * row), "%s words %zu", names[l], words);
            memset(acc.data, 0x55, size);
            tables[l].look_up_bits(&g);
            CHECK_MSG(!memcmp(acc.data, want.data, size),
                      "%s m %zu panels %zu bits %d words %zu %s", names[l], m, panels, bits, words,
                      high ? "high" : "");
        }
        free(b);
        unguard(&codes), unguard(&tab), unguard(&same), unguard(&stored), unguard(&acc),
            unguard(&want);
    }
}

/* Blocks with coefficients of their own: floats against their definition in integers. */
static void tables_of_blocks(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        int bits = 1 + i % 6, most = (1 << bits) - 1, extreme = (int)random_in(0, 2);
        size_t m = (size_t)random_in(1, i % 4 ? 9 : QNT__TABLE_ROWS),
               panels = (size_t)random_in(1, QNT__BLOCK_PANELS),
               block = (size_t)random_in(1, i % 7 ? 3 : 20), blocks = (size_t)random_in(1, 5),
               words = (blocks * block + 1) / 2 * 2;
        bool high = i % 3 == 0 && bits <= 4;
        size_t columns = QNT__PANEL * panels, ld = columns + (size_t)random_in(0, 5);
        size_t half = 256 * words, row = half * (high ? 2 : 1);
        size_t size = 4 * ((m - 1) * ld + columns), codes_size = m * (row / 4);
        uint64_t *b = malloc(8 * columns * words);
        guarded codes = guard(codes_size, random_in(0, 1)), tab = guard(m * row, random_in(0, 1)),
                stored = guard(8 * columns * words, random_in(0, 1)),
                sum = guard(4 * m * blocks, random_in(0, 1)),
                coef = guard(4 * (blocks * ld - (ld - columns)), random_in(0, 1)),
                acc = guard(size, random_in(0, 1)), y = guard(size, random_in(0, 1)),
                want = guard(size, true), start = guard(size, true);
        int32_t *s = (void *)sum.data;
        float *k = (void *)coef.data, *w = (void *)want.data, *from = (void *)start.data;
        for (size_t j = 0; j < codes_size; j++)
            codes.data[j] = (uint8_t)(extreme == 0 ? most : random_in(0, most));
        for (size_t j = 0; j < m * blocks; j++) s[j] = (int32_t)random_in(0, 100000);
        if (i % 5 == 3)
            memset(codes.data, 0, codes_size), memset(s, 0, 4 * m * blocks); /* -0, too */
        for (size_t j = 0; j < blocks * ld - (ld - columns); j++) k[j] = (float)random_gauss();
        for (size_t j = 0; j < size / 4; j++) from[j] = (float)random_gauss();
        fill_planes(b, (void *)stored.data, columns, words);
        qnt__tabulate_bits_c(codes.data, codes_size / 64, tab.data);
        struct qnt__look_up_blocks f = {.bits = {.tables = tab.data,
                                                 .row = row,
                                                 .high = high ? half : 0,
                                                 .b = (void *)stored.data,
                                                 .b_panel = QNT__PANEL * words,
                                                 .acc = (void *)acc.data,
                                                 .m = m,
                                                 .panels = panels,
                                                 .words = words,
                                                 .ld = ld,
                                                 .bits = bits},
                                        .blocks = blocks,
                                        .block = block,
                                        .sums = s,
                                        .coef = k,
                                        .coef_ld = ld,
                                        .y = w,
                                        .y_ld = ld,
                                        .add = i % 2};
        memcpy(want.data, start.data, size);
        qnt__look_up_blocks_c(&f);
        for (int n = 0; n < 20; n++) {
            size_t r = (size_t)random_in(0, (int64_t)m - 1),
                   c = (size_t)random_in(0, (int64_t)columns - 1);
            float all = f.add ? from[r * ld + c] : 0;
            for (size_t t = 0; t < blocks; t++) {
                int32_t v = -s[r * blocks + t];
                for (size_t j = 64 * t * block; j < 64 * (t + 1) * block; j++) {
                    const uint8_t *code = codes.data + r * (row / 4) + j;
                    if (b[c * words + j / 64] >> j % 64 & 1)
                        v += 2 * code[0] + (high ? 32 * code[64 * words] : 0);
                }
                float term = (float)v * k[t * ld + c];
                all = t || f.add ? all + term : term;
            }
            CHECK_MSG(w[r * ld + c] == all, "%g, summed %g", (double)w[r * ld + c], (double)all);
        }
        f.y = (void *)y.data;
        for (int l = 0; l < levels; l++) {
            memcpy(y.data, start.data, size);
            tables[l].look_up_blocks(&f);
            CHECK_MSG(!memcmp(y.data, want.data, size),
                      "%s m %zu panels %zu bits %d blocks %zu of %zu words %s", names[l], m, panels,
                      bits, blocks, block, high ? "high" : "");
        }
        free(b);
        unguard(&codes), unguard(&tab), unguard(&stored), unguard(&sum), unguard(&coef),
            unguard(&acc), unguard(&y), unguard(&want), unguard(&start);
    }
}

/* The same of tables of six codes. */
static void tables_of_six(void)
{
    for (int i = 0; i < ROUNDS(150); i++) {
        int bits = 1 + i % 4, most = (1 << bits) - 1, extreme = (int)random_in(0, 2);
        size_t m = (size_t)random_in(1, i % 4 ? 9 : QNT__TABLE_ROWS),
               panels = (size_t)random_in(1, i % 3 ? 5 : QNT__SIX_PANELS),
               words = 2 * (size_t)random_in(1, i % 5 ? 6 : MOST_WORDS / 2);
        size_t columns = QNT__PANEL * panels, ld = columns + (size_t)random_in(0, 5);
        size_t row = 64 * QNT__SIXES * words, size = 4 * ((m - 1) * ld + columns);
        uint64_t *b = malloc(8 * columns * words);
        guarded codes = guard(m * 64 * words, random_in(0, 1)),
                tab = guard(m * row, random_in(0, 1)), same = guard(m * row, random_in(0, 1)),
                stored = guard(8 * columns * words, random_in(0, 1)),
                acc = guard(size, random_in(0, 1)), want = guard(size, true);
        for (size_t j = 0; j < m * 64 * words; j++)
            codes.data[j] = (uint8_t)(extreme == 0 ? most : random_in(0, most));
        fill_planes(b, (void *)stored.data, columns, words);
        qnt__tabulate_six_c(codes.data, m * words, tab.data);
        struct qnt__look_up_bits g = {.tables = tab.data,
                                      .row = row,
                                      .b = (void *)stored.data,
                                      .b_panel = QNT__PANEL * words,
                                      .acc = (void *)want.data,
                                      .m = m,
                                      .panels = panels,
                                      .words = words,
                                      .ld = ld,
                                      .bits = bits};
        memset(want.data, 0x55, size);
        qnt__look_up_six_c(&g);
        for (int k = 0; k < 20; k++) {
            size_t r = (size_t)random_in(0, (int64_t)m - 1),
                   c = (size_t)random_in(0, (int64_t)columns - 1);
            int32_t sum = 0;
            for (size_t j = 0; j < 64 * words; j++) {
                if (b[c * words + j / 64] >> j % 64 & 1) sum += 2 * codes.data[r * 64 * words + j];
            }
            CHECK_MSG(g.acc[r * ld + c] == sum, "%d, summed %d", g.acc[r * ld + c], sum);
        }
        g.acc = (void *)acc.data;
        g.tables = same.data;
        for (int l = 0; l < levels; l++) {
            memset(same.data, 0x55, m * row);
            tables[l].tabulate_six(codes.data, m * words, same.data);
            CHECK_MSG(!memcmp(same.data, tab.data, m * row), "%s words %zu", names[l], words);
            memset(acc.data, 0x55, size);
            tables[l].look_up_six(&g);
            CHECK_MSG(!memcmp(acc.data, want.data, size), "%s m %zu panels %zu bits %d words %zu",
                      names[l], m, panels, bits, words);
        }
        free(b);
        unguard(&codes), unguard(&tab), unguard(&same), unguard(&stored), unguard(&acc),
            unguard(&want);
    }
}

/* Codes as adders take them; each plane is written as far as it goes and no further. */
static void indices(void)
{
    for (int i = 0; i < ROUNDS(100); i++) {
        const size_t chunks = (size_t)random_in(1, 12), planes = (size_t)random_in(1, 8),
                     used = QNT__ADDER_GROUPS * chunks, plane = used + (size_t)random_in(0, 40),
                     size = (planes - 1) * plane + used;
        guarded codes = guard(96 * chunks, random_in(0, 1)), to = guard(size, random_in(0, 1));
        uint8_t *want = malloc(size);
        for (size_t k = 0; k < 96 * chunks; k++) codes.data[k] = (uint8_t)random_u64();
        memset(want, 0x55, size);
        for (size_t j = 0; j < planes; j++) {
            for (size_t n = 0; n < used; n++) {
                const uint8_t *three = codes.data + n / 32 * 96 + n % 32;
                want[j * plane + n] =
                    (uint8_t)((three[0] >> j & 1) << 4 | (three[32] >> j & 1) << 5 |
                              (three[64] >> j & 1) << 6);
            }
        }
        memset(to.data, 0x55, size);
        qnt__index_adders_c(codes.data, chunks, planes, plane, to.data);
        CHECK_MSG(!memcmp(to.data, want, size), "C, chunks %zu planes %zu", chunks, planes);
        for (int l = 0; l < levels; l++) {
            memset(to.data, 0x55, size);
            tables[l].index_adders(codes.data, chunks, planes, plane, to.data);
            CHECK_MSG(!memcmp(to.data, want, size), "%s chunks %zu planes %zu", names[l], chunks,
                      planes);
        }
        free(want);
        unguard(&codes), unguard(&to);
    }
}

/* Adders: extremes of which every sum is the largest, enough words for carries into all digits; some rows
 * at a time become integers. */
static void adders(void)
{
    for (int i = 0; i < ROUNDS(150); i++) {
        const int extreme = (int)random_in(0, 2);
        size_t planes = (size_t)random_in(1, i % 4 ? 3 : 8), most = (1u << planes) - 1,
               b_planes = i % 2 ? 1 : (size_t)random_in(1, i % 8 ? 3 : 8),
               m = (size_t)random_in(1, i % 7 ? 9 : QNT__ADDER_ROWS),
               panels = (size_t)random_in(1, i % 3 ? 5 : QNT__ADDER_PANELS),
               words = 2 * (size_t)random_in(1, i % 5 ? 6 : MOST_WORDS / 2);
        const size_t columns = QNT__PANEL * panels, chunks = qnt__adder_chunks(words),
                     all = QNT__PANEL * QNT__ADDER_PANELS, ld = all + (size_t)random_in(0, 5),
                     plane = QNT__ADDER_GROUPS * chunks + (size_t)random_in(0, 3),
                     row = (planes - 1) * plane + QNT__ADDER_GROUPS * chunks,
                     size = 4 * ((m - 1) * ld + all), b_plane = columns * words,
                     sums_size = m * qnt__adder_row(words, planes, b_planes);
        uint64_t *b = malloc(8 * b_planes * b_plane);
        uint8_t *codes = malloc(m * 64 * words);
        int32_t *less = random_in(0, 2) ? malloc(4 * m) : NULL;
        guarded a = guard(m * row, random_in(0, 1)),
                stored = guard(8 * b_planes * b_plane, random_in(0, 1)),
                sums = guard(sums_size, random_in(0, 1)), acc = guard(size, random_in(0, 1)),
                want = guard(size, true);
        memset(a.data, 0, m * row);
        for (size_t r = 0; less && r < m; r++) less[r] = (int32_t)random_u64();
        for (size_t j = 0; j < m * 64 * words; j++) {
            const size_t r = j / (64 * words), k = j % (64 * words), half = k / 32;
            codes[j] = (uint8_t)(extreme == 0 ? most : (size_t)random_in(0, (int64_t)most));
            uint8_t *to = a.data + r * row + half / 3 * QNT__ADDER_GROUPS + k % 32;
            for (size_t p = 0; p < planes; p++)
                to[p * plane] |= (uint8_t)((codes[j] >> p & 1) << (4 + half % 3));
        }
        for (size_t p = 0; p < b_planes; p++)
            fill_planes(b + p * b_plane, (uint64_t *)(void *)stored.data + p * b_plane, columns,
                        words);
        for (size_t j = 0; extreme == 0 && j < b_planes * b_plane; j++) {
            const size_t w = j / QNT__PANEL % words;
            b[j] = UINT64_MAX;
            ((uint64_t *)(void *)stored.data)[j] = w % 2 ? 0 : UINT64_MAX; /* parities */
        }
        struct qnt__gemm_adders g = {.a = a.data,
                                     .a_row = row,
                                     .a_plane = plane,
                                     .b = (void *)stored.data,
                                     .b_panel = QNT__PANEL * words,
                                     .b_plane = b_plane,
                                     .sums = sums.data,
                                     .m = m,
                                     .panels = panels,
                                     .planes = planes,
                                     .b_planes = b_planes,
                                     .words = words,
                                     .ld = ld};
        if (random_in(0, 1)) { /* hints */
            g.ahead = b_planes * b_plane;
            g.results = (struct qnt__results){acc.data + random_in(0, 9), 4 * ld, 4 * columns};
        }
        int32_t *defined = (void *)want.data;
        memset(want.data, 0x55, size);
        qnt__gemm_adders_c(&g);
        qnt__read_adders_c(&g, 0, m, less, defined);
        for (int k = 0; k < 20; k++) {
            size_t r = (size_t)random_in(0, (int64_t)m - 1),
                   c = (size_t)random_in(0, (int64_t)columns - 1);
            uint32_t sum = less ? 0 - (uint32_t)less[r] : 0;
            for (size_t j = 0; j < b_planes * 64 * words; j++) {
                const size_t p = j / (64 * words), at = j % (64 * words);
                if (b[p * b_plane + c * words + at / 64] >> at % 64 & 1)
                    sum += (uint32_t)codes[r * 64 * words + at] << (p + 1);
            }
            CHECK_MSG((uint32_t)defined[r * ld + c] == sum, "%d, summed %u", defined[r * ld + c],
                      sum);
        }
        for (int l = 0; l < levels; l++) {
            int32_t *found = (void *)acc.data;
            memset(acc.data, 0x55, size);
            memset(sums.data, 0x55, sums_size);
            tables[l].gemm_adders(&g);
            for (size_t r = 0, n; r < m; r += n) {
                n = (size_t)random_in(1, (int64_t)(m - r));
                tables[l].read_adders(&g, r, n, less ? less + r : NULL, found + r * ld);
            }
            for (size_t r = 0; r < m; r++)
                CHECK_MSG(!memcmp(found + r * ld, defined + r * ld, 4 * columns),
                          "%s row %zu of %zu panels %zu planes %zu and %zu words %zu", names[l], r,
                          m, panels, planes, b_planes, words);
        }
        free(b), free(codes), free(less);
        unguard(&a), unguard(&stored), unguard(&sums), unguard(&acc), unguard(&want);
    }
}

static void bytes(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t planes = 1 + (size_t)i % 7, all = 2 * (size_t)random_in(1, 6);
        size_t words = 2 * (size_t)random_in(1, (int64_t)all / 2), first = all - words;
        size_t plane = QNT__PANEL * all, size = 1024 * words;
        uint64_t *b = malloc(8 * planes * plane);
        guarded stored = guard(8 * planes * plane, random_in(0, 1)),
                cells = guard(size, random_in(0, 1)), want = guard(size, true);
        for (size_t j = 0; j < planes; j++)
            fill_planes(b + j * plane, (uint64_t *)(void *)stored.data + j * plane, QNT__PANEL,
                        all);
        struct qnt__expand_bits e = {.b = (void *)stored.data,
                                     .b_plane = plane,
                                     .first = first,
                                     .words = words,
                                     .planes = planes,
                                     .cells = want.data};
        qnt__expand_bits_c(&e);
        for (int n = 0; n < 50; n++) {
            size_t c = (size_t)random_in(0, QNT__PANEL - 1),
                   k = (size_t)random_in(0, 64 * (int64_t)words - 1);
            int sum = 0;
            for (size_t j = 0; j < planes; j++) {
                uint64_t word = b[j * plane + c * all + first + k / 64];
                sum += word >> k % 64 & 1 ? 1 << j : -(1 << j);
            }
            CHECK(qnt__cell_code(want.data + k / 4 * 64, 8, c, k % 4) == sum);
        }
        e.cells = cells.data;
        for (int l = 0; l < levels; l++) {
            memset(cells.data, 0x55, size);
            tables[l].expand_bits(&e);
            CHECK_MSG(!memcmp(cells.data, want.data, size), "%s planes %zu first %zu words %zu",
                      names[l], planes, first, words);
        }
        free(b);
        unguard(&stored), unguard(&cells), unguard(&want);
    }
}

/* The operands of B that seven products take, of blocks of which some may be missing. */
static void operands(void)
{
    static const int signs[7][4] = {{1, 0, 0, 1}, {1, 0, 0, 0}, {0, 1, 0, -1}, {-1, 0, 1, 0},
                                    {0, 0, 0, 1}, {1, 1, 0, 0}, {0, 0, 1, 1}};
    for (int i = 0; i < ROUNDS(150); i++) {
        const size_t planes = 1 + (size_t)i % 6, all = 2 * (size_t)random_in(1, 6),
                     words = 2 * (size_t)random_in(1, (int64_t)all / 2), last = (all - words) / 2,
                     plane = QNT__PANEL * all, size = 1024 * words;
        uint64_t *b[4];
        guarded stored[4], out[7], want[7];
        struct qnt__expand_seven e = {.b_plane = plane, .words = words, .planes = planes};
        for (int h = 0; h < 2; h++) e.first[h] = 2 * (size_t)random_in(0, (int64_t)last);
        for (int x = 0; x < 4; x++) {
            b[x] = malloc(8 * planes * plane);
            stored[x] = guard(8 * planes * plane, random_in(0, 1));
            for (size_t j = 0; j < planes; j++)
                fill_planes(b[x] + j * plane, (uint64_t *)(void *)stored[x].data + j * plane,
                            QNT__PANEL, all);
            if (random_in(0, 3)) e.b[x] = (void *)stored[x].data;
        }
        for (int o = 0; o < 7; o++)
            out[o] = guard(size, random_in(0, 1)), want[o] = guard(size, true);
        for (size_t at = 0; at < size; at++) {
            const size_t k = at / 64 * 4 + at % 4, c = at % 64 / 4;
            int number[4] = {0};
            for (size_t x = 0; x < 4; x++) {
                for (size_t j = 0; e.b[x] && j < planes; j++) {
                    uint64_t word = b[x][j * plane + c * all + e.first[x / 2] + k / 64];
                    number[x] += word >> k % 64 & 1 ? 1 << j : -(1 << j);
                }
            }
            for (int o = 0; o < 7; o++) {
                int sum = 0;
                for (int x = 0; x < 4; x++) sum += signs[o][x] * number[x];
                want[o].data[at] = (uint8_t)sum;
            }
        }
        for (int l = 0; l < levels; l++) {
            for (int o = 0; o < 7; o++) memset(out[o].data, 0x55, size), e.out[o] = out[o].data;
            tables[l].expand_seven(&e);
            for (int o = 0; o < 7; o++)
                CHECK_MSG(!memcmp(out[o].data, want[o].data, size), "%s planes %zu words %zu, %d",
                          names[l], planes, words, o);
        }
        for (int x = 0; x < 4; x++) free(b[x]), unguard(&stored[x]);
        for (int o = 0; o < 7; o++) unguard(&out[o]), unguard(&want[o]);
    }
}

static void sums(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        size_t n = (size_t)random_in(0, 70);
        int shift = (int)random_in(0, 30);
        guarded sum = guard(4 * n, random_in(0, 1)), want = guard(4 * n, true),
                part = guard(4 * n, true), out = guard(4 * n, random_in(0, 1));
        int32_t *w = (void *)want.data;
        const int32_t *p = (void *)part.data;
        for (int l = 0; l < levels; l++) {
            for (size_t j = 0; j < 4 * n; j++)
                sum.data[j] = want.data[j] = (uint8_t)random_u64(),
                part.data[j] = (uint8_t)random_u64();
            for (size_t j = 0; j < n; j++)
                w[j] = (int32_t)((uint32_t)w[j] + ((uint32_t)p[j] << shift));
            memset(out.data, 0x55, 4 * n);
            tables[l].add_s32((void *)sum.data, p, n, shift, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want.data, 4 * n), "%s n %zu", names[l], n);
            tables[l].add_s32((void *)sum.data, p, n, shift, (void *)sum.data);
            CHECK_MSG(!memcmp(sum.data, want.data, 4 * n), "%s in place, n %zu", names[l], n);
        }
        unguard(&sum), unguard(&want), unguard(&part), unguard(&out);
    }
}

/* Sums and differences of four runs of bytes. */
static void sums_of_bytes(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        const size_t n = (size_t)random_in(0, i % 3 ? 300 : 70);
        guarded x[4], out[5], want[5];
        struct qnt__five_sums f = {.n = n, .raise = (uint8_t)(i % 2 ? 128 : random_u64())};
        for (int b = 0; b < 4; b++) {
            x[b] = guard(n, random_in(0, 1));
            for (size_t j = 0; j < n; j++) x[b].data[j] = (uint8_t)random_u64();
            f.x[b] = x[b].data;
        }
        for (int o = 0; o < 5; o++) out[o] = guard(n, random_in(0, 1)), want[o] = guard(n, true);
        for (size_t j = 0; j < n; j++) {
            int x11 = x[0].data[j], x12 = x[1].data[j], x21 = x[2].data[j], x22 = x[3].data[j];
            want[0].data[j] = (uint8_t)(x11 + x22);
            want[1].data[j] = (uint8_t)(x11 + x12);
            want[2].data[j] = (uint8_t)(x21 + x22);
            want[3].data[j] = (uint8_t)(x12 - x22 + f.raise);
            want[4].data[j] = (uint8_t)(x21 - x11 + f.raise);
        }
        for (int l = 0; l < levels; l++) {
            for (int o = 0; o < 5; o++) memset(out[o].data, 0x55, n), f.out[o] = out[o].data;
            tables[l].five_sums(&f);
            for (int o = 0; o < 5; o++)
                CHECK_MSG(!memcmp(out[o].data, want[o].data, n), "%s n %zu, %d", names[l], n, o);
        }
        for (int b = 0; b < 4; b++) unguard(&x[b]);
        for (int o = 0; o < 5; o++) unguard(&out[o]), unguard(&want[o]);
    }
}

/* Seven products to four blocks, apart from each other. */
static void seven(void)
{
    static const int signs[4][7] = {{1, 0, 0, 1, -1, 0, 1},
                                    {0, 0, 1, 0, 1, 0, 0},
                                    {0, 1, 0, 1, 0, 0, 0},
                                    {1, -1, 1, 0, 0, 1, 0}};
    for (int i = 0; i < ROUNDS(60); i++) {
        const size_t n = (size_t)random_in(0, 70), pitch = n + (size_t)random_in(0, 3),
                     step = n + (size_t)random_in(0, 3);
        const size_t in_bytes = 4 * (6 * pitch + n), bytes = 4 * (3 * step + n);
        guarded products = guard(in_bytes, random_in(0, 1)), before = guard(bytes, true),
                sums = guard(bytes, random_in(0, 1)), want = guard(bytes, true);
        struct qnt__join_seven f = {.products = (void *)products.data,
                                    .pitch = pitch,
                                    .n = n,
                                    .sums = (void *)sums.data,
                                    .step = step,
                                    .add = i % 2};
        for (size_t j = 0; j < in_bytes; j++) products.data[j] = (uint8_t)random_u64();
        for (size_t j = 0; j < bytes; j++) before.data[j] = (uint8_t)random_u64();
        memcpy(want.data, before.data, bytes);
        for (size_t j = 0; j < 4 * n; j++) {
            uint32_t *w = (uint32_t *)(void *)want.data + j / n * step + j % n, sum = 0;
            for (size_t p = 0; p < 7; p++)
                sum += (uint32_t)signs[j / n][p] * (uint32_t)f.products[p * pitch + j % n];
            *w = sum + (f.add ? *w : 0);
        }
        for (int l = 0; l < levels; l++) {
            memcpy(sums.data, before.data, bytes);
            tables[l].join_seven(&f);
            CHECK_MSG(!memcmp(sums.data, want.data, bytes), "%s n %zu", names[l], n);
        }
        unguard(&products), unguard(&before), unguard(&sums), unguard(&want);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(false);
    RUN(products);
    RUN(counts_of_blocks);
    RUN(tables_of_sums);
    RUN(tables_of_blocks);
    RUN(tables_of_six);
    RUN(indices);
    RUN(adders);
    RUN(bytes);
    RUN(operands);
    RUN(sums);
    RUN(sums_of_bytes);
    RUN(seven);
    return DONE;
}
