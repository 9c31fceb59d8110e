/*
 * Products of bits by carry-save adders: a register holds one binary digit of the sums of 512 columns.
 * VPTERNLOGQ makes the exclusive or and the majority of three, so that two of them add two more bits of
 * the same weight; three k have a table of the eight sums that they can have, of two digits, and a row's
 * bits say which. 63 adders for 96 k.
 */
#include <immintrin.h>

#include "../layout.h"
#include "adders_avx512vbmi.h"

enum {
    VECTOR = QNT__ADDER_DIGIT,  /* bytes of a digit of 512 columns */
    GROUPS = QNT__ADDER_GROUPS, /* tables of a chunk */
    ENTRY = 2 * VECTOR,         /* two digits */
    TABLE = 8 * ENTRY,
    DIGITS = QNT__ADDER_DIGITS, /* that a chunk changes by adders; then its carry waits */
    AHEAD = 4,                  /* rows whose bits are fetched before they are used */
    EXCLUSIVE_OR = 0x96,
    MAJORITY = 0xd4 /* of a, b and c, from a, b and a ^ b ^ c */
};

/* ---- tables ---- */

/* 32 k of 16 columns of each of four panels: byte j goes to register j, that of column 4 l + i of panel q
 * to byte 16 l + 4 q + i, from where sums come back in order (read_adders_avx512vbmi.c). */
INLINE void transpose(__m512i x[4])
{
    const __m512i byte =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    UNROLL for (int q = 0; q < 4; q++) x[q] = _mm512_shuffle_epi8(x[q], byte);
    __m512i a = _mm512_unpacklo_epi32(x[0], x[1]), b = _mm512_unpacklo_epi32(x[2], x[3]),
            c = _mm512_unpackhi_epi32(x[0], x[1]), d = _mm512_unpackhi_epi32(x[2], x[3]);
    x[0] = _mm512_unpacklo_epi64(a, b), x[1] = _mm512_unpackhi_epi64(a, b);
    x[2] = _mm512_unpacklo_epi64(c, d), x[3] = _mm512_unpackhi_epi64(c, d);
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
static void turn_half(const struct qnt__gemm_adders *g, const uint64_t *b, size_t half, uint8_t *to)
{
    const __m512i even =
                      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  lanes = _mm512_add_epi32(even, _mm512_set1_epi32((int)(half % 2)));
    __m512i bytes[4][PARTS];
    for (size_t part = 0; part < PARTS; part++) {
        __m512i x[4];
        UNROLL for (size_t q = 0; q < 4; q++)
        {
            const size_t panel = 4 * part + q;
            const uint64_t *at = b + (panel < g->panels ? panel : 0) * g->b_panel;
            x[q] =
                _mm512_permutex2var_epi32(word_of(at, half / 2), lanes, word_of(at + 8, half / 2));
        }
        transpose(x);
        UNROLL for (size_t j = 0; j < 4; j++) bytes[j][part] = x[j];
    }
    for (size_t j = 0; j < 4; j++, to += PARTS * VECTOR) {
        __m512i x[PARTS];
        UNROLL for (int i = 0; i < PARTS; i++) x[i] = bytes[j][i];
        swap_bits(x);
        UNROLL for (int i = 0; i < PARTS; i++) _mm512_store_si512(to + i * VECTOR, x[i]);
    }
}

/* The table of three bits of each column: entry e is the sum of those whose bit is set in e. What is 0
 * in each table is there already. */
INLINE void store_table(__m512i x, __m512i y, __m512i z, uint8_t *to)
{
    const __m512i one[8] = {x,
                            x,
                            y,
                            _mm512_xor_si512(x, y),
                            z,
                            _mm512_xor_si512(x, z),
                            _mm512_xor_si512(y, z),
                            _mm512_ternarylogic_epi64(x, y, z, EXCLUSIVE_OR)};
    UNROLL for (int e = 1; e < 8; e++) _mm512_store_si512(to + e * ENTRY, one[e]);
    to += VECTOR;
    _mm512_store_si512(to + 3 * ENTRY, _mm512_and_si512(x, y));
    _mm512_store_si512(to + 5 * ENTRY, _mm512_and_si512(x, z));
    _mm512_store_si512(to + 6 * ENTRY, _mm512_and_si512(y, z));
    _mm512_store_si512(to + 7 * ENTRY, _mm512_ternarylogic_epi64(x, y, z, 0xe8));
}

/* Those of a chunk of a plane: bit i of its three halves of words is table i. */
static void make_tables(const struct qnt__gemm_adders *g, const uint64_t *b, size_t chunk,
                        uint8_t *tables)
{
    _Alignas(64) uint8_t bits[3][GROUPS * VECTOR];
    for (size_t h = 0; h < 3; h++) {
        if (3 * chunk + h < 2 * g->words)
            turn_half(g, b, 3 * chunk + h, bits[h]);
        else
            __builtin_memset(bits[h], 0, sizeof bits[h]);
    }
    for (size_t i = 0; i < GROUPS; i++) {
        store_table(_mm512_load_si512(bits[0] + i * VECTOR),
                    _mm512_load_si512(bits[1] + i * VECTOR),
                    _mm512_load_si512(bits[2] + i * VECTOR), tables + i * TABLE);
    }
}

/* ---- memory ---- */

/* Lines of the planes of the next chunk, asked for one by one while this one is multiplied. */
struct fetch {
    uintptr_t at; /* its first word; 0: there is no next one */
    size_t panel; /* bytes from one panel to the next */
    size_t lines, line, rows, due;
};

enum { PANEL_LINES = 4 };

static struct fetch fetch_of(const struct qnt__gemm_adders *g, size_t plane, size_t chunk)
{
    struct fetch f = {.panel = sizeof *g->b * g->b_panel, .rows = g->m};
    uintptr_t b = (uintptr_t)g->b;
    if (chunk == qnt__adder_chunks(g->words)) chunk = 0, plane++;
    if (plane < g->b_planes)
        b += sizeof *g->b * plane * g->b_plane;
    else if (g->ahead)
        b += sizeof *g->b * g->ahead;
    else
        return f;
    f.at = b + 3 * chunk / 2 * QNT__PANEL * sizeof *g->b;
    f.lines = PANEL_LINES * g->panels;
    return f;
}

/* A row's share. */
INLINE void fetch_some(struct fetch *f)
{
    for (f->due += f->lines; f->due >= f->rows; f->due -= f->rows, f->line++)
        _mm_prefetch(
            (const void *)(f->at + f->line / PANEL_LINES * f->panel + f->line % PANEL_LINES * 64),
            _MM_HINT_T1);
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

/* A chunk of one plane of a row. Its carry waits for another one of the same weight: where there is one,
 * bits of `full`, both go into the digit, and the next carry is for the next digit. */
INLINE void add_chunk(const uint8_t *tables, const uint8_t *a, uint8_t *sums, size_t waiting,
                      uint64_t full)
{
    __m512i sum[DIGITS];
    UNROLL for (int d = 0; d < DIGITS; d++) sum[d] = _mm512_loadu_si512(sums + d * VECTOR);
    struct three of32 = add_sixteen(tables, a, 0, sum);
    of32 = add_six(of32, add_sixteen(tables, a, 16, sum), &sum[4]);
    __m512i carry = add(&sum[5], of32.x, of32.y), other = _mm512_and_si512(sum[5], of32.z);
    sum[5] = _mm512_xor_si512(sum[5], of32.z);
    carry = add(&sum[6], carry, other);
    UNROLL for (int d = 0; d < DIGITS; d++) _mm512_storeu_si512(sums + d * VECTOR, sum[d]);
    uint8_t *at = sums + DIGITS * VECTOR;
    for (; full & 1; full >>= 1, at += VECTOR) {
        __m512i digit = _mm512_loadu_si512(at);
        carry = add(&digit, carry, _mm512_loadu_si512(at + waiting));
        _mm512_storeu_si512(at, digit);
    }
    _mm512_storeu_si512(at + waiting, carry);
}

/* All rows and planes of a times the tables of a chunk of a plane of b; of carries before it. */
static void add_rows(const struct qnt__gemm_adders *g, const uint8_t *tables, size_t plane,
                     size_t chunk, uint64_t before)
{
    const struct adder_rows r = adder_rows_of(g);
    const size_t chunks = qnt__adder_chunks(g->words);
    const struct qnt__results some =
        qnt__results_step(&g->results, plane * chunks + chunk, g->b_planes * chunks);
    struct fetch fetch = fetch_of(g, plane, chunk + 1);
    const uint8_t *a = g->a + chunk * GROUPS;
    uint8_t *sums = g->sums;
    for (size_t i = 0; i < g->m; i++, a += g->a_row, sums += r.bytes) {
        uint64_t full = before;
        fetch_some(&fetch);
        qnt__ask_now(&some, i, 1, 0, 1);
        for (size_t j = 0; j < g->planes; j++) {
            const uint8_t *bits = a + j * g->a_plane;
            const size_t digit = plane + j;
            _mm_prefetch(bits + AHEAD * g->a_row, _MM_HINT_T0);
            add_chunk(tables, bits, sums + digit * VECTOR, r.waiting, full >> (digit + DIGITS));
            full += (uint64_t)1 << (digit + DIGITS);
        }
    }
}

void qnt__gemm_adders_avx512vbmi(const struct qnt__gemm_adders *g)
{
    _Alignas(64) uint8_t tables[GROUPS * TABLE] = {0};
    const struct adder_rows r = adder_rows_of(g);
    uint64_t full = 0;
    for (size_t i = 0; i < g->m; i++) __builtin_memset(g->sums + i * r.bytes, 0, r.digits * VECTOR);
    for (size_t plane = 0; plane < g->b_planes; plane++) {
        const uint64_t *b = g->b + plane * g->b_plane;
        for (size_t chunk = 0; chunk < qnt__adder_chunks(g->words); chunk++) {
            make_tables(g, b, chunk, tables);
            add_rows(g, tables, plane, chunk, full);
            full += (((uint64_t)1 << g->planes) - 1) << (plane + DIGITS);
        }
    }
}
