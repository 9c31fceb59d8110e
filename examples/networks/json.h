/*
 * A scanner for JSON text that may be hostile: a cursor that never leaves its range.
 *
 * Every function skips white space, then takes what it is named after and returns true, or returns
 * false and leaves the cursor somewhere inside.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    const char *at, *end;
};

bool json_take(struct json *json, char punctuation);
bool json_string(struct json *json, char *text,
                 size_t capacity); /* zero-terminated; ASCII escapes */
bool json_unsigned(struct json *json, uint64_t *value);           /* digits only, no overflow */
bool json_skip(struct json *json); /* any value, nested at most 32 deep */
bool json_end(struct json *json);  /* nothing but white space is left */

#endif
