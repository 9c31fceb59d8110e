/* A scanner for JSON text that may be hostile. */
#include "json.h"

#include <string.h>

static void skip_space(struct json *json)
{
    while (json->at < json->end && *json->at && strchr(" \t\r\n", *json->at)) json->at++;
}

bool json_take(struct json *json, char punctuation)
{
    skip_space(json);
    if (json->at == json->end || *json->at != punctuation) return false;
    json->at++;
    return true;
}

bool json_end(struct json *json)
{
    skip_space(json);
    return json->at == json->end;
}

/* The character that a backslash and `c` stand for; 0 for those not wanted in names. */
static char unescape(char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = c ? strchr(from, c) : NULL;
    return found ? to[found - from] : 0;
}

bool json_string(struct json *json, char *text, size_t capacity)
{
    size_t length = 0;
    if (!json_take(json, '"')) return false;
    while (json->at < json->end) {
        char c = *json->at++;
        if (c == '"') {
            text[length] = 0;
            return true;
        }
        if (c == '\\') c = json->at < json->end ? unescape(*json->at++) : 0;
        if ((unsigned char)c < 0x20 || length + 1 >= capacity) return false;
        text[length++] = c;
    }
    return false;
}

bool json_unsigned(struct json *json, uint64_t *value)
{
    skip_space(json);
    const char *start = json->at;
    uint64_t v = 0;
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++) {
        uint64_t digit = (uint64_t)(*json->at - '0');
        if (v > (UINT64_MAX - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *value = v;
    return json->at > start && !(*start == '0' && json->at > start + 1);
}

static bool skip_string(struct json *json)
{
    if (!json_take(json, '"')) return false;
    while (json->at < json->end) {
        char c = *json->at++;
        if (c == '"') return true;
        if (c == '\\' && json->at < json->end) json->at++;
    }
    return false;
}

/* A number, true, false or null: their spelling does not matter to someone who skips them. */
static bool skip_word(struct json *json)
{
    const char *start = json->at;
    while (json->at < json->end && *json->at &&
           strchr("+-.0123456789Eabcdefghijklmnopqrstuvwxyz", *json->at))
        json->at++;
    return json->at > start;
}

static bool skip_nested(struct json *json, int depth)
{
    skip_space(json);
    if (json->at == json->end || depth > 32) return false;
    char open = *json->at, close = open == '{' ? '}' : ']';
    if (open == '"') return skip_string(json);
    if (open != '{' && open != '[') return skip_word(json);
    json->at++;
    if (json_take(json, close)) return true;
    do {
        if (open == '{' && !(skip_string(json) && json_take(json, ':'))) return false;
        if (!skip_nested(json, depth + 1)) return false;
    } while (json_take(json, ','));
    return json_take(json, close);
}

bool json_skip(struct json *json)
{
    return skip_nested(json, 0);
}
