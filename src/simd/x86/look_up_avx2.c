/* Looking up levels with VPSHUFB, 16 entries of the table at a time. */
#include <immintrin.h>
#include <string.h>

#include "../slots.h"

/* A table of bytes in pieces of 16, each in both halves of a register. */
struct table {
    __m256i piece[16];
    int pieces;
};

static inline struct table load_table(const uint8_t *entries, int bits)
{
    uint8_t few[16] = {0};
    struct table t = {.pieces = bits <= 4 ? 1 : 1 << (bits - 4)};
    memcpy(few, entries, bits < 4 ? (size_t)1 << bits : 16);
    t.piece[0] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)few));
    for (int i = 1; i < t.pieces; i++) {
        __m128i piece = _mm_loadu_si128((const void *)(entries + 16 * i));
        t.piece[i] = _mm256_broadcastsi128_si256(piece);
    }
    return t;
}

static inline __m256i look_up(const struct table *t, __m256i codes)
{
    if (t->pieces == 1) return _mm256_shuffle_epi8(t->piece[0], codes);
    const __m256i outside = _mm256_set1_epi8(0x70), step = _mm256_set1_epi8(16);
    __m256i found = _mm256_setzero_si256();
    for (int i = 0; i < t->pieces; i++) { /* indices of other pieces get their top bit, which selects 0 */
        __m256i piece = _mm256_shuffle_epi8(t->piece[i], _mm256_adds_epu8(codes, outside));
        found = _mm256_or_si256(found, piece);
        codes = _mm256_sub_epi8(codes, step);
    }
    return found;
}

void qnt__look_up_8_avx2(const uint8_t *table, int bits, const uint8_t *codes, size_t n,
                         uint8_t *levels)
{
    struct table t = load_table(table, bits);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i x = _mm256_loadu_si256((const void *)(codes + i));
        _mm256_storeu_si256((void *)(levels + i), look_up(&t, x));
    }
    qnt__look_up_8_c(table, bits, codes + i, n - i, levels + i);
}

void qnt__look_up_16_avx2(const int16_t *table, int bits, const uint8_t *codes, size_t n,
                          int16_t *levels)
{
    uint8_t bytes[2][256];
    size_t i = 0;
    for (size_t e = 0; e < (size_t)1 << bits; e++) {
        bytes[0][e] = (uint8_t)table[e];
        bytes[1][e] = (uint8_t)((uint16_t)table[e] >> 8);
    }
    struct table low = load_table(bytes[0], bits), high = load_table(bytes[1], bits);
    for (; i + 32 <= n; i += 32) {
        __m256i x = _mm256_loadu_si256((const void *)(codes + i));
        __m256i a = look_up(&low, x), b = look_up(&high, x);
        __m256i even = _mm256_unpacklo_epi8(a, b), odd = _mm256_unpackhi_epi8(a, b);
        __m256i first = _mm256_permute2x128_si256(even, odd, 0x20);
        _mm256_storeu_si256((void *)(levels + i), first);
        __m256i second = _mm256_permute2x128_si256(even, odd, 0x31);
        _mm256_storeu_si256((void *)(levels + i + 16), second);
    }
    qnt__look_up_16_c(table, bits, codes + i, n - i, levels + i);
}
