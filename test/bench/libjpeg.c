/* libjpeg-turbo as a peer; without it, functions that say so. */
#include "libjpeg.h"

#ifdef HAVE_LIBJPEG

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

struct encoder {
    struct jpeg_compress_struct compress;
    struct jpeg_error_mgr errors;
    unsigned char *buffer;
    unsigned long room;
};

const char *encoder_version(void)
{
#ifdef LIBJPEG_TURBO_VERSION
    return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
#else
    return "libjpeg";
#endif
}

struct encoder *encoder_create(const uint16_t step[64], int width, int height)
{
    struct encoder *e = calloc(1, sizeof *e);
    unsigned int table[64];
    if (!e) exit(1);
    e->room = (unsigned long)(width * height * 4 + 4096);
    e->buffer = malloc(e->room);
    if (!e->buffer) exit(1);
    e->compress.err = jpeg_std_error(&e->errors);
    jpeg_create_compress(&e->compress);
    e->compress.image_width = (JDIMENSION)width;
    e->compress.image_height = (JDIMENSION)height;
    e->compress.input_components = 3;
    e->compress.in_color_space = JCS_RGB;
    jpeg_set_defaults(&e->compress);
    for (int i = 0; i < 64; i++) table[i] = step[i];
    jpeg_add_quant_table(&e->compress, 0, table, 100, TRUE);
    for (int c = 0; c < 3; c++) e->compress.comp_info[c].quant_tbl_no = 0;
    e->compress.dct_method = JDCT_ISLOW;
    return e;
}

void encoder_destroy(struct encoder *e)
{
    if (!e) return;
    jpeg_destroy_compress(&e->compress);
    free(e->buffer);
    free(e);
}

size_t encoder_run(struct encoder *e, const uint8_t *rgb)
{
    unsigned char *out = e->buffer;
    unsigned long size = e->room;
    jpeg_mem_dest(&e->compress, &out, &size);
    jpeg_start_compress(&e->compress, TRUE);
    while (e->compress.next_scanline < e->compress.image_height) {
        JSAMPROW rows[16];
        for (JDIMENSION i = 0; i < 16; i++) {
            union {
                const uint8_t *in;
                JSAMPROW row;
            } pointer = {rgb + (e->compress.next_scanline + i) * 3 * e->compress.image_width};
            rows[i] = pointer.row;
        }
        JDIMENSION left = e->compress.image_height - e->compress.next_scanline;
        jpeg_write_scanlines(&e->compress, rows, left < 16 ? left : 16);
    }
    jpeg_finish_compress(&e->compress);
    if (out != e->buffer) exit(1); /* the buffer holds any file of this size */
    return size;
}

#else

const char *encoder_version(void)
{
    return NULL;
}

struct encoder *encoder_create(const uint16_t step[64], int width, int height)
{
    (void)step, (void)width, (void)height;
    return NULL;
}

void encoder_destroy(struct encoder *encoder)
{
    (void)encoder;
}

size_t encoder_run(struct encoder *encoder, const uint8_t *rgb)
{
    (void)encoder, (void)rgb;
    return 0;
}

#endif
