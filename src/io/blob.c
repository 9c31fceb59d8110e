/* The envelope of blobs: writing it, and believing nothing of it when reading. See format.h. */
#include "base/arith.h"
#include "base/try.h"
#include "checksum.h"
#include "format.h"
#include "stream.h"

enum { HEADER = QNT__BLOB_ALIGN, CHECKSUM_AT = 24 };

static const uint8_t magic[8] = {0x89, 'Q', 'N', 'T', '\r', '\n', 0x1a, '\n'};

struct header {
    int32_t version, kind, numbers_bytes;
    uint64_t length, checksum;
    uint8_t zeros[28];
};

static void exchange(struct qnt__stream *s, struct header *h)
{
    s->at = sizeof magic;
    qnt__stream_i32(s, &h->version);
    qnt__stream_i32(s, &h->kind);
    qnt__stream_u64(s, &h->length);
    qnt__stream_u64(s, &h->checksum);
    qnt__stream_i32(s, &h->numbers_bytes);
    for (size_t i = 0; i < sizeof h->zeros; i++) {
        h->zeros[i] = (uint8_t)qnt__stream_bits(s, h->zeros[i], 1);
    }
}

static uint64_t checksum_of(const uint8_t *bytes, size_t length)
{
    uint8_t head[HEADER];
    memcpy(head, bytes, HEADER);
    memset(head + CHECKSUM_AT, 0, sizeof(uint64_t));
    return qnt__checksum(head, bytes + HEADER, length - HEADER);
}

void qnt__blob_seal(uint8_t *bytes, size_t length)
{
    struct qnt__stream s = {.out = bytes, .at = CHECKSUM_AT};
    qnt__stream_bits(&s, checksum_of(bytes, length), sizeof(uint64_t));
}

/* Of a kind that this release reads. */
static const char *kind_name(int32_t kind)
{
    switch (kind) {
    case QNT_BLOB_QUANTIZER: return "quantizer";
    case QNT_BLOB_LAYER: return "layer";
    case QNT_BLOB_CKN: return "kernel map";
    default: return "layer of packed digits";
    }
}

static qnt_status check_header(const qnt_context *context, const struct header *h, size_t size)
{
    if (h->version < 1) {
        return qnt__fail(context, QNT_E_FORMAT, "data: version is %d, expected at least 1",
                         (int)h->version);
    }
    if (h->version > QNT__BLOB_VERSION) {
        return qnt__fail(context, QNT_E_VERSION,
                         "data: version is %d, but this release reads versions up to %d",
                         (int)h->version, QNT__BLOB_VERSION);
    }
    if (h->kind < QNT_BLOB_QUANTIZER || h->kind > QNT_BLOB_LOWBIT) {
        return qnt__fail(context, QNT_E_FORMAT, "data: kind is %d, expected %d to %d", (int)h->kind,
                         QNT_BLOB_QUANTIZER, QNT_BLOB_LOWBIT);
    }
    if (h->length > size || h->length < 2 * HEADER || h->length % QNT__BLOB_ALIGN != 0) {
        return qnt__fail(
            context, QNT_E_FORMAT,
            "data: the blob says it has %llu bytes, expected a multiple of %d from %d to "
            "size %zu",
            (unsigned long long)h->length, QNT__BLOB_ALIGN, 2 * HEADER, size);
    }
    if (h->numbers_bytes < 1 || (uint64_t)h->numbers_bytes > h->length - HEADER) {
        return qnt__fail(context, QNT_E_FORMAT, "data: %d bytes of numbers in a blob of %llu bytes",
                         (int)h->numbers_bytes, (unsigned long long)h->length);
    }
    for (size_t i = 0; i < sizeof h->zeros; i++) {
        if (h->zeros[i] == 0) continue;
        return qnt__fail(context, QNT_E_FORMAT, "data: reserved byte %zu is %d, expected 0",
                         HEADER - sizeof h->zeros + i, h->zeros[i]);
    }
    return QNT_OK;
}

static qnt_status read_header(const qnt_context *context, const void *bytes, size_t size,
                              struct header *h)
{
    if (!bytes) return qnt__fail(context, QNT_E_INVALID, "data is NULL");
    if (size < HEADER) {
        return qnt__fail(context, QNT_E_FORMAT, "size is %zu, expected at least %d for a header",
                         size, HEADER);
    }
    if (memcmp(bytes, magic, sizeof magic) != 0) {
        return qnt__fail(context, QNT_E_FORMAT, "data does not begin as a blob does");
    }
    struct qnt__stream s = {.in = bytes};
    *h = (struct header){0};
    exchange(&s, h);
    return check_header(context, h, size);
}

qnt_status qnt_blob_probe(const qnt_context *context, const void *data, size_t size, int32_t *kind,
                          uint32_t *version, size_t *length)
{
    struct header h;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(read_header(context, data, size, &h));
    if (kind) *kind = h.kind;
    if (version) *version = (uint32_t)h.version;
    if (length) *length = (size_t)h.length;
    return QNT_OK;
}

qnt_status qnt__blob_open(const qnt_context *context, const void *bytes, size_t size, int32_t kind,
                          struct qnt__blob *out)
{
    struct header h;
    QNT__TRY(read_header(context, bytes, size, &h));
    if (h.kind != kind) {
        return qnt__fail(context, QNT_E_FORMAT, "data holds a %s, expected a %s", kind_name(h.kind),
                         kind_name(kind));
    }
    const uint8_t *begin = bytes;
    uint64_t sum = checksum_of(begin, (size_t)h.length);
    if (sum != h.checksum) {
        return qnt__fail(context, QNT_E_FORMAT,
                         "data: the checksum is %016llx, but the bytes have %016llx",
                         (unsigned long long)h.checksum, (unsigned long long)sum);
    }
    size_t numbers = (size_t)h.numbers_bytes, padded = qnt__round_up(numbers, QNT__BLOB_ALIGN);
    for (size_t i = numbers; i < padded; i++) {
        if (begin[HEADER + i] == 0) continue;
        return qnt__fail(context, QNT_E_FORMAT, "data: the byte %zu between sections is not 0",
                         HEADER + i);
    }
    *out = (struct qnt__blob){begin + HEADER, numbers, begin + HEADER + padded,
                              (size_t)h.length - HEADER - padded};
    return QNT_OK;
}

qnt_status qnt__blob_begin(const qnt_context *context, int32_t kind, size_t numbers_bytes,
                           size_t data_bytes, void *bytes, size_t capacity, size_t *length,
                           uint8_t **numbers, uint8_t **data)
{
    size_t begin = HEADER + qnt__round_up(numbers_bytes, QNT__BLOB_ALIGN), all;
    if (!length) return qnt__fail(context, QNT_E_INVALID, "length is NULL");
    if (!qnt__add(begin, data_bytes, &all)) {
        return qnt__fail(context, QNT_E_SPACE, "a blob of %zu bytes and more overflows",
                         data_bytes);
    }
    if (bytes && capacity < all) {
        return qnt__fail(context, QNT_E_SPACE, "capacity is %zu, expected at least %zu", capacity,
                         all);
    }
    *length = all;
    if (!bytes) return QNT_OK;

    struct header h = {.version = QNT__BLOB_VERSION,
                       .kind = kind,
                       .length = all,
                       .numbers_bytes = (int32_t)numbers_bytes};
    struct qnt__stream s = {.out = bytes};
    memset(bytes, 0, all);
    memcpy(bytes, magic, sizeof magic);
    exchange(&s, &h);
    *numbers = s.out + HEADER;
    *data = s.out + begin;
    return QNT_OK;
}

qnt_status qnt__blob_check_flags(const qnt_context *context, const void *data, int32_t flags)
{
    if (flags & ~QNT_BORROW) {
        return qnt__fail(context, QNT_E_INVALID, "flags is 0x%x, expected 0 or QNT_BORROW",
                         (unsigned)flags);
    }
    if (!(flags & QNT_BORROW) || (uintptr_t)data % QNT__BLOB_ALIGN == 0) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "data is not %d-byte aligned, as QNT_BORROW needs it",
                     QNT__BLOB_ALIGN);
}

qnt_status qnt__blob_hold(const qnt_context *context, const struct qnt__memory *memory,
                          const struct qnt__blob *blob, bool borrowed, size_t handle_bytes,
                          void **handle, const void **data)
{
    void *copy;
    *data = blob->data;
    QNT__TRY(qnt__allocate(context, memory, handle_bytes, handle));
    if (borrowed) return QNT_OK;
    qnt_status status = qnt__allocate(context, memory, blob->data_bytes, &copy);
    if (status != QNT_OK) {
        qnt__free(memory, *handle, handle_bytes);
        return status;
    }
    memcpy(copy, blob->data, blob->data_bytes);
    *data = copy;
    return QNT_OK;
}
