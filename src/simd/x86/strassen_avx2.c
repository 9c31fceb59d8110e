/* What comes before and after Strassen's seven products, 32 bytes at a time. */
#include <immintrin.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { BYTES = 32, LANES = 8 };

INLINE __m256i load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void store(void *to, __m256i x)
{
    _mm256_storeu_si256(to, x);
}

void qnt__five_sums_avx2(const struct qnt__five_sums *s)
{
    const __m256i raise = _mm256_set1_epi8((char)s->raise);
    struct qnt__five_sums rest = *s;
    size_t i = 0;
    for (; i + BYTES <= s->n; i += BYTES) {
        __m256i x[4];
        UNROLL for (int b = 0; b < 4; b++) x[b] = load(rest.x[b] + i);
        store(rest.out[0] + i, _mm256_add_epi8(x[0], x[3]));
        store(rest.out[1] + i, _mm256_add_epi8(x[0], x[1]));
        store(rest.out[2] + i, _mm256_add_epi8(x[2], x[3]));
        store(rest.out[3] + i, _mm256_add_epi8(_mm256_sub_epi8(x[1], x[3]), raise));
        store(rest.out[4] + i, _mm256_add_epi8(_mm256_sub_epi8(x[2], x[0]), raise));
    }
    rest.n -= i;
    for (int b = 0; b < 4; b++) rest.x[b] += i;
    for (int o = 0; o < 5; o++) rest.out[o] += i;
    qnt__five_sums_c(&rest);
}

INLINE void put(const struct qnt__join_seven *j, size_t block, size_t i, int add, __m256i x)
{
    int32_t *to = j->sums + block * j->step + i;
    if (add) x = _mm256_add_epi32(x, load(to));
    store(to, x);
}

/* Whole registers; returns the elements that are done. */
INLINE size_t join(const struct qnt__join_seven *j, int add)
{
    size_t i = 0;
    for (; i + LANES <= j->n; i += LANES) {
        __m256i m[7];
        UNROLL for (size_t p = 0; p < 7; p++) m[p] = load(j->products + p * j->pitch + i);
        put(j, 0, i, add,
            _mm256_add_epi32(_mm256_sub_epi32(m[0], m[4]), _mm256_add_epi32(m[3], m[6])));
        put(j, 1, i, add, _mm256_add_epi32(m[2], m[4]));
        put(j, 2, i, add, _mm256_add_epi32(m[1], m[3]));
        put(j, 3, i, add,
            _mm256_add_epi32(_mm256_sub_epi32(m[0], m[1]), _mm256_add_epi32(m[2], m[5])));
    }
    return i;
}

void qnt__join_seven_avx2(const struct qnt__join_seven *j)
{
    const size_t done = j->add ? join(j, 1) : join(j, 0);
    struct qnt__join_seven rest = *j;
    rest.products += done, rest.sums += done, rest.n -= done;
    qnt__join_seven_c(&rest);
}
