/*
 * The 8x8 cosine transform in float32, as JPEG scales it, and the diagonal order of its coefficients.
 * Sums start at +0 and run in the order of the index that is summed over, along rows first.
 */
#ifndef QNT__SIMD_DCT_H
#define QNT__SIMD_DCT_H

#include <stdint.h>

/* c(u) / 2 * cos((2 x + 1) u pi / 16), c(0) = sqrt(1/2), others 1, has seven magnitudes. */
#define QNT__C1 0.49039264020161522f
#define QNT__C2 0.46193976625564337f
#define QNT__C3 0.41573480615127262f
#define QNT__C4 0.35355339059327379f
#define QNT__C5 0.27778511650980114f
#define QNT__C6 0.19134171618254492f
#define QNT__C7 0.097545161008064124f

/* [u][x] */
static const float qnt__cosine[8][8] = {
    {QNT__C4, QNT__C4, QNT__C4, QNT__C4, QNT__C4, QNT__C4, QNT__C4, QNT__C4},
    {QNT__C1, QNT__C3, QNT__C5, QNT__C7, -QNT__C7, -QNT__C5, -QNT__C3, -QNT__C1},
    {QNT__C2, QNT__C6, -QNT__C6, -QNT__C2, -QNT__C2, -QNT__C6, QNT__C6, QNT__C2},
    {QNT__C3, -QNT__C7, -QNT__C1, -QNT__C5, QNT__C5, QNT__C1, QNT__C7, -QNT__C3},
    {QNT__C4, -QNT__C4, -QNT__C4, QNT__C4, QNT__C4, -QNT__C4, -QNT__C4, QNT__C4},
    {QNT__C5, -QNT__C1, QNT__C7, QNT__C3, -QNT__C3, -QNT__C7, QNT__C1, -QNT__C5},
    {QNT__C6, -QNT__C2, QNT__C2, -QNT__C6, -QNT__C6, QNT__C2, -QNT__C2, QNT__C6},
    {QNT__C7, -QNT__C5, QNT__C3, -QNT__C1, QNT__C1, -QNT__C3, QNT__C5, -QNT__C7},
};

/* [x][u] */
static const float qnt__cosine_turned[8][8] = {
    {QNT__C4, QNT__C1, QNT__C2, QNT__C3, QNT__C4, QNT__C5, QNT__C6, QNT__C7},
    {QNT__C4, QNT__C3, QNT__C6, -QNT__C7, -QNT__C4, -QNT__C1, -QNT__C2, -QNT__C5},
    {QNT__C4, QNT__C5, -QNT__C6, -QNT__C1, -QNT__C4, QNT__C7, QNT__C2, QNT__C3},
    {QNT__C4, QNT__C7, -QNT__C2, -QNT__C5, QNT__C4, QNT__C3, -QNT__C6, -QNT__C1},
    {QNT__C4, -QNT__C7, -QNT__C2, QNT__C5, QNT__C4, -QNT__C3, -QNT__C6, QNT__C1},
    {QNT__C4, -QNT__C5, -QNT__C6, QNT__C1, -QNT__C4, -QNT__C7, QNT__C2, -QNT__C3},
    {QNT__C4, -QNT__C3, QNT__C6, QNT__C7, -QNT__C4, QNT__C1, -QNT__C2, QNT__C5},
    {QNT__C4, -QNT__C1, QNT__C2, -QNT__C3, QNT__C4, -QNT__C5, QNT__C6, -QNT__C7},
};

/* The row-major place of the k-th coefficient of the diagonal order (ITU-T T.81, figure A.6). */
static const uint8_t qnt__zigzag[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* y[r][c] = sum over k of a[r][k] * b[k][c] */
static inline void qnt__product_8x8(const float a[8][8], const float b[8][8], float y[8][8])
{
    for (int r = 0; r < 8; r++) {
        float sum[8] = {0.0f};
        for (int k = 0; k < 8; k++) {
            for (int c = 0; c < 8; c++) sum[c] += a[r][k] * b[k][c];
        }
        for (int c = 0; c < 8; c++) y[r][c] = sum[c];
    }
}

/* Out may be x. */
static inline void qnt__dct_forward(const float x[8][8], float out[8][8])
{
    float rows[8][8];
    qnt__product_8x8(x, qnt__cosine_turned, rows);
    qnt__product_8x8(qnt__cosine, (const float(*)[8])rows, out);
}

static inline void qnt__dct_inverse(const float x[8][8], float out[8][8])
{
    float rows[8][8];
    qnt__product_8x8(x, qnt__cosine, rows);
    qnt__product_8x8(qnt__cosine_turned, (const float(*)[8])rows, out);
}

#endif
