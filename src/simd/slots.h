/*
 * The kernels that exist in one version for each CPU level, in one list.
 *
 * From QNT__SLOTS come the table in the context, the prototypes of all versions, the names in the
 * log, and the loop of test/simd. src/simd/c holds the portable version, which is the definition: the
 * others give the same bytes for every legal input. Contract of every slot: a pure function of its
 * arguments, no allocation, no libm, no global, no byte read or written beyond what is described, any
 * alignment.
 */
#ifndef QNT__SIMD_SLOTS_H
#define QNT__SIMD_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "results.h"
#include "slots_bits.h"
#include "slots_blocks.h"
#include "slots_exp.h"
#include "slots_levels.h"
#include "slots_lowbit.h"
#include "slots_maps.h"
#include "slots_prepared.h"
#include "slots_winograd.h"

/*
 * A block of an integer matrix product: m rows of unsigned bytes times `panels` panels of signed codes
 * (layout.h). acc[i][16 p + c] = sum over taps t and k < depth of rows[i][taps[t] + k] * w[p][t, k][c].
 *
 * A tap is a run of `depth` bytes at the same offset of each row: a matrix has one; a convolution has
 * one for each kernel row (or each kernel element). `depth` is a multiple of the cell depth, so the
 * rows are readable to there; what they hold beyond the true depth meets zero weights.
 */
struct qnt__gemm {
    const uint8_t *const *rows; /* m pointers */
    const ptrdiff_t *taps;      /* tap_count byte offsets */
    const uint8_t *weight;      /* first panel */
    int32_t *acc;               /* written, [m][ld] */
    const int32_t *start;       /* of gemm_s8 and 8 bits: added to each row, [16 panels]; or NULL */
    size_t m;                   /* 1..QNT__GEMM_ROWS */
    size_t panels;              /* 1..QNT__BLOCK_PANELS */
    size_t tap_count;           /* at least 1 */
    size_t depth;               /* k of one tap, a multiple of the cell depth, at least one cell */
    size_t panel_bytes;         /* from one panel to the next */
    size_t gap;                 /* bytes of a panel left out after each tap: whole cells, often 0 */
    size_t ld;                  /* of acc, in elements, at least 16 panels */
    int bits;                   /* 2, 3, 4, 8 */
    struct qnt__results results; /* what becomes of acc, row by row: a hint */
};

/*
 * The same with scales for blocks of k, one tap, signed activations:
 * y[i][n] = sum over blocks b, ascending, of float(sum over k in b of rows[i][k] (w[k][n] - zero[b][n]))
 *           * scale[b][n], each step a multiplication, then an addition to a sum that starts at +0.
 * scale and zero are laid out panel by panel: [panel][block][16].
 */
struct qnt__gemm_blocks {
    const int8_t *const *rows; /* m pointers */
    const uint8_t *weight;     /* first panel */
    const float *scale;        /* first panel */
    const int8_t *zero;        /* first panel, or NULL: all 0 */
    float *y;                  /* written, [m][ld] */
    size_t m;                  /* 1..QNT__BLOCK_ROWS */
    size_t panels;             /* 1..QNT__BLOCK_PANELS */
    size_t depth;              /* all of K, a multiple of `block` */
    size_t block;              /* a multiple of 16, at most 65536 */
    size_t panel_bytes;        /* from one panel to the next */
    size_t ld;                 /* of y, in elements */
    int bits;                  /* 2, 3, 4, 8 */
};

/* y[i][16 p + c] = sum over taps and k, in this order, of rows[i][taps[t] + k] * w[p][t depth + k][c];
 * each step a multiplication, then an addition to a sum that starts at +0. */
struct qnt__gemm_f32 {
    const float *const *rows; /* m pointers */
    const ptrdiff_t *taps;    /* tap_count offsets in elements */
    const float *weight;      /* panels of [tap_count * depth][16] */
    float *y;                 /* written, [m][ld] */
    size_t m;                 /* 1..QNT__BLOCK_ROWS */
    size_t panels;            /* 1..QNT__BLOCK_PANELS */
    size_t tap_count;         /* at least 1 */
    size_t depth;             /* k of one tap, at least 1 */
    size_t ld;                /* of y, in elements */
};

/* Depthwise convolution of one stretch of an output row:
 * acc[i][c] = sum over taps t of x[taps[t] + i step + c] * weight[t channels + c], i < m. */
struct qnt__depthwise {
    const uint8_t *x;      /* first input pixel */
    const ptrdiff_t *taps; /* tap_count byte offsets */
    const int8_t *weight;  /* [tap_count][channels] */
    int32_t *acc;          /* written, [m][channels] */
    size_t m;              /* output pixels, at least 1 */
    size_t step;           /* bytes from one output pixel's input to the next's */
    size_t channels;       /* at least 1 */
    size_t tap_count;      /* at least 1 */
};

/*
 * Sums of columns that are points of outputs: the first points of n outputs, in their order, then `extra`
 * other points. For j < n, modulo 2^32 and in place,
 *     acc[i][j] = coef[j] acc[i][j] + sum over e with output[e] = j of coef[n + e] acc[i][n + e].
 */
struct qnt__reduce_points {
    int32_t *acc;          /* [m][ld] */
    const int32_t *coef;   /* [n + extra] */
    const uint8_t *output; /* [extra], below n */
    size_t m, n, extra, ld;
};

/* The second part, for one row: extra points are few, and go where others do not. */
static inline void qnt__add_extra_points(const struct qnt__reduce_points *r, int32_t *acc)
{
    for (size_t e = 0; e < r->extra; e++) {
        uint32_t share = (uint32_t)r->coef[r->n + e] * (uint32_t)acc[r->n + e];
        acc[r->output[e]] = (int32_t)((uint32_t)acc[r->output[e]] + share);
    }
}

/*
 * From exact sums to results. With wrapping int32 arithmetic
 *     v = acc[i][j] - a_zero[i] * w_sum[j] - w_zero[j] * a_sum[i]
 * then in float32, one operation after the other
 *     f = float(v) * multiplier[j];  if (row_scale) f = f * row_scale[i];  if (bias) f = f + bias[j];
 * Missing (NULL) arrays leave their term out; a_zero and w_sum come together, w_zero and a_sum too.
 */
struct qnt__finish {
    const int32_t *acc;       /* [m][ld] */
    const int32_t *a_zero;    /* [m] or NULL */
    const int32_t *w_sum;     /* [n] or NULL */
    const int32_t *a_sum;     /* [m] or NULL */
    const int32_t *w_zero;    /* [n] or NULL */
    const float *multiplier;  /* [n] */
    const float *row_scale;   /* [m] or NULL */
    const float *bias;        /* [n] or NULL */
    size_t m, n, ld;
    float low, high;          /* clamp of f: f < low ? low : f, then f > high ? high : f */
    int32_t zero;             /* of codes */
    int accumulate;           /* of floats: f = f + y[i][j] before the clamp */
    bool stream;              /* a hint: as in qnt__affine, for codes; sums come from memory too */
    void *y;                  /* [m][y_ld], float, bytes or uint16_t */
    size_t y_ld;
};

/* The same for sums that are floats already: f = acc; row_scale, bias, accumulate, clamp. */
struct qnt__finish_f32 {
    const float *acc;       /* [m][ld]; may be y unless accumulating */
    const float *row_scale; /* [m] or NULL */
    const float *bias;      /* [n] or NULL */
    size_t m, n, ld;
    float low, high;
    int accumulate;
    float *y;               /* [m][y_ld] */
    size_t y_ld;
};

/*
 * One group of the affine scheme.
 * encode: x = 0 if it is NaN; t = (x - offset) / scale; t = t < low ? low : t; t = t > high ? high : t;
 *         code = round_half_even(t) + zero, of which the low 8 or 16 bits are stored; that many bits hold
 *         high - low, and low and high are whole numbers, low <= 0 <= high.
 * decode: y = float(code - zero) * scale + offset.
 */
struct qnt__affine {
    float scale;   /* > 0, finite */
    float offset;  /* 0 unless the offset is real */
    float low;     /* lowest code - zero; |low|, |high| <= 2^17 */
    float high;    /* highest code - zero */
    int32_t zero;
    bool stream;   /* a hint: the result is larger than the caches; ended by the slot stream_end */
};

/* Bytes read and written from which a caller gives the hint. */
enum { QNT__STREAM_BYTES = 1 << 25 };

/* The same for neighbours that belong to different groups: element i to group g = i / run, or, in rows of
 * `period` elements with the same groups, to g = i mod period. It has scale[g], offset[g], zero[g] and,
 * in the place of low and high, float(first - zero[g]) and float(last - zero[g]). */
struct qnt__affine_each {
    const float *scale, *offset; /* offset NULL: all 0 */
    const int32_t *zero;         /* NULL: all 0 */
    int32_t first, last;         /* lowest and highest code */
    size_t run;                  /* at least 1 */
    bool stream;
    size_t period;               /* 0: there is one row; run is 1 otherwise */
};

/* X(name, return type, arguments) */
#define QNT__SLOTS_AFFINE(X)                                                                       \
    X(gemm_s8, void, (const struct qnt__gemm *g))                                                  \
    X(gemm_blocks, void, (const struct qnt__gemm_blocks *g))                                       \
    X(gemm_f32, void, (const struct qnt__gemm_f32 *g))                                             \
    /* sums[i] = sum over taps and k < depth (any) of rows[i][taps[t] + k] */                      \
    X(sum_rows, void,                                                                              \
      (const uint8_t *const *rows, size_t m, const ptrdiff_t *taps, size_t tap_count,              \
       size_t depth, int32_t *sums))                                                               \
    X(depthwise_s8, void, (const struct qnt__depthwise *d))                                        \
    X(reduce_points, void, (const struct qnt__reduce_points *r))                                   \
    /* finish to float32 */                                                                        \
    X(finish_s32, void, (const struct qnt__finish *f))                                             \
    /* finish to bytes: NaN counts as 0; code = round_half_even(f) + zero, low 8 bits; */          \
    /* |low|, |high| <= 2^17 */                                                                    \
    X(finish_codes, void, (const struct qnt__finish *f))                                           \
    /* the same for 16 bits */                                                                     \
    X(finish_codes_16, void, (const struct qnt__finish *f))                                        \
    X(finish_f32, void, (const struct qnt__finish_f32 *f))                                         \
    X(encode_8, void, (const struct qnt__affine *q, const float *x, size_t n, uint8_t *codes))     \
    X(encode_16, void, (const struct qnt__affine *q, const float *x, size_t n, uint16_t *codes))   \
    X(decode_s8, void, (const struct qnt__affine *q, const int8_t *codes, size_t n, float *y))     \
    X(decode_u8, void, (const struct qnt__affine *q, const uint8_t *codes, size_t n, float *y))    \
    X(decode_s16, void, (const struct qnt__affine *q, const int16_t *codes, size_t n, float *y))   \
    X(decode_u16, void, (const struct qnt__affine *q, const uint16_t *codes, size_t n, float *y))  \
    X(encode_each_8, void,                                                                         \
      (const struct qnt__affine_each *q, const float *x, size_t n, uint8_t *codes))                \
    X(encode_each_16, void,                                                                        \
      (const struct qnt__affine_each *q, const float *x, size_t n, uint16_t *codes))               \
    X(decode_each_s8, void,                                                                        \
      (const struct qnt__affine_each *q, const int8_t *codes, size_t n, float *y))                 \
    X(decode_each_u8, void,                                                                        \
      (const struct qnt__affine_each *q, const uint8_t *codes, size_t n, float *y))                \
    X(decode_each_s16, void,                                                                       \
      (const struct qnt__affine_each *q, const int16_t *codes, size_t n, float *y))                \
    X(decode_each_u16, void,                                                                       \
      (const struct qnt__affine_each *q, const uint16_t *codes, size_t n, float *y))               \
    /* makes streamed results visible to other threads as ordinary stores are */                   \
    X(stream_end, void, (void))                                                                    \
    X(widen_f16, void, (const uint16_t *x, size_t n, float *y))                                    \
    X(narrow_f16, void, (const float *x, size_t n, uint16_t *y))                                   \
    X(widen_bf16, void, (const uint16_t *x, size_t n, float *y))                                   \
    X(narrow_bf16, void, (const float *x, size_t n, uint16_t *y))                                  \
    /* packs the low `bits` (1..7) of n bytes, least significant bit first, into */                \
    /* ceil(n bits / 8) bytes; spare bits of the last byte become 0; stream as in qnt__affine */   \
    X(pack_codes, void,                                                                            \
      (const uint8_t *codes, size_t n, int bits, bool stream, uint8_t *packed))                    \
    /* packs what encode_each_8 gives, last - first < 2^bits; n is a multiple of 8, so are run,    \
     * unless it is 1 or at least n, and period */                                                 \
    X(pack_each, void,                                                                             \
      (const struct qnt__affine_each *q, const float *x, size_t n, int bits, uint8_t *packed))     \
    /* the reverse of pack_codes; sign != 0 extends the sign */                                    \
    X(unpack_codes, void,                                                                          \
      (const uint8_t *packed, size_t n, int bits, int sign, uint8_t *codes))                       \
    /* range[0] = smallest, range[1] = largest finite x (-0 < +0 is not told apart: +0 is given); */ \
    /* +inf and -inf if there is none */                                                           \
    X(minmax, void, (const float *x, size_t n, float range[2]))

/* All families; one that grows has a header of its own, slots_<family>.h. */
#define QNT__SLOTS(X)                                                                              \
    QNT__SLOTS_AFFINE(X) QNT__SLOTS_BITS(X) QNT__SLOTS_BLOCKS(X) QNT__SLOTS_EXP(X)                 \
    QNT__SLOTS_LEVELS(X) QNT__SLOTS_LOWBIT(X) QNT__SLOTS_MAPS(X) QNT__SLOTS_PREPARED(X)             \
    QNT__SLOTS_WINOGRAD(X)

/* One pointer for each slot, and what callers should know of them. */
struct qnt__simd {
    /* Rows that a call of gemm_s8 had best, with one tap or with several, and of gemm_s8 or gemm_levels
     * with weights below 8 bits: QNT__GEMM_ROWS where these prepare weights first, fewer where they do
     * not, so that results leave while the next ones are multiplied. */
    size_t gemm_rows, conv_rows, packed_rows;
    bool prepares_rows; /* gemm_prepared is faster than gemm_s8 with many rows and columns */
    bool fast_taps;     /* multiply_taps is faster than conv_lowbit */
    bool fast_bytes;    /* an instruction has four products of bytes where one has two of words */
#define QNT__SLOT_MEMBER(name, type, arguments) type(*name) arguments;
    QNT__SLOTS(QNT__SLOT_MEMBER)
#undef QNT__SLOT_MEMBER
};

/* All versions that the architecture has; a file that defines one includes this header. */
#define QNT__SLOT_C(name, type, arguments) type qnt__##name##_c arguments;
#define QNT__SLOT_AVX2(name, type, arguments) type qnt__##name##_avx2 arguments;
#define QNT__SLOT_AVXVNNI(name, type, arguments) type qnt__##name##_avxvnni arguments;
#define QNT__SLOT_AVX512VNNI(name, type, arguments) type qnt__##name##_avx512vnni arguments;
#define QNT__SLOT_AVX512VBMI(name, type, arguments) type qnt__##name##_avx512vbmi arguments;
#define QNT__SLOT_NEON(name, type, arguments) type qnt__##name##_neon arguments;
#define QNT__SLOT_NEONDOT(name, type, arguments) type qnt__##name##_neondot arguments;
QNT__SLOTS(QNT__SLOT_C)
#if defined(__x86_64__)
QNT__SLOTS(QNT__SLOT_AVX2)
QNT__SLOTS(QNT__SLOT_AVXVNNI)
QNT__SLOTS(QNT__SLOT_AVX512VNNI)
QNT__SLOTS(QNT__SLOT_AVX512VBMI)
#elif defined(__aarch64__)
QNT__SLOTS(QNT__SLOT_NEON)
QNT__SLOTS(QNT__SLOT_NEONDOT)
#endif

/* Fills the table with the best versions that `cpu` (QNT_CPU_ bits) allows. */
void qnt__simd_choose(struct qnt__simd *table, uint64_t cpu);

/* The architecture's part of it: overlays what it has, in ascending order of level. */
void qnt__simd_overlay(struct qnt__simd *table, uint64_t cpu);

#endif
