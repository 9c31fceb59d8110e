/*
 * Convolutions of digits in tiles (slots_lowbit.h), for GNU vectors of any width. The including file
 * defines VECTOR, bytes of a vector, INLINE and UNROLL.
 */
#include <string.h>

typedef uint8_t digits __attribute__((vector_size(VECTOR), aligned(1), may_alias));
typedef uint64_t words __attribute__((vector_size(VECTOR), aligned(1), may_alias));

INLINE digits load_digits(const uint8_t *from)
{
    return *(const digits *)(const void *)from;
}

/* Number r of a column of four pixels, filtered downwards. */
INLINE digits filter_down(const struct qnt__lowbit_pixels *p, size_t at, int r)
{
    const digits d = load_digits(p->line[r] + at);
    switch (r) {
    case 0: return d - load_digits(p->line[2] + at);
    case 1: return d + load_digits(p->line[2] + at);
    default: return d - load_digits(p->line[1] + at);
    }
}

INLINE void store_digits(uint8_t *to, digits v)
{
    *(digits *)(void *)to = v;
}

/* Bytes have no shifts: sums instead. */
INLINE digits twice(digits d)
{
    return d + d;
}

INLINE void filter_across(const digits d[6], uint8_t *to, size_t ld)
{
    const digits raised = d[4] + QNT__LOWBIT_RAISE, even = raised - d[2], odd = twice(d[3] - d[1]);
    const digits f = raised - twice(twice(d[2])), h = d[3] - twice(twice(d[1]));
    store_digits(to, twice(twice(d[0] - d[2])) + even);
    store_digits(to + ld, f + h);
    store_digits(to + 2 * ld, f - h);
    store_digits(to + 3 * ld, even + odd);
    store_digits(to + 4 * ld, even - odd);
    store_digits(to + 5 * ld, d[5] - d[3] + QNT__LOWBIT_RAISE - twice(odd));
}

INLINE void filter_narrow(const digits d[4], uint8_t *to, size_t ld)
{
    const digits m1 = twice(d[1]) + d[1], m2 = twice(d[2]) + d[2], m = QNT__LOWBIT_RAISE - m2;
    store_digits(to, twice(twice(d[0] - d[2])) + QNT__LOWBIT_RAISE);
    store_digits(to + ld, m - m1);
    store_digits(to + 2 * ld, m + m1);
    store_digits(to + 5 * ld, d[3] - d[1] + QNT__LOWBIT_RAISE);
}

/* Whole cache lines that are written next, as stores wait for one after the other; if they are so few that
 * the first cache holds them until products are made. More of them are in the way of products. */
INLINE void fetch(const struct qnt__lowbit_pixels *p, const uint8_t *to)
{
    if (VECTOR < 64 || p->bytes > VECTOR) return;
    UNROLL for (size_t j = 0; j < 6; j++) __builtin_prefetch(to + 4 * j * p->ld, 1);
}

/* VECTOR bytes of all tiles; neighbouring tiles share two columns. Line after line, as there are few
 * registers. */
INLINE void tile_bytes(const struct qnt__lowbit_pixels *p, size_t b)
{
    digits shared[2][4];
    uint8_t *to = p->to + b;
    for (int r = 0; r < 4; r++)
        for (size_t j = 0; j < 2; j++) shared[j][r] = filter_down(p, b + j * p->step, r);
    for (size_t i = 0; i < p->n; i++, to += p->bytes) {
        const size_t at = b + QNT__LOWBIT_TILE * i * p->step;
        const uint8_t *next = i + 1 < p->n ? to + p->bytes : to;
        UNROLL for (int r = 0; r < 4; r++)
        {
            fetch(p, next + (size_t)r * p->ld);
            digits d[6] = {shared[0][r], shared[1][r]};
            UNROLL for (size_t j = 2; j < 6; j++) d[j] = filter_down(p, at + j * p->step, r);
            filter_across(d, to + (size_t)r * p->ld, 4 * p->ld);
            shared[0][r] = d[4], shared[1][r] = d[5];
        }
    }
}

/* The same of narrow tiles: they end lines, so most have no neighbour. */
INLINE void tile_narrow_bytes(const struct qnt__lowbit_pixels *p, size_t b)
{
    for (size_t i = 0; i < p->n; i++) {
        const size_t at = b + QNT__LOWBIT_NARROW * i * p->step;
        uint8_t *to = p->to + i * p->bytes + b;
        UNROLL for (int r = 0; r < 4; r++)
        {
            digits d[4];
            UNROLL for (size_t j = 0; j < 4; j++) d[j] = filter_down(p, at + j * p->step, r);
            filter_narrow(d, to + (size_t)r * p->ld, 4 * p->ld);
        }
    }
}

INLINE void tile_some_bytes(const struct qnt__lowbit_pixels *p, size_t b)
{
    if (p->width == QNT__LOWBIT_TILE) tile_bytes(p, b);
    else tile_narrow_bytes(p, b);
}

/* The last ones once more rather than one by one. */
INLINE void tile_pixels(const struct qnt__lowbit_pixels *p)
{
    size_t b = 0;
    if (p->bytes < VECTOR) {
        qnt__tile_pixels_c(p);
        return;
    }
    for (; b + VECTOR <= p->bytes; b += VECTOR) tile_some_bytes(p, b);
    if (b < p->bytes) tile_some_bytes(p, p->bytes - VECTOR);
}

/*
 * Digits of one run of channels to its place: each third is written in whole vectors, and what is
 * beyond it is written again after that.
 */
INLINE void unpack_run(const uint8_t *x, size_t channels, uint8_t *to, size_t to_step)
{
    const size_t triples = (channels + 2) / 3;
    for (int s = 0; s < 3; s++) {
        for (size_t t = 0; t < triples; t += VECTOR) {
            words w = *(const words *)(const void *)(x + t) >> 2 * s & 0x0303030303030303u;
            *(words *)(void *)(to + (size_t)s * triples + t) = w;
        }
    }
    for (size_t c = channels; c < to_step; c++) to[c] = 0;
}

/* The last runs, of which vectors would read or write too much, one digit after the other. */
INLINE void unpack_lowbit(const uint8_t *x, size_t n, size_t channels, uint8_t *to, size_t to_step)
{
    const size_t triples = (channels + 2) / 3, whole = (triples + VECTOR - 1) / VECTOR * VECTOR;
    const size_t x_bytes = n * triples, to_bytes = n * to_step;
    size_t i = 0;
    for (; i < n; i++) {
        if (i * triples + whole > x_bytes || i * to_step + 2 * triples + whole > to_bytes) break;
        unpack_run(x + i * triples, channels, to + i * to_step, to_step);
    }
    qnt__unpack_lowbit_c(x + i * triples, n - i, channels, to + i * to_step, to_step);
}
