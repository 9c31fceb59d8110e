/*
 * Products of bits by carry-save adders: a register holds one binary digit of the sums of 512 columns.
 * VPTERNLOGQ makes the exclusive or and the majority of three, so that two of them add two more bits of
 * the same weight; three k have a table of the eight sums that they can have, of two digits, and a row's
 * bits say which. 63 adders for 96 k.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum {
    VECTOR = 64,                /* bytes of a digit of 512 columns */
    GROUPS = QNT__ADDER_GROUPS, /* tables of a chunk */
    ENTRY = 2 * VECTOR,         /* two digits */
    TABLE = 8 * ENTRY,
    PARTS = QNT__ADDER_PANELS / 4, /* of 64 columns */
    DIGITS = 7,                    /* that a chunk changes by adders; its carry by half adders */
    AHEAD = 4,                     /* rows whose bits are fetched before they are used */
    EXCLUSIVE_OR = 0x96,
    MAJORITY = 0xd4 /* of a, b and c, from a, b and a ^ b ^ c */
};

/* ---- tables ---- */

/* 64 columns of 32 k: 16 columns come in each register, byte j of which goes to register j. */
INLINE void transpose(__m512i x[4])
{
    const __m512i byte =
        _mm512_set_epi32(0x3f3b3733, 0x2f2b2723, 0x1f1b1713, 0x0f0b0703, 0x3e3a3632, 0x2e2a2622,
                         0x1e1a1612, 0x0e0a0602, 0x3d393531, 0x2d292521, 0x1d191511, 0x0d090501,
                         0x3c383430, 0x2c282420, 0x1c181410, 0x0c080400);
    UNROLL for (int p = 0; p < 4; p++) x[p] = _mm512_permutexvar_epi8(byte, x[p]);
    __m512i a = _mm512_shuffle_i64x2(x[0], x[1], 0x44), b = _mm512_shuffle_i64x2(x[2], x[3], 0x44),
            c = _mm512_shuffle_i64x2(x[0], x[1], 0xee), d = _mm512_shuffle_i64x2(x[2], x[3], 0xee);
    x[0] = _mm512_shuffle_i64x2(a, b, 0x88), x[1] = _mm512_shuffle_i64x2(a, b, 0xdd);
    x[2] = _mm512_shuffle_i64x2(c, d, 0x88), x[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
}

/* Eight columns of word w, as it was before odd ones became parities. */
INLINE __m512i word_of(const uint64_t *b, size_t w)
{
    const uint64_t *at = b + w * QNT__PANEL;
    __m512i word = _mm512_loadu_si512(at);
    if (w % 2 == 0) return word;
    word = _mm512_xor_si512(word, _mm512_loadu_si512(at - QNT__PANEL));
    return w > 1 ? _mm512_xor_si512(word, _mm512_loadu_si512(at - 2 * QNT__PANEL)) : word;
}

/* Half a word, 32 k, of all columns: to[32][64], a bit for each column; those of panels that are not
 * there are the first one's. */
static void turn_half(const struct qnt__gemm_adders *g, size_t half, uint8_t *to)
{
    const __m512i even =
                      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  lanes = _mm512_add_epi32(even, _mm512_set1_epi32((int)(half % 2)));
    for (size_t part = 0; part < PARTS; part++) {
        __m512i x[4];
        UNROLL for (size_t p = 0; p < 4; p++)
        {
            const size_t panel = 4 * part + p;
            const uint64_t *b = g->b + (panel < g->panels ? panel : 0) * g->b_panel;
            x[p] = _mm512_permutex2var_epi32(word_of(b, half / 2), lanes, word_of(b + 8, half / 2));
        }
        transpose(x);
        UNROLL for (size_t j = 0; j < 4; j++)
        {
            for (size_t i = 8; i-- > 0; x[j] = _mm512_add_epi8(x[j], x[j])) {
                uint64_t bits = _mm512_movepi8_mask(x[j]);
                __builtin_memcpy(to + (8 * j + i) * VECTOR + 8 * part, &bits, sizeof bits);
            }
        }
    }
}

/* The table of three bits of each column: entry e is the sum of those whose bit is set in e. */
INLINE void store_table(__m512i x, __m512i y, __m512i z, uint8_t *to)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i ones[8] = {zero,
                             x,
                             y,
                             _mm512_xor_si512(x, y),
                             z,
                             _mm512_xor_si512(x, z),
                             _mm512_xor_si512(y, z),
                             _mm512_ternarylogic_epi64(x, y, z, EXCLUSIVE_OR)};
    const __m512i twos[8] = {zero,
                             zero,
                             zero,
                             _mm512_and_si512(x, y),
                             zero,
                             _mm512_and_si512(x, z),
                             _mm512_and_si512(y, z),
                             _mm512_ternarylogic_epi64(x, y, z, 0xe8)};
    UNROLL for (int e = 0; e < 8; e++)
    {
        _mm512_store_si512(to + e * ENTRY, ones[e]);
        _mm512_store_si512(to + e * ENTRY + VECTOR, twos[e]);
    }
}

/* Those of a chunk: bit i of its three halves of words is table i. */
static void make_tables(const struct qnt__gemm_adders *g, size_t chunk, uint8_t *tables)
{
    _Alignas(64) uint8_t bits[3][GROUPS * VECTOR];
    for (size_t h = 0; h < 3; h++) {
        if (3 * chunk + h < 2 * g->words)
            turn_half(g, 3 * chunk + h, bits[h]);
        else
            __builtin_memset(bits[h], 0, sizeof bits[h]);
    }
    for (size_t i = 0; i < GROUPS; i++) {
        store_table(_mm512_load_si512(bits[0] + i * VECTOR),
                    _mm512_load_si512(bits[1] + i * VECTOR),
                    _mm512_load_si512(bits[2] + i * VECTOR), tables + i * TABLE);
    }
}

/* What the next chunk reads. */
static void fetch(const struct qnt__gemm_adders *g, size_t chunk)
{
    for (size_t p = 0; p < g->panels; p++) {
        const uint64_t *b = g->b + p * g->b_panel + 3 * chunk / 2 * QNT__PANEL;
        UNROLL for (int line = 0; line < 4; line++) _mm_prefetch(b + 8 * line, _MM_HINT_T1);
    }
}

/* ---- sums ---- */

/* Three digits of the same weight. */
struct three {
    __m512i x, y, z;
};

/* sum += x + y; returns the carry. In place: gcc 12 copies registers around for the intrinsics. */
INLINE __m512i add(__m512i *sum, __m512i x, __m512i y)
{
    __asm__("vpternlogq %4, %3, %2, %0\n\tvpternlogq %5, %0, %3, %1"
            : "+v"(*sum), "=v"(x)
            : "1"(x), "v"(y), "i"(EXCLUSIVE_OR), "i"(MAJORITY));
    return x;
}

INLINE struct three add_six(struct three a, struct three b, __m512i *sum)
{
    struct three carry;
    carry.x = add(sum, a.x, a.y);
    carry.y = add(sum, a.z, b.x);
    carry.z = add(sum, b.y, b.z);
    return carry;
}

/* A digit of an entry of a table. The address needs no instruction of its own, which would take a port from
 * VPTERNLOGQ; compilers add it up, because both digits are near. */
INLINE __m512i entry(const uint8_t *tables, size_t at, int digit)
{
#ifdef __OPTIMIZE__ /* else `digit` is no constant */
    const struct {
        uint8_t tables[GROUPS * TABLE];
    } *all = (const void *)tables;
    __m512i v;
    __asm__("vmovdqa64 %c3(%1,%2,8), %0" : "=v"(v) : "r"(tables), "r"(at), "i"(digit), "m"(*all));
    return v;
#else
    return _mm512_load_si512(tables + 8 * at + digit);
#endif
}

/* Entries of four tables from table t on; what is left is of weight four. */
INLINE struct three add_tables(const uint8_t *tables, const uint8_t *a, int t, __m512i sum[2])
{
    __m512i one[4], two[4];
    UNROLL for (int i = 0; i < 4; i++)
    {
        one[i] = entry(tables, a[t + i], (t + i) * TABLE);
        two[i] = entry(tables, a[t + i], (t + i) * TABLE + VECTOR);
    }
    __m512i x = add(&sum[0], one[0], one[1]), y = add(&sum[0], one[2], one[3]);
    struct three carry;
    carry.x = add(&sum[1], x, two[0]);
    carry.y = add(&sum[1], y, two[1]);
    carry.z = add(&sum[1], two[2], two[3]);
    return carry;
}

INLINE struct three add_eight(const uint8_t *tables, const uint8_t *a, int t, __m512i *sum)
{
    struct three low = add_tables(tables, a, t, sum);
    return add_six(low, add_tables(tables, a, t + 4, sum), &sum[2]);
}

INLINE struct three add_sixteen(const uint8_t *tables, const uint8_t *a, int t, __m512i *sum)
{
    struct three low = add_eight(tables, a, t, sum);
    return add_six(low, add_eight(tables, a, t + 8, sum), &sum[3]);
}

/* A chunk of one plane of a row: sums of `digits` digits. */
static void add_chunk(const uint8_t *tables, const uint8_t *a, uint8_t *sums, size_t digits)
{
    __m512i sum[DIGITS];
    UNROLL for (int d = 0; d < DIGITS; d++) sum[d] = _mm512_loadu_si512(sums + d * VECTOR);
    struct three of32 = add_sixteen(tables, a, 0, sum);
    of32 = add_six(of32, add_sixteen(tables, a, 16, sum), &sum[4]);
    __m512i carry = add(&sum[5], of32.x, of32.y), other = _mm512_and_si512(sum[5], of32.z);
    sum[5] = _mm512_xor_si512(sum[5], of32.z);
    carry = add(&sum[6], carry, other);
    UNROLL for (int d = 0; d < DIGITS; d++) _mm512_storeu_si512(sums + d * VECTOR, sum[d]);
    for (size_t d = DIGITS; d < digits; d++) {
        __m512i digit = _mm512_loadu_si512(sums + d * VECTOR);
        _mm512_storeu_si512(sums + d * VECTOR, _mm512_xor_si512(digit, carry));
        carry = _mm512_and_si512(digit, carry);
    }
}

/* ---- results ---- */

/* Bytes of 64 columns from eight digits, of which the first is of weight one. */
INLINE __m512i byte_of(const uint8_t *sums)
{
    __m512i v = _mm512_setzero_si512();
    UNROLL for (int i = 0; i < 8; i++)
    {
        uint64_t bits;
        __builtin_memcpy(&bits, sums + i * VECTOR, sizeof bits);
        v = _mm512_mask_add_epi8(v, bits, v, _mm512_set1_epi8((char)(1 << i)));
    }
    return v;
}

/* Sums of a row, twice, from digits to integers, which may overlap. */
static void turn_sums(const uint8_t *from, size_t digits, int32_t *acc)
{
    const __m512i lane =
        _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b, 0x0a0a0a0a,
                         0x09090909, 0x08080808, 0x07070707, 0x06060606, 0x05050505, 0x04040404,
                         0x03030303, 0x02020202, 0x01010101, 0);
    uint8_t sums[32 * VECTOR]; /* digit 0 of the double is 0 */
    const size_t bytes = digits / 8 + 1;
    __builtin_memset(sums, 0, VECTOR);
    __builtin_memcpy(sums + VECTOR, from, digits * VECTOR);
    __builtin_memset(sums + (digits + 1) * VECTOR, 0, (8 * bytes - digits - 1) * VECTOR);
    for (size_t part = 0; part < PARTS; part++) {
        __m512i y[4];
        UNROLL for (int q = 0; q < 4; q++) y[q] = _mm512_setzero_si512();
        for (size_t byte = 0; byte < bytes; byte++) {
            const __m512i v = byte_of(sums + 8 * byte * VECTOR + 8 * part);
            const __mmask64 to = 0x1111111111111111u << byte;
            UNROLL for (int q = 0; q < 4; q++)
            {
                const __m512i at = _mm512_add_epi8(lane, _mm512_set1_epi8((char)(16 * q)));
                y[q] = _mm512_or_si512(y[q], _mm512_maskz_permutexvar_epi8(to, at, v));
            }
        }
        UNROLL for (int q = 0; q < 4; q++) _mm512_storeu_si512(acc + 64 * part + 16 * q, y[q]);
    }
}

/* Digits of the largest sum: of two words and more they are at least one more than a chunk of the highest
 * plane changes by adders. */
static size_t digits_of(const struct qnt__gemm_adders *g)
{
    const uint64_t most = 64 * (uint64_t)g->words * ((1u << g->planes) - 1);
    return 64 - (size_t)__builtin_clzll(most);
}

void qnt__gemm_adders_avx512vbmi(const struct qnt__gemm_adders *g)
{
    _Alignas(64) uint8_t tables[GROUPS * TABLE];
    const size_t digits = digits_of(g), row_bytes = digits * VECTOR,
                 chunks = qnt__adder_chunks(g->words);
    uint8_t *sums = (void *)g->acc; /* rows of digits are shorter than those of integers */
    __builtin_memset(sums, 0, g->m * row_bytes);
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        const uint8_t *a = g->a + chunk * GROUPS;
        make_tables(g, chunk, tables);
        if (chunk + 1 < chunks) fetch(g, chunk + 1);
        for (size_t i = 0; i < g->m; i++, a += g->a_row) {
            for (size_t j = 0; j < g->planes; j++) {
                const uint8_t *plane = a + j * g->a_plane;
                _mm_prefetch(plane + AHEAD * g->a_row, _MM_HINT_T0);
                add_chunk(tables, plane, sums + i * row_bytes + j * VECTOR, digits - j);
            }
        }
    }
    for (size_t i = g->m; i-- > 0;) turn_sums(sums + i * row_bytes, digits, g->acc + i * g->ld);
}
