/* Bit planes: packing, and products against naive loops for all widths, ragged shapes, views, bad
 * input. */
#include <math.h>
#include <sched.h>
#include <stdatomic.h>

#include "../contract/fixtures.h"
#include "strided.h"

#include "kernel/bits.h"

enum { PATHS = QNT__BITS_STRASSEN + 1 };

static qnt_context *c;

/* Planes of codes, in fresh memory. */
static qnt_tensor *pack(const qnt_tensor *codes, check_tensor *v)
{
    size_t bytes = 1;
    v->t = (qnt_tensor){.shape = v->shape, .strides = v->strides};
    CHECK_MSG(qnt_pack_bits_view(c, codes, &v->t) == QNT_OK, "%s", check_reason);
    for (int d = 0; d < 4; d++) bytes *= (size_t)v->shape[d];
    v->t.data = aligned_alloc(64, (bytes + 64) / 64 * 64);
    memset(v->t.data, 0x55, bytes);
    CHECK_MSG(qnt_pack_bits(c, codes, &v->t) == QNT_OK, "%s", check_reason);
    return &v->t;
}

static int64_t sign(int code, int bit)
{
    return code >> bit & 1 ? 1 : -1;
}

/* Codes as bytes, and the same packed. */
static void random_codes(int bits, bool extreme, int64_t n, uint8_t *codes, uint8_t *packed)
{
    memset(packed, 0, (size_t)n);
    for (int64_t j = 0; j < n; j++) {
        codes[j] = (uint8_t)(extreme ? (1 << bits) - 1 : random_in(0, (1 << bits) - 1));
    }
    for (int64_t j = 0; j < n * bits; j++) {
        if (codes[j / bits] >> j % bits & 1) packed[j / 8] = (uint8_t)(packed[j / 8] | 1 << j % 8);
    }
}

/* Coefficients of a column: unrelated and now and then 0, or each twice the one before. */
static void random_coef(int planes, bool doubling, float *coef)
{
    for (int p = 0; p < planes; p++) {
        float any = random_in(0, 7) ? (float)random_gauss() : 0;
        coef[p] = doubling && p ? 2 * coef[p - 1] : any;
    }
}

/* The definition of a result of numbers. */
static float expected(const uint8_t *a, const uint8_t *b, int64_t k, int a_bits, int b_bits,
                      const float *coef)
{
    int64_t all = 0, largest = ((1 << a_bits) - 1) * ((1 << b_bits) - 1) * k;
    bool combine = b_bits > 1 && largest <= INT32_MAX;
    float sum = 0;
    for (int p = 0; p < b_bits; p++) {
        int64_t dot = 0;
        for (int64_t e = 0; e < k; e++) dot += sign(b[e], p) * a[e];
        float term = coef[p] * (float)dot;
        sum = p ? sum + term : term;
        all += dot * (1 << p);
        if (p && coef[p] != 2 * coef[p - 1]) combine = false;
    }
    return combine ? (float)all * coef[0] : sum;
}

/*
 * Exact products of numbers with one plane, in int32, and with several, weighted, in floats; on every
 * path and CPU level, all widths, extremes that fill bytes and 16-bit sums.
 */
static void numbers(void)
{
    static const int64_t depths[] = {1, 5, 63, 64, 65, 127, 255, 1000, 4096, 5000};
    for (int i = 0; i < ROUNDS(256); i++) {
        int a_bits = 1 + i % 8, b_bits = 1 + i / 8 % 4, extreme = (int)random_in(0, 5);
        if (i % 64 == 63) b_bits = (int)random_in(5, 8);
        int doubling = (int)random_in(0, 2); /* no column, some, all */
        bool columns = random_in(0, 4) == 0; /* c is a transposed view */
        int64_t k = i < 10            ? depths[i]
                    : random_in(0, 3) ? random_in(1, 300)
                                      : depths[random_in(0, 9)];
        int64_t m = random_in(1, k > 999 ? 5
                                 : i % 8 ? 30
                                         : 120),
                n = random_in(1, k > 999 ? 20 : 90);
        uint8_t *a = malloc((size_t)(m * k)), *b = malloc((size_t)(n * k));
        uint8_t *a_packed = malloc((size_t)(m * k)), *b_packed = malloc((size_t)(n * k));
        float *coef = malloc((size_t)(n * b_bits) * 4), *y = malloc((size_t)(m * n) * 4),
              *want = malloc((size_t)(m * n) * 4);
        int32_t *exact = malloc((size_t)(m * n) * 4);
        check_tensor planes;
        random_codes(a_bits, extreme == 0, m * k, a, a_packed);
        random_codes(b_bits, extreme < 2, n * k, b, b_packed);
        for (int64_t j = 0; j < n; j++)
            random_coef(b_bits, doubling == 2 || (doubling == 1 && random_in(0, 1)),
                        coef + j * b_bits);
        for (int64_t r = 0; r < m; r++) {
            for (int64_t j = 0; j < n; j++) {
                want[r * n + j] =
                    expected(a + r * k, b + j * k, k, a_bits, b_bits, coef + j * b_bits);
            }
        }
        qnt_tensor *pb = pack(TENSOR(b_packed, QNT_UINT, b_bits, n, k), &planes);
        const qnt_tensor *pa = TENSOR(a_packed, QNT_UINT, a_bits, m, k);
        const qnt_tensor *pc = TENSOR(coef, QNT_FLOAT, 32, n, b_bits);
        qnt_tensor *py = TENSOR(y, QNT_FLOAT, 32, m, n);
        int64_t transposed[2] = {1, m};
        if (columns) py->strides = transposed;
        for (int run = 0; run <= PATHS; run++) {
            enum qnt__bits_path path =
                run < PATHS ? (enum qnt__bits_path)run : (enum qnt__bits_path)(i % PATHS);
            qnt_context_set_cpu(c, run < PATHS ? qnt_cpu_detect() : i % 8 < 4 ? 0 : QNT_CPU_AVX2);
            if (b_bits == 1) {
                OK(qnt__gemm_bits(path, c, pa, NULL, pb, NULL, TENSOR(exact, QNT_INT, 32, m, n)));
                for (int64_t j = 0; j < m * n; j++) {
                    int64_t dot = 0;
                    for (int64_t e = 0; e < k; e++)
                        dot += sign(b[j % n * k + e], 0) * a[j / n * k + e];
                    CHECK_MSG(exact[j] == dot, "a %d k %lld path %d", a_bits, (long long)k, path);
                }
            }
            OK(qnt__gemm_bits(path, c, pa, NULL, pb, pc, py));
            for (int64_t j = 0; j < m * n; j++) {
                float found = y[columns ? j % n * m + j / n : j];
                CHECK_MSG(found == want[j], "a %d b %d k %lld path %d: %g, expected %g", a_bits,
                          b_bits, (long long)k, path, (double)found, (double)want[j]);
            }
        }
        uint8_t *odd = malloc((size_t)(m * n) * 4 + 1);
        OK(qnt_gemm_bits(c, pa, NULL, pb, pc, TENSOR(odd + 1, QNT_FLOAT, 32, m, n)));
        CHECK(!memcmp(odd + 1, want, (size_t)(m * n) * 4));
        free(a), free(b), free(coef), free(y), free(want), free(exact), free(a_packed),
            free(b_packed), free(planes.t.data), free(odd);
    }
}

/* What fills sums of bytes and of 16 bits as far as it goes: the largest codes, columns of ones, of
 * zeros and of halves; for all widths, on every path. The planes of every other column double. */
static void extremes(void)
{
    enum { M = 5, N = 70, MOST_K = 5056 };
    static const int64_t depths[] = {64, 1, 5056, 257};
    static uint8_t a[M * MOST_K], b[N * MOST_K];
    static float coef[N * 4], y[M * N];
    memset(a, 0xff, sizeof a);
    for (int i = 0; i < ROUNDS(16); i++) {
        int64_t k = depths[i / 4];
        int b_bits = 1 + i % 4, all = (1 << b_bits) - 1;
        check_tensor planes;
        memset(b, 0, sizeof b);
        for (int64_t e = 0; e < N * k * b_bits; e++) {
            int64_t column = e / b_bits / k, at = e / b_bits % k;
            if (column % 3 == 0 || (column % 3 == 1 && at < k / 2))
                b[e / 8] = (uint8_t)(b[e / 8] | 1 << e % 8);
        }
        for (int j = 0; j < N * b_bits; j++) {
            int p = j % b_bits;
            coef[j] = (float)(1 << (j / b_bits % 2 ? b_bits - 1 - p : p));
        }
        qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, b_bits, N, k), &planes);
        for (int run = 0; run < 8 * 2 * PATHS; run++) {
            int a_bits = 1 + run % 8, path = run / 16;
            qnt_context_set_cpu(c,
                                run / 8 % 2 ? QNT_CPU_AVX2 & qnt_cpu_detect() : qnt_cpu_detect());
            OK(qnt__gemm_bits((enum qnt__bits_path)path, c, TENSOR(a, QNT_UINT, a_bits, M, k), NULL,
                              pb, TENSOR(coef, QNT_FLOAT, 32, N, b_bits),
                              TENSOR(y, QNT_FLOAT, 32, M, N)));
            for (int j = 0; j < M * N; j++) {
                int64_t ones = j % N % 3 == 0 ? k : j % N % 3 == 1 ? k / 2 : 0;
                float sum = (float)((2 * ones - k) * all * ((1 << a_bits) - 1));
                CHECK_MSG(y[j] == sum, "a %d b %d k %lld path %d: %g, expected %g", a_bits, b_bits,
                          (long long)k, path, (double)y[j], (double)sum);
            }
        }
        free(pb->data);
    }
}

/*
 * Rows of bytes that share planes, a few at a time, and a K that is expanded in parts: as counted. Every
 * fourth time the rows are several tasks, every sixth time they do not fit in the memory of one slab.
 */
static void many_rows(void)
{
    static const enum qnt__bits_path paths[] = {QNT__BITS_BYTES, QNT__BITS_STRASSEN};
    for (int i = 0; i < ROUNDS(18); i++) {
        int a_bits = 1 + (int)random_in(0, 7), b_bits = 1 + i % 4;
        int64_t m = i % 4 ? random_in(13, 110) : random_in(1010, 1100), n = random_in(1, 160),
                k = i % 4 ? random_in(2049, i % 3 ? 4400 : 9000) : random_in(1, 70);
        if (i % 6 == 5) m = random_in(119, 127), n = random_in(1, 40), k = random_in(40000, 41000);
        uint8_t *a = malloc((size_t)(m * k)), *b = malloc((size_t)(n * k));
        float *coef = malloc((size_t)(n * b_bits) * 4), *y = malloc((size_t)(m * n) * 8);
        check_tensor planes;
        bool extreme = i % 5 == 4;
        for (int64_t j = 0; j < m * k; j++) a[j] = (uint8_t)(extreme ? 0xff : random_u64());
        for (int64_t j = 0; j < n * k; j++) b[j] = (uint8_t)(extreme ? 0xff : random_u64());
        for (int64_t j = 0; j < n * b_bits; j++)
            coef[j] = i % 3 ? (float)(1 << j % b_bits) : (float)random_gauss();
        qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, b_bits, n, k), &planes),
                   *pa = TENSOR(a, QNT_UINT, a_bits, m, k),
                   *pc = TENSOR(coef, QNT_FLOAT, 32, n, b_bits);
        for (int run = 0; run < 6; run++) {
            uint64_t cpu = qnt_cpu_detect();
            int level = run / 2;
            qnt_context_set_cpu(c, level == 0 ? cpu : level == 1 ? cpu & QNT_CPU_AVX2 : 0);
            OK(qnt__gemm_bits(QNT__BITS_COUNT, c, pa, NULL, pb, pc,
                              TENSOR(y, QNT_FLOAT, 32, m, n)));
            OK(qnt__gemm_bits(paths[run % 2], c, pa, NULL, pb, pc,
                              TENSOR(y + m * n, QNT_FLOAT, 32, m, n)));
            CHECK_MSG(!memcmp(y, y + m * n, (size_t)(m * n) * 4),
                      "a %d b %d, %lld x %lld x %lld, level %d path %d", a_bits, b_bits,
                      (long long)m, (long long)n, (long long)k, level, paths[run % 2]);
        }
        free(a), free(b), free(coef), free(y), free(pb->data);
    }
}

/* Coefficients that are not numbers make their own column so, and no other. */
static void not_numbers(void)
{
    enum { M = 3, N = 20, K = 70 };
    static uint8_t a[M * K], b[N * K];
    static float coef[N * 2], y[M * N];
    check_tensor planes;
    for (int j = 0; j < M * K; j++) a[j] = (uint8_t)random_u64();
    for (int j = 0; j < N * K; j++) b[j] = (uint8_t)random_u64();
    for (int j = 0; j < N * 2; j++) coef[j] = (float)(1 + j % 2);
    coef[2 * 5] = NAN, coef[2 * 7 + 1] = NAN, coef[2 * 9] = coef[2 * 9 + 1] = INFINITY;
    qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 2, N, K), &planes);
    for (int path = 0; path < PATHS; path++) {
        qnt_context_set_cpu(c, qnt_cpu_detect());
        OK(qnt__gemm_bits((enum qnt__bits_path)path, c, TENSOR(a, QNT_UINT, 3, M, K), NULL, pb,
                          TENSOR(coef, QNT_FLOAT, 32, N, 2), TENSOR(y, QNT_FLOAT, 32, M, N)));
        for (int j = 0; j < M * N; j++) {
            int column = j % N;
            if (column == 5 || column == 7)
                CHECK(isnan(y[j]));
            else
                CHECK(column == 9 ? !isfinite(y[j]) : isfinite(y[j]));
        }
    }
    free(pb->data);
}

/* n codes: of the first third random ones, then the largest, then 0. */
static void random_and_extreme(int bits, int64_t n, uint8_t *codes, uint8_t *packed)
{
    memset(packed, 0, (size_t)n);
    for (int64_t e = 0; e < n; e++) {
        int most = (1 << bits) - 1;
        codes[e] = (uint8_t)(e < n / 3 ? random_in(0, most) : e < n / 3 * 2 ? most : 0);
        for (int i = 0; i < bits; i++)
            packed[(e * bits + i) / 8] |= (uint8_t)((codes[e] >> i & 1) << (e * bits + i) % 8);
    }
}

/* Coefficients that double, and codes as large as can be: the last k whose weighted sum of all planes is an
 * int32, and the first where planes stay apart. */
static void beyond_int32(void)
{
    enum { N = 17, LAST_K = 33025 };
    static uint8_t a[LAST_K + 1], b[N * (LAST_K + 1)];
    static float coef[N * 8];
    float y[N], want[N];
    memset(a, 0xff, sizeof a);
    memset(b, 0xff, sizeof b);
    for (int j = 0; j < N; j++) random_coef(8, true, coef + 8 * j);
    for (int64_t k = LAST_K; k <= LAST_K + 1; k++) {
        check_tensor planes;
        qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 8, N, k), &planes);
        for (int j = 0; j < N; j++) want[j] = expected(a, b, k, 8, 8, coef + 8 * j);
        for (int run = 0; run < 2 * PATHS; run++) {
            enum qnt__bits_path path = (enum qnt__bits_path)(run / 2);
            qnt_context_set_cpu(c, run % 2 ? 0 : qnt_cpu_detect());
            OK(qnt__gemm_bits(path, c, TENSOR(a, QNT_UINT, 8, 1, k), NULL, pb,
                              TENSOR(coef, QNT_FLOAT, 32, N, 8), TENSOR(y, QNT_FLOAT, 32, 1, N)));
            for (int j = 0; j < N; j++) {
                CHECK_MSG(y[j] == want[j], "k %lld path %d: %g, expected %g", (long long)k, path,
                          (double)y[j], (double)want[j]);
            }
        }
        free(planes.t.data);
    }
}

/* Every K from 1 to 4096 with all widths of 1 to 4 planes and of 1 to 8 bits, on one path after the
 * other. The naive sums of K go on from those of K - 1. Coefficients are 1, so that floats are
 * integers. */
static void depths(void)
{
    enum { ROWS = 3, MOST_K = 4096, ALL = ROWS * MOST_K, PRIME = 19 };
    static uint8_t a[ALL], b[ALL], a_packed[ALL], b_packed[ALL];
    static float y[ROWS * ROWS], coef[ROWS * 4];
    const int step = check_quick ? PRIME : 1;
    int64_t far[2] = {MOST_K, 1};
    for (int j = 0; j < ROWS * 4; j++) coef[j] = 1;
    qnt_context_set_cpu(c, qnt_cpu_detect());
    for (int pair = 0; pair < 32; pair++) {
        int a_bits = 1 + pair % 8, b_bits = 1 + pair / 8;
        int64_t dot[ROWS * ROWS] = {0};
        random_and_extreme(a_bits, ALL, a, a_packed);
        random_and_extreme(b_bits, ALL, b, b_packed);
        for (int64_t k = 1; k <= MOST_K; k++) {
            for (int j = 0; j < ROWS * ROWS; j++) {
                for (int p = 0; p < b_bits; p++)
                    dot[j] += sign(b[j % ROWS * MOST_K + k - 1], p) * a[j / ROWS * MOST_K + k - 1];
            }
            if (k % step != pair % step) continue;
            enum qnt__bits_path path = (enum qnt__bits_path)((k + pair) % PATHS);
            check_tensor planes;
            qnt_tensor *ta = TENSOR(a_packed, QNT_UINT, a_bits, ROWS, k),
                       *tb = TENSOR(b_packed, QNT_UINT, b_bits, ROWS, k);
            ta->strides = tb->strides = far;
            qnt_tensor *pb = pack(tb, &planes);
            OK(qnt__gemm_bits(path, c, ta, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, ROWS, b_bits),
                              TENSOR(y, QNT_FLOAT, 32, ROWS, ROWS)));
            for (int j = 0; j < ROWS * ROWS; j++)
                CHECK_MSG(y[j] == (float)dot[j], "a %d b %d k %lld path %d: %g, expected %lld",
                          a_bits, b_bits, (long long)k, path, (double)y[j], (long long)dot[j]);
            free(pb->data);
        }
    }
}

/* Blocks of K with coefficients of their own, against the order that is promised; coefficients in
 * any order of axes, results in rows or columns, every path and CPU level. */
static void blocks(void)
{
    for (int i = 0; i < ROUNDS(96); i++) {
        int a_bits = 1 + i % 8, b_bits = 1 + i / 8 % 4;
        int64_t count = random_in(1, i % 6 ? 6 : 40), block = 64 * random_in(1, i % 5 ? 3 : 19);
        int64_t k = count * block,
                m = random_in(1, k > 2000 ? 6
                                 : i % 8  ? 14
                                          : 110),
                n = random_in(1, k > 2000 ? 20 : 90);
        bool columns = random_in(0, 3) == 0, extreme = random_in(0, 3) == 0;
        uint8_t *a = malloc((size_t)(m * k)), *b = malloc((size_t)(n * k));
        uint8_t *a_packed = malloc((size_t)(m * k)), *b_packed = malloc((size_t)(n * k));
        float *coef = malloc((size_t)(n * count * b_bits) * 4), *y = malloc((size_t)(m * n) * 4);
        check_tensor planes;
        random_codes(a_bits, extreme, m * k, a, a_packed);
        random_codes(b_bits, extreme, n * k, b, b_packed);
        for (int64_t j = 0; j < n * count * b_bits; j++) coef[j] = (float)random_gauss();
        if (i % 3 == 0) /* coefficients that double are summed like any others */
            for (int64_t j = 0; j < n * count * b_bits; j++) coef[j] = (float)(1 << j % b_bits);
        int64_t by_blocks[3] = {count * b_bits, b_bits, 1}, by_columns[3] = {1, n, n * count},
                *step = random_in(0, 1) ? by_columns : by_blocks, transposed[2] = {1, m};
        qnt_tensor *pb = pack(TENSOR(b_packed, QNT_UINT, b_bits, n, k), &planes);
        qnt_tensor *pc = TENSOR(coef, QNT_FLOAT, 32, n, count, b_bits);
        qnt_tensor *py = TENSOR(y, QNT_FLOAT, 32, m, n);
        pc->strides = step;
        if (columns) py->strides = transposed;
        for (int level = 0; level < 3; level++) {
            uint64_t cpu = qnt_cpu_detect();
            qnt_context_set_cpu(c, level == 0 ? cpu : level == 1 ? cpu & QNT_CPU_AVX2 : 0);
            enum qnt__bits_path path =
                (enum qnt__bits_path)random_in(QNT__BITS_CHOOSE, QNT__BITS_ADDERS);
            if (count > 1 || level == 0)
                OK(qnt__gemm_bits(path, c, TENSOR(a_packed, QNT_UINT, a_bits, m, k), NULL, pb, pc,
                                  py));
            for (int64_t j = 0; j < m * n; j++) {
                const uint8_t *ra = a + j / n * k, *rb = b + j % n * k;
                float sum = 0, own[4], found = y[columns ? j % n * m + j / n : j];
                for (int64_t t = 0; t < count * b_bits; t++) {
                    int64_t p = t / count, from = t % count * block, dot = 0;
                    float f = coef[j % n * step[0] + t % count * step[1] + p * step[2]];
                    for (int64_t e = from; e < from + block; e++)
                        dot += sign(rb[e], (int)p) * ra[e];
                    float term = (float)dot * f;
                    sum = t ? sum + term : term;
                    own[p] = f;
                }
                if (count == 1) sum = expected(ra, rb, k, a_bits, b_bits, own);
                CHECK_MSG(found == sum, "a %d b %d, %lld blocks of %lld, level %d: %g, expected %g",
                          a_bits, b_bits, (long long)count, (long long)block, level, (double)found,
                          (double)sum);
            }
        }
        free(a), free(b), free(coef), free(y), free(a_packed), free(b_packed), free(pb->data);
    }
}

/* Signs times signs, both with coefficients. */
static void signs(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        int a_bits = 1 + i % 4, b_bits = 1 + i / 4 % 4;
        int64_t k = random_in(1, 400), m = random_in(1, 20), n = random_in(1, 70);
        uint8_t *a = malloc((size_t)(m * k)), *b = malloc((size_t)(n * k));
        float a_coef[4], *coef = malloc((size_t)(n * b_bits) * 4), *y = malloc((size_t)(m * n) * 4);
        strided sa, sb;
        check_tensor planes;
        strided_random(&sa, QNT_UINT, a_bits, 2, (int64_t[]){m, k});
        strided_random(&sb, QNT_UINT, b_bits, 2, (int64_t[]){n, k});
        for (int64_t j = 0; j < m * k; j++) {
            a[j] = (uint8_t)random_in(0, (1 << a_bits) - 1);
            strided_set(&sa, (size_t)j, a[j]);
        }
        for (int64_t j = 0; j < n * k; j++) {
            b[j] = (uint8_t)random_in(0, (1 << b_bits) - 1);
            strided_set(&sb, (size_t)j, b[j]);
        }
        for (int64_t j = 0; j < n * b_bits; j++) coef[j] = (float)random_gauss();
        for (int j = 0; j < a_bits; j++) a_coef[j] = (float)random_gauss();
        qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0);
        OK(qnt_gemm_bits(c, &sa.view.t, TENSOR(a_coef, QNT_FLOAT, 32, a_bits),
                         pack(&sb.view.t, &planes), TENSOR(coef, QNT_FLOAT, 32, n, b_bits),
                         TENSOR(y, QNT_FLOAT, 32, m, n)));
        for (int64_t r = 0; r < m; r++) {
            for (int64_t j = 0; j < n; j++) {
                float sum = 0;
                for (int p = 0; p < b_bits; p++) {
                    for (int q = 0; q < a_bits; q++) {
                        int64_t dot = 0;
                        for (int64_t e = 0; e < k; e++)
                            dot += sign(b[j * k + e], p) * sign(a[r * k + e], q);
                        float both = a_coef[q] * coef[j * b_bits + p], term = (float)dot * both;
                        sum = p + q ? sum + term : term;
                    }
                }
                CHECK_MSG(y[r * n + j] == sum, "%g, expected %g", (double)y[r * n + j],
                          (double)sum);
            }
        }
        free(a), free(b), free(coef), free(y), free(planes.t.data);
        strided_free(&sa), strided_free(&sb);
    }
}

/* The same in blocks of K with coefficients of their own, against the order that is promised, bit
 * by bit, on every CPU level. */
static void blocks_of_signs(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        int a_bits = 1 + i % 4, b_bits = 1 + i / 4 % 4;
        int64_t count = random_in(2, i % 6 ? 5 : 32), block = 64 * random_in(1, i % 5 ? 3 : 19);
        int64_t k = count * block, m = random_in(1, k > 1000 || i % 4 ? 8 : 60),
                n = random_in(1, k > 1000 ? 20 : 90);
        bool columns = random_in(0, 3) == 0, extreme = random_in(0, 3) == 0;
        uint8_t *a = malloc((size_t)(m * k)), *b = malloc((size_t)(n * k));
        uint8_t *a_packed = malloc((size_t)(m * k)), *b_packed = malloc((size_t)(n * k));
        float *coef = malloc((size_t)(n * count * b_bits) * 4), *y = malloc((size_t)(m * n) * 4),
              a_coef[4];
        check_tensor planes;
        random_codes(a_bits, extreme, m * k, a, a_packed);
        random_codes(b_bits, extreme, n * k, b, b_packed);
        for (int j = 0; j < a_bits; j++) a_coef[j] = (float)random_gauss();
        for (int64_t j = 0; j < n * count * b_bits; j++) coef[j] = (float)random_gauss();
        int64_t by_blocks[3] = {count * b_bits, b_bits, 1}, by_columns[3] = {1, n, n * count},
                *step = random_in(0, 1) ? by_columns : by_blocks, transposed[2] = {1, m};
        qnt_tensor *pb = pack(TENSOR(b_packed, QNT_UINT, b_bits, n, k), &planes);
        qnt_tensor *pc = TENSOR(coef, QNT_FLOAT, 32, n, count, b_bits);
        qnt_tensor *py = TENSOR(y, QNT_FLOAT, 32, m, n);
        pc->strides = step;
        if (columns) py->strides = transposed;
        for (int level = 0; level < 3; level++) {
            uint64_t cpu = qnt_cpu_detect();
            qnt_context_set_cpu(c, level == 0 ? cpu : level == 1 ? cpu & QNT_CPU_AVX2 : 0);
            OK(qnt_gemm_bits(c, TENSOR(a_packed, QNT_UINT, a_bits, m, k),
                             TENSOR(a_coef, QNT_FLOAT, 32, a_bits), pb, pc, py));
            for (int64_t j = 0; j < m * n; j++) {
                float sum = 0, found = y[columns ? j % n * m + j / n : j];
                for (int64_t t = 0; t < count * a_bits * b_bits; t++) {
                    int p = (int)(t / count / a_bits), q = (int)(t / count % a_bits);
                    int64_t from = t % count * block, dot = 0;
                    for (int64_t e = from; e < from + block; e++)
                        dot += sign(b[j % n * k + e], p) * sign(a[j / n * k + e], q);
                    float own = coef[j % n * step[0] + t % count * step[1] + p * step[2]],
                          both = a_coef[q] * own, term = (float)dot * both;
                    sum = t ? sum + term : term;
                }
                CHECK_MSG(!memcmp(&found, &sum, 4),
                          "a %d b %d, %lld blocks of %lld, level %d: %g, expected %g", a_bits,
                          b_bits, (long long)count, (long long)block, level, (double)found,
                          (double)sum);
            }
        }
        free(a), free(b), free(coef), free(y), free(a_packed), free(b_packed), free(pb->data);
    }
}

/* A pool whose workers begin together, as far as they come: the first tasks wait for each other. */
struct together {
    qnt_pool *pool;
    qnt_task_fn run;
    void *task;
    atomic_size_t arrived;
    size_t expected;
};

static void arrive(void *task, size_t index, size_t worker)
{
    struct together *t = task;
    atomic_fetch_add(&t->arrived, 1);
    for (int i = 0; i < 1000 && atomic_load(&t->arrived) < t->expected; i++) sched_yield();
    t->run(t->task, index, worker);
}

static int32_t run_together(void *user, qnt_task_fn run, void *task, size_t count)
{
    struct together *t = user;
    t->run = run, t->task = task;
    atomic_store(&t->arrived, 0);
    t->expected = count < 3 ? count : 3;
    return qnt_pool_run(t->pool, arrive, t, count);
}

/* Any number of workers gives the same bytes on every path, more than there are rows or columns, too. */
static void workers(void)
{
    enum { MOST_M = 70, MOST_N = 600, K = 200 };
    static const size_t counts[] = {3, 4, 5, 6, 7, 90}; /* at least the pool's threads */
    static uint8_t a[MOST_M * K], b[MOST_N * K];
    static float coef[MOST_N * 2], want[MOST_M * MOST_N], y[MOST_M * MOST_N];
    struct together together = {.expected = 0};
    OK(qnt_pool_create(c, 3, &together.pool));
    qnt_context_set_cpu(c, qnt_cpu_detect());
    for (int i = 0; i < ROUNDS(40); i++) {
        int a_bits = 1 + i % 4;
        int64_t m = random_in(1, MOST_M), n = random_in(1, i % 2 ? MOST_N : 60);
        check_tensor planes;
        for (int j = 0; j < MOST_M * K; j++) a[j] = (uint8_t)random_u64();
        for (int j = 0; j < MOST_N * K; j++) b[j] = (uint8_t)random_u64();
        for (int j = 0; j < MOST_N * 2; j++)
            coef[j] = i % 3 ? (float)random_gauss() : (float)(1 + j % 2);
        const qnt_tensor *pa = TENSOR(a, QNT_UINT, a_bits, m, K),
                         *pc = TENSOR(coef, QNT_FLOAT, 32, n, 2);
        qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 2, n, K), &planes);
        OK(qnt_gemm_bits(c, pa, NULL, pb, pc, TENSOR(want, QNT_FLOAT, 32, m, n)));
        for (int run = 0; run < 6 * PATHS; run++) {
            size_t count = counts[run / PATHS];
            enum qnt__bits_path path = (enum qnt__bits_path)(run % PATHS);
            memset(y, 0x55, sizeof y);
            OK(qnt_context_set_parallel(c, run_together, &together, count));
            OK(qnt__gemm_bits(path, c, pa, NULL, pb, pc, TENSOR(y, QNT_FLOAT, 32, m, n)));
            OK(qnt_context_set_parallel(c, NULL, NULL, 0));
            CHECK_MSG(!memcmp(y, want, (size_t)(m * n) * 4), "m %lld n %lld path %d workers %zu",
                      (long long)m, (long long)n, path, count);
        }
        free(pb->data);
    }
    qnt_pool_destroy(together.pool);
}

/* Seven products for eight where there are many rows of few bits, and only where they may come in pairs. */
static void choice(void)
{
    static const struct {
        bool pairs;
        size_t m, a_planes, b_planes;
        enum qnt__bits_path path;
    } of[] = {{true, 1024, 3, 3, QNT__BITS_STRASSEN}, {true, 1024, 7, 6, QNT__BITS_STRASSEN},
              {true, 1024, 8, 3, QNT__BITS_BYTES},    {true, 1024, 3, 7, QNT__BITS_BYTES},
              {false, 1024, 3, 3, QNT__BITS_BYTES},   {true, 64, 3, 3, QNT__BITS_BYTES},
              {true, 1024, 1, 1, QNT__BITS_ADDERS}};
    static const float doubling[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const qnt_context model = {.cpu = QNT_CPU_AVX512VBMI};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct qnt__bits_product g = {.context = &model,
                                      .m = of[i].m,
                                      .n = 4096,
                                      .k = 4096,
                                      .words = qnt__bits_words(4096),
                                      .a_planes = of[i].a_planes,
                                      .b_planes = of[i].b_planes,
                                      .has_b_coef = true,
                                      .pairs = of[i].pairs,
                                      .blocks = 1};
        g.b_coef.data = (uint8_t *)(uintptr_t)doubling, g.b_coef.ndim = 2, g.b_coef.strides[1] = 1;
        CHECK_MSG(qnt__bits_choose(&g) == of[i].path, "%zu: %d", i, qnt__bits_choose(&g));
    }
}

/* As wide as numbers can be while planes are one number, all of them largest or the planes' smallest, an
 * odd number of rows of which the last one ends where memory does; on every path. */
static void widest(void)
{
    enum { M = 3, N = 70, K = 64 * 5 };
    static uint8_t b[N * K];
    static float coef[N * 7], y[M * N];
    for (int i = 0; i < 3 * 3 * 2; i++) {
        const int a_bits = 6 + i % 3, b_bits = 5 + i / 3 % 3;
        const size_t bytes = M * K * (size_t)a_bits / 8;
        guarded a = guard(bytes, i / 9);
        check_tensor planes;
        memset(a.data, 0xff, bytes);
        for (int j = 0; j < N * b_bits; j++) coef[j] = (float)(1 << j % b_bits);
        for (size_t j = 0, column = K * (size_t)b_bits / 8; j < N; j++)
            memset(b + j * column, j % 2 ? 0 : 0xff, column);
        qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, b_bits, N, K), &planes);
        for (int run = 0; run < 2 * PATHS; run++) {
            qnt_context_set_cpu(c, run % 2 ? 0 : qnt_cpu_detect());
            OK(qnt__gemm_bits(
                (enum qnt__bits_path)(run / 2), c, TENSOR(a.data, QNT_UINT, a_bits, M, K), NULL, pb,
                TENSOR(coef, QNT_FLOAT, 32, N, b_bits), TENSOR(y, QNT_FLOAT, 32, M, N)));
            for (int j = 0; j < M * N; j++) {
                int largest = ((1 << a_bits) - 1) * ((1 << b_bits) - 1) * K;
                float sum = (float)(j % N % 2 ? -largest : largest);
                CHECK_MSG(y[j] == sum, "a %d b %d path %d: %g, expected %g", a_bits, b_bits,
                          run / 2, (double)y[j], (double)sum);
            }
        }
        unguard(&a);
        free(pb->data);
    }
    qnt_context_set_cpu(c, qnt_cpu_detect());
}

/* Planes are read to their end and no further, whatever a path pads: all bytes are inside guard pages. */
static void ends(void)
{
    enum { M = 5, N = 150, K = 64 * 10 };
    static uint8_t a[M * K], b[N * K];
    static float coef[N * 2], y[M * N];
    for (int i = 0; i < 24; i++) {
        const int64_t n = random_in(1, N), k = random_in(1, K);
        size_t bytes = 1;
        int sums[M] = {0};
        check_tensor v = {.t = {.shape = v.shape, .strides = v.strides}};
        for (int j = 0; j < 2 * n; j++) coef[j] = (float)(1 << j % 2);
        for (int j = 0; j < M * k; j++) a[j] = (uint8_t)random_in(0, 15), sums[j / k] += a[j];
        memset(b, 0xff, (size_t)(n * k)); /* codes of two bits, packed: all 3 */
        qnt_tensor *codes = TENSOR(b, QNT_UINT, 2, n, k);
        OK(qnt_pack_bits_view(c, codes, &v.t));
        for (int d = 0; d < 4; d++) bytes *= (size_t)v.shape[d];
        guarded planes = guard(bytes, i % 2);
        v.t.data = planes.data;
        OK(qnt_pack_bits(c, codes, &v.t));
        uint8_t packed[M * K];
        for (int j = 0; j < M * k; j += 2)
            packed[j / 2] = (uint8_t)(a[j] | (j + 1 < M * k ? a[j + 1] << 4 : 0));
        for (int run = 0; run < 2 * PATHS; run++) {
            qnt_context_set_cpu(c, run % 2 ? 0 : qnt_cpu_detect());
            OK(qnt__gemm_bits((enum qnt__bits_path)(run / 2), c, TENSOR(packed, QNT_UINT, 4, M, k),
                              NULL, &v.t, TENSOR(coef, QNT_FLOAT, 32, n, 2),
                              TENSOR(y, QNT_FLOAT, 32, M, n)));
            for (int j = 0; j < M * n; j++)
                CHECK_MSG(y[j] == (float)(3 * sums[j / n]), "n %lld k %lld path %d: %g",
                          (long long)n, (long long)k, run / 2, (double)y[j]);
        }
        unguard(&planes);
    }
    qnt_context_set_cpu(c, qnt_cpu_detect());
}

/* Memory that is not to be had is a status, on every path, and what is to be had needs not be 0. */
static void no_memory(void)
{
    enum { M = 27, N = 70, K = 260 };
    static uint8_t a[M * K], b[N * K];
    static float coef[N * 2], want[M * N], y[M * N];
    struct fuse fuse = {0};
    check_tensor planes;
    for (int j = 0; j < M * K; j++) a[j] = (uint8_t)random_u64();
    for (int j = 0; j < N * K; j++) b[j] = (uint8_t)random_u64();
    for (int j = 0; j < N * 2; j++) coef[j] = (float)(1 + j % 2);
    const qnt_tensor *pa = TENSOR(a, QNT_UINT, 3, M, K), *pc = TENSOR(coef, QNT_FLOAT, 32, N, 2);
    qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 2, N, K), &planes);
    OK(qnt_gemm_bits(c, pa, NULL, pb, pc, TENSOR(want, QNT_FLOAT, 32, M, N)));
    qnt_context *context = fuse_context(&fuse);
    const size_t blocks = fuse.blocks;
    for (int path = 0; path < PATHS; path++) {
        memset(y, 0x55, sizeof y);
        fuse.calls = 0, fuse.fail_at = 1;
        FAILS(qnt__gemm_bits((enum qnt__bits_path)path, context, pa, NULL, pb, pc,
                             TENSOR(y, QNT_FLOAT, 32, M, N)),
              QNT_E_NOMEM, "bytes");
        for (size_t j = 0; j < sizeof y; j++) CHECK(((uint8_t *)y)[j] == 0x55);
        fuse.fail_at = 0;
        OK(qnt__gemm_bits((enum qnt__bits_path)path, context, pa, NULL, pb, pc,
                          TENSOR(y, QNT_FLOAT, 32, M, N)));
        CHECK_MSG(!memcmp(y, want, sizeof y), "path %d", path);
        CHECK(fuse.blocks == blocks);
    }
    qnt_context_destroy(context);
    free(pb->data);
}

/* Planes are the same bytes on every CPU level. */
static void packing(void)
{
    static uint8_t codes[40 * 700];
    for (int i = 0; i < ROUNDS(20); i++) {
        int64_t n = random_in(1, 40), k = random_in(1, 700);
        check_tensor one, two;
        size_t bytes = 1;
        for (int64_t j = 0; j < n * k; j++) codes[j] = (uint8_t)random_u64();
        qnt_context_set_cpu(c, 0);
        qnt_tensor *t = pack(TENSOR(codes, QNT_UINT, 8, n, k), &one);
        qnt_context_set_cpu(c, qnt_cpu_detect());
        qnt_tensor *u = pack(TENSOR(codes, QNT_UINT, 8, n, k), &two);
        for (int d = 0; d < 4; d++) bytes *= (size_t)one.shape[d];
        CHECK(one.shape[0] == (n + 15) / 16 && one.shape[1] == 8 && one.shape[3] == 128);
        CHECK(!memcmp(t->data, u->data, bytes));
        free(t->data), free(u->data);
    }
}

/* Blocks that do not divide K, or not into words, or are none. */
static void bad_blocks(void)
{
    static uint8_t a[2 * 256], b[3 * 256];
    static float coef[3 * 8 * 2], y[2 * 3];
    check_tensor planes;
    qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 2, 3, 256), &planes);
    const qnt_tensor *pa = TENSOR(a, QNT_UINT, 2, 2, 256);
    qnt_tensor *py = TENSOR(y, QNT_FLOAT, 32, 2, 3);
    OK(qnt_gemm_bits(c, pa, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 3, 4, 2), py));
    OK(qnt_gemm_bits(c, pa, TENSOR(coef, QNT_FLOAT, 32, 2), pb,
                     TENSOR(coef, QNT_FLOAT, 32, 3, 1, 2), py));
    for (int blocks = 0; blocks <= 8; blocks++) {
        if (blocks == 1 || blocks == 2 || blocks == 4) continue;
        FAILS(qnt_gemm_bits(c, pa, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 3, blocks, 2), py),
              QNT_E_SHAPE, "multiple of 64");
    }
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 3, 2, 4), py), QNT_E_SHAPE,
          "b_coef");
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 2, 4, 2), py), QNT_E_SHAPE,
          "b_coef");
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 3, 1, 1, 2), py), QNT_E_SHAPE,
          "b_coef");
    FAILS(qnt_gemm_bits(c, pa, TENSOR(coef, QNT_FLOAT, 32, 2), pb,
                        TENSOR(coef, QNT_FLOAT, 32, 3, 3, 2), py),
          QNT_E_SHAPE, "multiple of 64");
    free(pb->data);
    pb = pack(TENSOR(b, QNT_UINT, 2, 3, 0), &planes); /* no k to divide */
    FAILS(qnt_gemm_bits(c, TENSOR(a, QNT_UINT, 2, 2, 0), NULL, pb,
                        TENSOR(coef, QNT_FLOAT, 32, 3, 2, 2), py),
          QNT_E_SHAPE, "2 blocks of K = 0");
    free(pb->data);
}

/* No rows, no columns: nothing is written; no k: products are 0. */
static void nothing(void)
{
    static uint8_t a[64], b[64];
    static float coef[2] = {1, 3}, y[2];
    check_tensor planes;
    y[0] = y[1] = 7;
    qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 2, 1, 16), &planes);
    OK(qnt_gemm_bits(c, TENSOR(a, QNT_UINT, 2, 0, 16), NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 1, 2),
                     TENSOR(y, QNT_FLOAT, 32, 0, 1)));
    free(pb->data);
    pb = pack(TENSOR(b, QNT_UINT, 2, 0, 16), &planes);
    OK(qnt_gemm_bits(c, TENSOR(a, QNT_UINT, 2, 2, 16), NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 0, 2),
                     TENSOR(y, QNT_FLOAT, 32, 2, 0)));
    free(pb->data);
    CHECK(y[0] == 7 && y[1] == 7);
    pb = pack(TENSOR(b, QNT_UINT, 2, 1, 0), &planes);
    OK(qnt_gemm_bits(c, TENSOR(a, QNT_UINT, 2, 2, 0), NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 1, 2),
                     TENSOR(y, QNT_FLOAT, 32, 2, 1)));
    CHECK(y[0] == 0 && y[1] == 0);
    free(pb->data);
}

static void bad_input(void)
{
    static uint8_t a[4 * 70], b[20 * 70], buffer[8 * 1024 + 8];
    static float coef[20 * 2], y[4 * 20];
    static int32_t whole[4 * 20];
    check_tensor planes;
    qnt_tensor *pb = pack(TENSOR(b, QNT_UINT, 2, 20, 70), &planes);
    const qnt_tensor *pa = TENSOR(a, QNT_UINT, 2, 4, 70), *pc = TENSOR(coef, QNT_FLOAT, 32, 20, 2);
    qnt_tensor *py = TENSOR(y, QNT_FLOAT, 32, 4, 20);
    OK(qnt_gemm_bits(c, pa, NULL, pb, pc, py));
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, NULL, py), QNT_E_INVALID, "b_coef");
    FAILS(qnt_gemm_bits(c, pa, pc, pb, pc, py), QNT_E_SHAPE, "a_coef");
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, TENSOR(coef, QNT_FLOAT, 32, 20, 1), py), QNT_E_SHAPE,
          "b_coef");
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, pc, TENSOR(whole, QNT_INT, 32, 4, 20)), QNT_E_DTYPE,
          "int32");
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, pc, TENSOR(y, QNT_FLOAT, 32, 4, 50)), QNT_E_SHAPE,
          "panels");
    FAILS(qnt_gemm_bits(c, pa, NULL, pb, pc, TENSOR(y, QNT_FLOAT, 32, 3, 20)), QNT_E_SHAPE, "rows");
    FAILS(qnt_gemm_bits(c, TENSOR(a, QNT_UINT, 2, 2, 140), NULL, pb, pc, py), QNT_E_SHAPE,
          "K = 140");
    FAILS(qnt_gemm_bits(c, TENSOR(a, QNT_INT, 2, 4, 70), NULL, pb, pc, py), QNT_E_DTYPE,
          "unsigned");
    FAILS(qnt_gemm_bits(c, NULL, NULL, pb, pc, py), QNT_E_INVALID, "a");
    FAILS(qnt_gemm_bits(c, pa, NULL, pa, pc, py), QNT_E_SHAPE, "b: expected planes");
    FAILS(qnt_pack_bits(c, pa, pb), QNT_E_SHAPE, "qnt_pack_bits_view");
    /* too few bytes: panels, planes, words, columns; too many bits of a */
    for (int axis = 0; axis < 4; axis++) {
        qnt_tensor less = *pb;
        int64_t shape[4] = {pb->shape[0], pb->shape[1], pb->shape[2], pb->shape[3]};
        shape[axis]--;
        less.shape = shape, less.strides = NULL;
        FAILS(qnt_gemm_bits(c, pa, NULL, &less, pc, py), QNT_E_SHAPE, axis == 1 ? "b_coef" : "b");
    }
    FAILS(qnt_gemm_bits(c, TENSOR(y, QNT_UINT, 16, 4, 20), NULL, pb, pc, py), QNT_E_DTYPE, "a");
    free(pb->data);
    bad_blocks();
    nothing();
    pb->data = buffer + 1;
    FAILS(qnt_pack_bits(c, TENSOR(b, QNT_UINT, 2, 20, 70), pb), QNT_E_SHAPE, "aligned");
    FAILS(qnt_pack_bits(c, TENSOR(b, QNT_INT, 2, 20, 70), pb), QNT_E_DTYPE, "unsigned");
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(numbers);
    RUN(extremes);
    RUN(beyond_int32);
    RUN(depths);
    RUN(not_numbers);
    RUN(many_rows);
    RUN(blocks);
    RUN(signs);
    RUN(blocks_of_signs);
    RUN(workers);
    RUN(choice);
    RUN(widest);
    RUN(ends);
    RUN(no_memory);
    RUN(packing);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
