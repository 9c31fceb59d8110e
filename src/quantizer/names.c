/* Names of constants, for reasons. */
#include "names.h"

#include <stddef.h>

#include "schemes.h"

const char *qnt__grain_name(int32_t grain)
{
    static const char *const names[] = {"QNT_PER_TENSOR", "QNT_PER_AXIS", "QNT_PER_BLOCK"};
    return names[grain];
}

const char *qnt__parameter_name(int32_t param)
{
    static const char *const names[] = {
        [QNT_P_SCALE] = "QNT_P_SCALE",
        [QNT_P_ZERO] = "QNT_P_ZERO",
        [QNT_P_OFFSET] = "QNT_P_OFFSET",
        [QNT_P_LOW] = "QNT_P_LOW",
        [QNT_P_HIGH] = "QNT_P_HIGH",
        [QNT_P_COEF] = "QNT_P_COEF",
        [QNT_P_COUNT] = "QNT_P_COUNT",
        [QNT_P_BASE] = "QNT_P_BASE",
        [QNT_P_ALPHA] = "QNT_P_ALPHA",
        [QNT_P_BETA] = "QNT_P_BETA",
        [QNT_P_LEVELS] = "QNT_P_LEVELS",
        [QNT_P_THRESHOLDS] = "QNT_P_THRESHOLDS",
        [QNT_P_PERCENTILE] = "QNT_P_PERCENTILE",
        [QNT_P_DISTRIBUTION] = "QNT_P_DISTRIBUTION",
        [QNT_P_SAMPLES] = "QNT_P_SAMPLES",
        [QNT_P_BINS] = "QNT_P_BINS",
        [QNT_P_NODES] = "QNT_P_NODES",
        [QNT_P_BUDGET] = "QNT_P_BUDGET",
        [QNT_P_TOLERANCE] = "QNT_P_TOLERANCE",
        [QNT_P_ROUNDS] = "QNT_P_ROUNDS",
        [QNT_P_EXTRA] = "QNT_P_EXTRA",
        [QNT_P_ERROR] = "QNT_P_ERROR",
        [QNT_P_BOUND] = "QNT_P_BOUND",
        [QNT_P_VISITED] = "QNT_P_VISITED",
        [QNT_P_OBSERVED] = "QNT_P_OBSERVED",
        [QNT_P_MIN] = "QNT_P_MIN",
        [QNT_P_MAX] = "QNT_P_MAX",
        [QNT_P_STORED] = "QNT_P_STORED",
        [QNT_P_OVERHEAD] = "QNT_P_OVERHEAD",
    };
    return param >= 0 && param < (int32_t)(sizeof names / sizeof *names) ? names[param] : NULL;
}

/* Appends text; the longest list there is fits. */
static char *put(char *at, const char *text)
{
    while (*text) *at++ = *text++;
    return at;
}

static char *put_next(const struct qnt__names *names, char *at, const char *between, const char *name)
{
    if (at > names->text) at = put(at, between);
    return put(at, name);
}

struct qnt__names qnt__flag_names(int32_t flags)
{
    static const char *const of_bit[] = {"QNT_SIGNED",    "QNT_SYMMETRIC", "QNT_NARROW",
                                         "QNT_DYNAMIC",   "QNT_LITERAL",   "QNT_REAL_OFFSET",
                                         "QNT_THRESHOLDS"};
    enum { BITS = sizeof of_bit / sizeof *of_bit };
    const uint32_t rest = (uint32_t)flags >> BITS << BITS;
    struct qnt__names names = {""}; /* ends with zeros */
    char *at = names.text, number[] = "0x00000000";
    for (int i = 0; i < BITS; i++)
        if (flags >> i & 1) at = put_next(&names, at, " | ", of_bit[i]);
    for (int i = 0; i < 8; i++) number[9 - i] = "0123456789abcdef"[rest >> 4 * i & 15];
    if (rest) at = put_next(&names, at, " | ", number);
    if (!flags) put(at, "0");
    return names;
}

struct qnt__names qnt__scheme_names(uint32_t schemes)
{
    struct qnt__names names = {""};
    char *at = names.text;
    for (int32_t i = 0; qnt__scheme_of(i); i++)
        if (schemes >> i & 1) at = put_next(&names, at, " or ", qnt__scheme_of(i)->name);
    return names;
}
