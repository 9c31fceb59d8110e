/* Rows of codes into cells of levels, eight columns at a time. */
#include "../level_cells.h"

QNT__LEVEL_CELLS(avx2, qnt__interleave_rows_avx2, qnt__expand_levels_avx2, qnt__look_up_8_avx2)
