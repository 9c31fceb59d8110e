/* QNT_DYNAMIC outside of layers: parameters found from the tensor at hand. */
#ifndef QNT__QUANTIZER_DYNAMIC_H
#define QNT__QUANTIZER_DYNAMIC_H

#include "quantizer.h"

/* Fills *found, a copy of the quantizer with parameters for every group of x; the caller frees them
 * with qnt__parameters_free. x need not be flattened. */
qnt_status qnt__dynamic_open(const qnt_context *context, const qnt_quantizer *quantizer,
                             const struct qnt__grouping *grouping, const struct qnt__view *x,
                             qnt_quantizer *found);

#endif
