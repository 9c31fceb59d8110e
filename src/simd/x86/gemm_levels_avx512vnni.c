/* Products with packed numbers of levels: fields are cut out, VPSHUFB looks them up. */
#include "cells_avx512vnni.h"

struct lookup {
    __m512i table; /* all levels in each 128 bits */
};

INLINE struct lookup make_lookup(const int8_t *levels, int bits)
{
    int8_t all[16] = {0};
    memcpy(all, levels, (size_t)1 << bits);
    return (struct lookup){_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)all))};
}

INLINE __m512i find_levels(const struct lookup *l, const uint8_t *cell, int bits, int f)
{
    return _mm512_shuffle_epi8(l->table, cell_field(cell, bits, f));
}

#include "levels_avx512vnni.h"

void qnt__gemm_levels_avx512vnni(const struct qnt__gemm *g, const int8_t *levels)
{
    multiply_levels(g, levels);
}
