/* Slots of bit planes: products by counting differing bits, by tables of sums, by adders, and as bytes,
 * of which seven products may do for eight. */
#ifndef QNT__SIMD_SLOTS_BITS_H
#define QNT__SIMD_SLOTS_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "results.h"

enum {
    QNT__TABLE_ROWS = 48, /* most rows of one call */
    QNT__TABLE_FEW = 4,   /* rows for which a level may use indices where they are made */
    QNT__TABLE_CODE = 63  /* largest code of a table: four of them are a byte */
};

/*
 * Rows of bit planes against panels of 16 columns: acc[i][16 p + c] = sum over planes j of 2^j times the
 * number of bits in which plane j of row i differs from column c of panel p, times 2^shift.
 *
 * Words are stored in pairs: an even word as it is, an odd word as the parity of itself and all words
 * before it (exclusive or). The exclusive or of two operands stored so is the same of their difference: its
 * odd words are running parities, and the carry that a word and its successor leave for the next higher
 * counter is a function of three words - the parity before, the word, the parity after:
 *
 *     S = 0; for each pair: x = W ^ A; s = W' ^ A'; n += population of majority(S, x, x'), S = s
 *     differing bits = 2 n + population of S,   majority(S, x, x') = S ^ x ? ~s : S   (x' = S ^ x ^ s)
 */
struct qnt__gemm_bits {
    const uint64_t *a; /* row i, plane j: words from a + i a_row + j a_plane */
    size_t a_row, a_plane;
    const uint64_t *b; /* panel p: [words][16] from b + p b_panel */
    size_t b_panel;
    int32_t *acc;  /* written, [m][ld] */
    size_t m;      /* 1..QNT__TABLE_ROWS */
    size_t panels; /* 1..QNT__BLOCK_PANELS */
    size_t planes; /* 1..8 */
    size_t words;  /* even, at least 2 */
    int shift;     /* 0 or 1 */
    size_t ld;     /* of acc, in elements, at least 16 panels */
    struct qnt__results results; /* what becomes of acc, row by row: a hint */
};

/*
 * The same with one plane of a row, in blocks of words that have coefficients of their own, as floats,
 * block after block: two planes of signs of which one has its bits turned over,
 *
 *     y[i][j] = or += float(2 differing bits of the words of block t - 64 block) (by coef[t][j])
 *
 * or, where there are sums, numbers 0 and 1 in words as they are, odd ones too, and signs,
 *
 *     y[i][j] = or += float(2 common bits of the words of block t - sums[i][t]) (by coef[t][j])
 *
 * each operation rounded. Words behind the last block are not used. Of struct qnt__gemm_bits,
 * planes are 1, shift and acc are not used, and words may be any.
 */
struct qnt__count_blocks {
    struct qnt__gemm_bits bits;
    size_t blocks, block; /* at least 1, words of each: at most 2^22 bits */
    const int32_t *sums;  /* row i: [blocks] from sums + i blocks, of its numbers; NULL: signs */
    float by;
    const float *coef;    /* block t: [16 panels] from coef + t coef_ld */
    size_t coef_ld;
    float *y; /* [m][y_ld], 16 panels columns are written */
    size_t y_ld;
    bool add; /* y += already with the first block */
};

/*
 * Sums of codes where the bits of planes are 1, four codes at a time. A table holds the sums of all subsets
 * of four codes: entry e is the sum of the codes whose bit is set in e. A word has 16 nibbles, the nibble n
 * being its bits 4 n to 4 n + 3; its tables come in the order of 8 (n / 8) + 4 (n % 2) + n % 8 / 2: first
 * the low nibbles of four bytes, then the high ones, so that 64 bytes are the tables of a 32-bit lane.
 *
 * acc[i][16 p + c] = 2 sum over k of bit(k) low(i, k) + 32 sum over k of bit(k) high(i, k)
 *
 * where bit(k) is the plane's of column c of panel p, and low and high are what the tables were made of.
 */
struct qnt__look_up_bits {
    const uint8_t *tables; /* row i: [words][16][16] from tables + i row */
    size_t row;
    size_t high;       /* from the tables of low to those of high; 0: high is 0 */
    const uint64_t *b; /* panel p: [words][16] from b + p b_panel, stored as above */
    size_t b_panel;
    int32_t *acc;  /* written, [m][ld] */
    size_t m;      /* 1..QNT__TABLE_ROWS */
    size_t panels; /* 1..QNT__BLOCK_PANELS */
    size_t words;  /* even, at least 2 */
    size_t ld;     /* of acc, in elements, at least 16 panels */
    int bits;      /* of the codes that tables were made of, 1..6 */
    struct qnt__results results; /* what becomes of acc, row by row: a hint */
};

/*
 * The same in blocks of words that have coefficients of their own: as floats, block after block,
 *
 *     y[i][j] = or += float(acc of the words of block t - sums[i][t]) coef[t][j]
 *
 * each operation rounded. Words behind the last block are not used. Of struct qnt__look_up_bits,
 * acc may have anything afterwards.
 */
struct qnt__look_up_blocks {
    struct qnt__look_up_bits bits;
    size_t blocks, block; /* at least 1, words of each; blocks * block <= bits.words */
    const int32_t *sums;  /* row i: [blocks] from sums + i blocks */
    const float *coef;    /* block t: [16 panels] from coef + t coef_ld */
    size_t coef_ld;
    float *y; /* [m][y_ld], 16 panels columns are written */
    size_t y_ld;
    bool add; /* y += already with the first block */
};

/*
 * The same sums by tables of six codes, where an instruction looks bytes up in 64 entries and does
 * not mind the two bits above. A word has eleven tables: of the six lower bits of each of its eight
 * bytes, then of the two upper bits of three bytes, of three more, and of two with two codes that
 * are 0 (qnt__bits_six() in layout.h): so eight indices are the bytes as they are.
 *
 * Of struct qnt__look_up_bits, row i has the tables [words][QNT__SIXES][64], high is 0, panels are
 * 1 to QNT__SIX_PANELS, and codes have 1 to QNT__SIX_BITS bits.
 */
enum { QNT__SIXES = 11, QNT__SIX_PANELS = 16, QNT__SIX_BITS = 4 };

/*
 * Sums of numbers where the bits of a plane are 1, plane by plane of the numbers, three k at a time: halves
 * of words, 32 k each, in chunks of three. Byte g of a chunk of a plane of a row has bit g of the three
 * halves in its bits 4, 5 and 6 - 16 times which of eight sums is meant -, and halves behind the last one
 * are 0.
 *
 * read_adders: acc[i][16 p + c] = 2 sum over planes j of a and l of b of 2^(j + l) times the number of bits
 * set in both plane j of row i and plane l of column c of panel p, less less[i]
 *
 * gemm_adders leaves them in a form of the level's own, from which read_adders has some rows at a time.
 */
enum {
    QNT__ADDER_PANELS = 32,
    QNT__ADDER_GROUPS = 32,
    QNT__ADDER_ROWS = 256,
    QNT__ADDER_DIGIT = 64, /* bytes of a binary digit of the sums of all columns */
    QNT__ADDER_DIGITS = 7  /* of the sum of a chunk */
};

struct qnt__gemm_adders {
    const uint8_t *a; /* row i, plane j: [chunks][QNT__ADDER_GROUPS] from a + i a_row + j a_plane */
    size_t a_row, a_plane;
    const uint64_t *b; /* panel p, plane l: [words][16] from b + p b_panel + l b_plane, as above */
    size_t b_panel, b_plane;
    size_t ahead;                /* a hint: from b to the planes that are multiplied next; or 0 */
    uint8_t *sums;               /* m qnt__adder_row() bytes, from one call to the other */
    struct qnt__results results; /* what becomes of the sums: a hint */
    size_t m;                    /* 1..QNT__ADDER_ROWS */
    size_t panels;               /* 1..QNT__ADDER_PANELS */
    size_t planes, b_planes;     /* of a, 1..8, of b */
    size_t words; /* even, at least 2; the weights of all planes times all k are below 2^31 */
    size_t ld;    /* of acc, in elements, at least 16 QNT__ADDER_PANELS, which may have anything */
};

/* Chunks of a row. */
static inline size_t qnt__adder_chunks(size_t words)
{
    return (2 * words + 2) / 3;
}

/* Bytes of a plane of a row. */
static inline size_t qnt__adder_plane(size_t words)
{
    return qnt__adder_chunks(words) * QNT__ADDER_GROUPS;
}

/* The weights of the carries of all chunks and planes. */
static inline uint64_t qnt__adder_carries(size_t words, size_t planes, size_t b_planes)
{
    return (uint64_t)qnt__adder_chunks(words) * ((1u << planes) - 1) * ((1u << b_planes) - 1)
           << QNT__ADDER_DIGITS;
}

static inline size_t qnt__adder_digits(uint64_t n)
{
    size_t digits = 0;
    for (; n; n >>= 1) digits++;
    return digits;
}

/* Most bytes of a row between the two slots: integers, or digits and a carry for each. */
static inline size_t qnt__adder_row(size_t words, size_t planes, size_t b_planes)
{
    const size_t integers = QNT__ADDER_PANELS * QNT__PANEL * sizeof(int32_t),
                 digits = qnt__adder_digits(qnt__adder_carries(words, planes, b_planes));
    return 2 * digits * QNT__ADDER_DIGIT > integers ? 2 * digits * QNT__ADDER_DIGIT : integers;
}

/* One panel of `planes` planes as 8-bit cells (layout.h) of the numbers sum over planes i of 2^i where the
 * bit is 1, -2^i where it is 0. */
struct qnt__expand_bits {
    const uint64_t *b; /* plane i: [..][16] from b + i b_plane, stored as above */
    size_t b_plane;
    size_t first;   /* first word, even */
    size_t words;   /* even, at least 2 */
    size_t planes;  /* 1..7 */
    size_t ahead;   /* a hint: from the words to those that are expanded next */
    uint8_t *cells; /* [16 words][64] */
};

/*
 * What Strassen's seven products take of a panel of B (kernel/gemm_bits_strassen.c): with the cells x of
 * some words of four blocks, made as above, in bytes modulo 256,
 *
 *     out[0] = x_11 + x_22    out[1] = x_11           out[2] = x_12 - x_22    out[3] = x_21 - x_11
 *     out[4] = x_22           out[5] = x_11 + x_12    out[6] = x_21 + x_22
 */
struct qnt__expand_seven {
    const uint64_t *b[4]; /* panels of x_11, x_12, x_21, x_22; NULL: x is 0 */
    size_t b_plane;
    size_t first[2]; /* first words of x_11 and x_12, of x_21 and x_22, even */
    size_t words;    /* even, at least 2 */
    size_t planes;   /* 1..6 */
    size_t ahead;
    uint8_t *out[7];
};

/*
 * What they take of A besides blocks themselves, in bytes modulo 256:
 *
 *     out[0] = x_11 + x_22            out[1] = x_11 + x_12            out[2] = x_21 + x_22
 *     out[3] = x_12 - x_22 + raise    out[4] = x_21 - x_11 + raise
 */
struct qnt__five_sums {
    const uint8_t *x[4]; /* x_11, x_12, x_21, x_22 */
    size_t n;
    uint8_t raise;
    uint8_t *out[5];
};

/*
 * Strassen's seven products M_0 to M_6 of n elements each make the four blocks of a product
 * (kernel/gemm_bits_strassen.c), modulo 2^32:
 *
 *     sums[0] = or += M_0 + M_3 - M_4 + M_6      sums[1] = or += M_2 + M_4
 *     sums[2] = or += M_1 + M_3                  sums[3] = or += M_0 - M_1 + M_2 + M_5
 */
struct qnt__join_seven {
    const int32_t *products; /* M_i from products + i pitch */
    size_t pitch, n;
    int32_t *sums; /* block i from sums + i step */
    size_t step;
    bool add;
};

#define QNT__SLOTS_BITS(X)                                                                         \
    X(gemm_bits, void, (const struct qnt__gemm_bits *g))                                           \
    X(count_blocks, void, (const struct qnt__count_blocks *f))                                     \
    /* tables of 64 words codes 0..QNT__TABLE_CODE: [words][16][16] */                             \
    X(tabulate_bits, void, (const uint8_t *codes, size_t words, uint8_t *tables))                  \
    X(look_up_bits, void, (const struct qnt__look_up_bits *g))                                     \
    X(look_up_blocks, void, (const struct qnt__look_up_blocks *f))                                 \
    /* tables of 64 words codes 0..15: [words][QNT__SIXES][64] */                                  \
    X(tabulate_six, void, (const uint8_t *codes, size_t words, uint8_t *tables))                   \
    X(look_up_six, void, (const struct qnt__look_up_bits *g))                                      \
    /* 96 chunks codes, plane j of them to to + j plane: [chunks][QNT__ADDER_GROUPS] */            \
    X(index_adders, void,                                                                          \
      (const uint8_t *codes, size_t chunks, size_t planes, size_t plane, uint8_t *to))             \
    X(gemm_adders, void, (const struct qnt__gemm_adders *g))                                       \
    /* acc[m][ld] = rows `row` and so on; less is [m], or NULL: 0 */                               \
    X(read_adders, void,                                                                           \
      (const struct qnt__gemm_adders *g, size_t row, size_t m, const int32_t *less, int32_t *acc)) \
    X(expand_bits, void, (const struct qnt__expand_bits *e))                                       \
    X(expand_seven, void, (const struct qnt__expand_seven *e))                                     \
    /* out[i] = sum[i] + 2^shift part[i], modulo 2^32; shift 0..30; out may be sum */              \
    X(add_s32, void, (const int32_t *sum, const int32_t *part, size_t n, int shift, int32_t *out)) \
    X(five_sums, void, (const struct qnt__five_sums *s))                                           \
    X(join_seven, void, (const struct qnt__join_seven *j))

#endif
