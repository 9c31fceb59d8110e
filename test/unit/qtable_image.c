/* Tables, transform, levels, code lengths, sizes and pixels; a frozen picture; every refusal. */
#include "check.h"
#include "qtable/huffman.h"
#include "simd/slots.h"

enum { WIDE = 37, HIGH = 21 };

static void standard_tables(void)
{
    qnt_context *context = check_context();
    qnt_qtable t;
    OK(qnt_qtable_standard(context, QNT_QTABLE_LUMA, 50, &t));
    CHECK(t.step[0] == 16 && t.step[1] == 11 && t.step[8] == 12 && t.step[63] == 99);
    CHECK(t.step[37] == 109 && t.step[53] == 121);
    OK(qnt_qtable_standard(context, QNT_QTABLE_CHROMA, 50, &t));
    CHECK(t.step[0] == 17 && t.step[25] == 66 && t.step[63] == 99);
    OK(qnt_qtable_standard(context, QNT_QTABLE_LUMA, 100, &t));
    for (int i = 0; i < 64; i++) CHECK(t.step[i] == 1);
    OK(qnt_qtable_standard(context, QNT_QTABLE_LUMA, 10, &t));
    CHECK(t.step[0] == 80 && t.step[63] == 255); /* 495, kept in a byte */
    OK(qnt_qtable_standard(context, QNT_QTABLE_LUMA, 75, &t));
    CHECK(t.step[0] == 8 && t.step[63] == 50);
    FAILS(qnt_qtable_standard(context, 2, 50, &t), QNT_E_INVALID, "kind is 2");
    FAILS(qnt_qtable_standard(context, 0, 0, &t), QNT_E_INVALID, "quality is 0");
    FAILS(qnt_qtable_standard(context, 0, 101, &t), QNT_E_INVALID, "quality is 101");
    FAILS(qnt_qtable_standard(context, 0, 50, NULL), QNT_E_INVALID, "out is NULL");
    CHECK(qnt_qtable_standard(NULL, 0, 50, &t) == QNT_E_INVALID);
    qnt_context_destroy(context);
}

static void printed_tables(void)
{
    qnt_context *context = check_context();
    qnt_qtable t[2];
    size_t length = 0, again = 0;
    OK(qnt_qtable_standard(context, QNT_QTABLE_LUMA, 50, &t[0]));
    OK(qnt_qtable_standard(context, QNT_QTABLE_CHROMA, 50, &t[1]));
    OK(qnt_qtable_text(context, t, 2, NULL, 0, &length));
    guarded text = guard(length + 1, true);
    OK(qnt_qtable_text(context, t, 2, (char *)text.data, length + 1, &again));
    CHECK(length == again && strlen((char *)text.data) == length);
    CHECK(!strncmp((char *)text.data, " 16  11  10  16  24  40  51  61\n 12", 35));
    char *at = (char *)text.data;
    for (int i = 0; i < 128; i++) CHECK(strtol(at, &at, 10) == t[i / 64].step[i % 64]);
    FAILS(qnt_qtable_text(context, t, 2, (char *)text.data, length, &again), QNT_E_SPACE,
          "expected");
    FAILS(qnt_qtable_text(context, t, 0, NULL, 0, &again), QNT_E_INVALID, "count is 0");
    FAILS(qnt_qtable_text(context, t, 5, NULL, 0, &again), QNT_E_INVALID, "count is 5");
    t[1].step[3] = 0;
    FAILS(qnt_qtable_text(context, t, 2, NULL, 0, &again), QNT_E_INVALID, "table 1: step 3 is 0");
    t[1].step[3] = 256;
    FAILS(qnt_qtable_text(context, t, 2, NULL, 0, &again), QNT_E_INVALID, "step 3 is 256");
    unguard(&text);
    qnt_context_destroy(context);
}

/* The definition, in double. */
static double coefficient(const float *x, int v, int u)
{
    double sum = 0, pi = 3.14159265358979323846;
    for (int i = 0; i < 64; i++) {
        sum += x[i] * cos((2 * (i % 8) + 1) * u * pi / 16) * cos((2 * (i / 8) + 1) * v * pi / 16);
    }
    return sum / 4 * (u ? 1 : sqrt(0.5)) * (v ? 1 : sqrt(0.5));
}

static void transform(void)
{
    for (int round = 0; round < ROUNDS(200); round++) {
        float x[64], f[64], back[64];
        uint8_t pixel[64];
        int16_t block[64];
        double energy = 0, after = 0;
        for (int i = 0; i < 64; i++) {
            pixel[i] = (uint8_t)(round ? random_in(0, 255) : 0);
            x[i] = (float)pixel[i] - 128;
        }
        qnt_dct_forward(x, f);
        qnt_dct_inverse(f, back);
        qnt__dct_s16_c(pixel, 8, 1, block);
        for (int i = 0; i < 64; i++) {
            double exact = coefficient(x, i / 8, i % 8);
            CHECK_MSG(fabs(f[i] - exact) < 2e-4, "%g, expected %g", f[i], exact);
            CHECK_MSG(fabs(block[i] / 8.0 - exact) < 0.5, "%g, expected %g", block[i] / 8.0, exact);
            CHECK(fabsf(back[i] - x[i]) < 1e-4f);
            energy += x[i] * (double)x[i];
            after += f[i] * (double)f[i];
        }
        CHECK(fabs(energy - after) <= 1e-5 * energy);
        if (round == 0) CHECK(fabsf(f[0] + 1024) < 1e-3f && fabsf(f[1]) < 1e-3f);
        qnt_dct_forward(x, x); /* in place */
        CHECK(!memcmp(x, f, sizeof x));
    }
}

/* Kraft's sum below 1: the code of ones stays free; no code begins another one. */
static void check_code(const struct qnt__huffman *code)
{
    double sum = 0;
    for (int i = 0; i < 256; i++) {
        if (!code->length[i]) continue;
        CHECK(code->length[i] <= 16);
        CHECK(code->code[i] != (1u << code->length[i]) - 1);
        sum += ldexp(1, -code->length[i]);
        for (int j = 0; j < 256; j++) {
            if (j == i || !code->length[j] || code->length[j] < code->length[i]) continue;
            CHECK(code->code[j] >> (code->length[j] - code->length[i]) != code->code[i]);
        }
    }
    CHECK(sum < 1);
}

static void code_lengths(void)
{
    struct qnt__huffman code, standard;
    for (int i = 0; i < 4; i++) {
        qnt__huffman_standard(i / 2, i % 2, &standard);
        CHECK(standard.symbols == (i % 2 ? 162 : 12));
        check_code(&standard);
    }
    for (int round = 0; round < ROUNDS(100); round++) {
        uint64_t count[256] = {0}, best = 0, fixed = 0;
        for (int i = 0; i < 256; i++) { /* steep ones need lengths beyond 16 cut back */
            if (!standard.length[i] || (round && random_in(0, 2) == 0)) continue;
            count[i] = round % 3 == 0 ? 1ull << (i % 40) : (uint64_t)random_in(1, 1 << round % 20);
        }
        qnt__huffman_optimal(count, &code);
        check_code(&code);
        for (int i = 0; i < 256; i++) {
            CHECK((count[i] > 0) == (code.length[i] > 0));
            best += count[i] * code.length[i];
            fixed += count[i] * standard.length[i];
        }
        CHECK_MSG(best <= fixed, "%llu > %llu", (unsigned long long)best,
                  (unsigned long long)fixed);
    }
    uint64_t none[256] = {0};
    qnt__huffman_optimal(none, &code);
    CHECK(code.symbols == 0);
    none[7] = 5;
    qnt__huffman_optimal(none, &code);
    CHECK(code.symbols == 1 && code.length[7] == 1 && code.code[7] == 0);
}

static qnt_image *make(const qnt_context *context, int width, int height, int components,
                       int sampling, int transform)
{
    qnt_image_spec spec = {.size = sizeof spec,
                           .width = width,
                           .height = height,
                           .components = components,
                           .sampling = sampling,
                           .transform = transform};
    qnt_image *image = NULL;
    CHECK(qnt_image_create(context, &spec, &image) == QNT_OK);
    return image;
}

/* A picture from integers only, the same everywhere. */
static void paint(uint8_t *pixels, int width, int height, int components)
{
    for (int i = 0; i < width * height * components; i++) {
        int x = i / components % width, y = i / components / width, c = i % components;
        pixels[i] = (uint8_t)(128 + (x * (5 + c) - y * 3) % 90 + (x * y * 7 + c * 11) % 23);
    }
}

static void frozen(void)
{
    static const struct {
        int components, sampling, quality;
        uint64_t file[2];
    } golden[] = {
        {1, 1, 50, {457, 302}},
        {3, 0, 50, {772, 454}},
        {3, 1, 90, {1326, 996}},
    };
    qnt_context *context = check_context();
    uint8_t pixels[WIDE * HIGH * 3];
    for (size_t g = 0; g < 3; g++) {
        int components = golden[g].components;
        qnt_qtable t[2];
        qnt_image *image = make(context, WIDE, HIGH, components, golden[g].sampling, 0);
        REQUIRE(image);
        paint(pixels, WIDE, HIGH, components);
        OK(qnt_qtable_standard(context, 0, golden[g].quality, &t[0]));
        OK(qnt_qtable_standard(context, 1, golden[g].quality, &t[1]));
        OK(qnt_image_read(context, image, pixels, (size_t)(WIDE * components)));
        OK(qnt_image_quantize(context, image, t, components == 1 ? 1 : 2));
        for (int huffman = 0; huffman < 2; huffman++) {
            qnt_image_bytes bytes = {.size = sizeof bytes};
            OK(qnt_image_size(context, image, huffman, &bytes));
            CHECK_MSG(bytes.file == golden[g].file[huffman], "row %zu, huffman %d: %llu", g,
                      huffman, (unsigned long long)bytes.file);
            CHECK(bytes.file == bytes.header + bytes.entropy);
            CHECK(bytes.entropy == (bytes.bits + 7) / 8 + bytes.stuffed);
            if (!huffman) CHECK(bytes.header == (components == 1 ? 330 : 625));
        }
        qnt_image_destroy(image);
    }
    qnt_context_destroy(context);
}

/* |F - level * step| <= step / 2, in both arithmetics, and levels that differ by 1 at most. */
static void levels(void)
{
    qnt_context *context = check_context();
    uint8_t pixels[64];
    for (int round = 0; round < ROUNDS(100); round++) {
        qnt_qtable t;
        int16_t *level[2];
        size_t wide, high;
        float x[64], f[64];
        for (int i = 0; i < 64; i++) {
            t.step[i] = (uint16_t)(round ? random_in(1, 255) : 1);
            pixels[i] = (uint8_t)random_u64();
            x[i] = (float)pixels[i] - 128;
        }
        qnt_dct_forward(x, f);
        qnt_image *image[2] = {make(context, 8, 8, 1, 0, 0), make(context, 8, 8, 0, 0, 1)};
        for (int k = 0; k < 2; k++) {
            REQUIRE(image[k]);
            OK(qnt_image_read(context, image[k], pixels, 8));
            OK(qnt_image_quantize(context, image[k], &t, 1));
            OK(qnt_image_levels(context, image[k], 0, &level[k], &wide, &high));
            CHECK(wide == 1 && high == 1);
        }
        for (int i = 0; i < 64; i++) {
            CHECK(fabsf(f[i] - (float)(level[1][i] * t.step[i])) <= 0.5f * t.step[i] + 1e-3f);
            CHECK(abs(level[0][i] - level[1][i]) <= 1);
            if (round == 0) CHECK(abs(level[1][i] - (int)lrintf(f[i])) <= (fabsf(f[i]) < 1e9f));
        }
        qnt_image_destroy(image[0]);
        qnt_image_destroy(image[1]);
    }
    qnt_context_destroy(context);
}

/* The same for noise, wider than what is read at a time: long codes, last places, stuffed bytes. */
static void frozen_noise(void)
{
    enum { WIDTH = 301, HEIGHT = 19 };
    static const struct {
        int components, sampling, quality;
        uint64_t bits[2], stuffed[2];
    } golden[] = {{1, 1, 100, {88561, 60822}, {134, 20}},
                  {3, 0, 97, {90521, 76399}, {48, 50}},
                  {3, 1, 60, {67163, 62633}, {17, 18}}};
    static uint8_t pixels[3 * WIDTH * HEIGHT];
    qnt_context *context = check_context();
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof pixels; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        int components = golden[g].components;
        qnt_qtable t;
        qnt_image *image = make(context, WIDTH, HEIGHT, components, golden[g].sampling, 0);
        REQUIRE(image);
        OK(qnt_qtable_standard(context, 0, golden[g].quality, &t));
        OK(qnt_image_read(context, image, pixels, (size_t)(WIDTH * components)));
        OK(qnt_image_quantize(context, image, &t, 1));
        for (int huffman = 0; huffman < 2; huffman++) {
            qnt_image_bytes bytes = {.size = sizeof bytes};
            OK(qnt_image_size(context, image, huffman, &bytes));
            CHECK_MSG(bytes.bits == golden[g].bits[huffman] &&
                          bytes.stuffed == golden[g].stuffed[huffman],
                      "row %zu, huffman %d: %llu bits, %llu stuffed", g, huffman,
                      (unsigned long long)bytes.bits, (unsigned long long)bytes.stuffed);
        }
        qnt_image_destroy(image);
    }
    qnt_context_destroy(context);
}

static qnt_image_bytes size_of(const qnt_context *context, const qnt_image *image)
{
    qnt_image_bytes bytes = {.size = sizeof bytes};
    CHECK(qnt_image_size(context, image, QNT_HUFFMAN_STANDARD, &bytes) == QNT_OK);
    return bytes;
}

/* Looking at levels changes nothing, at any time; what is changed there is counted. */
static void seen_levels(void)
{
    qnt_context *context = check_context();
    for (int round = 0; round < ROUNDS(60); round++) {
        uint8_t pixels[3 * 70 * 40], early[sizeof pixels], late[sizeof pixels];
        int width = (int)random_in(1, 70), height = (int)random_in(1, 40), transform = round & 1;
        size_t row = 3 * (size_t)width, size = row * (size_t)height, wide, high;
        int16_t *level;
        qnt_qtable t[2];
        qnt_image *image[2] = {make(context, width, height, 3, round % 3 == 0, transform),
                               make(context, width, height, 3, round % 3 == 0, transform)};
        REQUIRE(image[0] && image[1]);
        for (size_t i = 0; i < size; i++) pixels[i] = (uint8_t)random_u64();
        for (int i = 0; i < 64; i++) t[0].step[i] = t[1].step[i] = (uint16_t)random_in(1, 255);
        t[1].step[0] = 3;
        OK(qnt_image_levels(context, image[1], 0, &level, &wide, &high)); /* before all */
        for (size_t i = 0; i < 64 * wide * high; i++) CHECK(level[i] == 0);
        for (int again = 0; again < 2; again++) {
            for (int k = 0; k < 2; k++) {
                OK(qnt_image_read(context, image[k], pixels, row));
                OK(qnt_image_quantize(context, image[k], t, (size_t)again + 1));
            }
            qnt_image_bytes a = size_of(context, image[0]), b = size_of(context, image[1]);
            CHECK_MSG(!memcmp(&a, &b, sizeof a), "%d x %d: %llu and %llu", width, height,
                      (unsigned long long)a.file, (unsigned long long)b.file);
            OK(qnt_image_write(context, image[0], early, row));
            OK(qnt_image_write(context, image[1], late, row));
            CHECK(!memcmp(early, late, size));
        }
        int16_t *other;
        OK(qnt_image_levels(context, image[0], 0, &other, &wide, &high)); /* after all */
        CHECK(!memcmp(level, other, 128 * wide * high));
        qnt_image_bytes before = size_of(context, image[0]), after;
        bool any = false;
        for (int i = 1; i < 64; i++) any |= other[i] != 0, other[i] = 0;
        after = size_of(context, image[0]);
        CHECK(any ? after.bits < before.bits : after.bits == before.bits);
        OK(qnt_image_read(context, image[0], pixels, row));
        CHECK(other[63] == 0 && other[0] == 0);
        qnt_image_destroy(image[0]);
        qnt_image_destroy(image[1]);
    }
    qnt_context_destroy(context);
}

/* Both transforms give files of nearly the same size: less than 1 % apart, 2 % where steps are 1
 * or 2. */
static void transforms_agree(void)
{
    enum { SIDE = 256 };
    static uint8_t pixels[SIDE * SIDE];
    static const struct {
        int quality;
        double apart;
    } rows[] = {{5, 0.01}, {25, 0.01}, {50, 0.01}, {75, 0.01}, {95, 0.02}};
    qnt_context *context = check_context();
    qnt_image *image[2] = {make(context, SIDE, SIDE, 1, 0, 0), make(context, SIDE, SIDE, 1, 0, 1)};
    REQUIRE(image[0] && image[1]);
    for (int i = 0; i < SIDE * SIDE; i++) {
        double x = i % SIDE, y = i / SIDE;
        double v = 128 + 60 * sin(0.02 * x + 0.03 * y) + 30 * cos(0.2 * x) * sin(0.11 * y) +
                   (x > y ? 30 : 0) + 6 * random_gauss();
        pixels[i] = (uint8_t)fmin(fmax(v, 0), 255);
    }
    for (int k = 0; k < 2; k++) OK(qnt_image_read(context, image[k], pixels, SIDE));
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        qnt_qtable t;
        double size[2];
        OK(qnt_qtable_standard(context, 0, rows[r].quality, &t));
        for (int k = 0; k < 2; k++) {
            OK(qnt_image_quantize(context, image[k], &t, 1));
            size[k] = (double)size_of(context, image[k]).file;
        }
        CHECK_MSG(fabs(size[1] / size[0] - 1) < rows[r].apart, "quality %d: %g and %g",
                  rows[r].quality, size[0], size[1]);
    }
    qnt_image_destroy(image[0]);
    qnt_image_destroy(image[1]);
    qnt_context_destroy(context);
}

/* Coarser steps never cost more but for noise: coefficients of Laplace's density, steps all alike.
 */
static void coarser_is_smaller(void)
{
    enum { BLOCKS = 16 };
    static double coefficient[BLOCKS * BLOCKS * 64];
    qnt_context *context = check_context();
    qnt_image *image = make(context, 8 * BLOCKS, 8 * BLOCKS, 1, 0, 0);
    uint8_t pixels[64 * BLOCKS * BLOCKS] = {0};
    qnt_qtable t;
    int16_t *level;
    size_t wide, high;
    REQUIRE(image);
    OK(qnt_qtable_standard(context, 0, 100, &t));
    OK(qnt_image_read(context, image, pixels, 8 * BLOCKS));
    OK(qnt_image_quantize(context, image, &t, 1));
    OK(qnt_image_levels(context, image, 0, &level, &wide, &high));
    for (int i = 0; i < BLOCKS * BLOCKS * 64; i++) {
        double sign = random_in(0, 1) ? 1 : -1, spread = 200.0 / (1 + i % 8 + i % 64 / 8);
        coefficient[i] = fmin(-log(1 - random_unit()) * spread, 1000) * sign;
    }
    for (uint64_t step = 1, last = UINT64_MAX; step <= 255; step += 1 + step / 8) {
        for (int i = 0; i < BLOCKS * BLOCKS * 64; i++) {
            level[i] = (int16_t)lrint(coefficient[i] / (double)step);
        }
        uint64_t bits = size_of(context, image).bits;
        CHECK_MSG(bits <= last, "step %llu: %llu bits, before %llu", (unsigned long long)step,
                  (unsigned long long)bits, (unsigned long long)last);
        last = bits + bits / 200;
    }
    qnt_image_destroy(image);
    qnt_context_destroy(context);
}

/* Steps of 1 give the picture back but for rounding; pixels stay inside; coarser is smaller. */
static void round_trip(void)
{
    qnt_context *context = check_context();
    for (int round = 0; round < ROUNDS(60); round++) {
        int components = random_in(0, 1) ? 3 : 1, sampling = (int)random_in(0, 1);
        int width = (int)random_in(1, 40), height = (int)random_in(1, 40);
        size_t row = (size_t)(width * components), stride = row + (size_t)random_in(0, 9);
        size_t size = stride * (size_t)(height - 1) + row;
        guarded from = guard(size, true), to = guard(size, round & 1);
        memset(to.data, 0xa5, size);
        for (size_t i = 0; i < size; i++)
            from.data[i] = (uint8_t)(120 + 40 * sin((double)i * 0.05));
        if (components == 3) memset(from.data, 0x55 + round, size);
        qnt_image *image = make(context, width, height, components, sampling, (int)random_in(0, 1));
        REQUIRE(image);
        OK(qnt_image_read(context, image, from.data, stride));
        uint64_t last = 0;
        double psnr = 0;
        for (int quality = 100; quality >= 20; quality -= 40) {
            qnt_qtable t;
            qnt_image_bytes bytes = {.size = sizeof bytes};
            OK(qnt_qtable_standard(context, 0, quality, &t));
            OK(qnt_image_quantize(context, image, &t, 1));
            OK(qnt_image_size(context, image, QNT_HUFFMAN_STANDARD, &bytes));
            OK(qnt_image_write(context, image, to.data, stride));
            OK(qnt_psnr(context, from.data, stride, to.data, stride, row, (size_t)height, &psnr));
            if (quality == 100) CHECK_MSG(psnr > 44, "%g dB", psnr);
            if (last) CHECK(bytes.bits <= last + last / 20 + 16);
            last = bytes.bits;
        }
        for (size_t i = 0; i < size; i++) CHECK(i % stride < row || to.data[i] == 0xa5);
        qnt_image_destroy(image);
        unguard(&from);
        unguard(&to);
    }
    qnt_context_destroy(context);
}

static void refusals(void)
{
    qnt_context *context = check_context();
    qnt_image *image = NULL;
    qnt_image_spec spec = {.size = sizeof spec, .width = 0, .height = 8};
    qnt_image_bytes bytes = {.size = sizeof bytes};
    qnt_qtable t = {{0}};
    uint8_t pixels[9 * 8 * 3] = {0};
    int16_t *level;
    size_t wide, high;
    double psnr;

    FAILS(qnt_image_create(context, &spec, &image), QNT_E_SHAPE, "0 x 8");
    spec.width = 9, spec.height = 65501;
    FAILS(qnt_image_create(context, &spec, &image), QNT_E_SHAPE, "9 x 65501");
    spec.height = 8, spec.components = 2;
    FAILS(qnt_image_create(context, &spec, &image), QNT_E_INVALID, "components is 2");
    spec.components = 3, spec.sampling = 2;
    FAILS(qnt_image_create(context, &spec, &image), QNT_E_INVALID, "sampling is 2");
    spec.sampling = 0, spec.transform = -1;
    FAILS(qnt_image_create(context, &spec, &image), QNT_E_INVALID, "transform is -1");
    spec.transform = 0, spec.size = 8;
    FAILS(qnt_image_create(context, &spec, &image), QNT_E_INVALID, "size is 8");
    spec.size = sizeof spec;
    FAILS(qnt_image_create(context, NULL, &image), QNT_E_INVALID, "image spec is NULL");
    FAILS(qnt_image_create(context, &spec, NULL), QNT_E_INVALID, "out is NULL");
    CHECK(qnt_image_create(NULL, &spec, &image) == QNT_E_INVALID && !image);
    OK(qnt_image_create(context, &spec, &image));

    t.step[0] = 1;
    FAILS(qnt_image_quantize(context, image, &t, 1), QNT_E_INVALID, "step 1 is 0");
    for (int i = 0; i < 64; i++) t.step[i] = 4;
    FAILS(qnt_image_quantize(context, image, &t, 1), QNT_E_STATE, "call qnt_image_read first");
    FAILS(qnt_image_size(context, image, 0, &bytes), QNT_E_STATE, "has not been quantized");
    FAILS(qnt_image_write(context, image, pixels, 27), QNT_E_STATE, "has not been quantized");
    FAILS(qnt_image_read(context, image, pixels, 26), QNT_E_SHAPE, "stride is 26");
    FAILS(qnt_image_read(context, image, NULL, 27), QNT_E_INVALID, "pixels is NULL");
    FAILS(qnt_image_read(context, NULL, pixels, 27), QNT_E_INVALID, "image is NULL");
    OK(qnt_image_read(context, image, pixels, 27));
    FAILS(qnt_image_quantize(context, image, &t, 4), QNT_E_INVALID, "count is 4");
    FAILS(qnt_image_quantize(context, image, NULL, 1), QNT_E_INVALID, "tables is NULL");
    FAILS(qnt_image_quantize(context, NULL, &t, 1), QNT_E_INVALID, "image is NULL");
    OK(qnt_image_quantize(context, image, &t, 1));
    const qnt_image_bytes before = size_of(context, image);
    static const uint16_t not_steps[] = {0, 256, UINT16_MAX};
    for (int i = 0; i < 3; i++) { /* the table before stays */
        char reason[32];
        t.step[63] = not_steps[i];
        snprintf(reason, sizeof reason, "step 63 is %d", not_steps[i]);
        FAILS(qnt_image_quantize(context, image, &t, 1), QNT_E_INVALID, reason);
    }
    bytes = size_of(context, image);
    CHECK(!memcmp(&bytes, &before, sizeof bytes));
    FAILS(qnt_image_size(context, image, 2, &bytes), QNT_E_INVALID, "huffman is 2");
    CHECK(!memcmp(&bytes, &before, sizeof bytes));
    FAILS(qnt_image_size(context, image, 0, NULL), QNT_E_INVALID, "bytes is NULL");
    FAILS(qnt_image_size(context, NULL, 0, &bytes), QNT_E_INVALID, "image is NULL");
    memset(pixels, 0x5a, sizeof pixels);
    FAILS(qnt_image_write(context, image, pixels, 26), QNT_E_SHAPE, "stride is 26");
    FAILS(qnt_image_write(context, image, pixels, 0), QNT_E_SHAPE, "stride is 0");
    for (size_t i = 0; i < sizeof pixels; i++) CHECK(pixels[i] == 0x5a);
    FAILS(qnt_image_levels(context, image, 3, &level, &wide, &high), QNT_E_INVALID,
          "component is 3");
    FAILS(qnt_image_levels(context, image, 0, NULL, &wide, &high), QNT_E_INVALID, "levels is NULL");
    OK(qnt_image_levels(context, image, 0, &level, &wide, &high));
    CHECK(wide == 2 && high == 2); /* one block is 9 pixels' second, one is there for the unit */
    static const int16_t wrong[] = {1024, -1024, INT16_MAX, INT16_MIN};
    for (size_t i = 0; i < 4; i++) {
        level[64 + 5] = wrong[i];
        FAILS(qnt_image_size(context, image, 0, &bytes), QNT_E_INVALID, "block 1: level 5 is");
    }
    level[64 + 5] = 1023, level[0] = -1024, level[64] = 1023;
    OK(qnt_image_size(context, image, 1, &bytes));

    psnr = -1;
    FAILS(qnt_psnr(context, pixels, 8, pixels, 8, 0, 1, &psnr), QNT_E_SHAPE, "0 x 1");
    FAILS(qnt_psnr(context, pixels, 8, pixels, 8, 8, 0, &psnr), QNT_E_SHAPE, "8 x 0");
    FAILS(qnt_psnr(context, pixels, 7, pixels, 8, 8, 1, &psnr), QNT_E_SHAPE, "strides 7 and 8");
    FAILS(qnt_psnr(context, NULL, 8, pixels, 8, 8, 1, &psnr), QNT_E_INVALID, "a is NULL");
    CHECK(psnr == -1);
    OK(qnt_psnr(context, pixels, 8, pixels, 8, 8, 1, &psnr));
    CHECK(isinf(psnr) && psnr > 0);
    qnt_image_destroy(image);
    qnt_image_destroy(NULL);
    qnt_context_destroy(context);
}

/* One grey all over: a mean, no other level, the same grey again; of one pixel too. */
static void constant_pictures(void)
{
    qnt_context *context = check_context();
    static uint8_t pixels[40 * 24], back[40 * 24];
    for (int value = 0; value < 256; value += 51) {
        for (int side = 1; side <= 40; side += 39) {
            qnt_qtable t;
            qnt_image_bytes bytes;
            qnt_image *image = make(context, side, side > 1 ? 24 : 1, 1, 0, value % 2);
            REQUIRE(image);
            memset(pixels, value, sizeof pixels);
            OK(qnt_qtable_standard(context, 0, 100, &t));
            OK(qnt_image_read(context, image, pixels, 40));
            OK(qnt_image_quantize(context, image, &t, 1));
            bytes = size_of(context, image);
            /* the first mean has a size of at most 11; then 00 and 1010 for each block */
            CHECK(bytes.bits <= 9 + 11 + 4 + 6 * (side > 1 ? 14u : 0u));
            OK(qnt_image_write(context, image, back, 40));
            for (int y = 0; y < (side > 1 ? 24 : 1); y++)
                for (int x = 0; x < side; x++) CHECK(back[y * 40 + x] == value);
            qnt_image_destroy(image);
        }
    }
    qnt_context_destroy(context);
}

static void *no_memory(void *user, size_t size, size_t align)
{
    (void)align;
    int *left = user;
    return (*left)-- > 0 ? malloc(size) : NULL;
}

static void give_back(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

static void no_room(void)
{
    int left = 1; /* for the context */
    qnt_context *context = NULL;
    qnt_image *image = NULL;
    qnt_image_spec spec = {.size = sizeof spec, .width = 8, .height = 8};
    OK(qnt_context_create(no_memory, give_back, &left, &context));
    qnt_context_set_log(context, check_log, NULL, QNT_LOG_ERROR);
    FAILS(qnt_image_create(context, &spec, &image), QNT_E_NOMEM, "allocator");
    CHECK(!image);
    left = 1;
    OK(qnt_image_create(context, &spec, &image));
    qnt_image_destroy(image);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(standard_tables);
    RUN(printed_tables);
    RUN(transform);
    RUN(code_lengths);
    RUN(frozen);
    RUN(frozen_noise);
    RUN(levels);
    RUN(seen_levels);
    RUN(transforms_agree);
    RUN(coarser_is_smaller);
    RUN(round_trip);
    RUN(constant_pictures);
    RUN(refusals);
    RUN(no_room);
    return DONE;
}
