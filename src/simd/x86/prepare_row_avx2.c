/* Preparing a row of activations (slots_prepared.h), eight quads at a time. */
#include <immintrin.h>
#include <string.h>

#include "../slots.h"

enum { BYTES = 4 * QNT__QUADS_TOGETHER };

/* Notes the k of set bits, which are places behind k. */
static void note_again(struct qnt__prepared_row *head, uint32_t bits, size_t k)
{
    for (; bits; bits &= bits - 1, head->again++) {
        if (head->again < QNT__AGAIN) head->again_k[head->again] = (uint32_t)k + (uint32_t)__builtin_ctz(bits);
    }
}

void qnt__prepare_row_avx2(const uint8_t *row, size_t depth, uint8_t *prepared)
{
    const __m256i turn = _mm256_set1_epi8(127), odd = _mm256_set1_epi16((short)0xff00),
                  form = _mm256_set1_epi32(128 << 16 | 64), one = _mm256_set1_epi8(1);
    const size_t quads = qnt__prepared_quads(depth), chunk = qnt__chunk_quads(depth);
    const __m256i cell = _mm256_setr_epi32(0, 256, 512, 768, 1024, 1280, 1536, 1792),
                  start = _mm256_add_epi32(cell, _mm256_set1_epi32(64 + 128));
    struct qnt__prepared_row head = {0};
    __m256i constant = _mm256_setzero_si256(), place = start;
    uint8_t last[BYTES];

    for (size_t q = 0, left = chunk; q < quads; q += QNT__QUADS_TOGETHER) {
        const uint8_t *from = row + 4 * q;
        __m256i_u *to = (void *)(prepared + sizeof head + q * sizeof(struct qnt__prepared_quad));
        if (4 * q + BYTES > depth) {
            memset(last, 127, sizeof last);
            from = memcpy(last, from, depth - 4 * q);
        }
        const __m256i u = _mm256_loadu_si256((const void *)from);
        __m256i x = _mm256_xor_si256(u, turn);
        const __m256i differ = _mm256_srai_epi16(_mm256_xor_si256(x, _mm256_slli_epi16(x, 8)), 15);
        const __m256i negated = _mm256_andnot_si256(differ, odd);
        const __m256i again = _mm256_and_si256(negated, _mm256_cmpeq_epi8(u, _mm256_set1_epi8(-1)));
        if (!_mm256_testz_si256(again, again)) {
            note_again(&head, (uint32_t)_mm256_movemask_epi8(again), 4 * q);
            x = _mm256_sub_epi8(x, again);
        }
        x = _mm256_sign_epi8(x, _mm256_or_si256(negated, one));
        const __m256i share = _mm256_maddubs_epi16(_mm256_sub_epi8(turn, negated), x);
        constant = _mm256_sub_epi32(constant, _mm256_madd_epi16(share, _mm256_set1_epi16(1)));
        const __m256i at = _mm256_add_epi32(_mm256_madd_epi16(differ, form), place);
        to[0] = _mm256_unpacklo_epi32(x, at);
        to[1] = _mm256_unpackhi_epi32(x, at);
        left -= QNT__QUADS_TOGETHER;
        place = left ? _mm256_add_epi32(place, _mm256_set1_epi32(64 * QNT__FORMS * QNT__QUADS_TOGETHER)) : start;
        left = left ? left : chunk;
    }
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(constant), _mm256_extracti128_si256(constant, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    head.constant = _mm_cvtsi128_si32(sum);
    memcpy(prepared, &head, sizeof head);
}
