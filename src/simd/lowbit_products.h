/*
 * Tables of products of digits 0..3, the same for every network: PRODUCT(a, b) is the dot product of
 * the three digits of a and of b; with numbers below 16 only two digits count.
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
