/* Levels, sixteen at a time: the division as two high halves of products (struct qnt__steps). Where
 * levels are not 0: a byte for each, put in diagonal order by shuffles, 16 sources by 16 targets. */
#include <immintrin.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

void qnt__quantize_s16_avx2(const struct qnt__steps *s, const int16_t *coefficients, size_t blocks,
                            int16_t *levels)
{
    __m256i half[4], reciprocal[4], scale[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        half[i] = _mm256_loadu_si256((const void *)(s->half + 16 * i));
        reciprocal[i] = _mm256_loadu_si256((const void *)(s->reciprocal + 16 * i));
        scale[i] = _mm256_loadu_si256((const void *)(s->scale + 16 * i));
    }
    for (size_t b = 0; b < blocks; b++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++, coefficients += 16, levels += 16) {
            __m256i c = _mm256_loadu_si256((const void *)coefficients);
            __m256i n = _mm256_add_epi16(_mm256_abs_epi16(c), half[i]);
            n = _mm256_mulhi_epu16(_mm256_mulhi_epu16(n, reciprocal[i]), scale[i]);
            _mm256_storeu_si256((void *)levels, _mm256_sign_epi16(n, c));
        }
    }
}

/* Eight levels as 32-bit numbers. */
INLINE __m256i nearest(__m256 c, __m256 step)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 magnitude = _mm256_div_ps(_mm256_andnot_ps(sign, c), step);
    __m256i level = _mm256_cvttps_epi32(_mm256_add_ps(magnitude, _mm256_set1_ps(0.5f)));
    return _mm256_sign_epi32(level, _mm256_castps_si256(c)); /* level 0 has no sign */
}

void qnt__quantize_f32_avx2(const struct qnt__steps *s, const float *coefficients, size_t blocks,
                            int16_t *levels)
{
    for (size_t b = 0; b < blocks; b++) {
        for (int i = 0; i < 64; i += 16, coefficients += 16, levels += 16) {
            __m256i low = nearest(_mm256_loadu_ps(coefficients), _mm256_loadu_ps(s->fine + i));
            __m256i high =
                nearest(_mm256_loadu_ps(coefficients + 8), _mm256_loadu_ps(s->fine + i + 8));
            __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
            _mm256_storeu_si256((void *)levels, words);
        }
    }
}

/* [target / 32][source]: which byte of the source, a row of 16 places, goes to which of 32 targets;
 * NO where it is of another source. */
#define NO 0x80
static const uint8_t moves[2][4][32] = {
    {{0,  1,  8,  NO, 9,  2,  3,  10, NO, NO, NO, NO, NO, 11, 4,  5,
      12, NO, NO, NO, NO, NO, NO, NO, NO, NO, 13, 6,  7,  14, NO, NO},
     {NO, NO, NO, 0,  NO, NO, NO, NO, 1,  8, NO, 9,  2,  NO, NO, NO,
      NO, 3,  10, NO, NO, NO, NO, NO, 11, 4, NO, NO, NO, NO, 5,  12},
     {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 0,  NO, NO, NO, NO, NO,
      NO, NO, NO, 1,  8,  NO, 9,  2,  NO, NO, NO, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
      NO, NO, NO, NO, NO, 0,  NO, NO, NO, NO, NO, NO, NO, NO, NO, NO}},
    {{NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 15, NO, NO, NO, NO, NO,
      NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, NO, NO, NO, 13, 6,  NO, 7,  14, NO, NO, NO,
      NO, NO, NO, NO, NO, 15, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
     {3,  10, NO, NO, NO, NO, 11, 4,  NO, NO, NO, NO, NO, 5,  12, NO,
      NO, NO, NO, 13, 6,  NO, 7,  14, NO, NO, NO, NO, 15, NO, NO, NO},
     {NO, NO, 1, 8,  9,  2,  NO, NO, NO, NO, NO, NO, NO, NO, NO, 3,
      10, 11, 4, NO, NO, NO, NO, NO, 5,  12, 13, 6,  NO, 7,  14, 15}},
};

void qnt__places_s16_avx2(const int16_t *levels, size_t blocks, uint64_t *places)
{
    const __m256i zero = _mm256_setzero_si256();
    for (size_t b = 0; b < blocks; b++, levels += 64) {
        __m256i source[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) { /* 16 bytes of ones where a level is 0, in both halves */
            __m256i words = _mm256_loadu_si256((const void *)(levels + 16 * i));
            words = _mm256_cmpeq_epi16(words, zero);
            words = _mm256_packs_epi16(words, words);
            source[i] = _mm256_permute4x64_epi64(words, 0x88);
        }
        uint64_t zeros = 0;
#pragma GCC unroll 2
        for (int t = 0; t < 2; t++) {
            __m256i target = zero;
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                __m256i move = _mm256_loadu_si256((const void *)moves[t][i]);
                target = _mm256_or_si256(target, _mm256_shuffle_epi8(source[i], move));
            }
            zeros |= (uint64_t)(uint32_t)_mm256_movemask_epi8(target) << 32 * t;
        }
        places[b] = ~zeros;
    }
}
