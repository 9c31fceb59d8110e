/* The table that the demonstrations print. */
#ifndef TABLE_H
#define TABLE_H

#include "evaluate.h"
#include "quantized.h"

/* Title, and the float reference as the first row. */
void table_begin(const char *title, size_t bytes, const struct outcome *reference);
void table_row(const struct recipe *recipe, size_t bytes, const struct outcome *outcome,
               const struct outcome *reference, double decibel);
/* What an adaptive row found: mean bits of a weight and of an input (0: not exponential), loss on the
 * calibration samples. */
void table_adapted(double weight_bits, double input_bits, double loss);
/* The bits alone, beside those that DNA-TEQ reports. */
void table_bits(double weight_bits, double input_bits);
void table_gap(void);
void table_legend(void); /* what the columns mean */

const char *method_name(int method);

#endif
