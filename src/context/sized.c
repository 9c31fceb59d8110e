/* Reading and writing structs that begin with their size and may grow in later releases. */
#include <string.h>

#include "base/arith.h"
#include "context.h"

qnt_status qnt__sized_read(const qnt_context *context, const char *name, const void *from,
                           size_t first, size_t own, void *out)
{
    if (!from) return qnt__fail(context, QNT_E_INVALID, "%s is NULL", name);
    uint32_t size;
    memcpy(&size, from, sizeof size);
    if (size < first) {
        return qnt__fail(context, QNT_E_INVALID,
                         "%s: size is %lu, expected at least %zu: set it to sizeof the struct", name,
                         (unsigned long)size, first);
    }
    const uint8_t *bytes = from;
    for (size_t i = own; i < size; i++) {
        if (bytes[i] != 0) {
            return qnt__fail(context, QNT_E_VERSION,
                             "%s: byte %zu is %d, but this release knows %zu bytes only", name, i,
                             bytes[i], own);
        }
    }
    memset(out, 0, own);
    memcpy(out, from, qnt__min(size, own));
    return QNT_OK;
}

void qnt__sized_write(void *to, const void *from, size_t own)
{
    uint32_t size;
    memcpy(&size, to, sizeof size);
    memcpy((uint8_t *)to + sizeof size, (const uint8_t *)from + sizeof size,
           qnt__min(size, own) - sizeof size);
}
