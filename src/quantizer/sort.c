/* Sorting: by insertion if short, else by radix, 8 or 11 bits at a time. */
#include "sort.h"

#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"

enum { SHORT = 48, MIDDLE = 1024 };

/* Digits of a key of 32 bits: short ones where counting them would take longer than moving values. */
struct radix {
    size_t bits, passes;
};

static struct radix radix_of(size_t n)
{
    return n <= MIDDLE ? (struct radix){8, 4} : (struct radix){11, 3};
}

/* Memory is one table of counts, then the values and the weights that are moved to and fro. */
static size_t table_bytes(struct radix r)
{
    return (r.passes << r.bits) * sizeof(size_t);
}

static size_t value_bytes(size_t n)
{
    return qnt__round_up(n * sizeof(float), 64);
}

size_t qnt__sort_scratch(size_t n, bool weighted)
{
    if (n <= SHORT) return 0;
    if (n > SIZE_MAX / 32) return SIZE_MAX;
    return table_bytes(radix_of(n)) + value_bytes(n) + (weighted ? n * sizeof(double) : 0);
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

static void count_digits(const float *values, size_t n, struct radix r, size_t *table)
{
    const size_t digits = (size_t)1 << r.bits;
    memset(table, 0, table_bytes(r));
    for (size_t i = 0; i < n; i++) {
        uint32_t key = key_of(values[i] + 0.0f); /* -0 and +0 are equal */
        for (size_t p = 0; p < r.passes; p++) table[p * digits + (key >> p * r.bits) % digits]++;
    }
    for (size_t p = 0; p < r.passes; p++, table += digits) {
        size_t sum = 0;
        for (size_t i = 0; i < digits; i++) {
            size_t count = table[i];
            table[i] = sum;
            sum += count;
        }
    }
}

static void move(const float *from, const double *from_weights, size_t n, size_t shift,
                 size_t digits, size_t *table, float *to, double *to_weights)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t key = key_of(from[i] + 0.0f);
        size_t at = table[(key >> shift) % digits]++;
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
    const struct radix r = radix_of(n);
    size_t *table = scratch;
    float *spare = (float *)((uint8_t *)scratch + table_bytes(r)), *from = values, *to = spare;
    double *spare_weights = weights ? (double *)((uint8_t *)spare + value_bytes(n)) : NULL;
    double *from_weights = weights, *to_weights = spare_weights;
    count_digits(values, n, r, table);
    for (size_t p = 0; p < r.passes; p++) {
        move(from, from_weights, n, p * r.bits, (size_t)1 << r.bits, table + (p << r.bits), to,
             to_weights);
        to = from, to_weights = from_weights;
        from = from == values ? spare : values;
        from_weights = from == values ? weights : spare_weights;
    }
    if (from == values) return;
    memcpy(values, from, n * sizeof *values);
    if (weights) memcpy(weights, from_weights, n * sizeof *weights);
}
