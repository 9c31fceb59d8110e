/* Integer arithmetic that cannot overflow silently. Every size computation goes through here. */
#ifndef QNT__BASE_ARITH_H
#define QNT__BASE_ARITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *out = a * b; false, and *out untouched, if that does not fit. */
static inline bool qnt__mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

/* *out = a + b; false, and *out untouched, if that does not fit. */
static inline bool qnt__add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

static inline size_t qnt__min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t qnt__max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* a / b rounded up; b > 0, and never overflows. */
static inline size_t qnt__ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

/* a rounded up to a multiple of b; the caller knows that it fits. */
static inline size_t qnt__round_up(size_t a, size_t b)
{
    return qnt__ceil_div(a, b) * b;
}

#endif
