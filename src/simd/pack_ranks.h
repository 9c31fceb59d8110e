/* Ranks as packed codes by the slots of a level, through a buffer that stays in the first cache. */
#ifndef QNT__SIMD_PACK_RANKS_H
#define QNT__SIMD_PACK_RANKS_H

#include "slots.h"

/* A function that does what the slot pack_ranks does, at one level; look_up_8 may be of one below. */
#define QNT__PACK_RANKS(name, isa, look_up)                                                        \
    void name(const struct qnt__thresholds *t, const uint8_t *code, const float *x, size_t n,      \
              int bits, bool stream, uint8_t *packed)                                              \
    {                                                                                              \
        enum { CODES = 4096 };                                                                     \
        uint8_t codes[CODES];                                                                      \
        for (size_t i = 0; i < n; i += CODES) {                                                    \
            const size_t some = n - i < CODES ? n - i : CODES;                                     \
            qnt__rank_f32_##isa(t, x + i, some, codes);                                            \
            qnt__look_up_8_##look_up(code, t->steps, codes, some, codes);                          \
            qnt__pack_codes_##isa(codes, some, bits, stream, packed + i / 8 * (size_t)bits);       \
        }                                                                                          \
    }

#endif
