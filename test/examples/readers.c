/* The readers of the examples: good files, damaged ones, hostile ones. */
#include "check.h"
#include "dataset.h"
#include "json.h"
#include "models.h"
#include "safetensors.h"
#include "tokens.h"

/* A safetensors file of this header and `data` zero bytes, in a block of exactly its size. */
static uint8_t *file_of(const char *header, size_t data, size_t *size)
{
    size_t length = strlen(header);
    *size = 8 + length + data;
    uint8_t *bytes = calloc(1, *size);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    return bytes;
}

static const char *parse(const char *header, size_t data)
{
    struct safetensors file;
    size_t size;
    uint8_t *bytes = file_of(header, data, &size);
    const char *reason = safetensors_parse(bytes, size, &file);
    safetensors_free(&file);
    return reason;
}

#define ENTRY(shape, offsets)                                                                      \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

#define TWICE "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}," \
              "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"

static const char good[] =
    "{\"__metadata__\":{\"k\":[1,{\"x\":null}]}, \"a\" : {\"dtype\":\"F32\",\"shape\":[2,3],"
    "\"data_offsets\":[4,28]},\"b\":{\"shape\":[],\"dtype\":\"F32\",\"data_offsets\":[0,4]}}  ";

static void accepts(void)
{
    struct safetensors file;
    size_t size;
    uint8_t *bytes = file_of(good, 28, &size);
    float one = 1.5f;
    memcpy(bytes + size - 4, &one, 4);
    CHECK(!safetensors_parse(bytes, size, &file));
    CHECK(file.count == 2);
    float *a = safetensors_floats(&file, "a", 2, (int64_t[]){2, 3});
    CHECK(a && a[0] == 0 && a[5] == 1.5f);
    free(a);
    CHECK(!safetensors_floats(&file, "a", 2, (int64_t[]){3, 2}));
    CHECK(!safetensors_floats(&file, "a", 1, (int64_t[]){6}));
    CHECK(!safetensors_floats(&file, "c", 1, (int64_t[]){6}));
    safetensors_free(&file);
    CHECK(!parse("{}", 0));
    CHECK(!parse(ENTRY("[0,5]", "[0,0]"), 0));
}

static void refuses(void)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}x",
        "{\"a\"}",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":{\"dtype\":\"F32\"}}",
        ENTRY("[2]", "[0,4]"),
        ENTRY("[2]", "[8,0]"),
        ENTRY("[2]", "[8,16]"),
        ENTRY("[-1]", "[0,4]"),
        ENTRY("[1.0]", "[0,4]"),
        ENTRY("[1,]", "[0,4]"),
        ENTRY("[01]", "[0,4]"),
        ENTRY("[1]", "[18446744073709551616,4]"),
        ENTRY("[1]", "[18446744073709551612,18446744073709551615]"),
        ENTRY("[4611686018427387904,4]", "[0,0]"),
        ENTRY("[4294967296,4294967296]", "[0,0]"),
        ENTRY("[18446744073709551615]", "[0,4]"),
        ENTRY("[1,1,1,1,1,1,1,1,1]", "[0,4]"),
        "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        TWICE,
        "{\"__metadata__\":",
        "{\"__metadata__\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1",
        "{\"\\u0041\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_MSG(parse(bad[i], 8), "header %zu was accepted: %s", i, bad[i]);
}

/* Cut anywhere, and any one byte changed: never a fault, and what is accepted lies inside. */
static void damaged(void)
{
    size_t size;
    uint8_t *whole = file_of(good, 28, &size);
    for (size_t cut = 0; cut < size; cut++) {
        struct safetensors file;
        uint8_t *bytes = malloc(cut + !cut);
        memcpy(bytes, whole, cut);
        CHECK_MSG(safetensors_parse(bytes, cut, &file), "cut at %zu", cut);
    }
    for (size_t at = 0; at < size - 28; at++) {
        for (int value = 0; value < 256; value += 3) {
            struct safetensors file;
            uint8_t *bytes = malloc(size);
            memcpy(bytes, whole, size);
            bytes[at] = (uint8_t)(bytes[at] ^ value);
            if (safetensors_parse(bytes, size, &file)) continue;
            for (size_t i = 0; i < file.count; i++)
                CHECK(file.tensor[i].begin <= file.tensor[i].end && file.tensor[i].end <= size);
            free(safetensors_floats(&file, "a", 2, (int64_t[]){2, 3}));
            safetensors_free(&file);
        }
    }
    free(whole);
}

static void writes(void)
{
    char path[] = P_tmpdir "/qnt-readers-XXXXXX";
    int handle = mkstemp(path);
    REQUIRE(handle >= 0);
    close(handle);
    float a[6] = {1, -2, 3, 0, 5, 6e-40f}, b[1] = {7};
    struct safetensors_item items[] = {{"first", 2, {2, 3}, a}, {"second.x", 1, {1}, b}};
    struct safetensors file;
    CHECK(!safetensors_write(path, items, 2));
    REQUIRE(!safetensors_read(path, &file));
    CHECK(file.tensor[0].begin % 8 == 0);
    float *back = safetensors_floats(&file, "first", 2, (int64_t[]){2, 3});
    REQUIRE(back);
    CHECK(!memcmp(a, back, sizeof a));
    free(back);
    safetensors_free(&file);
    remove(path);
    CHECK(safetensors_read(path, &file));
}

static uint8_t *block(size_t size)
{
    return calloc(1, size + !size);
}

static const char *records(size_t size, uint8_t label)
{
    struct dataset set;
    uint8_t *bytes = block(size);
    if (size) bytes[0] = label;
    const char *reason = dataset_from_records(bytes, size, &digits_form, &set);
    dataset_free(&set);
    return reason;
}

static void reads_records(void)
{
    CHECK(!records(65, 9));
    CHECK(!records(130, 0));
    CHECK(records(0, 0));
    CHECK(records(64, 0));
    CHECK(records(131, 0));
    CHECK(records(65, 10));
}

static const char *idx(uint32_t magic, uint32_t count, uint32_t side, size_t images, size_t labels)
{
    struct dataset set;
    uint8_t *a = block(images), *b = block(labels);
    uint32_t head[4] = {magic, count, side, 28}, tail[2] = {2049, count};
    for (size_t i = 0; i < 16 && i < images; i++) a[i] = (uint8_t)(head[i / 4] >> (24 - i % 4 * 8));
    for (size_t i = 0; i < 8 && i < labels; i++) b[i] = (uint8_t)(tail[i / 4] >> (24 - i % 4 * 8));
    const char *reason = dataset_from_idx(a, images, b, labels, &mnist_form, &set);
    dataset_free(&set);
    return reason;
}

static void reads_idx(void)
{
    CHECK(!idx(2051, 2, 28, 16 + 2 * 784, 10));
    CHECK(idx(2052, 2, 28, 16 + 2 * 784, 10));
    CHECK(idx(2051, 3, 28, 16 + 2 * 784, 10));
    CHECK(idx(2051, 2, 27, 16 + 2 * 784, 10));
    CHECK(idx(2051, 2, 28, 16 + 2 * 784 - 1, 10));
    CHECK(idx(2051, 2, 28, 16 + 2 * 784, 9));
    CHECK(idx(2051, 0xffffffff, 28, 16 + 2 * 784, 10));
    CHECK(idx(2051, 0, 28, 16, 8));
    CHECK(idx(2051, 0, 28, 15, 8));
    CHECK(idx(2051, 0, 28, 16, 7));
}

static const char *tokens(const void *data, size_t size)
{
    struct tokens text;
    uint8_t *bytes = block(size);
    memcpy(bytes, data, size);
    const char *reason = tokens_parse(bytes, size, 512, 8, &text);
    if (!reason) CHECK(text.count > 0 && text.begin[text.count] <= size / 2);
    tokens_free(&text);
    return reason;
}

static void reads_tokens(void)
{
    uint8_t two[] = {2, 0, 0, 0, 2, 0, 1, 0, 255, 1, 3, 0, 1, 0, 2, 0, 3, 0};
    CHECK(!tokens(two, sizeof two));
    for (size_t cut = 0; cut < sizeof two; cut++) CHECK(tokens(two, cut));
    for (size_t at = 0; at < sizeof two; at++) {
        for (int value = 1; value < 256; value++) {
            uint8_t other[sizeof two];
            memcpy(other, two, sizeof two);
            other[at] = (uint8_t)(other[at] ^ value);
            tokens(other, sizeof other);
        }
    }
    CHECK(tokens((uint8_t[]){255, 255, 255, 255, 2, 0, 1, 0, 1, 0}, 10));
    CHECK(tokens((uint8_t[]){1, 0, 0, 0, 1, 0, 1, 0, 0, 0}, 8));
    CHECK(tokens((uint8_t[]){1, 0, 0, 0, 2, 0, 1, 0, 0, 2}, 10));
    CHECK(!tokens((uint8_t[]){1, 0, 0, 0, 2, 0, 1, 0, 255, 1}, 10));
}

/* A file without the tensors a model wants is a problem that is told, not a fault. */
static void models_miss_weights(void)
{
    struct safetensors empty = {0};
    struct graph *(*const build[])(const struct safetensors *) = {
        model_digits,  model_lenet,    model_mlp,     model_dscnn,
        model_resnet8, model_resnet20, model_resnet56};
    for (size_t i = 0; i < sizeof build / sizeof *build; i++) {
        struct graph *graph = build[i](&empty);
        REQUIRE(graph);
        CHECK(strstr(graph->problem, "has no weights"));
        graph_free(graph);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(accepts);
    RUN(refuses);
    RUN(damaged);
    RUN(writes);
    RUN(reads_records);
    RUN(reads_idx);
    RUN(reads_tokens);
    RUN(models_miss_weights);
    return DONE;
}
