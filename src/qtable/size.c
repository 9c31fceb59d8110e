/*
 * The size of a baseline file: the blocks are coded as an encoder codes them, but the bytes are only
 * counted. Two codes for the first plane, two for the others.
 */
#include <string.h>

#include "base/try.h"
#include "huffman.h"
#include "image.h"
#include "tables.h"

enum { CLASSES = 2, DC = QNT__HUFFMAN_DC, AC = QNT__HUFFMAN_AC, END = 0x00, SIXTEEN_ZEROS = 0xf0 };

/* Either counts symbols or lays out bits. */
struct coder {
    uint64_t count[CLASSES][2][256];
    struct qnt__huffman code[CLASSES][2];
    bool counting;
    uint64_t word; /* the last `pending` bits, not yet in bytes */
    unsigned pending;
    uint64_t bits, stuffed;
};

/* Bits needed for the magnitude. */
static unsigned category(int32_t value)
{
    unsigned magnitude = (unsigned)(value < 0 ? -value : value);
    return magnitude ? 32u - (unsigned)__builtin_clz(magnitude) : 0;
}

static void put(struct coder *c, uint32_t value, unsigned length)
{
    c->word = c->word << length | value;
    c->pending += length;
    c->bits += length;
    while (c->pending >= 8) {
        c->pending -= 8;
        c->stuffed += (c->word >> c->pending & 0xff) == 0xff;
    }
}

static void put_symbol(struct coder *c, int plane_class, int kind, unsigned symbol, int32_t value)
{
    if (c->counting) {
        c->count[plane_class][kind][symbol]++;
        return;
    }
    const struct qnt__huffman *code = &c->code[plane_class][kind];
    unsigned extra = symbol & 15; /* the symbol's category: DC symbols are below 12 */
    put(c, code->code[symbol], code->length[symbol]);
    uint32_t low = (uint32_t)(value < 0 ? value - 1 : value) & ((1u << extra) - 1);
    if (extra) put(c, low, extra);
}

static void code_block(struct coder *c, int plane_class, const int16_t *level, int32_t *before)
{
    int32_t difference = level[0] - *before;
    *before = level[0];
    put_symbol(c, plane_class, DC, category(difference), difference);
    unsigned run = 0;
    for (int k = 1; k < 64; k++) {
        int32_t value = level[qnt__zigzag[k]];
        if (value == 0) {
            run++;
            continue;
        }
        for (; run > 15; run -= 16) put_symbol(c, plane_class, AC, SIXTEEN_ZEROS, 0);
        put_symbol(c, plane_class, AC, run << 4 | category(value), value);
        run = 0;
    }
    if (run) put_symbol(c, plane_class, AC, END, 0);
}

/* All units of coding in raster order, in each the blocks of one plane after the other. */
static void code_image(struct coder *c, const qnt_image *image)
{
    int32_t before[QNT__MOST_PLANES] = {0};
    size_t unit = image->planes == 3 ? (size_t)image->plane[1].shrink : 1;
    for (size_t uy = 0; uy < image->plane[0].down / unit; uy++) {
        for (size_t ux = 0; ux < image->plane[0].across / unit; ux++) {
            for (int32_t p = 0; p < image->planes; p++) {
                const struct qnt__plane *plane = &image->plane[p];
                size_t side = p ? 1 : unit;
                for (size_t i = 0; i < side * side; i++) {
                    size_t y = uy * side + i / side, x = ux * side + i % side;
                    code_block(c, p > 0, plane->level + 64 * (y * plane->across + x), &before[p]);
                }
            }
        }
    }
}

/* Baseline files hold differences of 11 bits and other levels of 10. */
static qnt_status check_levels(const qnt_context *context, const qnt_image *image)
{
    for (int32_t p = 0; p < image->planes; p++) {
        const struct qnt__plane *plane = &image->plane[p];
        for (size_t i = 0; i < 64 * plane->across * plane->down; i++) {
            int32_t level = plane->level[i], most = i % 64 ? 1023 : 1024;
            if (level >= -most && level <= (i % 64 ? most : 1023)) continue;
            return qnt__fail(context, QNT_E_INVALID,
                             "component %d, block %zu: level %zu is %d, expected %d to 1023", (int)p,
                             i / 64, i % 64, (int)level, (int)-most);
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
    if (huffman == QNT_HUFFMAN_OPTIMAL) {
        c->counting = true;
        code_image(c, image);
        c->counting = false;
    }
    for (int plane_class = 0; plane_class < CLASSES; plane_class++) {
        for (int kind = 0; kind < 2; kind++) {
            struct qnt__huffman *code = &c->code[plane_class][kind];
            if (huffman == QNT_HUFFMAN_STANDARD) qnt__huffman_standard(plane_class, kind, code);
            else qnt__huffman_optimal(c->count[plane_class][kind], code);
        }
    }
}

qnt_status qnt_image_size(const qnt_context *context, const qnt_image *image, int32_t huffman,
                          qnt_image_bytes *bytes)
{
    if (!context) return QNT_E_INVALID;
    if (!image) return qnt__fail(context, QNT_E_INVALID, "image is NULL");
    if (huffman != QNT_HUFFMAN_STANDARD && huffman != QNT_HUFFMAN_OPTIMAL) {
        return qnt__fail(context, QNT_E_INVALID, "huffman is %d, expected 0 (standard) or 1 (optimal)",
                         (int)huffman);
    }
    qnt_image_bytes result;
    QNT__TRY(qnt__sized_read(context, "bytes", bytes, sizeof result, sizeof result, &result));
    if (!image->quantized) return qnt__fail(context, QNT_E_STATE, "the image has not been quantized");
    QNT__TRY(check_levels(context, image));

    struct coder coder = {.word = 0};
    choose_codes(&coder, image, huffman);
    code_image(&coder, image);
    result.bits = coder.bits;
    if (coder.pending) put(&coder, 0xffu >> coder.pending, 8 - coder.pending);
    result.reserved = 0;
    result.header = header_bytes(&coder, image);
    result.stuffed = coder.stuffed;
    result.entropy = coder.bits / 8 + coder.stuffed;
    result.file = result.header + result.entropy;
    qnt__sized_write(bytes, &result, sizeof result);
    return QNT_OK;
}
