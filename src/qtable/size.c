/*
 * The size of a baseline file: the blocks are coded as an encoder codes them, but the bytes are only
 * counted. Two codes for the first plane, two for the others.
 */
#include <string.h>

#include "base/try.h"
#include "huffman.h"
#include "image.h"
#include "simd/dct.h"

enum { CLASSES = 2, DC = QNT__HUFFMAN_DC, AC = QNT__HUFFMAN_AC, END = 0x00, SIXTEEN_ZEROS = 0xf0 };

#define INLINE static inline __attribute__((always_inline))

struct coder {
    const struct qnt__simd *simd;
    struct qnt__huffman code[CLASSES][2];
    uint64_t word; /* the last `pending` bits, not yet in bytes, below others that are */
    unsigned pending;
    uint64_t bits, stuffed;
    bool wrong; /* a level was met that no baseline file holds; the sums mean nothing then */
};

/* How often each symbol is needed. */
struct histogram {
    uint64_t count[CLASSES][2][256];
};

/* Bits needed for the magnitude: at most 11 if levels are right, and never more than 15. */
INLINE unsigned category(int32_t value)
{
    unsigned magnitude = (unsigned)(value < 0 ? -value : value);
    return (magnitude ? 32u - (unsigned)__builtin_clz(magnitude) : 0) & 15;
}

/* Bytes of ones in four bytes. */
static unsigned full_bytes(uint32_t bytes)
{
    uint32_t zeros = ~bytes;
    if (!((zeros - 0x01010101u) & bytes & 0x80808080u)) return 0;
    unsigned full = 0;
    for (; bytes; bytes >>= 8) full += (bytes & 0xff) == 0xff;
    return full;
}

/* Appends at most 32 bits. */
INLINE void put(struct coder *c, uint32_t value, unsigned length)
{
    c->word = c->word << length | value;
    c->pending += length;
    c->bits += length;
    if (c->pending < 32) return;
    c->pending -= 32;
    c->stuffed += full_bytes((uint32_t)(c->word >> c->pending));
}

/* Either counts a symbol or appends its code and, behind it, the low bits of the value. */
INLINE void put_symbol(struct coder *c, struct histogram *h, int plane_class, int kind,
                       unsigned symbol, unsigned extra, int32_t value)
{
    if (h) {
        h->count[plane_class][kind][symbol]++;
        return;
    }
    const struct qnt__huffman *code = &c->code[plane_class][kind];
    uint32_t low = (uint32_t)(value < 0 ? value - 1 : value) & ((1u << extra) - 1);
    put(c, (uint32_t)code->code[symbol] << extra | low, code->length[symbol] + extra);
}

INLINE void code_block(struct coder *c, struct histogram *h, int plane_class, const int16_t *level,
                       uint64_t places, int32_t *before)
{
    int32_t difference = level[0] - *before, widest = 0;
    unsigned extra = category(difference), last = 0;
    c->wrong |= level[0] < -1024 || level[0] > 1023;
    *before = level[0];
    put_symbol(c, h, plane_class, DC, extra, extra, difference);
    for (places &= ~(uint64_t)1; places; places &= places - 1) {
        unsigned k = (unsigned)__builtin_ctzll(places), run = k - last - 1;
        int32_t value = level[qnt__zigzag[k]];
        for (; run > 15; run -= 16) put_symbol(c, h, plane_class, AC, SIXTEEN_ZEROS, 0, 0);
        extra = category(value);
        widest |= value < 0 ? -value : value;
        put_symbol(c, h, plane_class, AC, run << 4 | extra, extra, value);
        last = k;
    }
    c->wrong |= widest > 1023;
    if (last < 63) put_symbol(c, h, plane_class, AC, END, 0, 0);
}

/* All units of coding in raster order, in each the blocks of one plane after the other. */
INLINE void code_units(struct coder *c, struct histogram *h, const qnt_image *image)
{
    int32_t before[QNT__MOST_PLANES] = {0};
    size_t unit = image->planes == 3 ? (size_t)image->plane[1].shrink : 1;
    for (size_t uy = 0; uy < image->plane[0].down / unit; uy++) {
        for (size_t ux = 0; ux < image->plane[0].across / unit; ux++) {
            for (int32_t p = 0; p < image->planes; p++) {
                const struct qnt__plane *plane = &image->plane[p];
                size_t side = p ? 1 : unit;
                for (size_t i = 0; i < side; i++) {
                    size_t at = (uy * side + i) * plane->across + ux * side;
                    uint64_t places[2];
                    c->simd->places_s16(plane->level + 64 * at, side, places);
                    for (size_t j = 0; j < side; j++) {
                        const int16_t *level = plane->level + 64 * (at + j);
                        code_block(c, h, p > 0, level, places[j], &before[p]);
                    }
                }
            }
        }
    }
}

/* Apart, so that neither has the other's branches. */
static void count_symbols(struct coder *c, struct histogram *h, const qnt_image *image)
{
    memset(h, 0, sizeof *h);
    code_units(c, h, image);
}

static void lay_out(struct coder *c, const qnt_image *image)
{
    code_units(c, NULL, image);
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
static uint64_t header_bytes(const struct coder *c, const qnt_image *image)
{
    uint64_t planes = (uint64_t)image->planes;
    uint64_t bytes = 2 + 18 + 69 * (uint64_t)image->tables + 10 + 3 * planes + 8 + 2 * planes + 2;
    for (int i = 0; i < (image->planes == 1 ? 1 : CLASSES); i++) {
        bytes += 21 + c->code[i][DC].symbols + 21 + c->code[i][AC].symbols;
    }
    return bytes;
}

static void choose_codes(struct coder *c, const qnt_image *image, int32_t huffman)
{
    struct histogram histogram;
    bool optimal = huffman == QNT_HUFFMAN_OPTIMAL;
    if (optimal) count_symbols(c, &histogram, image);
    for (int plane_class = 0; plane_class < (image->planes == 1 ? 1 : CLASSES); plane_class++) {
        for (int kind = 0; kind < 2; kind++) {
            struct qnt__huffman *code = &c->code[plane_class][kind];
            if (optimal) qnt__huffman_optimal(histogram.count[plane_class][kind], code);
            else qnt__huffman_standard(plane_class, kind, code);
        }
    }
}

/* Fills the last byte with ones. */
static void finish(struct coder *c)
{
    unsigned missing = (8 - c->pending % 8) % 8;
    c->word = c->word << missing | ((1u << missing) - 1);
    for (c->pending += missing; c->pending; c->pending -= 8) {
        c->stuffed += (c->word >> (c->pending - 8) & 0xff) == 0xff;
    }
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

    struct coder coder;
    coder.simd = &context->simd;
    coder.word = coder.bits = coder.stuffed = coder.pending = 0;
    coder.wrong = false;
    choose_codes(&coder, image, huffman);
    lay_out(&coder, image);
    if (coder.wrong) return explain_levels(context, image);
    finish(&coder);
    result.bits = coder.bits;
    result.reserved = 0;
    result.header = header_bytes(&coder, image);
    result.stuffed = coder.stuffed;
    result.entropy = (coder.bits + 7) / 8 + coder.stuffed;
    result.file = result.header + result.entropy;
    qnt__sized_write(bytes, &result, sizeof result);
    return QNT_OK;
}
