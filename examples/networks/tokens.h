/*
 * Sequences of tokens: uint32 count; for each uint16 n and n uint16 tokens, all little-endian.
 *
 * The reader takes any bytes. Functions that can fail return NULL when all is well, else a
 * sentence.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include <stddef.h>
#include <stdint.h>

struct tokens {
    int count;       /* sequences */
    size_t *begin;   /* [count + 1] into token */
    uint16_t *token;
};

/* Takes over malloc'd bytes, also on failure. Every token must be below `vocabulary`, and every
 * sequence must have 2 to `longest` of them. */
const char *tokens_parse(uint8_t *bytes, size_t size, int vocabulary, int longest,
                         struct tokens *out);
const char *tokens_read(const char *path, int vocabulary, int longest, struct tokens *out);
void tokens_free(struct tokens *tokens);

#endif
