/*
 * Encoding neighbours of different groups by the affine scheme: row by row a strip of groups that the rows
 * have in common, or a strip of runs, 32 elements at a time; single elements at the end of a run. A strip
 * has what products need; the rest is rarely used and read from the groups themselves.
 */
#include "../runs.h"
#include "../strip.h"
#include "encode_avx2.h"

/* Have these groups one zero point, so one shift? */
static bool are_even(const int32_t *zero, size_t count)
{
    const __m256i one = _mm256_set1_epi32(zero[0]);
    __m256i differ = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i some = _mm256_loadu_si256((const void *)(zero + i));
        differ = _mm256_or_si256(differ, _mm256_xor_si256(some, one));
    }
    for (; i < count; i++) {
        if (zero[i] != zero[0]) return false;
    }
    return _mm256_testz_si256(differ, differ);
}

static void load_inverses(const float *scale, size_t count, float *inverse)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 v = _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_loadu_ps(scale + i));
        __m256 normal = _mm256_and_ps(_mm256_cmp_ps(v, _mm256_set1_ps(FLT_MIN), _CMP_GE_OQ),
                                      _mm256_cmp_ps(v, _mm256_set1_ps(FLT_MAX), _CMP_LE_OQ));
        _mm256_storeu_ps(inverse + i, _mm256_blendv_ps(_mm256_set1_ps(NAN), v, normal));
    }
    for (; i < count; i++) inverse[i] = qnt__quotient_of(scale[i], 0.0f, 0.0f).inverse;
}

static void load_shifts(const struct qnt__affine_each *q, const int32_t *zero, size_t count, float *shift)
{
    const float last = 0.5f + qnt__doubt(q->last - q->first);
    size_t i = 0;
    for (; zero && i + 8 <= count; i += 8) {
        __m256i low = _mm256_loadu_si256((const void *)(zero + i));
        low = _mm256_sub_epi32(_mm256_set1_epi32(q->first), low);
        _mm256_storeu_ps(shift + i, _mm256_sub_ps(_mm256_set1_ps(last), _mm256_cvtepi32_ps(low)));
    }
    for (; i < count; i++) shift[i] = last - (float)(q->first - (zero ? zero[i] : 0));
}

/* 16 bits are divided: quotient.h. */
static void load_strip(const struct qnt__affine_each *q, size_t first, size_t count, struct qnt__strip *s)
{
    if (q->last - q->first > 255) return;
    const int32_t *zero = q->zero ? q->zero + first : NULL;
    s->even = q->run == 1 && (!zero || are_even(zero, count));
    load_inverses(q->scale + first, count, s->inverse);
    load_shifts(q, zero, s->even ? 1 : count, s->shift);
}

/* The parameters of eight elements of groups g, g + 1... or, if `one`, all of group g of a strip; an even
 * strip has one shift. */
INLINE struct group parameters(const struct qnt__strip *s, size_t g, bool one, bool real, bool even)
{
    const float *offset = real ? s->each->offset + s->begin + g : s->inverse; /* not used */
    const float *inverse = s->inverse + g, *shift = s->shift + (even ? 0 : g);
    return (struct group){one ? _mm256_broadcast_ss(offset) : _mm256_loadu_ps(offset),
                          one ? _mm256_broadcast_ss(inverse) : _mm256_loadu_ps(inverse),
                          one || even ? _mm256_broadcast_ss(shift) : _mm256_loadu_ps(shift)};
}

/* The same for divisions. */
INLINE struct exact exact_parameters(const struct qnt__strip *s, size_t g, bool one)
{
    static const int32_t zeros[8];
    static const float none[8];
    const struct qnt__affine_each *q = s->each;
    const size_t group = s->begin + g;
    const int32_t *zero = q->zero ? q->zero + group : zeros;
    const float *scale = q->scale + group, *offset = q->offset ? q->offset + group : none;
    __m256i less = one ? _mm256_set1_epi32(*zero) : _mm256_loadu_si256((const void *)zero);
    __m256i low = _mm256_sub_epi32(_mm256_set1_epi32(q->first), less);
    __m256i high = _mm256_sub_epi32(_mm256_set1_epi32(q->last), less);
    return (struct exact){one ? _mm256_broadcast_ss(scale) : _mm256_loadu_ps(scale),
                          one ? _mm256_broadcast_ss(offset) : _mm256_loadu_ps(offset),
                          _mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)};
}

/* Of 32 elements, the first of group g, eight are of groups that begin so many further on; longer runs
 * have all 32. */
INLINE size_t groups_on(size_t run, size_t k)
{
    return run == 1 ? 8 * k : run == 16 ? k / 2 : 0;
}

INLINE void exact_32(const struct qnt__strip *s, size_t g, size_t run, struct exact all[4])
{
    UNROLL for (size_t k = 0; k < 4; k++) all[k] = exact_parameters(s, g + groups_on(run, k), run > 1);
}

static __attribute__((noinline)) void divide_doubtful(const struct qnt__strip *s, const struct ends *e,
                                                      size_t g, size_t run, const float *x, uint8_t *codes,
                                                      bool stream)
{
    struct exact all[4];
    exact_32(s, g, run, all);
    divide_32_8(all, e, x, codes, stream);
}

/* Single elements, or runs of 16 or 32. */
INLINE void encode_elements_8(const struct qnt__strip *s, const struct ends *e, size_t run, bool real,
                              bool even, const float *x, size_t n, uint8_t *codes, bool stream)
{
    const size_t ahead = s->ahead;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        struct group all[4];
        UNROLL for (size_t k = 0; k < 4; k++) {
            all[k] = parameters(s, i / run + groups_on(run, k), run > 1, real, even);
        }
        if (encode_32_8(all, e, real, x + i, ahead, codes + i, stream)) continue;
        divide_doubtful(s, e, i / run, run, x + i, codes + i, stream);
    }
    for (; i < n; i++) {
        const struct qnt__affine one = qnt__affine_at(s->each, s->begin + i / run);
        qnt__encode_8_c(&one, x + i, 1, codes + i);
    }
}

INLINE void encode_runs_8(const struct qnt__strip *s, const struct ends *e, size_t run, bool real,
                          const float *x, size_t n, uint8_t *codes, bool stream)
{
    for (size_t g = 0, i = 0, end = 0; end < n; g++) {
        const struct group one = parameters(s, g, true, real, false), all[4] = {one, one, one, one};
        end = n - i < run ? n : i + run;
        for (; i + 32 <= end; i += 32) {
            if (encode_32_8(all, e, real, x + i, QNT__AHEAD, codes + i, stream)) continue;
            divide_doubtful(s, e, g, run, x + i, codes + i, stream);
        }
        if (i == end) continue;
        const struct qnt__affine rest = qnt__affine_at(s->each, s->begin + g);
        qnt__encode_8_c(&rest, x + i, end - i, codes + i);
        i = end;
    }
}

INLINE void encode_real_8(const struct qnt__strip *s, size_t run, bool real, const float *x, size_t n,
                          uint8_t *codes, bool stream)
{
    const struct ends e = ends_of(s->first, s->last - s->first);
    if (run == 1 && s->even) encode_elements_8(s, &e, 1, real, true, x, n, codes, stream);
    else if (run == 1) encode_elements_8(s, &e, 1, real, false, x, n, codes, stream);
    else if (run == 16) encode_elements_8(s, &e, 16, real, false, x, n, codes, stream);
    else if (run == 32) encode_elements_8(s, &e, 32, real, false, x, n, codes, stream);
    else encode_runs_8(s, &e, run, real, x, n, codes, stream);
}

static void encode_strip_8(const struct qnt__strip *s, size_t run, const float *x, size_t n,
                           uint8_t *codes, bool stream)
{
    if (s->each->offset) encode_real_8(s, run, true, x, n, codes, stream);
    else encode_real_8(s, run, false, x, n, codes, stream);
}

static void encode_strip_16(const struct qnt__strip *s, size_t run, const float *x, size_t n,
                            uint16_t *codes, bool stream)
{
    const struct ends e = ends_of(s->first, s->last - s->first);
    const size_t whole = run == 1 || run == 16 ? n : run; /* where 32 may be read at once */
    for (size_t i = 0, end = 0; end < n;) {
        end = n - i < whole ? n : i + whole;
        for (; i + 32 <= end; i += 32) {
            struct exact all[4];
            exact_32(s, i / run, run, all);
            divide_32_16(all, &e, x + i, s->ahead, codes + i, stream);
        }
        for (; i < end; i++) {
            const struct qnt__affine one = qnt__affine_at(s->each, s->begin + i / run);
            qnt__encode_16_c(&one, x + i, 1, codes + i);
        }
    }
}

QNT__ENCODE_EACH(avx2, 8, uint8_t)
QNT__ENCODE_EACH(avx2, 16, uint16_t)

/* ---- packed codes of 4 bits ---- */

static __attribute__((noinline)) void divide_64_4(const struct qnt__strip *s, const struct ends *e,
                                                  size_t g, size_t run, const float *x, uint8_t *to,
                                                  bool stream)
{
    struct exact left[4], right[4];
    exact_32(s, g, run, left), exact_32(s, g + (run <= 32 ? 32 / run : 0), run, right);
    put_packed_steps(divide_32(left, x), divide_32(right, x + 32), e, to, stream);
}

/* The rest of a strip, or of a run: less than 64 elements. */
static void pack_rest_4(const struct qnt__strip *s, size_t g, size_t run, const float *x, size_t n,
                        uint8_t *to)
{
    uint8_t codes[64];
    for (size_t i = 0; i < n; i++) {
        const struct qnt__affine one = qnt__affine_at(s->each, s->begin + g + i / run);
        qnt__encode_8_c(&one, x + i, 1, codes + i);
    }
    qnt__pack_codes_c(codes, n, 4, false, to);
}

INLINE void pack_elements_4(const struct qnt__strip *s, const struct ends *e, size_t run, bool real,
                            bool even, const float *x, size_t n, uint8_t *to, bool stream)
{
    const size_t ahead = s->ahead;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        struct group all[8];
        UNROLL for (size_t k = 0; k < 4; k++) {
            all[k] = parameters(s, i / run + groups_on(run, k), run > 1, real, even);
            all[k + 4] = parameters(s, (i + 32) / run + groups_on(run, k), run > 1, real, even);
        }
        if (encode_64_4(all, e, real, x + i, ahead, to + i / 2, stream)) continue;
        divide_64_4(s, e, i / run, run, x + i, to + i / 2, stream);
    }
    pack_rest_4(s, i / run, run, x + i, n - i, to + i / 2);
}

INLINE void pack_runs_4(const struct qnt__strip *s, const struct ends *e, size_t run, bool real,
                        const float *x, size_t n, uint8_t *to, bool stream)
{
    for (size_t g = 0, i = 0, end = 0; end < n; g++) {
        const struct group one = parameters(s, g, true, real, false);
        const struct group all[8] = {one, one, one, one, one, one, one, one};
        end = n - i < run ? n : i + run;
        for (; i + 64 <= end; i += 64) {
            if (encode_64_4(all, e, real, x + i, QNT__AHEAD, to + i / 2, stream)) continue;
            divide_64_4(s, e, g, run, x + i, to + i / 2, stream);
        }
        pack_rest_4(s, g, run, x + i, end - i, to + i / 2);
        i = end;
    }
}

INLINE void pack_real_4(const struct qnt__strip *s, size_t run, bool real, const float *x, size_t n,
                        uint8_t *to, bool stream)
{
    const struct ends e = ends_of(s->first, s->last - s->first);
    if (run == 1 && s->even) pack_elements_4(s, &e, 1, real, true, x, n, to, stream);
    else if (run == 1) pack_elements_4(s, &e, 1, real, false, x, n, to, stream);
    else if (run == 16) pack_elements_4(s, &e, 16, real, false, x, n, to, stream);
    else if (run == 32) pack_elements_4(s, &e, 32, real, false, x, n, to, stream);
    else pack_runs_4(s, &e, run, real, x, n, to, stream);
}

static void pack_strip_4(const struct qnt__strip *s, size_t run, const float *x, size_t n, uint8_t *to,
                         bool stream)
{
    if (s->each->offset) pack_real_4(s, run, true, x, n, to, stream);
    else pack_real_4(s, run, false, x, n, to, stream);
}

static QNT__PACK_EACH(pack_each_by_codes, avx2)

void qnt__pack_each_avx2(const struct qnt__affine_each *each, const float *x, size_t n, int bits,
                         uint8_t *packed)
{
    const struct qnt__affine_each q = *each; /* no store can change it */
    struct qnt__strip strip;
    if (bits != 4) {
        pack_each_by_codes(&q, x, n, bits, packed);
        return;
    }
    QNT__BY_STRIPS(&q, n, &strip,
                   pack_strip_4(&strip, q.run, x + at, part, packed + at / 2, q.stream));
}
