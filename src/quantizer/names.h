/* Names of constants as callers write them, for reasons. */
#ifndef QNT__QUANTIZER_NAMES_H
#define QNT__QUANTIZER_NAMES_H

#include <stdint.h>

/* Of a grain that was checked. */
const char *qnt__grain_name(int32_t grain);

/* QNT_P_SCALE and so on of quantizers; NULL if there is none. */
const char *qnt__parameter_name(int32_t param);

struct qnt__names {
    char text[136];
};

/* "QNT_SIGNED | QNT_LITERAL"; bits without a name as one number, none at all as "0". */
struct qnt__names qnt__flag_names(int32_t flags);

/* "QNT_AFFINE or QNT_EXP": those whose bits are set, 1 << scheme. */
struct qnt__names qnt__scheme_names(uint32_t schemes);

#endif
