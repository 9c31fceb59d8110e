/* Codes of tiles in triples (slots_lowbit.h) by way of bytes, where no instruction takes a shorter one. */
#ifndef QNT__SIMD_LOWBIT_PACKED_H
#define QNT__SIMD_LOWBIT_PACKED_H

#include "slots.h"

typedef void qnt__join_fn(const struct qnt__lowbit_tiles *t);
typedef void qnt__pack_fn(const uint8_t *codes, size_t step, size_t n, size_t triples, uint8_t *to,
                          size_t to_step);

static inline void qnt__join_packed(const struct qnt__lowbit_tiles *t, qnt__join_fn *join,
                                    qnt__pack_fn *pack)
{
    enum { TILES = 4, PIXELS = TILES * QNT__LOWBIT_TILE, WIDE = QNT__LOWBIT_COLUMNS + 2 };
    uint8_t codes[2][PIXELS * WIDE] = {{0}}; /* none is written behind the columns */
    struct qnt__lowbit_tiles some = *t;
    some.triples = 0;
    some.step = WIDE;
    for (size_t r = 0; r < 2; r++) some.codes[r] = codes[r];
    for (size_t i = 0; i < t->n; i += TILES) {
        some.m = t->m + i * QNT__LOWBIT_COLUMNS;
        some.n = t->n - i < TILES ? t->n - i : TILES;
        join(&some);
        for (size_t r = 0; r < 2; r++)
            pack(codes[r], WIDE, some.n * QNT__LOWBIT_TILE, t->triples,
                 t->codes[r] + QNT__LOWBIT_TILE * i * t->step, t->step);
    }
}

#endif
