/* Encoding, decoding and measuring with codebooks. See codebook.h. */
#include "codebook.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"

/* The values of a group in ascending order. */
struct book {
    float value[QNT__BOOK]; /* by code */
    uint8_t code[QNT__BOOK];
    float level[QNT__BOOK]; /* level[i] = value[code[i]] */
    int32_t count;
    bool ascending; /* code[i] = i */
};

static void open_book(const qnt_quantizer *quantizer, size_t group, struct book *book)
{
    const struct qnt__scheme *scheme = quantizer->scheme;
    scheme->values(quantizer, group, book->value);
    book->count = scheme->order(quantizer, book->value, book->code);
    book->ascending = true;
    for (int32_t i = 0; i < book->count; i++) {
        book->level[i] = book->value[book->code[i]];
        book->ascending &= book->code[i] == i;
    }
    for (int32_t i = book->count; i < QNT__BOOK; i++) book->code[i] = 0;
}

/* The largest float32 that is not above the middle of low <= high. The sum of the two is exact in
 * two doubles. */
static float threshold_between(float low, float high)
{
    double a = (double)low, b = (double)high, sum = a + b;
    double share = sum - a, rest = (a - (sum - share)) + (b - share);
    float t = (float)(0.5 * sum);
    double excess = 2.0 * (double)t - sum;
    return excess > 0.0 || (excess == 0.0 && rest < 0.0) ? qnt__before_f32(t) : t;
}

void qnt__thresholds_between(const float *ascending, int32_t count, struct qnt__thresholds *out)
{
    const float infinity = qnt__f32_of_bits(0x7f800000u);
    out->steps = 1;
    while (1 << out->steps < count) out->steps++;
    out->nan = 0;
    for (int32_t i = 1; i < count; i++) {
        out->value[i - 1] = threshold_between(ascending[i - 1], ascending[i]);
        if (fabsf(ascending[i]) < fabsf(ascending[out->nan])) out->nan = i;
    }
    for (int32_t i = count; i < 1 << out->steps; i++) out->value[i - 1] = infinity;
}

/* The thresholds of a group's values. */
static void thresholds_of(const qnt_quantizer *quantizer, size_t group, const struct book *book,
                          struct qnt__thresholds *out)
{
    const struct qnt__scheme *scheme = quantizer->scheme;
    qnt__thresholds_between(book->level, book->count, out);
    if (scheme->thresholds) scheme->thresholds(quantizer, group, book->code, book->count, out);
}

void qnt__codebook_ranks(const qnt_quantizer *quantizer, size_t group, struct qnt__ranks *out)
{
    struct book book;
    open_book(quantizer, group, &book);
    thresholds_of(quantizer, group, &book, &out->thresholds);
    memcpy(out->code, book.code, sizeof book.code);
    out->count = book.count;
    out->ascending = book.ascending;
}

/* The ranks of a segment's group, which are found where they are not known. */
static const struct qnt__ranks *ranks_of(const qnt_quantizer *quantizer,
                                         const struct qnt__segment *segment, struct qnt__ranks *own)
{
    if (segment->ranks) return segment->ranks;
    qnt__codebook_ranks(quantizer, segment->group, own);
    return own;
}

void qnt__codebook_encode(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                          const struct qnt__segment *segment, const float *x, void *codes)
{
    struct qnt__ranks own;
    const struct qnt__ranks *r = ranks_of(quantizer, segment, &own);
    simd->rank_f32(&r->thresholds, x, segment->n, codes);
    if (r->ascending) return;
    simd->look_up_8(r->code, r->thresholds.steps, codes, segment->n, codes);
}

void qnt__codebook_pack(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                        const struct qnt__segment *segment, const float *x, uint8_t *packed)
{
    struct qnt__ranks own;
    const struct qnt__ranks *r = ranks_of(quantizer, segment, &own);
    simd->pack_ranks(&r->thresholds, r->code, x, segment->n, qnt__code_bits(quantizer),
                     segment->stream, packed);
}

void qnt__codebook_decode(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                          const struct qnt__segment *segment, const void *codes, float *y)
{
    float value[QNT__BOOK];
    quantizer->scheme->values(quantizer, segment->group, value);
    simd->look_up_f32(value, qnt__code_bits(quantizer), codes, segment->n, y);
}

void qnt__codebook_ends(const qnt_quantizer *quantizer, size_t group, double value[2],
                        double step[2])
{
    struct book book;
    open_book(quantizer, group, &book);
    int32_t last = book.count - 1;
    value[0] = (double)book.level[0];
    value[1] = (double)book.level[last];
    step[0] = last ? (double)book.level[1] - value[0] : 0.0;
    step[1] = last ? value[1] - (double)book.level[last - 1] : 0.0;
}

bool qnt__codebook_words(const qnt_quantizer *quantizer, size_t group, int16_t level[QNT__BOOK])
{
    return quantizer->scheme->integers && quantizer->scheme->integers(quantizer, group, level);
}

bool qnt__codebook_bytes(const qnt_quantizer *quantizer, size_t group, int8_t level[QNT__BOOK])
{
    int16_t word[QNT__BOOK];
    if (!qnt__codebook_words(quantizer, group, word)) return false;
    for (int32_t i = 0; i < 1 << qnt__code_bits(quantizer); i++) {
        if (word[i] < INT8_MIN || word[i] > INT8_MAX) return false;
        level[i] = (int8_t)word[i];
    }
    return true;
}

/* sum h (x - level)^2 */
static double measure(const struct qnt__thresholds *t, const float *level, const float *x,
                      const double *h, size_t n)
{
    enum { CHUNK = 512 };
    uint8_t rank[CHUNK];
    double sum = 0.0;
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t part = qnt__min(CHUNK, n - at);
        qnt__rank_f32_c(t, x + at, part, rank);
        for (size_t i = 0; i < part; i++) {
            double away = (double)x[at + i] - (double)level[rank[i]];
            sum += (h ? h[at + i] : 1.0) * (away * away);
        }
    }
    return sum;
}

double qnt__measure_values(const float *ascending, int32_t count, const float *x, const double *h,
                           size_t n)
{
    struct qnt__thresholds t;
    qnt__thresholds_between(ascending, count, &t);
    return measure(&t, ascending, x, h, n);
}

void qnt__rest_of_values(const float *ascending, int32_t count, const float *x, size_t n,
                         double *rest)
{
    struct qnt__thresholds t;
    qnt__thresholds_between(ascending, count, &t);
    for (size_t i = 0; i < n; i++) {
        uint8_t rank;
        qnt__rank_f32_c(&t, x + i, 1, &rank);
        rest[i] = (double)x[i] - (double)ascending[rank];
    }
}

double qnt__codebook_measure(const qnt_quantizer *quantizer, size_t group, const float *x,
                             const double *h, size_t n)
{
    struct book book;
    struct qnt__thresholds t;
    open_book(quantizer, group, &book);
    thresholds_of(quantizer, group, &book, &t);
    return measure(&t, book.level, x, h, n);
}
