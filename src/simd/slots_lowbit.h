/* Slots of convolutions of codes of at most two bits, three of them in a byte or six of one bit:
 * from packed pixels to sums, codes or floats. */
#ifndef QNT__SIMD_SLOTS_LOWBIT_H
#define QNT__SIMD_SLOTS_LOWBIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QNT__LOWBIT_COLUMNS = 64 };

/*
 * What bytes hold. A triple is three digits 0..3, digit s in bits 2 s and 2 s + 1; a six is six
 * digits 0 or 1, digit s in bit s, which stand for those of the triples at 2 d and 2 d + 1. Bits 6
 * and 7 are 0.
 */
enum qnt__lowbit_form {
    QNT__TRIPLES,      /* weights and x are triples */
    QNT__SIXES_ON_TWO, /* a six of weights meets two triples of x */
    QNT__SIXES_ON_SIX  /* weights and x are sixes */
};

enum { QNT__HIGH_BITS = 42 /* of the digits of a triple */ };

/* The six of two triples without high bits. */
static inline uint8_t qnt__lowbit_six(unsigned a, unsigned b)
{
    const unsigned w = a | b << 8;
    const unsigned low = (w & 0x0101) | (w >> 1 & 0x0202) | (w >> 2 & 0x0404);
    return (uint8_t)((low | low >> 5) & 63);
}

/*
 * One stretch of an output row of a convolution, for one or two blocks of 64 output channels.
 *
 * acc[b][i][c] = sum over bytes d < depth, taps p and the digits s of a byte of
 *                digit(s, x[taps[p] + i step + d]) *
 *                digit(s, weight[b weight_ld + (d tap_count + p) 64 + c])
 *
 * where six d of weights, if x has triples, meets those at min(2 d, last) and the next: no byte
 * behind a pixel's is read, and where their number is odd, the last six has no digits for the first
 * of its two.
 *
 * Whatever the levels are that digits stand for: if they are affine, box sums do the rest. A
 * channel group of the input is an offset of x, and so is another order of the groups.
 */
struct qnt__lowbit {
    const uint8_t *x;      /* first input pixel */
    const ptrdiff_t *taps; /* tap_count byte offsets */
    const uint8_t *weight; /* [depth][tap_count][64], blocks weight_ld apart */
    int32_t *acc;          /* written, [blocks][m][64]; not by codes_lowbit */
    size_t blocks;         /* 1 or 2 */
    size_t weight_ld;
    size_t m;              /* output pixels */
    size_t step;           /* bytes from one output pixel's input to the next's */
    size_t depth;          /* bytes of weights for a tap */
    size_t tap_count;      /* at least 1 */
    size_t last;           /* QNT__SIXES_ON_TWO: triples of a pixel, less two */
    enum qnt__lowbit_form form;
};

/* The box sum of sums [i][c]: where 64 outputs are two pixels of 32, each pixel has its own. */
struct qnt__lowbit_boxes {
    const int32_t *at; /* at[i step + c / 32 half] */
    size_t step, half; /* 1 and 0, or 2 and 1 */
};

static inline int32_t qnt__lowbit_box(const struct qnt__lowbit_boxes *b, size_t i, int c)
{
    return b->at[i * b->step + (size_t)c / (QNT__LOWBIT_COLUMNS / 2) * b->half];
}

/*
 * The same, finished while the sums are in registers, in 16 bits. With acc of the above, and z = -zero
 * times the box sum:
 *
 * s = ((acc[b][i][c] - (z >> half)) modulo 2^16, as int16) ^ flip[c],  set = z & half,
 * codes[i step + 64 b + c] = number of t < 3 with s >= limit[set][t][c].
 *
 * Thresholds of step * acc - z with step = 1 + half are thresholds of acc - z / step, one set for each
 * remainder; that keeps sums of twice as many channels within 16 bits. Arrays over c are in the order of
 * registers: [2][32], even channels first; those of the second block lie limit_ld numbers behind.
 */
struct qnt__lowbit_codes {
    struct qnt__lowbit_boxes box;
    const int16_t *limit; /* [half + 1][3][2][32], none above the next one of its column */
    const int16_t *flip;  /* [2][32], 0, or -1 where s counts downwards */
    size_t limit_ld;
    uint8_t *codes; /* written */
    size_t step;    /* at least 64 for each block */
    int32_t zero;
    int32_t half; /* 0 or 1 */
};

/*
 * What follows otherwise: with wrapping int32 arithmetic v = acc[i][c] * step + box sum * zero, in the
 * place of acc; or, with thresholds, codes[i][c] = the number of t < 3 with (v ^ flip[c]) >=
 * thresholds[t][c], and acc as before.
 */
struct qnt__lowbit_finish {
    int32_t *acc; /* [m][64] */
    struct qnt__lowbit_boxes box;
    const int32_t *thresholds; /* [3][64] or NULL */
    const int32_t *flip;       /* [64], 0 or -1; with thresholds */
    uint8_t *codes;            /* [m][64], written if there are thresholds */
    size_t m;
    int32_t step, zero;
};

/* Sums over digits that an output row meets: box[i] = sum over rows r and columns j of
 * digits[r ld + j dilation + i step]. */
struct qnt__lowbit_box {
    const int32_t *digits;
    int32_t *box; /* written, [m] */
    size_t m, rows, columns;
    size_t ld, dilation, step;
};

/*
 * A pixel's sums become floats: y[o] = float(sum[o]) * scale[o] + shift[o]; with `first`, y < 0 becomes
 * +0; identity[o] is added; with `last`, y < 0 becomes +0; codes[o] = number of t < 3 with y >= limit[t].
 * One operation after the other. A NaN has code 0.
 */
struct qnt__lowbit_floats {
    const int32_t *sum;    /* [n] */
    const float *scale;    /* [n] */
    const float *shift;    /* [n] */
    const void *identity;  /* floats [n] at any address, or NULL */
    void *y;               /* written, the same; may be identity */
    uint8_t *codes;        /* written, [n], or NULL */
    size_t n;
    float limit[3];
    int first, last; /* 0 or 1 */
};

/*
 * Convolutions of 3 x 3 in tiles of 2 lines of 4 pixels of the result, by minimal filtering, F(2, 3)
 * down and F(4, 3) across (Winograd 1980; Lavin and Gray, CVPR 2016): 24 products for what otherwise
 * takes 72. All in integers, exact: filters are scaled to integers, which makes sums 48 times as large.
 *
 * Pixels d become, down and then across,
 *     d0 - d2,  d1 + d2,  d2 - d1,  d3 - d1
 *     4 d0 - 5 d2 + d4,  -4 d1 - 4 d2 + d3 + d4,  4 d1 - 4 d2 - d3 + d4,
 *     -2 d1 - d2 + 2 d3 + d4,  2 d1 - d2 - 2 d3 + d4,  4 d1 - 5 d3 + d5:
 * to[(4 j + r) ld + i bytes + b] = QNT__LOWBIT_RAISE + number j of line r, of pixels 4 i to 4 i + 5 of
 * the four lines, b < bytes. Digits become -48 to 30, raised to be unsigned.
 *
 * Narrow tiles have 2 pixels in a line of the result, and F(2, 3) across, too. That takes some of the
 * points of F(4, 3), so the filters are the same: of pixels 2 i to 2 i + 3,
 *     4 (d0 - d2),  -3 (d1 + d2),  3 (d1 - d2),  d3 - d1
 * are numbers 0, 1, 2 and 5; numbers 3 and 4 would be 0, and are not written. With these factors, pixels
 * 0 and 3 of a tile of four are those of a tile of two.
 */
enum { QNT__LOWBIT_RAISE = 48, QNT__LOWBIT_PLACES = 24, QNT__LOWBIT_TILE = 4 };
enum { QNT__LOWBIT_NARROW = 2 };

struct qnt__lowbit_pixels {
    const uint8_t *line[4]; /* of digits 0..3, width n + 2 pixels, `step` apart */
    uint8_t *to;            /* written, [24][n][bytes], ld apart */
    size_t n, bytes, step, ld;
    size_t width; /* of a tile, 4 or 2 */
};

/*
 * Products of the four places of one j, i < n, c < 16 panels,
 *     m[r][i][c] = sum over k < depth of pixels[r ld + i step + k] * filters[r][k][c],
 * with which the other direction begins, down, modulo 2^32:
 *
 * sums[0][i][c] = m0 + (m1 + start[0][c]) + (m2 + start[1][c])
 * sums[1][i][c] = (m1 + start[0][c]) - (m2 + start[1][c]) + m3
 *
 * Of real filters these are even. Where 16 bits of their halves do, sums are paired: bits 1 to 16 of the
 * sums of columns 32 b + k and 32 b + 16 + k, k < 16, are the low and the high word of number 16 b + k of a
 * row, which has half as many.
 *
 * multiply_taps gives the same sums, not as pairs, of filters that it makes: `filters` are then taps,
 * [panels][depth / 4][3][64], where byte 4 c + k of row a has the digits of three taps of a row of the
 * kernel. With r_a = table[that byte], filters of places 0 to 3 are
 *     2 r0,  r0 + r1 + r2,  r0 - r1 + r2,  2 r2,
 * and all of them, like r0 + r2, fit int8.
 */
static inline size_t qnt__lowbit_row(bool paired, size_t columns)
{
    return paired ? columns / 2 : QNT__LOWBIT_COLUMNS;
}

struct qnt__lowbit_products {
    const uint8_t *pixels;  /* four places, ld apart */
    const uint8_t *filters; /* [4][`panels` panels of 8 bits (layout.h)], places filters_ld apart */
    const uint8_t *next;    /* filters of the next call, in the same array: they may be fetched */
    const int8_t *table;    /* [64], of multiply_taps */
    const int32_t *start;   /* [2][64] */
    int32_t *sums[2];       /* written, [n][64], or pairs, [n][8 panels] */
    int32_t *room;          /* [3][n][64], for slots that need it */
    size_t n;               /* at most QNT__GEMM_ROWS */
    size_t step, ld;        /* bytes of pixels */
    size_t filters_ld;
    size_t depth;  /* a multiple of the cell depth, at least one cell */
    size_t panels; /* 2 or 4 */
    bool paired;
};

/*
 * And across, m being those sums of all j, n tiles, c < columns:
 *     2 m0 - 4 (m1 + m2) + (m3 + m4),  -4 (m1 - m2) + 2 (m3 - m4),
 *     -4 (m1 + m2) + 4 (m3 + m4),  -4 (m1 - m2) + 8 (m3 - m4) + 8 m5
 * make y, modulo 2^32, of pixel j of line r of tile i: 48 times its sum. Of a narrow tile m3 and m4 are 0,
 * whatever is there, and the first and the last y are its pixels 0 and 1. Shifts are arithmetic.
 *
 * sums[r][i apart + j step + c] = (y >> 4) / 3 modulo 2^32, that is, times 0xaaaaaaab; or, with limits and
 * s = y >> 5 within int16, codes[r][i apart + j step + c] = number of t < 3 with
 * (s ^ flip[c]) >= limit[t][c]. As s grows with the sum, it is as good. Of pairs only y / 2 modulo 2^16 is
 * known, 24 times the sum; s is 8 times the sum, that is, times 0xaaab as int16, and must not exceed 32760
 * in magnitude.
 *
 * Sums beyond 16 bits have wide limits: then codes are the number of t < 3 with (y ^ flip) >= limit, of 48
 * times what sums would be compared with, and y does not exceed int32.
 *
 * With triples T, these are packed: byte t < T at codes[r] + i apart + j step becomes
 * d[t] | d[T + t] << 2 | d[2 T + t] << 4, where d are the codes of the columns, and 0 behind them.
 */
struct qnt__lowbit_tiles {
    const int32_t *m; /* number j of line r: [n][64], or pairs, [n][columns / 2], at (2 j + r) ld */
    const int16_t *limit; /* [3][64], none above the next one of its column; or NULL: sums */
    const int16_t *flip;  /* [64], 0 or -1; with limits */
    const int32_t *wide;  /* [4][64], limits and flip of 32 bits in their place; or NULL */
    int32_t *sums[2];     /* written, or */
    uint8_t *codes[2];    /* written */
    size_t n, ld;
    size_t step;    /* from one pixel to the next, at least what is written of one */
    size_t apart;   /* from one tile to the next, at least `width` steps */
    size_t width;   /* of a tile, 4 or 2 */
    size_t columns; /* 32 or 64 */
    size_t triples; /* up to 22; 0: a code is a byte */
    bool paired;    /* with limits */
};

#define QNT__SLOTS_LOWBIT(X)                                                                       \
    X(conv_lowbit, void, (const struct qnt__lowbit *g))                                            \
    X(codes_lowbit, void, (const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f))        \
    X(finish_lowbit, void, (const struct qnt__lowbit_finish *f))                                   \
    X(box_lowbit, void, (const struct qnt__lowbit_box *b))                                         \
    X(floats_lowbit, void, (const struct qnt__lowbit_floats *f))                                   \
    X(tile_pixels, void, (const struct qnt__lowbit_pixels *p))                                     \
    X(multiply_tiles, void, (const struct qnt__lowbit_products *p))                                \
    X(multiply_taps, void, (const struct qnt__lowbit_products *p))                                 \
    X(join_tiles, void, (const struct qnt__lowbit_tiles *t))                                       \
    /* to[i to_step + c] = digit c / T of byte c % T at x + i T, T = ceil(channels / 3), i < n,    \
     * c < channels <= to_step, and 0 for other c; x has n T bytes */                              \
    X(unpack_lowbit, void,                                                                         \
      (const uint8_t *x, size_t n, size_t channels, uint8_t *to, size_t to_step))                  \
    /* sum[i] = sum over the digits of the `triples` bytes at x + i step, i < n */                 \
    X(digits_lowbit, void,                                                                         \
      (const uint8_t *x, size_t n, size_t step, size_t triples, int32_t *sum))                     \
    /* to[i to_step + d] = the six of the triples p = min(2 d, T - 2) and p + 1 at x + i step,     \
     * T = triples, at least 2, d < ceil(T / 2), i < n, where all digits are 0 or 1; p has none    \
     * if 2 d > p. Returns 1 if they are; else what is written means nothing. to apart from x */   \
    X(join_lowbit, int,                                                                            \
      (const uint8_t *x, size_t n, size_t step, size_t triples, uint8_t *to, size_t to_step))      \
    /* to[i to_step + t] = c[t] | c[T + t] << 2 | c[2 T + t] << 4, c = codes + i step,             \
     * T = triples, i < n; codes 0..3, to apart from codes */                                      \
    X(pack_lowbit, void,                                                                           \
      (const uint8_t *codes, size_t step, size_t n, size_t triples, uint8_t *to, size_t to_step))

#endif
