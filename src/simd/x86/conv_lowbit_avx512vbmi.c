/* Products of 2-bit codes by VPERMB: a row of 64 products for each byte of three activations. */
#include <immintrin.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef __m512i vec;
struct index { __m512i w; };
struct row { __m512i product; };

enum { LANES = 64, PIXELS = 7, SLIDE = 1 };

static const uint8_t products[64][64] __attribute__((aligned(64))) = {
    ROWS_16(PRODUCTS_64, 0), ROWS_16(PRODUCTS_64, 16), ROWS_16(PRODUCTS_64, 32),
    ROWS_16(PRODUCTS_64, 48)};

INLINE struct index load_index(const uint8_t *w)
{
    return (struct index){_mm512_loadu_si512(w)};
}

INLINE struct row load_row(uint8_t x)
{
    return (struct row){_mm512_load_si512(products[x])};
}

INLINE vec look_up(struct index index, struct row row)
{
    return _mm512_permutexvar_epi8(index.w, row.product);
}

INLINE vec add_8(vec a, vec b)
{
    __asm__("vpaddb %1, %0, %0" : "+v"(a) : "v"(b));
    return a;
}

INLINE vec zero(void) { return _mm512_setzero_si512(); }
INLINE vec add_16(vec a, vec b) { return _mm512_add_epi16(a, b); }
INLINE vec sub_16(vec a, vec b) { return _mm512_sub_epi16(a, b); }
INLINE vec high_16(vec a) { return _mm512_srli_epi16(a, 8); }
INLINE vec low_to_high_16(vec a) { return _mm512_slli_epi16(a, 8); }

INLINE void store(vec even, vec odd, int32_t *acc, int add)
{
    __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
    /* quarter q of `low` has channels 16 q .. 16 q + 7, of `high` the next eight */
    __m256i part[4] = {_mm512_castsi512_si256(low), _mm512_castsi512_si256(high),
                       _mm512_extracti64x4_epi64(low, 1), _mm512_extracti64x4_epi64(high, 1)};
    UNROLL for (int q = 0; q < 4; q++) {
        __m128i a = q & 1 ? _mm256_extracti128_si256(part[q & 2], 1)
                          : _mm256_castsi256_si128(part[q & 2]);
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
    conv_lowbit(g);
}
