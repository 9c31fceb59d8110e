/**
 * @file base.h
 * @brief Version, status codes and the rules that hold for every function of libqnt.
 *
 * @defgroup base Base
 * @{
 *
 * **Errors.** Every function that can fail returns a #qnt_status and takes the context first. The
 * status says what kind of error it was; the reason, a sentence that names the argument, what was
 * found and what was expected, goes to the context's log hook before the function returns. All
 * arguments are checked before anything is written.
 *
 * **Ownership.** Handles given out belong to the caller, who destroys them. Everything passed in is
 * borrowed for the duration of the call and never kept, unless a function says otherwise.
 *
 * **Threads.** A `const` handle may be used by any number of threads at once. A handle that is not
 * `const` must be used by one thread and by nobody else meanwhile.
 *
 * **Growth.** A struct that begins with `size` may grow in later releases: set `size` to
 * `sizeof` the struct and zero the rest. Zero always asks for the default.
 *
 * **Numbers.** Encoding, decoding, kernels and layers give the same bytes on every CPU, for every
 * CPU mask and for every number of workers.
 */
#ifndef QNT_BASE_H
#define QNT_BASE_H

#include <stddef.h>
#include <stdint.h>

/** @brief Marks a public function; a caller never needs to define it. */
#if defined(__GNUC__)
#define QNT_API __attribute__((visibility("default")))
#else
#define QNT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** @brief #QNT_OK or one of the negative QNT_E_ values. */
typedef int32_t qnt_status;

enum {
    QNT_OK = 0,             /**< Done. */
    QNT_E_INVALID = -1,     /**< An argument is NULL, out of range or contradicts another. */
    QNT_E_SHAPE = -2,       /**< A shape, stride or extent does not fit. */
    QNT_E_DTYPE = -3,       /**< The element type is not accepted here. */
    QNT_E_UNSUPPORTED = -4, /**< A legal request that this release does not serve. */
    QNT_E_STATE = -5,       /**< The handle is not ready, e.g. not fitted yet. */
    QNT_E_NOMEM = -6,       /**< The allocator returned NULL. */
    QNT_E_SPACE = -7,       /**< A buffer or workspace of the caller is too small. */
    QNT_E_FORMAT = -8,      /**< A blob is damaged or is none. */
    QNT_E_VERSION = -9,     /**< A struct or blob comes from a newer release. */
    QNT_E_CANCELLED = -10,  /**< The progress hook asked to stop. */
    QNT_E_DEVICE = -11,     /**< The tensor is not in CPU memory. */
    QNT_E_PARALLEL = -12    /**< The parallel hook reported a failure. */
};

/** @brief The version of these headers: major << 16 | minor << 8 | patch. */
#define QNT_VERSION 0x010000

/**
 * @brief Version of the library at run time, as #QNT_VERSION is built.
 * @return major << 16 | minor << 8 | patch. Never fails; any thread.
 */
QNT_API uint32_t qnt_version(void);

/**
 * @brief Version of the library at run time as text, e.g. "1.0.0".
 * @return a static string. Never fails; any thread.
 */
QNT_API const char *qnt_version_string(void);

/**
 * @brief Name of a status, e.g. "QNT_E_SHAPE".
 * @param status any value; unknown ones are named "QNT_E_?".
 * @return a static string. Never fails; any thread.
 */
QNT_API const char *qnt_status_name(qnt_status status);

/**
 * @brief One sentence for a status. The reason in a concrete case goes to the log hook.
 * @param status any value.
 * @return a static string. Never fails; any thread.
 */
QNT_API const char *qnt_status_text(qnt_status status);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
