/* Rows of codes into cells of levels, a cell at a time. */
#include "../level_cells.h"

QNT__LEVEL_CELLS(avx512vnni, qnt__interleave_rows_avx512vnni, qnt__expand_levels_avx512vnni,
                 qnt__look_up_8_avx2)
