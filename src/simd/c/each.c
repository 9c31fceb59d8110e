/* Portable definition of encoding and decoding neighbours of different groups: group after group.
 */
#include "../runs.h"

#define EACH(name, single, from, to)                                                               \
    void qnt__##name##_c(const struct qnt__affine_each *q, const from *in, size_t n, to *out)      \
    {                                                                                              \
        QNT__BY_ROWS(qnt__##name##_c, q, in, n, out)                                               \
        QNT__BY_RUNS(qnt__##single##_c, q, in, n, out)                                             \
    }

EACH(encode_each_8, encode_8, float, uint8_t)
EACH(encode_each_16, encode_16, float, uint16_t)
EACH(decode_each_s8, decode_s8, int8_t, float)
EACH(decode_each_u8, decode_u8, uint8_t, float)
EACH(decode_each_s16, decode_s16, int16_t, float)
EACH(decode_each_u16, decode_u16, uint16_t, float)

/* Parts of a run, or of a row of single elements. */
void qnt__pack_each_c(const struct qnt__affine_each *q, const float *x, size_t n, int bits,
                      uint8_t *packed)
{
    enum { CODES = 512 };
    uint8_t codes[CODES];
    const size_t row = q->period ? q->period : n;
    for (size_t i = 0, part; i < n; i += part) {
        const size_t group = i % row / q->run;
        struct qnt__affine_each rest = *q;
        rest.scale += group, rest.period = 0;
        if (q->offset) rest.offset += group;
        if (q->zero) rest.zero += group;
        part = q->run > 1 ? q->run - i % q->run : row - i % row;
        if (part > CODES) part = CODES;
        if (part > n - i) part = n - i;
        qnt__encode_each_8_c(&rest, x + i, part, codes);
        qnt__pack_codes_c(codes, part, bits, q->stream, packed + i / 8 * (size_t)bits);
    }
}
