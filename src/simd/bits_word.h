/* Words of bit planes as they were before odd ones became parities (slots_bits.h). */
#ifndef QNT__SIMD_BITS_WORD_H
#define QNT__SIMD_BITS_WORD_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

/* Word w of a column of a panel. The parities before and after a pair of words differ by both of them. */
static inline uint64_t qnt__bits_word(const uint64_t *column, size_t w)
{
    const uint64_t *at = column + w * QNT__PANEL;
    if (w % 2 == 0) return *at;
    return *at ^ *(at - QNT__PANEL) ^ (w > 1 ? *(at - 2 * QNT__PANEL) : 0);
}

/* Where the table of nibble n of a word is among its 16. */
static inline size_t qnt__bits_table(size_t n)
{
    return n / 8 * 8 + n % 2 * 4 + n % 8 / 2;
}

#endif
