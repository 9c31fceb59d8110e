/*
 * One table evaluated on 1,000 RGB pictures of 224 x 224, colours halved, against libjpeg-turbo which
 * writes these files. "table" is what a search does for every table that it tries: levels and exact
 * bytes of pictures that were read before. "all" reads the pixels too, as the encoder must.
 *
 * The pictures are sums of waves whose amplitude falls with their frequency, edges, and a little noise.
 * Sizes are compared: both must have counted the same bytes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "libjpeg.h"
#include "qnt.h"

enum { SIDE = 224, BYTES = 3 * SIDE * SIDE, PICTURES = 1000, PAINTED = 40, WAVES = 24 };

struct work {
    qnt_image **image;
    uint8_t **pixels; /* PAINTED different ones, turned about */
    qnt_qtable table;
    struct encoder *encoder;
    uint64_t bytes;
};

static qnt_context *context;

static void check(qnt_status status, const char *what)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "%s: %s\n", what, qnt_status_name(status));
    exit(1);
}

static double unit(void)
{
    return (double)(bench_random() >> 11) * 0x1p-53;
}

/* Waves of random direction, amplitude 1 / frequency; every third one stops at a line: an edge. */
static void paint(uint8_t *rgb)
{
    static float sum[BYTES];
    memset(sum, 0, sizeof sum);
    for (int w = 0; w < WAVES; w++) {
        double frequency = pow(80, unit()), angle = 6.283 * unit(), phase = 6.283 * unit();
        float x = (float)(6.283 / SIDE * frequency * cos(angle)), colour[3];
        float y = (float)(6.283 / SIDE * frequency * sin(angle)),
              height = (float)(60 / frequency + 3);
        float across = (float)unit() - 0.5f, edge = (float)unit() * SIDE;
        for (int c = 0; c < 3; c++) colour[c] = height * (float)(0.7 + 0.6 * unit());
        for (int i = 0; i < SIDE * SIDE; i++) {
            float column = (float)(i % SIDE), row = (float)(i / SIDE);
            if (w % 3 == 0 && column + across * row > edge) continue;
            float value = sinf(x * column + y * row + (float)phase);
            for (int c = 0; c < 3; c++) sum[3 * i + c] += colour[c] * value;
        }
    }
    for (int i = 0; i < BYTES; i++) {
        float value = 120 + sum[i] + (float)(6 * (unit() + unit() - 1));
        rgb[i] = (uint8_t)fminf(fmaxf(value, 0), 255);
    }
}

static void count(struct work *w, int picture)
{
    qnt_image_bytes bytes = {.size = sizeof bytes};
    check(qnt_image_quantize(context, w->image[picture], &w->table, 1), "qnt_image_quantize");
    check(qnt_image_size(context, w->image[picture], QNT_HUFFMAN_STANDARD, &bytes),
          "qnt_image_size");
    w->bytes += bytes.file;
}

static void evaluate(void *state)
{
    struct work *w = state;
    w->bytes = 0;
    for (int i = 0; i < PICTURES; i++) count(w, i);
}

static void read_and_evaluate(void *state)
{
    struct work *w = state;
    w->bytes = 0;
    for (int i = 0; i < PICTURES; i++) {
        check(qnt_image_read(context, w->image[i], w->pixels[i], 3 * SIDE), "qnt_image_read");
        count(w, i);
    }
}

static void encode(void *state)
{
    struct work *w = state;
    w->bytes = 0;
    for (int i = 0; i < PICTURES; i++) w->bytes += encoder_run(w->encoder, w->pixels[i]);
}

static void prepare(struct work *w)
{
    qnt_image_spec spec = {.size = sizeof spec, .width = SIDE, .height = SIDE, .components = 3};
    w->image = calloc(PICTURES, sizeof *w->image);
    w->pixels = calloc(PICTURES, sizeof *w->pixels);
    if (!w->image || !w->pixels) exit(1);
    for (int i = 0; i < PICTURES; i++) { /* each has memory of its own, as a data set has */
        w->pixels[i] = bench_memory(BYTES);
        if (i < PAINTED) paint(w->pixels[i]);
        else memcpy(w->pixels[i], w->pixels[i % PAINTED], BYTES);
        check(qnt_image_create(context, &spec, &w->image[i]), "qnt_image_create");
        check(qnt_image_read(context, w->image[i], w->pixels[i], 3 * SIDE), "qnt_image_read");
    }
}

static void row(struct work *w, int quality)
{
    check(qnt_qtable_standard(context, QNT_QTABLE_LUMA, quality, &w->table), "qnt_qtable_standard");
    w->encoder = encoder_create(w->table.step, SIDE, SIDE);
    struct bench_candidate c[] = {
        {.name = "table", .run = evaluate, .state = w},
        {.name = "all", .run = read_and_evaluate, .state = w},
        {.name = "encoder", .run = encode, .state = w->encoder ? w : NULL}};
    uint64_t bytes[2] = {0, 0};
    evaluate(w), bytes[0] = bytes[1] = w->bytes;
    if (w->encoder) encode(w), bytes[1] = w->bytes;
    bench_compare(c, 3);
    printf("  quality %-4d %7.2f %10.1f %10.1f", quality,
           8.0 * (double)bytes[0] / PICTURES / (SIDE * SIDE), 1e3 * c[0].seconds,
           1e3 * c[1].seconds);
    if (w->encoder) {
        printf(" %12.1f %8.2f %8.2f", 1e3 * c[2].seconds, c[2].seconds / c[0].seconds,
               c[2].seconds / c[1].seconds);
    }
    printf("%s\n", bytes[0] == bytes[1] ? "" : "   SIZES DIFFER");
    encoder_destroy(w->encoder);
    if (bytes[0] != bytes[1]) exit(1);
}

int main(int argc, char **argv)
{
    struct work w = {0};
    bench_init(argc, argv);
    printf("# peer: %s\n", encoder_version() ? encoder_version() : "none");
    check(qnt_context_create(NULL, NULL, NULL, &context), "qnt_context_create");
    check(qnt_context_set_cpu(context, bench_cpu()), "qnt_context_set_cpu");
    prepare(&w);
    printf("\n%d pictures, 4:2:0 %3s %9s %10s %12s %8s %8s\n", PICTURES, "bpp", "table ms",
           "all ms", "encoder ms", "ratio", "all");
    row(&w, 25), row(&w, 50), row(&w, 75), row(&w, 95);
    for (int i = 0; i < PICTURES; i++) qnt_image_destroy(w.image[i]), free(w.pixels[i]);
    free(w.image), free(w.pixels);
    qnt_context_destroy(context);
    return 0;
}
