/*
 * Element-wise slots of every CPU level against the portable definition: encode, decode, finish,
 * conversions, packing, range. Arrays end at, or begin after, a page that cannot be touched, so
 * their addresses are aligned to the element type and to nothing else; the bytes on the other side
 * are fences.
 */
#include "base/numeric.h"
#include "check.h"
#include "cpu_levels.h"
#include "simd/slots.h"

enum { AREA = 1 << 16, FENCE = 64, FENCE_BYTE = 0xa5, TAILS = 68 };

static struct qnt__simd definition, table;
static const char *level;

/* ---- arrays ---- */

struct area {
    guarded low, high; /* the forbidden page that matters is before, after */
    uint8_t *data;
    size_t size;
    bool at_end;
};

enum { INPUTS = 10 };
static struct area inputs[INPUTS], expected_area, got_area;

static void open_area(struct area *a)
{
    a->low = guard(AREA, false);
    a->high = guard(AREA, true);
}

static void *place(struct area *a, size_t size, bool at_end)
{
    a->at_end = at_end;
    a->size = size;
    a->data = at_end ? a->high.data + AREA - size : a->low.data;
    memset(at_end ? a->data - FENCE : a->data + size, FENCE_BYTE, FENCE);
    return a->data;
}

static bool fence_stands(const struct area *a)
{
    const uint8_t *fence = a->at_end ? a->data - FENCE : a->data + a->size;
    for (size_t i = 0; i < FENCE; i++) {
        if (fence[i] != FENCE_BYTE) return false;
    }
    return true;
}

/* Both outputs start alike, so what must not be written is compared too. */
static void place_outputs(size_t size, bool at_end, void **expected, void **got)
{
    *expected = place(&expected_area, size, at_end);
    *got = place(&got_area, size, at_end);
    for (size_t i = 0; i < size; i++) expected_area.data[i] = (uint8_t)random_u64();
    memcpy(got_area.data, expected_area.data, size);
}

static bool same_bytes(void)
{
    return fence_stands(&expected_area) && fence_stands(&got_area) &&
           !memcmp(expected_area.data, got_area.data, got_area.size);
}

/* Which NaN an operation on two NaN gives is up to the compiler, so any NaN equals any other. */
static bool same_floats(void)
{
    size_t n = got_area.size / sizeof(float);
    const float *e = (const void *)expected_area.data, *g = (const void *)got_area.data;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&e[i], &g[i], sizeof *e) && !(e[i] != e[i] && g[i] != g[i])) return false;
    }
    return fence_stands(&expected_area) && fence_stands(&got_area);
}

/* ---- values ---- */

/* Signs, ties, subnormals, limits, infinities, quiet and signalling NaN. */
static uint32_t special_bits(void)
{
    static const uint32_t bits[] = {
        0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff,
        0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f800001, 0xffbfffff,
        0x3f000000, 0xbf000000, 0x3fc00000, 0xc0200000, 0x437f8000, 0xc3008000, 0x47800000,
        0x477fe000, 0x477fefff, 0x477ff000, 0x33000000, 0x33000001, 0x387fe000, 0x38800000,
    };
    return bits[random_in(0, (int64_t)(sizeof bits / sizeof *bits) - 1)];
}

static float random_float(void)
{
    switch (random_in(0, 7)) {
    case 0: return qnt__f32_of_bits(special_bits());
    case 1: return qnt__f32_of_bits((uint32_t)random_u64());
    case 2: return (float)random_in(-600, 600) * 0.5f;
    case 3: return (float)random_in(-1000000, 1000000) * 0.125f;
    default: return (float)(random_gauss() * 40);
    }
}

static float random_finite(void)
{
    for (;;) {
        float x = random_float();
        if (x - x == 0.0f) return x;
    }
}

static float *place_floats(struct area *a, size_t n, bool at_end)
{
    float *x = place(a, n * sizeof *x, at_end);
    for (size_t i = 0; i < n; i++) x[i] = random_float();
    return x;
}

static void *place_bytes(struct area *a, size_t size, bool at_end)
{
    uint8_t *x = place(a, size, at_end);
    for (size_t i = 0; i < size; i++) x[i] = (uint8_t)random_u64();
    return x;
}

static float random_scale(void)
{
    switch (random_in(0, 5)) {
    case 0: return 1.0f;
    case 1: return 0.5f;
    case 2: return 1e-40f;
    case 3: return 3e38f;
    default: return (float)exp(random_gauss());
    }
}

/* A group for codes from low to high. */
static struct qnt__affine random_group(int32_t low, int32_t high)
{
    int32_t zero = (int32_t)random_in(low, high);
    return (struct qnt__affine){
        .scale = random_scale(),
        .offset = random_in(0, 2) ? 0.0f : random_finite(),
        .low = (float)(low - zero),
        .high = (float)(high - zero),
        .zero = zero,
        .stream = random_in(0, 1),
    };
}

/* Every tail, then a few lengths up to the capacity of an area. */
static size_t length(int round, size_t capacity)
{
    return round < TAILS ? (size_t)round : (size_t)random_in(TAILS, (int64_t)capacity);
}

enum { ROUNDS = TAILS + 40 };

/* ---- tests ---- */

static void encode(void)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        bool at_end = round & 1, wide = random_in(0, 1);
        size_t n = length(round / 2, 3000);
        int bits = wide ? 16 : (int)random_in(1, 8);
        bool sign = random_in(0, 1);
        struct qnt__affine q = random_group(sign ? -(1 << (bits - 1)) : 0,
                                            (1 << (sign ? bits - 1 : bits)) - 1);
        const float *x = place_floats(&inputs[0], n, at_end);
        void *expected, *got;
        place_outputs(wide ? 2 * n : n, at_end, &expected, &got);
        if (wide) {
            definition.encode_16(&q, x, n, expected);
            table.encode_16(&q, x, n, got);
        } else {
            definition.encode_8(&q, x, n, expected);
            table.encode_8(&q, x, n, got);
        }
        CHECK_MSG(same_bytes(), "%s, %d bits, n %zu, scale %a, offset %a", level, bits, n, q.scale,
                  q.offset);
    }
}

/* Quotients on and next to ties of 1 to 8 bits; all elements are of one group, or of groups alike. */
static void encode_ties(void)
{
    static const size_t runs[] = {1, 16, 32, 64, 100};
    static float scale[3 * 512], offset[3 * 512];
    static int32_t zero[3 * 512];
    float x[3 * 512];
    uint8_t expected[3 * 512], got[3 * 512];
    for (int round = 0; round < 400; round++) {
        const int32_t last = (1 << random_in(1, 8)) - 1,
                      first = random_in(0, 1) ? 0 : -(last + 1) / 2;
        struct qnt__affine q = random_group(first, first + last);
        for (int i = 0; i < 3 * 512; i++) scale[i] = q.scale, offset[i] = q.offset, zero[i] = q.zero;
        for (int i = 0; i < 512; i++) {
            const int32_t code = first - 4 + i % (last + 8);
            float tie = ((float)(code - q.zero) + 0.5f) * q.scale + q.offset;
            uint32_t u = qnt__bits_of_f32(tie);
            for (uint32_t k = 0; k < 3; k++) x[3 * i + (int)k] = qnt__f32_of_bits(u + k - 1);
        }
        definition.encode_8(&q, x, 3 * 512, expected);
        table.encode_8(&q, x, 3 * 512, got);
        CHECK_MSG(!memcmp(expected, got, sizeof got), "%s, scale %a", level, q.scale);
        for (int k = 0; k < 5; k++) {
            struct qnt__affine_each every = {scale,        offset,  zero,  first,
                                             first + last, runs[k], false, 0};
            table.encode_each_8(&every, x, 3 * 512, got);
            CHECK_MSG(!memcmp(expected, got, sizeof got), "%s, scale %a, runs of %zu", level, q.scale,
                      runs[k]);
        }
    }
}

#define DECODE_BOTH(slot, type, low, high)                                                         \
    do {                                                                                           \
        struct qnt__affine q = random_group(low, high);                                            \
        const type *codes = place_bytes(&inputs[0], n * sizeof *codes, at_end);                    \
        place_outputs(n * sizeof(float), at_end, &expected, &got);                                 \
        definition.slot(&q, codes, n, expected);                                                   \
        table.slot(&q, codes, n, got);                                                             \
        CHECK_MSG(same_bytes(), "%s, n %zu, scale %a, offset %a", level, n, q.scale, q.offset);    \
    } while (0)

static void decode(void)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        bool at_end = round & 1;
        size_t n = length(round / 2, 3000);
        void *expected, *got;
        DECODE_BOTH(decode_s8, int8_t, -128, 127);
        DECODE_BOTH(decode_u8, uint8_t, 0, 255);
        DECODE_BOTH(decode_s16, int16_t, -32768, 32767);
        DECODE_BOTH(decode_u16, uint16_t, 0, 65535);
    }
}

/* Parameters for n elements in runs, or in rows of a period. */
static struct qnt__affine_each random_each(size_t elements, size_t run, size_t period, int32_t first,
                                           int32_t last, bool at_end)
{
    size_t row = period && period < elements ? period : elements, n = (row + run - 1) / run;
    float *scale = place(&inputs[1], n * sizeof *scale, at_end);
    float *offset = place(&inputs[2], n * sizeof *offset, at_end);
    int32_t *zero = place(&inputs[3], n * sizeof *zero, at_end);
    for (size_t i = 0; i < n; i++) {
        struct qnt__affine q = random_group(first, last);
        scale[i] = q.scale, offset[i] = q.offset, zero[i] = q.zero;
    }
    bool all = random_in(0, 1), some = random_in(0, 1);
    return (struct qnt__affine_each){.scale = scale,
                                     .offset = all || some ? offset : NULL,
                                     .zero = all || !some ? zero : NULL,
                                     .first = first,
                                     .last = last,
                                     .run = run,
                                     .period = period,
                                     .stream = random_in(0, 1)};
}

#define EACH_BOTH(slot, from_bytes, to, place_from, first, last)                                   \
    do {                                                                                           \
        struct qnt__affine_each q = random_each(n, run, period, first, last, at_end);              \
        const void *in = place_from(&inputs[0], n * (from_bytes), at_end);                         \
        place_outputs(n * sizeof(to), at_end, &expected, &got);                                    \
        definition.slot(&q, in, n, expected);                                                      \
        table.slot(&q, in, n, got);                                                                \
        CHECK_MSG(same_bytes(), "%s, n %zu, runs of %zu, rows of %zu", level, n, run, period);     \
    } while (0)

static void each(void)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        bool at_end = round & 1;
        static const size_t runs[] = {1, 1, 1, 16, 32, 64, 128};
        size_t n = length(round / 2, 3000), kind = (size_t)random_in(0, 8), period = 0;
        size_t run = kind < 7 ? runs[kind] : (size_t)random_in(2, 200);
        if (run == 1 && random_in(0, 1)) period = (size_t)random_in(1, random_in(0, 1) ? 40 : 1500);
        void *expected, *got;
        EACH_BOTH(encode_each_8, 1, uint8_t, place_floats, -128, 127);
        EACH_BOTH(encode_each_8, 1, uint8_t, place_floats, 0, 15);
        EACH_BOTH(encode_each_16, 1, uint16_t, place_floats, 0, 65535);
        EACH_BOTH(decode_each_s8, 1, float, place_bytes, -128, 127);
        EACH_BOTH(decode_each_u8, 1, float, place_bytes, 0, 255);
        EACH_BOTH(decode_each_s16, 2, float, place_bytes, -32768, 32767);
        EACH_BOTH(decode_each_u16, 2, float, place_bytes, 0, 65535);
    }
}

/* Floats well inside of codes, of groups with one zero point or many and with offsets or without: products
 * leave no doubt, while hardly any 32 of random floats are without it. */
static void encode_each_certain(void)
{
    static const size_t runs[] = {1, 1, 1, 16, 32, 64, 96, 3000};
    for (int round = 0; round < 4 * ROUNDS; round++) {
        bool at_end = round & 1, alike = random_in(0, 1);
        const int32_t first = random_in(0, 1) ? 0 : -128, last = (int32_t)random_in(first + 1, first + 255);
        const size_t run = runs[random_in(0, 7)], period = run == 1 ? (size_t)random_in(0, 1) * 600 : 0;
        const size_t n = length(round / 2, 3000);
        float *x = place(&inputs[0], n * sizeof *x, at_end);
        struct qnt__affine_each q = random_each(n, run, period, first, last, at_end);
        float *scale = (void *)inputs[1].data, *offset = (void *)inputs[2].data;
        int32_t *zero = (void *)inputs[3].data;
        for (size_t g = 0; g < inputs[1].size / sizeof *scale; g++) {
            scale[g] = (float)exp(random_gauss());
            offset[g] = (float)random_gauss();
            if (alike) zero[g] = zero[0];
        }
        for (size_t i = 0; i < n; i++) {
            size_t g = q.period ? i % q.period : i / run;
            double code = (double)random_in(first - 9, last + 9) + (double)random_in(-99, 99) / 256;
            x[i] = (float)((code - (q.zero ? zero[g] : 0)) * scale[g] + (q.offset ? offset[g] : 0.0f));
        }
        void *expected, *got;
        place_outputs(n, at_end, &expected, &got);
        definition.encode_each_8(&q, x, n, expected);
        table.encode_each_8(&q, x, n, got);
        CHECK_MSG(same_bytes(), "%s, n %zu, runs of %zu, codes from %d to %d", level, n, run, (int)first,
                  (int)last);
    }
}

/* Codes of several groups packed at once are those of each step by itself; floats are inside of codes, so
 * that products leave no doubt, or anything. */
static void pack_each(void)
{
    static const size_t runs[] = {1, 1, 1, 1, 8, 16, 32, 64, 104, 600, 8000, 9000};
    static uint8_t codes[9000];
    for (int round = 0; round < 4 * ROUNDS; round++) {
        bool at_end = round & 1, certain = random_in(0, 3);
        const int bits = random_in(0, 1) ? 4 : (int)random_in(1, 7);
        const int32_t first = random_in(0, 1) ? 0 : -(1 << (bits - 1)),
                      last = first + (int32_t)random_in(1 << bits >> 1, (1 << bits) - 1);
        const size_t run = runs[random_in(0, 11)],
                     n = length(round / 2, random_in(0, 3) ? 3000 : 9000) / 8 * 8;
        const size_t period = run == 1 && random_in(0, 1) ? 8 * (size_t)random_in(1, 150) : 0;
        float *x = certain ? place(&inputs[0], n * sizeof *x, at_end)
                           : place_floats(&inputs[0], n, at_end);
        const size_t whole = run < n ? run : n ? n : 1;
        struct qnt__affine_each q = random_each(n, whole, period, first, last, at_end);
        for (size_t i = 0; certain && i < n; i++) {
            size_t g = period ? i % period : i / whole;
            double code = (double)random_in(first - 3, last + 3) + (double)random_in(-99, 99) / 256;
            x[i] = (float)((code - (q.zero ? q.zero[g] : 0)) * (double)q.scale[g] +
                           (q.offset ? (double)q.offset[g] : 0.0));
        }
        void *expected, *got;
        place_outputs(n / 8 * (size_t)bits, at_end, &expected, &got);
        definition.encode_each_8(&q, x, n, codes);
        definition.pack_codes(codes, n, bits, false, expected);
        table.pack_each(&q, x, n, bits, got);
        CHECK_MSG(same_bytes(), "%s, n %zu, %d bits, runs of %zu, rows of %zu", level, n, bits,
                  whole, period);
    }
}

/* With one parameter for all, each is the same as the others. */
static void each_alike(void)
{
    enum { N = 100 };
    float x[N], scale[N], offset[N], y[2][N];
    int32_t zero[N];
    uint16_t wide[2][N];
    uint8_t narrow[2][N];
    for (int round = 0; round < 100; round++) {
        struct qnt__affine q = random_group(-128, 127);
        struct qnt__affine_each every = {scale, offset, zero, -128, 127, 1, false, 0};
        for (int i = 0; i < N; i++) {
            x[i] = random_float();
            scale[i] = q.scale, offset[i] = q.offset, zero[i] = q.zero;
        }
        table.encode_8(&q, x, N, narrow[0]), table.encode_each_8(&every, x, N, narrow[1]);
        table.encode_16(&q, x, N, wide[0]), table.encode_each_16(&every, x, N, wide[1]);
        table.decode_u8(&q, narrow[0], N, y[0]), table.decode_each_u8(&every, narrow[1], N, y[1]);
        CHECK_MSG(!memcmp(narrow[0], narrow[1], sizeof narrow[0]), "%s", level);
        CHECK_MSG(!memcmp(wide[0], wide[1], sizeof wide[0]), "%s", level);
        CHECK_MSG(!memcmp(y[0], y[1], sizeof y[0]), "%s", level);
    }
}

static void convert(void)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        bool at_end = round & 1;
        size_t n = length(round / 2, 3000);
        const float *x = place_floats(&inputs[0], n, at_end);
        const uint16_t *h = place_bytes(&inputs[1], n * sizeof *h, at_end);
        void *expected, *got;
        place_outputs(n * sizeof(uint16_t), at_end, &expected, &got);
        definition.narrow_f16(x, n, expected), table.narrow_f16(x, n, got);
        CHECK_MSG(same_bytes(), "narrow_f16 %s, n %zu", level, n);
        definition.narrow_bf16(x, n, expected), table.narrow_bf16(x, n, got);
        CHECK_MSG(same_bytes(), "narrow_bf16 %s, n %zu", level, n);
        place_outputs(n * sizeof(float), at_end, &expected, &got);
        definition.widen_f16(h, n, expected), table.widen_f16(h, n, got);
        CHECK_MSG(same_bytes(), "widen_f16 %s, n %zu", level, n);
        definition.widen_bf16(h, n, expected), table.widen_bf16(h, n, got);
        CHECK_MSG(same_bytes(), "widen_bf16 %s, n %zu", level, n);
    }
}

/* All 65536 halves, and around each of them the floats where rounding changes. */
static void convert_all(void)
{
    static uint16_t halves[1 << 16], expected_half[1 << 16], got_half[1 << 16];
    static float expected[1 << 16], got[1 << 16], edge[1 << 16];
    for (uint32_t h = 0; h < 1 << 16; h++) halves[h] = (uint16_t)h;

    definition.widen_bf16(halves, 1 << 16, expected), table.widen_bf16(halves, 1 << 16, got);
    CHECK_MSG(!memcmp(expected, got, sizeof got), "widen_bf16 %s", level);
    definition.widen_f16(halves, 1 << 16, expected), table.widen_f16(halves, 1 << 16, got);
    CHECK_MSG(!memcmp(expected, got, sizeof got), "widen_f16 %s", level);

    static const uint32_t steps[] = {0, 1, 0xfff, 0x1000, 0x1001, 0x1fff, 0x7fff, 0x8000, 0x8001};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        for (int source = 0; source < 2; source++) {
            for (uint32_t h = 0; h < 1 << 16; h++) {
                uint32_t u = source ? qnt__bits_of_f32(expected[h]) : h << 16;
                edge[h] = qnt__f32_of_bits(u + steps[s]);
            }
            definition.narrow_f16(edge, 1 << 16, expected_half);
            table.narrow_f16(edge, 1 << 16, got_half);
            CHECK_MSG(!memcmp(expected_half, got_half, sizeof got_half), "narrow_f16 %s", level);
            definition.narrow_bf16(edge, 1 << 16, expected_half);
            table.narrow_bf16(edge, 1 << 16, got_half);
            CHECK_MSG(!memcmp(expected_half, got_half, sizeof got_half), "narrow_bf16 %s", level);
        }
    }
}

static void pack(void)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        bool at_end = round & 1;
        size_t n = length(round / 2, 8000);
        for (int bits = 1; bits <= 7; bits++) {
            size_t packed_bytes = (n * (size_t)bits + 7) / 8;
            const uint8_t *codes = place_bytes(&inputs[0], n, at_end);
            const uint8_t *packed = place_bytes(&inputs[1], packed_bytes, at_end);
            void *expected, *got;
            place_outputs(packed_bytes, at_end, &expected, &got);
            definition.pack_codes(codes, n, bits, false, expected);
            table.pack_codes(codes, n, bits, random_in(0, 1), got);
            CHECK_MSG(same_bytes(), "pack %s, n %zu, bits %d", level, n, bits);
            for (int sign = 0; sign < 2; sign++) {
                place_outputs(n, at_end, &expected, &got);
                definition.unpack_codes(packed, n, bits, sign, expected);
                table.unpack_codes(packed, n, bits, sign, got);
                CHECK_MSG(same_bytes(), "unpack %s, n %zu, bits %d", level, n, bits);
            }
        }
    }
}

static void minmax(void)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        size_t n = length(round / 2, 3000);
        float *x = place_floats(&inputs[0], n, round & 1);
        if (random_in(0, 3) == 0) {
            for (size_t i = 0; i < n; i++) x[i] = qnt__f32_of_bits(random_in(0, 1) ? 0 : 1u << 31);
        }
        if (random_in(0, 3) == 0) {
            for (size_t i = 0; i < n; i++) x[i] = qnt__f32_of_bits(0x7f800000u | special_bits());
        }
        float expected[2], got[2];
        definition.minmax(x, n, expected);
        table.minmax(x, n, got);
        CHECK_MSG(!memcmp(expected, got, sizeof got), "%s, n %zu: %a %a, not %a %a", level, n,
                  got[0], got[1], expected[0], expected[1]);
    }
}

/* ---- epilogues: `parts` says which optional arrays are there ---- */

enum { A_ZERO = 1, W_ZERO = 2, ROW_SCALE = 4, BIAS = 8, ACCUMULATE = 16, ALL_PARTS = 32 };

static const float *place_factors(struct area *a, size_t n, bool at_end, bool tame)
{
    float *x = place(a, n * sizeof *x, at_end);
    for (size_t i = 0; i < n; i++) {
        x[i] = tame ? (float)(exp(random_gauss() * 3) * 1e-6) : random_float();
    }
    return x;
}

static void random_clamp(bool codes, float *low, float *high)
{
    *low = codes ? (float)random_in(-131072, 0) : random_in(0, 1) ? -INFINITY : 0.0f;
    *high = codes ? (float)random_in(0, 131072) : random_in(0, 1) ? INFINITY : 6.0f;
    if (codes && random_in(0, 1)) *low = -128.0f, *high = 127.0f;
    if (codes && random_in(0, 2) == 0) { /* about as many neighbours as bytes can hold, at any place */
        *low = (float)random_in(-65600, 65600) * 0.5f;
        *high = *low + (float)(random_in(0, 1) ? random_in(-4, 500) : random_in(506, 516)) * 0.5f;
    }
}

static struct qnt__finish random_finish(size_t m, size_t n, int parts, bool at_end, bool codes)
{
    bool tame = random_in(0, 3) > 0;
    struct qnt__finish f = {.m = m, .n = n, .ld = n + (size_t)random_in(0, 20)};
    f.y_ld = n + (size_t)random_in(0, 20);
    size_t sums = m && n ? (m - 1) * f.ld + n : 0;
    f.acc = place_bytes(&inputs[0], sums * sizeof *f.acc, at_end);
    if (parts & A_ZERO) {
        int32_t *zero = place_bytes(&inputs[1], m * sizeof *zero, at_end);
        bool one = random_in(0, 1); /* for all rows: kernels multiply it once */
        for (size_t i = 1; one && i < m; i++) zero[i] = zero[0];
        f.a_zero = zero;
        f.w_sum = place_bytes(&inputs[2], n * sizeof *f.w_sum, at_end);
    }
    if (parts & W_ZERO) {
        f.a_sum = place_bytes(&inputs[3], m * sizeof *f.a_sum, at_end);
        f.w_zero = place_bytes(&inputs[4], n * sizeof *f.w_zero, at_end);
    }
    f.multiplier = place_factors(&inputs[5], n, at_end, tame);
    if (parts & ROW_SCALE) f.row_scale = place_factors(&inputs[6], m, at_end, tame);
    if (parts & BIAS) f.bias = place_floats(&inputs[7], n, at_end);
    f.accumulate = (parts & ACCUMULATE) != 0;
    f.zero = codes ? (int32_t)random_in(-128, 255) : 0;
    random_clamp(codes, &f.low, &f.high);
    return f;
}

static size_t output_elements(size_t m, size_t n, size_t y_ld)
{
    return m && n ? (m - 1) * y_ld + n : 0;
}

static void finish_s32(void)
{
    for (int round = 0; round < TAILS; round++) {
        for (int parts = 0; parts < ALL_PARTS; parts++) {
            bool at_end = random_in(0, 1);
            size_t m = (size_t)random_in(0, 13), n = (size_t)round;
            struct qnt__finish f = random_finish(m, n, parts, at_end, false);
            void *expected, *got;
            place_outputs(output_elements(m, n, f.y_ld) * sizeof(float), at_end, &expected, &got);
            f.y = expected;
            definition.finish_s32(&f);
            f.y = got;
            table.finish_s32(&f);
            CHECK_MSG(same_floats(), "%s, m %zu, n %zu, parts %d", level, m, n, parts);
        }
    }
}

static void finish_codes(void)
{
    for (int round = 0; round < 2 * TAILS; round++) {
        for (int parts = 0; parts < ACCUMULATE; parts++) {
            bool at_end = random_in(0, 1);
            size_t m = (size_t)random_in(0, 13), n = (size_t)round;
            struct qnt__finish f = random_finish(m, n, parts, at_end, true);
            bool wide = random_in(0, 1);
            void *expected, *got;
            place_outputs(output_elements(m, n, f.y_ld) << wide, at_end, &expected, &got);
            f.stream = random_in(0, 1);
            f.y = expected;
            (wide ? definition.finish_codes_16 : definition.finish_codes)(&f);
            f.y = got;
            (wide ? table.finish_codes_16 : table.finish_codes)(&f);
            CHECK_MSG(same_bytes(), "%s, m %zu, n %zu, parts %d, wide %d", level, m, n, parts, wide);
        }
    }
}

/* One table's result; in place, the sums are copied to where the result goes. */
static void run_finish_f32(const struct qnt__simd *simd, struct qnt__finish_f32 f, bool in_place,
                           float *y)
{
    f.y = y;
    if (in_place) {
        memcpy(y, f.acc, output_elements(f.m, f.n, f.ld) * sizeof *y);
        f.acc = y;
    }
    simd->finish_f32(&f);
}

static void finish_f32(void)
{
    for (int round = 0; round < 8 * TAILS; round++) {
        int parts = round / TAILS << 2; /* ROW_SCALE, BIAS, ACCUMULATE */
        bool at_end = random_in(0, 1), in_place = !(parts & ACCUMULATE) && random_in(0, 1);
        size_t m = (size_t)random_in(0, 13), n = (size_t)(round % TAILS);
        struct qnt__finish_f32 f = {.m = m, .n = n, .ld = n + (size_t)random_in(0, 20)};
        f.y_ld = in_place ? f.ld : n + (size_t)random_in(0, 20);
        f.acc = place_floats(&inputs[0], output_elements(m, n, f.ld), at_end);
        if (parts & ROW_SCALE) f.row_scale = place_floats(&inputs[1], m, at_end);
        if (parts & BIAS) f.bias = place_floats(&inputs[2], n, at_end);
        f.accumulate = (parts & ACCUMULATE) != 0;
        random_clamp(false, &f.low, &f.high);
        void *expected, *got;
        place_outputs(output_elements(m, n, f.y_ld) * sizeof(float), at_end, &expected, &got);
        run_finish_f32(&definition, f, in_place, expected);
        run_finish_f32(&table, f, in_place, got);
        CHECK_MSG(same_floats(), "%s, m %zu, n %zu, parts %d", level, m, n, parts);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    uint64_t masks[MAX_LEVELS];
    const int count = cpu_levels(masks);
    for (int i = 0; i < INPUTS; i++) open_area(&inputs[i]);
    open_area(&expected_area);
    open_area(&got_area);
    qnt__simd_choose(&definition, 0);
    for (int k = 0; k < count; k++) {
        qnt__simd_choose(&table, masks[k]);
        level = cpu_level_name(masks, k);
        RUN(encode);
        RUN(encode_ties);
        RUN(decode);
        RUN(each);
        RUN(encode_each_certain);
        RUN(pack_each);
        RUN(each_alike);
        RUN(convert);
        RUN(convert_all);
        RUN(pack);
        RUN(minmax);
        RUN(finish_s32);
        RUN(finish_codes);
        RUN(finish_f32);
    }
    return DONE;
}
