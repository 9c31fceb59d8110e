/* Sorting a group by radix on the bit patterns of its floats, and summing it up. See sorted.h. */
#include "sorted.h"

#include "base/arith.h"
#include "base/numeric.h"

enum { SUM_BLOCK = 64 };

/* A value and its place, ordered by the upper half. */
static uint64_t pair_of(uint32_t key, size_t place)
{
    return (uint64_t)key << 32 | (uint32_t)place;
}

/* Stable radix sort of a by the upper 32 bits, one byte at a time; the result is in a, b is
 * scratch. */
static void sort_pairs(uint64_t *a, uint64_t *b, size_t n)
{
    size_t count[4][256] = {{0}};
    for (size_t i = 0; i < n; i++) {
        for (int d = 0; d < 4; d++) count[d][a[i] >> (32 + 8 * d) & 255]++;
    }
    uint64_t *from = a, *to = b;
    for (int d = 0; d < 4 && n > 0; d++) {
        if (count[d][from[0] >> (32 + 8 * d) & 255] == n) continue; /* all alike */
        size_t at = 0, start[256];
        for (int v = 0; v < 256; v++) {
            start[v] = at;
            at += count[d][v];
        }
        for (size_t i = 0; i < n; i++) to[start[from[i] >> (32 + 8 * d) & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != a) memcpy(a, from, n * sizeof *a);
}

/* A few values: shorter than counting bytes. */
static void sort_few(uint64_t *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t pair = a[i];
        size_t j = i;
        for (; j > 0 && a[j - 1] >> 32 > pair >> 32; j--) a[j] = a[j - 1];
        a[j] = pair;
    }
}

/* Maps signed floats to integers of the same order, and back. */
static uint32_t ordered(uint32_t bits)
{
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static uint32_t unordered(uint32_t key)
{
    return key & 0x80000000u ? key & 0x7fffffffu : ~key;
}

/* Writes the pairs that count, side 0 from the front and side 1 from the end; returns their
 * numbers. */
static void collect(const float *x, const double *h, size_t n, enum qnt__order order,
                    uint64_t *pairs, size_t sizes[2])
{
    size_t front = 0, back = n;
    for (size_t i = 0; i < n; i++) {
        if (h && !(h[i] > 0.0)) continue;
        uint32_t bits = qnt__bits_of_f32(x[i]), magnitude = bits & 0x7fffffffu;
        if (order == QNT__SIGNED) {
            pairs[front++] = pair_of(ordered(magnitude ? bits : 0), i);
        } else if (magnitude != 0 && (order == QNT__FOLDED || !(bits >> 31))) {
            pairs[front++] = pair_of(magnitude, i);
        } else if (magnitude != 0) {
            pairs[--back] = pair_of(magnitude, i);
        }
    }
    sizes[0] = front;
    sizes[1] = n - back;
}

/* sum + error = sum + x without loss (Knuth's TwoSum). */
static void add_exactly(double *sum, double *error, double x)
{
    double total = *sum + x, added = total - *sum;
    *error += (*sum - (total - added)) + (x - added);
    *sum = total;
}

/*
 * Running sums, each off by little more than its own rounding: blocks of values are added plainly,
 * their totals with the lost digits kept. Plain addition throughout would be off by n roundings,
 * and the solvers subtract neighbouring sums.
 */
static void sum_up(const float *x, const double *h, size_t n, double origin, struct qnt__sums *sums)
{
    struct qnt__sums base = {0}, error = {0};
    for (size_t begin = 0; begin < n; begin += SUM_BLOCK) {
        size_t end = qnt__min(begin + SUM_BLOCK, n);
        struct qnt__sums start = {base.h + error.h, base.hx + error.hx, base.hxx + error.hxx};
        struct qnt__sums local = {0};
        for (size_t i = begin; i < end; i++) {
            sums[i] = (struct qnt__sums){start.h + local.h, start.hx + local.hx,
                                         start.hxx + local.hxx};
            double weight = h ? h[i] : 1.0, value = (double)x[i] - origin;
            local.h += weight;
            local.hx += weight * value;
            local.hxx += weight * value * value;
        }
        add_exactly(&base.h, &error.h, local.h);
        add_exactly(&base.hx, &error.hx, local.hx);
        add_exactly(&base.hxx, &error.hxx, local.hxx);
    }
    sums[n] = (struct qnt__sums){base.h + error.h, base.hx + error.hx, base.hxx + error.hxx};
}

static double mean_of(const float *x, const double *h, size_t n)
{
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < n; i++) {
        double w = h ? h[i] : 1.0;
        sum += w * (double)x[i];
        weight += w;
    }
    return n ? sum / weight : 0.0;
}

/* One side: its pairs in order, taken apart into values and weights. */
static void build_side(uint64_t *pairs, uint64_t *scratch, size_t n, const double *weight,
                       enum qnt__order order, float *x, double *h)
{
    if (n <= 32) sort_few(pairs, n);
    else sort_pairs(pairs, scratch, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t key = (uint32_t)(pairs[i] >> 32);
        x[i] = qnt__f32_of_bits(order == QNT__SIGNED ? unordered(key) : key);
    }
    for (size_t i = 0; weight && i < n; i++) h[i] = weight[(uint32_t)pairs[i]];
}

size_t qnt__sort_bytes(size_t n)
{
    size_t sums, rest;
    if (!qnt__add(n, 2, &sums) || !qnt__mul(sums, sizeof(struct qnt__sums), &sums) ||
        !qnt__mul(n, sizeof(double) + sizeof(float), &rest) || !qnt__add(sums, rest, &sums)) {
        return SIZE_MAX;
    }
    return sums;
}

/* In this order: sums of both sides, weights, values. The pairs and their scratch lie where the
 * sums come later. */
void qnt__sort(const float *x, const double *h, size_t n, enum qnt__order order, void *space,
               struct qnt__sorted *out)
{
    struct qnt__sums *sums = space;
    uint64_t *pairs = space;
    double *weights = (double *)(void *)(sums + n + 2);
    float *values = (float *)(void *)(weights + n);
    size_t sizes[2];
    collect(x, h, n, order, pairs, sizes);
    build_side(pairs, pairs + n, sizes[0], h, order, values, weights);
    build_side(pairs + n - sizes[1], pairs + n, sizes[1], h, order, values + sizes[0],
               weights + sizes[0]);

    *out = (struct qnt__sorted){0};
    if (order == QNT__SIGNED) out->origin = mean_of(values, h ? weights : NULL, sizes[0]);
    for (int s = 0; s < 2; s++) {
        const double *own = h ? weights : NULL;
        sum_up(values, own, sizes[s], out->origin, sums);
        out->side[s] = (struct qnt__side){values, own, sizes[s], sums};
        out->energy += sums[sizes[s]].hxx;
        sums += sizes[s] + 1;
        values += sizes[s];
        weights += sizes[s];
    }
}
