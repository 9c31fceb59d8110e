/*
 * The integer transform is the one of Loeffler, Ligtenberg and Moschytz (1989) with 11
 * multiplications, and one more so that none depends on another's result; constants have 13 bits, the
 * first pass keeps 2 bits more than its result needs. These numbers are what baseline encoders agree
 * on, so levels equal theirs.
 */
#include "transform.h"

#include "qnt/qtable.h"

enum {
    CONSTANT_BITS = 13,
    EXTRA_BITS = 2,
    /* cosines and their sums, times 2^13 */
    F_0_298 = 2446, F_0_390 = 3196, F_0_541 = 4433, F_0_765 = 6270, F_0_899 = 7373,
    F_1_175 = 9633, F_1_501 = 12299, F_1_847 = 15137, F_1_961 = 16069, F_2_053 = 16819,
    F_2_562 = 20995, F_3_072 = 25172,
};

/* x / 2^shift, rounded; right shifts of negative numbers are arithmetic in all compilers we know. */
static int32_t scale_down(int32_t x, int shift)
{
    return (x + (1 << (shift - 1))) >> shift;
}

/* One line of eight. `even` and `odd` are the shifts of the two halves of the algorithm. */
static void line(int16_t *x, int step, int first)
{
    int32_t s[4], d[4];
    for (int i = 0; i < 4; i++) {
        s[i] = x[i * step] + x[(7 - i) * step];
        d[i] = x[(3 - i) * step] - x[(4 + i) * step];
    }
    int shift = first ? CONSTANT_BITS - EXTRA_BITS : CONSTANT_BITS + EXTRA_BITS;
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

void qnt__dct_integer(int16_t block[64])
{
    for (int row = 0; row < 8; row++) line(block + 8 * row, 1, 1);
    for (int column = 0; column < 8; column++) line(block + column, 8, 0);
}

/* cosine[u][x] = c(u) / 2 * cos((2 x + 1) u pi / 16), c(0) = sqrt(1/2), others 1 */
#define C1 0.49039264020161522f
#define C2 0.46193976625564337f
#define C3 0.41573480615127262f
#define C4 0.35355339059327379f
#define C5 0.27778511650980114f
#define C6 0.19134171618254492f
#define C7 0.097545161008064124f
static const float cosine[8][8] = {
    {C4, C4, C4, C4, C4, C4, C4, C4},     {C1, C3, C5, C7, -C7, -C5, -C3, -C1},
    {C2, C6, -C6, -C2, -C2, -C6, C6, C2}, {C3, -C7, -C1, -C5, C5, C1, C7, -C3},
    {C4, -C4, -C4, C4, C4, -C4, -C4, C4}, {C5, -C1, C7, C3, -C3, -C7, C1, -C5},
    {C6, -C2, C2, -C6, -C6, C2, -C2, C6}, {C7, -C5, C3, -C1, C1, -C3, C5, -C7},
};

void qnt_dct_forward(const float *pixels, float *coefficients)
{
    float rows[64] = {0.0f}, out[64] = {0.0f}; /* rows[y][u] */
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) {
            for (int u = 0; u < 8; u++) rows[8 * y + u] += pixels[8 * y + x] * cosine[u][x];
        }
    }
    for (int v = 0; v < 8; v++) {
        for (int y = 0; y < 8; y++) {
            for (int u = 0; u < 8; u++) out[8 * v + u] += cosine[v][y] * rows[8 * y + u];
        }
    }
    for (int i = 0; i < 64; i++) coefficients[i] = out[i];
}

void qnt_dct_inverse(const float *coefficients, float *pixels)
{
    float rows[64] = {0.0f}, out[64] = {0.0f}; /* rows[v][x] */
    for (int v = 0; v < 8; v++) {
        for (int u = 0; u < 8; u++) {
            for (int x = 0; x < 8; x++) rows[8 * v + x] += coefficients[8 * v + u] * cosine[u][x];
        }
    }
    for (int y = 0; y < 8; y++) {
        for (int v = 0; v < 8; v++) {
            for (int x = 0; x < 8; x++) out[8 * y + x] += cosine[v][y] * rows[8 * v + x];
        }
    }
    for (int i = 0; i < 64; i++) pixels[i] = out[i];
}
