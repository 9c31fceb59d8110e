/*
 * Bit planes by tables of six codes: VPERMB looks 64 columns up, VPADDUSB, which leaves VPERMB its
 * port, adds while sums fit bytes. Two instructions for 64 columns of six bits; sums of 16 bits of two
 * rows of 256 columns stay in registers for a chunk.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum {
    ENTRIES = 64,
    PARTS = QNT__SIX_PANELS / 4, /* vectors of 64 columns */
    CHUNK = 6, /* words of which indices and four rows of tables are in the first cache */
    ROWS = 2,
    SELECT = 0xca /* a ? b : c */
};

/* In place: gcc 12 copies accumulators around for the intrinsics. */
#define ADD_BYTES(sum, x) __asm__("vpaddusb %1, %0, %0" : "+v"(sum) : "v"(x))
#define ADD_WORDS(sum, x) __asm__("vpaddw %1, %0, %0" : "+v"(sum) : "v"(x))

/* ---- tables ---- */

/* The codes of bit i of eight halves of tables of three codes each, in their eight entries. */
INLINE __m512i codes_of(__m512i word, __m512i half, int i, uint64_t held)
{
    static const uint64_t sets[3] = {0xaaaaaaaaaaaaaaaau, 0xccccccccccccccccu,
                                     0xf0f0f0f0f0f0f0f0u};
    const __m512i spread = _mm512_set_epi64(
        0x3838383838383838, 0x3030303030303030, 0x2828282828282828, 0x2020202020202020,
        0x1818181818181818, 0x1010101010101010, 0x0808080808080808, 0);
    __m512i at = _mm512_permutexvar_epi8(spread, half);
    return _mm512_maskz_permutexvar_epi8(held & sets[i], at, word);
}

/* Four tables at a time, from sums of three codes each: 8 entries of each of 8 halves of tables. The lower
 * half repeats, so it is loaded, which leaves VPERMB to the upper one. */
void qnt__tabulate_six_avx512vbmi(const uint8_t *codes, size_t words, uint8_t *tables)
{
    static const uint64_t all = UINT64_MAX;
    const __m512i eight = _mm512_set1_epi8(8);
    const __m512i high = _mm512_add_epi8(
        eight, _mm512_setr_epi64(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303,
                                 0x0404040404040404, 0x0505050505050505, 0x0606060606060606,
                                 0x0707070707070707));
    /* by half of a table, in the low byte of each lane */
    const __m512i first = _mm512_setr_epi64(0, 3, 8, 11, 16, 19, 24, 27);
    const __m512i rest[3] = {_mm512_setr_epi64(6, 15, 30, 39, 54, 63, 0, 0),
                             _mm512_setr_epi64(7, 22, 31, 46, 55, 0, 0, 0),
                             _mm512_setr_epi64(14, 23, 38, 47, 62, 0, 0, 0)};
    for (size_t w = 0; w < words; w++, codes += 64) {
        __m512i word = _mm512_loadu_si512(codes), sums[3];
        UNROLL for (int t = 0; t < 3; t++)
        {
            sums[t] = _mm512_setzero_si512();
            UNROLL for (int i = 0; i < 3; i++)
            {
                __m512i half = t < 2 ? _mm512_add_epi8(first, _mm512_set1_epi8((char)(32 * t + i)))
                                     : rest[i];
                uint64_t held = t < 2 ? all : i == 0 ? all >> 16 : all >> 24;
                sums[t] = _mm512_add_epi8(sums[t], codes_of(word, half, i, held));
            }
        }
        int64_t halves[3][8];
        UNROLL for (int t = 0; t < 3; t++) _mm512_storeu_si512(halves[t], sums[t]);
        UNROLL for (int t = 0; t < QNT__SIXES; t++, tables += ENTRIES)
        {
            __m512i at = _mm512_add_epi8(high, _mm512_set1_epi8((char)(t % 4 * 16)));
            __m512i above = _mm512_permutexvar_epi8(at, sums[t / 4]);
            _mm512_storeu_si512(
                tables, _mm512_add_epi8(above, _mm512_set1_epi64(halves[t / 4][t % 4 * 2])));
        }
    }
}

/* ---- indices ---- */

/* Register i by i bytes. */
INLINE void rotate(__m512i x[8])
{
    x[1] = _mm512_ror_epi64(x[1], 8);
    x[2] = _mm512_ror_epi64(x[2], 16);
    x[3] = _mm512_ror_epi64(x[3], 24);
    x[4] = _mm512_ror_epi64(x[4], 32);
    x[5] = _mm512_ror_epi64(x[5], 40);
    x[6] = _mm512_ror_epi64(x[6], 48);
    x[7] = _mm512_ror_epi64(x[7], 56);
}

/*
 * Eight registers of eight columns of eight bytes each become eight of 64 columns, one for each
 * byte. Byte b of register c comes in as index (b + c) % 8, so that each byte of a result has the
 * same place in its source: blends choose, a rotation by whole bytes ends it. Byte 8 q + b of a
 * result belongs to column 8 ((8 - b) % 8) + q.
 */
INLINE void transpose(__m512i x[8])
{
    static const uint64_t moves[3] = {0xaaaaaaaaaaaaaaaau, 0xccccccccccccccccu,
                                      0xf0f0f0f0f0f0f0f0u};
    UNROLL for (int s = 0; s < 3; s++)
    {
        __m512i y[8];
        UNROLL for (int i = 0; i < 8; i++) y[i] =
            _mm512_mask_blend_epi8(moves[s], x[i], x[(i + 8 - (1 << s)) % 8]);
        UNROLL for (int i = 0; i < 8; i++) x[i] = y[i];
    }
    rotate(x);
}

/* The two upper bits of the bytes of a, b and c, next to each other; above them there is anything. */
INLINE __m512i upper_bits(__m512i a, __m512i b, __m512i c)
{
    const __m512i two = _mm512_set1_epi8(3), four = _mm512_set1_epi8(15);
    __m512i x = _mm512_ternarylogic_epi64(two, _mm512_srli_epi16(a, 6), _mm512_srli_epi16(b, 4),
                                          SELECT);
    return _mm512_ternarylogic_epi64(four, x, _mm512_srli_epi16(c, 2), SELECT);
}

/* The indices of a word of 64 columns, eight in each register. */
INLINE void store_indices(__m512i x[8], uint8_t *to, size_t step)
{
    rotate(x);
    transpose(x);
    UNROLL for (size_t t = 0; t < 8; t++) _mm512_storeu_si512(to + t * step, x[t]);
    _mm512_storeu_si512(to + 8 * step, upper_bits(x[0], x[1], x[2]));
    _mm512_storeu_si512(to + 9 * step, upper_bits(x[3], x[4], x[5]));
    _mm512_storeu_si512(to + 10 * step, upper_bits(x[6], x[7], x[7]));
}

/* Columns 8 c to 8 c + 7 of 64, panels that are not there as the first one. */
INLINE const uint64_t *columns_of(const struct qnt__look_up_bits *g, size_t part, size_t c)
{
    size_t panel = 4 * part + c / 2;
    return g->b + (panel < g->panels ? panel : 0) * g->b_panel + c % 2 * 8;
}

/* to: [words][QNT__SIXES][parts][64] */
static void make_indices(const struct qnt__look_up_bits *g, size_t parts, size_t first,
                         size_t words, uint8_t *to)
{
    const size_t step = 64 * parts;
    for (size_t part = 0; part < parts; part++) {
        for (size_t w = 0; w < words; w += 2) {
            uint8_t *at = to + 64 * part + w * QNT__SIXES * step, *next = at + QNT__SIXES * step;
            __m512i even[8], odd[8];
            UNROLL for (size_t c = 0; c < 8; c++)
            {
                const uint64_t *b = columns_of(g, part, c) + (first + w) * QNT__PANEL;
                even[c] = _mm512_loadu_si512(b);
                odd[c] = _mm512_xor_si512(even[c], _mm512_loadu_si512(b + QNT__PANEL));
                if (first + w)
                    odd[c] = _mm512_xor_si512(odd[c], _mm512_loadu_si512(b - QNT__PANEL));
            }
            store_indices(even, at, step);
            store_indices(odd, next, step);
        }
    }
}

/* ---- sums ---- */

/* 16-bit sums of 64 columns: of all bytes with their odd neighbours above them, and of odd ones. */
struct wide {
    __m512i both, odd;
};

struct chunk {
    const struct qnt__look_up_bits *g;
    const uint8_t *indices;
    size_t parts, first, tables; /* words before; tables in it */
    size_t run;                  /* tables whose sums fit bytes */
    struct wide (*wide)[PARTS];  /* of all rows */
};

/* Some rows and vectors of 64 columns, all tables of the chunk. Two rows of four vectors and their
 * wide sums are 24 of 32 registers. */
INLINE void tile(const struct chunk *c, size_t row, size_t part, int rows, int parts)
{
    const size_t step = 64 * c->parts;
    const uint8_t *index = c->indices + 64 * part;
    const uint8_t *tables = c->g->tables + row * c->g->row + c->first * QNT__SIXES * ENTRIES;
    struct wide wide[ROWS][PARTS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int p = 0; p < parts; p++) wide[i][p] = c->wide[row + (size_t)i][part + (size_t)p];
    }
    for (size_t t = 0; t < c->tables;) {
        size_t end = t + c->run < c->tables ? t + c->run : c->tables;
        __m512i sum[ROWS][PARTS];
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int p = 0; p < parts; p++) sum[i][p] = _mm512_setzero_si512();
        }
        for (; t < end; t++, index += step, tables += ENTRIES) {
            __m512i at[PARTS];
            UNROLL for (int p = 0; p < parts; p++) at[p] = _mm512_loadu_si512(index + 64 * p);
            UNROLL for (int i = 0; i < rows; i++)
            {
                __m512i table = _mm512_loadu_si512(tables + (size_t)i * c->g->row);
                UNROLL for (int p = 0; p < parts; p++)
                {
                    __m512i found = _mm512_permutexvar_epi8(at[p], table);
                    ADD_BYTES(sum[i][p], found);
                }
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int p = 0; p < parts; p++)
            {
                __m512i odd = _mm512_srli_epi16(sum[i][p], 8);
                ADD_WORDS(wide[i][p].both, sum[i][p]);
                ADD_WORDS(wide[i][p].odd, odd);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int p = 0; p < parts; p++) c->wide[row + (size_t)i][part + (size_t)p] = wide[i][p];
    }
}

INLINE void all_rows(const struct chunk *c, size_t part, int parts)
{
    size_t row = 0, m = c->g->m;
    for (; row + ROWS <= m; row += ROWS) tile(c, row, part, ROWS, parts);
    for (; row < m; row++) tile(c, row, part, 1, parts);
}

/*
 * Twice the sums of four panels, in 32 bits. Columns of 64 bits have, of even bytes, words of the panels 0,
 * 3, 2, 1 (their first eight columns), of odd ones of 3, 2, 1, 0 (their last): so halves of 32 bits.
 */
INLINE void panels_of(const struct wide *sum, __m512i panel[4])
{
    const __m512i low =
                      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  high = _mm512_add_epi32(low, _mm512_set1_epi32(1)),
                  low_high = _mm512_mask_blend_epi32(0xff00, low, high),
                  high_low = _mm512_mask_blend_epi32(0xff00, high, low),
                  word = _mm512_set1_epi32(0x1fffe);
    __m512i even = _mm512_sub_epi16(sum->both, _mm512_slli_epi16(sum->odd, 8)), odd = sum->odd;
    __m512i even_02 = _mm512_and_si512(_mm512_add_epi32(even, even), word),
            even_31 = _mm512_and_si512(_mm512_srli_epi32(even, 15), word),
            odd_31 = _mm512_and_si512(_mm512_add_epi32(odd, odd), word),
            odd_20 = _mm512_and_si512(_mm512_srli_epi32(odd, 15), word);
    panel[0] = _mm512_permutex2var_epi32(even_02, low_high, odd_20);
    panel[1] = _mm512_permutex2var_epi32(even_31, high, odd_31);
    panel[2] = _mm512_permutex2var_epi32(even_02, high_low, odd_20);
    panel[3] = _mm512_permutex2var_epi32(even_31, low, odd_31);
}

static void store_sums(const struct chunk *c, bool add)
{
    const struct qnt__look_up_bits *g = c->g;
    for (size_t i = 0; i < g->m; i++) {
        int32_t *to = g->acc + i * g->ld;
        for (size_t p = 0; p < g->panels; p += 4) {
            __m512i panel[4];
            panels_of(&c->wide[i][p / 4], panel);
            UNROLL for (size_t q = 0; q < 4; q++, to += QNT__PANEL)
            {
                if (p + q == g->panels) break;
                if (add) panel[q] = _mm512_add_epi32(panel[q], _mm512_loadu_si512(to));
                _mm512_storeu_si512(to, panel[q]);
            }
        }
    }
}

static void clear(const struct chunk *c)
{
    for (size_t i = 0; i < c->g->m; i++) {
        for (size_t p = 0; p < c->parts; p++)
            c->wide[i][p] = (struct wide){_mm512_setzero_si512(), _mm512_setzero_si512()};
    }
}

void qnt__look_up_six_avx512vbmi(const struct qnt__look_up_bits *g)
{
    uint8_t indices[CHUNK * QNT__SIXES * PARTS * 64];
    struct wide wide[QNT__TABLE_ROWS][PARTS];
    const size_t most = (1u << g->bits) - 1,
                 fit = 65535 / (64 * CHUNK * most) * CHUNK; /* words whose sums fit 16 bits */
    struct chunk c = {g, indices, (g->panels + 3) / 4, 0, 0, 255 / (6 * most), wide};
    clear(&c);
    for (size_t from = 0; c.first < g->words; c.first += CHUNK) {
        size_t words = g->words - c.first < CHUNK ? g->words - c.first : CHUNK, part = 0;
        if (c.first == from + fit) {
            store_sums(&c, from > 0);
            clear(&c);
            from = c.first;
        }
        make_indices(g, c.parts, c.first, words, indices);
        c.tables = QNT__SIXES * words;
        for (; part + PARTS <= c.parts; part += PARTS) all_rows(&c, part, PARTS);
        for (; part < c.parts; part++) all_rows(&c, part, 1);
        if (c.first + CHUNK >= g->words) store_sums(&c, from > 0);
    }
}
