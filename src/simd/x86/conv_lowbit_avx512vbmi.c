/*
 * Products of codes by VPERMB: a row of 64 products for each byte of activations, three digits of two
 * bits or six of one. Six digits of weights that meet six of two bits have the sum of two rows, one for
 * each triple; where a row serves three taps, that costs less than two look-ups.
 */
#include <immintrin.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define ASSEMBLED 1
#define UNROLL _Pragma("GCC unroll 16")

typedef __m512i vec;
struct index {
    __m512i w;
};
struct row {
    __m512i product;
};

enum { LANES = 64, PIXELS = 7 };

#define ROWS_64(row) {ROWS_16(row, 0), ROWS_16(row, 16), ROWS_16(row, 32), ROWS_16(row, 48)}

static const uint8_t products[64][64] __attribute__((aligned(64))) = ROWS_64(PRODUCTS_64);
static const uint8_t sums[2][64][64] __attribute__((aligned(64))) = {ROWS_64(LOW_SUMS_64),
                                                                     ROWS_64(HIGH_SUMS_64)};
static const uint8_t ones[64][64] __attribute__((aligned(64))) = ROWS_64(ONES_64);

INLINE const void *table_of(int form)
{
    return form == QNT__TRIPLES ? (const void *)products : form == QNT__SIXES_ON_SIX ? ones[0] : sums[0][0];
}

INLINE struct index load_index(const uint8_t *w, int form)
{
    (void)form;
    return (struct index){_mm512_loadu_si512(w)};
}

INLINE struct row load_row(const uint8_t *x, int form)
{
    const uint8_t *table = table_of(form);
    __m512i row = _mm512_load_si512(table + (x[0] & 63) * sizeof *products);
    if (form == QNT__SIXES_ON_TWO)
        row = _mm512_add_epi8(row, _mm512_load_si512(sums[1][x[1] & 63]));
    return (struct row){row};
}

INLINE vec look_up(struct index index, struct row row, int form)
{
    (void)form;
    return _mm512_permutexvar_epi8(index.w, row.product);
}

/* No sum of bytes saturates, so VPADDUSB adds like VPADDB; but VPADDB may take the port that VPERMB
 * needs (Intel has one for 512-bit shuffles), and VPADDUSB never does: a tenth faster. */
INLINE vec add_8(vec a, vec b)
{
    __asm__("vpaddusb %1, %0, %0" : "+v"(a) : "v"(b));
    return a;
}

/* One pixel a line. */
/* clang-format off */

/*
 * Products of seven pixels in one block of assembly: compilers spill here. PDEP masks and shifts a byte on
 * a port that no 512-bit operation uses, and nothing is added to x: such additions would take turns of
 * VPERMB. START is what happens to a pixel's first product, SET or ADD, and BIND how its sum is bound.
 * Operands are a byte, a mask, a product, a row and a table: strings of C have 4095 characters at most.
 */
#define BYTE(at) "movzbl " at ",%k[b]\npdep %[m],%[b],%[b]\n"

/* Rows are added by VPADDUSB as well: by VPADDB it takes nearly twice as long. */
#define ONE_ROW(at) BYTE(at) "vmovdqa64 (%[t],%[b]),%[r]\n"
#define TWO_ROWS(at) ONE_ROW(at) BYTE("1" at) "vpaddusb 4096(%[t],%[b]),%[r],%[r]\n"

#define SET(row, index, pixel) "vpermb " row ",%[w" #index "],%[s" #pixel "]\n"
#define ADD(row, index, pixel)                                                                     \
    "vpermb " row ",%[w" #index "],%[p]\n"                                                         \
    "vpaddusb %[p],%[s" #pixel "],%[s" #pixel "]\n"

#define SUMS(BIND)                                                                                 \
    [s0] BIND(sum[0]), [s1] BIND(sum[1]), [s2] BIND(sum[2]), [s3] BIND(sum[3]), [s4] BIND(sum[4]), \
        [s5] BIND(sum[5]), [s6] BIND(sum[6]), [p] "=&v"(product), [b] "=&r"(byte)
#define PLACES                                                                                     \
    [x] "r"(x), [y] "r"(x + 3 * step), [s] "r"(step), [s_3] "r"(3 * step),                         \
        [t] "r"(table_of(form)), [m] "r"(63 * sizeof *products)

/* One tap: one row is an operand in memory. */
#define R "%[r]"
#define IN_MEMORY(START, at, pixel) BYTE(at) START("(%[t],%[b])", 0, pixel)
#define ADDED(START, at, pixel) TWO_ROWS(at) START(R, 0, pixel)
#define ONE_TAP(PIXEL, START, BIND)                                                                \
    __asm__(PIXEL(START, "(%[x])", 0)                                                              \
            PIXEL(START, "(%[x],%[s])", 1)                                                         \
            PIXEL(START, "(%[x],%[s],2)", 2)                                                       \
            PIXEL(START, "(%[y])", 3)                                                              \
            PIXEL(START, "(%[x],%[s],4)", 4)                                                       \
            PIXEL(START, "(%[y],%[s],2)", 5)                                                       \
            PIXEL(START, "(%[y],%[s_3])", 6)                                                       \
            : SUMS(BIND), [r] "=&v"(row)                                                           \
            : PLACES, [w0] "v"(w)                                                                  \
            : "memory")

INLINE void add_one_tap(vec sum[PIXELS], const uint8_t *x, size_t step, const uint8_t *weight,
                        int fresh, int form)
{
    __m512i w = _mm512_loadu_si512(weight), product, row;
    size_t byte;
    if (form == QNT__SIXES_ON_TWO) {
        if (fresh) ONE_TAP(ADDED, SET, "=&v");
        else ONE_TAP(ADDED, ADD, "+v");
    } else if (fresh) {
        ONE_TAP(IN_MEMORY, SET, "=&v");
    } else {
        ONE_TAP(IN_MEMORY, ADD, "+v");
    }
}

/* Two blocks: a row in a register, for both. In two pieces, as an asm has 30 operands at most. */
#define TWO_BLOCKS(PIXEL_4, BIND, at, first, ...)                                                  \
    __asm__(__VA_ARGS__                                                                            \
            : [s0] BIND(sum[first]), [s1] BIND(sum[first + 1]), [s2] BIND(sum[first + 2]),         \
              [s7] BIND(sum[PIXELS + first]), [s8] BIND(sum[PIXELS + first + 1]),                  \
              [s9] BIND(sum[PIXELS + first + 2]) PIXEL_4(BIND),                                    \
              [p] "=&v"(product), [b] "=&r"(byte), [r] "=&v"(row)                                  \
            : [x] "r"(at), [s] "r"(step), [s_3] "r"(3 * step), [t] "r"(table_of(form)),            \
              [m] "r"(63 * sizeof *products), [w0] "v"(w), [w1] "v"(v)                             \
            : "memory")
#define PIXEL_4(BIND) , [s3] BIND(sum[3]), [s10] BIND(sum[10])
#define NO_PIXEL_4(BIND)
#define BOTH(ROW, START, at, pixel, other) ROW(at) START(R, 0, pixel) START(R, 1, other)
#define THREE_PIXELS(ROW, START)                                                                   \
    BOTH(ROW, START, "(%[x])", 0, 7) BOTH(ROW, START, "(%[x],%[s])", 1, 8)                         \
        BOTH(ROW, START, "(%[x],%[s],2)", 2, 9)
#define SEVEN_PIXELS(ROW, START, BIND)                                                             \
    do {                                                                                           \
        TWO_BLOCKS(PIXEL_4, BIND, x, 0,                                                            \
                   THREE_PIXELS(ROW, START) BOTH(ROW, START, "(%[x],%[s_3])", 3, 10));             \
        TWO_BLOCKS(NO_PIXEL_4, BIND, x + 4 * step, 4, THREE_PIXELS(ROW, START));                   \
    } while (0)

INLINE void add_two_blocks(vec sum[2 * PIXELS], const uint8_t *x, size_t step, const uint8_t *weight,
                           size_t weight_ld, int fresh, int form)
{
    __m512i w = _mm512_loadu_si512(weight), v = _mm512_loadu_si512(weight + weight_ld), product, row;
    size_t byte;
    if (form == QNT__SIXES_ON_TWO) {
        if (fresh) SEVEN_PIXELS(TWO_ROWS, SET, "=&v");
        else SEVEN_PIXELS(TWO_ROWS, ADD, "+v");
    } else if (fresh) {
        SEVEN_PIXELS(ONE_ROW, SET, "=&v");
    } else {
        SEVEN_PIXELS(ONE_ROW, ADD, "+v");
    }
}

/* Three neighbouring taps: a row in a register, for up to three pixels. */
#define THREE_TAPS(ROW, START, BIND)                                                               \
    __asm__(ROW("(%[x])") START(R, 0, 0)                                                           \
            ROW("(%[x],%[s])") ADD(R, 1, 0) START(R, 0, 1)                                         \
            ROW("(%[x],%[s],2)") ADD(R, 2, 0) ADD(R, 1, 1) START(R, 0, 2)                          \
            ROW("(%[y])") ADD(R, 2, 1) ADD(R, 1, 2) START(R, 0, 3)                                 \
            ROW("(%[x],%[s],4)") ADD(R, 2, 2) ADD(R, 1, 3) START(R, 0, 4)                          \
            ROW("(%[y],%[s],2)") ADD(R, 2, 3) ADD(R, 1, 4) START(R, 0, 5)                          \
            ROW("(%[y],%[s_3])") ADD(R, 2, 4) ADD(R, 1, 5) START(R, 0, 6)                          \
            ROW("(%[y],%[s],4)") ADD(R, 2, 5) ADD(R, 1, 6)                                         \
            ROW("(%[x],%[s],8)") ADD(R, 2, 6)                                                      \
            : SUMS(BIND), [r] "=&v"(row)                                                           \
            : PLACES, [w0] "v"(w[0].w), [w1] "v"(w[1].w), [w2] "v"(w[2].w)                         \
            : "memory")

INLINE void add_three_taps(vec sum[PIXELS], const uint8_t *x, size_t step, const uint8_t *weight,
                          int fresh, int form)
{
    struct index w[3] = {load_index(weight, form), load_index(weight + QNT__LOWBIT_COLUMNS, form),
                         load_index(weight + 2 * QNT__LOWBIT_COLUMNS, form)};
    __m512i row, product;
    size_t byte;
    if (form == QNT__SIXES_ON_TWO) {
        if (fresh) THREE_TAPS(TWO_ROWS, SET, "=&v");
        else THREE_TAPS(TWO_ROWS, ADD, "+v");
    } else if (fresh) {
        THREE_TAPS(ONE_ROW, SET, "=&v");
    } else {
        THREE_TAPS(ONE_ROW, ADD, "+v");
    }
}

/* Four neighbouring taps of pairs of pixels, two columns apart: a row for up to two pairs. */
#define FOUR_TAPS(ROW, START, BIND)                                                                \
    __asm__(ROW("(%[x])") START(R, 0, 0)                                                           \
            ROW("(%[x],%[s])") ADD(R, 1, 0)                                                        \
            ROW("(%[x],%[s],2)") ADD(R, 2, 0) START(R, 0, 1)                                       \
            ROW("(%[y])") ADD(R, 3, 0) ADD(R, 1, 1)                                                \
            ROW("(%[x],%[s],4)") ADD(R, 2, 1) START(R, 0, 2)                                       \
            ROW("(%[y],%[s],2)") ADD(R, 3, 1) ADD(R, 1, 2)                                         \
            ROW("(%[y],%[s_3])") ADD(R, 2, 2) START(R, 0, 3)                                       \
            ROW("(%[y],%[s],4)") ADD(R, 3, 2) ADD(R, 1, 3)                                         \
            ROW("(%[z])") ADD(R, 2, 3) START(R, 0, 4)                                              \
            ROW("(%[z],%[s])") ADD(R, 3, 3) ADD(R, 1, 4)                                           \
            ROW("(%[z],%[s],2)") ADD(R, 2, 4) START(R, 0, 5)                                       \
            ROW("(%[z_3])") ADD(R, 3, 4) ADD(R, 1, 5)                                              \
            ROW("(%[z],%[s],4)") ADD(R, 2, 5) START(R, 0, 6)                                       \
            ROW("(%[z_3],%[s],2)") ADD(R, 3, 5) ADD(R, 1, 6)                                       \
            ROW("(%[z_3],%[s_3])") ADD(R, 2, 6)                                                    \
            ROW("(%[z_3],%[s],4)") ADD(R, 3, 6)                                                    \
            : SUMS(BIND), [r] "=&v"(row)                                                           \
            : PLACES, [z] "r"(x + 8 * step), [z_3] "r"(x + 11 * step), [w0] "v"(w[0].w),           \
              [w1] "v"(w[1].w), [w2] "v"(w[2].w), [w3] "v"(w[3].w)                                 \
            : "memory")

INLINE void add_four_taps(vec sum[PIXELS], const uint8_t *x, size_t step, const uint8_t *weight,
                          int fresh, int form)
{
    enum { NEXT = QNT__LOWBIT_COLUMNS };
    struct index w[4] = {load_index(weight, form), load_index(weight + NEXT, form),
                         load_index(weight + 2 * NEXT, form), load_index(weight + 3 * NEXT, form)};
    __m512i row, product;
    size_t byte;
    if (form == QNT__SIXES_ON_TWO) {
        if (fresh) FOUR_TAPS(TWO_ROWS, SET, "=&v");
        else FOUR_TAPS(TWO_ROWS, ADD, "+v");
    } else if (fresh) {
        FOUR_TAPS(ONE_ROW, SET, "=&v");
    } else {
        FOUR_TAPS(ONE_ROW, ADD, "+v");
    }
}

/* clang-format on */

INLINE vec zero(void) { return _mm512_setzero_si512(); }
INLINE vec add_16(vec a, vec b) { return _mm512_add_epi16(a, b); }
INLINE vec sub_16(vec a, vec b) { return _mm512_sub_epi16(a, b); }
INLINE vec high_16(vec a) { return _mm512_srli_epi16(a, 8); }
INLINE vec low_to_high_16(vec a) { return _mm512_slli_epi16(a, 8); }

INLINE vec set_16(int16_t x) { return _mm512_set1_epi16(x); }
INLINE vec load(const void *from) { return _mm512_loadu_si512(from); }
INLINE vec halves(vec a, vec b) { return _mm512_mask_mov_epi64(a, 0xf0, b); }
INLINE vec differ(vec a, vec b) { return _mm512_xor_si512(a, b); }
INLINE void store_codes(uint8_t *to, vec v) { _mm512_storeu_si512(to, v); }

/* Two comparisons, as the first finds the threshold of the second one. */
INLINE vec add_reached(vec n, vec s, const vec limit[3], int high)
{
    const vec one = set_16(high ? 256 : 1), two = set_16(high ? 512 : 2);
    const __mmask32 second = _mm512_cmpge_epi16_mask(s, limit[1]);
    const __mmask32 more =
        _mm512_cmpge_epi16_mask(s, _mm512_mask_mov_epi16(limit[0], second, limit[2]));
    n = _mm512_mask_add_epi16(n, second, n, two);
    return _mm512_mask_add_epi16(n, more, n, one);
}

INLINE void store(vec even, vec odd, int32_t *acc, int add)
{
    __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
    /* quarter q of `low` has channels 16 q .. 16 q + 7, of `high` the next eight */
    __m256i part[4] = {_mm512_castsi512_si256(low), _mm512_castsi512_si256(high),
                       _mm512_extracti64x4_epi64(low, 1), _mm512_extracti64x4_epi64(high, 1)};
    UNROLL for (int q = 0; q < 4; q++) {
        __m128i a =
            q & 1 ? _mm256_extracti128_si256(part[q & 2], 1) : _mm256_castsi256_si128(part[q & 2]);
        __m128i b = q & 1 ? _mm256_extracti128_si256(part[(q & 2) + 1], 1)
                          : _mm256_castsi256_si128(part[(q & 2) + 1]);
        __m512i sum = _mm512_cvtepu16_epi32(_mm256_set_m128i(b, a));
        if (add) sum = _mm512_add_epi32(sum, _mm512_loadu_si512(acc + 16 * q));
        _mm512_storeu_si512(acc + 16 * q, sum);
    }
}

#include "../lowbit.h"

void qnt__conv_lowbit_avx512vbmi(const struct qnt__lowbit *g)
{
    convolve(g, NULL);
}

void qnt__codes_lowbit_avx512vbmi(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    convolve(g, f);
}
