/*
 * Kernel maps, every CPU level against the portable definition, byte for byte: all tails, extremes,
 * any alignment, guard pages around all that is read and written. The exponential against libm;
 * codes near ties.
 */
#include <float.h>

#include "base/exponential.h"
#include "check.h"
#include "simd_levels.h"

enum { MOST = 2000 };

/* n floats in guarded memory: ordinary, alike, tiny, or with zeros. */
static guarded floats(size_t n)
{
    guarded g = guard(4 * n, random_in(0, 1));
    float *x = (void *)g.data;
    const int kind = (int)random_in(0, 5);
    const float scale = kind == 1 ? 1e-38f : kind == 2 ? 1e-41f : kind == 3 ? 1e15f : 1.0f;
    for (size_t i = 0; i < n; i++) {
        x[i] = scale * (float)random_gauss();
        if (kind == 4) x[i] = random_in(0, 3) ? 0.0f : -0.0f;
        if (kind == 5) x[i] = -1.0f;
    }
    return g;
}

static void exponential(void)
{
    for (float x = 0.0f; x > -90.0f; x -= 0.0037f) {
        double exact = x > -87.0f ? exp((double)x) : 0.0, got = (double)qnt__exp_f32(x);
        CHECK_MSG(fabs(got - exact) <= 2.5e-7 * exact, "exp(%g) is %g", (double)x, got);
    }
}

static void kernel_values(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        const float odd[] = {INFINITY, -INFINITY, NAN,     -87.0f,  0.0f,
                             -0.0f,    1.0f,      FLT_MAX, -FLT_MAX};
        struct qnt__kernel_values k = {.m = (size_t)random_in(1, 13),
                                       .n = 16 * (size_t)random_in(1, 5)};
        k.ld = k.n + (size_t)random_in(0, 3), k.y_ld = k.n + (size_t)random_in(0, 3);
        k.slope = random_in(0, 3) ? 2.8f : 90.0f;
        const size_t held = (k.m - 1) * k.ld + k.n, bytes = 4 * ((k.m - 1) * k.y_ld + k.n);
        guarded x = guard(4 * held, random_in(0, 1)), norm = floats(k.m);
        guarded shift = floats(k.n), factor = floats(k.n);
        guarded y = guard(bytes, random_in(0, 1)), want = guard(bytes, true);
        float *from = (void *)x.data;
        for (size_t j = 0; j < held; j++)
            from[j] = random_in(0, 30) ? (float)random_gauss() - 1.0f : odd[random_in(0, 8)];
        k.x = from, k.norm = (void *)norm.data;
        k.shift = (void *)shift.data, k.factor = (void *)factor.data;
        memset(want.data, 0x55, bytes);
        k.y = (void *)want.data;
        qnt__kernel_values_c(&k);
        for (int l = 0; l < levels; l++) {
            memset(y.data, 0x55, bytes);
            k.y = (void *)y.data;
            tables[l].kernel_values(&k);
            CHECK_MSG(!memcmp(y.data, want.data, bytes), "%s %zu x %zu", names[l], k.m, k.n);
        }
        unguard(&x), unguard(&norm), unguard(&shift), unguard(&factor), unguard(&y), unguard(&want);
    }
}

static void sums(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t m = (size_t)random_in(0, 35), depth = (size_t)random_in(1, 60);
        size_t ld = depth + (size_t)random_in(0, 3);
        guarded x = floats(m ? (m - 1) * ld + depth : 0), out = guard(4 * m, random_in(0, 1));
        float want[35];
        for (int squares = 0; squares < 2; squares++) {
            qnt__sums_f32_c((void *)x.data, ld, m, depth, squares, want);
            for (int l = 0; l < levels; l++) {
                memset(out.data, 0x55, 4 * m);
                tables[l].sums_f32((void *)x.data, ld, m, depth, squares, (void *)out.data);
                CHECK_MSG(!memcmp(out.data, want, 4 * m), "%s %zu x %zu", names[l], m, depth);
            }
        }
        unguard(&x), unguard(&out);
    }
}

/* Every second time most numbers are half a code from their neighbours, or an ulp beside that. */
static void near_ties(float *x, size_t n, float top)
{
    const float most = 1.0f + (float)random_in(0, 1000) / 999.0f;
    for (size_t i = 0; i < n; i++) {
        float tie = ((float)random_in(0, (int64_t)top - 1) + 0.5f) / top * most;
        int64_t side = random_in(-1, 1);
        tie = side < 0 ? nextafterf(tie, 0.0f) : side ? nextafterf(tie, 9.0f) : tie;
        x[i] = random_in(0, 1) ? tie : -tie;
    }
    if (n) x[random_in(0, (int64_t)n - 1)] = most;
}

static void round_f32(void)
{
    for (int i = 0; i < ROUNDS(1000); i++) {
        size_t n = (size_t)random_in(0, i % 10 ? 70 : MOST);
        float top = (float)((1 << random_in(1, 7)) - 1);
        int32_t zero = random_in(0, 1) ? 128 : 0;
        guarded x = floats(n), out = guard(n, random_in(0, 1));
        uint8_t want[MOST];
        if (i % 2) near_ties((void *)x.data, n, top);
        int32_t square = qnt__round_f32_c((void *)x.data, n, top, zero, want), exact = 0;
        for (size_t k = 0; k < n; k++) exact += (want[k] - zero) * (want[k] - zero);
        CHECK(zero == 0 || square == exact);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, n);
            int32_t got = tables[l].round_f32((void *)x.data, n, top, zero, out.data);
            CHECK_MSG(got == square && !memcmp(out.data, want, n), "%s n %zu top %g", names[l], n,
                      (double)top);
        }
        unguard(&x), unguard(&out);
    }
}

static void signs_f32(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t n = (size_t)random_in(0, 300), words = 2 * (n / 128 + (size_t)random_in(1, 2));
        guarded x = floats(n), out = guard(8 * words, random_in(0, 1));
        uint64_t want[8], parity = 0;
        qnt__signs_f32_c((void *)x.data, n, want, words);
        for (size_t k = 0; k < 64 * words; k++) {
            uint64_t before = k / 64 % 2 ? parity : 0;
            bool bit = (want[k / 64] ^ before) >> k % 64 & 1;
            CHECK(bit == (k < n && ((float *)(void *)x.data)[k] >= 0));
            if (k % 64 == 63) parity = k / 64 % 2 ? want[k / 64] : parity ^ want[k / 64];
        }
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 8 * words);
            tables[l].signs_f32((void *)x.data, n, (void *)out.data, words);
            CHECK_MSG(!memcmp(out.data, want, 8 * words), "%s n %zu", names[l], n);
        }
        unguard(&x), unguard(&out);
    }
}

static void add_rows(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t rows = (size_t)random_in(0, 7), n = (size_t)random_in(0, 70);
        size_t ld = n + (size_t)random_in(0, 3);
        guarded x = floats(rows ? (rows - 1) * ld + n : 0), weight = floats(rows);
        guarded before = floats(n), out = guard(4 * n, random_in(0, 1));
        float want[70];
        memcpy(want, before.data, 4 * n);
        qnt__add_rows_f32_c((void *)x.data, ld, (void *)weight.data, rows, n, want);
        for (int l = 0; l < levels; l++) {
            memcpy(out.data, before.data, 4 * n);
            tables[l].add_rows_f32((void *)x.data, ld, (void *)weight.data, rows, n,
                                   (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 4 * n), "%s %zu x %zu", names[l], rows, n);
        }
        unguard(&x), unguard(&weight), unguard(&before), unguard(&out);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(false);
    RUN(exponential);
    RUN(kernel_values);
    RUN(sums);
    RUN(round_f32);
    RUN(signs_f32);
    RUN(add_rows);
    return DONE;
}
