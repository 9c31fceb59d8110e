/**
 * @file lowbit.h
 * @brief Prepared convolutions of packed digits, for networks whose weights and activations have two bits
 * at most and never leave their packed form between layers.
 *
 * @defgroup lowbit Layers of packed digits
 * @{
 *
 * A layer holds taps (qnt_pack_taps()), and what to do with a sum v = sum of r (step q + zero) over taps
 * and channels, r and q digits 0 to 3. It reads packed pixels (qnt_pack_pixels()) or what another layer
 * wrote. It is immutable: any number of threads may run it, each with its own workspace. Running allocates
 * nothing. A dense layer is a 1 x 1 kernel on an image of one line, whose pixels are the rows.
 *
 * In float32, one operation after the other, NaN passing:
 *
 *     y = float(v) * scale[o] + shift[o];  QNT_RELU_FIRST;  y = y + identity;  QNT_RELU_LAST
 *
 * and the next layer's digit is the code that a quantizer gives y, 0 for NaN. Where nothing but digits is
 * wanted, no float is computed: y never falls, or never rises, with v, so three thresholds of v say the
 * same (they are found by bisection of that very function, for every channel, when the layer is made).
 *
 * Levels that are equally spaced are all alike: {-3, -1, 1, 3} is step 2, zero -3; {-1, 1} is 2, -1 with
 * digits 0 and 1; {-1, 0, 1} is 1, -1; {0, 1, 2, 3} is 1, 0. Whatever factor is left goes to the scale: a
 * layer y = |s| conv(a, w) of PalQuant (Hu et al., ECCV 2022) whose activations are r/3 and whose weights
 * are (2q - 3)/3, with a batch norm behind it, has
 *
 *     scale = |s| / 9 * gamma / sqrt(variance + eps),   shift = beta - mean * gamma / sqrt(variance + eps)
 *
 * A layer whose weights all have digits 0 and 1 makes six products at once, and runs fastest on pixels
 * whose digits are 0 and 1 too, which a run finds out by itself. Pixels have the same layout then.
 *
 * A layer of 3 x 3 taps, stride and dilation 1, with 16 channels in a group or more, weights of two bits
 * up to 6 in magnitude and |v| up to 21843, also holds filtered weights, eight times as many bytes as the
 * taps, unless those of a group would be more than 1.75 MiB: with them a run multiplies bytes in tiles of
 * 2 x 4 pixels, a third of the products, where no more than a fifth of the tiles' pixels lies beyond the
 * result. What comes out is the same.
 *
 * Layers are saved and loaded as blobs (qnt/io.h).
 *
 * A host whose reference computes in another order hands over that function itself:
 * qnt_find_thresholds().
 */
#ifndef QNT_LOWBIT_H
#define QNT_LOWBIT_H

#include "kernel.h"
#include "quantizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief A prepared convolution of packed digits. */
typedef struct qnt_lowbit_layer qnt_lowbit_layer;

/** Flags of qnt_lowbit_spec. */
enum {
    QNT_RELU_FIRST = 0x1, /**< max(y, 0) before the identity is added. */
    QNT_RELU_LAST = 0x2,  /**< max(y, 0) after it. */
    QNT_TRANSPOSE = 0x4   /**< ShuffleNet: output c of group g is channel c groups + g of the result. */
};

/** @brief A request. Zero-filled but for size and step: no activation, no border. */
typedef struct qnt_lowbit_spec {
    uint32_t size;    /**< sizeof(qnt_lowbit_spec). */
    int32_t step;     /**< The weight of digit q is step * q + zero; magnitudes at most 2^15. */
    int32_t zero;     /**< See step. */
    int32_t flags;    /**< QNT_RELU_FIRST, QNT_RELU_LAST, QNT_TRANSPOSE. */
    int32_t groups;   /**< Groups of the packed result, a divisor of O; 0: as the convolution. */
    int32_t pad[4];   /**< Border of the packed result: top, left, bottom, right. */
    int32_t reserved; /**< 0. */
} qnt_lowbit_spec;

/**
 * @brief A monotone function from sums to digits, as the reference of a host computes it.
 * @param user    the host's.
 * @param channel output channel.
 * @param sum     v.
 * @return the digit, 0 to 3.
 */
typedef int32_t (*qnt_digit_fn)(void *user, int64_t channel, int32_t sum);

/**
 * @brief Finds the thresholds that say the same as a function, for every channel.
 *
 * By bisection; then every sum of the range is asked for once, so that a function that is not monotone is
 * always refused: O (high - low) calls. |v| is at most 3 kh kw C/groups max|step q + zero|.
 * @param context for the reason.
 * @param digit   called on this thread only.
 * @param user    for `digit`.
 * @param low     least sum that can occur, above INT32_MIN.
 * @param high    largest one, at least low, below INT32_MAX.
 * @param[out] thresholds int32 [O,3]: the digit is the number of thresholds t with v >= t, in a falling
 *                channel with v <= t. INT32_MAX is never reached, in a falling channel INT32_MIN.
 * @param[out] falling uint8 [O]: 1 where digits fall while sums grow, as with a negative gamma; NULL:
 *                that is refused, and the thresholds fit qnt_conv_lowbit().
 * @return #QNT_OK, #QNT_E_INVALID (also for digits that are not 0 to 3 or go up and down), #QNT_E_SHAPE,
 *         #QNT_E_DTYPE. What was written on failure is meaningless.
 */
QNT_API qnt_status qnt_find_thresholds(const qnt_context *context, qnt_digit_fn digit, void *user,
                                       int32_t low, int32_t high, qnt_tensor *thresholds,
                                       qnt_tensor *falling);

/**
 * @brief Prepares a layer that knows floats: scale, shift, activation, and a quantizer for the digits.
 * @param context  memory and reasons; not kept.
 * @param conv     geometry; pad 0: pixels have their border.
 * @param spec     the request.
 * @param weight   [O,kh,kw,C/groups] unsigned codes 0 to 3.
 * @param scale    float32 view [O] or [1], finite.
 * @param shift    float32 view [O] or [1], finite; NULL: 0.
 * @param output_q ready, per tensor, unsigned codes 0 to 3 that do not fall (#QNT_AFFINE, #QNT_TABLE);
 *                 NULL: the layer gives floats only.
 * @param[out] out the layer; NULL on failure. It keeps nothing of the arguments.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_STATE, #QNT_E_UNSUPPORTED,
 *         #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_lowbit_layer_create(const qnt_context *context, const qnt_conv *conv,
                                           const qnt_lowbit_spec *spec, const qnt_tensor *weight,
                                           const qnt_tensor *scale, const qnt_tensor *shift,
                                           const qnt_quantizer *output_q, qnt_lowbit_layer **out);

/**
 * @brief Prepares a layer from thresholds; it gives digits only.
 * @param context    memory and reasons; not kept.
 * @param conv       as for qnt_lowbit_layer_create().
 * @param spec       the request; flags 0.
 * @param weight     as for qnt_lowbit_layer_create().
 * @param thresholds int32 view [O,3] that does not decrease along a row, in a falling row not increase.
 * @param falling    uint8 view [O] of 0 and 1; NULL: none.
 * @param[out] out   the layer; NULL on failure.
 * @return as qnt_lowbit_layer_create().
 */
QNT_API qnt_status qnt_lowbit_layer_of_thresholds(const qnt_context *context, const qnt_conv *conv,
                                                  const qnt_lowbit_spec *spec, const qnt_tensor *weight,
                                                  const qnt_tensor *thresholds,
                                                  const qnt_tensor *falling, qnt_lowbit_layer **out);

/** @brief Frees a layer; NULL is allowed. @param layer what to free. */
QNT_API void qnt_lowbit_layer_destroy(qnt_lowbit_layer *layer);

/**
 * @brief Describes the packed result: uint8 [B, top + OH + bottom, left + OW + right, G, T].
 * @param context for the reason.
 * @param layer   the layer.
 * @param pixels  the input; its elements are not touched.
 * @param[in,out] y `shape` and `strides` must point to #QNT_MAX_NDIM numbers each.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_lowbit_layer_view(const qnt_context *context, const qnt_lowbit_layer *layer,
                                         const qnt_tensor *pixels, qnt_tensor *y);

/**
 * @brief Bytes of workspace that a run needs for pixels of this shape, whatever its results.
 * @param context    the context that will run it: its number of workers counts.
 * @param layer      the layer.
 * @param pixels     the input; its elements are not touched.
 * @param[out] bytes the size; no alignment is needed.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_lowbit_layer_workspace(const qnt_context *context,
                                              const qnt_lowbit_layer *layer, const qnt_tensor *pixels,
                                              size_t *bytes);

/**
 * @brief Runs a layer: digits, floats, or both.
 * @param context   hooks.
 * @param layer     the layer; shared freely.
 * @param pixels    compact bytes [B,H,W,groups,T], border included.
 * @param identity  float32 view [B,OH,OW,O] with adjacent channels, what is added; NULL: nothing.
 * @param[out] y    float32 view of the same shape with adjacent channels; may be `identity`; NULL: not
 *                  wanted.
 * @param[out] packed as qnt_lowbit_layer_view() describes it, border included; NULL: not wanted.
 * @param workspace at least qnt_lowbit_layer_workspace() bytes, used by this call alone.
 * @param bytes     its size.
 * @return #QNT_OK, #QNT_E_INVALID (also for floats of a layer that has thresholds only), #QNT_E_SHAPE,
 *         #QNT_E_DTYPE, #QNT_E_SPACE, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_lowbit_layer_run(const qnt_context *context, const qnt_lowbit_layer *layer,
                                        const qnt_tensor *pixels, const qnt_tensor *identity,
                                        qnt_tensor *y, qnt_tensor *packed, void *workspace,
                                        size_t bytes);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
