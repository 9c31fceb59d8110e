/*
 * Tables of products of digits 0..3, the same for every network: PRODUCT(a, b) is the dot product of
 * the three digits of a and of b; with numbers below 16 only two digits count. SUM(a, b) is the one where
 * b has three digits of one bit, in bits 0 to 2, and ONES(a, b) the one of six digits of one bit each.
 */
#define PRODUCT(a, b)                                                                              \
    (((a) & 3) * ((b) & 3) + ((a) >> 2 & 3) * ((b) >> 2 & 3) + ((a) >> 4 & 3) * ((b) >> 4 & 3))
#define PRODUCTS_4(a, b) PRODUCT(a, b), PRODUCT(a, (b) + 1), PRODUCT(a, (b) + 2), PRODUCT(a, (b) + 3)
#define PRODUCTS_16(a, b)                                                                          \
    PRODUCTS_4(a, b), PRODUCTS_4(a, (b) + 4), PRODUCTS_4(a, (b) + 8), PRODUCTS_4(a, (b) + 12)
#define PRODUCTS_64(a)                                                                             \
    {PRODUCTS_16(a, 0), PRODUCTS_16(a, 16), PRODUCTS_16(a, 32), PRODUCTS_16(a, 48)}
#define ROWS_4(row, a) row(a), row((a) + 1), row((a) + 2), row((a) + 3)
#define ROWS_16(row, a)                                                                            \
    ROWS_4(row, a), ROWS_4(row, (a) + 4), ROWS_4(row, (a) + 8), ROWS_4(row, (a) + 12)
#define ROW_OF_16(a) {PRODUCTS_16(a, 0)}

#define SUM(a, b)                                                                                  \
    (((b) & 1) * ((a) & 3) + ((b) >> 1 & 1) * ((a) >> 2 & 3) + ((b) >> 2 & 1) * ((a) >> 4 & 3))
#define SUMS_8(a)                                                                                  \
    SUM(a, 0), SUM(a, 1), SUM(a, 2), SUM(a, 3), SUM(a, 4), SUM(a, 5), SUM(a, 6), SUM(a, 7)
#define EIGHT(x) x, x, x, x, x, x, x, x
#define LOW_SUMS_64(a) {EIGHT(SUMS_8(a))}
#define HIGH_SUMS_64(a)                                                                            \
    {EIGHT(SUM(a, 0)), EIGHT(SUM(a, 1)), EIGHT(SUM(a, 2)), EIGHT(SUM(a, 3)),                       \
     EIGHT(SUM(a, 4)), EIGHT(SUM(a, 5)), EIGHT(SUM(a, 6)), EIGHT(SUM(a, 7))}
#define SUMS_16(a) {SUMS_8(a), SUMS_8(a)}

#define BIT(x, s) ((x) >> (s) & 1)
#define ONES(a, b)                                                                                 \
    (BIT((a) & (b), 0) + BIT((a) & (b), 1) + BIT((a) & (b), 2) + BIT((a) & (b), 3) +               \
     BIT((a) & (b), 4) + BIT((a) & (b), 5))
#define ONES_4(a, b) ONES(a, b), ONES(a, (b) + 1), ONES(a, (b) + 2), ONES(a, (b) + 3)
#define ONES_16(a, b) ONES_4(a, b), ONES_4(a, (b) + 4), ONES_4(a, (b) + 8), ONES_4(a, (b) + 12)
#define ONES_64(a) {ONES_16(a, 0), ONES_16(a, 16), ONES_16(a, 32), ONES_16(a, 48)}
#define ONES_OF_16(a) {ONES_16(a, 0)}
