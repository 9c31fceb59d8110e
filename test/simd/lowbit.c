/*
 * Convolution stretches of 2-bit codes on every level, against a plain loop over digits: random
 * kernels, strides and dilations, all tile remainders, extremes beyond 16-bit sums, guard pages on
 * both sides; and what surrounds them: sums over digits, thresholds, floats, packing, tiles.
 */
#include <math.h>

#include "check.h"
#include "simd_levels.h"

enum { MAX_TAPS = 49 };

static int digit(uint8_t byte, int s)
{
    return byte >> 2 * s & 3;
}

static guarded random_digits(size_t n, bool extreme)
{
    guarded g = guard(n, random_in(0, 1));
    for (size_t i = 0; i < n; i++) g.data[i] = extreme ? 63 : (uint8_t)(random_u64() >> 40 & 63);
    return g;
}

/* A byte of weights, and what it meets. */
static int32_t product(const struct qnt__lowbit *g, const uint8_t *x, size_t depth, uint8_t w)
{
    int32_t sum = 0;
    if (g->form == QNT__TRIPLES) {
        for (int s = 0; s < 3; s++) sum += digit(x[depth], s) * digit(w, s);
        return sum;
    }
    for (int s = 0; s < 6; s++) {
        const size_t two = 2 * depth < g->last ? 2 * depth : g->last;
        const int of_x =
            g->form == QNT__SIXES_ON_SIX ? x[depth] >> s & 1 : digit(x[two + (size_t)s / 3], s % 3);
        sum += of_x * (w >> s & 1);
    }
    return sum;
}

static int32_t naive(const struct qnt__lowbit *g, size_t block, size_t i, size_t c)
{
    int32_t sum = 0;
    for (size_t p = 0; p < g->tap_count; p++) {
        for (size_t d = 0; d < g->depth; d++) {
            sum += product(g, g->x + g->taps[p] + (ptrdiff_t)(i * g->step), d,
                           g->weight[block * g->weight_ld + (d * g->tap_count + p) * 64 + c]);
        }
    }
    return sum;
}

static int floor_half(int x, int half)
{
    return half ? (x - (x & 1)) / 2 : x;
}

/* Codes by the definition, thresholds about the sums so that all codes occur; bytes of a pixel behind its
 * codes stay. */
static void compare_codes(const struct qnt__lowbit *g, const int32_t *sums)
{
    enum { LIMITS = 2 * 3 * 64, LD = LIMITS + 64 + 3 };
    const int half = (int)random_in(0, 1);
    const size_t pixels = (size_t)random_in(1, 2); /* of 64 or of 32 outputs */
    const size_t ready = 64 * g->blocks, step = ready + (size_t)random_in(0, 1) * 5,
                 bytes = g->m ? (g->m - 1) * step + ready : 0;
    int16_t limit[2 * LD];
    int32_t box[2 * 24];
    guarded codes = guard(bytes, random_in(0, 1));
    uint8_t want[24 * (128 + 5)];
    memset(want, 0xaa, sizeof want);
    for (size_t i = 0; i < pixels * g->m; i++) box[i] = (int32_t)random_in(0, 3000);
    for (int e = 0; e < 2 * LD; e++) {
        const int at = e % LD, row = at / 64 % 3;
        limit[e] = (int16_t)(e % 13 ? random_in(-6000, 6000) : e % 2 ? INT16_MAX : INT16_MIN);
        if (at >= LIMITS)
            limit[e] = (int16_t)-random_in(0, 1); /* flips */
        else if (row && limit[e] < limit[e - 64])
            limit[e] = limit[e - 64];
    }
    struct qnt__lowbit_codes f = {.box = {box, pixels, pixels - 1},
                                  .limit = limit,
                                  .flip = limit + LIMITS,
                                  .limit_ld = LD,
                                  .codes = codes.data,
                                  .step = step,
                                  .zero = (int32_t)random_in(-3, 3),
                                  .half = half};
    for (size_t e = 0; e < g->blocks * g->m * 64; e++) {
        const size_t block = e / 64 / g->m, i = e / 64 % g->m;
        const int16_t *own = limit + block * LD;
        int c = (int)(e % 64), at = c % 2 * 32 + c / 2, count = 0;
        int z = -f.zero * box[i * pixels + (size_t)c * pixels / 64];
        int s = (int16_t)(uint16_t)(uint32_t)(sums[e] - floor_half(z, half));
        for (int t = 0; t < 3; t++)
            count += (own[LIMITS + at] ? -1 - s : s) >= own[((z & 1 & half) * 3 + t) * 64 + at];
        want[i * step + block * 64 + (size_t)c] = (uint8_t)count;
    }
    for (int l = 0; l < levels; l++) {
        memset(codes.data, 0xaa, bytes);
        tables[l].codes_lowbit(g, &f);
        CHECK_MSG(!memcmp(codes.data, want, bytes),
                  "%s form %d m %zu blocks %zu depth %zu taps %zu half %d", names[l], (int)g->form,
                  g->m, g->blocks, g->depth, g->tap_count, half);
    }
    unguard(&codes);
}

/* A row of m output pixels of a kernel of size x size; of `bytes` a pixel, `read` are read. */
static void compare_form(enum qnt__lowbit_form form, size_t m, size_t size, size_t stride,
                         size_t dilation, size_t read, size_t bytes, bool extreme)
{
    const size_t depth = form == QNT__SIXES_ON_TWO ? (read + 1) / 2 : read;
    const size_t blocks = (size_t)random_in(1, 2), all = blocks * m * 64;
    const size_t block = depth * size * size * 64, ld = block + (size_t)random_in(0, 2);
    size_t reach = (size - 1) * dilation + 1, width = m ? (m - 1) * stride + reach : reach;
    ptrdiff_t taps[MAX_TAPS];
    for (size_t p = 0; p < size * size; p++) {
        taps[p] = (ptrdiff_t)((p / size * dilation * width + p % size * dilation) * bytes);
    }
    guarded x = random_digits((width * reach - 1) * bytes + read, extreme);
    guarded weight = random_digits((blocks - 1) * ld + block, extreme);
    guarded acc = guard(all * 4, random_in(0, 1));
    struct qnt__lowbit g = {.x = x.data,
                            .taps = taps,
                            .weight = weight.data,
                            .acc = (void *)acc.data,
                            .blocks = blocks,
                            .weight_ld = ld,
                            .m = m,
                            .step = stride * bytes,
                            .depth = depth,
                            .tap_count = size * size,
                            .last = form == QNT__SIXES_ON_TWO ? read - 2 : 0,
                            .form = form};
    int32_t want[2 * 64 * 24];
    for (size_t e = 0; e < all; e++) want[e] = naive(&g, e / 64 / m, e / 64 % m, e % 64);
    for (int l = 0; l < levels; l++) {
        memset(acc.data, 0xaa, all * 4);
        tables[l].conv_lowbit(&g);
        CHECK_MSG(!memcmp(acc.data, want, all * 4),
                  "%s form %d m %zu blocks %zu kernel %zu stride %zu dilation %zu bytes %zu of %zu",
                  names[l], (int)form, m, blocks, size, stride, dilation, read, bytes);
    }
    compare_codes(&g, want);
    unguard(&x), unguard(&weight), unguard(&acc);
}

static void compare(size_t m, size_t size, size_t stride, size_t dilation, size_t read,
                    size_t bytes, bool extreme)
{
    compare_form(QNT__TRIPLES, m, size, stride, dilation, read, bytes, extreme);
    compare_form(QNT__SIXES_ON_SIX, m, size, stride, dilation, read, bytes, extreme);
    if (read >= 2) compare_form(QNT__SIXES_ON_TWO, m, size, stride, dilation, read, bytes, extreme);
}

static void shapes(void)
{
    for (int i = 0; i < ROUNDS(150); i++) {
        size_t triples = (size_t)random_in(1, i % 4 ? 12 : 43);
        compare((size_t)random_in(0, 18), (size_t)random_in(1, 7), (size_t)random_in(1, 2),
                (size_t)random_in(1, 3), triples, triples + (size_t)random_in(0, 30), false);
    }
}

static void every_width(void)
{
    for (size_t m = 0; m <= 17; m++) compare(m, 3, 1, 1, 5, 5, false);
    for (size_t m = 0; m <= 17; m++) compare(m, 4, 2, 1, 5, 5, false);
}

/* 27 for each look-up of triples: bytes, 16-bit sums and their borders; 18 and 6 for those of
 * sixes. */
static void extremes(void)
{
    for (size_t steps = 1; steps <= 43; steps++) compare(9, 1, 1, 1, steps, steps, true);
    for (size_t steps = 1; steps <= 9; steps++) compare(8, 3, 1, 1, steps, steps, true);
    for (size_t steps = 1; steps <= 9; steps++) compare(8, 4, 2, 1, steps, steps, true);
    for (size_t steps = 2426; steps <= 2429; steps++) compare(8, 1, 1, 1, steps, steps, true);
    compare(2, 3, 1, 1, 700, 700, true);
    compare(7, 4, 2, 1, 160, 160, true);
    compare(1, 1, 1, 1, 4855, 4855, true);
}

/* Any sums, steps and thresholds, wrapping included. */
static void finishes(void)
{
    enum { MOST = 9 };
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t m = (size_t)random_in(0, MOST);
        int32_t acc[MOST * 64], want[MOST * 64], box[2 * MOST], thresholds[3 * 64], flip[64];
        uint8_t codes[MOST * 64] = {0};
        for (int e = 0; e < MOST * 64; e++)
            acc[e] = i % 4 ? (int32_t)random_in(-5000, 5000) : (int32_t)random_u64();
        const size_t pixels = (size_t)random_in(1, 2);
        for (int e = 0; e < 2 * MOST; e++) box[e] = (int32_t)random_in(0, i % 4 ? 900 : INT32_MAX);
        for (int e = 0; e < 3 * 64; e++)
            thresholds[e] = e % 17  ? (int32_t)random_in(-9000, 9000)
                            : e % 2 ? INT32_MAX
                                    : INT32_MIN;
        for (int e = 0; e < 64; e++) flip[e] = -(int32_t)random_in(0, 1);
        struct qnt__lowbit_finish f = {.box = {box, pixels, pixels - 1},
                                       .flip = flip,
                                       .m = m,
                                       .step = (int32_t)random_in(-3, 3),
                                       .zero = (int32_t)random_in(-3, 3),
                                       .thresholds = random_in(0, 1) ? thresholds : NULL};
        memcpy(want, acc, sizeof acc);
        for (size_t e = 0; e < m * 64; e++) {
            int32_t v = (int32_t)(uint64_t)((int64_t)acc[e] * f.step +
                                            (int64_t)box[e * pixels / 64] * f.zero);
            if (!f.thresholds) want[e] = v;
            for (size_t t = 0; t < 3; t++)
                codes[e] = (uint8_t)(codes[e] +
                                     ((flip[e % 64] ? -1 - v : v) >= thresholds[t * 64 + e % 64]));
        }
        for (int l = 0; l < levels; l++) {
            guarded g = guard(m * 64 * 4, random_in(0, 1)), b = guard(m * 64, random_in(0, 1));
            memcpy(g.data, acc, m * 64 * 4);
            f.acc = (void *)g.data, f.codes = b.data;
            tables[l].finish_lowbit(&f);
            CHECK_MSG(!memcmp(g.data, want, m * 64 * 4), "%s m %zu", names[l], m);
            CHECK_MSG(!f.thresholds || !memcmp(b.data, codes, m * 64), "%s m %zu", names[l], m);
            unguard(&g), unguard(&b);
        }
    }
}

/* Sums over digits of pixels, of every length up to three vectors, and beyond what bytes can sum.
 */
static void digits(void)
{
    for (size_t triples = 0; triples <= 200; triples += triples < 150 ? 1 : 50) {
        size_t n = (size_t)random_in(0, 4), step = triples + (size_t)random_in(0, 5);
        guarded x = random_digits(n ? (n - 1) * step + triples : 0, triples % 3 == 0);
        guarded sum = guard(n * 4, random_in(0, 1));
        int32_t want[4] = {0};
        for (size_t i = 0; i < n; i++)
            for (size_t t = 0; t < triples; t++)
                for (int s = 0; s < 3; s++) want[i] += digit(x.data[i * step + t], s);
        for (int l = 0; l < levels; l++) {
            memset(sum.data, 0xaa, n * 4);
            tables[l].digits_lowbit(x.data, n, step, triples, (void *)sum.data);
            CHECK_MSG(!memcmp(sum.data, want, n * 4), "%s %zu bytes", names[l], triples);
        }
        unguard(&x), unguard(&sum);
    }
    enum { MANY = 64 * 28 + 77 };
    guarded x = random_digits(MANY, true);
    for (int l = 0; l < levels; l++) {
        int32_t sum = 0;
        tables[l].digits_lowbit(x.data, 1, 0, MANY, &sum);
        CHECK_MSG(sum == 9 * MANY, "%s %d", names[l], (int)sum);
    }
    unguard(&x);
}

static void packs(void)
{
    for (size_t triples = 1; triples <= 140; triples++) {
        size_t n = (size_t)random_in(0, 3), step = 3 * triples + (size_t)random_in(0, 4),
               to_step = triples + (size_t)random_in(0, 4);
        size_t from_bytes = n ? (n - 1) * step + 3 * triples : 0;
        size_t bytes = n ? (n - 1) * to_step + triples : 0;
        guarded codes = guard(from_bytes, random_in(0, 1)), to = guard(bytes, random_in(0, 1));
        uint8_t want[3 * 144];
        for (size_t e = 0; e < from_bytes; e++) codes.data[e] = (uint8_t)random_in(0, 3);
        memset(want, 0xaa, sizeof want);
        for (size_t i = 0; i < n; i++)
            for (size_t t = 0; t < triples; t++) {
                const uint8_t *c = codes.data + i * step + t;
                want[i * to_step + t] = (uint8_t)(c[0] + 4 * c[triples] + 16 * c[2 * triples]);
            }
        for (int l = 0; l < levels; l++) {
            memset(to.data, 0xaa, bytes);
            tables[l].pack_lowbit(codes.data, step, n, triples, to.data, to_step);
            CHECK_MSG(!memcmp(to.data, want, bytes), "%s %zu bytes", names[l], triples);
        }
        unguard(&codes), unguard(&to);
    }
}

/* Of triples, sixes; some have high bits, one of them last or anywhere. */
static void joins(void)
{
    for (size_t triples = 2; triples <= 150; triples++) {
        const size_t n = (size_t)random_in(0, 3), depth = (triples + 1) / 2;
        const size_t step = triples + (size_t)random_in(0, 4),
                     to_step = depth + (size_t)random_in(0, 4);
        const size_t from_bytes = n ? (n - 1) * step + triples : 0;
        const size_t bytes = n ? (n - 1) * to_step + depth : 0;
        guarded x = guard(from_bytes, random_in(0, 1)), to = guard(bytes, random_in(0, 1));
        uint8_t want[3 * 80];
        for (size_t e = 0; e < from_bytes; e++) x.data[e] = (uint8_t)random_in(0, 63) & 21;
        memset(want, 0xaa, sizeof want);
        for (size_t i = 0; i < n; i++) {
            for (size_t d = 0; d < depth; d++) want[i * to_step + d] = 0;
            for (size_t t = 0; t < triples; t++)
                for (int s = 0; s < 3; s++) {
                    const int high = t % 2 || t + 1 == triples; /* an odd one is the second */
                    want[i * to_step + t / 2] |=
                        (uint8_t)(digit(x.data[i * step + t], s) << (s + 3 * high));
                }
        }
        for (int l = 0; l < levels; l++) {
            memset(to.data, 0xaa, bytes);
            int one = tables[l].join_lowbit(x.data, n, step, triples, to.data, to_step);
            CHECK_MSG(one == 1 && !memcmp(to.data, want, bytes), "%s %zu bytes", names[l], triples);
        }
        if (n > 0) {
            const size_t at =
                random_in(0, 1) ? triples - 1 : (size_t)random_in(0, (int)triples - 1);
            x.data[(n - 1) * step + at] |= (uint8_t)(2u << 2 * random_in(0, 2));
        }
        for (int l = 0; l < levels; l++) {
            int one = tables[l].join_lowbit(x.data, n, step, triples, to.data, to_step);
            CHECK_MSG(one == (n == 0), "%s %zu bytes: %d", names[l], triples, one);
        }
        unguard(&x), unguard(&to);
    }
}

/* Runs of every length, so that digits come from everywhere in vectors, with bytes behind them. */
static void unpacks(void)
{
    for (size_t channels = 1; channels <= 420; channels += channels < 280 ? 1 : 7) {
        const size_t n = (size_t)random_in(0, 5), triples = (channels + 2) / 3;
        const size_t step = channels + (size_t)random_in(0, 5);
        guarded x = random_digits(n * triples, false), to = guard(n * step, random_in(0, 1));
        uint8_t want[5 * 432] = {0};
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < channels; k++)
                want[i * step + k] =
                    (uint8_t)digit(x.data[i * triples + k % triples], (int)(k / triples));
        for (int l = 0; l < levels; l++) {
            memset(to.data, 0xaa, n * step);
            tables[l].unpack_lowbit(x.data, n, channels, to.data, step);
            CHECK_MSG(!memcmp(to.data, want, n * step), "%s %zu channels", names[l], channels);
        }
        unguard(&x), unguard(&to);
    }
}

/* Down and across, as matrices; across narrow tiles, too. */
static const int
    of_pixels[3][6][6] = {{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
                          {{4, 0, -5, 0, 1, 0},
                           {0, -4, -4, 1, 1, 0},
                           {0, 4, -4, -1, 1, 0},
                           {0, -2, -1, 2, 1, 0},
                           {0, 2, -1, -2, 1, 0},
                           {0, 4, 0, -5, 0, 1}},
                          {{4, 0, -4}, {0, -3, -3}, {0, 3, -3}, {0}, {0}, {0, -1, 0, 1}}},
    of_results[3][4][6] = {
        {{1, 1, 1, 0}, {0, 1, -1, 1}},
        {{2, -4, -4, 1, 1, 0}, {0, -4, 4, 2, -2, 0}, {0, -4, -4, 4, 4, 0}, {0, -4, 4, 8, -8, 8}},
        {{2, -4, -4}, {0, -4, 4, 0, 0, 8}}};

/* Which places narrow tiles do not have. */
static bool is_missing(size_t width, size_t j)
{
    return width == 2 && (j == 3 || j == 4);
}

static void tiles_of_pixels(void)
{
    for (size_t bytes = 1; bytes <= 150; bytes++) {
        const size_t n = (size_t)random_in(0, 4), ld = n * bytes + (size_t)random_in(0, 9),
                     step = bytes + (size_t)random_in(0, 9), width = random_in(0, 2) ? 4 : 2,
                     all = (width * n + 1) * step + bytes;
        const bool extreme = bytes % 4 == 0;
        guarded line[4], to = guard(n ? 23 * ld + n * bytes : 0, random_in(0, 1));
        struct qnt__lowbit_pixels p = {
            .to = to.data, .n = n, .bytes = bytes, .step = step, .ld = ld, .width = width};
        for (int i = 0; i < 4; i++) {
            line[i] = guard(all, random_in(0, 1));
            for (size_t e = 0; e < all; e++)
                line[i].data[e] = (uint8_t)(extreme ? 3 * random_in(0, 1) : random_in(0, 3));
            p.line[i] = line[i].data;
        }
        for (int l = 0; l < levels; l++) {
            memset(to.data, 0xaa, n ? 23 * ld + n * bytes : 0);
            tables[l].tile_pixels(&p);
            for (size_t e = 0; e < 24 * n * bytes; e++) {
                const size_t place = e / (n * bytes), i = e / bytes % n, b = e % bytes;
                int sum = 48;
                for (size_t r = 0; r < 4; r++)
                    for (size_t j = 0; j < width + 2; j++)
                        sum += of_pixels[0][place % 4][r] *
                               of_pixels[width == 4 ? 1 : 2][place / 4][j] *
                               p.line[r][(width * i + j) * step + b];
                if (is_missing(width, place / 4)) sum = 0xaa;
                const int got = to.data[place * ld + i * bytes + b];
                CHECK_MSG(got == sum, "%s %zu bytes, width %zu, place %zu: %d, expected %d",
                          names[l], bytes, width, place, got, sum);
            }
        }
        for (int i = 0; i < 4; i++) unguard(&line[i]);
        unguard(&to);
    }
}

/* Number k of column c of a filter; of taps it is made. */
static int filter_of(const struct qnt__lowbit_products *p, size_t r, size_t k, size_t c)
{
    static const int of_rows[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
    const size_t cell = c / 16 * p->depth / 4 + k / 4, at = 4 * (c % 16) + k % 4;
    int sum = 0;
    if (!p->table) return (int8_t)p->filters[r * p->filters_ld + 64 * cell + at];
    for (size_t a = 0; a < 3; a++)
        sum += of_rows[r][a] * p->table[p->filters[64 * (3 * cell + a) + at]];
    return sum;
}

/* One sum of products down a tile, modulo 2^32. */
static uint32_t multiplied(const struct qnt__lowbit_products *p, size_t line, size_t i, size_t c)
{
    uint32_t sum = 0;
    for (size_t r = 0; r < 4; r++) {
        uint32_t m = r == 1 || r == 2 ? (uint32_t)p->start[(r - 1) * 64 + c] : 0;
        for (size_t k = 0; k < p->depth; k++)
            m += (uint32_t)(p->pixels[r * p->ld + i * p->step + k] * filter_of(p, r, k, c));
        sum += m * (uint32_t)of_results[0][line][r];
    }
    return sum;
}

/* The word of a column in a row of pairs. */
static uint32_t word_of(const int32_t *row, size_t c)
{
    return (uint32_t)row[c / 32 * 16 + c % 16] >> (c % 32 < 16 ? 0 : 16) & 0xffff;
}

/* Every number of tiles up to 30, and one that leaves nothing for more; extremes of both factors. */
static void tiles_to_products(void)
{
    for (size_t turn = 0; turn < 34; turn++) {
        const size_t n = turn < 31    ? turn
                         : turn == 31 ? 96
                                      : (size_t)random_in(30, 96),
                     depth = 4 * (size_t)random_in(1, turn % 4 ? 9 : 40),
                     panels = (size_t)random_in(1, 2) * 2, step = depth + (size_t)random_in(0, 9),
                     ld = n * step + (size_t)random_in(0, 9), place = 16 * panels * depth,
                     filters_ld = place + (size_t)random_in(0, 9);
        const bool paired = random_in(0, 1);
        const size_t row = paired ? 8 * panels : 64;
        guarded pixels = guard(n ? 3 * ld + (n - 1) * step + depth : 0, random_in(0, 1)),
                filters = guard(3 * filters_ld + place, random_in(0, 1)),
                to[2] = {guard(n * row * 4, random_in(0, 1)), guard(n * row * 4, random_in(0, 1))},
                room = guard(3 * n * 256, random_in(0, 1));
        int32_t start[128];
        const bool extreme = turn % 3 == 0;
        for (size_t e = 0; n && e < 3 * ld + (n - 1) * step + depth; e++)
            pixels.data[e] = (uint8_t)(extreme ? 255 : random_in(0, 255));
        for (size_t e = 0; e < 3 * filters_ld + place; e++)
            filters.data[e] = (uint8_t)(extreme ? 127 + (int64_t)turn % 2 : random_in(0, 255));
        for (size_t e = 0; e < 128; e++) start[e] = (int32_t)random_u64();
        struct qnt__lowbit_products p = {.pixels = pixels.data,
                                         .filters = filters.data,
                                         .next = filters.data,
                                         .start = start,
                                         .sums = {(void *)to[0].data, (void *)to[1].data},
                                         .room = (void *)room.data,
                                         .n = n,
                                         .step = step,
                                         .ld = ld,
                                         .filters_ld = filters_ld,
                                         .depth = depth,
                                         .panels = panels,
                                         .paired = paired};
        uint32_t *want = malloc((n + 1) * 512);
        for (size_t e = 0; e < 2 * n * 64; e++)
            if (e % 64 < 16 * panels) want[e] = multiplied(&p, e / 64 / n, e / 64 % n, e % 64);
        for (int l = 0; l < levels; l++) {
            tables[l].multiply_tiles(&p);
            for (size_t e = 0; e < 2 * n * 64; e++) {
                const size_t c = e % 64;
                const int32_t *at = p.sums[e / 64 / n] + e / 64 % n * row;
                if (c >= 16 * panels) continue;
                CHECK_MSG(paired ? word_of(at, c) == (want[e] >> 1 & 0xffff)
                                 : (uint32_t)at[c] == want[e],
                          "%s %zu tiles of depth %zu, %zu panels: number %zu%s", names[l], n, depth,
                          panels, e, paired ? ", paired" : "");
            }
        }
        free(want);
        unguard(&pixels), unguard(&filters), unguard(&to[0]), unguard(&to[1]), unguard(&room);
    }
}

/* The same of filters that are made of taps: every number of tiles up to 26; the largest numbers that are
 * still bytes, of both signs. */
static void taps_to_products(void)
{
    for (size_t turn = 0; turn < 81; turn++) {
        const size_t n = turn % 27, depth = 4 * (size_t)random_in(1, turn % 4 ? 9 : 40),
                     panels = (size_t)random_in(1, 2) * 2, step = depth + (size_t)random_in(0, 9),
                     ld = n * step + (size_t)random_in(0, 9), all = 16 * panels * depth * 3;
        guarded pixels = guard(n ? 3 * ld + (n - 1) * step + depth : 0, random_in(0, 1)),
                taps = guard(all, random_in(0, 1)), table = guard(64, random_in(0, 1)),
                to[2] = {guard(n * 256, random_in(0, 1)), guard(n * 256, random_in(0, 1))};
        int32_t start[128];
        const size_t extreme = turn / 27;
        for (size_t e = 0; n && e < 3 * ld + (n - 1) * step + depth; e++)
            pixels.data[e] = (uint8_t)(extreme ? 255 : random_in(0, 255));
        for (size_t e = 0; e < 64; e++) table.data[e] = (uint8_t)random_in(-42, 42);
        for (size_t e = 0; extreme && e < 64; e++) table.data[e] = (uint8_t)(extreme == 1 ? 42 : -42);
        for (size_t e = 0; e < all; e++) taps.data[e] = (uint8_t)random_in(0, 63);
        for (size_t e = 0; e < 128; e++) start[e] = (int32_t)random_u64();
        struct qnt__lowbit_products p = {.pixels = pixels.data,
                                         .filters = taps.data,
                                         .next = taps.data,
                                         .table = (const int8_t *)table.data,
                                         .start = start,
                                         .sums = {(void *)to[0].data, (void *)to[1].data},
                                         .n = n,
                                         .step = step,
                                         .ld = ld,
                                         .depth = depth,
                                         .panels = panels};
        uint32_t *want = malloc((n + 1) * 512);
        for (size_t e = 0; e < 2 * n * 64; e++)
            if (e % 64 < 16 * panels) want[e] = multiplied(&p, e / 64 / n, e / 64 % n, e % 64);
        for (int l = 0; l < levels; l++) {
            memset(to[0].data, 0xaa, n * 256), memset(to[1].data, 0xaa, n * 256);
            tables[l].multiply_taps(&p);
            for (size_t e = 0; e < 2 * n * 64; e++) {
                const uint32_t got = (uint32_t)p.sums[e / 64 / n][e / 64 % n * 64 + e % 64];
                CHECK_MSG(got == (e % 64 < 16 * panels ? want[e] : 0xaaaaaaaa),
                          "%s %zu tiles of depth %zu, %zu panels: number %zu", names[l], n, depth,
                          panels, e);
            }
        }
        free(want);
        unguard(&pixels), unguard(&taps), unguard(&table), unguard(&to[0]), unguard(&to[1]);
    }
}

/* 48 times a sum, modulo 2^32; of pairs half of that, modulo 2^16. */
static uint32_t joined(const struct qnt__lowbit_tiles *t, size_t i, size_t r, size_t j, size_t c)
{
    uint32_t y = 0;
    for (size_t k = 0; k < 6; k++) {
        const int32_t *row = t->m + (2 * k + r) * t->ld + i * (t->paired ? t->columns / 2 : 64);
        y += (uint32_t)of_results[t->width == 4 ? 1 : 2][j][k] *
             (t->paired ? word_of(row, c) : (uint32_t)row[c]);
    }
    return y;
}

/* Three numbers 64 apart, and as many of 16 bits. */
static void sort_limits(int32_t *x, int16_t *narrow)
{
    for (size_t i = 0; i < 3; i++) {
        const size_t k = i % 2 * 64;
        const int32_t a = x[k], b = x[k + 64];
        x[k] = a < b ? a : b;
        x[k + 64] = a < b ? b : a;
    }
    for (size_t k = 0; k < 3; k++) narrow[64 * k] = (int16_t)x[64 * k];
}

/* y divided by 2^shift, rounded down. */
static int64_t divided(uint32_t y, int shift)
{
    const int64_t whole = y < 1u << 31 ? (int64_t)y : (int64_t)y - ((int64_t)1 << 32);
    return (whole - (whole & ((1 << shift) - 1))) / (1 << shift);
}

/* 24 times a sum becomes 8 times it, an int16: that modulo 2^16 which is y times three. */
static int64_t eight_times(uint32_t y)
{
    const int64_t s = (int64_t)(y % 65536) * 43691 % 65536;
    return s < 32768 ? s : s - 65536;
}

/* What is compared with thresholds. */
static int64_t compared(const struct qnt__lowbit_tiles *t, uint32_t y, size_t c)
{
    const int64_t s = t->wide ? divided(y, 0) : t->paired ? eight_times(y) : divided(y, 5);
    return (t->wide ? t->wide[192 + c] : t->flip[c]) ? -1 - s : s;
}

static unsigned code_of(const struct qnt__lowbit_tiles *t, uint32_t y, size_t c)
{
    unsigned count = 0;
    for (size_t k = 0; k < 3; k++)
        count += compared(t, y, c) >= (t->wide ? t->wide[k * 64 + c] : t->limit[k * 64 + c]);
    return count;
}

/* A threshold that a pixel of tile i reaches with nothing to spare, or misses by one. */
static int32_t just_reached(const struct qnt__lowbit_tiles *t, size_t c, size_t i)
{
    const int64_t at = compared(t, joined(t, i, 1, 0, c), c) + random_in(0, 1);
    if (t->wide) return (int32_t)at;
    return (int32_t)(at < INT16_MIN ? INT16_MIN : at > INT16_MAX ? INT16_MAX : at);
}

/* Whether no sum is beyond those that pairs have, of the columns that are at `at`. */
static bool is_known(const struct qnt__lowbit_tiles *t, size_t i, size_t r, size_t j, size_t at)
{
    bool known = true;
    for (size_t c = at; t->paired && c < t->columns; c += t->triples ? t->triples : 64) {
        const int64_t s = eight_times(joined(t, i, r, j, c));
        known = known && s >= -32760 && s <= 32760;
    }
    return known;
}

/* What is at `at` of a pixel: the code of a column, or of up to three. */
static unsigned codes_of(const struct qnt__lowbit_tiles *t, size_t i, size_t r, size_t j, size_t at)
{
    unsigned codes = 0;
    for (size_t s = 0, c = at; s < (t->triples ? 3 : 1); s++, c += t->triples)
        if (c < t->columns) codes |= code_of(t, joined(t, i, r, j, c), c) << 2 * s;
    return codes;
}

/* To sums of products of any size, and to codes, as bytes or as triples. */
static void tiles_to_results(void)
{
    for (int turn = 0; turn < ROUNDS(80); turn++) {
        const bool as_codes = turn % 2, paired = as_codes && random_in(0, 1),
                   beyond = as_codes && !paired && random_in(0, 1);
        const int32_t most = beyond ? 1 << 24 : 9000;
        const size_t n = (size_t)random_in(0, 9), columns = (size_t)random_in(1, 2) * 32,
                     triples = turn % 4 == 3 ? (size_t)random_in(1, 22) : 0,
                     written = triples ? triples : columns,
                     step = written + (size_t)random_in(0, 9), width = random_in(0, 1) ? 4 : 2,
                     apart = width * step + (size_t)(random_in(0, 1) * random_in(0, 300)),
                     all = n ? (n - 1) * apart + (width - 1) * step + written : 0,
                     row = paired ? columns / 2 : 64, ld = n * row + (size_t)random_in(0, 40),
                     from = n ? (11 * ld + n * row) * 4 : 0;
        const bool wild = paired || (!as_codes && turn % 4);
        guarded m = guard(from, random_in(0, 1)), to[2] = {guard(all * 4, 1), guard(all * 4, 1)};
        int16_t limit[3 * 64], flip[64];
        int32_t wide[4 * 64];
        struct qnt__lowbit_tiles t = {.m = (void *)m.data,
                                      .limit = as_codes ? limit : NULL,
                                      .flip = flip,
                                      .wide = beyond ? wide : NULL,
                                      .sums = {(void *)to[0].data, (void *)to[1].data},
                                      .codes = {to[0].data, to[1].data},
                                      .n = n,
                                      .ld = ld,
                                      .step = step,
                                      .apart = apart,
                                      .width = width,
                                      .columns = columns,
                                      .triples = triples,
                                      .paired = paired};
        for (size_t e = 0; e < from / 4; e++) {
            int32_t x = wild     ? (int32_t)random_u64()
                        : beyond ? (int32_t)random_in(-most, most)
                                 : (int32_t)random_in(-32767, 32767);
            memcpy(m.data + 4 * e, &x, 4);
        }
        for (size_t e = 0; e < 3 * 64; e++)
            wide[e] = (int32_t)(e % 13  ? random_in(-most, most)
                                : e % 2 ? (beyond ? INT32_MAX : INT16_MAX)
                                        : (beyond ? INT32_MIN : INT16_MIN + 1));
        for (size_t e = 0; e < 64; e++) flip[e] = (int16_t)(wide[192 + e] = -(int32_t)random_in(0, 1));
        for (size_t c = 0; as_codes && n && c < columns; c++)
            wide[c] = just_reached(&t, c, (size_t)random_in(0, (int64_t)n - 1)); /* or just not */
        for (size_t c = 0; c < 64; c++) sort_limits(wide + c, limit + c);
        for (int l = 0; l < levels; l++) {
            for (int r = 0; r < 2; r++) memset(to[r].data, 0xaa, all * 4);
            tables[l].join_tiles(&t);
            for (size_t e = 0; e < 2 * width * n * written; e++) {
                const size_t c = e % written, j = e / written % width, i = e / written / width % n,
                             r = e / written / width / n, at = i * apart + j * step + c;
                if (as_codes) {
                    CHECK_MSG(!is_known(&t, i, r, j, c) ||
                                  t.codes[r][at] == codes_of(&t, i, r, j, c),
                              "%s byte %zu of %zu, %zu columns%s", names[l], c, written, columns,
                              paired ? ", paired" : "");
                    continue;
                }
                uint32_t sum;
                memcpy(&sum, to[r].data + 4 * at, 4);
                CHECK_MSG(sum * 3 == (uint32_t)divided(joined(&t, i, r, j, c), 4),
                          "%s column %zu of %zu", names[l], c, columns);
            }
            const size_t unit = as_codes ? 1 : 4; /* and nothing between pixels and tiles */
            for (size_t e = 0; e < all * unit; e++)
                if (e / unit % apart >= width * step || e / unit % apart % step >= written)
                    CHECK_MSG(to[0].data[e] == 0xaa && to[1].data[e] == 0xaa, "%s byte %zu",
                              names[l], e);
        }
        unguard(&m), unguard(&to[0]), unguard(&to[1]);
    }
}

static void boxes(void)
{
    for (int i = 0; i < ROUNDS(100); i++) {
        struct qnt__lowbit_box b = {.m = (size_t)random_in(0, 40),
                                    .rows = (size_t)random_in(1, 5),
                                    .columns = (size_t)random_in(1, 5),
                                    .dilation = (size_t)random_in(1, 3),
                                    .step = (size_t)random_in(1, 2)};
        size_t reach = (b.m ? (b.m - 1) * b.step : 0) + (b.columns - 1) * b.dilation + 1;
        b.ld = reach + (size_t)random_in(0, 5);
        size_t count = (b.rows - 1) * b.ld + reach;
        guarded from = guard(count * 4, 1), to = guard(b.m * 4, 1);
        int32_t want[40], *digits = (void *)from.data;
        for (size_t e = 0; e < count; e++)
            digits[e] = i % 4 ? (int32_t)random_in(0, 999) : (int32_t)random_u64();
        b.digits = digits, b.box = (void *)to.data;
        for (size_t x = 0; x < b.m; x++) {
            uint32_t sum = 0;
            for (size_t r = 0; r < b.rows; r++)
                for (size_t j = 0; j < b.columns; j++)
                    sum += (uint32_t)digits[r * b.ld + x * b.step + j * b.dilation];
            want[x] = (int32_t)sum;
        }
        for (int l = 0; l < levels; l++) {
            memset(to.data, 0xaa, b.m * 4);
            tables[l].box_lowbit(&b);
            CHECK_MSG(!memcmp(to.data, want, b.m * 4), "%s m %zu", names[l], b.m);
        }
        unguard(&from), unguard(&to);
    }
}

/* Also sums, scales and identities that end in infinities and NaN; floats of the host lie anywhere. */
static void becomes_floats(void)
{
    enum { MOST = 70 };
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t n = (size_t)random_in(0, MOST);
        int32_t sum[MOST];
        float scale[MOST], shift[MOST], want[MOST];
        uint8_t want_codes[MOST];
        const size_t odd = (size_t)random_in(0, 3);
        guarded identity = guard(n * 4 + odd, 1), y = guard(n * 4 + odd, 1),
                codes = guard(n, random_in(0, 1));
        float id[MOST];
        for (size_t o = 0; o < n; o++) {
            sum[o] = i % 5 ? (int32_t)random_in(-9999, 9999) : (int32_t)random_u64();
            scale[o] = (float)random_in(-50, 50) * (o % 29 ? 1e-3f : 1e38f);
            shift[o] = (float)random_in(-50, 50) * 0.1f;
            id[o] = o % 31 ? (float)random_in(-90, 90) * 0.1f : o % 2 ? NAN : -INFINITY;
        }
        memcpy(identity.data, id, n * 4);
        struct qnt__lowbit_floats f = {.sum = sum,
                                       .scale = scale,
                                       .shift = shift,
                                       .identity = random_in(0, 1) ? identity.data : NULL,
                                       .n = n,
                                       .limit = {-1.5f, 0.0f, (float)random_in(0, 9)},
                                       .first = (int)random_in(0, 1),
                                       .last = (int)random_in(0, 1)};
        tables[0].floats_lowbit(&f); /* neither y nor codes */
        for (size_t o = 0; o < n; o++) {
            volatile float v = (float)sum[o] * scale[o];
            v = v + shift[o];
            if (f.first && v < 0) v = 0;
            if (f.identity) v = v + id[o];
            if (f.last && v < 0) v = 0;
            want[o] = v;
            want_codes[o] = (uint8_t)((v >= f.limit[0]) + (v >= f.limit[1]) + (v >= f.limit[2]));
        }
        f.y = y.data, f.codes = codes.data;
        for (int l = 0; l < levels; l++) {
            memset(y.data, 0xaa, n * 4), memset(codes.data, 0xaa, n);
            tables[l].floats_lowbit(&f);
            for (size_t o = 0; o < n; o++) {
                float got;
                memcpy(&got, y.data + 4 * o, sizeof got);
                bool nan = isnan(want[o]) && isnan(got);
                CHECK_MSG(nan || !memcmp(&got, &want[o], 4), "%s: %g, expected %g", names[l],
                          (double)got, (double)want[o]);
            }
            CHECK_MSG(!memcmp(codes.data, want_codes, n), "%s n %zu", names[l], n);
        }
        unguard(&identity), unguard(&y), unguard(&codes);
    }
}

/* A sum over nothing is 0. */
static void no_channels(void)
{
    const uint8_t byte = 0;
    const ptrdiff_t tap = 0;
    for (int l = 0; l < levels; l++) {
        int32_t acc[9 * 64];
        memset(acc, 0xaa, sizeof acc);
        struct qnt__lowbit g = {.x = &byte,
                                .taps = &tap,
                                .weight = &byte,
                                .acc = acc,
                                .blocks = 1,
                                .m = 9,
                                .tap_count = 1};
        tables[l].conv_lowbit(&g);
        for (int e = 0; e < 9 * 64; e++) CHECK_MSG(acc[e] == 0, "%s element %d", names[l], e);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(true);
    RUN(shapes);
    RUN(every_width);
    RUN(extremes);
    RUN(finishes);
    RUN(digits);
    RUN(packs);
    RUN(joins);
    RUN(unpacks);
    RUN(tiles_of_pixels);
    RUN(tiles_to_products);
    RUN(taps_to_products);
    RUN(tiles_to_results);
    RUN(boxes);
    RUN(becomes_floats);
    RUN(no_channels);
    return DONE;
}
