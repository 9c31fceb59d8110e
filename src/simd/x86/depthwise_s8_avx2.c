/*
 * Depthwise convolution with VPMADDWD: two taps of eight channels at a time, widened to 16 bits,
 * which is exact. The last channels are done by a group that overlaps the one before.
 */
#include <immintrin.h>

#include "../slots.h"

enum { CHANNELS = 16, MAX_PAIRS = 32 /* of taps in one pass */ };

/* Bytes of two taps side by side for each of 16 channels. */
static inline void load_pair(const void *first, const void *second, __m128i pair[2])
{
    __m128i a = _mm_loadu_si128(first), b = _mm_loadu_si128(second);
    pair[0] = _mm_unpacklo_epi8(a, b);
    pair[1] = _mm_unpackhi_epi8(a, b);
}

/* 16 channels of all pixels over `count` taps from `first`; acc is [m][16], written. */
static void some_channels(const struct qnt__depthwise *d, size_t channel, size_t first,
                          size_t count, int add)
{
    static const int8_t none[CHANNELS];
    __m256i weight[MAX_PAIRS][2];
    size_t pairs = (count + 1) / 2;
    const ptrdiff_t *taps = d->taps + first;
    for (size_t p = 0; p < pairs; p++) {
        __m128i pair[2];
        const int8_t *w = d->weight + (first + 2 * p) * d->channels + channel;
        load_pair(w, 2 * p + 1 < count ? w + d->channels : none, pair);
        weight[p][0] = _mm256_cvtepi8_epi16(pair[0]);
        weight[p][1] = _mm256_cvtepi8_epi16(pair[1]);
    }
    const uint8_t *x = d->x + channel;
    int32_t *acc = d->acc + channel;
    for (size_t i = 0; i < d->m; i++, x += d->step, acc += d->channels) {
        __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t p = 0; p < pairs; p++) {
            __m128i pair[2];
            size_t second = 2 * p + 1 < count ? 2 * p + 1 : 2 * p;
            load_pair(x + taps[2 * p], x + taps[second], pair);
            for (int h = 0; h < 2; h++) {
                __m256i product = _mm256_madd_epi16(_mm256_cvtepu8_epi16(pair[h]), weight[p][h]);
                sum[h] = _mm256_add_epi32(sum[h], product);
            }
        }
        for (int h = 0; h < 2; h++) {
            __m256i *to = (void *)(acc + 8 * h);
            if (add) sum[h] = _mm256_add_epi32(sum[h], _mm256_loadu_si256(to));
            _mm256_storeu_si256(to, sum[h]);
        }
    }
}

/* Fewer than 16 channels. */
static void few_channels(const struct qnt__depthwise *d)
{
    for (size_t i = 0; i < d->m; i++) {
        for (size_t c = 0; c < d->channels; c++) {
            uint32_t sum = 0;
            for (size_t t = 0; t < d->tap_count; t++) {
                const uint8_t *x = d->x + d->taps[t] + i * d->step;
                sum += (uint32_t)(x[c] * d->weight[t * d->channels + c]);
            }
            d->acc[i * d->channels + c] = (int32_t)sum;
        }
    }
}

void qnt__depthwise_s8_avx2(const struct qnt__depthwise *d)
{
    if (d->channels < CHANNELS) {
        few_channels(d);
        return;
    }
    for (size_t c = 0; c < d->channels; c += CHANNELS) {
        size_t channel = d->channels - c < CHANNELS ? d->channels - CHANNELS : c;
        for (size_t first = 0; first < d->tap_count; first += 2 * MAX_PAIRS) {
            size_t left = d->tap_count - first, count = left < 2 * MAX_PAIRS ? left : 2 * MAX_PAIRS;
            some_channels(d, channel, first, count, first > 0);
        }
    }
}
