/*
 * Portable definition of the transforms of pictures.
 *
 * The integer one is that of Loeffler, Ligtenberg and Moschytz (1989) with 11 multiplications, and
 * one more so that none depends on another's result; constants have 13 bits, the first pass keeps 2
 * bits more than its result needs. These numbers are what baseline encoders agree on, so levels equal
 * theirs. For bytes no sum leaves int16 before it is multiplied.
 */
#include "../dct.h"
#include "../dct_factors.h"
#include "../slots.h"

/* x / 2^shift, rounded; right shifts of negative numbers are arithmetic in all compilers we know. */
static int32_t scale_down(int32_t x, int shift)
{
    return (x + (1 << (shift - 1))) >> shift;
}

/* One line of eight. */
static void line(int16_t *x, int step, int first)
{
    int32_t s[4], d[4];
    for (int i = 0; i < 4; i++) {
        s[i] = x[i * step] + x[(7 - i) * step];
        d[i] = x[(3 - i) * step] - x[(4 + i) * step];
    }
    int shift = first ? FIRST_SHIFT : SECOND_SHIFT;
    int32_t a = s[0] + s[3], b = s[1] + s[2], c = s[1] - s[2], e = s[0] - s[3];
    x[0] = (int16_t)(first ? (a + b) * (1 << EXTRA_BITS) : scale_down(a + b, EXTRA_BITS));
    x[4 * step] = (int16_t)(first ? (a - b) * (1 << EXTRA_BITS) : scale_down(a - b, EXTRA_BITS));
    int32_t z = (c + e) * F_0_541;
    x[2 * step] = (int16_t)scale_down(z + e * F_0_765, shift);
    x[6 * step] = (int16_t)scale_down(z - c * F_1_847, shift);

    int32_t z5 = (d[0] + d[2] + d[1] + d[3]) * F_1_175;
    int32_t z1 = -(d[0] + d[3]) * F_0_899, z2 = -(d[1] + d[2]) * F_2_562;
    int32_t z3 = z5 - (d[0] + d[2]) * F_1_961, z4 = z5 - (d[1] + d[3]) * F_0_390;
    x[7 * step] = (int16_t)scale_down(d[0] * F_0_298 + z1 + z3, shift);
    x[5 * step] = (int16_t)scale_down(d[1] * F_2_053 + z2 + z4, shift);
    x[3 * step] = (int16_t)scale_down(d[2] * F_3_072 + z2 + z3, shift);
    x[1 * step] = (int16_t)scale_down(d[3] * F_1_501 + z1 + z4, shift);
}

void qnt__dct_s16_c(const uint8_t *samples, size_t ld, size_t blocks, int16_t *coefficients)
{
    for (size_t b = 0; b < blocks; b++, samples += 8, coefficients += 64) {
        for (size_t i = 0; i < 64; i++) {
            coefficients[i] = (int16_t)(samples[i / 8 * ld + i % 8] - 128);
        }
        for (int row = 0; row < 8; row++) line(coefficients + 8 * row, 1, 1);
        for (int column = 0; column < 8; column++) line(coefficients + column, 8, 0);
    }
}

void qnt__dct_f32_c(const uint8_t *samples, size_t ld, size_t blocks, float *coefficients)
{
    for (size_t b = 0; b < blocks; b++, samples += 8, coefficients += 64) {
        float x[8][8], y[8][8];
        for (size_t i = 0; i < 64; i++)
            x[i / 8][i % 8] = (float)(samples[i / 8 * ld + i % 8] - 128);
        qnt__dct_forward((const float(*)[8])x, y);
        for (size_t i = 0; i < 64; i++) coefficients[i] = y[i / 8][i % 8];
    }
}

static uint8_t byte_of(float x)
{
    x = x < 0.0f ? 0.0f : x;
    x = x > 255.0f ? 255.0f : x;
    return (uint8_t)(x + 0.5f);
}

void qnt__restore_u8_c(const struct qnt__steps *s, const int16_t *levels, size_t blocks,
                       uint8_t *samples)
{
    for (size_t b = 0; b < blocks; b++, levels += 64, samples += 64) {
        float x[8][8], y[8][8];
        for (int i = 0; i < 64; i++) x[i / 8][i % 8] = (float)(levels[i] * s->step[i]);
        qnt__dct_inverse((const float(*)[8])x, y);
        for (int i = 0; i < 64; i++) samples[i] = byte_of(y[i / 8][i % 8] + 128.0f);
    }
}
