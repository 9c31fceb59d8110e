/* Products of codes by VPSHUFB: two digits of a triple in one look-up and the third in another, three
 * digits of a six in each. */
#include <immintrin.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define ASSEMBLED 0
#define UNROLL _Pragma("GCC unroll 16")

typedef __m256i vec;
struct index { __m256i low, high; };
struct row { __m256i low, high; };

enum { LANES = 32, PIXELS = 4 };

static const uint8_t products[16][16] __attribute__((aligned(16))) = {ROWS_16(ROW_OF_16, 0)};
static const uint8_t sums[64][16] __attribute__((aligned(16))) = {
    ROWS_16(SUMS_16, 0), ROWS_16(SUMS_16, 16), ROWS_16(SUMS_16, 32), ROWS_16(SUMS_16, 48)};
static const uint8_t ones[8][16] __attribute__((aligned(16))) = {ROWS_4(ONES_OF_16, 0),
                                                                 ROWS_4(ONES_OF_16, 4)};

INLINE struct index load_index(const uint8_t *w, int form)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)w);
    __m256i low = _mm256_set1_epi8(form == QNT__TRIPLES ? 15 : 7);
    __m256i high = form == QNT__TRIPLES ? _mm256_srli_epi16(x, 4) : _mm256_srli_epi16(x, 3);
    return (struct index){_mm256_and_si256(x, low), _mm256_and_si256(high, low)};
}

INLINE __m256i broadcast(const uint8_t *row)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)row));
}

INLINE struct row load_row(const uint8_t *x, int form)
{
    if (form == QNT__SIXES_ON_TWO)
        return (struct row){broadcast(sums[x[0] & 63]), broadcast(sums[x[1] & 63])};
    if (form == QNT__SIXES_ON_SIX)
        return (struct row){broadcast(ones[x[0] & 7]), broadcast(ones[x[0] >> 3 & 7])};
    return (struct row){broadcast(products[x[0] & 15]), broadcast(products[x[0] >> 4])};
}

INLINE vec look_up(struct index index, struct row row, int form)
{
    (void)form;
    return _mm256_add_epi8(_mm256_shuffle_epi8(row.low, index.low),
                           _mm256_shuffle_epi8(row.high, index.high));
}

INLINE vec add_8(vec a, vec b)
{
    __asm__("vpaddb %1, %0, %0" : "+x"(a) : "x"(b));
    return a;
}

INLINE vec zero(void) { return _mm256_setzero_si256(); }
INLINE vec add_16(vec a, vec b) { return _mm256_add_epi16(a, b); }
INLINE vec sub_16(vec a, vec b) { return _mm256_sub_epi16(a, b); }
INLINE vec high_16(vec a) { return _mm256_srli_epi16(a, 8); }
INLINE vec low_to_high_16(vec a) { return _mm256_slli_epi16(a, 8); }

INLINE vec set_16(int16_t x) { return _mm256_set1_epi16(x); }
INLINE vec load(const void *from) { return _mm256_loadu_si256(from); }
INLINE vec halves(vec a, vec b) { (void)b; return a; } /* never asked for */
INLINE vec differ(vec a, vec b) { return _mm256_xor_si256(a, b); }
INLINE void store_codes(uint8_t *to, vec v) { _mm256_storeu_si256((void *)to, v); }

INLINE vec add_reached(vec n, vec s, const vec limit[3], int high)
{
    vec reached = set_16(3);
    UNROLL for (int t = 0; t < 3; t++)
        reached = _mm256_add_epi16(reached, _mm256_cmpgt_epi16(limit[t], s));
    return _mm256_or_si256(n, high ? _mm256_slli_epi16(reached, 8) : reached);
}

INLINE void store(vec even, vec odd, int32_t *acc, int add)
{
    __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
    __m128i part[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                       _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
    UNROLL for (int q = 0; q < 4; q++) {
        __m256i *to = (__m256i *)(void *)(acc + 8 * q), sum = _mm256_cvtepu16_epi32(part[q]);
        if (add) sum = _mm256_add_epi32(sum, _mm256_loadu_si256(to));
        _mm256_storeu_si256(to, sum);
    }
}

#include "../lowbit.h"

void qnt__conv_lowbit_avx2(const struct qnt__lowbit *g)
{
    convolve(g, NULL);
}

void qnt__codes_lowbit_avx2(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    convolve(g, f);
}
