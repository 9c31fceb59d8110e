/*
 * Products of bit planes: what qnt_pack_bits() writes and qnt_gemm_bits() reads (layout in
 * doc/formats.md), and the ways to multiply them (doc/bit_planes.md).
 */
#ifndef QNT__KERNEL_BITS_H
#define QNT__KERNEL_BITS_H

#include <string.h>

#include "context/context.h"
#include "tensor/view.h"

enum {
    QNT__BITS_PLANES = 8,
    QNT__DIGIT_MOST = 6,    /* bits of codes that tables take as one digit; wider ones are two, */
    QNT__LOW_DIGIT = 4,     /* the lower one of so many bits */
    QNT__CODE_TABLES = 256, /* bytes of tables for a word of codes */
    QNT__BITS_HALF_WORDS = 32, /* most words of a half of k in seven products for eight */
    QNT__BITS_RAISE = 128      /* what differences of codes are raised by there, to be above 0 */
};

/* Words of one plane of k codes: pairs, at least one. */
size_t qnt__bits_words(size_t k);

/* Opens unsigned codes [rows][k]. */
qnt_status qnt__bits_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                          struct qnt__view *view);

/* The planes of one row of codes; word w of plane p goes to to[(p plane + w) step], odd words as the parity
 * of all words up to them. If plane > words, the number of bits set follows the words. */
void qnt__bits_slice(const qnt_context *context, const struct qnt__view *codes, size_t row,
                     size_t words, size_t plane, size_t step, uint64_t *to);

/* The same of n codes below 2^bits, one in a byte. */
void qnt__bits_slice_bytes(const struct qnt__simd *simd, const uint8_t *codes, size_t n, int bits,
                           size_t words, size_t plane, size_t step, uint64_t *to);

/* How the integers are found; they are the same. */
enum qnt__bits_path {
    QNT__BITS_CHOOSE,  /* what qnt__bits_choose() says */
    QNT__BITS_COUNT,   /* differing bits: any product */
    QNT__BITS_TABLE,   /* sums of four codes, looked up: a is numbers */
    QNT__BITS_BYTES,   /* planes, or several merged, as bytes: a is numbers */
    QNT__BITS_SIX,     /* sums of six codes, looked up: a is numbers of up to four bits */
    QNT__BITS_ADDERS,  /* common bits, by carry-save adders: a is numbers */
    QNT__BITS_STRASSEN /* as bytes, seven products for eight: a is numbers of up to 7 bits, up to six
                        * planes are merged */
};

struct qnt__bits_product {
    const qnt_context *context;
    struct qnt__view a, b, c, b_coef;
    float a_coef[QNT__BITS_PLANES];
    bool signs; /* planes of a are signs, with a_coef; else a is numbers */
    bool has_b_coef;
    bool pairs; /* may rows of a get their form in pairs? */
    size_t m, n, k, words, a_planes, b_planes;
    size_t blocks; /* of k with coefficients of their own, a whole number of words each; or 1 */
};

/* Of the only block. */
static inline float qnt__bits_coef(const struct qnt__bits_product *g, size_t column, size_t plane)
{
    const struct qnt__view *v = &g->b_coef;
    float coef;
    if (!g->has_b_coef) return 1.0f;
    int64_t at = (int64_t)column * v->strides[0] + (int64_t)plane * v->strides[v->ndim - 1];
    memcpy(&coef, v->data + 4 * at, sizeof coef);
    return coef;
}

/* Whether planes are combined in integers where coefficients double: there are several in one
 * block, of which the weighted sum of products is an int32. */
static inline bool qnt__bits_combine(const struct qnt__bits_product *g)
{
    uint64_t largest = ((1u << g->b_planes) - 1) * ((1u << g->a_planes) - 1);
    return !g->signs && g->blocks == 1 && g->b_planes > 1 && largest * g->k <= INT32_MAX;
}

/* Whether each coefficient of a column is twice the one before. */
static inline bool qnt__bits_doubling(const struct qnt__bits_product *g, size_t column)
{
    for (size_t i = 1; i < g->b_planes; i++) {
        if (qnt__bits_coef(g, column, i) != 2 * qnt__bits_coef(g, column, i - 1)) return false;
    }
    return true;
}

/* Are sums and differences of two numbers bytes, on both sides? */
static inline bool qnt__bits_has_strassen(const struct qnt__bits_product *g)
{
    return g->pairs && g->a_planes < 8 && g->b_planes < 7;
}

/* The path that costs least on the context's CPU; where there are blocks, counting or tables of four. */
enum qnt__bits_path qnt__bits_choose(const struct qnt__bits_product *g);

/* Are codes of a two digits, for tables? */
static inline bool qnt__bits_two_digits(const struct qnt__bits_product *g)
{
    return g->a_planes > QNT__DIGIT_MOST;
}

/*
 * Tables of six fill a second-level cache, so each worker makes those of its own rows: as many tasks
 * of the same number of rows as there are workers, or a multiple, or, where rows are few, several
 * parts of the columns for each.
 */
struct qnt__bits_share {
    size_t rows, parts;
};

struct qnt__bits_share qnt__bits_share(size_t rows, size_t row_bytes, size_t workers);

/* Columns of a task. */
size_t qnt__bits_columns(enum qnt__bits_path path, size_t rows, size_t columns, size_t workers);

/* Rows for which adders make the tables of the planes once. */
size_t qnt__bits_adder_rows(size_t rows, size_t columns, size_t workers);

/* Bytes of a row of a on a path. */
size_t qnt__bits_row_bytes(const struct qnt__bits_product *g, enum qnt__bits_path path);

/* Gives a row of a the form of the path; for tables and for counting numbers in blocks, sums[blocks] are
 * those of its codes. */
void qnt__bits_prepare_row(const struct qnt__bits_product *g, enum qnt__bits_path path, size_t row,
                           uint8_t *to, int32_t *sums);

/*
 * Two rows as seven products take them (gemm_bits_strassen.c), `row` and the next one: seven times half
 * of k, words rounded up to fours. They take the place of two rows.
 */
void qnt__bits_prepare_pair(const struct qnt__bits_product *g, size_t row, uint8_t *to);

/* Where operand i of seven begins, of the chunk of k that begins with a word. */
static inline size_t qnt__bits_half(const struct qnt__bits_product *g, size_t i, size_t word)
{
    return 32 * (i * ((g->words + 3) / 4 * 4) + word);
}

/* Runs a product that has been checked. */
qnt_status qnt__bits_run(const struct qnt__bits_product *g, enum qnt__bits_path path);

/* qnt_gemm_bits() on a given path, for tests. A path that the product does not have is not taken;
 * several blocks have tables of four codes, of signs counting, of one bit both. */
qnt_status qnt__gemm_bits(enum qnt__bits_path path, const qnt_context *context, const qnt_tensor *a,
                          const qnt_tensor *a_coef, const qnt_tensor *b, const qnt_tensor *b_coef,
                          qnt_tensor *c);

#endif
