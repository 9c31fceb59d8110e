/* QNT_MSE beyond 8 bits. */
#ifndef QNT__QUANTIZER_FIT_WIDE_H
#define QNT__QUANTIZER_FIT_WIDE_H

#include "methods.h"

void qnt__fit_wide(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                   struct qnt__group_fit *fit);

#endif
