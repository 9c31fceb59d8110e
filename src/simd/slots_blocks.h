/* Slots of pictures as 8x8 blocks: pixels to planes, the cosine transform, levels and back. */
#ifndef QNT__SIMD_SLOTS_BLOCKS_H
#define QNT__SIMD_SLOTS_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* A table of 64 steps, and what dividing by eight times a step needs: with d = 8 step, 2^bits the
 * least power of two that is not below d, and reciprocal = ceil(2^(15 + bits) / d),
 *     floor(n / d) = n reciprocal >> (15 + bits)  for 0 <= n < 2^15
 * (Granlund and Montgomery 1994, theorem 4.2). Row-major as all here. */
struct qnt__steps {
    uint16_t step[64]; /* 1..255 */
    uint16_t half[64]; /* 4 step */
    uint16_t reciprocal[64];
    uint16_t scale[64]; /* 2^(17 - bits): two high halves of products make the whole shift */
    float fine[64];     /* step */
};

enum { QNT__MEAN_CODES = 16 /* symbols of differences of means come before the others */ };

/* Codes of a kind of planes. A symbol's low four bits tell how many bits of the level stand
 * behind its code; its entry is code << (those bits + 5) | length of code and those bits; 31
 * bits at most. */
struct qnt__block_codes {
    uint32_t entry[QNT__MEAN_CODES + 256];
};

/* A block to be coded. Levels need at most 10 bits, the difference at most 11. */
struct qnt__coded_block {
    const int16_t *level;
    uint64_t places;    /* as of places_s16 */
    int32_t difference; /* of its mean and the one before in its plane */
    int32_t kind;       /* which codes, 0 or 1 */
};

/* All that is kept of what was coded. */
struct qnt__bit_stream {
    uint64_t bits;    /* so far */
    uint64_t stuffed; /* whole bytes of ones */
    uint32_t rest;    /* the last bits % 8 bits */
};

#define QNT__SLOTS_BLOCKS(X)                                                                        \
    /* n pixels to Y, Cb, Cr (ITU-T T.871) in 16-bit fixed point: */                                \
    /* y = (19595 r + 38470 g + 7471 b + 2^15) >> 16, with m = 2^23 + 2^15 - 1 */                   \
    /* cb = (-11059 r - 21709 g + 2^15 b + m) >> 16, cr = (2^15 r - 27439 g - 5329 b + m) >> 16 */  \
    X(split_rgb, void, (const uint8_t *rgb, size_t n, uint8_t *y, uint8_t *cb, uint8_t *cr))        \
    /* out[i] = the sum of 2 x 2 bytes at 2 i, and 1 for even i or 2 for odd i, >> 2; i < n */      \
    X(halve_u8, void, (const uint8_t *above, const uint8_t *below, size_t n, uint8_t *out))         \
    /* `blocks` blocks side by side in rows of bytes, `ld` bytes from one row to the next; of */    \
    /* every byte 128 is taken away. Eight times the coefficients in integers, see c/dct.c */       \
    X(dct_s16, void, (const uint8_t *samples, size_t ld, size_t blocks, int16_t *coefficients))     \
    /* the coefficients in float32, as in simd/dct.h */                                             \
    X(dct_f32, void, (const uint8_t *samples, size_t ld, size_t blocks, float *coefficients))       \
    /* level = sign * floor((|c| + 4 step) / (8 step)); |c| <= 31747 */                             \
    X(quantize_s16, void,                                                                           \
      (const struct qnt__steps *s, const int16_t *coefficients, size_t blocks, int16_t *levels))    \
    /* level = sign * floor(|c| / step + 1/2) in float32; |c| <= 16384 */                           \
    X(quantize_f32, void,                                                                           \
      (const struct qnt__steps *s, const float *coefficients, size_t blocks, int16_t *levels))      \
    /* level * step in float32, the inverse transform of simd/dct.h, + 128, to bytes: x < 0 ? 0, */ \
    /* x > 255 ? 255, floor(x + 1/2); |level * step| < 2^24 */                                      \
    X(restore_u8, void,                                                                             \
      (const struct qnt__steps *s, const int16_t *levels, size_t blocks, uint8_t *samples))         \
    /* bit k of places[b] is set where level zigzag[k] (simd/dct.h) of block b is not 0 */          \
    X(places_s16, void, (const int16_t *levels, size_t blocks, uint64_t *places))                   \
    /* appends the code of n blocks, ITU-T T.81, F.1.2 */                                           \
    X(code_blocks, void,                                                                            \
      (const struct qnt__block_codes *codes, const struct qnt__coded_block *blocks, size_t n,       \
       struct qnt__bit_stream *stream))

#endif
