/* Sequences of tokens. */
#include "tokens.h"

#include <stdlib.h>

#include "file.h"

enum { LARGEST_FILE = 1 << 26 };

static unsigned load_u16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

/* Copies the sequences that begin at byte 4. */
static const char *copy(const uint8_t *bytes, size_t size, unsigned vocabulary, unsigned longest,
                        struct tokens *out)
{
    size_t at = 4, total = 0;
    for (int i = 0; i < out->count; i++) {
        if (size - at < 2) return "the file ends before its last sequence";
        unsigned n = load_u16(bytes + at);
        at += 2;
        if (n < 2 || n > longest) return "a sequence has an unexpected length";
        if ((size - at) / 2 < n) return "the file ends within a sequence";
        out->begin[i] = total;
        for (unsigned j = 0; j < n; j++, at += 2) {
            out->token[total] = (uint16_t)load_u16(bytes + at);
            if (out->token[total++] >= vocabulary) return "a token is not in the vocabulary";
        }
    }
    out->begin[out->count] = total;
    return at == size ? NULL : "bytes follow the last sequence";
}

const char *tokens_parse(uint8_t *bytes, size_t size, int vocabulary, int longest,
                         struct tokens *out)
{
    const char *reason = NULL;
    size_t count = size < 4 ? 0 : load_u16(bytes) | (size_t)load_u16(bytes + 2) << 16;
    *out = (struct tokens){.count = 0};
    if (count == 0 || count > size / 6) reason = "the number of sequences does not fit the file";
    if (!reason) {
        *out = (struct tokens){(int)count, malloc((count + 1) * sizeof *out->begin), malloc(size)};
        reason = out->begin && out->token
                     ? copy(bytes, size, (unsigned)vocabulary, (unsigned)longest, out)
                     : "out of memory";
    }
    free(bytes);
    if (reason) tokens_free(out);
    return reason;
}

const char *tokens_read(const char *path, int vocabulary, int longest, struct tokens *out)
{
    const char *reason = NULL;
    size_t size;
    *out = (struct tokens){.count = 0};
    uint8_t *bytes = file_read(path, LARGEST_FILE, &size, &reason);
    return bytes ? tokens_parse(bytes, size, vocabulary, longest, out) : reason;
}

void tokens_free(struct tokens *tokens)
{
    free(tokens->begin);
    free(tokens->token);
    *tokens = (struct tokens){.count = 0};
}
