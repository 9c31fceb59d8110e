/* Recipes with weights that are not affine: sums of points, tables, exponents. */
#ifndef CODEBOOKS_H
#define CODEBOOKS_H

#include "quantized.h"

/* Writes the rows and returns how many; groups of rows are separated by gaps. At most 48. */
int list_codebooks(struct recipe *out);

#endif
