/* Version and status names. The contract is in qnt/base.h. */
#include "qnt/base.h"


/* One row for each status: value, name, sentence. */
#define STATUSES(X)                                                                                \
    X(QNT_OK, "done")                                                                              \
    X(QNT_E_INVALID, "an argument is missing, out of range or contradicts another")                \
    X(QNT_E_SHAPE, "a shape, stride or extent does not fit")                                       \
    X(QNT_E_DTYPE, "the element type is not accepted here")                                        \
    X(QNT_E_UNSUPPORTED, "this release does not serve the request")                                \
    X(QNT_E_STATE, "the handle is not ready for this call")                                        \
    X(QNT_E_NOMEM, "the allocator returned no memory")                                             \
    X(QNT_E_SPACE, "a buffer or workspace is too small")                                           \
    X(QNT_E_FORMAT, "the blob is damaged or is none")                                              \
    X(QNT_E_VERSION, "the struct or blob comes from a newer release")                              \
    X(QNT_E_CANCELLED, "the progress hook asked to stop")                                          \
    X(QNT_E_DEVICE, "the tensor is not in CPU memory")                                             \
    X(QNT_E_PARALLEL, "the parallel hook reported a failure")

uint32_t qnt_version(void)
{
    return QNT_VERSION;
}

const char *qnt_version_string(void)
{
    return "1.0.0";
}

const char *qnt_status_name(qnt_status status)
{
    switch (status) {
#define NAME(status_, text_)                                                                       \
    case status_: return #status_;
        STATUSES(NAME)
#undef NAME
    default: return "QNT_E_?";
    }
}

const char *qnt_status_text(qnt_status status)
{
    switch (status) {
#define SENTENCE(status_, text_)                                                                   \
    case status_: return text_;
        STATUSES(SENTENCE)
#undef SENTENCE
    default: return "unknown status";
    }
}
