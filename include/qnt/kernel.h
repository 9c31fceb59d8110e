/**
 * @file kernel.h
 * @brief Stateless kernels on codes, for hosts that keep their own structure.
 *
 * @defgroup kernel Kernels
 * @{
 *
 * No preparation, no workspace, no allocation unless its description says so: every call does all of its
 * work. Layers (layer.h) are faster for weights that are used again, because they are packed once.
 *
 * Integer results are exact. An accumulator whose true value leaves int32 wraps modulo 2^32 on
 * every CPU alike; |sum| < 2^31 holds up to K = 33,025 for any 8-bit operands with zero points, and
 * up to K = 65,793 where both zero points are 0 and one operand is int8.
 */
#ifndef QNT_KERNEL_H
#define QNT_KERNEL_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief Geometry of a two-dimensional convolution; zero-filled: 1 group, stride 1, no padding. */
typedef struct qnt_conv {
    uint32_t size;        /**< sizeof(qnt_conv). */
    int32_t groups;       /**< Groups of channels; 0 is 1. */
    int32_t group_shift;  /**< Output group g reads input group (g + shift) mod groups. */
    int32_t stride[2];    /**< Down and right; 0 is 1. */
    int32_t dilation[2];  /**< Down and right; 0 is 1. */
    int32_t pad[4];       /**< Top, left, bottom, right; at least 0. */
    int32_t reserved;     /**< 0. */
} qnt_conv;

/**
 * @brief C[m,n] = sum over k of (A[m,k] - a_zero) (B[n,k] - b_zero[n]), in int32.
 * @param context hooks.
 * @param a      [M,K] int8 or uint8, any strides.
 * @param a_zero zero point of a, in the range of its type.
 * @param b      [N,K] integers of 1 to 8 bits, packed or one per byte.
 * @param b_zero NULL (0), or int32 view [N] or [1] with values in the range of b's type.
 * @param[out] c [M,N] int32, disjoint from the inputs.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_gemm_s8(const qnt_context *context, const qnt_tensor *a, int32_t a_zero,
                               const qnt_tensor *b, const qnt_tensor *b_zero, qnt_tensor *c);

/**
 * @brief Grouped convolution in int32; padding counts as the zero point, i.e. contributes nothing.
 * @param context hooks.
 * @param conv   geometry.
 * @param x      [B,H,W,C] int8 or uint8.
 * @param x_zero zero point of x, in the range of its type.
 * @param w      [O,kh,kw,C/groups] integers of 1 to 8 bits.
 * @param[out] y [B,OH,OW,O] int32 with OH = (H + top + bottom - dilation (kh-1) - 1) / stride + 1.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_VERSION, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_conv_s8(const qnt_context *context, const qnt_conv *conv,
                               const qnt_tensor *x, int32_t x_zero, const qnt_tensor *w,
                               qnt_tensor *y);

/** @brief What the digits of qnt_conv_lowbit() stand for, and the border of its packed result. */
typedef struct qnt_lowbit {
    uint32_t size;    /**< sizeof(qnt_lowbit). */
    int32_t step;     /**< The weight of digit q is step * q + zero: 2 and -3 for {-3, -1, 1, 3}, */
    int32_t zero;     /**< 1 and -1 for {-1, 0, 1}; magnitudes at most 2^15. */
    int32_t channels; /**< Input channels of one group, as they were packed. */
    int32_t pad[4];   /**< Border of a packed result: top, left, bottom, right. */
} qnt_lowbit;

/**
 * @brief Describes packed pixels: compact uint8 [B, top + H + bottom, left + W + right, groups, T] with
 * T = ceil(C / groups / 3) bytes, three digits in each (doc/formats.md).
 * @param context for the reason.
 * @param codes   [B,H,W,C] unsigned integers of 1 to 8 bits.
 * @param groups  divides C.
 * @param pad     border: top, left, bottom, right; NULL: none.
 * @param[in,out] pixels `shape` and `strides` must point to #QNT_MAX_NDIM numbers each.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_pack_pixels_view(const qnt_context *context, const qnt_tensor *codes,
                                        int32_t groups, const int32_t pad[4], qnt_tensor *pixels);

/**
 * @brief Packs activations of at most two bits for qnt_conv_lowbit(), with a border of zeros.
 * @param context hooks; memory for a pixel of each worker and a byte for each line.
 * @param codes   [B,H,W,C] unsigned integers of 1 to 8 bits, values 0 to 3.
 * @param groups  divides C.
 * @param pad     border; NULL: none.
 * @param[out] pixels as qnt_pack_pixels_view() describes it, compact, disjoint from codes.
 * @return #QNT_OK, #QNT_E_INVALID also for a code above 3, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_pack_pixels(const qnt_context *context, const qnt_tensor *codes,
                                   int32_t groups, const int32_t pad[4], qnt_tensor *pixels);

/**
 * @brief Describes packed weights: compact uint8 [groups, ceil(O / groups / 64), T, kh, kw, 64].
 * @param context for the reason.
 * @param codes   [O,kh,kw,C/groups] unsigned integers of 1 to 8 bits.
 * @param groups  divides O.
 * @param[in,out] taps `shape` and `strides` must point to #QNT_MAX_NDIM numbers each.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_pack_taps_view(const qnt_context *context, const qnt_tensor *codes,
                                      int32_t groups, qnt_tensor *taps);

/**
 * @brief Packs weights of at most two bits for qnt_conv_lowbit().
 * @param context hooks; memory for the channels of a tap.
 * @param codes   [O,kh,kw,C/groups] unsigned integers of 1 to 8 bits, values 0 to 3.
 * @param groups  divides O.
 * @param[out] taps as qnt_pack_taps_view() describes it, compact, disjoint from codes.
 * @return #QNT_OK, #QNT_E_INVALID also for a code above 3, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_pack_taps(const qnt_context *context, const qnt_tensor *codes,
                                 int32_t groups, qnt_tensor *taps);

/**
 * @brief Grouped convolution of activations and weights of at most two bits each, by looking up the
 * products of three digits at once; exact.
 *
 *     v[b,y,x,o] = sum over taps and channels of r (step q + zero),   r, q digits 0 to 3
 *
 * With thresholds the result is packed again: the digit of v is the number of thresholds t[o] with v >= t.
 * That is any monotone function of v: scale, batch norm, ReLU, clip and rounding at once (PalQuant, Hu et
 * al. 2022). A chain of layers never leaves the packed form.
 * @param context    hooks; memory for sums over digits.
 * @param conv       geometry; groups, group_shift, stride, dilation; pad 0: pixels have their border.
 * @param lowbit     what weights stand for, and the border of a packed result.
 * @param pixels     from qnt_pack_pixels(), or from this function.
 * @param taps       from qnt_pack_taps().
 * @param thresholds NULL, or int32 [O, 1] or [O, 3] that do not decrease along the row.
 * @param[out] y     int32 [B,OH,OW,O] without thresholds; with them packed pixels [B, top + OH + bottom,
 *                   left + OW + right, G, ceil(O / G / 3)] of any G that divides O, border included.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_VERSION, #QNT_E_NOMEM,
 *         #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_conv_lowbit(const qnt_context *context, const qnt_conv *conv,
                                   const qnt_lowbit *lowbit, const qnt_tensor *pixels,
                                   const qnt_tensor *taps, const qnt_tensor *thresholds, qnt_tensor *y);

/**
 * @brief Describes the planes of codes: compact bytes [ceil(N/16), bits, words + 1, 128].
 * @param context for the reason.
 * @param codes   [N,K] unsigned integers of 1 to 8 bits.
 * @param[in,out] planes `shape` and `strides` must point to #QNT_MAX_NDIM numbers each; everything but
 *                `data` is filled in.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_pack_bits_view(const qnt_context *context, const qnt_tensor *codes,
                                      qnt_tensor *planes);

/**
 * @brief Takes codes apart into bit planes, the form of the second operand of qnt_gemm_bits().
 * @param context hooks.
 * @param codes   [N,K] unsigned integers of 1 to 8 bits, packed or one per byte.
 * @param[out] planes as qnt_pack_bits_view() describes it, aligned to 8 bytes, disjoint from codes. The
 *                bytes are the same on every CPU (doc/formats.md).
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_pack_bits(const qnt_context *context, const qnt_tensor *codes,
                                 qnt_tensor *planes);

/**
 * @brief C[m,n] = sum over planes i of b_coef[n,i] <B_i[n], A[m]>, where the bits of B are signs.
 *
 * A bit 1 is +1, a bit 0 is -1.
 *
 * Without a_coef, A is numbers: the codes themselves. With it, A is signs as well: the value of a
 * code is the sum over its bits j of a_coef[j] where the bit is 1, -a_coef[j] where it is 0.
 * (Multi-bit networks: Qu et al., "Adaptive loss-aware quantization", CVPR 2020.)
 *
 * Products of planes are exact integers. Floats are formed in this order, each operation rounded to
 * float32: the sum over planes i of b, and with a_coef over planes j of a within, of float(product)
 * coef, coef = b_coef[n,i] or a_coef[j] b_coef[n,i]. But where a is numbers and each b_coef[n,i] is
 * exactly twice b_coef[n,i-1], the planes are combined in integers: float(sum over i of 2^i
 * product_i) b_coef[n,0], if (2^planes - 1) (2^bits of a - 1) K < 2^31. How the integers are found
 * depends on CPU, shape and widths, and the result does not (doc/bit_planes.md).
 *
 * K can have blocks of coefficients, two or more; one is the same as none. b_coef[n,t,i] belongs to
 * the k of block t, of which there are K / blocks, a multiple of 64. Then C[m,n] is the sum over
 * planes i, with a_coef over planes j of a within, and over blocks t within, of float(product of the
 * block) coef, coef = b_coef[n,t,i] or a_coef[j] b_coef[n,t,i], whether coefficients double or not.
 * It is fastest where the stride of n is 1.
 * @param context hooks; memory for rows of a in the form in which they are multiplied.
 * @param a      [M,K] unsigned integers of 1 to 8 bits, packed or one per byte; K at most 2^23.
 * @param a_coef NULL, or float32 [bits of a].
 * @param b      planes of [N,K] codes, from qnt_pack_bits().
 * @param b_coef float32 [N, planes of b], or [N, blocks, planes of b]; NULL where b has one
 * plane: 1.
 * @param[out] c [M,N] float32, or int32 without coefficients; disjoint from the inputs.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_gemm_bits(const qnt_context *context, const qnt_tensor *a, const qnt_tensor *a_coef,
                                 const qnt_tensor *b, const qnt_tensor *b_coef, qnt_tensor *c);

/**
 * @brief Rotates groups of channels: group g of y is group (g + shift) mod groups of x.
 *
 * Inside a convolution the same is free: see qnt_conv::group_shift. (PalQuant, ECCV 2022, section
 * 3.3.)
 * @param context hooks.
 * @param x      any element type.
 * @param axis   the channel axis; negative counts from the end.
 * @param groups must divide the extent along axis.
 * @param shift  0 to groups - 1.
 * @param[out] y same shape and type, disjoint from x.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_shuffle_cyclic(const qnt_context *context, const qnt_tensor *x, int32_t axis,
                                      int32_t groups, int32_t shift, qnt_tensor *y);

/**
 * @brief y = clamp(round_half_even(float(acc + bias[n]) * scale[n]) + zero, low, high).
 *
 * A product that is NaN counts as 0.
 * @param context hooks.
 * @param acc   [...,N] int32.
 * @param bias  NULL or int32 view [N]; the sum wraps modulo 2^32.
 * @param scale float32 view [N] or [1].
 * @param zero  zero point of y, in the range of y's type.
 * @param low   smallest code, in the range of y's type.
 * @param high  largest code, at least low.
 * @param[out] y same shape, integers of 1 to 8 or 16 bits, disjoint from acc.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_requantize(const qnt_context *context, const qnt_tensor *acc,
                                  const qnt_tensor *bias, const qnt_tensor *scale, int32_t zero,
                                  int32_t low, int32_t high, qnt_tensor *y);

/**
 * @brief What exponential codes mean: value = sign (alpha base^(field - 1) + beta), field 0 is zero.
 *
 * A code holds the field in its low `exponent_bits` bits and, if it has one bit more, the sign above
 * them (1: negative). Field 0 is the number zero whatever the sign. With L = 2^exponent_bits - 1 fields f
 * of 1 to L, exponents are f - 1, so that codes grow with magnitudes. (DNA-TEQ, arXiv 2306.16430, with
 * its exponents counted from 0.)
 */
typedef struct qnt_exp {
    uint32_t size;         /**< sizeof(qnt_exp). */
    int32_t exponent_bits; /**< Bits of a field, 2 to 7. */
    double base;           /**< Above 1; both operands of a product have the same. */
    double alpha;          /**< Above 0, finite. */
    double beta;           /**< Finite. */
} qnt_exp;

/**
 * @brief Counts the exponent sums of a dot product of exponential codes, signs included.
 *
 * With s = 1 where the signs agree, -1 where they differ, and 0 where either code is zero, for each k:
 *
 * | counters | count | what is added |
 * |---|---|---|
 * | 0 to 2 L - 2 | 2 L - 1 | counts[e_a + e_b] += s |
 * | 2 L - 1 to 3 L - 2 | L | counts[2 L - 1 + e_a] += s |
 * | 3 L - 1 to 4 L - 2 | L | counts[3 L - 1 + e_b] += s |
 * | 4 L - 1 | 1 | counts[4 L - 1] += s |
 *
 * They are all that a product needs, for any base, alpha and beta: #qnt_gemm_exp says how.
 * @param context hooks.
 * @param exponent_bits bits of a field, 2 to 7; L = 2^exponent_bits - 1.
 * @param a       [K] integers of exponent_bits bits, or of one more with a sign, packed.
 * @param b       [K], likewise; one operand may have signs and the other none.
 * @param[out] counts [4 L] int32, disjoint from the inputs. Exact up to K = 2^31 - 1.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_dot_exp(const qnt_context *context, int32_t exponent_bits, const qnt_tensor *a,
                               const qnt_tensor *b, qnt_tensor *counts);

/**
 * @brief C[m,n] = sum over k of the values of A[m,k] times those of B[n,k], by adding exponents.
 *
 * Products become additions of exponents and the sum becomes counting, as DNA-TEQ's hardware has it:
 *
 *     C = alpha_a alpha_b sum_t counts[t] base^t + alpha_a beta_b sum_i counts[2 L - 1 + i] base^i
 *       + beta_a alpha_b sum_j counts[3 L - 1 + j] base^j + beta_a beta_b counts[4 L - 1]
 *
 * with the exact counters of #qnt_dot_exp, each sum in ascending order and everything in double, and
 * rounded to float32 once. This is the yardstick for other ways to multiply such codes, not the fastest
 * way to do it: see #qnt_gemm_table.
 *
 * The levels of a #QNT_EXP quantizer are these powers with #QNT_LITERAL. Without it they are the powers
 * rounded to integers times a scale: layers multiply those, this function the powers, which are close.
 * @param context hooks.
 * @param a      [M,K] codes of exponent_bits bits, or of one more with a sign, packed.
 * @param a_exp  what they mean.
 * @param b      [N,K] codes, likewise.
 * @param b_exp  what they mean; exponent_bits and base are those of a_exp, and
 *               base^(2 L - 2) is finite.
 * @param[out] c [M,N] float32, disjoint from the inputs. K at most 2^31 - 1.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_VERSION, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_gemm_exp(const qnt_context *context, const qnt_tensor *a, const qnt_exp *a_exp,
                                const qnt_tensor *b, const qnt_exp *b_exp, qnt_tensor *c);

/**
 * @brief C[m,n] = sum over k of a_table[A[m,k]] b_table[B[n,k]], in int32.
 *
 * Any codebook whose levels lie on an integer grid: uniform or not, ascending or not. Codes are looked up
 * in registers, then multiplied as integers, exactly and on every CPU alike. An accumulator whose true
 * value leaves int32 wraps modulo 2^32; with p and q the largest magnitudes of the two tables none does
 * up to K = (2^31 - 1) / (p q): 133,144 for levels of 127, 131,071 for -128, 128 for 4,095 times 4,095.
 * Two int8 tables take half the time of what holds an int16 table. Allocates for the call, as levels of a
 * are kept for all of b: up to 2 MiB, and 0.4 MiB for each worker, less where M and K are small.
 * @param context hooks.
 * @param a       [M,K] unsigned integers of 1 to 8 bits, packed or one per byte, each below the
 *                number of levels of a_table.
 * @param a_table int8 or int16 levels [1 to 2^bits of a].
 * @param b       [N,K], as a.
 * @param b_table int8 or int16 levels [1 to 2^bits of b].
 * @param[out] c  [M,N] int32, disjoint from the inputs.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_NOMEM, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_gemm_table(const qnt_context *context, const qnt_tensor *a,
                                  const qnt_tensor *a_table, const qnt_tensor *b,
                                  const qnt_tensor *b_table, qnt_tensor *c);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
