/* Codes of tiles in triples (slots_lowbit.h) by way of bytes, where no instruction takes a shorter one. */
#ifndef QNT__SIMD_LOWBIT_PACKED_H
#define QNT__SIMD_LOWBIT_PACKED_H

#include <stdbool.h>

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
    const bool dense = t->apart == t->width * t->step;
    some.triples = 0;
    some.step = WIDE;
    some.apart = t->width * WIDE;
    for (size_t r = 0; r < 2; r++) some.codes[r] = codes[r];
    for (size_t i = 0; i < t->n; i += TILES) {
        some.m = t->m + i * qnt__lowbit_row(t->paired, t->columns);
        some.n = t->n - i < TILES ? t->n - i : TILES;
        join(&some);
        const size_t together = dense ? some.n : 1;
        for (size_t k = 0; k < some.n; k += together)
            for (size_t r = 0; r < 2; r++)
                pack(codes[r] + k * some.apart, WIDE, together * t->width, t->triples,
                     t->codes[r] + (i + k) * t->apart, t->step);
    }
}

#endif
