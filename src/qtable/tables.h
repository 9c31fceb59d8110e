/* Standard tables and the order of coefficients. */
#ifndef QNT__QTABLE_TABLES_H
#define QNT__QTABLE_TABLES_H

#include "context/context.h"
#include "qnt/qtable.h"

/* qnt__zigzag[k] is the row-major place of the k-th coefficient of the diagonal order. */
extern const uint8_t qnt__zigzag[64];

/* Tells the reason if there are not 1..most tables with steps from 1 to 255. */
qnt_status qnt__qtables_check(const qnt_context *context, const qnt_qtable *tables, size_t count,
                              size_t most);

#endif
