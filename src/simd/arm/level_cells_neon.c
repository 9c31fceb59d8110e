/* Rows of codes into cells of levels, four columns at a time. */
#include "../level_cells.h"

QNT__LEVEL_CELLS(neon, qnt__interleave_rows_neon, qnt__expand_levels_neon, qnt__look_up_8_neon)
