/* Three digits in a byte, or six, and sums over them, 32 bytes at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 32 };

#include "../lowbit_pack.h"

void qnt__pack_lowbit_avx2(const uint8_t *codes, size_t step, size_t n, size_t triples, uint8_t *to,
                           size_t to_step)
{
    pack_lowbit(codes, step, n, triples, to, to_step);
}

void qnt__digits_lowbit_avx2(const uint8_t *x, size_t n, size_t step, size_t triples, int32_t *sum)
{
    digits_lowbit(x, n, step, triples, sum);
}

int qnt__join_lowbit_avx2(const uint8_t *x, size_t n, size_t step, size_t triples, uint8_t *to,
                          size_t to_step)
{
    return join_lowbit(x, n, step, triples, to, to_step);
}
