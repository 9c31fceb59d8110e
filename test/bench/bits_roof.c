/* Loops over registers, one for each way to multiply bit planes. */
#include "bits_roof.h"

#include "bench.h"
#include "qnt.h"

#if defined(__x86_64__)

enum { ROUNDS = 200000, REPEATS = 9 };

/* The best rate of REPEATS runs of a loop of `products`. */
#define MEASURE(best, products, body)                                                              \
    for (int repeat = 0; repeat < REPEATS; repeat++) {                                             \
        double start = bench_now(), rate;                                                          \
        __asm__ volatile("mov %0, %%ecx\n1:\n" body "dec %%ecx\n jnz 1b\n vzeroupper\n"            \
                         :                                                                         \
                         : "i"(ROUNDS)                                                             \
                         : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",    \
                           "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",    \
                           "xmm15");                                                               \
        rate = (double)ROUNDS * (products) / (bench_now() - start);                                \
        if (rate > (best)) (best) = rate;                                                          \
    }

#define EIGHT(step)                                                                                \
    step("0", "8") step("1", "9") step("2", "10") step("3", "11") step("4", "12") step("5", "13")  \
        step("6", "14") step("7", "15")

#define COUNT(acc, parity)                                                                         \
    "vpxorq %%zmm30, %%zmm31, %%zmm28\n vpxorq %%zmm30, %%zmm31, %%zmm29\n"                        \
    "vpternlogq $0xd4, %%zmm29, %%zmm" parity ", %%zmm28\n vpopcntq %%zmm28, %%zmm28\n"            \
    "vpaddq %%zmm28, %%zmm" acc ", %%zmm" acc "\n vmovdqa64 %%zmm29, %%zmm" parity "\n"

/* One of 64 for 96 k of 512 columns. */
#define ADDER(acc, carry)                                                                          \
    "vpternlogq $0x96, %%zmm30, %%zmm31, %%zmm" acc "\n"                                           \
    "vpternlogq $0xd4, %%zmm" acc ", %%zmm31, %%zmm" carry "\n"

#define SETS(acc, parity)                                                                          \
    "vpxorq %%zmm30, %%zmm" parity ", %%zmm" parity "\n vpopcntq %%zmm" parity ", %%zmm29\n"       \
    "vpaddq %%zmm29, %%zmm" acc ", %%zmm" acc "\n"

#define FOUR(acc, found)                                                                           \
    "vpermb %%zmm31, %%zmm30, %%zmm" found "\n vpdpbusd %%zmm29, %%zmm" found ", %%zmm" acc "\n"

#define SIX(acc, found)                                                                            \
    "vpermb %%zmm31, %%zmm30, %%zmm" found "\n vpaddusb %%zmm" found ", %%zmm" acc ", %%zmm" acc "\n"

/* Found sums take turns in four registers: indices and tables need the others. */
#define FOUR_AVX2(acc, found)                                                                      \
    "vpshufb %%ymm15, %%ymm14, %%ymm8\n vpaddb %%ymm8, %%ymm" acc ", %%ymm" acc "\n"

struct bits_roof bits_roof(void)
{
    struct bits_roof roof = {0};
    roof.bytes = bench_peak();
    if (bench_cpu() & QNT_CPU_AVX512VBMI) {
        MEASURE(roof.count, 8 * 1024, EIGHT(COUNT));
        MEASURE(roof.adders, 8 * 512 * 96 / 64, EIGHT(ADDER));
        MEASURE(roof.sets, 8 * 512, EIGHT(SETS));
        MEASURE(roof.four, 8 * 256, EIGHT(FOUR));
        MEASURE(roof.six, 8 * 384 * 64 / 66, EIGHT(SIX));
    } else if (bench_cpu() & QNT_CPU_AVX2) {
        MEASURE(roof.four, 8 * 128, EIGHT(FOUR_AVX2));
    }
    return roof;
}

#else

struct bits_roof bits_roof(void)
{
    return (struct bits_roof){.bytes = bench_peak()};
}

#endif

/* Of rounds with `sums` look-ups, whose sum fills a byte, two instructions each, and three to widen
 * it. */
static double widened(double rate, int sums)
{
    return rate * sums / (sums + 1.5);
}

static double best(double a, double b)
{
    return a > b ? a : b;
}

double bits_roof_of(const struct bits_roof *roof, int w, int a, int uniform, int signs)
{
    double most = roof->count / (w * a), four = roof->four / w;
    if (signs) return most;
    if (bench_cpu() & QNT_CPU_AVX512VBMI) {
        most = best(most, roof->adders / (w * a));
        if (a <= 4) most = best(most, widened(roof->six, 255 / (6 * ((1 << a) - 1))) / w);
        most = best(most, a > 6 ? four / 2 : four);
    } else {
        int digit = a > 6 ? 4 : a;
        four = widened(four, 255 / (4 * ((1 << digit) - 1)));
        most = best(most, a > 6 ? four / 2 : four);
    }
    double bytes = roof->bytes; /* seven products may do for eight */
    if (a < 8 && (uniform ? w : 1) < 7) bytes = bytes * 8 / 7;
    return best(most, uniform ? bytes : bytes / w);
}
