/* Depthwise convolution with VPDPBUSD. Masks take time: only the fewest channels are read with them. */
#include "cells_avx512vnni.h"

#include "depthwise_avx2.h"

enum { AVX2_CHANNELS = 16 };

/* Writes, or adds to, the channels of a mask. */
static inline void store(int32_t *to, __mmask32 inside, __m256i v, int add)
{
    __mmask8 mask = (__mmask8)inside;
    if (add) v = _mm256_add_epi32(v, _mm256_maskz_loadu_epi32(mask, to));
    _mm256_mask_storeu_epi32(to, mask, v);
}

/* All pixels of fewer channels, over taps first..first + count - 1. */
static void few_channels(const struct qnt__depthwise *d, size_t first, size_t count)
{
    const __mmask32 inside = (1u << d->channels) - 1;
    __m256i weight[MAX_GROUPS][TAPS];
    ptrdiff_t at[MAX_GROUPS * TAPS];
    size_t groups = (count + TAPS - 1) / TAPS;
    for (size_t t = 0; t < groups * TAPS; t++) { /* what is missing has weight 0 */
        at[t] = d->taps[first + (t < count ? t : count - 1)];
    }
    for (size_t g = 0; g < groups; g++) {
        __m256i tap[TAPS];
        for (size_t j = 0; j < TAPS; j++) {
            size_t t = g * TAPS + j;
            const int8_t *w = d->weight + (first + (t < count ? t : 0)) * d->channels;
            tap[j] = _mm256_maskz_loadu_epi8(t < count ? inside : 0, w);
        }
        interleave(tap, weight[g]);
    }
    const uint8_t *x = d->x;
    int32_t *acc = d->acc;
    for (size_t i = 0; i < d->m; i++, x += d->step, acc += d->channels) {
        __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
        for (size_t g = 0; g < groups; g++) {
            const ptrdiff_t *tap_at = at + g * TAPS;
            __m256i tap[TAPS], quads[TAPS];
            for (size_t j = 0; j < TAPS; j++) {
                tap[j] = _mm256_maskz_loadu_epi8(inside, x + tap_at[j]);
            }
            interleave(tap, quads);
            s0 = _mm256_dpbusd_epi32(s0, quads[0], weight[g][0]);
            s1 = _mm256_dpbusd_epi32(s1, quads[1], weight[g][1]);
            s2 = _mm256_dpbusd_epi32(s2, quads[2], weight[g][2]);
            s3 = _mm256_dpbusd_epi32(s3, quads[3], weight[g][3]);
        }
        store(acc, inside, _mm256_permute2x128_si256(s0, s1, 0x20), first > 0);
        store(acc + 8, inside >> 8, _mm256_permute2x128_si256(s2, s3, 0x20), first > 0);
        store(acc + 16, inside >> 16, _mm256_permute2x128_si256(s0, s1, 0x31), first > 0);
        store(acc + 24, inside >> 24, _mm256_permute2x128_si256(s2, s3, 0x31), first > 0);
    }
}

void qnt__depthwise_s8_avx512vnni(const struct qnt__depthwise *d)
{
    if (d->channels >= CHANNELS) {
        multiply_channels(d);
        return;
    }
    if (d->channels >= AVX2_CHANNELS) {
        qnt__depthwise_s8_avx2(d);
        return;
    }
    for (size_t first = 0; first < d->tap_count; first += MAX_GROUPS * TAPS) {
        size_t left = d->tap_count - first;
        few_channels(d, first, left < MAX_GROUPS * TAPS ? left : MAX_GROUPS * TAPS);
    }
}
