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
    CHUNK = 6,    /* words of which indices and four rows of tables are in the first cache */
    SELECT = 0xca /* a ? b : c */
};

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

/* Where a tile begins: its first index and table, and its sums. */
struct place {
    const uint8_t *index, *tables;
    struct wide *wide;
};

static struct place place_of(const struct chunk *c, size_t row)
{
    return (struct place){
        c->indices, c->g->tables + row * c->g->row + c->first * QNT__SIXES * ENTRIES, c->wide[row]};
}

/* clang-format off: a line is a step */

/* What a table of each of two rows has for four vectors of columns: into zmm0 to zmm7, or added to them.
 * The next two rows' tables are fetched. */
#define FIND(use)                                                                                  \
    "vmovdqu64 (%[index]), %%zmm24\n\tvmovdqu64 64(%[index]), %%zmm25\n\t"                         \
    "vmovdqu64 128(%[index]), %%zmm26\n\tvmovdqu64 192(%[index]), %%zmm27\n\t"                     \
    "vmovdqu64 (%[tables]), %%zmm28\n\tvmovdqu64 (%[tables],%[row]), %%zmm29\n\t"                  \
    "prefetcht0 (%[tables],%[row],2)\n\tprefetcht0 (%[tables],%[third])\n\t"                       \
    "add $256, %[index]\n\tadd $64, %[tables]\n\t"                                                 \
    use("24", "28", "0") use("25", "28", "1") use("26", "28", "2") use("27", "28", "3")            \
    use("24", "29", "4") use("25", "29", "5") use("26", "29", "6") use("27", "29", "7")
#define TAKE(at, table, sum) "vpermb %%zmm" table ", %%zmm" at ", %%zmm" sum "\n\t"
#define ADD(at, table, sum)                                                                        \
    "vpermb %%zmm" table ", %%zmm" at ", %%zmm30\n\t"                                              \
    "vpaddusb %%zmm30, %%zmm" sum ", %%zmm" sum "\n\t"

/* Sums of bytes to those of 16 bits. */
#define WIDEN(sum, both, odd)                                                                      \
    "vpaddw %%zmm" sum ", %%zmm" both ", %%zmm" both "\n\t"                                        \
    "vpsrlw $8, %%zmm" sum ", %%zmm" sum "\n\t"                                                    \
    "vpaddw %%zmm" sum ", %%zmm" odd ", %%zmm" odd "\n\t"
#define WIDEN_ALL                                                                                  \
    WIDEN("0", "8", "9") WIDEN("1", "10", "11") WIDEN("2", "12", "13") WIDEN("3", "14", "15")      \
    WIDEN("4", "16", "17") WIDEN("5", "18", "19") WIDEN("6", "20", "21") WIDEN("7", "22", "23")

#define EACH_WIDE(step)                                                                            \
    step("8", "0") step("9", "64") step("10", "128") step("11", "192")                             \
    step("12", "256") step("13", "320") step("14", "384") step("15", "448")                        \
    step("16", "512") step("17", "576") step("18", "640") step("19", "704")                        \
    step("20", "768") step("21", "832") step("22", "896") step("23", "960")
#define LOAD(sum, at) "vmovdqa64 " at "(%[wide]), %%zmm" sum "\n\t"
#define STORE(sum, at) "vmovdqa64 %%zmm" sum ", " at "(%[wide])\n\t"

/*
 * Two rows and four vectors of 64 columns, all tables of the chunk. In assembly, because sums, wide sums,
 * indices and tables are 31 of 32 registers, and gcc 12 copies half of them around in every turn.
 */
static void tile_2x4(const struct chunk *c, size_t row)
{
    struct place p = place_of(c, row);
    size_t left = c->tables, n;
    _Static_assert(PARTS == 4 && sizeof(struct wide) == 128, "what the assembly reads and writes");
    __asm__ volatile(
        EACH_WIDE(LOAD)
        "1: cmp %[run], %[left]\n\tmov %[run], %[n]\n\tcmovb %[left], %[n]\n\tsub %[n], %[left]\n\t"
        FIND(TAKE)
        "dec %[n]\n\tjz 3f\n\t"
        "2:\n\t"
        FIND(ADD)
        "dec %[n]\n\tjnz 2b\n\t"
        "3:\n\t"
        WIDEN_ALL
        "test %[left], %[left]\n\tjnz 1b\n\t"
        EACH_WIDE(STORE)
        : [index] "+r"(p.index), [tables] "+r"(p.tables), [left] "+r"(left), [n] "=&r"(n)
        : [row] "r"(c->g->row), [third] "r"(3 * c->g->row), [run] "r"(c->run), [wide] "r"(p.wide)
        : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
          "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18",
          "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
          "xmm29", "xmm30");
}

/* clang-format on */

/* One row and all vectors. */
INLINE void tile(const struct chunk *c, size_t row, int parts)
{
    struct place p = place_of(c, row);
    for (size_t t = 0; t < c->tables;) {
        const size_t end = t + c->run < c->tables ? t + c->run : c->tables;
        __m512i sum[PARTS];
        UNROLL for (int i = 0; i < parts; i++) sum[i] = _mm512_setzero_si512();
        for (; t < end; t++, p.index += 64 * parts, p.tables += ENTRIES) {
            const __m512i table = _mm512_loadu_si512(p.tables);
            UNROLL for (int i = 0; i < parts; i++)
            {
                __m512i at = _mm512_loadu_si512(p.index + 64 * i);
                sum[i] = _mm512_adds_epu8(sum[i], _mm512_permutexvar_epi8(at, table));
            }
        }
        UNROLL for (int i = 0; i < parts; i++)
        {
            p.wide[i].both = _mm512_add_epi16(p.wide[i].both, sum[i]);
            p.wide[i].odd = _mm512_add_epi16(p.wide[i].odd, _mm512_srli_epi16(sum[i], 8));
        }
    }
}

/* All rows and columns of a chunk. */
static void add_chunk(const struct chunk *c)
{
    const struct qnt__results some =
        qnt__results_step(&c->g->results, c->first / CHUNK, (c->g->words + CHUNK - 1) / CHUNK);
    const size_t m = c->g->m;
    size_t row = 0;
    switch (c->parts) {
    case 1:
        for (; row < m; row++) tile(c, row, 1);
        break;
    case 2:
        for (; row < m; row++) tile(c, row, 2);
        break;
    case 3:
        for (; row < m; row++) tile(c, row, 3);
        break;
    default:
        for (; row + 2 <= m; row += 2) {
            qnt__ask_now(&some, row, 2, 0, 1);
            tile_2x4(c, row);
        }
        if (row < m) tile(c, row, PARTS);
        break;
    }
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
    _Alignas(64) uint8_t indices[CHUNK * QNT__SIXES * PARTS * 64];
    struct wide wide[QNT__TABLE_ROWS][PARTS];
    const size_t most = (1u << g->bits) - 1,
                 fit = 65535 / (64 * CHUNK * most) * CHUNK; /* words whose sums fit 16 bits */
    struct chunk c = {g, indices, (g->panels + 3) / 4, 0, 0, 255 / (6 * most), wide};
    clear(&c);
    for (size_t from = 0; c.first < g->words; c.first += CHUNK) {
        size_t words = g->words - c.first < CHUNK ? g->words - c.first : CHUNK;
        if (c.first == from + fit) {
            store_sums(&c, from > 0);
            clear(&c);
            from = c.first;
        }
        make_indices(g, c.parts, c.first, words, indices);
        c.tables = QNT__SIXES * words;
        add_chunk(&c);
        if (c.first + CHUNK >= g->words) store_sums(&c, from > 0);
    }
}
