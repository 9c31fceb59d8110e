/*
 * Packed cells that meet one row, with the VPDPBUSD of AVX-VNNI. Reading the weights is all that counts,
 * so few fields are shifted into place: others have sums of their own, too large by a power of two, and so
 * have the third bits of weights, which are not joined to the other two. All of that is of biased weights.
 *
 * Where activations are signed, weights are VPDPBUSD's unsigned operand.
 */
#ifndef QNT__SIMD_X86_FIELDS_AVXVNNI_H
#define QNT__SIMD_X86_FIELDS_AVXVNNI_H

#include "dot_avxvnni.h"
#include "narrow_avx2.h"

enum { ROW_CELLS = 65536 /* of which sums in place stay below 2^31: 65536 * 8 * 255 * 12 */ };

/* [field][half of a cell]; as many as VPDPBUSD needs to wait for none. Third bits: [even or odd field]. */
struct field_sums {
    __m256i field[4][2], third[2][2];
};

INLINE void clear_sums(struct field_sums *s)
{
    UNROLL for (int h = 0; h < 2; h++) {
        UNROLL for (int f = 0; f < 4; f++) s->field[f][h] = _mm256_setzero_si256();
        UNROLL for (int f = 0; f < 2; f++) s->third[f][h] = _mm256_setzero_si256();
    }
}

INLINE void add_products(__m256i *sum, __m256i quad, __m256i field, int x_signed)
{
    if (x_signed) DPBUSD(*sum, field, quad);
    else DPBUSD(*sum, quad, field);
}

/* Field f of half a cell. The high one of four bits has to be positive as a signed byte. */
INLINE __m256i field_in_place(__m256i half, int bits, int f, int x_signed)
{
    if (bits == 4 && f && x_signed) return _mm256_and_si256(half, _mm256_set1_epi8((char)0xf0));
    if (f >= 2 || (bits == 4 && f)) half = _mm256_srli_epi16(half, 4);
    return _mm256_and_si256(half, _mm256_set1_epi8(bits == 4 ? 0x0f : f % 2 ? 0x0c : 0x03));
}

/* Sums of one cell; bits is 2, 3 or 4. */
INLINE void add_cell(const uint8_t *cell, int bits, const uint8_t *x, int x_signed, struct field_sums *s)
{
    const int fields = bits == 4 ? 2 : 4;
    ask_ahead(cell);
    const __m256i_u *halves = (const void *)cell;
    const __m256i half[2] = {halves[0], halves[1]};
    UNROLL for (int f = 0; f < fields; f++) {
        const __m256i quad = broadcast_quad(x + 4 * f);
        UNROLL for (int h = 0; h < 2; h++) {
            const __m256i field = field_in_place(half[h], bits, f, x_signed);
            add_products(&s->field[bits == 3 ? f % 2 : f][h], quad, field, x_signed);
            if (bits != 3) continue;
            const __m256i third =
                _mm256_min_epu8(third_places(cell + 64 + 8 * f + 4 * h), _mm256_set1_epi8(1));
            add_products(&s->third[f % 2][h], quad, third, x_signed);
        }
    }
}

/* What they come to. */
INLINE __m256i join_sums(const struct field_sums *s, int bits, int x_signed, int h)
{
    __m256i even = s->field[0][h], odd = s->field[1][h];
    if (bits == 2) {
        even = _mm256_add_epi32(even, s->field[2][h]);
        odd = _mm256_add_epi32(odd, s->field[3][h]);
    }
    if (bits < 4) odd = _mm256_srai_epi32(odd, 2);
    else if (x_signed) odd = _mm256_srai_epi32(odd, 4);
    if (bits == 3) {
        __m256i third = _mm256_add_epi32(s->third[0][h], s->third[1][h]);
        even = _mm256_add_epi32(even, _mm256_slli_epi32(third, 2));
    }
    return _mm256_add_epi32(even, odd);
}

#endif
