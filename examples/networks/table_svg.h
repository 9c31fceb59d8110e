/* Quantization tables as a picture: 8x8 squares, the darker the coarser, with their steps. */
#ifndef TABLE_SVG_H
#define TABLE_SVG_H

#include "qnt.h"

struct table_picture {
    const char *title; /* letters, digits, blanks */
    qnt_qtable table;
};

/* Side by side in one SVG file; the row-major order of the steps is that of the file. NULL, or a
 * sentence. */
const char *table_svg_write(const char *path, const struct table_picture *pictures, int count);

#endif
