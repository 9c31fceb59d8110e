/*
 * Factors of the integer transform (Loeffler, Ligtenberg and Moschytz, 1989): cosines and their sums, times
 * 2^13. The definition, c/dct.c, has one multiplication for each of the first ones; where multiplications
 * and additions come together, each result is a sum of its inputs times factors that are added up here.
 */
#ifndef QNT__SIMD_DCT_FACTORS_H
#define QNT__SIMD_DCT_FACTORS_H

enum {
    EXTRA_BITS = 2, /* that the first pass keeps */
    FIRST_SHIFT = 13 - EXTRA_BITS,
    SECOND_SHIFT = 13 + EXTRA_BITS,

    F_0_298 = 2446,
    F_0_390 = 3196,
    F_0_541 = 4433,
    F_0_765 = 6270,
    F_0_899 = 7373,
    F_1_175 = 9633,
    F_1_501 = 12299,
    F_1_847 = 15137,
    F_1_961 = 16069,
    F_2_053 = 16819,
    F_2_562 = 20995,
    F_3_072 = 25172,

    EVEN_2_C = F_0_541,
    EVEN_2_E = F_0_541 + F_0_765,
    EVEN_6_C = F_0_541 - F_1_847,
    EVEN_6_E = F_0_541,
    Z = F_1_175,
    Z_899 = Z - F_0_899,
    Z_1961 = Z - F_1_961,
    Z_2562 = Z - F_2_562,
    Z_390 = Z - F_0_390,
    ODD_7_0 = F_0_298 + Z_899 - F_1_961,
    ODD_5_1 = F_2_053 + Z_2562 - F_0_390,
    ODD_3_2 = F_3_072 + Z_2562 - F_1_961,
    ODD_1_3 = F_1_501 + Z_899 - F_0_390
};

#endif
