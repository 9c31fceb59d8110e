/**
 * @file layer.h
 * @brief Prepared weights: create once, run many times, concurrently.
 *
 * @defgroup layer Layer
 * @{
 *
 * A layer holds weights packed for the kernels (the same layout on every CPU), the folded scales
 * and bias, and what to do with the result. It is immutable: any number of threads may run it at
 * once, each with its own workspace. Running allocates nothing.
 *
 * What runs follows from the quantizers alone, never from the CPU:
 *
 * | input_q | arithmetic |
 * |---|---|
 * | NULL | float input times decoded weights (weight-only), float32 sums in the order of k |
 * | #QNT_DYNAMIC | each input row gets its own scale when the layer runs, then integers |
 * | any other | integers |
 * | any, where one side has numbers that are no integers of 16 bits | both are decoded: floats |
 *
 * doc/formats.md has the whole matrix.
 *
 * With integers the sum over k is exact; then, in float32 and in this order:
 * y = float(sum) * multiplier[n] (* row scale) + bias[n], activation, and for a quantized output
 * rounding half to even and the zero point. doc/numerics.md defines every step.
 *
 * - A *row* of a dynamic input is a row of K elements of #QNT_DENSE and a whole image of #QNT_CONV.
 * - Where the input is quantized, weights with a scale for each block of k are integers if the block is a
 *   multiple of 16 (up to 65536); K need not be a multiple of it. Each block is summed in integers, then
 *   y += float(sum) * scale[block][n] in ascending order. The input counts as signed bytes (uint8
 *   codes less 128); what a static zero point adds is taken off the bias, a dynamic one the sum:
 *   y -= float(zero) * float(sum over blocks of scale * sum of weights).
 * - Where products of floats or blocks meet a quantized output, output_q encodes the finished float.
 * - Weights of a codebook (#QNT_TABLE, #QNT_EXP) whose levels are integers of 8 bits are multiplied as
 *   these integers. Up to 7 bits they stay packed, as places in a table for all outputs or, where levels
 *   are per axis or block, for each, with float input also where levels are real. They become bytes if
 *   rows of k must be padded and the 2^bits levels leave no place for 0, or if tables of blocks, or of more
 *   than 4 bits, take more than they save.
 * - Levels that are integers of 16 bits, of weights or inputs or both, work as well: #QNT_EXP of 5 bits
 *   and more, #QNT_TABLE of 6 and more, levels of the caller. Zero points go into the integers then, sums
 *   are exact below 2^53, y = float(sum) * scale and so on as for blocks, output_q encodes the finished
 *   float, and depthwise convolutions run as other groups do. Weights stay packed if one table serves all
 *   of their scale groups, else they are 16 bits each.
 * - Numbers that are no such integers: real levels (as a rule those of #QNT_LITERAL), real offsets, blocks
 *   of another length. Then the layer encodes its input, decodes it, and goes on as with input_q NULL: the
 *   result is the one that such a layer gives for what qnt_quantizer_apply() makes of x, to the bit. A
 *   dynamic input has the parameters of its row.
 * - Weights that are sums of signs (#QNT_BASES) are kept as one plane of bits for each base where that is
 *   faster than bytes: a base with an input of few bits. doc/bit_planes.md has the rule; results do not
 *   depend on it.
 * - An input_q of #QNT_POINTS with one base gives signs: the code 1 is +, 0 is -, with one scale or, if it
 *   is #QNT_DYNAMIC, that of each row.
 * - An output_q with a codebook (#QNT_TABLE, #QNT_EXP, #QNT_POINTS) gives the codes that
 *   qnt_quantizer_encode() gives for the finished floats. With the same quantizer as the input_q of the
 *   next layer, layers of exponential codes chain without a float between them.
 * - If sums over k could leave int32 (8-bit codes: not below K = 65,794, or 33,026 where weights less
 *   their zero points exceed 128), a dense layer forms them in equal blocks as above, all with the same
 *   scale; such a convolution is not supported.
 */
#ifndef QNT_LAYER_H
#define QNT_LAYER_H

#include "quantizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief Prepared weights and epilogue. */
typedef struct qnt_layer qnt_layer;

/** Kinds of layers. */
enum {
    QNT_DENSE = 0, /**< x [...,K], weight [N,K], y [...,N]. */
    QNT_CONV = 1   /**< Two-dimensional convolution. */
};

/** Layouts of a convolution. */
enum {
    QNT_NHWC = 0, /**< x [B,H,W,C], weight [O,kh,kw,C/groups], y [B,OH,OW,O]. */
    QNT_NCHW = 1  /**< x [B,C,H,W], weight [O,C/groups,kh,kw], y [B,O,OH,OW]. */
};

/** Activations. */
enum {
    QNT_LINEAR = 0, /**< None. */
    QNT_RELU = 1,   /**< max(y, 0). */
    QNT_CLAMP = 2   /**< min(max(y, low), high). */
};

/** Flags of qnt_layer_spec, and of qnt_layer_load(). */
enum {
    QNT_ACCUMULATE = 0x1, /**< Float output: y += result, added before the activation. */
    QNT_BORROW = 0x2      /**< qnt_layer_load(): keep pointing into the blob. */
};

/** @brief A request for a layer. Zero-filled with `size` set: dense, no activation. */
typedef struct qnt_layer_spec {
    uint32_t size;       /**< sizeof(qnt_layer_spec). */
    int32_t kind;        /**< #QNT_DENSE or #QNT_CONV. */
    int32_t layout;      /**< #QNT_NHWC or #QNT_NCHW, of a convolution. */
    int32_t activation;  /**< #QNT_LINEAR, #QNT_RELU or #QNT_CLAMP. */
    int32_t flags;       /**< 0 or #QNT_ACCUMULATE. */
    float low;           /**< Of #QNT_CLAMP; -infinity: no bound. Else not looked at. */
    float high;          /**< Of #QNT_CLAMP, at least low; +infinity: no bound. Else not looked at. */
    int32_t groups;      /**< As in qnt_conv. This and what follows: 0 or the default of #QNT_DENSE. */
    int32_t group_shift; /**< As in qnt_conv. */
    int32_t stride[2];   /**< As in qnt_conv. */
    int32_t dilation[2]; /**< As in qnt_conv. */
    int32_t pad[4];      /**< As in qnt_conv. */
    int32_t reserved;    /**< 0. */
} qnt_layer_spec;

/**
 * @brief Prepares a layer.
 * @param context  memory and reasons; not kept.
 * @param spec     the request.
 * @param weight   float view, encoded here; or integer view that holds codes of weight_q.
 * @param weight_q fitted or set; per tensor, per axis 0, or for #QNT_DENSE blocks along axis 1.
 * @param bias     float view [N], finite, or NULL.
 * @param input_q  format of the input, per tensor, at most 8 bits; NULL: float input, weights
 *                 decoded.
 * @param output_q format of the output, per tensor, at most 8 bits; NULL: float output.
 * @param[out] out the layer; NULL on failure. It keeps nothing of the arguments.
 * @return #QNT_OK, #QNT_E_INVALID (also where scales, or they and the bias, leave float32 together),
 *         #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_STATE, #QNT_E_UNSUPPORTED, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_layer_create(const qnt_context *context, const qnt_layer_spec *spec,
                                    const qnt_tensor *weight, const qnt_quantizer *weight_q,
                                    const qnt_tensor *bias, const qnt_quantizer *input_q,
                                    const qnt_quantizer *output_q, qnt_layer **out);

/** @brief Frees a layer; NULL is allowed. @param layer what to free. */
QNT_API void qnt_layer_destroy(qnt_layer *layer);

/**
 * @brief Describes the result for an input: shape, default type (float32 or packed codes), strides.
 * @param context for the reason.
 * @param layer   the layer.
 * @param x       the input; its elements are not touched.
 * @param[in,out] y `shape` and `strides` must point to #QNT_MAX_NDIM numbers each; everything but
 *                `data` is filled in.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_layer_view(const qnt_context *context, const qnt_layer *layer,
                                  const qnt_tensor *x, qnt_tensor *y);

/**
 * @brief Bytes of workspace that qnt_layer_run() needs for inputs of this shape and type.
 * @param context    the context that will run it: its number of workers counts.
 * @param layer      the layer.
 * @param x          the input; its elements are not touched.
 * @param[out] bytes the size; no alignment is needed.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE.
 */
QNT_API qnt_status qnt_layer_workspace(const qnt_context *context, const qnt_layer *layer,
                                       const qnt_tensor *x, size_t *bytes);

/**
 * @brief Runs a layer.
 * @param context   hooks.
 * @param layer     the layer; shared freely.
 * @param x         float view (encoded inside with input_q), or codes of a static input_q, packed
 *                  or one per byte.
 * @param[out] y    with output_q its codes, packed or one per byte, else a float view; disjoint
 *                  from x.
 * @param workspace at least qnt_layer_workspace() bytes, any alignment, used by this call alone.
 * @param bytes     its size.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_SPACE, #QNT_E_PARALLEL.
 */
QNT_API qnt_status qnt_layer_run(const qnt_context *context, const qnt_layer *layer,
                                 const qnt_tensor *x, qnt_tensor *y, void *workspace, size_t bytes);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
