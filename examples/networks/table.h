/* The table that the demonstrations print. */
#ifndef TABLE_H
#define TABLE_H

#include "evaluate.h"
#include "quantized.h"

/* Title, and the float reference as the first row. */
void table_begin(const char *title, size_t bytes, const struct outcome *reference);
void table_row(const struct recipe *recipe, size_t bytes, const struct outcome *outcome,
               const struct outcome *reference, double decibel);
/* What an adaptive row found: mean bits of a weight, loss on the calibration samples. */
void table_adapted(double bits, double loss);
void table_gap(void);
void table_legend(void); /* what the columns mean */

const char *method_name(int method);

#endif
