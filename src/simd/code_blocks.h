/* What the coding of blocks has in common on all levels: which places of a block have a symbol; and
 * lists of symbols, for levels that have no instruction to press them together. */
#ifndef QNT__SIMD_CODE_BLOCKS_H
#define QNT__SIMD_CODE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "code_writer.h"
#include "dct.h"
#include "slots.h"

/*
 * From places with a level (bit k: the k-th of the diagonal order) to places with a symbol. The
 * mean always has one; so has the last of sixteen zeros in a row before a level, and the place
 * after the last level: both are then symbols of a level of size 0 behind a run, F0 and 00 of ITU-T
 * T.81, like all others.
 */
static inline uint64_t qnt__symbol_places(uint64_t places)
{
    places |= 1;
    const uint64_t last = (uint64_t)1 << 63 >> __builtin_clzll(places);
    for (;;) {
        uint64_t zeros = ~places & (last - 1);
        zeros &= zeros >> 1;
        zeros &= zeros >> 2;
        zeros &= zeros >> 4;
        zeros &= zeros >> 8; /* where sixteen begin */
        if (__builtin_expect(!zeros, 1)) return places | last << 1;
        places |= (zeros & (~zeros + 1)) << 15;
    }
}

enum { QNT__LISTED = 192, QNT__LIST_ROOM = QNT__LISTED + 64 + 8 };

/* Symbols of some blocks; when there are more than LISTED, it is time to put them, and there is
 * room for 8 levels of 0 behind them. */
struct qnt__symbols {
    size_t n;
    int16_t level[QNT__LIST_ROOM];
    uint16_t code[QNT__LIST_ROOM]; /* the entry of a level of size 0 behind the same run */
};

static inline void qnt__list_symbols(struct qnt__symbols *s, const struct qnt__coded_block *block)
{
    const int base = block->kind * (int)(sizeof(struct qnt__block_codes) / sizeof(uint32_t));
    uint64_t places = qnt__symbol_places(block->places);
    size_t n = s->n;
    int last = 0;
    s->level[n] = (int16_t)block->difference;
    s->code[n++] = (uint16_t)base;
    for (places &= places - 1; places; places &= places - 1, n++) {
        int k = __builtin_ctzll(places);
        s->level[n] = block->level[qnt__zigzag[k]];
        s->code[n] = (uint16_t)(base + QNT__MEAN_CODES + ((k - last - 1) << 4));
        last = k;
    }
    s->n = n;
}

/* Codes all symbols of the list and empties it; behind the last one are levels of 0, whose codes
 * are left out. */
typedef void qnt__put_list_fn(struct qnt__code_writer *w, const struct qnt__block_codes *codes,
                              struct qnt__symbols *list);

/* Counts the writer's bytes of ones and empties its buffer. */
typedef void qnt__count_bytes_fn(struct qnt__code_writer *w);

/* The slot code_blocks by lists. */
static inline __attribute__((always_inline)) void
qnt__code_lists(const struct qnt__block_codes *codes, const struct qnt__coded_block *blocks,
                size_t n, struct qnt__bit_stream *stream, qnt__put_list_fn *put_list,
                qnt__count_bytes_fn *count_bytes)
{
    struct qnt__code_writer w;
    struct qnt__symbols list;
    qnt__code_begin(&w, stream);
    list.n = 0;
    for (size_t b = 0; b < n; b++) {
        qnt__list_symbols(&list, &blocks[b]);
        if (list.n > QNT__LISTED) put_list(&w, codes, &list);
    }
    put_list(&w, codes, &list);
    count_bytes(&w);
    qnt__code_end(&w, stream);
}

#endif
