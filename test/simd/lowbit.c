/*
 * Convolution stretches of 2-bit codes on every level, against a plain loop over digits: random
 * kernels, strides and dilations, all tile remainders, extremes beyond 16-bit sums, guard pages on
 * both sides.
 */
#include "check.h"
#include "simd/slots.h"

enum { MAX_LEVELS = 8, MAX_TAPS = 49 };

static struct qnt__simd tables[MAX_LEVELS];
static const char *names[MAX_LEVELS];
static int levels;

static void choose_levels(void)
{
    uint64_t cpu = qnt_cpu_detect(), mask = 0;
    qnt__simd_choose(&tables[levels], 0);
    names[levels++] = "portable";
    for (uint64_t bit = 1; bit; bit <<= 1) {
        if (!(cpu & bit)) continue;
        mask |= bit;
        qnt__simd_choose(&tables[levels], mask);
        names[levels++] = qnt_cpu_name(bit);
    }
}

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

static int32_t naive(const struct qnt__lowbit *g, size_t i, size_t c)
{
    int32_t sum = 0;
    for (size_t p = 0; p < g->tap_count; p++) {
        for (size_t t = 0; t < g->triples; t++) {
            for (int s = 0; s < 3; s++) {
                sum += digit(g->x[g->taps[p] + (ptrdiff_t)(i * g->step + t)], s) *
                       digit(g->weight[(t * g->tap_count + p) * 64 + c], s);
            }
        }
    }
    return sum;
}

/* A row of m output pixels of a kernel of size x size; of `bytes` a pixel, some are read. */
static void compare(size_t m, size_t size, size_t stride, size_t dilation, size_t triples,
                    size_t bytes, bool extreme)
{
    size_t reach = (size - 1) * dilation + 1, width = m ? (m - 1) * stride + reach : reach;
    ptrdiff_t taps[MAX_TAPS];
    for (size_t p = 0; p < size * size; p++) {
        taps[p] = (ptrdiff_t)((p / size * dilation * width + p % size * dilation) * bytes);
    }
    guarded x = random_digits((width * reach - 1) * bytes + triples, extreme);
    guarded weight = random_digits(triples * size * size * 64, extreme);
    guarded acc = guard(m * 64 * 4, random_in(0, 1));
    struct qnt__lowbit g = {.x = x.data,
                            .taps = taps,
                            .weight = weight.data,
                            .acc = (void *)acc.data,
                            .m = m,
                            .step = stride * bytes,
                            .triples = triples,
                            .tap_count = size * size};
    int32_t want[64 * 24];
    for (size_t e = 0; e < m * 64; e++) want[e] = naive(&g, e / 64, e % 64);
    for (int l = 0; l < levels; l++) {
        memset(acc.data, 0xaa, m * 64 * 4);
        tables[l].conv_lowbit(&g);
        CHECK_MSG(!memcmp(acc.data, want, m * 64 * 4),
                  "%s m %zu kernel %zu stride %zu dilation %zu triples %zu of %zu", names[l], m,
                  size, stride, dilation, triples, bytes);
    }
    unguard(&x), unguard(&weight), unguard(&acc);
}

static void shapes(void)
{
    for (int i = 0; i < ROUNDS(150); i++) {
        size_t triples = (size_t)random_in(1, i % 4 ? 12 : 43);
        compare((size_t)random_in(0, 18), 2 * (size_t)random_in(0, 3) + 1, (size_t)random_in(1, 2),
                (size_t)random_in(1, 3), triples, triples + (size_t)random_in(0, 30), false);
    }
}

static void every_width(void)
{
    for (size_t m = 0; m <= 17; m++) compare(m, 3, 1, 1, 5, 5, false);
}

/* 27 for each look-up: bytes, 16-bit sums and their borders. */
static void extremes(void)
{
    for (size_t steps = 1; steps <= 19; steps++) compare(9, 1, 1, 1, steps, steps, true);
    for (size_t steps = 2426; steps <= 2429; steps++) compare(8, 1, 1, 1, steps, steps, true);
    compare(2, 3, 1, 1, 700, 700, true);
    compare(1, 1, 1, 1, 4855, 4855, true);
}

/* Any sums, steps and thresholds, wrapping included. */
static void finishes(void)
{
    enum { MOST = 9 };
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t m = (size_t)random_in(0, MOST);
        int32_t acc[MOST * 64], want[MOST * 64], box[MOST], thresholds[3 * 64];
        uint8_t codes[MOST * 64] = {0};
        for (int e = 0; e < MOST * 64; e++)
            acc[e] = i % 4 ? (int32_t)random_in(-5000, 5000) : (int32_t)random_u64();
        for (int e = 0; e < MOST; e++) box[e] = (int32_t)random_in(0, i % 4 ? 900 : INT32_MAX);
        for (int e = 0; e < 3 * 64; e++)
            thresholds[e] = e % 17  ? (int32_t)random_in(-9000, 9000)
                            : e % 2 ? INT32_MAX
                                    : INT32_MIN;
        struct qnt__lowbit_finish f = {.box = box,
                                       .m = m,
                                       .step = (int32_t)random_in(-3, 3),
                                       .zero = (int32_t)random_in(-3, 3),
                                       .thresholds = random_in(0, 1) ? thresholds : NULL};
        memcpy(want, acc, sizeof acc);
        for (size_t e = 0; e < m * 64; e++) {
            int32_t v =
                (int32_t)(uint64_t)((int64_t)acc[e] * f.step + (int64_t)box[e / 64] * f.zero);
            if (!f.thresholds) want[e] = v;
            for (size_t t = 0; t < 3; t++)
                codes[e] = (uint8_t)(codes[e] + (v >= thresholds[t * 64 + e % 64]));
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

/* A sum over nothing is 0. */
static void no_channels(void)
{
    const uint8_t byte = 0;
    const ptrdiff_t tap = 0;
    for (int l = 0; l < levels; l++) {
        int32_t acc[9 * 64];
        memset(acc, 0xaa, sizeof acc);
        struct qnt__lowbit g = {
            .x = &byte, .taps = &tap, .weight = &byte, .acc = acc, .m = 9, .tap_count = 1};
        tables[l].conv_lowbit(&g);
        for (int e = 0; e < 9 * 64; e++) CHECK_MSG(acc[e] == 0, "%s element %d", names[l], e);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels();
    RUN(shapes);
    RUN(every_width);
    RUN(extremes);
    RUN(finishes);
    RUN(no_channels);
    return DONE;
}
