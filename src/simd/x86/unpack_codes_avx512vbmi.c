/*
 * Unpacking codes of 1, 3, 5, 6 and 7 bits: VPERMB gives the bytes of eight codes to each lane of 64 bits,
 * VPMULTISHIFTQB each of them the eight bits from its first one on. Other widths need no more than shifts.
 */
#include <immintrin.h>

#include "../slots.h"

/* Bytes from where packed codes are read to where they are prefetched, as in the other version. */
enum { AHEAD = 2048 };

struct unpacking {
    __m512i bytes, starts, field, top;
};

static inline __m512i unpack(const struct unpacking *u, __m512i packed)
{
    __m512i code =
        _mm512_multishift_epi64_epi8(u->starts, _mm512_permutexvar_epi8(u->bytes, packed));
    code = _mm512_and_si512(code, u->field);
    return _mm512_sub_epi8(_mm512_xor_si512(code, u->top), u->top);
}

/* Byte j of lane q: byte `bits` q + j of what is packed. */
static inline __m512i bytes_of_lanes(int bits)
{
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    __m512i first = _mm512_mullo_epi64(_mm512_set1_epi64(bits), lane); /* below 64 */
    first = _mm512_shuffle_epi8(first, _mm512_broadcast_i32x4(_mm_setr_epi8(
                                           0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8)));
    return _mm512_add_epi8(first, _mm512_set1_epi64(0x0706050403020100));
}

void qnt__unpack_codes_avx512vbmi(const uint8_t *packed, size_t n, int bits, int sign,
                                  uint8_t *codes)
{
    if (bits == 2 || bits == 4) {
        qnt__unpack_codes_avx512vnni(packed, n, bits, sign, codes);
        return;
    }
    const struct unpacking u = {bytes_of_lanes(bits), _mm512_set1_epi64(0x0706050403020100 * bits),
                                _mm512_set1_epi8((char)((1 << bits) - 1)),
                                _mm512_set1_epi8((char)(sign ? 1 << (bits - 1) : 0))};
    const __mmask8 lanes = (__mmask8)((1u << bits) - 1);
    size_t i = 0;
    for (; i + 64 <= n; i += 64, packed += 8 * bits) {
        _mm_prefetch((const void *)((uintptr_t)packed + AHEAD), _MM_HINT_T0);
        _mm512_storeu_si512(codes + i, unpack(&u, _mm512_maskz_loadu_epi64(lanes, packed)));
    }
    if (i == n) return;
    const size_t left = n - i, bytes = (left * (size_t)bits + 7) / 8;
    __m512i rest = _mm512_maskz_loadu_epi8((1ull << bytes) - 1, packed);
    _mm512_mask_storeu_epi8(codes + i, (1ull << left) - 1, unpack(&u, rest));
}
