/*
 * Sums of products of tiles become results (slots_lowbit.h), for GNU vectors of any width. The including
 * file includes lowbit_multiply.h before, and defines what that needs, and
 *     NARROW_32(a, b)   two vectors of 32-bit numbers as one of 16, in any order
 *     ORDERED(a)        what is in order, in that order
 *     NARROW_16(a, b)   two of those, of 0 to 3, as one of bytes, in any order
 *     RESTORED(a)       those in order again
 *     UNROLL
 */
typedef int32_t lanes __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef int16_t shorts __attribute__((vector_size(VECTOR), aligned(2), may_alias));
typedef uint8_t bytes __attribute__((vector_size(VECTOR), aligned(1), may_alias));

enum { PIXELS = 2 * QNT__LOWBIT_TILE };

/* y[4 r + j] of a vector of columns of a tile; of a narrow one j is 0 and 3. */
INLINE void join(const struct qnt__lowbit_tiles *t, const int32_t *m, wraps y[PIXELS])
{
    UNROLL for (size_t r = 0; r < 2; r++, m += t->ld, y += QNT__LOWBIT_TILE) {
        wraps x[6] = {{0}};
        UNROLL for (size_t j = 0; j < 6; j++)
        {
            if (t->width == QNT__LOWBIT_TILE || (j != 3 && j != 4))
                x[j] = load_wraps(m + 2 * j * t->ld);
        }
        const wraps p = (x[1] + x[2]) << 2, q = (x[1] - x[2]) << 2, s = x[3] + x[4],
                    d = x[3] - x[4];
        y[0] = (x[0] << 1) + s - p;
        y[1] = (d << 1) - q;
        y[2] = (s << 2) - p;
        y[3] = ((d + x[5]) << 3) - q;
    }
}

/* Which y is pixel k of 2 lines, and where it is in its line. */
INLINE size_t find_y(const struct qnt__lowbit_tiles *t, size_t k)
{
    return t->width == QNT__LOWBIT_TILE ? k : k / 2 * QNT__LOWBIT_TILE + k % 2 * 3;
}

INLINE size_t place(const struct qnt__lowbit_tiles *t, size_t i, size_t k)
{
    return i * t->apart + k % t->width * t->step;
}

INLINE void join_sums(const struct qnt__lowbit_tiles *t, size_t i, size_t c)
{
    wraps y[PIXELS];
    join(t, t->m + i * QNT__LOWBIT_COLUMNS + c, y);
    for (size_t k = 0; k < 2 * t->width; k++)
        store_wraps(t->sums[k / t->width] + place(t, i, k) + c,
                    (wraps)((lanes)y[find_y(t, k)] >> 4) * 0xaaaaaaabu);
}

/* What is compared with half a vector's columns: thresholds, and what s is flipped with. */
INLINE void load_limits(const struct qnt__lowbit_tiles *t, size_t c, shorts limit[4])
{
    UNROLL for (size_t k = 0; k < 3; k++)
        limit[k] = ORDERED(*(const shorts *)(const void *)(t->limit + k * QNT__LOWBIT_COLUMNS + c));
    limit[3] = ORDERED(*(const shorts *)(const void *)(t->flip + c));
}

INLINE shorts count(wraps a, wraps b, const shorts limit[4])
{
    const shorts s = NARROW_32((lanes)a >> 5, (lanes)b >> 5) ^ limit[3];
    return (shorts){0} - (s >= limit[0]) - (s >= limit[1]) - (s >= limit[2]);
}

/* As many columns as a vector has bytes. */
INLINE void join_codes(const struct qnt__lowbit_tiles *t, size_t i, size_t c, shorts limit[2][4])
{
    wraps y[4][PIXELS];
    for (size_t v = 0; v < 4; v++)
        join(t, t->m + i * QNT__LOWBIT_COLUMNS + c + v * LANES_32, y[v]);
    for (size_t k = 0; k < 2 * t->width; k++) {
        const size_t at = find_y(t, k);
        const shorts low = count(y[0][at], y[1][at], limit[0]),
                     high = count(y[2][at], y[3][at], limit[1]);
        *(bytes *)(void *)(t->codes[k / t->width] + place(t, i, k) + c) =
            RESTORED(NARROW_16(low, high));
    }
}

INLINE void join_tiles(const struct qnt__lowbit_tiles *t)
{
    for (size_t c = 0; t->limit && c < t->columns; c += VECTOR) {
        shorts limit[2][4];
        load_limits(t, c, limit[0]);
        load_limits(t, c + VECTOR / 2, limit[1]);
        for (size_t i = 0; i < t->n; i++) join_codes(t, i, c, limit);
    }
    for (size_t i = 0; !t->limit && i < t->n; i++)
        for (size_t c = 0; c < t->columns; c += LANES_32) join_sums(t, i, c);
}
