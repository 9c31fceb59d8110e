/*
 * Encoding floats by the affine scheme: 64 of one group at a time, or 16 that belong to different groups.
 *
 * A division takes sixteen cycles for a vector, which is more than memory does. So the quotient is first
 * approximated by a product with 1 / scale: near an integer both round alike, and only where the product
 * comes close to the middle between two codes, or is no number, one has to divide (quotient.h).
 */
#include <immintrin.h>

#include "../quotient.h"
#include "../runs.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4")

/* ---- quotients of sixteen elements ---- */

/* Parameters of sixteen elements. */
struct group {
    __m512 scale, offset, low, high;
    __m512i zero;
};

/* A NaN stays one. */
INLINE __m512 clamp(const struct group *g, __m512 t)
{
    return _mm512_min_ps(g->high, _mm512_max_ps(g->low, t));
}

INLINE __m512i divide(const struct group *g, __m512 x)
{
    x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    return _mm512_cvtps_epi32(clamp(g, _mm512_div_ps(_mm512_sub_ps(x, g->offset), g->scale)));
}

/* A rounded product: the low 16 bits of `sum` are those of the integer, `apart` is how far it is. */
struct product {
    __m512 t, sum, apart;
};

INLINE struct product multiply(const struct group *g, __m512 inverse, __m512 x)
{
    const __m512 shift = _mm512_set1_ps(QNT__TO_INTEGER);
    struct product p;
    p.t = clamp(g, _mm512_mul_ps(_mm512_sub_ps(x, g->offset), inverse));
    p.sum = _mm512_add_ps(p.t, shift);
    p.apart = _mm512_abs_ps(_mm512_sub_ps(p.t, _mm512_sub_ps(p.sum, shift)));
    return p;
}

INLINE void prefetch(const float *x)
{
    _mm_prefetch((const void *)((uintptr_t)x + QNT__AHEAD), _MM_HINT_T0);
}

/* ---- one group ---- */

struct single {
    struct group g;
    __m512 inverse, limit;
};

INLINE struct single load_group(const struct qnt__affine *q)
{
    const struct qnt__quotient by = qnt__quotient_of(q);
    return (struct single){{_mm512_set1_ps(q->scale), _mm512_set1_ps(q->offset),
                            _mm512_set1_ps(q->low), _mm512_set1_ps(q->high),
                            _mm512_set1_epi32(q->zero)},
                           _mm512_set1_ps(by.inverse),
                           _mm512_set1_ps(by.limit)};
}

/* Codes less the zero point. */
INLINE __m512i steps_16(const struct single *s, __m512 x, __mmask16 *doubtful)
{
    const struct product p = multiply(&s->g, s->inverse, x);
    *doubtful |= _mm512_cmp_ps_mask(p.apart, s->limit, _CMP_NLT_UQ);
    return _mm512_castps_si512(p.sum);
}

INLINE void steps_64(const struct single *s, const float *x, __m512i steps[4])
{
    __mmask16 doubtful = 0;
    UNROLL for (int k = 0; k < 4; k++) {
        prefetch(x + 16 * k);
        steps[k] = steps_16(s, _mm512_loadu_ps(x + 16 * k), &doubtful);
    }
    if (__builtin_expect(doubtful, 0)) {
        steps[0] = divide(&s->g, _mm512_loadu_ps(x));
        steps[1] = divide(&s->g, _mm512_loadu_ps(x + 16));
        steps[2] = divide(&s->g, _mm512_loadu_ps(x + 32));
        steps[3] = divide(&s->g, _mm512_loadu_ps(x + 48));
    }
}

INLINE __m512i codes_16(const struct single *s, __m512 x)
{
    __mmask16 doubtful = 0;
    __m512i steps = steps_16(s, x, &doubtful);
    if (__builtin_expect(doubtful, 0)) steps = divide(&s->g, x);
    return _mm512_add_epi32(steps, s->g.zero);
}

/* The low halves of 32 codes, in order; packing saturates, so the high halves are cleared before. */
INLINE __m512i words(__m512i a, __m512i b)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7),
                  low = _mm512_set1_epi32(0xffff);
    __m512i both = _mm512_packus_epi32(_mm512_and_si512(a, low), _mm512_and_si512(b, low));
    return _mm512_permutexvar_epi64(order, both);
}

/* The low bytes of 64 codes, in order. */
INLINE __m512i bytes(const __m512i v[4])
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i low = _mm512_set1_epi32(0xff);
    __m512i ab = _mm512_packus_epi32(_mm512_and_si512(v[0], low), _mm512_and_si512(v[1], low));
    __m512i cd = _mm512_packus_epi32(_mm512_and_si512(v[2], low), _mm512_and_si512(v[3], low));
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(ab, cd));
}

/* ---- storing; past the caches where the address allows it, so that no line is read before ---- */

INLINE bool aligned(const void *to, size_t to_what)
{
    return (uintptr_t)to % to_what == 0;
}

INLINE void put_64(void *to, __m512i v, bool stream)
{
    if (stream && aligned(to, 64)) _mm512_stream_si512(to, v);
    else _mm512_storeu_si512(to, v);
}

INLINE void put_steps_8(const struct single *s, const __m512i v[4], uint8_t *to, bool stream)
{
    const __m512i zero = _mm512_set1_epi8((char)_mm512_cvtsi512_si32(s->g.zero));
    put_64(to, _mm512_add_epi8(bytes(v), zero), stream);
}

INLINE void put_steps_16(const struct single *s, const __m512i v[4], uint16_t *to, bool stream)
{
    const __m512i zero = _mm512_set1_epi16((short)_mm512_cvtsi512_si32(s->g.zero));
    put_64(to, _mm512_add_epi16(words(v[0], v[1]), zero), stream);
    put_64(to + 32, _mm512_add_epi16(words(v[2], v[3]), zero), stream);
}

INLINE void put_codes_8(__m512i code, uint8_t *to, bool stream)
{
    __m128i v = _mm512_cvtepi32_epi8(code);
    if (stream && aligned(to, 16)) _mm_stream_si128((__m128i *)to, v);
    else _mm_storeu_si128((__m128i *)to, v);
}

INLINE void put_codes_16(__m512i code, uint16_t *to, bool stream)
{
    __m256i v = _mm512_cvtepi32_epi16(code);
    if (stream && aligned(to, 32)) _mm256_stream_si256((__m256i *)to, v);
    else _mm256_storeu_si256((__m256i *)to, v);
}

/* ---- a group for each of sixteen elements ---- */

INLINE struct group load_groups(const struct qnt__affine_each *q, size_t i, __mmask16 some)
{
    __m512i zero = q->zero ? _mm512_maskz_loadu_epi32(some, q->zero + i) : _mm512_setzero_si512();
    return (struct group){
        .scale = _mm512_mask_loadu_ps(_mm512_set1_ps(1.0f), some, q->scale + i),
        .offset = q->offset ? _mm512_maskz_loadu_ps(some, q->offset + i) : _mm512_setzero_ps(),
        .low = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_set1_epi32(q->first), zero)),
        .high = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_set1_epi32(q->last), zero)),
        .zero = zero,
    };
}

/*
 * VRCP14PS errs by 2^-14 at most, a step of Newton's iteration leaves 2^-28 and what rounding adds, 2^-23
 * together, so product and quotient differ by less than 2^-21 of themselves. Inverses that are not positive
 * and normal are not trusted.
 */
INLINE __m512i codes_each(const struct qnt__affine_each *q, size_t i, __mmask16 some, __m512 x)
{
    const struct group g = load_groups(q, i, some);
    __m512 inverse = _mm512_rcp14_ps(g.scale);
    inverse = _mm512_mul_ps(inverse, _mm512_fnmadd_ps(g.scale, inverse, _mm512_set1_ps(2.0f)));
    const struct product p = multiply(&g, inverse, x);
    __m512 limit =
        _mm512_fnmadd_ps(_mm512_abs_ps(p.t), _mm512_set1_ps(0x1p-20f), _mm512_set1_ps(0.5f));
    __mmask16 doubtful = _mm512_cmp_ps_mask(p.apart, limit, _CMP_NLT_UQ) |
                         _mm512_fpclass_ps_mask(inverse, 0xff); /* all but positive and normal */
    __m512i steps = _mm512_castps_si512(p.sum);
    if (__builtin_expect(doubtful, 0)) steps = divide(&g, x);
    return _mm512_add_epi32(steps, g.zero);
}

/* ---- slots, a pair for each code width ---- */

#define ENCODE(width, type, store_some)                                                            \
    INLINE void encode_group_##width(const struct single *s, const float *x, size_t n,             \
                                     type *codes, bool stream)                                     \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 64 <= n; i += 64) {                                                             \
            __m512i steps[4];                                                                      \
            steps_64(s, x + i, steps);                                                             \
            put_steps_##width(s, steps, codes + i, stream);                                        \
        }                                                                                          \
        for (; i + 16 <= n; i += 16) {                                                             \
            prefetch(x + i);                                                                       \
            put_codes_##width(codes_16(s, _mm512_loadu_ps(x + i)), codes + i, stream);             \
        }                                                                                          \
        if (i == n) return;                                                                        \
        __mmask16 some = (__mmask16)((1u << (n - i)) - 1);                                         \
        store_some(codes + i, some, codes_16(s, _mm512_maskz_loadu_ps(some, x + i)));              \
    }                                                                                              \
                                                                                                   \
    void qnt__encode_##width##_avx512vnni(const struct qnt__affine *q, const float *x, size_t n,   \
                                          type *codes)                                             \
    {                                                                                              \
        const struct single s = load_group(q);                                                     \
        size_t before = (0 - (uintptr_t)codes) % 64 / sizeof *codes;                               \
        if (!q->stream || n <= before) {                                                           \
            encode_group_##width(&s, x, n, codes, false);                                          \
            return;                                                                                \
        }                                                                                          \
        encode_group_##width(&s, x, before, codes, false);                                         \
        encode_group_##width(&s, x + before, n - before, codes + before, true);                    \
    }                                                                                              \
                                                                                                   \
    void qnt__encode_each_##width##_avx512vnni(const struct qnt__affine_each *q, const float *x,   \
                                               size_t n, type *codes)                              \
    {                                                                                              \
        const struct qnt__affine_each copy = *q; /* no store can change it */                      \
        size_t i = 0;                                                                              \
        for (size_t g = 0; copy.run > 1 && i < n; g++, i += copy.run) {                            \
            const struct qnt__affine one = qnt__affine_at(&copy, g);                               \
            const struct single s = load_group(&one);                                              \
            size_t length = n - i < copy.run ? n - i : copy.run;                                   \
            encode_group_##width(&s, x + i, length, codes + i, copy.stream);                       \
        }                                                                                          \
        for (; i + 16 <= n; i += 16) {                                                             \
            prefetch(x + i);                                                                       \
            __m512i code = codes_each(&copy, i, 0xffff, _mm512_loadu_ps(x + i));                   \
            put_codes_##width(code, codes + i, copy.stream);                                       \
        }                                                                                          \
        if (i >= n) return;                                                                        \
        __mmask16 some = (__mmask16)((1u << (n - i)) - 1);                                         \
        store_some(codes + i, some,                                                                \
                   codes_each(&copy, i, some, _mm512_maskz_loadu_ps(some, x + i)));                \
    }

ENCODE(8, uint8_t, _mm512_mask_cvtepi32_storeu_epi8)
ENCODE(16, uint16_t, _mm512_mask_cvtepi32_storeu_epi16)
