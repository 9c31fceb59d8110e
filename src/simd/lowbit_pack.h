/*
 * Packing digits, joining and summing them, for GNU vectors of any width: no digit leaves its byte
 * when words are shifted. The including file defines VECTOR, bytes of a vector, and INLINE.
 */
#include <string.h>

typedef uint64_t words __attribute__((vector_size(VECTOR), aligned(1), may_alias));

INLINE words load_words(const uint8_t *from)
{
    return *(const words *)(const void *)from;
}

INLINE void pack_words(const uint8_t *codes, size_t triples, uint8_t *to)
{
    *(words *)(void *)to =
        load_words(codes) | load_words(codes + triples) << 2 | load_words(codes + 2 * triples) << 4;
}

INLINE void pack_eight(const uint8_t *codes, size_t triples, uint8_t *to)
{
    uint64_t digit[3];
    for (size_t s = 0; s < 3; s++) memcpy(&digit[s], codes + s * triples, 8);
    digit[0] |= digit[1] << 2 | digit[2] << 4;
    memcpy(to, &digit[0], 8);
}

/* The last ones of a size once more rather than one by one. */
INLINE void pack_lowbit(const uint8_t *codes, size_t step, size_t n, size_t triples, uint8_t *to,
                        size_t to_step)
{
    if (triples < 8) {
        qnt__pack_lowbit_c(codes, step, n, triples, to, to_step);
        return;
    }
    for (size_t i = 0; i < n; i++, codes += step, to += to_step) {
        size_t t = 0;
        for (; t + VECTOR <= triples; t += VECTOR) pack_words(codes + t, triples, to + t);
        if (t > 0 && t < triples) {
            t = triples - VECTOR;
            pack_words(codes + t, triples, to + t);
            continue;
        }
        for (; t + 8 <= triples; t += 8) pack_eight(codes + t, triples, to + t);
        if (t < triples) pack_eight(codes + triples - 8, triples, to + triples - 8);
    }
}

/* The sums over the three digits of each byte, at most 9; those of 28 fit a byte. */
#define SUM_TRIPLES(x) (((x)&digit) + ((x) >> 2 & digit) + ((x) >> 4 & digit))

/* The sums of two neighbouring bytes each. */
#define SUM_PAIRS(x) (((x)&even) + ((x) >> 8 & even))

static const uint64_t digit = 0x0303030303030303u, even = 0x00ff00ff00ff00ffu;

/* Fewer bytes than a vector has. */
INLINE uint64_t sum_few(const uint8_t *x, size_t n)
{
    uint64_t sum = 0, word;
    size_t t = 0;
    for (; t + 8 <= n; t += 8) {
        memcpy(&word, x + t, 8);
        sum += SUM_TRIPLES(word);
    }
    for (word = 0; t < n; t++) word = word << 8 | x[t];
    return SUM_PAIRS(sum + SUM_TRIPLES(word));
}

INLINE int32_t sum_pixel(const uint8_t *x, size_t triples)
{
    enum { MOST = 28 * VECTOR };
    uint64_t sum; /* four of 16 bits, together below 2^16 */
    int32_t all = 0;
    while (triples > 0) {
        size_t part = triples < MOST ? triples : MOST, t = 0;
        words bytes = {0};
        for (; t + VECTOR <= part; t += VECTOR) bytes += SUM_TRIPLES(load_words(x + t));
        sum = sum_few(x + t, part - t);
        if (t) {
            words pairs = SUM_PAIRS(bytes);
            for (size_t l = 0; l < VECTOR / 8; l++) sum += pairs[l];
        }
        all += (int32_t)(sum * 0x0001000100010001u >> 48);
        x += part;
        triples -= part;
    }
    return all;
}

INLINE void digits_lowbit(const uint8_t *x, size_t n, size_t step, size_t triples, int32_t *sum)
{
    for (size_t i = 0; i < n; i++) sum[i] = sum_pixel(x + i * step, triples);
}

/* Of 16 triples eight sixes: in a word of two, three bits move to bit 0 and three to bit 3. */
typedef uint16_t twos __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t sixes __attribute__((vector_size(8), aligned(1), may_alias));

INLINE void join_eight(const uint8_t *x, uint8_t *to, twos *all)
{
    twos w = *(const twos *)(const void *)x;
    *all |= w;
    w = (w & 0x0101) | (w >> 1 & 0x0202) | (w >> 2 & 0x0404);
    *(sixes *)(void *)to = __builtin_convertvector((w | w >> 5) & 63, sixes);
}

/* The last eight once more rather than one by one; an odd triple is on its own. */
INLINE int join_lowbit(const uint8_t *x, size_t n, size_t step, size_t triples, uint8_t *to,
                       size_t to_step)
{
    const size_t whole = triples / 2;
    twos all = {0};
    unsigned odd = 0;
    if (whole < 8) return qnt__join_lowbit_c(x, n, step, triples, to, to_step);
    for (size_t i = 0; i < n; i++, x += step, to += to_step) {
        size_t d = 0;
        for (; d + 8 <= whole; d += 8) join_eight(x + 2 * d, to + d, &all);
        if (d < whole) join_eight(x + 2 * (whole - 8), to + whole - 8, &all);
        if (triples % 2 == 0) continue;
        const unsigned last = x[triples - 1];
        odd |= last;
        to[whole] = qnt__lowbit_six(0, last);
    }
    for (int l = 0; l < 8; l++) odd |= all[l] | all[l] >> 8;
    return (odd & QNT__HIGH_BITS) == 0;
}
