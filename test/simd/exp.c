/*
 * Bit planes and counted exponent sums of every level against the portable definition, which in turn is
 * held against a loop over codes: all widths, tails, dense and sparse fields, guard pages.
 */
#include "check.h"
#include "simd_levels.h"

static guarded random_codes(size_t n)
{
    guarded g = guard(n, random_in(0, 1));
    int kind = (int)random_in(0, 3);
    for (size_t i = 0; i < n; i++) {
        g.data[i] = kind == 0 ? 0xff : kind == 1 && random_in(0, 2) ? 0 : (uint8_t)(random_u64() >> 40);
    }
    return g;
}

static void slice_codes(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t n = (size_t)random_in(0, 700), words = (n + 63) / 64 + (size_t)random_in(0, 2);
        int bits = (int)random_in(1, 8);
        size_t size = (size_t)bits * words * 8;
        guarded codes = random_codes(n), planes = guard(size, random_in(0, 1));
        for (int l = 0; l < levels; l++) {
            memset(planes.data, 0xaa, size);
            tables[l].slice_codes(codes.data, n, bits, (void *)planes.data, words);
            for (size_t e = 0; e < 64 * words; e++) {
                for (int p = 0; p < bits; p++) {
                    uint64_t word;
                    memcpy(&word, planes.data + 8 * ((size_t)p * words + e / 64), 8);
                    int want = e < n ? codes.data[e] >> p & 1 : 0;
                    CHECK_MSG((int)(word >> e % 64 & 1) == want, "%s n %zu bits %d element %zu",
                              names[l], n, bits, e);
                }
            }
        }
        unguard(&codes);
        unguard(&planes);
    }
}

/* As qnt/kernel.h defines the counters. */
static void count_codes(const uint8_t *a, const uint8_t *b, size_t n, int bits, int32_t *counts)
{
    int count = (1 << bits) - 1;
    for (size_t i = 0; i < n; i++) {
        int f = a[i] & count, g = b[i] & count, s = (a[i] ^ b[i]) >> bits & 1 ? -1 : 1;
        if (f == 0 || g == 0) continue;
        counts[f + g - 2] += s;
        counts[2 * count - 1 + f - 1] += s;
        counts[3 * count - 1 + g - 1] += s;
        counts[4 * count - 1] += s;
    }
}

static void count_exp(void)
{
    for (int i = 0; i < ROUNDS(240); i++) {
        int bits = 2 + i % 6;
        size_t n = (size_t)random_in(1, i % 5 ? 600 : 9000), words = (n + 63) / 64;
        size_t counters = (size_t)4 << bits, size = (size_t)(bits + 1) * words * 8;
        guarded a = random_codes(n), b = random_codes(n);
        guarded pa = guard(size, random_in(0, 1)), pb = guard(size, random_in(0, 1));
        int32_t before[512], want[512];
        for (size_t c = 0; c < counters; c++) before[c] = (int32_t)random_in(-1000, 1000);
        memcpy(want, before, sizeof want);
        count_codes(a.data, b.data, n, bits, want);
        const int parts = i % 4 ? (int)random_in(0, 3) : QNT__COUNT_OF_A | QNT__COUNT_OF_B;
        const size_t count = ((size_t)1 << bits) - 1, of_a = 2 * count - 1, of_b = of_a + count;
        for (size_t c = of_a; c <= of_b + count; c++) { /* what is left out stays */
            bool is_b = c >= of_b && c < of_b + count;
            if (!(parts & (is_b ? QNT__COUNT_OF_B : QNT__COUNT_OF_A))) want[c] = before[c];
        }
        tables[0].slice_codes(a.data, n, bits + 1, (void *)pa.data, words);
        tables[0].slice_codes(b.data, n, bits + 1, (void *)pb.data, words);
        for (int l = 0; l < levels; l++) {
            guarded counts = guard((counters - 4) * 4, random_in(0, 1));
            memcpy(counts.data, before, (counters - 4) * 4);
            struct qnt__count_exp c = {.a = (void *)pa.data,
                                       .b = (void *)pb.data,
                                       .words = words,
                                       .bits = bits,
                                       .parts = parts,
                                       .counts = (void *)counts.data};
            tables[l].count_exp(&c);
            CHECK_MSG(!memcmp(counts.data, want, (counters - 4) * 4), "%s n %zu bits %d", names[l], n,
                      bits);
            unguard(&counts);
        }
        unguard(&a), unguard(&b), unguard(&pa), unguard(&pb);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(true);
    RUN(slice_codes);
    RUN(count_exp);
    return DONE;
}
