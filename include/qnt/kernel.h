/**
 * @file kernel.h
 * @brief Stateless kernels on codes, for hosts that keep their own structure.
 *
 * @defgroup kernel Kernels
 * @{
 *
 * No preparation, no workspace, no allocation: every call does all of its work. Layers (layer.h)
 * are faster for weights that are used again, because they are packed once.
 *
 * Integer results are exact. An accumulator whose true value leaves int32 wraps modulo 2^32 on
 * every CPU alike; |sum| < 2^31 holds up to K = 65,536 for any 8-bit operands with zero points.
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

#ifdef __cplusplus
}
#endif
/** @} */
#endif
