/*
 * Depthwise convolution with VPDPBUSD on 256 bits, which suit the few channels of such layers: bytes of
 * four taps are brought together for each channel, so that one instruction does four taps of eight
 * channels. The last channels are done by a group that overlaps the one before.
 *
 * The file that includes this has defined INLINE, UNROLL and DPBUSD.
 */
#ifndef QNT__SIMD_X86_DEPTHWISE_AVX2_H
#define QNT__SIMD_X86_DEPTHWISE_AVX2_H

#include "../slots.h"

enum { CHANNELS = 32, TAPS = 4, MAX_GROUPS = 16 /* of four taps in one pass */ };

/* quads[i]: the bytes of the taps for channels 4 i..4 i + 3 and 16 + 4 i..16 + 4 i + 3. */
INLINE void interleave(const __m256i tap[TAPS], __m256i quads[TAPS])
{
    __m256i low_01 = _mm256_unpacklo_epi8(tap[0], tap[1]);
    __m256i low_23 = _mm256_unpacklo_epi8(tap[2], tap[3]);
    __m256i high_01 = _mm256_unpackhi_epi8(tap[0], tap[1]);
    __m256i high_23 = _mm256_unpackhi_epi8(tap[2], tap[3]);
    quads[0] = _mm256_unpacklo_epi16(low_01, low_23);
    quads[1] = _mm256_unpackhi_epi16(low_01, low_23);
    quads[2] = _mm256_unpacklo_epi16(high_01, high_23);
    quads[3] = _mm256_unpackhi_epi16(high_01, high_23);
}

/* 32 channels of all pixels, over taps first..first + count - 1. */
static void some_channels(const struct qnt__depthwise *d, size_t channel, size_t first, size_t count)
{
    __m256i weight[MAX_GROUPS][TAPS];
    ptrdiff_t at[MAX_GROUPS * TAPS];
    const size_t groups = (count + TAPS - 1) / TAPS;
    for (size_t t = 0; t < groups * TAPS; t++) { /* what is missing has weight 0 */
        at[t] = d->taps[first + (t < count ? t : count - 1)];
    }
    for (size_t g = 0; g < groups; g++) {
        __m256i tap[TAPS];
        for (size_t j = 0; j < TAPS; j++) {
            const size_t t = g * TAPS + j;
            const int8_t *w = d->weight + (first + t) * d->channels + channel;
            tap[j] = t < count ? _mm256_loadu_si256((const void *)w) : _mm256_setzero_si256();
        }
        interleave(tap, weight[g]);
    }
    const uint8_t *x = d->x + channel;
    int32_t *acc = d->acc + channel;
    for (size_t i = 0; i < d->m; i++, x += d->step, acc += d->channels) {
        __m256i sum[TAPS];
        UNROLL for (int j = 0; j < TAPS; j++) sum[j] = _mm256_setzero_si256();
        for (size_t g = 0; g < groups; g++) {
            __m256i tap[TAPS], quads[TAPS];
            UNROLL for (size_t j = 0; j < TAPS; j++) {
                tap[j] = _mm256_loadu_si256((const void *)(x + at[g * TAPS + j]));
            }
            interleave(tap, quads);
            UNROLL for (size_t j = 0; j < TAPS; j++) DPBUSD(sum[j], quads[j], weight[g][j]);
        }
        const __m256i result[TAPS] = {_mm256_permute2x128_si256(sum[0], sum[1], 0x20),
                                      _mm256_permute2x128_si256(sum[2], sum[3], 0x20),
                                      _mm256_permute2x128_si256(sum[0], sum[1], 0x31),
                                      _mm256_permute2x128_si256(sum[2], sum[3], 0x31)};
        UNROLL for (int j = 0; j < TAPS; j++) {
            __m256i_u *to = (void *)(acc + 8 * j);
            *to = first > 0 ? _mm256_add_epi32(*to, result[j]) : result[j];
        }
    }
}

/* Of at least CHANNELS channels. */
static void multiply_channels(const struct qnt__depthwise *d)
{
    for (size_t c = 0; c < d->channels; c += CHANNELS) {
        const size_t channel = d->channels - c < CHANNELS ? d->channels - CHANNELS : c;
        for (size_t first = 0; first < d->tap_count; first += MAX_GROUPS * TAPS) {
            const size_t left = d->tap_count - first;
            some_channels(d, channel, first, left < MAX_GROUPS * TAPS ? left : MAX_GROUPS * TAPS);
        }
    }
}

#endif
