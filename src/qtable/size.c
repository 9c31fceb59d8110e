/*
 * The size of a baseline file: the blocks are coded as an encoder codes them, but the bytes are
 * only counted. Two codes for the first plane, two for the others.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "huffman.h"
#include "levels.h"
#include "simd/code_blocks.h"
#include "simd/dct.h"

enum { CLASSES = 2, DC = QNT__HUFFMAN_DC, AC = QNT__HUFFMAN_AC };
enum { STRIP = 8 /* units at a time */, UNIT = 6 /* blocks of a unit at most */ };

/* How often each symbol is needed, and the codes made of that. */
struct codes {
    uint64_t count[CLASSES][2][256];
    struct qnt__huffman code[CLASSES][2];
    struct qnt__block_codes ready[CLASSES];
};

/* Bits needed for the magnitude. */
static unsigned category(int32_t value)
{
    unsigned magnitude = (unsigned)(value < 0 ? -value : value);
    return 31u - (unsigned)__builtin_clz(magnitude << 1 | 1);
}

static void count_block(struct codes *codes, const struct qnt__coded_block *block)
{
    uint64_t(*count)[256] = codes->count[block->kind];
    uint64_t places = qnt__symbol_places(block->places);
    unsigned next = 1;
    count[DC][category(block->difference)]++;
    for (places &= places - 1; places; places &= places - 1) {
        unsigned k = (unsigned)__builtin_ctzll(places), run = k - next;
        count[AC][run << 4 | category(block->level[qnt__zigzag[k]])]++;
        next = k + 1;
    }
}

/* Either counts symbols or lays out their codes. */
struct coder {
    const struct qnt__simd *simd;
    struct codes *codes;
    bool counting;
    int32_t mean[QNT__MOST_PLANES]; /* of the block before */
    struct qnt__bit_stream stream;
    struct qnt__coded_block block[STRIP * UNIT];
    size_t blocks;
};

static void add_block(struct coder *c, int32_t plane, const int16_t *level, uint64_t places)
{
    c->block[c->blocks++] = (struct qnt__coded_block){.level = level,
                                                      .places = places,
                                                      .difference = level[0] - c->mean[plane],
                                                      .kind = plane > 0};
    c->mean[plane] = level[0];
}

static void code_strip(struct coder *c)
{
    if (c->counting)
        for (size_t i = 0; i < c->blocks; i++) count_block(c->codes, &c->block[i]);
    else
        c->simd->code_blocks(c->codes->ready, c->block, c->blocks, &c->stream);
    c->blocks = 0;
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
static void code_image(struct coder *c, const qnt_image *image)
{
    struct strip strip;
    size_t unit = image->planes == 3 ? (size_t)image->plane[1].shrink : 1;
    size_t across = image->plane[0].across / unit, down = image->plane[0].down / unit;
    for (size_t y = 0; y < down; y++) {
        for (size_t x = 0; x < across; x += STRIP) {
            size_t units = qnt__min(across - x, STRIP);
            fill_strip(c->simd, image, unit, x, y, units, &strip);
            for (size_t u = 0; u < units; u++) {
                for (size_t i = 0; i < unit * unit; i++) {
                    size_t at = u * unit + i % unit, row = i / unit;
                    add_block(c, 0, strip.level[0][row] + 64 * at, strip.places[0][row][at]);
                }
                for (int32_t p = 1; p < image->planes; p++)
                    add_block(c, p, strip.level[p][0] + 64 * u, strip.places[p][0][u]);
            }
            code_strip(c);
        }
    }
}

/* Baseline files hold means of 11 bits and other levels of 10. The library's own levels are not
 * larger, but the caller may have changed those he sees. */
static qnt_status check_levels(const qnt_context *context, const qnt_image *image)
{
    for (int32_t p = 0; image->seen && p < image->planes; p++) {
        const struct qnt__plane *plane = &image->plane[p];
        for (size_t i = 0; i < 64 * plane->across * plane->down; i++) {
            int32_t level = plane->level[i], least = i % 64 ? -1023 : -1024;
            if (level >= least && level <= 1023) continue;
            return qnt__fail(context, QNT_E_INVALID,
                             "component %d, block %zu: level %zu is %d, expected %d to 1023",
                             (int)p, i / 64, i % 64, (int)level, (int)least);
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

/* Codes in the form of the slot; symbols that no level of 10 bits has are left out. */
static void prepare_codes(const struct qnt__huffman code[2], struct qnt__block_codes *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned s = 0; s < QNT__MEAN_CODES + 256; s++) {
        bool mean = s < QNT__MEAN_CODES;
        unsigned symbol = mean ? s : s - QNT__MEAN_CODES, extra = symbol & 15;
        const struct qnt__huffman *from = &code[mean ? DC : AC];
        if (extra > (mean ? 11 : 10)) continue;
        out->entry[s] =
            (uint32_t)from->code[symbol] << (extra + 5) | (from->length[symbol] + extra);
    }
}

static void choose_codes(struct coder *c, const qnt_image *image, int32_t huffman)
{
    bool optimal = huffman == QNT_HUFFMAN_OPTIMAL;
    struct codes *codes = c->codes;
    if (optimal) {
        struct coder counter = {.simd = c->simd, .codes = codes, .counting = true};
        memset(codes->count, 0, sizeof codes->count);
        code_image(&counter, image);
    }
    for (int kind = 0; kind < (image->planes == 1 ? 1 : CLASSES); kind++) {
        for (int i = 0; i < 2; i++) {
            struct qnt__huffman *code = &codes->code[kind][i];
            if (optimal)
                qnt__huffman_optimal(codes->count[kind][i], code);
            else
                qnt__huffman_standard(kind, i, code);
        }
        prepare_codes(codes->code[kind], &codes->ready[kind]);
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
    QNT__TRY(check_levels(context, image));

    struct codes codes;
    struct coder coder = {.simd = &context->simd, .codes = &codes};
    choose_codes(&coder, image, huffman);
    code_image(&coder, image);
    const struct qnt__bit_stream *s = &coder.stream;
    const unsigned spare = (unsigned)(-s->bits % 8); /* filled with ones */
    bool full = spare && ((s->rest + 1) << spare) - 1 == 0xff;
    result.reserved = 0;
    result.bits = s->bits;
    result.stuffed = s->stuffed + full;
    result.header = header_bytes(&codes, image);
    result.entropy = (result.bits + 7) / 8 + result.stuffed;
    result.file = result.header + result.entropy;
    qnt__sized_write(bytes, &result, sizeof result);
    return QNT_OK;
}
