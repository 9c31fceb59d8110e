/* Tables of bytes and of words for VPERMB: 64 bytes are one register; of words, the low and the high bytes
 * are tables of their own. */
#ifndef QNT__SIMD_X86_LOOK_UP_AVX512VBMI_H
#define QNT__SIMD_X86_LOOK_UP_AVX512VBMI_H

#include <immintrin.h>
#include <stdint.h>

struct table {
    __m512i piece[4];
    int bits;
};

static inline struct table load_table(const uint8_t *entries, int bits)
{
    struct table t = {.bits = bits};
    size_t size = (size_t)1 << bits;
    for (size_t i = 0; i < 4 && 64 * i < size; i++) {
        __mmask64 mask = size >= 64 ? ~0ull : (1ull << size) - 1;
        t.piece[i] = _mm512_maskz_loadu_epi8(mask, entries + 64 * i);
    }
    return t;
}

static inline __m512i look_up(const struct table *t, __m512i codes)
{
    if (t->bits <= 6) return _mm512_permutexvar_epi8(codes, t->piece[0]);
    __m512i low = _mm512_permutex2var_epi8(t->piece[0], codes, t->piece[1]);
    if (t->bits == 7) return low;
    __m512i high = _mm512_permutex2var_epi8(t->piece[2], codes, t->piece[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(codes), high);
}

static inline __mmask32 first_words(size_t n)
{
    return n < 32 ? (1u << n) - 1 : ~0u;
}

/* The first min(n, 32) words. */
static inline __m512i load_words(const int16_t *from, size_t n)
{
    return _mm512_maskz_loadu_epi16(first_words(n), from);
}

/* The low bytes of words, and the high ones. */
static inline void split_table(const int16_t *words, int bits, struct table *low,
                               struct table *high)
{
    const __m512i even = _mm512_setr_epi64(
        0x0e0c0a0806040200, 0x1e1c1a1816141210, 0x2e2c2a2826242220, 0x3e3c3a3836343230,
        0x4e4c4a4846444240, 0x5e5c5a5856545250, 0x6e6c6a6866646260, 0x7e7c7a7876747270);
    const __m512i odd = _mm512_add_epi8(even, _mm512_set1_epi8(1));
    const size_t size = (size_t)1 << bits;
    low->bits = high->bits = bits;
    for (size_t i = 0; i < 4 && 64 * i < size; i++) {
        size_t left = size - 64 * i;
        __m512i first = load_words(words + 64 * i, left);
        __m512i second = left > 32 ? load_words(words + 64 * i + 32, left - 32) : first;
        low->piece[i] = _mm512_permutex2var_epi8(first, even, second);
        high->piece[i] = _mm512_permutex2var_epi8(first, odd, second);
    }
}

#endif
