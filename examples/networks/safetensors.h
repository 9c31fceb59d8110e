/*
 * The safetensors format: named arrays behind a JSON header.
 *
 *     uint64 header length N, little-endian; N bytes of JSON; data
 *     {"name": {"dtype": "F32", "shape": [16, 3, 3, 3], "data_offsets": [begin, end]}, ...}
 *
 * The reader takes any bytes: everything is checked before it is used, and what it accepts lies
 * inside the buffer. Functions that can fail return NULL when all is well, else a sentence that
 * says why not.
 */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_NAME = 96, SAFETENSORS_NDIM = 8 };

struct safetensor {
    char name[SAFETENSORS_NAME];
    char dtype[8];
    int ndim;
    int64_t shape[SAFETENSORS_NDIM];
    uint64_t count;       /* of elements */
    uint64_t begin, end;  /* of its bytes in the file */
};

struct safetensors {
    uint8_t *bytes;
    size_t size, count;
    struct safetensor *tensor;
};

/* Takes over `bytes` (malloc'd), also on failure. */
const char *safetensors_parse(uint8_t *bytes, size_t size, struct safetensors *out);
const char *safetensors_read(const char *path, struct safetensors *out);
void safetensors_free(struct safetensors *file);

/* The F32 tensor of this name as malloc'd floats, if its shape is the one given; else NULL. */
float *safetensors_floats(const struct safetensors *file, const char *name, int ndim,
                          const int64_t *shape);

/* Its entry, or NULL. */
const struct safetensor *safetensors_find(const struct safetensors *file, const char *name);

struct safetensors_item {
    const char *name;
    int ndim;
    int64_t shape[SAFETENSORS_NDIM];
    const float *data;
};

const char *safetensors_write(const char *path, const struct safetensors_item *items, size_t count);

#endif
