/*
 * Cells of codes into words in three steps, a few cells at a time: fields become bytes, the bytes of four k
 * of a column pairs, pairs of bytes pairs of words.
 *
 *     QNT__EXPAND_WORDS(isa, expand_levels, pair_codes, look_up_16) defines the slot of a level, with
 *     pair_codes(cells, n, pairs): n cells of 8 bits become 2 n half cells of 32 bytes; byte 2 c + j of
 *     half cell e belongs to column c and k = 2 e + j.
 */
#ifndef QNT__SIMD_EXPAND_WORDS_H
#define QNT__SIMD_EXPAND_WORDS_H

#include "layout.h"
#include "slots.h"

enum { QNT__FEW_CELLS = 4, QNT__FEW_BYTES = QNT__FEW_CELLS * QNT__PANEL * 16 };

#define QNT__EXPAND_WORDS(isa, expand_levels, pair_codes, look_up_16)                              \
    void qnt__expand_words_##isa(const struct qnt__expand_words *words)                            \
    {                                                                                              \
        const int bits = words->bits;                                                              \
        const size_t bytes = qnt__cell_bytes(bits), depth = qnt__cell_depth(bits);                 \
        uint8_t expanded[QNT__FEW_BYTES], pairs[QNT__FEW_BYTES];                                   \
        int8_t same[128];                                                                          \
        int16_t *out = words->out;                                                                 \
        for (int i = 0; i < 128; i++) same[i] = (int8_t)i;                                         \
        struct qnt__expand e = {                                                                   \
            .cell = words->cell, .bits = bits, .levels = same, .out = expanded};                   \
        for (size_t left = words->cells; left > 0; left -= e.cells) {                              \
            e.cells = left < QNT__FEW_CELLS ? left : QNT__FEW_CELLS;                               \
            const size_t n = e.cells * depth * QNT__PANEL;                                         \
            if (bits < 8) expand_levels(&e);                                                       \
            pair_codes(bits < 8 ? expanded : e.cell, n / 64, pairs);                               \
            look_up_16(words->words, words->field_bits, pairs, n, out);                            \
            e.cell += e.cells * bytes;                                                             \
            out += n;                                                                              \
        }                                                                                          \
    }

#endif
