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

INLINE wraps load_wraps(const int32_t *from)
{
    return *(const wraps *)(const void *)from;
}

/* What becomes of y of one pixel. */
INLINE void keep(const struct qnt__lowbit_tiles *t, wraps y, size_t r, size_t j, size_t i, size_t c)
{
    const size_t at = (QNT__LOWBIT_TILE * i + j) * t->step + c;
    y += *(const wraps *)(const void *)(t->bias + (QNT__LOWBIT_TILE * r + j) * QNT__LOWBIT_COLUMNS +
                                        c);
    if (!t->limit) {
        *(wraps *)(void *)(t->sums[r] + at) = (wraps)((lanes)y >> 4) * 0xaaaaaaabu;
        return;
    }
    lanes count = {0}, s = ((lanes)y >> 5) ^ widen(t->flip + c);
    for (size_t k = 0; k < 3; k++) count -= s >= widen(t->limit + k * QNT__LOWBIT_COLUMNS + c);
    *(bytes *)(void *)(t->codes[r] + at) = __builtin_convertvector(count, bytes);
}

INLINE void join_tiles(const struct qnt__lowbit_tiles *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c += LANES_32) {
            wraps row[2][6];
            for (size_t j = 0; j < 6; j++) {
                const int32_t *at = t->m + j * t->ld + i * QNT__LOWBIT_COLUMNS + c;
                const size_t down = 6 * t->ld;
                const wraps m0 = load_wraps(at), m1 = load_wraps(at + down),
                            m2 = load_wraps(at + 2 * down), m3 = load_wraps(at + 3 * down);
                row[0][j] = m0 + m1 + m2;
                row[1][j] = m1 - m2 - m3;
            }
            for (size_t r = 0; r < 2; r++) {
                const wraps *m = row[r], p = (m[1] + m[2]) << 2, q = (m[1] - m[2]) << 2;
                const wraps s = m[3] + m[4], d = m[3] - m[4];
                keep(t, (m[0] << 1) + s - p, r, 0, i, c);
                keep(t, (d << 1) - q, r, 1, i, c);
                keep(t, (s << 2) - p, r, 2, i, c);
                keep(t, ((d + m[5]) << 3) - q, r, 3, i, c);
            }
        }
    }
}
