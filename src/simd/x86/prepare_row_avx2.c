/* Preparing a row of activations (slots_prepared.h), up to 128 of them at a time. */
#include <immintrin.h>
#include <string.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4")

enum { STEP = 32, TWO = 2 * STEP };

_Static_assert(4 * QNT__PREPARED_TOGETHER == TWO, "two steps are written at least");

/* Notes the k of set bits, which are places behind k. */
static void note_again(struct qnt__prepared_row *head, uint64_t bits, size_t k)
{
    for (; bits; bits &= bits - 1, head->again++) {
        const uint32_t at = (uint32_t)k + (uint32_t)__builtin_ctzll(bits);
        if (head->again < QNT__AGAIN) head->again_k[head->again] = at;
    }
}

/*
 * Writes 32 x, takes their share off the constant, says which pairs have different signs, and returns bits
 * for bytes that 254 stands for. With m of all ones where x is negated, else 0, and k = 127 ^ m, which is
 * 127 or 128,
 *
 *     x = (u ^ k) - m, saturated,
 *
 * and its share is k x.
 */
INLINE uint32_t oppose(__m256i u, int8_t *to, __m256i *constant, __m256i *differ)
{
    const __m256i odd = _mm256_set1_epi16((short)0xff00), turn = _mm256_set1_epi8(127);
    *differ = _mm256_srai_epi16(_mm256_xor_si256(u, _mm256_slli_epi16(u, 8)), 15);
    const __m256i m = _mm256_andnot_si256(*differ, odd), k = _mm256_xor_si256(m, turn);
    const __m256i x = _mm256_subs_epi8(_mm256_xor_si256(u, k), m);
    _mm256_storeu_si256((void *)to, x);
    const __m256i share = _mm256_madd_epi16(_mm256_maddubs_epi16(k, x), _mm256_set1_epi16(1));
    *constant = _mm256_sub_epi32(*constant, share);
    const __m256i again = _mm256_and_si256(m, _mm256_cmpeq_epi8(u, _mm256_set1_epi8(-1)));
    return (uint32_t)_mm256_movemask_epi8(again);
}

/* The bytes of 32 forms. */
INLINE __m256i forms_of(const __m256i differ[4])
{
    const __m256i weight = _mm256_set1_epi32((int)((uint32_t)-128 << 16 | (uint16_t)-64)),
                  in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i form[4];
    UNROLL for (int i = 0; i < 4; i++) form[i] = _mm256_madd_epi16(differ[i], weight);
    const __m256i low = _mm256_packs_epi32(form[0], form[1]), high = _mm256_packs_epi32(form[2], form[3]);
    const __m256i all = _mm256_xor_si256(_mm256_packus_epi16(low, high), _mm256_set1_epi8((char)0xc0));
    return _mm256_permutevar8x32_epi32(all, in_order);
}

/* Prepares 64 activations and says which ones 254 stands for, a bit for each. */
INLINE uint64_t oppose_two(const uint8_t *from, int8_t *to, __m256i *constant, __m256i differ[2])
{
    const uint64_t low = oppose(_mm256_loadu_si256((const void *)from), to, constant, differ);
    from += STEP;
    to += STEP;
    return low | (uint64_t)oppose(_mm256_loadu_si256((const void *)from), to, constant, differ + 1) << STEP;
}

INLINE int32_t sum_of(__m256i x)
{
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

void qnt__prepare_row_avx2(const uint8_t *row, size_t depth, uint8_t *prepared)
{
    int8_t *x = (int8_t *)prepared + sizeof(struct qnt__prepared_row);
    uint8_t *form = (uint8_t *)x + qnt__prepared_forms(depth);
    struct qnt__prepared_row head = {0};
    __m256i constant = _mm256_setzero_si256(), differ[4];
    size_t k = 0;
    for (; k + 2 * TWO <= depth; k += 2 * TWO) {
        const uint64_t low = oppose_two(row + k, x + k, &constant, differ),
                       high = oppose_two(row + k + TWO, x + k + TWO, &constant, differ + 2);
        _mm256_storeu_si256((void *)(form + k / 4), forms_of(differ));
        if (__builtin_expect((low | high) == 0, 1)) continue;
        note_again(&head, low, k);
        note_again(&head, high, k + TWO);
    }
    for (; k < depth; k += TWO) {
        uint8_t last[TWO];
        if (k + TWO > depth) {
            memset(last, 127, TWO);
            memcpy(last, row + k, depth - k);
        }
        note_again(&head, oppose_two(k + TWO > depth ? last : row + k, x + k, &constant, differ), k);
        differ[2] = differ[3] = differ[0];
        _mm_storeu_si128((void *)(form + k / 4), _mm256_castsi256_si128(forms_of(differ)));
    }
    head.constant = sum_of(constant);
    memcpy(prepared, &head, sizeof head);
}
