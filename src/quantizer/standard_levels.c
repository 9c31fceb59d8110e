/*
 * Level tables that are the same for all data.
 *
 * NF4: quantiles of the normal distribution with an exact 0 (Dettmers et al., "QLoRA", 2023,
 * appendix E). FP4: E2M1 of the OCP microscaling formats; its levels times 2 are integers. Powers
 * of two, and sums of them without their gap at the top: Li, Dong and Wang, "Additive powers-of-two
 * quantization", ICLR 2020.
 */
#include "standard_levels.h"

#include <math.h>

#include "context/context.h"
#include "methods.h"
#include "names.h"

static const float nf4[16] = {-1.0f,        -0.6961928f,  -0.52507305f, -0.3949175f,
                              -0.28444138f, -0.18477343f, -0.09105004f, 0.0f,
                              0.0795803f,   0.1609302f,   0.2461123f,   0.33791524f,
                              0.44070983f,  0.562617f,    0.72295684f,  1.0f};
static const float fp4[8] = {0, 1, 2, 3, 4, 6, 8, 12}; /* half units */

/* Exponents e of the terms 2^-e of each summand, up to three of them and 0 besides, by magnitude
 * bits. */
static const int8_t additive[7][3][3] = {[2] = {{1, 2, 3}},
                                         [3] = {{1, 2, 4}, {3}},
                                         [4] = {{1, 3, 5}, {2, 4, 6}},
                                         [5] = {{1, 3, 6}, {2, 4, 7}, {5}},
                                         [6] = {{1, 4, 7}, {2, 5, 8}, {3, 6, 9}}};

static void sort(float *x, int count)
{
    for (int i = 1; i < count; i++) {
        float value = x[i];
        int at = i;
        for (; at > 0 && x[at - 1] > value; at--) x[at] = x[at - 1];
        x[at] = value;
    }
}

/* The sums of one term, or none, of each summand, in units of the smallest. */
static int add_powers(int bits, float *magnitude)
{
    const int8_t(*summand)[3] = additive[bits];
    int count = 1, unit = 0;
    magnitude[0] = 0.0f;
    for (int s = 0; s < 3; s++) {
        for (int i = 0; i < 3; i++) unit = summand[s][i] > unit ? summand[s][i] : unit;
    }
    for (int s = 0; s < 3; s++) {
        int old = count;
        for (int i = 0; i < 3 && summand[s][i]; i++) {
            float term = (float)(1 << (unit - summand[s][i]));
            for (int k = 0; k < old; k++) magnitude[count++] = magnitude[k] + term;
        }
    }
    sort(magnitude, count);
    return count;
}

/* 0 and so many powers of two that one bit for the sign is left. */
static int powers(int bits, float *magnitude)
{
    int count = 1 << bits;
    magnitude[0] = 0.0f;
    for (int i = 1; i < count; i++) magnitude[i] = (float)(1 << (i - 1));
    return count;
}

/* Levels of both signs from magnitudes that begin with 0. */
static void mirror(const float *magnitude, int count, int size, float *level)
{
    for (int i = 0; i < size; i++) {
        int at = i - (count - 1);
        level[i] = at < 0 ? -magnitude[-at] : magnitude[at < count ? at : count - 1];
    }
}

void qnt__standard_levels(const qnt_spec *spec, float *level)
{
    const int size = 1 << spec->bits;
    float magnitude[128];
    if (spec->method == QNT_FP4)
        mirror(fp4, 8, size, level);
    else if (spec->method == QNT_POT)
        mirror(magnitude, powers(spec->bits - 1, magnitude), size, level);
    else if (spec->method == QNT_APOT)
        mirror(magnitude, add_powers(spec->bits - 1, magnitude), size, level);
    for (int i = 0; spec->method == QNT_BALANCED && i < size; i++)
        level[i] = (float)(2 * i - (size - 1));
    for (int i = 0; spec->method == QNT_NF4 && i < size; i++) {
        level[i] = spec->flags & QNT_LITERAL ? nf4[i] : rintf(127.0f * nf4[i]);
    }
}

qnt_status qnt__standard_levels_check(const qnt_context *context, const qnt_spec *spec)
{
    static const struct {
        int32_t method, low, high;
    } ranges[] = {{QNT_NF4, 4, 4}, {QNT_FP4, 4, 4}, {QNT_POT, 2, 4}, {QNT_APOT, 3, 7}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (ranges[i].method != spec->method) continue;
        if (spec->bits >= ranges[i].low && spec->bits <= ranges[i].high) return QNT_OK;
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: %d bits with method %s, expected %d to %d", (int)spec->bits,
                         qnt__method_of(spec->method)->name, (int)ranges[i].low,
                         (int)ranges[i].high);
    }
    return QNT_OK;
}
