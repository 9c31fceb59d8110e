/*
 * The envelope of every blob; doc/blobs.md is its description.
 *
 *    0  8  89 'Q' 'N' 'T' 0D 0A 1A 0A
 *    8  4  version of the format
 *   12  4  kind, a QNT_BLOB_ value
 *   16  8  length of the whole blob, a multiple of 64
 *   24  8  checksum: XXH64 with seed 0 of the whole blob, these 8 bytes taken as 0
 *   32  4  bytes of numbers
 *   36 28  0
 *   64     numbers, then 0 to the next multiple of 64
 *          data to the end: arrays, each begins at a multiple of 64 and is padded with 0
 */
#ifndef QNT__IO_FORMAT_H
#define QNT__IO_FORMAT_H

#include "context/context.h"
#include "qnt/io.h"

enum { QNT__BLOB_ALIGN = 64, QNT__BLOB_VERSION = 1 };

/* A blob taken apart. */
struct qnt__blob {
    const uint8_t *numbers;
    size_t numbers_bytes;
    const uint8_t *data;
    size_t data_bytes; /* a multiple of 64 */
};

/* Checks envelope, checksum and kind. Nothing that the blob says is trusted before. */
qnt_status qnt__blob_open(const qnt_context *context, const void *bytes, size_t size, int32_t kind,
                          struct qnt__blob *out);

/* Finds the length of a blob and, unless `bytes` is NULL, checks the capacity, writes the header
 * and zeros, and tells where numbers and data go. */
qnt_status qnt__blob_begin(const qnt_context *context, int32_t kind, size_t numbers_bytes,
                           size_t data_bytes, void *bytes, size_t capacity, size_t *length,
                           uint8_t **numbers, uint8_t **data);

/* Flags of a loader that can borrow: known ones, and aligned data with QNT_BORROW. */
qnt_status qnt__blob_check_flags(const qnt_context *context, const void *data, int32_t flags);

/* Room for a handle, and the blob's arrays: themselves if they are borrowed, else a copy. */
qnt_status qnt__blob_hold(const qnt_context *context, const struct qnt__memory *memory,
                          const struct qnt__blob *blob, bool borrowed, size_t handle_bytes,
                          void **handle, const void **data);

/* The status of a loader that asked another function about what a blob says: what that refuses
 * makes a damaged blob. */
static inline qnt_status qnt__blob_damage(qnt_status status)
{
    return status == QNT_E_NOMEM || status == QNT_OK ? status : QNT_E_FORMAT;
}

/* Writes the checksum of a blob whose header and content are complete. */
void qnt__blob_seal(uint8_t *bytes, size_t length);

#endif
