/*
 * Bit planes by tables of sums: VPERMB looks up four tables of 16 entries, one for each byte of a lane of
 * 32 bits, and VPDPBUSD adds the four up. Two instructions for 16 columns of 16 bits, whatever the codes.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"
#include "plane_words_avx512vbmi.h"

/* acc += sums of four products of unsigned bytes u and signed bytes s; gcc 12 copies accumulators around
 * for the intrinsic. */
#define DPBUSD(acc, u, s) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(s))

enum {
    TABLES = 256, /* bytes of tables of a word */
    CELLS = 4,    /* registers of indices of a word */
    CHUNK = 16,   /* words whose indices fit into the first-level cache */
    MAX_ROWS = 6, /* rows x panels accumulators: 24 of 32 registers */
    MAX_PANELS = QNT__BLOCK_PANELS,
    AHEAD = 16 /* words of a panel that are fetched before they are used */
};

/* ---- tables ---- */

void qnt__tabulate_bits_avx512vbmi(const uint8_t *codes, size_t words, uint8_t *tables)
{
    const __m512i lane =
        _mm512_setr_epi64(0, 0, 0x0808080808080808, 0x0808080808080808, 0x1010101010101010,
                          0x1010101010101010, 0x1818181818181818, 0x1818181818181818);
    const __m512i one = _mm512_set1_epi8(1);
    for (size_t w = 0; w < words; w++, codes += 64) {
        __m512i word = _mm512_loadu_si512(codes);
        UNROLL for (int cell = 0; cell < CELLS; cell++, tables += 64)
        {
            __m512i at =
                _mm512_add_epi8(lane, _mm512_set1_epi8((char)(cell / 2 * 32 + cell % 2 * 4)));
            __m512i sum = _mm512_maskz_permutexvar_epi8(0xaaaaaaaaaaaaaaaau, at, word);
            at = _mm512_add_epi8(at, one);
            sum =
                _mm512_add_epi8(sum, _mm512_maskz_permutexvar_epi8(0xccccccccccccccccu, at, word));
            at = _mm512_add_epi8(at, one);
            sum =
                _mm512_add_epi8(sum, _mm512_maskz_permutexvar_epi8(0xf0f0f0f0f0f0f0f0u, at, word));
            at = _mm512_add_epi8(at, one);
            sum =
                _mm512_add_epi8(sum, _mm512_maskz_permutexvar_epi8(0xff00ff00ff00ff00u, at, word));
            _mm512_storeu_si512(tables, sum);
        }
    }
}

/* ---- indices ---- */

/* The indices of one word of 16 columns. */
INLINE void indices_of_half(__m512i x, __m512i at[2])
{
    const __m512i nibble = _mm512_set1_epi8(15), table = _mm512_set1_epi32(0x30201000);
    at[0] = _mm512_ternarylogic_epi32(x, nibble, table, AND_OR);
    at[1] = _mm512_ternarylogic_epi32(_mm512_srli_epi32(x, 4), nibble, table, AND_OR);
}

INLINE void indices_of(__m512i low, __m512i high, __m512i at[CELLS])
{
    UNROLL for (int d = 0; d < 2; d++) indices_of_half(lanes_of(low, high, d), at + 2 * d);
}

INLINE void store_indices(__m512i low, __m512i high, uint8_t *to, size_t step)
{
    __m512i at[CELLS];
    indices_of(low, high, at);
    UNROLL for (int cell = 0; cell < CELLS; cell++)
        _mm512_storeu_si512(to + (size_t)cell * step, at[cell]);
}

/* to: [words][CELLS][panels][64] */
static void make_indices(const struct qnt__look_up_bits *g, size_t first, size_t words, uint8_t *to)
{
    const size_t step = 64 * g->panels;
    for (size_t p = 0; p < g->panels; p++) {
        const uint64_t *b = g->b + p * g->b_panel;
        uint8_t *at = to + 64 * p;
        __m512i before[2] = {parity_before(b, first), parity_before(b + 8, first)};
        b += first * QNT__PANEL;
        for (size_t w = 0; w < words; w += 2, b += 2 * QNT__PANEL) {
            struct pair low = load_pair(b, &before[0]), high = load_pair(b + 8, &before[1]);
            store_indices(low.even, high.even, at, step);
            store_indices(low.odd, high.odd, at + CELLS * step, step);
            at += 2 * CELLS * step;
        }
    }
}

/* ---- sums ---- */

struct chunk {
    const struct qnt__look_up_bits *g;
    const uint8_t *indices;
    size_t first, cells;
};

INLINE void add_tables(const struct chunk *c, size_t row, size_t panel, size_t from, int weight,
                       int rows, int panels, __m512i acc[MAX_ROWS][MAX_PANELS])
{
    const struct qnt__look_up_bits *g = c->g;
    const uint8_t *index = c->indices + 64 * panel;
    const uint8_t *tables = g->tables + row * g->row + from + c->first * TABLES;
    const __m512i w = _mm512_set1_epi8((char)weight);
    for (size_t cell = 0; cell < c->cells; cell++, index += 64 * g->panels, tables += 64) {
        __m512i at[MAX_PANELS];
        UNROLL for (int p = 0; p < panels; p++) at[p] = _mm512_loadu_si512(index + 64 * p);
        UNROLL for (int i = 0; i < rows; i++)
        {
            __m512i table = _mm512_loadu_si512(tables + (size_t)i * g->row);
            UNROLL for (int p = 0; p < panels; p++)
            {
                __m512i found = _mm512_permutexvar_epi8(at[p], table);
                DPBUSD(acc[i][p], found, w);
            }
        }
    }
}

INLINE void tile(const struct chunk *c, size_t row, size_t panel, int rows, int panels)
{
    const struct qnt__look_up_bits *g = c->g;
    int32_t *to = g->acc + row * g->ld + panel * QNT__PANEL;
    __m512i acc[MAX_ROWS][MAX_PANELS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int p = 0; p < panels; p++)
        {
            acc[i][p] = _mm512_setzero_si512();
            if (c->first) acc[i][p] = _mm512_loadu_si512(to + (size_t)i * g->ld + p * QNT__PANEL);
        }
    }
    add_tables(c, row, panel, 0, 2, rows, panels, acc);
    if (g->high) add_tables(c, row, panel, g->high, 32, rows, panels, acc);
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int p = 0; p < panels; p++)
            _mm512_storeu_si512(to + (size_t)i * g->ld + p * QNT__PANEL, acc[i][p]);
    }
}

INLINE void all_rows(const struct chunk *c, size_t panel, int panels)
{
    const struct qnt__results some =
        qnt__results_step(&c->g->results, c->first / CHUNK, (c->g->words + CHUNK - 1) / CHUNK);
    size_t row = 0, m = c->g->m;
    for (; row + 6 <= m; row += 6) {
        if (panel == 0) qnt__ask_now(&some, row, 6, 0, 1);
        tile(c, row, panel, 6, panels);
    }
    for (; row + 3 <= m; row += 3) tile(c, row, panel, 3, panels);
    for (; row < m; row++) tile(c, row, panel, 1, panels);
}

/* ---- few rows: indices are used where they are made ---- */

/* Halves of a word of 16 columns, 32 bits each: even lanes are columns 0 to 7, odd ones 8 to 15. Loads
 * bring them there, as the port of shuffles is busy. */
struct halves {
    __m512i low, high;
};

INLINE struct halves load_halves(const uint64_t *b)
{
    const int32_t *at = (const void *)b;
    return (struct halves){
        _mm512_mask_loadu_epi32(_mm512_loadu_si512(at), 0xaaaa, at + QNT__PANEL - 1),
        _mm512_mask_loadu_epi32(_mm512_loadu_si512(at + QNT__PANEL), 0x5555, at + 1)};
}

/* A word as it was before it became a parity. */
INLINE struct halves odd_word(struct halves stored, struct halves even, struct halves before)
{
    return (struct halves){_mm512_ternarylogic_epi64(stored.low, even.low, before.low, 0x96),
                           _mm512_ternarylogic_epi64(stored.high, even.high, before.high, 0x96)};
}

/* Lanes of columns in their order. */
INLINE __m512i in_order(__m512i lanes)
{
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15), lanes);
}

enum { CHAINS = 2 * CELLS };

/* Sums of a row and a panel, in several registers: an addition waits for the one before. */
struct sums {
    __m512i chain[CHAINS];
};

INLINE void clear(struct sums *s)
{
    UNROLL for (int i = 0; i < CHAINS; i++) s->chain[i] = _mm512_setzero_si512();
}

INLINE __m512i total(const struct sums *s)
{
    __m512i v[CHAINS];
    UNROLL for (int i = 0; i < CHAINS; i++) v[i] = s->chain[i];
    UNROLL for (int n = CHAINS / 2; n > 0; n /= 2)
    {
        UNROLL for (int i = 0; i < n; i++) v[i] = _mm512_add_epi32(v[i], v[i + n]);
    }
    return v[0];
}

INLINE void add_word(const uint8_t *tables, size_t high, struct halves word, bool digits,
                     struct sums *s)
{
    const __m512i weight = _mm512_set1_epi8(2), high_weight = _mm512_set1_epi8(32);
    __m512i at[CELLS];
    indices_of_half(word.low, at);
    indices_of_half(word.high, at + 2);
    UNROLL for (int cell = 0; cell < CELLS; cell++)
    {
        const uint8_t *table = tables + 64 * cell;
        __m512i found = _mm512_permutexvar_epi8(at[cell], _mm512_loadu_si512(table));
        DPBUSD(s->chain[cell], found, weight);
        if (!digits) continue;
        found = _mm512_permutexvar_epi8(at[cell], _mm512_loadu_si512(table + high));
        DPBUSD(s->chain[CELLS + cell], found, high_weight);
    }
}

/* Asks for two words that come later, behind the last ones those of what follows. */
INLINE void fetch(const uint64_t *b)
{
    UNROLL for (int line = 0; line < 4; line++)
        _mm_prefetch((const char *)(b + AHEAD * QNT__PANEL + 8 * line), _MM_HINT_T0);
}

INLINE void lone_row(const struct qnt__look_up_bits *g, size_t row, size_t panel, bool digits)
{
    const uint8_t *tables = g->tables + row * g->row;
    const uint64_t *b = g->b + panel * g->b_panel;
    struct halves before = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const size_t step = g->b_panel - g->words * QNT__PANEL; /* to the next panel's */
    struct sums sums;
    clear(&sums);
    for (size_t w = 0; w < g->words; w += 2, tables += 2 * TABLES) {
        const uint64_t *at = b + w * QNT__PANEL;
        const struct halves even = load_halves(at), stored = load_halves(at + QNT__PANEL);
        fetch(w + AHEAD < g->words ? at : at + step);
        add_word(tables, g->high, even, digits, &sums);
        add_word(tables + TABLES, g->high, odd_word(stored, even, before), digits, &sums);
        before = stored;
    }
    _mm512_storeu_si512(g->acc + row * g->ld + panel * QNT__PANEL, in_order(total(&sums)));
}

INLINE void few_rows(const struct qnt__look_up_bits *g, bool digits)
{
    for (size_t panel = 0; panel < g->panels; panel++)
        for (size_t i = 0; i < g->m; i++) lone_row(g, i, panel, digits);
}

void qnt__look_up_bits_avx512vbmi(const struct qnt__look_up_bits *g)
{
    if (g->m <= QNT__TABLE_FEW) {
        if (g->high)
            few_rows(g, true);
        else
            few_rows(g, false);
        return;
    }
    uint8_t indices[CHUNK * CELLS * MAX_PANELS * 64];
    for (size_t first = 0; first < g->words; first += CHUNK) {
        size_t words = g->words - first < CHUNK ? g->words - first : CHUNK, panel = 0;
        make_indices(g, first, words, indices);
        struct chunk c = {g, indices, first, CELLS * words};
        for (; panel + 4 <= g->panels; panel += 4) all_rows(&c, panel, 4);
        for (; panel < g->panels; panel++) all_rows(&c, panel, 1);
    }
}

/* ---- blocks ---- */

/* Words of a chunk that belong to one block. */
struct piece {
    struct chunk words;
    size_t block; /* which one */
    bool first, last;
};

INLINE __m512 scale(__m512i v, const float *coef)
{
    return _mm512_mul_ps(_mm512_cvtepi32_ps(v), _mm512_loadu_ps(coef));
}

INLINE void tile_of_block(const struct qnt__look_up_blocks *f, const struct piece *b, size_t row,
                          size_t panel, int rows, int panels, bool whole)
{
    const struct qnt__look_up_bits *g = &f->bits;
    const float *coef = f->coef + b->block * f->coef_ld + panel * QNT__PANEL;
    const bool add = b->block > 0 || f->add;
    int32_t *sums = g->acc + row * g->ld + panel * QNT__PANEL;
    float *y = f->y + row * f->y_ld + panel * QNT__PANEL;
    __m512i acc[MAX_ROWS][MAX_PANELS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        __m512i start = _mm512_set1_epi32(-f->sums[(row + (size_t)i) * f->blocks + b->block]);
        UNROLL for (int p = 0; p < panels; p++)
        {
            acc[i][p] = start;
            if (!whole && !b->first)
                acc[i][p] = _mm512_loadu_si512(sums + (size_t)i * g->ld + p * QNT__PANEL);
        }
    }
    add_tables(&b->words, row, panel, 0, 2, rows, panels, acc);
    if (g->high) add_tables(&b->words, row, panel, g->high, 32, rows, panels, acc);
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int p = 0; p < panels; p++)
        {
            float *to = y + (size_t)i * f->y_ld + p * QNT__PANEL;
            if (!whole && !b->last) {
                _mm512_storeu_si512(sums + (size_t)i * g->ld + p * QNT__PANEL, acc[i][p]);
                continue;
            }
            __m512 v = scale(acc[i][p], coef + p * QNT__PANEL);
            _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), v) : v);
        }
    }
}

/* All pieces of a chunk for the same rows, whose tables are next to each other. */
INLINE void tile_of_blocks(const struct qnt__look_up_blocks *f, const struct piece *b,
                           size_t pieces, size_t row, size_t panel, int rows, int panels)
{
    for (size_t n = 0; n < pieces; n++, b++) {
        if (b->first && b->last)
            tile_of_block(f, b, row, panel, rows, panels, true);
        else
            tile_of_block(f, b, row, panel, rows, panels, false);
    }
}

INLINE void all_rows_of_blocks(const struct qnt__look_up_blocks *f, const struct piece *b,
                               size_t pieces, size_t panel, int panels)
{
    size_t row = 0, m = f->bits.m;
    for (; row + 6 <= m; row += 6) tile_of_blocks(f, b, pieces, row, panel, 6, panels);
    for (; row + 3 <= m; row += 3) tile_of_blocks(f, b, pieces, row, panel, 3, panels);
    for (; row < m; row++) tile_of_blocks(f, b, pieces, row, panel, 1, panels);
}

INLINE void add_cells(const uint8_t *tables, const __m512i at[CELLS], __m512i weight, __m512i *acc)
{
    UNROLL for (int cell = 0; cell < CELLS; cell++)
    {
        __m512i found = _mm512_permutexvar_epi8(at[cell], _mm512_loadu_si512(tables + 64 * cell));
        DPBUSD(*acc, found, weight);
    }
}

/* Two words of a panel, columns 0 to 7 and 8 to 15; asks for those that come later. */
INLINE void load_ahead(const uint64_t *b, __m512i before[2], struct pair *low, struct pair *high)
{
    fetch(b);
    *low = load_pair(b, &before[0]), *high = load_pair(b + 8, &before[1]);
}

/* acc: of even words, of odd ones. */
INLINE void add_word_in_order(const struct qnt__look_up_bits *g, const uint8_t *tables, __m512i low,
                              __m512i high, bool digits, __m512i acc[2])
{
    __m512i at[CELLS];
    indices_of(low, high, at);
    add_cells(tables, at, _mm512_set1_epi8(2), &acc[0]);
    if (digits) add_cells(tables + g->high, at, _mm512_set1_epi8(32), &acc[1]);
}

/* One row, sums and results in registers, in the order of columns, or results would have to be moved at
 * the end of each block. Two panels at a time: tables, coefficients and planes are more than the
 * first-level cache holds. */
INLINE void lone_row_of_blocks(const struct qnt__look_up_blocks *f, size_t row, size_t panel,
                               int panels, bool digits)
{
    const struct qnt__look_up_bits *g = &f->bits;
    const uint8_t *tables = g->tables + row * g->row;
    const int32_t *sums = f->sums + row * f->blocks;
    const float *coef = f->coef + panel * QNT__PANEL;
    float *to = f->y + row * f->y_ld + panel * QNT__PANEL;
    size_t block = 0, done = 0;
    __m512i before[MAX_PANELS][2], acc[MAX_PANELS][2];
    __m512 y[MAX_PANELS];
    UNROLL for (int p = 0; p < panels; p++)
    {
        y[p] = f->add ? _mm512_loadu_ps(to + p * QNT__PANEL) : _mm512_setzero_ps();
        UNROLL for (int h = 0; h < 2; h++) before[p][h] = acc[p][h] = _mm512_setzero_si512();
    }
    for (size_t w = 0; block < f->blocks; w += 2) {
        struct pair low[MAX_PANELS], high[MAX_PANELS];
        UNROLL for (int p = 0; p < panels; p++)
        {
            const uint64_t *b = g->b + (panel + (size_t)p) * g->b_panel + w * QNT__PANEL;
            load_ahead(b, before[p], &low[p], &high[p]);
        }
        UNROLL for (int odd = 0; odd < 2; odd++)
        {
            if (block == f->blocks) break;
            UNROLL for (int p = 0; p < panels; p++)
            {
                add_word_in_order(g, tables, odd ? low[p].odd : low[p].even,
                                  odd ? high[p].odd : high[p].even, digits, acc[p]);
            }
            tables += TABLES;
            if (++done < f->block) continue;
            const __m512i sum = _mm512_set1_epi32(sums[block]);
            UNROLL for (int p = 0; p < panels; p++)
            {
                __m512i v = _mm512_sub_epi32(acc[p][0], sum);
                if (digits) v = _mm512_add_epi32(v, acc[p][1]);
                __m512 term = scale(v, coef + block * f->coef_ld + p * QNT__PANEL);
                y[p] = block || f->add ? _mm512_add_ps(y[p], term) : term;
                acc[p][0] = acc[p][1] = _mm512_setzero_si512();
            }
            block++, done = 0;
        }
    }
    UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_ps(to + p * QNT__PANEL, y[p]);
}

INLINE void few_rows_of_blocks(const struct qnt__look_up_blocks *f, bool digits)
{
    size_t panel = 0;
    for (; panel + 2 <= f->bits.panels; panel += 2)
        for (size_t i = 0; i < f->bits.m; i++) lone_row_of_blocks(f, i, panel, 2, digits);
    for (size_t i = 0; panel < f->bits.panels && i < f->bits.m; i++)
        lone_row_of_blocks(f, i, panel, 1, digits);
}

void qnt__look_up_blocks_avx512vbmi(const struct qnt__look_up_blocks *f)
{
    const struct qnt__look_up_bits *g = &f->bits;
    if (g->m <= QNT__TABLE_FEW) {
        if (g->high)
            few_rows_of_blocks(f, true);
        else
            few_rows_of_blocks(f, false);
        return;
    }
    uint8_t indices[CHUNK * CELLS * MAX_PANELS * 64];
    size_t block = 0, done = 0; /* words of it */
    for (size_t first = 0; block < f->blocks; first += CHUNK) {
        size_t words = g->words - first < CHUNK ? g->words - first : CHUNK, panel = 0, pieces = 0;
        struct piece b[CHUNK];
        make_indices(g, first, words, indices);
        for (size_t w = 0, part; w < words && block < f->blocks; w += part) {
            const uint8_t *at = indices + w * CELLS * 64 * g->panels;
            part = f->block - done < words - w ? f->block - done : words - w;
            bool last = done + part == f->block;
            b[pieces++] = (struct piece){{g, at, first + w, CELLS * part}, block, done == 0, last};
            block += last;
            done = last ? 0 : done + part;
        }
        for (; panel + 4 <= g->panels; panel += 4) all_rows_of_blocks(f, b, pieces, panel, 4);
        for (; panel < g->panels; panel++) all_rows_of_blocks(f, b, pieces, panel, 1);
    }
}
