/* Portable definition of coding blocks as a baseline encoder does, of which only counts are
 * kept. */
#include "../code_blocks.h"

#include "../dct.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* A stream in registers. */
struct open {
    uint64_t word;           /* its last 64 - room bits, above them whatever was there */
    int32_t room;            /* 0..64 */
    uint64_t words, stuffed; /* words of 64 bits before that, and bytes of ones in them */
};

/* Bits needed for the magnitude. */
INLINE uint32_t category(int32_t value)
{
    uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
    return 31u - (uint32_t)__builtin_clz(magnitude << 1 | 1);
}

/* Bytes of ones in eight bytes, which mostly have none. */
INLINE uint64_t full_bytes(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u;
    if (__builtin_expect(!((~bytes - ones) & bytes & ones << 7), 1)) return 0;
    uint64_t full = 0;
    for (; bytes; bytes >>= 8) full += (bytes & 0xff) == 0xff;
    return full;
}

/* Appends at most 31 bits. */
INLINE void put(struct open *s, uint32_t value, int32_t length)
{
    s->room -= length;
    if (s->room >= 0) {
        s->word = s->word << length | value;
        return;
    }
    int32_t over = -s->room; /* the bits that begin the next word */
    s->stuffed += full_bytes(s->word << (length - over) | value >> over);
    s->words++;
    s->word = value;
    s->room = 64 - over;
}

/* A code and, behind it, the low bits of the value. */
INLINE void put_symbol(struct open *s, uint32_t entry, uint32_t extra, int32_t value)
{
    uint32_t low = (uint32_t)(value + (value >> 31)) & ((1u << extra) - 1);
    put(s, entry >> 5 | low, (int32_t)(entry & 31));
}

INLINE void code(struct open *s, const struct qnt__block_codes *codes,
                 const struct qnt__coded_block *block)
{
    uint64_t places = qnt__symbol_places(block->places);
    uint32_t extra = category(block->difference), next = 1;
    put_symbol(s, codes->entry[extra], extra, block->difference);
    for (places &= places - 1; places; places &= places - 1) {
        uint32_t k = (uint32_t)__builtin_ctzll(places), run = k - next;
        int32_t value = block->level[qnt__zigzag[k]];
        next = k + 1;
        extra = category(value);
        put_symbol(s, codes->entry[QNT__MEAN_CODES + (run << 4 | extra)], extra, value);
    }
}

void qnt__code_blocks_c(const struct qnt__block_codes *codes, const struct qnt__coded_block *blocks,
                        size_t n, struct qnt__bit_stream *stream)
{
    struct open s = {.word = stream->rest, .room = 64 - (int32_t)(stream->bits % 8)};
    const uint64_t before = stream->bits - stream->bits % 8;
    for (size_t b = 0; b < n; b++) code(&s, &codes[blocks[b].kind], &blocks[b]);
    const uint64_t bits = 64 * s.words + (uint64_t)(64 - s.room), rest = bits % 8;
    for (int32_t i = (int32_t)rest; i < 64 - s.room; i += 8) {
        s.stuffed += (s.word >> i & 0xff) == 0xff;
    }
    stream->bits = before + bits;
    stream->stuffed += s.stuffed;
    stream->rest = (uint32_t)s.word & ((1u << rest) - 1);
}
