/*
 * Products of tiles become sums or codes (slots_lowbit.h), for GNU vectors of any width. The including
 * file defines VECTOR, bytes of a vector, and INLINE.
 */
typedef int32_t lanes __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef uint32_t wraps __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef int16_t halves __attribute__((vector_size(VECTOR / 2), aligned(2), may_alias));
typedef uint8_t bytes __attribute__((vector_size(VECTOR / 4), aligned(1), may_alias));

enum { LANES_32 = VECTOR / 4 };

INLINE lanes widen(const int16_t *from)
{
    return __builtin_convertvector(*(const halves *)(const void *)from, lanes);
}

INLINE void join_sum(const struct qnt__lowbit_tiles *t, wraps y, int place, size_t at, size_t c)
{
    const int r = place / 2;
    y += *(const wraps *)(const void *)(t->bias + place * QNT__LOWBIT_COLUMNS + c);
    lanes v = (lanes)y >> 2;
    if (!t->limit) {
        *(lanes *)(void *)(t->sums[r] + at) = v;
        return;
    }
    lanes count = {0};
    v ^= widen(t->flip + c);
    for (size_t k = 0; k < 3; k++) count -= v >= widen(t->limit + k * QNT__LOWBIT_COLUMNS + c);
    *(bytes *)(void *)(t->codes[r] + at) = __builtin_convertvector(count, bytes);
}

INLINE void join_tiles(const struct qnt__lowbit_tiles *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c += LANES_32) {
            const size_t at = 2 * i * QNT__LOWBIT_COLUMNS + c;
            wraps row[2][4];
            for (size_t j = 0; j < 4; j++) {
                const wraps *m = (const void *)(t->m + j * t->ld + i * QNT__LOWBIT_COLUMNS + c);
                const size_t down = 4 * t->ld / LANES_32;
                wraps m1 = m[down], m2 = m[2 * down];
                row[0][j] = m[0] + m1 + m2;
                row[1][j] = m1 - m2 - m[3 * down];
            }
            for (int r = 0; r < 2; r++) {
                const wraps *y = row[r];
                join_sum(t, y[0] + y[1] + y[2], 2 * r, at, c);
                join_sum(t, y[1] - y[2] - y[3], 2 * r + 1, at + QNT__LOWBIT_COLUMNS, c);
            }
        }
    }
}
