/**
 * @file tensor.h
 * @brief A view of the caller's memory, with exactly the layout of DLPack's DLTensor.
 *
 * @defgroup tensor Tensor
 * @{
 *
 * Element types: float32, float16 and bfloat16 wherever a float view is legal; 1- to 8-bit and
 * 16-bit integers for codes; int32 for accumulators. Any alignment is accepted, strides are
 * honoured, and no byte outside the described elements is ever read or written.
 *
 * **Codes below 8 bits** are packed without gaps: element e of the view, counted in strides,
 * occupies bits e*b to e*b+b-1 of the byte string, least significant bit first. For 1, 2 and 4 bits
 * this is the layout of ONNX and DLPack. An element of 3, 5, 6 or 7 bits may straddle two bytes.
 * Codes of any width may also be held one per byte, as int8 or uint8.
 *
 * Every function that takes a view checks it as qnt_tensor_check() does, and so returns #QNT_E_DEVICE for
 * memory that is not a CPU's.
 */
#ifndef QNT_TENSOR_H
#define QNT_TENSOR_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    QNT_MAX_NDIM = 8 /**< The most dimensions a tensor may have. */
};

/** Element type classes (DLPack's numbers). */
enum {
    QNT_INT = 0,      /**< Two's complement integer. */
    QNT_UINT = 1,     /**< Unsigned integer. */
    QNT_FLOAT = 2,    /**< IEEE binary16 or binary32. */
    QNT_BFLOAT = 4    /**< bfloat16. */
};

/** @brief A view of the caller's memory; never owns it. Layout of DLTensor, frozen for ever. */
typedef struct qnt_tensor {
    void *data;          /**< First byte; NULL only if the view has no elements. */
    int32_t device_type; /**< 1: CPU memory, the only one accepted. */
    int32_t device_id;   /**< Ignored. */
    int32_t ndim;        /**< 0 (a scalar) to #QNT_MAX_NDIM. */
    uint8_t dtype_code;  /**< #QNT_INT, #QNT_UINT, #QNT_FLOAT or #QNT_BFLOAT. */
    uint8_t dtype_bits;  /**< Bits of one element. */
    uint16_t dtype_lanes;/**< 1. */
    int64_t *shape;      /**< ndim extents, each at least 0. */
    int64_t *strides;    /**< ndim steps in elements, or NULL for compact row-major. */
    uint64_t byte_offset;/**< Added to data. */
} qnt_tensor;

/**
 * @brief Checks that a view is legal: device, type, rank, extents, and that its reach fits in
 * memory.
 * @param context for the reason.
 * @param tensor  the view; its elements are not touched.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SHAPE, #QNT_E_DTYPE, #QNT_E_DEVICE.
 */
QNT_API qnt_status qnt_tensor_check(const qnt_context *context, const qnt_tensor *tensor);

/**
 * @brief Size in bytes from the first to the last element that the view can touch.
 *
 * For a compact view this is the size of the buffer it needs. With negative strides the range
 * begins before `data`.
 * @param context    for the reason.
 * @param tensor     the view.
 * @param[out] bytes the size; 0 for a view without elements.
 * @return as qnt_tensor_check().
 */
QNT_API qnt_status qnt_tensor_bytes(const qnt_context *context, const qnt_tensor *tensor,
                                    uint64_t *bytes);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
