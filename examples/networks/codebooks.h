/* Recipes with weights that are not affine: sums of points, tables, exponents. */
#ifndef CODEBOOKS_H
#define CODEBOOKS_H

#include "quantized.h"

enum { MOST_CODEBOOKS = 80 };

/* Writes the rows and returns how many, at most MOST_CODEBOOKS; groups of rows are separated by gaps. */
int list_codebooks(struct recipe *out);

#endif
