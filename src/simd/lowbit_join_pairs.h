/*
 * Pairs of sums of products of tiles become codes (slots_lowbit.h), for GNU vectors of any width: a lane of
 * 32 bits has the words of a column and of the 16th after it. The including file defines VECTOR, bytes of a
 * vector, INLINE and UNROLL.
 */
#include "layout.h"

typedef uint32_t pair_lanes __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef uint16_t columns_16 __attribute__((vector_size(VECTOR), aligned(2), may_alias));
typedef int16_t signed_16 __attribute__((vector_size(VECTOR), aligned(2), may_alias));
typedef uint8_t quarter __attribute__((vector_size(VECTOR / 4), aligned(1), may_alias));

enum { DWORDS = VECTOR / 4 };

/* Words of columns from c on and of those 16 behind. */
INLINE signed_16 two_by_two(const int16_t *from)
{
    pair_lanes v;
    for (size_t k = 0; k < DWORDS; k++)
        v[k] = (uint16_t)from[k] | (uint32_t)(uint16_t)from[QNT__PANEL + k] << 16;
    return (signed_16)v;
}

/* Of a line of a tile 8 times the sums of four pixels; those of a narrow one are 0 and 3. */
INLINE void join_pairs(const struct qnt__lowbit_tiles *t, const int32_t *m,
                       columns_16 y[QNT__LOWBIT_TILE])
{
    columns_16 x[6] = {{0}};
    UNROLL for (size_t j = 0; j < 6; j++)
    {
        if (t->width == QNT__LOWBIT_TILE || (j != 3 && j != 4))
            x[j] = *(const columns_16 *)(const void *)(m + 2 * j * t->ld);
    }
    const columns_16 p = (x[1] + x[2]) << 2, q = (x[1] - x[2]) << 2, s = x[3] + x[4],
                     d = x[3] - x[4];
    y[0] = ((x[0] << 1) + s - p) * 0xaaab;
    y[1] = ((d << 1) - q) * 0xaaab;
    y[2] = ((s << 2) - p) * 0xaaab;
    y[3] = (((d + x[5]) << 3) - q) * 0xaaab;
}

/* Codes of one line of tile i, of columns from c on and 16 behind, which pairs from `at` on hold. */
INLINE void count_pairs(const struct qnt__lowbit_tiles *t, size_t i, size_t r, size_t at, size_t c,
                        const signed_16 limit[4])
{
    columns_16 y[QNT__LOWBIT_TILE];
    join_pairs(t, t->m + r * t->ld + i * t->columns / 2 + at, y);
    for (size_t k = 0; k < t->width; k++) {
        const signed_16 s = (signed_16)y[t->width == QNT__LOWBIT_TILE ? k : 3 * k] ^ limit[3];
        const signed_16 count =
            (signed_16){0} - (s >= limit[0]) - (s >= limit[1]) - (s >= limit[2]);
        const pair_lanes codes = (pair_lanes)count;
        uint8_t *to = t->codes[r] + i * t->apart + k * t->step + c;
        *(quarter *)(void *)to = __builtin_convertvector(codes & 0xff, quarter);
        *(quarter *)(void *)(to + QNT__PANEL) = __builtin_convertvector(codes >> 16, quarter);
    }
}

INLINE void join_tiles_of_pairs(const struct qnt__lowbit_tiles *t)
{
    for (size_t at = 0; at < t->columns / 2; at += DWORDS) {
        const size_t c = at / QNT__PANEL * 2 * QNT__PANEL + at % QNT__PANEL;
        signed_16 limit[4];
        UNROLL for (size_t k = 0; k < 3; k++)
        {
            limit[k] = two_by_two(t->limit + k * QNT__LOWBIT_COLUMNS + c);
        }
        limit[3] = two_by_two(t->flip + c);
        for (size_t i = 0; i < t->n; i++)
            for (size_t r = 0; r < 2; r++) count_pairs(t, i, r, at, c, limit);
    }
}
