/*
 * Differing bits of planes: the portable definition against counting bit by bit, every CPU level
 * against the definition; all tails, extremes, guard pages.
 */
#include "check.h"
#include "simd/layout.h"
#include "simd/slots.h"

enum { MAX_LEVELS = 8, MOST_WORDS = 140 };

static struct qnt__simd tables[MAX_LEVELS];
static const char *names[MAX_LEVELS];
static int levels;

static void choose_levels(void)
{
    uint64_t cpu = qnt_cpu_detect(), mask = 0;
    for (uint64_t bit = 1; bit; bit <<= 1) {
        if (!(cpu & bit)) continue;
        mask |= bit;
        qnt__simd_choose(&tables[levels], mask);
        names[levels++] = qnt_cpu_name(bit);
    }
}

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
        size_t m = (size_t)random_in(1, QNT__BLOCK_ROWS),
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

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels();
    RUN(products);
    return DONE;
}
