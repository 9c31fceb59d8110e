/* Encoding and decoding a run without keeping the codes. */
#ifndef QNT__QUANTIZER_ROUNDTRIP_H
#define QNT__QUANTIZER_ROUNDTRIP_H

#include "grouping.h"

/* y = decode(encode(x)) by one group's parameters, n <= QNT__CHUNK. */
static inline void qnt__roundtrip(const struct qnt__simd *simd, const qnt_spec *spec,
                                  const struct qnt__affine *q, const float *x, size_t n, float *y)
{
    uint16_t codes[QNT__CHUNK];
    void *bytes = codes;
    if (spec->bits == 16) {
        simd->encode_16(q, x, n, codes);
        if (spec->flags & QNT_SIGNED) simd->decode_s16(q, bytes, n, y);
        else simd->decode_u16(q, codes, n, y);
    } else {
        simd->encode_8(q, x, n, bytes);
        if (spec->flags & QNT_SIGNED) simd->decode_s8(q, bytes, n, y);
        else simd->decode_u8(q, bytes, n, y);
    }
}

#endif
