/* Preparing a row of activations (slots_prepared.h), 32 of them at a time. */
#include <immintrin.h>
#include <string.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { BYTES = 4 * QNT__PREPARED_TOGETHER, RUN = 4 /* times so many, whose forms are narrowed together */ };

/* Notes the k of set bits, which are places behind k. */
static void note_again(struct qnt__prepared_row *head, uint32_t bits, size_t k)
{
    for (; bits; bits &= bits - 1, head->again++) {
        const uint32_t at = (uint32_t)k + (uint32_t)__builtin_ctz(bits);
        if (head->again < QNT__AGAIN) head->again_k[head->again] = at;
    }
}

/* Writes 32 x and takes their share off the constant; returns 64 times the form of each quad. */
INLINE __m256i oppose(__m256i u, size_t k, int8_t *to, struct qnt__prepared_row *head, __m256i *constant)
{
    const __m256i turn = _mm256_set1_epi8(127), odd = _mm256_set1_epi16((short)0xff00),
                  form = _mm256_set1_epi32((int)((uint32_t)-128 << 16 | (uint16_t)-64));
    __m256i x = _mm256_xor_si256(u, turn);
    const __m256i signs = _mm256_xor_si256(x, _mm256_slli_epi16(x, 8));
    const __m256i same = _mm256_cmpgt_epi16(signs, _mm256_set1_epi16(-1));
    const __m256i negated = _mm256_and_si256(same, odd);
    const __m256i again = _mm256_and_si256(negated, _mm256_cmpeq_epi8(u, _mm256_set1_epi8(-1)));
    const uint32_t bits = (uint32_t)_mm256_movemask_epi8(again);
    if (__builtin_expect(bits != 0, 0)) {
        note_again(head, bits, k);
        x = _mm256_sub_epi8(x, again);
    }
    x = _mm256_sign_epi8(x, _mm256_or_si256(negated, _mm256_set1_epi8(1)));
    _mm256_storeu_si256((void *)to, x);
    const __m256i share = _mm256_maddubs_epi16(_mm256_sub_epi8(turn, negated), x);
    *constant = _mm256_sub_epi32(*constant, _mm256_madd_epi16(share, _mm256_set1_epi16(1)));
    return _mm256_madd_epi16(same, form);
}

/* The bytes of 32 forms. */
INLINE __m256i narrow(const __m256i form[RUN])
{
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i low = _mm256_packs_epi32(form[0], form[1]), high = _mm256_packs_epi32(form[2], form[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), in_order);
}

INLINE int32_t sum_of(__m256i x)
{
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

void qnt__prepare_row_avx2(const uint8_t *row, size_t depth, uint8_t *prepared)
{
    int8_t *quads = (int8_t *)prepared + sizeof(struct qnt__prepared_row);
    uint8_t *forms = (uint8_t *)quads + qnt__prepared_forms(depth);
    struct qnt__prepared_row head = {0};
    __m256i constant = _mm256_setzero_si256(), form[RUN];
    size_t k = 0;

    for (; k + RUN * BYTES <= depth; k += RUN * BYTES) {
        const __m256i_u *from = (const void *)(row + k);
        for (size_t i = 0; i < RUN; i++)
            form[i] = oppose(from[i], k + i * BYTES, quads + k + i * BYTES, &head, &constant);
        _mm256_storeu_si256((void *)(forms + k / 4), narrow(form));
    }
    for (; k < depth; k += BYTES) {
        uint8_t last[BYTES];
        __m256i u = _mm256_set1_epi8(127);
        if (k + BYTES <= depth) {
            u = _mm256_loadu_si256((const void *)(row + k));
        } else {
            _mm256_storeu_si256((void *)last, u);
            memcpy(last, row + k, depth - k);
            u = _mm256_loadu_si256((const void *)last);
        }
        form[0] = form[1] = form[2] = form[3] = oppose(u, k, quads + k, &head, &constant);
        _mm_storel_epi64((void *)(forms + k / 4), _mm256_castsi256_si128(narrow(form)));
    }
    head.constant = sum_of(constant);
    memcpy(prepared, &head, sizeof head);
}
