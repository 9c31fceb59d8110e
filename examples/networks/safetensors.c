/* The safetensors format: named arrays behind a JSON header. */
#include "safetensors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json.h"

enum { LARGEST_FILE = 1 << 30, MOST_TENSORS = 4096 };

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | bytes[i];
    return v;
}

/* ---- one entry ---- */

static bool parse_shape(struct json *json, struct safetensor *tensor)
{
    if (!json_take(json, '[')) return false;
    tensor->ndim = 0;
    tensor->count = 1;
    if (json_take(json, ']')) return true;
    do {
        uint64_t extent;
        if (tensor->ndim == SAFETENSORS_NDIM || !json_unsigned(json, &extent)) return false;
        if (extent > INT64_MAX / 8 || (extent && tensor->count > INT64_MAX / 8 / extent))
            return false;
        tensor->shape[tensor->ndim++] = (int64_t)extent;
        tensor->count *= extent;
    } while (json_take(json, ','));
    return json_take(json, ']');
}

static bool parse_offsets(struct json *json, struct safetensor *tensor)
{
    return json_take(json, '[') && json_unsigned(json, &tensor->begin) && json_take(json, ',') &&
           json_unsigned(json, &tensor->end) && json_take(json, ']');
}

/* Every field exactly once, unknown ones ignored. */
static bool parse_fields(struct json *json, struct safetensor *tensor)
{
    char key[32];
    int seen = 0;
    if (!json_take(json, '{')) return false;
    do {
        if (!json_string(json, key, sizeof key) || !json_take(json, ':')) return false;
        int field = !strcmp(key, "dtype") ? 1 : !strcmp(key, "shape") ? 2
                    : !strcmp(key, "data_offsets") ? 4 : 0;
        if (seen & field) return false;
        bool good = field == 1   ? json_string(json, tensor->dtype, sizeof tensor->dtype)
                    : field == 2 ? parse_shape(json, tensor)
                    : field == 4 ? parse_offsets(json, tensor)
                                 : json_skip(json);
        if (!good) return false;
        seen |= field;
    } while (json_take(json, ','));
    return json_take(json, '}') && seen == 7;
}

static uint64_t dtype_bytes(const char *dtype)
{
    static const struct { const char *name; uint64_t bytes; } known[] = {
        {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4},  {"I16", 2},
        {"I8", 1},  {"U64", 8}, {"U32", 4}, {"U16", 2},  {"U8", 1},  {"BOOL", 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(dtype, known[i].name)) return known[i].bytes;
    return 0;
}

/* Offsets count from the end of the header; the entry keeps them from the start of the file. */
static const char *place(struct safetensor *tensor, uint64_t header, uint64_t size)
{
    uint64_t bytes = dtype_bytes(tensor->dtype), data = size - header;
    if (!bytes) return "the header names an unknown dtype";
    if (tensor->begin > tensor->end || tensor->end > data)
        return "a tensor lies outside of the file";
    if (tensor->count * bytes != tensor->end - tensor->begin)
        return "a tensor's bytes do not agree with its shape";
    tensor->begin += header;
    tensor->end += header;
    return NULL;
}

/* ---- the header ---- */

static const char *append(struct safetensors *file, const struct safetensor *tensor)
{
    size_t n = file->count;
    if (safetensors_find(file, tensor->name)) return "the header names a tensor twice";
    if (n == MOST_TENSORS) return "the header names too many tensors";
    if ((n & (n - 1)) == 0) {
        struct safetensor *larger = realloc(file->tensor, (n ? 2 * n : 1) * sizeof *larger);
        if (!larger) return "out of memory";
        file->tensor = larger;
    }
    file->tensor[file->count++] = *tensor;
    return NULL;
}

static const char *parse_header(struct safetensors *file, uint64_t length)
{
    const char *text = (const char *)file->bytes + 8, *reason;
    struct json json = {text, text + length};
    if (!json_take(&json, '{')) return "the header is not a JSON object";
    if (json_take(&json, '}')) return json_end(&json) ? NULL : "text follows the header";
    do {
        struct safetensor tensor = {.ndim = 0};
        if (!json_string(&json, tensor.name, sizeof tensor.name) || !json_take(&json, ':'))
            return "the header has no proper name where one is expected";
        if (!strcmp(tensor.name, "__metadata__")) {
            if (!json_skip(&json)) return "the metadata are not JSON";
            continue;
        }
        if (!parse_fields(&json, &tensor)) return "the header describes a tensor badly";
        if ((reason = place(&tensor, 8 + length, file->size))) return reason;
        if ((reason = append(file, &tensor))) return reason;
    } while (json_take(&json, ','));
    if (!json_take(&json, '}')) return "the header does not end";
    return json_end(&json) ? NULL : "text follows the header";
}

const char *safetensors_parse(uint8_t *bytes, size_t size, struct safetensors *out)
{
    *out = (struct safetensors){.bytes = bytes, .size = size};
    const char *reason = NULL;
    if (size < 8 || load_u64(bytes) > size - 8) reason = "the file is shorter than its header";
    else reason = parse_header(out, load_u64(bytes));
    if (reason) safetensors_free(out);
    return reason;
}

const char *safetensors_read(const char *path, struct safetensors *out)
{
    const char *reason = NULL;
    size_t size;
    *out = (struct safetensors){0};
    uint8_t *bytes = file_read(path, LARGEST_FILE, &size, &reason);
    return bytes ? safetensors_parse(bytes, size, out) : reason;
}

void safetensors_free(struct safetensors *file)
{
    free(file->bytes);
    free(file->tensor);
    *file = (struct safetensors){0};
}

const struct safetensor *safetensors_find(const struct safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->tensor[i].name, name)) return &file->tensor[i];
    return NULL;
}

float *safetensors_floats(const struct safetensors *file, const char *name, int ndim,
                          const int64_t *shape)
{
    const struct safetensor *tensor = safetensors_find(file, name);
    if (!tensor || tensor->ndim != ndim || strcmp(tensor->dtype, "F32")) return NULL;
    if (memcmp(tensor->shape, shape, (size_t)ndim * sizeof *shape)) return NULL;
    float *values = malloc((size_t)tensor->count * sizeof *values + 1);
    for (uint64_t i = 0; values && i < tensor->count; i++) {
        const uint8_t *at = file->bytes + tensor->begin + 4 * i;
        uint32_t bits =
            at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        memcpy(&values[i], &bits, 4);
    }
    return values;
}

/* ---- writing ---- */

static uint64_t item_bytes(const struct safetensors_item *item)
{
    uint64_t bytes = 4;
    for (int d = 0; d < item->ndim; d++) bytes *= (uint64_t)item->shape[d];
    return bytes;
}

/* Length of the header; with a file, writes it too. */
static size_t write_header(FILE *file, const struct safetensors_item *items, size_t count)
{
    char text[256];
    size_t length = 0;
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(text, sizeof text, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                         i ? ',' : '{', items[i].name);
        for (int d = 0; d < items[i].ndim; d++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%lld", d ? "," : "",
                          (long long)items[i].shape[d]);
        n += snprintf(text + n, sizeof text - (size_t)n, "],\"data_offsets\":[%llu,%llu]}%s",
                      (unsigned long long)at, (unsigned long long)(at + item_bytes(&items[i])),
                      i + 1 == count ? "}" : "");
        at += item_bytes(&items[i]);
        length += (size_t)n;
        if (file) fwrite(text, 1, (size_t)n, file);
    }
    for (; length % 8; length++)
        if (file) fputc(' ', file);
    return length;
}

const char *safetensors_write(const char *path, const struct safetensors_item *items, size_t count)
{
    FILE *file = fopen(path, "wb");
    if (!file) return "the file cannot be created";
    uint64_t length = write_header(NULL, items, count);
    for (int i = 0; i < 8; i++) fputc((int)(length >> 8 * i & 255), file);
    write_header(file, items, count);
    for (size_t i = 0; i < count; i++) {
        for (uint64_t j = 0; j < item_bytes(&items[i]) / 4; j++) {
            uint32_t bits;
            memcpy(&bits, &items[i].data[j], 4);
            for (int b = 0; b < 4; b++) fputc((int)(bits >> 8 * b & 255), file);
        }
    }
    bool failed = ferror(file) != 0;
    return fclose(file) || failed ? "the file cannot be written" : NULL;
}
