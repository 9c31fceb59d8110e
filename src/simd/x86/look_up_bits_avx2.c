/*
 * Bit planes by tables of sums with AVX2: VPSHUFB looks 32 columns up in the table of four codes.
 * Sums stay bytes as long as they fit, then 16 bits for the words whose indices are in the
 * first-level cache.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum {
    NIBBLES = 16, /* of a word, a table of 16 bytes for each */
    CHUNK = 16,   /* words whose sums of codes up to 63 fit 16 bits, 64,512 */
    HALVES = 2,   /* vectors of 32 columns */
    COLUMNS = 32,
    MAX_ROWS = 4
};

INLINE __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

INLINE void store(void *to, __m256i x)
{
    _mm256_storeu_si256(to, x);
}

/* ---- tables ---- */

/* Where code t of the table in each lane is: of nibbles `nibble` and nibble + 1 of 16 codes, in the
 * entries that have it. */
INLINE __m256i places(int t, int nibble)
{
    const __m256i entry = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m256i bit = _mm256_set1_epi8((char)(1 << t));
    __m256i without = _mm256_cmpeq_epi8(_mm256_and_si256(entry, bit), _mm256_setzero_si256());
    __m256i at = _mm256_add_epi8(_mm256_set1_epi8((char)(4 * nibble + t)),
                                 _mm256_setr_m128i(_mm_setzero_si128(), _mm_set1_epi8(4)));
    return _mm256_or_si256(at, _mm256_and_si256(without, _mm256_set1_epi8((char)0x80)));
}

void qnt__tabulate_bits_avx2(const uint8_t *codes, size_t words, uint8_t *tables)
{
    __m256i at[2][4];
    UNROLL for (int t = 0; t < 4; t++) at[0][t] = places(t, 0), at[1][t] = places(t, 2);
    for (size_t n = 0; n < NIBBLES * words; n += 4, codes += 16) {
        const __m256i x = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)codes));
        uint8_t *word = tables + n / NIBBLES * NIBBLES * NIBBLES;
        UNROLL for (size_t half = 0; half < 2; half++)
        {
            __m256i sum = _mm256_shuffle_epi8(x, at[half][0]);
            UNROLL for (int t = 1; t < 4; t++) sum =
                _mm256_add_epi8(sum, _mm256_shuffle_epi8(x, at[half][t]));
            size_t nibble = n % NIBBLES + 2 * half;
            _mm_storeu_si128((void *)(word + NIBBLES * qnt__bits_table(nibble)),
                             _mm256_castsi256_si128(sum));
            _mm_storeu_si128((void *)(word + NIBBLES * qnt__bits_table(nibble + 1)),
                             _mm256_extracti128_si256(sum, 1));
        }
    }
}

/* ---- indices ---- */

/* Two words of two columns of each of two panels; `before` holds the last odd word as it is stored.
 */
struct pair {
    __m256i even, odd;
};

INLINE __m256i load_columns(const uint64_t *low, const uint64_t *high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)low)),
                                   _mm_loadu_si128((const void *)high), 1);
}

INLINE struct pair load_pair(const uint64_t *low, const uint64_t *high, bool first)
{
    struct pair p = {load_columns(low, high), load_columns(low + QNT__PANEL, high + QNT__PANEL)};
    p.odd = _mm256_xor_si256(p.odd, p.even);
    if (!first) p.odd = _mm256_xor_si256(p.odd, load_columns(low - QNT__PANEL, high - QNT__PANEL));
    return p;
}

/*
 * The bytes of a word of 32 columns, byte by byte instead of column by column. Register j has two
 * columns of each panel. Of four columns 0 to 3 the order becomes 0, 2, 1, 3, so that even and odd
 * bytes, widened, are pairs of neighbours.
 */
INLINE void transpose(const __m256i x[8], __m256i out[8])
{
    __m256i a[8], b[8];
    UNROLL for (int i = 0; i < 4; i++)
    {
        a[i] = _mm256_unpacklo_epi8(x[2 * i], x[2 * i + 1]);
        a[i + 4] = _mm256_unpackhi_epi8(x[2 * i], x[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        b[i] = _mm256_unpacklo_epi16(a[i], a[i + 4]);
        b[i + 4] = _mm256_unpackhi_epi16(a[i], a[i + 4]);
    }
    UNROLL for (int h = 0; h < 2; h++)
    {
        UNROLL for (int i = 0; i < 2; i++)
        {
            a[4 * h + i] = _mm256_unpacklo_epi32(b[4 * h + 2 * i], b[4 * h + 2 * i + 1]);
            a[4 * h + i + 2] = _mm256_unpackhi_epi32(b[4 * h + 2 * i], b[4 * h + 2 * i + 1]);
        }
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        out[2 * i] = _mm256_unpacklo_epi64(a[2 * i], a[2 * i + 1]);
        out[2 * i + 1] = _mm256_unpackhi_epi64(a[2 * i], a[2 * i + 1]);
    }
}

/* to: [NIBBLES][HALVES][COLUMNS], in the order of tables; this half of it. */
INLINE void store_indices(const __m256i x[8], uint8_t *to)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i bytes[8];
    transpose(x, bytes);
    UNROLL for (size_t i = 0; i < 8; i++)
    {
        uint8_t *at = to + (i / 4 * 8 + i % 4) * HALVES * COLUMNS;
        store(at, _mm256_and_si256(bytes[i], nibble));
        store(at + 4 * HALVES * COLUMNS, _mm256_and_si256(_mm256_srli_epi16(bytes[i], 4), nibble));
    }
}

/* to: [words][NIBBLES][HALVES][COLUMNS]. A half without a second panel has the first one twice. */
static void make_indices(const struct qnt__look_up_bits *g, size_t first, size_t words, uint8_t *to)
{
    for (size_t h = 0; 2 * h < g->panels; h++) {
        const uint64_t *low = g->b + 2 * h * g->b_panel;
        const uint64_t *high = low + (2 * h + 1 < g->panels ? g->b_panel : 0);
        for (size_t w = 0; w < words; w += 2) {
            size_t at = (first + w) * QNT__PANEL;
            uint8_t *even = to + (w * NIBBLES * HALVES + h) * COLUMNS;
            __m256i x[2][8];
            UNROLL for (int j = 0; j < 8; j++)
            {
                int c = j / 2 * 4 + j % 2 * 2;
                struct pair p = load_pair(low + at + c, high + at + c, first + w == 0);
                x[0][j] = p.even, x[1][j] = p.odd;
            }
            store_indices(x[0], even);
            store_indices(x[1], even + NIBBLES * HALVES * COLUMNS);
        }
    }
}

/* ---- sums ---- */

struct chunk {
    const struct qnt__look_up_bits *g;
    const uint8_t *indices;
    size_t first, tables; /* words before; tables in it */
    size_t run;           /* tables whose sums fit bytes */
    bool add;             /* to acc */
};

/* 16-bit sums of 32 columns: of all bytes with their odd neighbours above them, and of odd ones. */
struct wide {
    __m256i both, odd;
};

INLINE void widen(struct wide *sum, __m256i bytes)
{
    sum->both = _mm256_add_epi16(sum->both, bytes);
    sum->odd = _mm256_add_epi16(sum->odd, _mm256_srli_epi16(bytes, 8));
}

/* to = or += sums of 16 columns times 2^shift. */
INLINE void store_panel(int32_t *to, __m256i sums, int shift, bool add)
{
    const __m128i by = _mm_cvtsi32_si128(shift);
    __m256i part[2] = {_mm256_cvtepu16_epi32(_mm256_castsi256_si128(sums)),
                       _mm256_cvtepu16_epi32(_mm256_extracti128_si256(sums, 1))};
    UNROLL for (int i = 0; i < 2; i++)
    {
        __m256i v = _mm256_sll_epi32(part[i], by);
        if (add) v = _mm256_add_epi32(v, load(to + 8 * i));
        store(to + 8 * i, v);
    }
}

INLINE void store_wide(const struct wide *sum, int32_t *to, int shift, bool add, bool second)
{
    __m256i even = _mm256_sub_epi16(sum->both, _mm256_slli_epi16(sum->odd, 8));
    __m256i low = _mm256_unpacklo_epi32(even, sum->odd), /* columns 0..7 of both panels */
        high = _mm256_unpackhi_epi32(even, sum->odd);
    store_panel(to, _mm256_permute2x128_si256(low, high, 0x20), shift, add);
    if (second)
        store_panel(to + QNT__PANEL, _mm256_permute2x128_si256(low, high, 0x31), shift, add);
}

/* Rows times the chunk. */
INLINE void tile(const struct chunk *c, size_t row, size_t from, int shift, bool add, int rows,
                 int halves)
{
    const struct qnt__look_up_bits *g = c->g;
    const uint8_t *tables = g->tables + row * g->row + from + c->first * NIBBLES * NIBBLES;
    const uint8_t *index = c->indices;
    struct wide wide[MAX_ROWS][HALVES];
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int h = 0; h < halves; h++) wide[i][h] =
            (struct wide){_mm256_setzero_si256(), _mm256_setzero_si256()};
    }
    for (size_t t = 0; t < c->tables;) {
        size_t end = t + c->run < c->tables ? t + c->run : c->tables;
        __m256i sum[MAX_ROWS][HALVES];
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int h = 0; h < halves; h++) sum[i][h] = _mm256_setzero_si256();
        }
        for (; t < end; t++, index += HALVES * COLUMNS, tables += NIBBLES) {
            UNROLL for (int i = 0; i < rows; i++)
            {
                __m256i table = _mm256_broadcastsi128_si256(
                    _mm_loadu_si128((const void *)(tables + (size_t)i * g->row)));
                UNROLL for (int h = 0; h < halves; h++)
                {
                    __m256i found = _mm256_shuffle_epi8(table, load(index + h * COLUMNS));
                    sum[i][h] = _mm256_add_epi8(sum[i][h], found);
                }
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int h = 0; h < halves; h++) widen(&wide[i][h], sum[i][h]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int h = 0; h < halves; h++)
        {
            int32_t *to = g->acc + (row + (size_t)i) * g->ld + 2 * h * QNT__PANEL;
            store_wide(&wide[i][h], to, shift, add, 2 * (size_t)h + 1 < g->panels);
        }
    }
}

INLINE void all_rows(const struct chunk *c, size_t from, int shift, bool add, int halves)
{
    size_t row = 0, m = c->g->m;
    for (; row + 4 <= m; row += 4) tile(c, row, from, shift, add, 4, halves);
    for (; row < m; row++) tile(c, row, from, shift, add, 1, halves);
}

INLINE void all_digits_of(const struct chunk *c, int halves)
{
    all_rows(c, 0, 1, c->add, halves);
    if (c->g->high) all_rows(c, c->g->high, 5, true, halves);
}

static void all_digits(const struct chunk *c)
{
    if (c->g->panels > 2)
        all_digits_of(c, 2);
    else
        all_digits_of(c, 1);
}

#include "../look_up_blocks.h"

void qnt__look_up_bits_avx2(const struct qnt__look_up_bits *g)
{
    uint8_t indices[CHUNK * NIBBLES * HALVES * COLUMNS];
    for (size_t first = 0; first < g->words; first += CHUNK) {
        size_t words = g->words - first < CHUNK ? g->words - first : CHUNK;
        make_indices(g, first, words, indices);
        struct chunk c = {g, indices, first, NIBBLES * words, run_of(g), first > 0};
        all_digits(&c);
    }
}

/* ---- blocks ---- */

static void finish_block(const struct qnt__look_up_blocks *f, size_t t)
{
    const struct qnt__look_up_bits *g = &f->bits;
    const float *coef = f->coef + t * f->coef_ld;
    const bool add = t > 0 || f->add;
    for (size_t i = 0; i < g->m; i++) {
        const __m256i sum = _mm256_set1_epi32(f->sums[i * f->blocks + t]);
        const int32_t *acc = g->acc + i * g->ld;
        float *y = f->y + i * f->y_ld;
        for (size_t c = 0; c < QNT__PANEL * g->panels; c += 8) {
            __m256 v = _mm256_cvtepi32_ps(_mm256_sub_epi32(load(acc + c), sum));
            v = _mm256_mul_ps(v, _mm256_loadu_ps(coef + c));
            _mm256_storeu_ps(y + c, add ? _mm256_add_ps(_mm256_loadu_ps(y + c), v) : v);
        }
    }
}

void qnt__look_up_blocks_avx2(const struct qnt__look_up_blocks *f)
{
    uint8_t indices[CHUNK * NIBBLES * HALVES * COLUMNS];
    look_up_blocks(f, indices, NIBBLES * HALVES * COLUMNS);
}
