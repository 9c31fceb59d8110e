/* Decoding cells to floats, 8 columns at a time; VPERMPS looks up 8 levels, two of them 16, a
 * gather more. */
#include "narrow_avx2.h"

#include "../slots.h"

struct decoder {
    __m256 low, high; /* 16 levels, over and over */
    __m256i bias[2];  /* affine: what is subtracted from a field, of either half of the columns */
    __m256i shift, mask; /* levels: the place is (field + shift) & mask, */
    __m256i column[2];   /* and begins there, in elements */
    int gathers;
};

INLINE struct decoder make_decoder(const struct qnt__decode_cells *d, int bits)
{
    const int stored = bits == 8 ? 0 : 1 << (bits - 1), size = 1 << d->level_bits;
    struct decoder r = {.gathers = d->levels && (d->step != 0 || d->level_bits > 4)};
    const __m256i count = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                  step = _mm256_set1_epi32((int)d->step);
    for (int h = 0; h < 2; h++) {
        r.bias[h] = _mm256_set1_epi32(stored);
        if (d->zero) {
            __m256i zero = _mm256_loadu_si256((const void *)(d->zero + 8 * h));
            r.bias[h] = _mm256_add_epi32(r.bias[h], zero);
        }
        r.column[h] = _mm256_mullo_epi32(_mm256_add_epi32(count, _mm256_set1_epi32(8 * h)), step);
    }
    if (!d->levels) return r;
    r.shift = _mm256_set1_epi32(size / 2 - stored);
    r.mask = _mm256_set1_epi32(size - 1);
    if (r.gathers) return r;
    float all[16];
    for (int i = 0; i < 16; i++) all[i] = d->levels[i & (size - 1)];
    r.low = _mm256_loadu_ps(all), r.high = _mm256_loadu_ps(all + 8);
    return r;
}

/* Codes of 8 bits, or fields. */
INLINE __m256i widen_byte(__m256i w, int bits, int j)
{
    switch (j) { /* the count must be a literal */
    case 0: w = _mm256_slli_epi32(w, 24); break;
    case 1: w = _mm256_slli_epi32(w, 16); break;
    case 2: w = _mm256_slli_epi32(w, 8); break;
    default: break;
    }
    return bits == 8 ? _mm256_srai_epi32(w, 24) : _mm256_srli_epi32(w, 24);
}

/* 8 columns of one k; h: which. */
INLINE __m256 decode_half(const struct decoder *r, const struct qnt__decode_cells *d, __m256i v,
                          int h)
{
    __m256 scale = _mm256_loadu_ps(d->scale + 8 * h), y;
    if (!d->levels) {
        y = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(v, r->bias[h])), scale);
        return d->offset ? _mm256_add_ps(y, _mm256_loadu_ps(d->offset + 8 * h)) : y;
    }
    v = _mm256_add_epi32(v, r->shift);
    if (r->gathers) {
        v = _mm256_add_epi32(_mm256_and_si256(v, r->mask), r->column[h]);
        return _mm256_mul_ps(_mm256_i32gather_ps(d->levels, v, 4), scale);
    }
    __m256 low = _mm256_permutevar8x32_ps(r->low, v), high = _mm256_permutevar8x32_ps(r->high, v);
    y = _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(v, 28)));
    return _mm256_mul_ps(y, scale);
}

INLINE void decode_field(const struct decoder *r, const struct qnt__decode_cells *d, int bits,
                         const uint8_t *cell, int f, float *out)
{
    UNROLL for (int h = 0; h < 2; h++)
    {
        __m256i field = bits == 8 ? _mm256_loadu_si256((const void *)(cell + 32 * h))
                                  : half_field(cell, bits, f, h);
        UNROLL for (int j = 0; j < 4; j++)
        {
            __m256i v = widen_byte(field, bits, j);
            _mm256_storeu_ps(out + j * QNT__PANEL + 8 * h, decode_half(r, d, v, h));
        }
    }
}

#include "../decode_cells.h"

void qnt__decode_cells_avx2(const struct qnt__decode_cells *d)
{
    decode_cells(d);
}
