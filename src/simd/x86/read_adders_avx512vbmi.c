/* Sums of rows that adders have formed, from binary digits to integers. */
#include "../layout.h"
#include "adders_avx512vbmi.h"

enum {
    VECTOR = QNT__ADDER_DIGIT,
    MOST = 31, /* digits of a sum whose double is an int32 */
    MAJORITY = 0xe8,
    EXCLUSIVE_OR = 0x96
};

/* The digits of the double of a row's sums, carries that waited added up; what is above them is 0. */
INLINE size_t close_row(const struct adder_rows *r, const uint8_t *from, __m512i to[MOST + 1])
{
    const size_t digits = r->digits < MOST ? r->digits : MOST, bytes = digits / 8 + 1;
    __m512i carry = _mm512_setzero_si512();
    to[0] = carry;
    for (size_t d = 0; d < digits; d++) {
        const __m512i digit = _mm512_loadu_si512(from + d * VECTOR);
        if (d >= QNT__ADDER_DIGITS && r->full >> d & 1) {
            const __m512i other = _mm512_loadu_si512(from + d * VECTOR + r->waiting);
            to[d + 1] = _mm512_ternarylogic_epi64(digit, carry, other, EXCLUSIVE_OR);
            carry = _mm512_ternarylogic_epi64(digit, carry, other, MAJORITY);
        } else {
            to[d + 1] = _mm512_xor_si512(digit, carry);
            carry = _mm512_and_si512(digit, carry);
        }
    }
    for (size_t d = digits + 1; d < 8 * bytes; d++) to[d] = _mm512_setzero_si512();
    return bytes;
}

/* acc[64] of bytes of 64 columns, from the lowest on, less a number. */
INLINE void store_part(const __m512i byte[4], __m512i less, int32_t *acc)
{
    const __m512i low = _mm512_unpacklo_epi8(byte[0], byte[1]),
                  high = _mm512_unpackhi_epi8(byte[0], byte[1]),
                  upper_low = _mm512_unpacklo_epi8(byte[2], byte[3]),
                  upper_high = _mm512_unpackhi_epi8(byte[2], byte[3]);
    const __m512i sum[4] = {
        _mm512_unpacklo_epi16(low, upper_low), _mm512_unpackhi_epi16(low, upper_low),
        _mm512_unpacklo_epi16(high, upper_high), _mm512_unpackhi_epi16(high, upper_high)};
    UNROLL for (int q = 0; q < 4; q++)
        _mm512_storeu_si512(acc + q * QNT__PANEL, _mm512_sub_epi32(sum[q], less));
}

INLINE void read_row(__m512i digit[MOST + 1], int bytes, __m512i less, int32_t *acc)
{
    UNROLL for (int b = 0; b < bytes; b++) swap_bits(digit + 8 * b);
    UNROLL for (int part = 0; part < PARTS; part++)
    {
        __m512i byte[4];
        UNROLL for (int b = 0; b < 4; b++) byte[b] =
            b < bytes ? digit[8 * b + part] : _mm512_setzero_si512();
        store_part(byte, less, acc + 64 * part);
    }
}

void qnt__read_adders_avx512vbmi(const struct qnt__gemm_adders *g, size_t row, size_t m,
                                 const int32_t *less, int32_t *acc)
{
    const struct adder_rows r = adder_rows_of(g);
    for (size_t i = 0; i < m; i++, acc += g->ld) {
        const __m512i minus = _mm512_set1_epi32(less ? less[i] : 0);
        __m512i digit[MOST + 1];
        switch (close_row(&r, g->sums + (row + i) * r.bytes, digit)) {
        case 2: read_row(digit, 2, minus, acc); break;
        case 3: read_row(digit, 3, minus, acc); break;
        default: read_row(digit, 4, minus, acc); break;
        }
    }
}
