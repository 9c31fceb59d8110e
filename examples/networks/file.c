/* Reads a whole file, or what gzip makes of a .gz file, into memory. */
#define _POSIX_C_SOURCE 200809L
#include "file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_gzip(const char *path)
{
    size_t length = strlen(path);
    return length > 3 && !strcmp(path + length - 3, ".gz");
}

/* The path goes through a shell inside single quotes, so it may not contain one. */
static FILE *open_gzip(const char *path)
{
    char command[1024];
    if (strchr(path, '\'') || access(path, R_OK)) return NULL;
    if (snprintf(command, sizeof command, "gzip -dc '%s' 2>/dev/null", path) >= (int)sizeof command)
        return NULL;
    return popen(command, "r");
}

static uint8_t *read_stream(FILE *stream, size_t limit, size_t *size, const char **reason)
{
    size_t capacity = 1 << 16, length = 0, got;
    uint8_t *bytes = malloc(capacity);
    while (bytes && (got = fread(bytes + length, 1, capacity - length, stream)) > 0) {
        length += got;
        if (length > limit) {
            *reason = "the file is longer than expected";
            free(bytes);
            return NULL;
        }
        if (length < capacity) continue;
        uint8_t *larger = realloc(bytes, capacity *= 2);
        if (!larger) free(bytes);
        bytes = larger;
    }
    if (!bytes) *reason = "out of memory";
    *size = length;
    return bytes;
}

uint8_t *file_read(const char *path, size_t limit, size_t *size, const char **reason)
{
    bool gzip = is_gzip(path);
    FILE *stream = gzip ? open_gzip(path) : fopen(path, "rb");
    if (!stream) {
        *reason = "the file cannot be opened";
        return NULL;
    }
    uint8_t *bytes = read_stream(stream, limit, size, reason);
    bool failed = gzip ? pclose(stream) != 0 : ferror(stream) | fclose(stream);
    if (bytes && failed) {
        *reason = "the file cannot be read";
        free(bytes);
        return NULL;
    }
    return bytes;
}
