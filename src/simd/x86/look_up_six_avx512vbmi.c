/*
 * Bit planes by tables of six codes: VPERMB looks 64 columns up, VPADDB adds while sums fit bytes.
 * Two instructions for 64 columns of six bits; sums of 16 bits stay in the caches.
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
    ROWS = 4,
    XOR = 0x96
};

/* ---- tables ---- */

/*
 * Four tables at a time, from sums of three codes each: S holds 8 entries of each of 8 halves of
 * tables.
 */
void qnt__tabulate_six_avx512vbmi(const uint8_t *codes, size_t words, uint8_t *tables)
{
    const __m512i half = _mm512_setr_epi64(
        0, 0x0303030303030303, 0x0606060606060606, 0x0909090909090909, 0x0c0c0c0c0c0c0c0c,
        0x0f0f0f0f0f0f0f0f, 0x1212121212121212, 0x1515151515151515);
    const __m512i low = _mm512_set1_epi64(0x0706050403020100), eight = _mm512_set1_epi8(8);
    const __m512i high = _mm512_add_epi8(
        eight, _mm512_setr_epi64(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303,
                                 0x0404040404040404, 0x0505050505050505, 0x0606060606060606,
                                 0x0707070707070707));
    for (size_t w = 0; w < words; w++, codes += 64) {
        __m512i word = _mm512_loadu_si512(codes);
        UNROLL for (int t = 0; t < QNT__SIXES; t += 4)
        {
            const uint64_t held = t < 8 ? UINT64_MAX : UINT64_MAX >> 16;  /* all codes: 16 of 24 */
            const uint64_t first = t < 8 ? UINT64_MAX : UINT64_MAX >> 24; /* without codes 64 .. */
            __m512i at = _mm512_add_epi8(half, _mm512_set1_epi8((char)(6 * t)));
            __m512i sum = _mm512_maskz_permutexvar_epi8(held & 0xaaaaaaaaaaaaaaaau, at, word);
            at = _mm512_add_epi8(at, _mm512_set1_epi8(1));
            sum = _mm512_add_epi8(
                sum, _mm512_maskz_permutexvar_epi8(first & 0xccccccccccccccccu, at, word));
            at = _mm512_add_epi8(at, _mm512_set1_epi8(1));
            sum = _mm512_add_epi8(
                sum, _mm512_maskz_permutexvar_epi8(first & 0xf0f0f0f0f0f0f0f0u, at, word));
            __m512i below = low, above = high;
            UNROLL for (int i = 0; i < 4; i++)
            {
                if (t + i == QNT__SIXES) break;
                __m512i entries = _mm512_add_epi8(_mm512_permutexvar_epi8(below, sum),
                                                  _mm512_permutexvar_epi8(above, sum));
                _mm512_storeu_si512(tables, entries);
                tables += ENTRIES;
                below = _mm512_add_epi8(below, _mm512_set1_epi8(16));
                above = _mm512_add_epi8(above, _mm512_set1_epi8(16));
            }
        }
    }
}

/* ---- indices ---- */

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
    x[1] = _mm512_ror_epi64(x[1], 8);
    x[2] = _mm512_ror_epi64(x[2], 16);
    x[3] = _mm512_ror_epi64(x[3], 24);
    x[4] = _mm512_ror_epi64(x[4], 32);
    x[5] = _mm512_ror_epi64(x[5], 40);
    x[6] = _mm512_ror_epi64(x[6], 48);
    x[7] = _mm512_ror_epi64(x[7], 56);
}

/* The bytes of `from`, register c's rotated by c bytes. */
INLINE __m512i rotated(uint64_t from, int c)
{
    return _mm512_set1_epi64((long long)(c ? from >> 8 * c | from << (64 - 8 * c) : from));
}

/* Indices 0 to 7 of a word of 64 columns. */
INLINE void store_first(const __m512i word[8], uint8_t *to, size_t step)
{
    __m512i x[8];
    UNROLL for (int c = 0; c < 8; c++) x[c] =
        _mm512_multishift_epi64_epi8(rotated(0x2a241e18120c0600, c), word[c]);
    transpose(x);
    UNROLL for (size_t t = 0; t < 8; t++) _mm512_storeu_si512(to + t * step, x[t]);
}

/* Indices 8 to 10 of two words. */
INLINE void store_last(const __m512i even[8], const __m512i odd[8], uint8_t *to, uint8_t *next,
                       size_t step)
{
    __m512i x[8];
    UNROLL for (int c = 0; c < 8; c++)
    {
        const __m512i at = rotated(0x00003c36303c3630, c);
        const uint64_t second = c < 4 ? 0x38u >> c : 0x38u >> c | 0x38u << (8 - c);
        const uint64_t mask = (second & 0xff) * 0x0101010101010101u;
        x[c] = _mm512_multishift_epi64_epi8(at, even[c]);
        x[c] = _mm512_mask_multishift_epi64_epi8(x[c], mask, at, odd[c]);
    }
    transpose(x);
    UNROLL for (size_t t = 0; t < 3; t++)
    {
        _mm512_storeu_si512(to + (8 + t) * step, x[t]);
        _mm512_storeu_si512(next + (8 + t) * step, x[3 + t]);
    }
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
            store_first(even, at, step);
            store_first(odd, next, step);
            store_last(even, odd, at, next, step);
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

/* Some rows and vectors of 64 columns, all tables of the chunk. */
INLINE void tile(const struct chunk *c, size_t row, size_t part, int rows, int parts)
{
    const size_t step = 64 * c->parts;
    const uint8_t *index = c->indices + 64 * part;
    const uint8_t *tables = c->g->tables + row * c->g->row + c->first * QNT__SIXES * ENTRIES;
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
                UNROLL for (int p = 0; p < parts; p++) sum[i][p] =
                    _mm512_add_epi8(sum[i][p], _mm512_permutexvar_epi8(at[p], table));
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            struct wide *to = c->wide[row + (size_t)i] + part;
            UNROLL for (int p = 0; p < parts; p++)
            {
                to[p].both = _mm512_add_epi16(to[p].both, sum[i][p]);
                to[p].odd = _mm512_add_epi16(to[p].odd, _mm512_srli_epi16(sum[i][p], 8));
            }
        }
    }
}

INLINE void all_rows(const struct chunk *c, size_t part, int parts)
{
    size_t row = 0, m = c->g->m;
    for (; row + ROWS <= m; row += ROWS) tile(c, row, part, ROWS, parts);
    for (; row < m; row++) tile(c, row, part, 1, parts);
}

/* to = or += twice the sums of a panel of the four that `sum` holds. */
INLINE void store_panel(const struct wide *sum, int panel, int32_t *to, bool add)
{
    const __m512i quads =
        _mm512_slli_epi16(_mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 6, 5,
                                           4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0),
                          2);
    /* even bytes have the columns 0.., 48.., 32.., 16.., odd ones 56.., 40.., 24.., 8.. */
    __m512i at =
        _mm512_mask_add_epi16(_mm512_add_epi16(quads, _mm512_set1_epi16((short)((4 - panel) % 4))),
                              0xff00, quads, _mm512_set1_epi16((short)(32 + 3 - panel)));
    __m512i even = _mm512_sub_epi16(sum->both, _mm512_slli_epi16(sum->odd, 8));
    __m512i sums = _mm512_permutex2var_epi16(even, at, sum->odd);
    __m512i v = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(sums)), 1);
    if (add) v = _mm512_add_epi32(v, _mm512_loadu_si512(to));
    _mm512_storeu_si512(to, v);
}

static void store_sums(const struct chunk *c, bool add)
{
    const struct qnt__look_up_bits *g = c->g;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++)
            store_panel(&c->wide[i][p / 4], (int)(p % 4), g->acc + i * g->ld + p * QNT__PANEL, add);
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
