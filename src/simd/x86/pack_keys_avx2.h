/* Packed codes of 4 bits of ranks by keys (keys_avx2.h), 64 at a time. */
#ifndef QNT__SIMD_X86_PACK_KEYS_AVX2_H
#define QNT__SIMD_X86_PACK_KEYS_AVX2_H

#include "keys_avx2.h"

struct pack_keys {
    struct keys keys;
    const struct qnt__thresholds *thresholds;
    uint8_t code[16];
};

/* False where codes have to be found another way. */
static bool open_pack_keys(const struct qnt__thresholds *t, const uint8_t *code, size_t n, int bits,
                           struct pack_keys *k)
{
    if (bits != 4 || t->steps > 4) return false;
    k->thresholds = t;
    memset(k->code, 0, sizeof k->code);
    for (int i = 0; i < 1 << t->steps; i++) k->code[i] = code[i] & 15;
    return open_keys(t, n, k->code, &k->keys);
}

static __attribute__((noinline)) void pack_doubtful(const struct pack_keys *k, const float *x, bool stream,
                                                    uint8_t *packed)
{
    uint8_t codes[64];
    qnt__rank_f32_avx2(k->thresholds, x, 64, codes); /* too few for keys */
    for (int i = 0; i < 64; i++) codes[i] = k->code[codes[i]];
    qnt__pack_codes_avx2(codes, 64, 4, stream, packed);
}

/* n is a multiple of 64. */
INLINE void pack_by_keys(const struct pack_keys *k, enum by by, const float *x, size_t n, bool stream,
                         uint8_t *packed)
{
    const struct keys keys = k->keys; /* no store can change it */
    for (size_t i = 0; i < n; i += 64) {
        struct doubt left, right;
        __m256i a = codes_by_keys(&keys, by, x + i, &left);
        __m256i b = codes_by_keys(&keys, by, x + i + 32, &right);
        put_32(packed + i / 2, order_pairs(pack_pairs(a, b)), stream);
        if (!is_certain(either(left, right))) pack_doubtful(k, x + i, stream, packed + i / 2);
    }
}

#endif
