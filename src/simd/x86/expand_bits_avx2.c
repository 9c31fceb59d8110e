/* Bit planes as bytes: VPSHUFB repeats the byte with the bits of four k, each byte tests one of them. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

INLINE void store(void *to, __m256i x)
{
    _mm256_storeu_si256(to, x);
}

/* One half of a word of 8 columns, a lane of 32 bits each. */
INLINE __m256i lanes_of(__m256i low, __m256i high, int half)
{
    __m256 a = _mm256_castsi256_ps(low), b = _mm256_castsi256_ps(high);
    __m256i x =
        _mm256_castps_si256(half ? _mm256_shuffle_ps(a, b, 0xdd) : _mm256_shuffle_ps(a, b, 0x88));
    return _mm256_permute4x64_epi64(x, 0xd8);
}

/* Word w of four columns, as it was before odd ones became parities. */
INLINE __m256i load_word(const uint64_t *column, size_t w)
{
    const uint64_t *at = column + w * QNT__PANEL;
    __m256i x = load(at);
    if (w % 2 == 0) return x;
    x = _mm256_xor_si256(x, load(at - QNT__PANEL));
    return w > 1 ? _mm256_xor_si256(x, load(at - 2 * QNT__PANEL)) : x;
}

/* Half words of eight columns of each plane. */
INLINE void load_lanes(const uint64_t *b, size_t plane, size_t planes, size_t word,
                       __m256i lanes[2][7])
{
    for (size_t i = 0; i < planes; i++, b += plane) {
        __m256i x = load_word(b, word), y = load_word(b + 4, word);
        lanes[0][i] = lanes_of(x, y, 0), lanes[1][i] = lanes_of(x, y, 1);
    }
}

/* Where four k of lanes are, and which bits of a byte they are; there are 16 such quads in a word. */
struct quad {
    __m256i at, bits;
};

INLINE struct quad quad_of(size_t q)
{
    const __m256i lane = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404,
                                           0x08080808, 0x0c0c0c0c);
    const __m256i low = _mm256_set1_epi32(0x08040201), high = _mm256_slli_epi32(low, 4);
    return (struct quad){_mm256_add_epi8(lane, _mm256_set1_epi8((char)(q / 2 % 4))),
                         q % 2 ? high : low};
}

/* Four codes of eight columns: the bits of lanes, of each plane, that a quad picks, double.
 */
INLINE __m256i cell_of(const __m256i *lanes, size_t planes, struct quad quad)
{
    __m256i code = _mm256_set1_epi8((char)(1 - (1 << planes)));
    for (size_t i = 0; i < planes; i++) {
        __m256i x = _mm256_and_si256(_mm256_shuffle_epi8(lanes[i], quad.at), quad.bits);
        __m256i weight = _mm256_set1_epi8((char)(2 << i));
        code = _mm256_add_epi8(code, _mm256_and_si256(_mm256_cmpeq_epi8(x, quad.bits), weight));
    }
    return code;
}

void qnt__expand_bits_avx2(const struct qnt__expand_bits *e)
{
    for (size_t w = 0; w < e->words; w++) {
        for (size_t c = 0; c < QNT__PANEL; c += 8) {
            uint8_t *cells = e->cells + w * 1024 + 4 * c;
            __m256i lanes[2][7];
            load_lanes(e->b + c, e->b_plane, e->planes, e->first + w, lanes);
            for (size_t q = 0; q < 16; q++, cells += 64)
                store(cells, cell_of(lanes[q / 8], e->planes, quad_of(q)));
        }
    }
}

void qnt__expand_seven_avx2(const struct qnt__expand_seven *e)
{
    for (size_t w = 0; w < e->words; w++) {
        for (size_t c = 0; c < QNT__PANEL; c += 8) {
            __m256i lanes[4][2][7], x[4] = {0};
            for (size_t b = 0; b < 4; b++) {
                if (e->b[b])
                    load_lanes(e->b[b] + c, e->b_plane, e->planes, e->first[b / 2] + w, lanes[b]);
            }
            for (size_t q = 0; q < 16; q++) {
                const size_t at = w * 1024 + q * 64 + 4 * c;
                const struct quad quad = quad_of(q);
                for (size_t b = 0; b < 4; b++) {
                    if (e->b[b]) x[b] = cell_of(lanes[b][q / 8], e->planes, quad);
                }
                store(e->out[0] + at, _mm256_add_epi8(x[0], x[3]));
                store(e->out[1] + at, x[0]);
                store(e->out[2] + at, _mm256_sub_epi8(x[1], x[3]));
                store(e->out[3] + at, _mm256_sub_epi8(x[2], x[0]));
                store(e->out[4] + at, x[3]);
                store(e->out[5] + at, _mm256_add_epi8(x[0], x[1]));
                store(e->out[6] + at, _mm256_add_epi8(x[2], x[3]));
            }
        }
    }
}
