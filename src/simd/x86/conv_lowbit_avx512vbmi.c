/* Products of 2-bit codes by VPERMB: a row of 64 products for each byte of three activations. */
#include <immintrin.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define SLIDE 1
#define UNROLL _Pragma("GCC unroll 16")

typedef __m512i vec;
struct index {
    __m512i w;
};
struct row {
    __m512i product;
};

enum { LANES = 64, PIXELS = 7 };

static const uint8_t products[64][64]
    __attribute__((aligned(64))) = {ROWS_16(PRODUCTS_64, 0), ROWS_16(PRODUCTS_64, 16),
                                    ROWS_16(PRODUCTS_64, 32), ROWS_16(PRODUCTS_64, 48)};

INLINE struct index load_index(const uint8_t *w)
{
    return (struct index){_mm512_loadu_si512(w)};
}

INLINE struct row load_row(uint8_t x)
{
    return (struct row){_mm512_load_si512(products[x & 63])};
}

INLINE vec look_up(struct index index, struct row row)
{
    return _mm512_permutexvar_epi8(index.w, row.product);
}

/* No sum of bytes saturates, so VPADDUSB adds like VPADDB; but VPADDB may take the port that VPERMB
 * needs (Intel has one for 512-bit shuffles), and VPADDUSB never does: a tenth faster. */
INLINE vec add_8(vec a, vec b)
{
    __asm__("vpaddusb %1, %0, %0" : "+v"(a) : "v"(b));
    return a;
}

/* The row of the next byte, then products with indices, each to the sum of a pixel. Compilers spill
 * here, hence one block of assembly. */
#define ROW                                                                                        \
    "movzbl (%[x]), %k[byte]\n\tadd %[step], %[x]\n\t"                                             \
    "and $63, %k[byte]\n\tshl $6, %k[byte]\n\tvmovdqa64 (%[table],%[byte]), %[row]\n\t"
#define LOOK_UP(index, pixel)                                                                      \
    "vpermb %[row], %[w" #index "], %[product]\n\t"                                                \
    "vpaddusb %[product], %[s" #pixel "], %[s" #pixel "]\n\t"

INLINE void add_three_taps(vec sum[PIXELS], const uint8_t *x, size_t step, const uint8_t *weight)
{
    struct index w[3] = {load_index(weight), load_index(weight + QNT__LOWBIT_COLUMNS),
                         load_index(weight + 2 * QNT__LOWBIT_COLUMNS)};
    __m512i row, product;
    size_t byte;
    __asm__(ROW LOOK_UP(0, 0)                             //
            ROW LOOK_UP(1, 0) LOOK_UP(0, 1)               //
            ROW LOOK_UP(2, 0) LOOK_UP(1, 1) LOOK_UP(0, 2) //
            ROW LOOK_UP(2, 1) LOOK_UP(1, 2) LOOK_UP(0, 3) //
            ROW LOOK_UP(2, 2) LOOK_UP(1, 3) LOOK_UP(0, 4) //
            ROW LOOK_UP(2, 3) LOOK_UP(1, 4) LOOK_UP(0, 5) //
            ROW LOOK_UP(2, 4) LOOK_UP(1, 5) LOOK_UP(0, 6) //
            ROW LOOK_UP(2, 5) LOOK_UP(1, 6)               //
            ROW LOOK_UP(2, 6)
            : [s0] "+v"(sum[0]), [s1] "+v"(sum[1]), [s2] "+v"(sum[2]), [s3] "+v"(sum[3]),
              [s4] "+v"(sum[4]), [s5] "+v"(sum[5]), [s6] "+v"(sum[6]), [x] "+r"(x),
              [row] "=&v"(row), [product] "=&v"(product), [byte] "=&r"(byte)
            : [w0] "v"(w[0].w), [w1] "v"(w[1].w), [w2] "v"(w[2].w), [step] "r"(step),
              [table] "r"(products)
            : "cc", "memory");
}

INLINE vec zero(void) { return _mm512_setzero_si512(); }
INLINE vec add_16(vec a, vec b) { return _mm512_add_epi16(a, b); }
INLINE vec sub_16(vec a, vec b) { return _mm512_sub_epi16(a, b); }
INLINE vec high_16(vec a) { return _mm512_srli_epi16(a, 8); }
INLINE vec low_to_high_16(vec a) { return _mm512_slli_epi16(a, 8); }

INLINE vec set_16(int16_t x) { return _mm512_set1_epi16(x); }
INLINE vec load(const void *from) { return _mm512_loadu_si512(from); }
INLINE vec either(vec a, vec b) { return _mm512_or_si512(a, b); }
INLINE vec differ(vec a, vec b) { return _mm512_xor_si512(a, b); }
INLINE void store_codes(uint8_t *to, vec v) { _mm512_storeu_si512(to, v); }

INLINE vec less_if_below(vec n, vec s, vec limit)
{
    return _mm512_mask_sub_epi16(n, _mm512_cmplt_epi16_mask(s, limit), n, set_16(1));
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
