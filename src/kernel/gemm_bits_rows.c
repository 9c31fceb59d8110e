/*
 * Rows of a in the form in which a path multiplies them: planes of bits turned over, bytes, or
 * tables of the sums of four or six codes or bits for adders, with the sums of all codes beside them.
 */
#include "base/arith.h"
#include "bits.h"
#include "simd/layout.h"

enum {
    CHUNK_WORDS = 8,  /* of codes at a time */
    INDEX_WORDS = 24, /* the same for adders: whole chunks */
    SIX_BYTES = 64 * QNT__SIXES
};

size_t qnt__bits_row_bytes(const struct qnt__bits_product *g, enum qnt__bits_path path)
{
    if (path == QNT__BITS_COUNT) return g->a_planes * g->words * sizeof(uint64_t);
    if (path == QNT__BITS_BYTES) return 64 * g->words;
    if (path == QNT__BITS_STRASSEN) return qnt__bits_half(g, 7, 0) / 2;
    if (path == QNT__BITS_SIX) return SIX_BYTES * g->words;
    if (path == QNT__BITS_ADDERS)
        return qnt__round_up(g->a_planes * qnt__adder_plane(g->words), 64);
    return (qnt__bits_two_digits(g) ? 2u : 1u) * QNT__CODE_TABLES * g->words;
}

static void read_row(const struct qnt__bits_product *g, size_t row, size_t first, size_t n,
                     uint8_t *codes)
{
    const int64_t along = g->a.strides[1];
    size_t held = first < g->k ? qnt__min(g->k - first, n) : 0;
    if (held) {
        int64_t at = (int64_t)row * g->a.strides[0] + (int64_t)first * along;
        qnt__read_codes(&g->context->simd, &g->a, at, along, held, codes);
    }
    memset(codes + held, 0, n - held);
}

/* Adds the codes of each word, from word `first` on, to the sum of its block. */
static void sum_blocks(const struct qnt__bits_product *g, const uint8_t *codes, size_t first,
                       size_t words, int32_t *sums)
{
    const size_t block = g->blocks > 1 ? g->k / g->blocks / 64 : g->words;
    const uint8_t *at[CHUNK_WORDS];
    const ptrdiff_t tap = 0;
    int32_t part[CHUNK_WORDS];
    for (size_t w = 0; w < words; w++) at[w] = codes + 64 * w;
    g->context->simd.sum_rows(at, words, &tap, 1, 64, part);
    size_t t = first / block, left = block - first % block; /* of words in block t */
    for (size_t w = 0; w < words; w++) {
        sums[qnt__min(t, g->blocks - 1)] += part[w]; /* a word behind the last block is 0 */
        if (--left == 0) t++, left = block;
    }
}

/* sums[blocks] of the codes of a row. */
static void sum_row(const struct qnt__bits_product *g, size_t row, int32_t *sums)
{
    uint8_t codes[64 * CHUNK_WORDS];
    memset(sums, 0, g->blocks * sizeof *sums);
    for (size_t w = 0; w < g->words; w += CHUNK_WORDS) {
        size_t words = qnt__min(g->words - w, CHUNK_WORDS);
        read_row(g, row, 64 * w, 64 * words, codes);
        sum_blocks(g, codes, w, words, sums);
    }
}

static void tabulate_row(const struct qnt__bits_product *g, enum qnt__bits_path path, size_t row,
                         uint8_t *to, int32_t *sums)
{
    const struct qnt__simd *simd = &g->context->simd;
    uint8_t codes[64 * CHUNK_WORDS], high[64 * CHUNK_WORDS];
    memset(sums, 0, g->blocks * sizeof *sums);
    for (size_t w = 0; w < g->words; w += CHUNK_WORDS) {
        size_t words = qnt__min(g->words - w, CHUNK_WORDS), n = 64 * words;
        read_row(g, row, 64 * w, n, codes);
        sum_blocks(g, codes, w, words, sums);
        if (path == QNT__BITS_SIX) {
            simd->tabulate_six(codes, words, to + w * SIX_BYTES);
            continue;
        }
        if (qnt__bits_two_digits(g)) {
            for (size_t k = 0; k < n; k++) {
                high[k] = (uint8_t)(codes[k] >> QNT__LOW_DIGIT);
                codes[k] &= (1 << QNT__LOW_DIGIT) - 1;
            }
            simd->tabulate_bits(high, words, to + (g->words + w) * QNT__CODE_TABLES);
        }
        simd->tabulate_bits(codes, words, to + w * QNT__CODE_TABLES);
    }
}

/* Indices of adders, and the sum of the codes. */
static void index_row(const struct qnt__bits_product *g, size_t row, uint8_t *to, int32_t *sums)
{
    const size_t plane = qnt__adder_plane(g->words);
    const ptrdiff_t tap = 0;
    uint8_t codes[64 * INDEX_WORDS];
    *sums = 0;
    for (size_t w = 0; w < g->words; w += INDEX_WORDS) {
        const size_t words = qnt__min(g->words - w, INDEX_WORDS), chunks = qnt__adder_chunks(words);
        const uint8_t *all = codes;
        int32_t sum;
        read_row(g, row, 64 * w, 96 * chunks, codes);
        g->context->simd.sum_rows(&all, 1, &tap, 1, 96 * chunks, &sum);
        *sums += sum;
        g->context->simd.index_adders(codes, chunks, g->a_planes, plane, to);
        to += chunks * QNT__ADDER_GROUPS;
    }
}

/* Planes with their bits turned over: the parities of pairs of words stay as they are. */
static void slice_turned(const struct qnt__bits_product *g, size_t row, uint64_t *to)
{
    qnt__bits_slice(g->context, &g->a, row, g->words, g->words, 1, to);
    for (size_t w = 0; w < g->a_planes * g->words; w += 2) to[w] = ~to[w];
}

/* The plane of a row of bits, words as they are. */
static void slice_bits(const struct qnt__bits_product *g, size_t row, uint64_t *to)
{
    qnt__bits_slice(g->context, &g->a, row, g->words, g->words, 1, to);
    for (size_t w = g->words - 1; w > 1; w -= 2) to[w] ^= to[w - 1] ^ to[w - 2];
    to[1] ^= to[0];
}

void qnt__bits_prepare_row(const struct qnt__bits_product *g, enum qnt__bits_path path, size_t row,
                           uint8_t *to, int32_t *sums)
{
    if (path == QNT__BITS_COUNT && g->blocks > 1 && !g->signs) {
        slice_bits(g, row, (void *)to);
        sum_row(g, row, sums);
    } else if (path == QNT__BITS_COUNT)
        slice_turned(g, row, (void *)to);
    else if (path == QNT__BITS_BYTES)
        read_row(g, row, 0, 64 * g->words, to);
    else if (path == QNT__BITS_ADDERS)
        index_row(g, row, to, sums);
    else
        tabulate_row(g, path, row, to, sums);
}

/* Some k of a row; 0 if there is none. */
static void read_half(const struct qnt__bits_product *g, size_t row, size_t word, size_t words,
                      uint8_t *codes)
{
    if (row < g->m)
        read_row(g, row, 64 * word, 64 * words, codes);
    else
        memset(codes, 0, 64 * words);
}

void qnt__bits_prepare_pair(const struct qnt__bits_product *g, size_t row, uint8_t *to)
{
    const size_t words = qnt__round_up(g->words, 4);
    uint8_t a12[64 * QNT__BITS_HALF_WORDS], a21[64 * QNT__BITS_HALF_WORDS];
    for (size_t word = 0, half; word < words; word += 2 * half) {
        half = qnt__min(words - word, 2 * QNT__BITS_HALF_WORDS) / 2;
        uint8_t *operand[7];
        for (size_t i = 0; i < 7; i++) operand[i] = to + qnt__bits_half(g, i, word);
        const struct qnt__five_sums sums = {
            .x = {operand[2], a12, a21, operand[3]},
            .n = 64 * half,
            .raise = QNT__BITS_RAISE,
            .out = {operand[0], operand[4], operand[1], operand[6], operand[5]}};
        read_half(g, row, word, half, operand[2]);
        read_half(g, row, word + half, half, a12);
        read_half(g, row + 1, word, half, a21);
        read_half(g, row + 1, word + half, half, operand[3]);
        g->context->simd.five_sums(&sums);
    }
}
