/* Standard tables, and what tables must be. */
#ifndef QNT__QTABLE_TABLES_H
#define QNT__QTABLE_TABLES_H

#include "context/context.h"
#include "qnt/qtable.h"

/* Tells the reason if there are not 1..most tables with steps from 1 to 255. */
qnt_status qnt__qtables_check(const qnt_context *context, const qnt_qtable *tables, size_t count,
                              size_t most);

/* What quantizing with a checked table needs. */
void qnt__steps_prepare(const qnt_qtable *table, struct qnt__steps *out);

#endif
