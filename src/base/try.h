/* Early return on error. */
#ifndef QNT__BASE_TRY_H
#define QNT__BASE_TRY_H

#include "qnt/base.h"

#define QNT__TRY(call)                                                                             \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return status_;                                                     \
    } while (0)

#endif
