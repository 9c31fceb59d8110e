/* qnt_dot_exp and qnt_gemm_exp against loops over codes and products of doubles, and what they refuse. */
#include "check.h"

enum { CLEAR = 1, SPARSE = 2, SAME_SIGN = 4, LARGEST = 8 };

static void fill_codes(uint8_t *codes, size_t n, int bits, int kind)
{
    for (size_t i = 0; i < n; i++) {
        codes[i] = (uint8_t)random_in(0, (2 << bits) - 1);
        if (kind & SAME_SIGN) codes[i] = (uint8_t)(codes[i] & ((1 << bits) - 1));
        if ((kind & SPARSE) && random_in(0, 3)) codes[i] = 0;
        if (kind & CLEAR) codes[i] = (uint8_t)(codes[i] & (1 << bits)); /* zeros of either sign */
        if (kind & LARGEST) codes[i] = (uint8_t)((1 << bits) - 1);
    }
}

/* Counters as the header defines them. */
static void count(const uint8_t *a, const uint8_t *b, size_t n, int bits, int32_t *counts)
{
    int levels = (1 << bits) - 1;
    memset(counts, 0, 4 * (size_t)levels * sizeof *counts);
    for (size_t k = 0; k < n; k++) {
        int f = a[k] & levels, g = b[k] & levels, s = (a[k] ^ b[k]) >> bits ? -1 : 1;
        if (!f || !g) continue;
        counts[f - 1 + g - 1] += s;
        counts[2 * levels - 1 + f - 1] += s;
        counts[3 * levels - 1 + g - 1] += s;
        counts[4 * levels - 1] += s;
    }
}

static double value(uint8_t code, const qnt_exp *e)
{
    int field = code & ((1 << e->exponent_bits) - 1);
    double magnitude = field ? e->alpha * pow(e->base, field - 1) + e->beta : 0;
    return code >> e->exponent_bits & 1 ? -magnitude : magnitude;
}

/* Packs codes of `bits` bits, least significant bit first. */
static uint8_t *pack(const uint8_t *codes, size_t n, int bits)
{
    uint8_t *packed = calloc(n * (size_t)bits / 8 + 2, 1);
    for (size_t i = 0; i < n * (size_t)bits; i++) {
        int bit = codes[i / (size_t)bits] >> i % (size_t)bits & 1;
        packed[i / 8] = (uint8_t)(packed[i / 8] | bit << i % 8);
    }
    return packed;
}

static void counters(void)
{
    static const int64_t lengths[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 8192, 20000};
    qnt_context *context = check_context();
    for (int i = 0; i < ROUNDS(240); i++) {
        int bits = 2 + i % 6, levels = (1 << bits) - 1;
        int64_t n = i % 3 ? random_in(0, 300) : lengths[random_in(0, 9)];
        uint8_t *a = calloc((size_t)n + 1, 1), *b = calloc((size_t)n + 1, 1);
        int32_t got[508], want[508];
        fill_codes(a, (size_t)n, bits, (int)random_in(0, 15));
        fill_codes(b, (size_t)n, bits, (int)random_in(0, 15));
        uint8_t *packed = pack(b, (size_t)n, bits + 1);
        count(a, b, (size_t)n, bits, want);
        OK(qnt_context_set_cpu(context, i % 5 ? qnt_cpu_detect() : 0));
        qnt_tensor *wide = TENSOR(a, bits == 7 ? QNT_UINT : QNT_INT, bits + 1, n);
        uint8_t *packed_a = pack(a, (size_t)n, bits + 1);
        wide->data = packed_a;
        OK(qnt_dot_exp(context, bits, wide, TENSOR(packed, QNT_UINT, bits + 1, n),
                       TENSOR(got, QNT_INT, 32, 4 * levels)));
        CHECK_MSG(!memcmp(got, want, 16 * (size_t)levels), "bits %d n %d", bits, (int)n);
        free(a), free(b), free(packed), free(packed_a);
    }
    qnt_context_destroy(context);
}

/* The order of k changes no counter; one sign less changes none but signs. */
static void symmetries(void)
{
    enum { N = 777, BITS = 3 };
    qnt_context *context = check_context();
    uint8_t a[N], b[N], backwards[2][N], negative[N];
    int32_t first[28], second[28];
    fill_codes(a, N, BITS, 0);
    fill_codes(b, N, BITS, 0);
    for (int k = 0; k < N; k++) {
        backwards[0][k] = a[N - 1 - k], backwards[1][k] = b[N - 1 - k];
        negative[k] = b[k] ^ 8;
    }
    uint8_t *pa = pack(a, N, 4), *pb = pack(b, N, 4), *pn = pack(negative, N, 4);
    uint8_t *ra = pack(backwards[0], N, 4), *rb = pack(backwards[1], N, 4);
    qnt_tensor *out = TENSOR(second, QNT_INT, 32, 28);
    OK(qnt_dot_exp(context, BITS, TENSOR(pa, QNT_UINT, 4, N), TENSOR(pb, QNT_UINT, 4, N),
                   TENSOR(first, QNT_INT, 32, 28)));
    OK(qnt_dot_exp(context, BITS, TENSOR(ra, QNT_UINT, 4, N), TENSOR(rb, QNT_UINT, 4, N), out));
    CHECK(!memcmp(first, second, sizeof first));
    OK(qnt_dot_exp(context, BITS, TENSOR(pa, QNT_UINT, 4, N), TENSOR(pn, QNT_UINT, 4, N), out));
    for (int i = 0; i < 28; i++) CHECK(first[i] == -second[i]);
    free(pa), free(pb), free(pn), free(ra), free(rb);
    qnt_context_destroy(context);
}

static qnt_exp random_exp(int bits, double base)
{
    return (qnt_exp){.size = sizeof(qnt_exp), .exponent_bits = bits, .base = base,
                     .alpha = 0.01 + random_unit(), .beta = random_in(0, 2) ? random_unit() - 0.5 : 0};
}

/* The formula of the header, in its order. */
static float weighed(const int32_t *counts, const qnt_exp *a, const qnt_exp *b)
{
    const int levels = (1 << a->exponent_bits) - 1;
    double sum[3] = {0}, power = 1;
    for (int t = 0; t < 2 * levels - 1; t++, power *= a->base) {
        sum[0] += counts[t] * power;
        if (t < levels) sum[1] += counts[2 * levels - 1 + t] * power;
        if (t < levels) sum[2] += counts[3 * levels - 1 + t] * power;
    }
    double y = a->alpha * b->alpha * sum[0];
    y += a->alpha * b->beta * sum[1];
    y += a->beta * b->alpha * sum[2];
    y += a->beta * b->beta * counts[4 * levels - 1];
    return (float)y;
}

/* Operands with signs or without, all of one sign or not, rows of zeros: the counters' formula to the bit,
 * and the sum of decoded products; a float may be off that by its rounding and 1e-12 of the terms. */
static void products(void)
{
    static const size_t lengths[] = {0, 1, 63, 64, 65, 8192};
    qnt_context *context = check_context();
    for (int i = 0; i < ROUNDS(120); i++) {
        int bits = 2 + i % 6, a_sign = i / 6 % 2, b_sign = i / 12 % 2;
        size_t m = (size_t)random_in(1, 12), n = (size_t)random_in(1, 12); /* tiles have 4 to 10 */
        size_t k = i % 5 ? (size_t)random_in(0, 200) : lengths[i / 5 % 6];
        double base = 1 + pow(2, 1 - bits) * (0.1 + random_unit());
        qnt_exp ea = random_exp(bits, base), eb = random_exp(bits, base);
        uint8_t *a = calloc(m * k + 1, 1), *b = calloc(n * k + 1, 1);
        float c[144], portable[144];
        int32_t counts[508];
        const int one_sign = random_in(0, 3) ? 0 : SAME_SIGN, kind = random_in(0, 3) ? 0 : SPARSE;
        fill_codes(a, m * k, bits, (a_sign ? one_sign : SAME_SIGN) | kind);
        fill_codes(b, n * k, bits,
                   (b_sign ? one_sign : SAME_SIGN) | (random_in(0, 3) ? 0 : SPARSE));
        if (i % 4 == 0)
            fill_codes(a, k, bits, CLEAR | (a_sign ? 0 : SAME_SIGN)); /* a row of zeros */
        uint8_t *pa = pack(a, m * k, bits + a_sign), *pb = pack(b, n * k, bits + b_sign);
        qnt_tensor *va = TENSOR(pa, QNT_UINT, bits + a_sign, (int64_t)m, (int64_t)k),
                   *vb = TENSOR(pb, QNT_UINT, bits + b_sign, (int64_t)n, (int64_t)k);
        OK(qnt_context_set_cpu(context, qnt_cpu_detect()));
        OK(qnt_gemm_exp(context, va, &ea, vb, &eb, TENSOR(c, QNT_FLOAT, 32, (int64_t)m, (int64_t)n)));
        OK(qnt_context_set_cpu(context, 0));
        OK(qnt_gemm_exp(context, va, &ea, vb, &eb,
                        TENSOR(portable, QNT_FLOAT, 32, (int64_t)m, (int64_t)n)));
        CHECK(!memcmp(c, portable, m * n * sizeof *c));
        for (size_t o = 0; o < m * n; o++) {
            double want = 0, terms = 0;
            count(a + o / n * k, b + o % n * k, k, bits, counts);
            float exact = weighed(counts, &ea, &eb);
            CHECK_MSG(c[o] == exact, "bits %d k %zu: %a, not %a", bits, k, (double)c[o],
                      (double)exact);
            if (i % 4 == 0 && o < n) CHECK(c[o] == 0);
            for (size_t j = 0; j < k; j++) {
                double term = value(a[o / n * k + j], &ea) * value(b[o % n * k + j], &eb);
                want += term;
                terms += fabs(term);
            }
            /* beta may cancel alpha: terms are bounded by those of the four sums */
            double room = 6e-8 * fabs(want) + 1e-12 * (terms + (double)k);
            CHECK_MSG(fabs(c[o] - want) <= room, "bits %d k %zu: %g, expected %g", bits, k, c[o], want);
        }
        if (a_sign) { /* -x gives -y */
            for (size_t e = 0; e < m * k; e++) a[e] ^= (uint8_t)(1 << bits);
            free(pa), pa = pack(a, m * k, bits + 1), va->data = pa;
            OK(qnt_gemm_exp(context, va, &ea, vb, &eb,
                            TENSOR(portable, QNT_FLOAT, 32, (int64_t)m, (int64_t)n)));
            for (size_t o = 0; o < m * n; o++) CHECK(portable[o] == -c[o]);
        }
        free(a), free(b), free(pa), free(pb);
    }
    qnt_context_destroy(context);
}

static int32_t broken(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user, (void)run, (void)task, (void)count;
    return 7;
}

static void bad_dot(void)
{
    qnt_context *context = check_context();
    uint8_t a[40] = {0};
    int32_t counts[60] = {0}, before[60] = {0};
    qnt_tensor *x = TENSOR(a, QNT_UINT, 4, 16), *out = TENSOR(counts, QNT_INT, 32, 28);
    CHECK(qnt_dot_exp(NULL, 3, x, x, out) == QNT_E_INVALID);
    FAILS(qnt_dot_exp(context, 1, TENSOR(a, QNT_UINT, 2, 16), x, out), QNT_E_INVALID, "exponent_bits is 1");
    FAILS(qnt_dot_exp(context, 8, TENSOR(a, QNT_UINT, 8, 16), x, out), QNT_E_INVALID, "exponent_bits is 8");
    FAILS(qnt_dot_exp(context, 3, NULL, x, out), QNT_E_INVALID, "a is NULL");
    FAILS(qnt_dot_exp(context, 3, x, TENSOR(a, QNT_UINT, 5, 16), out), QNT_E_DTYPE,
          "b: 5 bits, expected 3, or 4 with a sign");
    FAILS(qnt_dot_exp(context, 3, TENSOR(a, QNT_FLOAT, 32, 4), x, out),
          QNT_E_DTYPE, "a: elements are float32");
    FAILS(qnt_dot_exp(context, 3, TENSOR(a, QNT_UINT, 4, 4, 4), x, out), QNT_E_SHAPE, "a: ndim is 2");
    FAILS(qnt_dot_exp(context, 3, x, TENSOR(a, QNT_UINT, 4, 15), out), QNT_E_SHAPE, "extent 0 is 15");
    FAILS(qnt_dot_exp(context, 3, x, x, TENSOR(counts, QNT_INT, 32, 29)), QNT_E_SHAPE, "of 28");
    FAILS(qnt_dot_exp(context, 3, x, x, TENSOR(counts, QNT_FLOAT, 32, 28)),
          QNT_E_DTYPE, "counts: elements are float32");
    FAILS(qnt_dot_exp(context, 3, TENSOR(counts, QNT_UINT, 4, 16), x, out), QNT_E_INVALID, "overlaps");
    CHECK(!memcmp(counts, before, sizeof counts));
    qnt_context_destroy(context);
}

static void bad_gemm(void)
{
    qnt_context *context = check_context();
    uint8_t a[64] = {0};
    float c[9] = {0}, before[9] = {0};
    const qnt_exp good = {.size = sizeof good, .exponent_bits = 3, .base = 1.5, .alpha = 1, .beta = 0};
    qnt_exp bad;
    qnt_tensor *x = TENSOR(a, QNT_UINT, 4, 2, 5), *w = TENSOR(a, QNT_UINT, 4, 3, 5),
               *y = TENSOR(c, QNT_FLOAT, 32, 2, 3);
    OK(qnt_gemm_exp(context, x, &good, w, &good, y));
    memset(c, 0, sizeof c);
#define REFUSED(member, wrong, text)                                                               \
    do {                                                                                           \
        bad = good;                                                                                \
        bad.member = wrong;                                                                        \
        FAILS(qnt_gemm_exp(context, x, &bad, w, &good, y), QNT_E_INVALID, "a_exp: " text);         \
        FAILS(qnt_gemm_exp(context, x, &good, w, &bad, y), QNT_E_INVALID, "b_exp: " text);         \
    } while (0)
    static const double bases[] = {1, 0.5, 0, -2, NAN, INFINITY}, alphas[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 6; i++) REFUSED(base, bases[i], "base is");
    for (int i = 0; i < 4; i++) REFUSED(alpha, alphas[i], "alpha is");
    REFUSED(beta, NAN, "beta is");
    REFUSED(beta, -INFINITY, "beta is");
    REFUSED(exponent_bits, 1, "exponent_bits is 1");
    REFUSED(exponent_bits, 8, "exponent_bits is 8");
    bad = good, bad.base = 1.25;
    FAILS(qnt_gemm_exp(context, x, &good, w, &bad, y), QNT_E_INVALID, "as in a_exp");
    bad = good, bad.exponent_bits = 4;
    FAILS(qnt_gemm_exp(context, x, &good, w, &bad, y), QNT_E_INVALID, "as in a_exp");
    bad = good, bad.base = 1e40;
    FAILS(qnt_gemm_exp(context, x, &bad, w, &bad, y), QNT_E_INVALID, "finite power 12");
    FAILS(qnt_gemm_exp(context, x, NULL, w, &good, y), QNT_E_INVALID, "a_exp");
    bad = good, bad.size = 8;
    FAILS(qnt_gemm_exp(context, x, &bad, w, &good, y), QNT_E_INVALID, "a_exp");
    CHECK(qnt_gemm_exp(NULL, x, &good, w, &good, y) == QNT_E_INVALID);
    FAILS(qnt_gemm_exp(context, x, &good, TENSOR(a, QNT_UINT, 4, 3, 4), &good, y), QNT_E_SHAPE,
          "b: extent 1 is 4");
    FAILS(qnt_gemm_exp(context, x, &good, w, &good, TENSOR(c, QNT_FLOAT, 32, 3, 2)), QNT_E_SHAPE, "c: ");
    FAILS(qnt_gemm_exp(context, x, &good, w, &good, TENSOR(c, QNT_FLOAT, 16, 2, 3)), QNT_E_DTYPE, "c: ");
    FAILS(qnt_gemm_exp(context, TENSOR(c, QNT_UINT, 4, 2, 5), &good, w, &good, y), QNT_E_INVALID,
          "overlaps");
    OK(qnt_context_set_parallel(context, broken, NULL, 2));
    CHECK(!memcmp(c, before, sizeof c));
    CHECK(qnt_gemm_exp(context, TENSOR(a, QNT_UINT, 4, 9, 5), &good, TENSOR(a, QNT_UINT, 4, 1, 5), &good,
                       TENSOR(c, QNT_FLOAT, 32, 9, 1)) == QNT_E_PARALLEL);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(counters);
    RUN(symmetries);
    RUN(products);
    RUN(bad_dot);
    RUN(bad_gemm);
    return DONE;
}
