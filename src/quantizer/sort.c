/* Sorting: by insertion if short, else by radix, 11 bits at a time. */
#include "sort.h"

#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"

enum { SHORT = 48, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3 };

/* Memory is one table of counts, then the values and the weights that are moved to and fro. */
static size_t table_bytes(void)
{
    return DIGITS * PASSES * sizeof(size_t);
}

static size_t value_bytes(size_t n)
{
    return qnt__round_up(n * sizeof(float), 64);
}

size_t qnt__sort_scratch(size_t n, bool weighted)
{
    if (n <= SHORT) return 0;
    if (n > SIZE_MAX / 32) return SIZE_MAX;
    return table_bytes() + value_bytes(n) + (weighted ? n * sizeof(double) : 0);
}

static void insert(float *values, double *weights, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        float value = values[i];
        double weight = weights ? weights[i] : 0;
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
            if (weights) weights[at] = weights[at - 1];
        }
        values[at] = value;
        if (weights) weights[at] = weight;
    }
}

/* Unsigned order of keys is the order of floats: negative ones are inverted, the others raised. */
static uint32_t key_of(float x)
{
    uint32_t u = qnt__bits_of_f32(x);
    return u ^ (u >> 31 ? 0xffffffffu : 0x80000000u);
}

static void count_digits(const float *values, size_t n, size_t *table)
{
    memset(table, 0, table_bytes());
    for (size_t i = 0; i < n; i++) {
        uint32_t key = key_of(values[i] + 0.0f); /* -0 and +0 are equal */
        for (size_t p = 0; p < PASSES; p++) table[p * DIGITS + (key >> p * DIGIT_BITS) % DIGITS]++;
    }
    size_t sum = 0;
    for (size_t i = 0; i < (size_t)PASSES * DIGITS; i++) {
        if (i % DIGITS == 0) sum = 0;
        size_t count = table[i];
        table[i] = sum;
        sum += count;
    }
}

static void move(const float *from, const double *from_weights, size_t n, int pass, size_t *table,
                 float *to, double *to_weights)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t key = key_of(from[i] + 0.0f);
        size_t at = table[(key >> pass * DIGIT_BITS) % DIGITS]++;
        to[at] = from[i];
        if (to_weights) to_weights[at] = from_weights[i];
    }
}

void qnt__sort_f32(float *values, double *weights, size_t n, void *scratch)
{
    if (n <= SHORT) {
        insert(values, weights, n);
        return;
    }
    size_t *table = scratch;
    float *spare = (float *)((uint8_t *)scratch + table_bytes());
    double *spare_weights = weights ? (double *)((uint8_t *)spare + value_bytes(n)) : NULL;
    count_digits(values, n, table);
    move(values, weights, n, 0, table, spare, spare_weights);
    move(spare, spare_weights, n, 1, table + DIGITS, values, weights);
    move(values, weights, n, 2, table + (size_t)2 * DIGITS, spare, spare_weights);
    memcpy(values, spare, n * sizeof *values);
    if (weights) memcpy(weights, spare_weights, n * sizeof *weights);
}
