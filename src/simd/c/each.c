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
