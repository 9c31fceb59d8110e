/* Reads a whole file, or what gzip makes of a .gz file, into memory. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>

/* malloc'd bytes, or NULL with a reason. Longer files than `limit` are refused. */
uint8_t *file_read(const char *path, size_t limit, size_t *size, const char **reason);

#endif
