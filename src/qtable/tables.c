/* The standard tables of ITU-T T.81 at any quality, checking tables, and writing them as text. */
#include "tables.h"

/* ITU-T T.81, tables K.1 and K.2 */
static const uint8_t base[2][64] = {
    {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
     14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
     18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
     49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99},
    {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
     99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
     99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99},
};

qnt_status qnt_qtable_standard(const qnt_context *context, int32_t kind, int32_t quality,
                               qnt_qtable *out)
{
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    if (kind != QNT_QTABLE_LUMA && kind != QNT_QTABLE_CHROMA) {
        return qnt__fail(context, QNT_E_INVALID, "kind is %d, expected 0 (luma) or 1 (chroma)",
                         (int)kind);
    }
    if (quality < 1 || quality > 100) {
        return qnt__fail(context, QNT_E_INVALID, "quality is %d, expected 1 to 100", (int)quality);
    }
    int32_t percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int i = 0; i < 64; i++) {
        int32_t step = (base[kind][i] * percent + 50) / 100;
        out->step[i] = (uint16_t)(step < 1 ? 1 : step > 255 ? 255 : step);
    }
    return QNT_OK;
}

qnt_status qnt__qtables_check(const qnt_context *context, const qnt_qtable *tables, size_t count,
                              size_t most)
{
    if (!tables) return qnt__fail(context, QNT_E_INVALID, "tables is NULL");
    if (count < 1 || count > most) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 to %zu tables", count,
                         most);
    }
    for (size_t t = 0; t < count; t++) {
        for (int i = 0; i < 64; i++) {
            unsigned step = tables[t].step[i];
            if (step >= 1 && step <= 255) continue;
            return qnt__fail(context, QNT_E_INVALID, "table %zu: step %d is %u, expected 1 to 255",
                             t, i, step);
        }
    }
    return QNT_OK;
}

void qnt__steps_prepare(const qnt_qtable *table, struct qnt__steps *out)
{
    for (int i = 0; i < 64; i++) {
        uint32_t step = table->step[i], d = 8 * step, bits = 32 - (uint32_t)__builtin_clz(d - 1);
        out->step[i] = (uint16_t)step;
        out->half[i] = (uint16_t)(4 * step);
        out->reciprocal[i] = (uint16_t)(((1u << (15 + bits)) + d - 1) / d);
        out->scale[i] = (uint16_t)(1u << (17 - bits));
        out->fine[i] = (float)step;
    }
}

/* Appends right-aligned in `width` columns, as far as there is room. */
static size_t put_number(char *text, size_t capacity, size_t at, unsigned number, size_t width)
{
    for (size_t i = width; i-- > 0;) {
        char digit = number || i + 1 == width ? (char)('0' + number % 10) : ' ';
        if (at + i < capacity) text[at + i] = digit;
        number /= 10;
    }
    return at + width;
}

qnt_status qnt_qtable_text(const qnt_context *context, const qnt_qtable *tables, size_t count,
                           char *text, size_t capacity, size_t *length)
{
    enum { ROW = 8 * 4, TABLE = 8 * ROW + 1 }; /* a blank line between tables */
    if (!context) return QNT_E_INVALID;
    if (!length) return qnt__fail(context, QNT_E_INVALID, "length is NULL");
    qnt_status status = qnt__qtables_check(context, tables, count, 4);
    if (status != QNT_OK) return status;
    size_t needed = count * TABLE - 1;
    *length = needed;
    if (!text) return QNT_OK;
    if (capacity <= needed) {
        return qnt__fail(context, QNT_E_SPACE, "text has %zu bytes, expected at least %zu",
                         capacity, needed + 1);
    }
    size_t at = 0;
    for (size_t t = 0; t < count; t++) {
        if (t) text[at++] = '\n';
        for (int i = 0; i < 64; i++) {
            at = put_number(text, capacity, at, tables[t].step[i], 3);
            text[at++] = i % 8 == 7 ? '\n' : ' ';
        }
    }
    text[at] = 0;
    return QNT_OK;
}
