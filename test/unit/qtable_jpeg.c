/*
 * Sizes against a real encoder, byte for byte: `cjpeg` of libjpeg-turbo is run on the same pixels
 * with the printed tables. Skipped where it is not installed.
 */
#include "check.h"

enum { WIDTH = 93, HEIGHT = 61, LONG = 600 /* crosses what is read at a time */ };

static char folder[] = P_tmpdir "/qnt-jpeg-XXXXXX";

static void fill(uint8_t *pixels, int components, int width, int height)
{
    double phase = 6 * random_unit();
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            for (int c = 0; c < components; c++) {
                double v = 128 + 70 * sin(0.1 * x + phase + c) + 50 * cos(0.17 * y * (1 + c)) +
                           12 * random_gauss() + (x > width / 2 ? 40 : 0);
                pixels[(y * width + x) * components + c] = (uint8_t)fmin(fmax(v, 0), 255);
            }
        }
    }
}

static bool save(const char *name, const char *head, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    bool good =
        fwrite(head, 1, strlen(head), file) == strlen(head) && fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && good;
}

/* Bytes that the encoder writes, or -1. */
static long encode(const char *options)
{
    char command[512];
    long bytes = -1;
    snprintf(command, sizeof command, "cjpeg -dct int -quality 50 -qtables %s/t %s %s/p | wc -c",
             folder, options, folder);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%ld", &bytes) != 1) bytes = -1;
    if (pipe) pclose(pipe);
    return bytes;
}

static void compare(qnt_context *context, int components, int sampling, int quality, size_t tables,
                    int width, int height)
{
    static uint8_t pixels[3 * LONG * HEIGHT];
    char head[64], text[1200], options[128];
    size_t length;
    fill(pixels, components, width, height);
    qnt_qtable table[3];
    for (size_t t = 0; t < tables; t++) {
        OK(qnt_qtable_standard(context, t > 0, quality, &table[t]));
        for (int i = 0; t > 1 && i < 64; i++) table[t].step[i] = (uint16_t)random_in(1, 255);
    }
    OK(qnt_qtable_text(context, table, tables, text, sizeof text, &length));
    snprintf(head, sizeof head, "P%d\n%d %d\n255\n", components == 3 ? 6 : 5, width, height);
    REQUIRE(save("p", head, pixels, (size_t)(width * height * components)));
    REQUIRE(save("t", "", text, length));

    qnt_image_spec spec = {.size = sizeof spec,
                           .width = width,
                           .height = height,
                           .components = components,
                           .sampling = sampling};
    qnt_image *image = NULL;
    OK(qnt_image_create(context, &spec, &image));
    OK(qnt_image_read(context, image, pixels, (size_t)(width * components)));
    OK(qnt_image_quantize(context, image, table, tables));
    for (int huffman = 0; huffman < 2; huffman++) {
        qnt_image_bytes bytes = {.size = sizeof bytes};
        OK(qnt_image_size(context, image, huffman, &bytes));
        snprintf(options, sizeof options, "%s %s -qslots %s", huffman ? "-optimize" : "",
                 sampling == QNT_SAMPLING_444 ? "-sample 1x1" : "-sample 2x2",
                 tables == 1   ? "0"
                 : tables == 2 ? "0,1"
                               : "0,1,2");
        long real = encode(options);
        CHECK_MSG((long)bytes.file == real,
                  "%d components, sampling %d, quality %d, %zu tables, "
                  "%d x %d, huffman %d: %ld, the encoder's %ld",
                  components, sampling, quality, tables, width, height, huffman, (long)bytes.file,
                  real);
    }
    qnt_image_destroy(image);
}

static void encoder(void)
{
    static const int qualities[] = {5, 25, 50, 75, 95, 100};
    if (system("command -v cjpeg >/dev/null 2>&1") != 0) SKIP("cjpeg is not installed");
    REQUIRE(mkdtemp(folder));
    qnt_context *context = check_context();
    for (int q = 0; q < 6; q += check_quick ? 3 : 1) {
        compare(context, 1, QNT_SAMPLING_444, qualities[q], 1, WIDTH, HEIGHT);
        for (int sampling = 0; sampling < 2; sampling++) {
            size_t tables = (size_t)(q % 3 + 1);
            compare(context, 3, sampling, qualities[q], tables, WIDTH, HEIGHT);
            for (int i = 0; i < ROUNDS(8); i++) {
                int width = (int)random_in(1, WIDTH), height = (int)random_in(1, HEIGHT);
                compare(context, 3, sampling, qualities[q], 2, width, height);
            }
        }
    }
    for (int sampling = 0; sampling < 2; sampling++) {
        compare(context, 3, sampling, 75, 2, (int)random_in(250, LONG), (int)random_in(1, 20));
    }
    compare(context, 1, QNT_SAMPLING_444, 75, 1, (int)random_in(250, LONG), 9);
    qnt_context_destroy(context);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(encoder);
    return DONE;
}
