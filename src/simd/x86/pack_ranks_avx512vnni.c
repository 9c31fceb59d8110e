/* Packed codes of ranks: by the tops of keys, with the registers that this level has more, or as ranks. */
#include "../pack_ranks.h"
#include "pack_keys_avx2.h"

static QNT__PACK_RANKS(pack_by_ranks, avx512vnni, avx2)

void qnt__pack_ranks_avx512vnni(const struct qnt__thresholds *t, const uint8_t *code, const float *x,
                                size_t n, int bits, bool stream, uint8_t *packed)
{
    struct pack_keys keys;
    size_t i = 0;
    if (open_pack_keys(t, code, n, bits, &keys) && keys.keys.by <= BY_SHIFTED_TOP) {
        i = n / 64 * 64;
        if (keys.keys.by == BY_TOP) pack_by_keys(&keys, BY_TOP, x, i, stream, packed);
        else pack_by_keys(&keys, BY_SHIFTED_TOP, x, i, stream, packed);
    }
    pack_by_ranks(t, code, x + i, n - i, bits, stream, packed + i / 8 * (size_t)bits);
}
