/**
 * @file io.h
 * @brief Blobs: the bytes of a quantizer, a layer, a kernel map or a layer of packed digits.
 *
 * @defgroup io Blobs
 * @{
 *
 * A blob is one self-contained, position-independent, little-endian range of bytes with a checksum;
 * the same bytes on every CPU. The library reads and writes memory, never files. Every blob of
 * every release loads for ever and gives the same results (doc/blobs.md).
 */
#ifndef QNT_IO_H
#define QNT_IO_H

#include "ckn.h"
#include "layer.h"
#include "lowbit.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a blob holds. */
enum {
    QNT_BLOB_QUANTIZER = 1, /**< A quantizer. */
    QNT_BLOB_LAYER = 2,     /**< A layer. */
    QNT_BLOB_CKN = 3,       /**< A kernel map. */
    QNT_BLOB_LOWBIT = 4     /**< A layer of packed digits. */
};

/**
 * @brief Looks at the header of a blob, for finding one blob after another in a file.
 * @param context for the reason.
 * @param data    the bytes; any alignment.
 * @param size    how many there are.
 * @param[out] kind    a QNT_BLOB_ value; may be NULL.
 * @param[out] version of the format; may be NULL.
 * @param[out] length  of this blob in bytes, a multiple of 64; may be NULL.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_FORMAT, #QNT_E_VERSION.
 */
QNT_API qnt_status qnt_blob_probe(const qnt_context *context, const void *data, size_t size,
                                  int32_t *kind, uint32_t *version, size_t *length);

/**
 * @brief Writes a quantizer: its spec and parameters, not what it observed.
 * @param context   for the reason.
 * @param quantizer fitted or set.
 * @param[out] data receives the blob; NULL to ask for the length only.
 * @param capacity  bytes at data.
 * @param[out] length bytes of the blob.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_quantizer_save(const qnt_context *context, const qnt_quantizer *quantizer,
                                      void *data, size_t capacity, size_t *length);

/**
 * @brief Reads a quantizer; data may be hostile.
 * @param context  memory and reasons; not kept.
 * @param data     the blob; any alignment; not kept.
 * @param size     bytes at data.
 * @param[out] out the quantizer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_FORMAT, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_quantizer_load(const qnt_context *context, const void *data, size_t size,
                                      qnt_quantizer **out);

/**
 * @brief Writes a layer: packed weights, scales, bias and geometry.
 * @param context   for the reason.
 * @param layer     the layer.
 * @param[out] data receives the blob; NULL to ask for the length only.
 * @param capacity  bytes at data.
 * @param[out] length bytes of the blob.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_layer_save(const qnt_context *context, const qnt_layer *layer, void *data,
                                  size_t capacity, size_t *length);

/**
 * @brief Reads a layer; data may be hostile.
 * @param context  memory and reasons; not kept.
 * @param data     the blob. With #QNT_BORROW it must be 64-byte aligned and must stay unchanged
 *                 until the layer is destroyed.
 * @param size     bytes at data.
 * @param flags    0 (copy) or #QNT_BORROW (allocate only the handle, and sums of
 *                 weights that padding needs).
 * @param[out] out the layer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_FORMAT, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_layer_load(const qnt_context *context, const void *data, size_t size,
                                  int32_t flags, qnt_layer **out);

/**
 * @brief Writes a kernel map: spec, anchors in their bits, and A.
 * @param context   for the reason.
 * @param ckn       fitted or set.
 * @param[out] data receives the blob; NULL to ask for the length only.
 * @param capacity  bytes at data.
 * @param[out] length bytes of the blob.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_STATE, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_ckn_save(const qnt_context *context, const qnt_ckn *ckn, void *data,
                                size_t capacity, size_t *length);

/**
 * @brief Reads a kernel map; data may be hostile.
 * @param context  memory and reasons; not kept.
 * @param data     the blob; any alignment; not kept.
 * @param size     bytes at data.
 * @param[out] out the layer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_FORMAT, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_ckn_load(const qnt_context *context, const void *data, size_t size,
                                qnt_ckn **out);

/**
 * @brief Writes a layer of packed digits: geometry, taps, thresholds, scale and shift.
 * @param context   for the reason.
 * @param layer     the layer.
 * @param[out] data receives the blob; NULL to ask for the length only.
 * @param capacity  bytes at data.
 * @param[out] length bytes of the blob.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_SPACE.
 */
QNT_API qnt_status qnt_lowbit_layer_save(const qnt_context *context, const qnt_lowbit_layer *layer,
                                         void *data, size_t capacity, size_t *length);

/**
 * @brief Reads a layer of packed digits; data may be hostile.
 * @param context  memory and reasons; not kept.
 * @param data     the blob. With #QNT_BORROW it must be 64-byte aligned and must stay unchanged
 *                 until the layer is destroyed.
 * @param size     bytes at data.
 * @param flags    0 (copy) or #QNT_BORROW (allocate only the handle, and filters of layers
 *                 that may run in tiles, see lowbit.h).
 * @param[out] out the layer; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_FORMAT, #QNT_E_VERSION, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_lowbit_layer_load(const qnt_context *context, const void *data, size_t size,
                                         int32_t flags, qnt_lowbit_layer **out);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
