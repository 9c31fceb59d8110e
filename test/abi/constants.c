/*
 * The numeric value of every public constant. Programs compiled against an older header carry the
 * old numbers, and no tool that reads the library can see them: a row here may be added, never
 * changed.
 */
#include "check.h"

#define IS(name, value) CHECK_MSG((name) == (value), "%s is %lld", #name, (long long)(name))

static void base(void)
{
    IS(QNT_VERSION >> 16, 1); /* the rest counts releases */
    IS(QNT_OK, 0);
    IS(QNT_E_INVALID, -1);
    IS(QNT_E_SHAPE, -2);
    IS(QNT_E_DTYPE, -3);
    IS(QNT_E_UNSUPPORTED, -4);
    IS(QNT_E_STATE, -5);
    IS(QNT_E_NOMEM, -6);
    IS(QNT_E_SPACE, -7);
    IS(QNT_E_FORMAT, -8);
    IS(QNT_E_VERSION, -9);
    IS(QNT_E_CANCELLED, -10);
    IS(QNT_E_DEVICE, -11);
    IS(QNT_E_PARALLEL, -12);
}

static void context(void)
{
    IS(QNT_LOG_NONE, 0);
    IS(QNT_LOG_ERROR, 1);
    IS(QNT_LOG_WARN, 2);
    IS(QNT_LOG_INFO, 3);
    IS(QNT_LOG_DEBUG, 4);
    IS(QNT_CPU_AVX2, 0x1);
    IS(QNT_CPU_AVX512VNNI, 0x2);
    IS(QNT_CPU_AVX512VBMI, 0x4);
    IS(QNT_CPU_AVXVNNI, 0x8);
    IS(QNT_CPU_NEON, 0x10000);
    IS(QNT_CPU_NEONDOT, 0x20000);
}

static void tensor(void)
{
    IS(QNT_MAX_NDIM, 8);
    IS(QNT_INT, 0);
    IS(QNT_UINT, 1);
    IS(QNT_FLOAT, 2);
    IS(QNT_BFLOAT, 4);
}

static void quantizer(void)
{
    IS(QNT_AFFINE, 0);
    IS(QNT_POINTS, 1);
    IS(QNT_EXP, 2);
    IS(QNT_TABLE, 3);
    IS(QNT_FIXED, 0);
    IS(QNT_MINMAX, 1);
    IS(QNT_PERCENTILE, 2);
    IS(QNT_ENTROPY, 3);
    IS(QNT_ANALYTIC, 4);
    IS(QNT_MSE, 5);
    IS(QNT_BALANCED, 6);
    IS(QNT_BASES, 7);
    IS(QNT_MULTIPOINT, 8);
    IS(QNT_TEQ, 9);
    IS(QNT_KMEANS, 10);
    IS(QNT_LLOYD, 11);
    IS(QNT_NF4, 12);
    IS(QNT_FP4, 13);
    IS(QNT_POT, 14);
    IS(QNT_APOT, 15);
    IS(QNT_LEVELS, 16);
    IS(QNT_SIGNED, 0x1);
    IS(QNT_SYMMETRIC, 0x2);
    IS(QNT_NARROW, 0x4);
    IS(QNT_DYNAMIC, 0x8);
    IS(QNT_LITERAL, 0x10);
    IS(QNT_REAL_OFFSET, 0x20);
    IS(QNT_THRESHOLDS, 0x40);
    IS(QNT_PER_TENSOR, 0);
    IS(QNT_PER_AXIS, 1);
    IS(QNT_PER_BLOCK, 2);
    IS(QNT_P_SCALE, 1);
    IS(QNT_P_ZERO, 2);
    IS(QNT_P_OFFSET, 3);
    IS(QNT_P_LOW, 4);
    IS(QNT_P_HIGH, 5);
    IS(QNT_P_COEF, 6);
    IS(QNT_P_COUNT, 7);
    IS(QNT_P_BASE, 8);
    IS(QNT_P_ALPHA, 9);
    IS(QNT_P_BETA, 10);
    IS(QNT_P_LEVELS, 11);
    IS(QNT_P_THRESHOLDS, 12);
    IS(QNT_P_PERCENTILE, 16);
    IS(QNT_P_DISTRIBUTION, 17);
    IS(QNT_P_SAMPLES, 18);
    IS(QNT_P_BINS, 19);
    IS(QNT_P_NODES, 20);
    IS(QNT_P_BUDGET, 21);
    IS(QNT_P_TOLERANCE, 22);
    IS(QNT_P_ROUNDS, 23);
    IS(QNT_P_EXTRA, 24);
    IS(QNT_P_ERROR, 32);
    IS(QNT_P_BOUND, 33);
    IS(QNT_P_VISITED, 34);
    IS(QNT_P_OBSERVED, 35);
    IS(QNT_P_MIN, 36);
    IS(QNT_P_MAX, 37);
    IS(QNT_P_STORED, 38);
    IS(QNT_P_OVERHEAD, 39);
}

static void layer(void)
{
    IS(QNT_DENSE, 0);
    IS(QNT_CONV, 1);
    IS(QNT_NHWC, 0);
    IS(QNT_NCHW, 1);
    IS(QNT_LINEAR, 0);
    IS(QNT_RELU, 1);
    IS(QNT_RELU_FIRST, 1);
    IS(QNT_RELU_LAST, 2);
    IS(QNT_TRANSPOSE, 4);
    IS(QNT_CLAMP, 2);
    IS(QNT_ACCUMULATE, 0x1);
    IS(QNT_BORROW, 0x2);
}

static void io(void)
{
    IS(QNT_BLOB_QUANTIZER, 1);
    IS(QNT_BLOB_LAYER, 2);
    IS(QNT_BLOB_CKN, 3);
    IS(QNT_BLOB_LOWBIT, 4);
}

static void train(void)
{
    IS(QNT_LSQ, 32);
    IS(QNT_LSQPLUS, 33);
    IS(QNT_PACT, 34);
    IS(QNT_DOREFA, 35);
    IS(QNT_EWGS, 36);
    IS(QNT_N2UQ, 37);
    IS(QNT_STAIRCASE, 38);
    IS(QNT_INTERVAL, 39);
    IS(QNT_RQ, 40);
    IS(QNT_SRQ, 41);
    IS(QNT_LQ, 43);
    IS(QNT_P_THETA, 64);
    IS(QNT_P_STEP, 65);
    IS(QNT_P_EPOCH, 66);
    IS(QNT_P_TEMPERATURE, 67);
    IS(QNT_P_HARD, 68);
    IS(QNT_P_DELTA, 69);
    IS(QNT_P_KEEP, 70);
    IS(QNT_P_ANNEAL, 71);
    IS(QNT_P_PENALTY, 72);
    IS(QNT_ALQ, 42);
    IS(QNT_ALQ_GATHER, 0);
    IS(QNT_ALQ_BASES, 1);
    IS(QNT_ALQ_COORDINATES, 2);
    IS(QNT_ALQ_STRAIGHT, 3);
}

static void qtable(void)
{
    IS(QNT_QTABLE_LUMA, 0);
    IS(QNT_QTABLE_CHROMA, 1);
    IS(QNT_SAMPLING_420, 0);
    IS(QNT_SAMPLING_444, 1);
    IS(QNT_DCT_INTEGER, 0);
    IS(QNT_DCT_FLOAT, 1);
    IS(QNT_HUFFMAN_STANDARD, 0);
    IS(QNT_HUFFMAN_OPTIMAL, 1);
    IS(QNT_SEARCH_SORTED, 0);
    IS(QNT_SEARCH_BOUNDED, 1);
    IS(QNT_SEARCH_BAYES, 2);
    IS(QNT_SEARCH_BANDIT, 3);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(base);
    RUN(context);
    RUN(tensor);
    RUN(quantizer);
    RUN(layer);
    RUN(io);
    RUN(train);
    RUN(qtable);
    return DONE;
}
