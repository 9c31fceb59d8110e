/*
 * The size of a baseline file: the blocks are coded as an encoder codes them, but the bytes are
 * only counted. Two codes for the first plane, two for the others.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "huffman.h"
#include "levels.h"
#include "simd/dct.h"

enum { CLASSES = 2, DC = QNT__HUFFMAN_DC, AC = QNT__HUFFMAN_AC, END = 0x00, SIXTEEN_ZEROS = 0xf0 };
enum { STRIP = 8 /* units at a time */ };

#define INLINE static inline __attribute__((always_inline))

/* How often each symbol is needed, and the codes made of that. */
struct codes {
    uint64_t count[CLASSES][2][256];
    struct qnt__huffman code[CLASSES][2];
};

/* What was laid out so far. It lives in registers: nobody outside of this file gets its address. */
struct bits {
    uint64_t word; /* the last 64 - room bits, of more significant ones whatever was there */
    int32_t room;  /* 0..64 */
    uint64_t words, stuffed; /* words of 64 bits before that, and bytes of ones in them */
    int32_t widest;          /* the largest magnitude but of means */
    bool wrong;              /* a mean was met that no baseline file holds */
};

/* Bits needed for the magnitude: at most 11 if levels are right, and never more than 15. */
INLINE unsigned category(int32_t value)
{
    unsigned magnitude = (unsigned)(value < 0 ? -value : value);
    return (31u - (unsigned)__builtin_clz(magnitude << 1 | 1)) & 15;
}

/* Bytes of ones in eight bytes, which mostly have none. */
INLINE unsigned full_bytes(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u;
    if (__builtin_expect(!((~bytes - ones) & bytes & ones << 7), 1)) return 0;
    unsigned full = 0;
    for (; bytes; bytes >>= 8) full += (bytes & 0xff) == 0xff;
    return full;
}

/* Appends at most 31 bits. */
INLINE void put(struct bits *b, uint32_t value, int32_t length)
{
    b->room -= length;
    if (b->room >= 0) {
        b->word = b->word << length | value;
        return;
    }
    int32_t over = -b->room; /* the bits that begin the next word */
    b->stuffed += full_bytes(b->word << (length - over) | value >> over);
    b->words++;
    b->word = value;
    b->room = 64 - over;
}

/* Either counts a symbol or appends its code and, behind it, the low bits of the value. */
INLINE void put_symbol(struct bits *b, struct codes *codes, bool counting, int plane_class,
                       int kind, unsigned symbol, unsigned extra, int32_t value)
{
    if (counting) {
        codes->count[plane_class][kind][symbol]++;
        return;
    }
    const struct qnt__huffman *code = &codes->code[plane_class][kind];
    uint32_t low = (uint32_t)(value + (value >> 31)) & ((1u << extra) - 1);
    put(b, (uint32_t)code->code[symbol] << extra | low, (int32_t)(code->length[symbol] + extra));
}

INLINE void code_block(struct bits *b, struct codes *codes, bool counting, int plane_class,
                       const int16_t *level, uint64_t places, int32_t *before)
{
    int32_t difference = level[0] - *before;
    unsigned extra = category(difference), next = 1;
    b->wrong |= level[0] < -1024 || level[0] > 1023;
    *before = level[0];
    put_symbol(b, codes, counting, plane_class, DC, extra, extra, difference);
    for (places &= ~(uint64_t)1; places; places &= places - 1) {
        unsigned k = (unsigned)__builtin_ctzll(places), run = k - next;
        int32_t value = level[qnt__zigzag[k]];
        next = k + 1;
        for (; __builtin_expect(run > 15, 0); run -= 16) {
            put_symbol(b, codes, counting, plane_class, AC, SIXTEEN_ZEROS, 0, 0);
        }
        extra = category(value);
        b->widest |= value < 0 ? -value : value;
        put_symbol(b, codes, counting, plane_class, AC, run << 4 | extra, extra, value);
    }
    if (next < 64) put_symbol(b, codes, counting, plane_class, AC, END, 0, 0);
}

/* Levels of some units of coding side by side, [row of blocks in the unit][blocks]. */
struct strip {
    const int16_t *level[QNT__MOST_PLANES][2];
    uint64_t places[QNT__MOST_PLANES][2][2 * STRIP];
    int16_t space[QNT__MOST_PLANES][2][2 * STRIP * 64];
};

static void fill_strip(const struct qnt__simd *simd, const qnt_image *image, size_t unit, size_t x,
                       size_t y, size_t units, struct strip *s)
{
    for (int32_t p = 0; p < image->planes; p++) {
        size_t side = p ? 1 : unit, blocks = units * side;
        for (size_t i = 0; i < side; i++) {
            s->level[p][i] =
                qnt__levels_of(simd, image, p, x * side, y * side + i, blocks, s->space[p][i]);
            simd->places_s16(s->level[p][i], blocks, s->places[p][i]);
        }
    }
}

/* All units of coding in raster order, in each the blocks of one plane after the other. */
INLINE struct bits code_image(const struct qnt__simd *simd, const qnt_image *image,
                              struct codes *codes, bool counting)
{
    struct strip strip;
    struct bits bits = {.room = 64};
    int32_t before[QNT__MOST_PLANES] = {0};
    size_t unit = image->planes == 3 ? (size_t)image->plane[1].shrink : 1;
    size_t across = image->plane[0].across / unit, down = image->plane[0].down / unit;
    for (size_t y = 0; y < down; y++) {
        for (size_t x = 0; x < across; x += STRIP) {
            size_t units = qnt__min(across - x, STRIP);
            fill_strip(simd, image, unit, x, y, units, &strip);
            for (size_t u = 0; u < units; u++) {
                for (size_t i = 0; i < unit * unit; i++) {
                    size_t at = u * unit + i % unit, row = i / unit;
                    code_block(&bits, codes, counting, 0, strip.level[0][row] + 64 * at,
                               strip.places[0][row][at], &before[0]);
                }
                for (int32_t p = 1; p < image->planes; p++) {
                    code_block(&bits, codes, counting, 1, strip.level[p][0] + 64 * u,
                               strip.places[p][0][u], &before[p]);
                }
            }
        }
    }
    return bits;
}

/* Apart, so that neither has the other's branches. */
static void count_symbols(const struct qnt__simd *simd, const qnt_image *image, struct codes *codes)
{
    memset(codes->count, 0, sizeof codes->count);
    code_image(simd, image, codes, true);
}

static struct bits lay_out(const struct qnt__simd *simd, const qnt_image *image,
                           struct codes *codes)
{
    return code_image(simd, image, codes, false);
}

/* Which level is wrong: baseline files hold differences of 11 bits and other levels of 10. */
static qnt_status explain_levels(const qnt_context *context, const qnt_image *image)
{
    for (int32_t p = 0; p < image->planes; p++) {
        const struct qnt__plane *plane = &image->plane[p];
        for (size_t i = 0; i < 64 * plane->across * plane->down; i++) {
            int32_t level = plane->level[i], most = i % 64 ? 1023 : 1024;
            if (level >= -most && level <= (i % 64 ? most : 1023)) continue;
            return qnt__fail(context, QNT_E_INVALID,
                             "component %d, block %zu: level %zu is %d, expected %d to 1023",
                             (int)p, i / 64, i % 64, (int)level, (int)-most);
        }
    }
    return QNT_OK;
}

/* SOI, APP0 of JFIF, a DQT for each table, SOF0, a DHT for each code, SOS, EOI. */
static uint64_t header_bytes(const struct codes *c, const qnt_image *image)
{
    uint64_t planes = (uint64_t)image->planes;
    uint64_t bytes = 2 + 18 + 69 * (uint64_t)image->tables + 10 + 3 * planes + 8 + 2 * planes + 2;
    for (int i = 0; i < (image->planes == 1 ? 1 : CLASSES); i++) {
        bytes += 21 + c->code[i][DC].symbols + 21 + c->code[i][AC].symbols;
    }
    return bytes;
}

static void choose_codes(const struct qnt__simd *simd, const qnt_image *image, int32_t huffman,
                         struct codes *codes)
{
    bool optimal = huffman == QNT_HUFFMAN_OPTIMAL;
    if (optimal) count_symbols(simd, image, codes);
    for (int plane_class = 0; plane_class < (image->planes == 1 ? 1 : CLASSES); plane_class++) {
        for (int kind = 0; kind < 2; kind++) {
            struct qnt__huffman *code = &codes->code[plane_class][kind];
            if (optimal)
                qnt__huffman_optimal(codes->count[plane_class][kind], code);
            else
                qnt__huffman_standard(plane_class, kind, code);
        }
    }
}

/* Full bytes among the last ones; ones follow them, at least to the end of the very last byte. */
static unsigned full_at_end(const struct bits *b)
{
    unsigned full = 0;
    for (int32_t left = 64 - b->room; left > 0; left -= 8) {
        uint64_t byte = left >= 8 ? b->word >> (left - 8) : b->word << (8 - left) | 0xffu >> left;
        full += (byte & 0xff) == 0xff;
    }
    return full;
}

qnt_status qnt_image_size(const qnt_context *context, const qnt_image *image, int32_t huffman,
                          qnt_image_bytes *bytes)
{
    if (!context) return QNT_E_INVALID;
    if (!image) return qnt__fail(context, QNT_E_INVALID, "image is NULL");
    if (huffman != QNT_HUFFMAN_STANDARD && huffman != QNT_HUFFMAN_OPTIMAL) {
        return qnt__fail(context, QNT_E_INVALID,
                         "huffman is %d, expected 0 (standard) or 1 (optimal)", (int)huffman);
    }
    qnt_image_bytes result;
    QNT__TRY(qnt__sized_read(context, "bytes", bytes, sizeof result, sizeof result, &result));
    if (!image->quantized)
        return qnt__fail(context, QNT_E_STATE, "the image has not been quantized");

    struct codes codes;
    choose_codes(&context->simd, image, huffman, &codes);
    struct bits bits = lay_out(&context->simd, image, &codes);
    if (bits.wrong || bits.widest > 1023) return explain_levels(context, image);
    result.reserved = 0;
    result.bits = 64 * bits.words + (uint64_t)(64 - bits.room);
    result.stuffed = bits.stuffed + full_at_end(&bits);
    result.header = header_bytes(&codes, image);
    result.entropy = (result.bits + 7) / 8 + result.stuffed;
    result.file = result.header + result.entropy;
    qnt__sized_write(bytes, &result, sizeof result);
    return QNT_OK;
}
