/* Blobs: round trips, borrowing, and every way to damage one. */
#include "blob_case.h"
#include "ckn/ckn.h"
#include "io/checksum.h"
#include "io/format.h"
#include "layer/layer.h"
#include "scarce.h"

static bool same(const void *a, const void *b, size_t n)
{
    return n == 0 || !memcmp(a, b, n);
}

/* Against values of another implementation. */
static void checksum(void)
{
    uint8_t bytes[256] = {0};
    CHECK(qnt__checksum(bytes, NULL, 0) == 0x257b09a147b82a19u);
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)(i * 7);
    CHECK(qnt__checksum(bytes, bytes + 64, 192) == 0x2104991804ccea01u);
}

/* A loaded layer saves the same bytes and computes the same results, copied or borrowed. */
static void layers(void)
{
    qnt_context *context = check_context();
    for (int turn = 0; turn < 240; turn++) {
        layer_case c = random_layer_case(turn);
        layer_data d = random_data(&c);
        qnt_layer *layer = make_layer(context, &c, &d), *loaded = NULL;
        size_t length, again, size, other;
        uint8_t *blob = saved_layer(context, layer, &length);
        uint8_t *expected = run_case(context, layer, &c, &d, &size);
        qnt_layer_destroy(layer);
        REQUIRE(expected);
        for (int32_t flags = 0; flags <= QNT_BORROW; flags += QNT_BORROW) {
            OK(qnt_layer_load(context, blob, length, flags, &loaded));
            uint8_t *copy = saved_layer(context, loaded, &again);
            CHECK(again == length && same(copy, blob, length));
            uint8_t *result = run_case(context, loaded, &c, &d, &other);
            CHECK(result && other == size && same(result, expected, size));
            qnt_layer_destroy(loaded);
            free(result);
            free(copy);
        }
        free(expected);
        free(blob);
        free_data(&d);
    }
    qnt_context_destroy(context);
}

static void quantizers(void)
{
    static const int32_t params[] = {QNT_P_SCALE, QNT_P_ZERO,    QNT_P_OFFSET,
                                     QNT_P_NODES, QNT_P_BINS,    QNT_P_ERROR,
                                     QNT_P_BOUND, QNT_P_VISITED, QNT_P_LOW};
    qnt_context *context = check_context();
    for (int turn = 0; turn < 300; turn++) {
        qnt_quantizer *q = random_quantizer(context), *loaded = NULL;
        size_t length, again;
        uint8_t *blob = saved_quantizer(context, q, &length);
        OK(qnt_quantizer_load(context, blob, length, &loaded));
        uint8_t *copy = saved_quantizer(context, loaded, &again);
        CHECK(again == length && same(copy, blob, length));
        qnt_spec a = {.size = sizeof a}, b = a;
        OK(qnt_quantizer_spec(context, q, &a));
        OK(qnt_quantizer_spec(context, loaded, &b));
        CHECK(same(&a, &b, sizeof a));
        for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
            double u[100], v[100];
            size_t n = 0, m = 0;
            qnt_status first = qnt_quantizer_get(context, q, params[i], u, 100, &n);
            qnt_status second = qnt_quantizer_get(context, loaded, params[i], v, 100, &m);
            CHECK(first == second && n == m && (first != QNT_OK || same(u, v, n * sizeof *u)));
        }
        qnt_quantizer_destroy(loaded);
        qnt_quantizer_destroy(q);
        free(copy);
        free(blob);
    }
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MINMAX, .flags = QNT_DYNAMIC};
    qnt_quantizer *q, *loaded;
    size_t length;
    OK(qnt_quantizer_create(context, &spec, &q));
    uint8_t *blob = saved_quantizer(context, q, &length);
    OK(qnt_quantizer_load(context, blob, length, &loaded));
    qnt_quantizer_destroy(loaded);
    qnt_quantizer_destroy(q);
    free(blob);
    qnt_context_destroy(context);
}

/* A loaded kernel map saves the same bytes, has the same anchors and gives the same result. */
static void maps(void)
{
    qnt_context *context = check_context();
    static float x[9 * 9 * 3], a[20 * 28], b[20 * 28];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)random_gauss();
    for (int turn = 0; turn < 200; turn++) {
        qnt_ckn *map = random_map(context), *loaded = NULL;
        size_t length, again, size, other;
        uint8_t *blob = saved_map(context, map, &length);
        OK(qnt_ckn_load(context, blob, length, &loaded));
        uint8_t *copy = saved_map(context, loaded, &again);
        CHECK(again == length && same(copy, blob, length));
        int64_t rows = map->spec.filters, depth = (int64_t)qnt__ckn_numbers(map);
        OK(qnt_ckn_get(context, map, TENSOR(a, QNT_FLOAT, 32, rows, depth)));
        OK(qnt_ckn_get(context, loaded, TENSOR(b, QNT_FLOAT, 32, rows, depth)));
        CHECK(same(a, b, (size_t)(rows * depth) * sizeof *a));
        qnt_tensor *image = TENSOR(x, QNT_FLOAT, 32, 1, 9, 9, map->spec.channels);
        uint8_t *expected = run_map(context, map, image, &size);
        uint8_t *result = run_map(context, loaded, image, &other);
        CHECK(expected && result && size == other && same(expected, result, size));
        free(expected), free(result), free(copy), free(blob);
        qnt_ckn_destroy(loaded), qnt_ckn_destroy(map);
    }
    qnt_context_destroy(context);
}

static uint8_t digit_pixels[9 * 9 * 24];

/* Bytes that a layer of packed digits takes as pixels, of 9 x 9 or less. */
static uint8_t *run_on_pixels(const qnt_context *context, const qnt_lowbit_layer *layer,
                              size_t *bytes)
{
    const int64_t groups = layer->head.groups, triples = (int64_t)layer->conv.triples;
    if (groups > 8 || triples > 24 / groups) return NULL;
    for (size_t i = 0; i < sizeof digit_pixels; i++) digit_pixels[i] = (uint8_t)(i * 37 % 61);
    return run_digits(context, layer, TENSOR(digit_pixels, QNT_UINT, 8, 1, 9, 9, groups, triples),
                      bytes);
}

/* The same for layers of packed digits, copied or borrowed. */
static void digits(void)
{
    qnt_context *context = check_context();
    for (int turn = 0; turn < 200; turn++) {
        qnt_lowbit_layer *layer = random_digits(context), *loaded = NULL;
        size_t length, again, size, other;
        uint8_t *blob = saved_digits(context, layer, &length);
        uint8_t *expected = run_on_pixels(context, layer, &size);
        qnt_lowbit_layer_destroy(layer);
        REQUIRE(expected);
        for (int32_t flags = 0; flags <= QNT_BORROW; flags += QNT_BORROW) {
            OK(qnt_lowbit_layer_load(context, blob, length, flags, &loaded));
            uint8_t *copy = saved_digits(context, loaded, &again);
            CHECK(again == length && same(copy, blob, length));
            uint8_t *result = run_on_pixels(context, loaded, &other);
            CHECK(result && other == size && same(result, expected, size));
            qnt_lowbit_layer_destroy(loaded);
            free(result), free(copy);
        }
        free(expected), free(blob);
    }
    qnt_context_destroy(context);
}

/* A small blob of any kind. */
static uint8_t *small_blob(const qnt_context *context, int32_t kind, size_t *length)
{
    uint8_t *blob;
    if (kind == QNT_BLOB_QUANTIZER) {
        qnt_quantizer *q = random_quantizer(context);
        blob = saved_quantizer(context, q, length);
        qnt_quantizer_destroy(q);
        return blob;
    }
    if (kind == QNT_BLOB_CKN) {
        qnt_ckn *map = random_map(context);
        blob = saved_map(context, map, length);
        qnt_ckn_destroy(map);
        return blob;
    }
    if (kind == QNT_BLOB_LOWBIT) {
        for (;; free(blob)) {
            qnt_lowbit_layer *digits = random_digits(context);
            blob = saved_digits(context, digits, length);
            qnt_lowbit_layer_destroy(digits);
            if (*length <= 4096) return blob;
        }
    }
    layer_case c = random_layer_case((int)random_in(0, 100));
    c.outputs = 5;
    c.channels = c.spec.groups > 1 ? 1 : 7;
    layer_data d = random_data(&c);
    qnt_layer *layer = make_layer(context, &c, &d);
    blob = saved_layer(context, layer, length);
    qnt_layer_destroy(layer);
    free_data(&d);
    return blob;
}

static qnt_status load(const qnt_context *context, int32_t kind, const void *data, size_t size,
                       int32_t flags)
{
    if (kind == QNT_BLOB_QUANTIZER) {
        qnt_quantizer *q = (void *)context;
        qnt_status status = qnt_quantizer_load(context, data, size, &q);
        CHECK((q != NULL) == (status == QNT_OK));
        qnt_quantizer_destroy(q);
        return status;
    }
    if (kind == QNT_BLOB_CKN) {
        qnt_ckn *map = (void *)context;
        qnt_status status = qnt_ckn_load(context, data, size, &map);
        CHECK((map != NULL) == (status == QNT_OK));
        qnt_ckn_destroy(map);
        return status;
    }
    if (kind == QNT_BLOB_LOWBIT) {
        qnt_lowbit_layer *digits = (void *)context;
        qnt_status status = qnt_lowbit_layer_load(context, data, size, flags, &digits);
        CHECK((digits != NULL) == (status == QNT_OK));
        qnt_lowbit_layer_destroy(digits);
        return status;
    }
    qnt_layer *layer = (void *)context;
    qnt_status status = qnt_layer_load(context, data, size, flags, &layer);
    CHECK((layer != NULL) == (status == QNT_OK));
    qnt_layer_destroy(layer);
    return status;
}

static void truncated(void)
{
    qnt_context *context = check_context();
    for (int32_t kind = QNT_BLOB_QUANTIZER; kind <= QNT_BLOB_LOWBIT; kind++) {
        size_t length;
        uint8_t *blob = small_blob(context, kind, &length);
        for (size_t n = 0; n < length; n++) {
            guarded g = guard(n, true);
            memcpy(g.data, blob, n);
            FAILS(load(context, kind, g.data, n, 0), QNT_E_FORMAT,
                  n < 64 ? "size is" : "says it has");
            unguard(&g);
        }
        guarded g = guard(length, true);
        memcpy(g.data, blob, length);
        CHECK(load(context, kind, g.data, length, 0) == QNT_OK);
        CHECK(load(context, kind, g.data, length, QNT_BORROW) == QNT_OK);
        unguard(&g);
        free(blob);
    }
    qnt_context_destroy(context);
}

/* Every bit of the whole blob. */
static void flipped(void)
{
    qnt_context *context = check_context();
    for (int32_t kind = QNT_BLOB_QUANTIZER; kind <= QNT_BLOB_LOWBIT; kind++) {
        size_t length;
        uint8_t *blob = small_blob(context, kind, &length);
        for (size_t i = 0; i < 8 * length; i++) {
            blob[i / 8] ^= (uint8_t)(1 << i % 8);
            check_reason[0] = 0;
            qnt_status status = load(context, kind, blob, length, 0);
            bool version = i / 8 >= 8 && i / 8 < 12 && status == QNT_E_VERSION;
            CHECK_MSG((status == QNT_E_FORMAT || version) && check_reason[0], "bit %zu: %s", i,
                      qnt_status_name(status));
            blob[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        CHECK(load(context, kind, blob, length, 0) == QNT_OK);
        free(blob);
    }
    qnt_context_destroy(context);
}

/* Damage under a right checksum: refused, or a layer that runs without harm. */
static void forged(void)
{
    qnt_context *context = check_context();
    float x[4 * 9 * 9 * 7];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)random_gauss();
    for (int turn = 0; turn < 3000; turn++) {
        int32_t kind = (int32_t)random_in(QNT_BLOB_QUANTIZER, QNT_BLOB_LOWBIT);
        size_t length;
        uint8_t *blob = small_blob(context, kind, &length);
        for (int64_t i = random_in(1, 3); i > 0; i--) {
            size_t at = 32 + (size_t)random_in(0, (int64_t)(random_in(0, 3) ? 200 : length - 33));
            static const uint8_t values[] = {0, 1, 2, 4, 8, 16, 0x7f, 0x80, 0xff};
            if (at < length)
                blob[at] = random_in(0, 1) ? values[random_in(0, 8)] : (uint8_t)random_u64();
        }
        qnt__blob_seal(blob, length);
        qnt_layer *layer = NULL;
        qnt_ckn *map = NULL;
        qnt_lowbit_layer *digits = NULL;
        qnt_status status;
        if (kind == QNT_BLOB_LAYER)
            status = qnt_layer_load(context, blob, length, QNT_BORROW, &layer);
        else if (kind == QNT_BLOB_CKN) status = qnt_ckn_load(context, blob, length, &map);
        else if (kind == QNT_BLOB_LOWBIT)
            status = qnt_lowbit_layer_load(context, blob, length, QNT_BORROW, &digits);
        else status = load(context, kind, blob, length, 0);
        CHECK_MSG(status == QNT_OK || status == QNT_E_FORMAT, "%s: %s", qnt_status_name(status),
                  check_reason);
        size_t bytes;
        if (layer) {
            free(run_layer(context, layer, TENSOR(x, QNT_FLOAT, 32, 1, 9, 9, 7), &bytes));
            free(run_layer(context, layer, TENSOR(x, QNT_FLOAT, 32, 2, 7), &bytes));
        }
        for (int32_t channels = 1; map && channels <= 3; channels++)
            free(run_map(context, map, TENSOR(x, QNT_FLOAT, 32, 1, 9, 9, channels), &bytes));
        if (digits) free(run_on_pixels(context, digits, &bytes));
        qnt_lowbit_layer_destroy(digits);
        qnt_ckn_destroy(map);
        qnt_layer_destroy(layer);
        free(blob);
    }
    qnt_context_destroy(context);
}

static void put(uint8_t *blob, size_t at, uint64_t value, size_t bytes, size_t length)
{
    for (size_t i = 0; i < bytes; i++) blob[at + i] = (uint8_t)(value >> 8 * i);
    qnt__blob_seal(blob, length);
}

static void envelope(void)
{
    qnt_context *context = check_context();
    size_t length, got;
    int32_t kind;
    uint32_t version;
    uint8_t *blob = small_blob(context, QNT_BLOB_QUANTIZER, &length), *copy = malloc(length);
    memcpy(copy, blob, length);
    OK(qnt_blob_probe(context, blob, length, &kind, &version, &got));
    CHECK(kind == QNT_BLOB_QUANTIZER && version == 1 && got == length);
    OK(qnt_blob_probe(context, blob, length, NULL, NULL, NULL));
    FAILS(qnt_blob_probe(context, NULL, 64, NULL, NULL, NULL), QNT_E_INVALID, "data is NULL");
    FAILS(qnt_blob_probe(context, blob, 63, NULL, NULL, NULL), QNT_E_FORMAT, "size is 63");
    FAILS(load(context, QNT_BLOB_LAYER, blob, length, 0), QNT_E_FORMAT,
          "holds a quantizer, expected a layer");

    put(blob, 8, 2, 4, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_VERSION, "version is 2");
    put(blob, 8, 0, 4, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT, "version is 0");
    memcpy(blob, copy, length);
    blob[24] ^= 1;
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT, "checksum");
    memcpy(blob, copy, length);
    put(blob, 16, length + 64, 8, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT, "the blob says");
    put(blob, 16, UINT64_MAX - 63, 8, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT, "the blob says");
    memcpy(blob, copy, length);
    put(blob, 32, 0xffffffff, 4, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT, "bytes of numbers");
    memcpy(blob, copy, length);
    put(blob, 64 + 9 * 4 + 16, UINT64_MAX, 8, length); /* groups */
    CHECK(load(context, QNT_BLOB_QUANTIZER, blob, length, 0) == QNT_E_FORMAT);
    free(copy);
    free(blob);
    qnt_context_destroy(context);
}

/* Weights where a tap has none: kernels would multiply them with what follows the tap, each with as much
 * as it reads. */
static void padding_damage(void)
{
    qnt_context *context = check_context();
    int damaged = 0;
    for (int turn = 0; turn < ROUNDS(200); turn++) {
        const layer_case c = random_layer_case(turn);
        layer_data d = random_data(&c);
        qnt_layer *layer = make_layer(context, &c, &d);
        const struct qnt__layer_shape *s = &layer->shape;
        const int bits = layer->head.cell_bits;
        size_t length;
        uint8_t *blob = saved_layer(context, layer, &length);
        if (layer->head.arithmetic == QNT__INTEGER && !layer->tables && s->depth < s->panel_depth &&
            s->panels > 0) {
            const size_t taps = s->panels * s->tap_count, tap = (size_t)random_in(1, (int64_t)taps);
            const size_t end = length - layer->bytes + tap * (s->panel_bytes / s->tap_count);
            const size_t cell = end - qnt__cell_bytes(bits), column = (size_t)random_in(0, 15);
            put(blob, cell + 4 * column + 3, blob[cell + 4 * column + 3] ^ 0x80u, 1, length);
            FAILS(load(context, QNT_BLOB_LAYER, blob, length, 0), QNT_E_FORMAT, "behind the last one");
            damaged++;
        }
        qnt_layer_destroy(layer);
        free(blob);
        free_data(&d);
    }
    CHECK(damaged > 0);
    qnt_context_destroy(context);
}

/* Puts a number that is not finite into each array of floats, one after the other; counts them. */
static void spoil_floats(const qnt_context *context, const qnt_layer *layer, int damaged[5])
{
    static const uint32_t bad[] = {0x7fc00000, 0x7f800000, 0xff800000};
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t scales = s->columns * s->blocks, levels = (size_t)1 << layer->head.weight_bits;
    const struct {
        const float *at;
        size_t count;
    } arrays[5] = {{layer->scale, scales},
                   {layer->offset, scales},
                   {layer->fsum, s->columns},
                   {layer->bias, s->columns},
                   {layer->levels, levels}};
    size_t length;
    uint8_t *blob = saved_layer(context, layer, &length);
    for (int i = 0; i < 5; i++) {
        if (!arrays[i].at || arrays[i].count == 0) continue;
        const size_t place = (size_t)random_in(0, (int64_t)arrays[i].count - 1);
        const size_t at =
            length - layer->bytes + (size_t)((const uint8_t *)(arrays[i].at + place) - layer->data);
        uint8_t saved[4];
        memcpy(saved, blob + at, 4);
        put(blob, at, bad[random_in(0, 2)], 4, length);
        FAILS(load(context, QNT_BLOB_LAYER, blob, length, 0), QNT_E_FORMAT, "is not finite");
        memcpy(blob + at, saved, 4);
        damaged[i]++;
    }
    free(blob);
}

/* NaN and infinities in any array of floats that running multiplies with or adds. */
static void float_damage(void)
{
    qnt_context *context = check_context();
    const qnt_spec spec[2] = {
        {.size = sizeof *spec, .method = QNT_MINMAX, .bits = 4, .flags = QNT_REAL_OFFSET},
        {.size = sizeof *spec,
         .scheme = QNT_TABLE,
         .method = QNT_NF4,
         .bits = 4,
         .flags = QNT_LITERAL}};
    const qnt_layer_spec dense = {.size = sizeof dense};
    float w[5 * 7];
    int damaged[5] = {0};
    for (int turn = 0; turn < 200; turn++) {
        const layer_case c = random_layer_case(turn);
        layer_data d = random_data(&c);
        qnt_layer *layer = make_layer(context, &c, &d);
        spoil_floats(context, layer, damaged);
        qnt_layer_destroy(layer);
        free_data(&d);
    }
    for (int i = 0; i < 35; i++) w[i] = (float)random_gauss();
    for (int i = 0; i < 2; i++) {
        qnt_tensor *weight = TENSOR(w, QNT_FLOAT, 32, 5, 7);
        qnt_quantizer *q;
        qnt_layer *layer;
        OK(qnt_quantizer_create(context, &spec[i], &q));
        OK(qnt_quantizer_observe(context, q, weight, NULL));
        OK(qnt_quantizer_fit(context, q));
        OK(qnt_layer_create(context, &dense, weight, q, NULL, NULL, NULL, &layer));
        spoil_floats(context, layer, damaged);
        qnt_layer_destroy(layer);
        qnt_quantizer_destroy(q);
    }
    for (int i = 0; i < 5; i++) CHECK_MSG(damaged[i] > 0, "array %d", i);
    qnt_context_destroy(context);
}

static qnt_quantizer *fitted(const qnt_context *context, qnt_spec spec, const qnt_tensor *x)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    if (qnt_quantizer_create(context, &spec, &q) || qnt_quantizer_observe(context, q, x, NULL) ||
        qnt_quantizer_fit(context, q))
        exit(2);
    return q;
}

/* Number `at` of the blob of a layer becomes something that no layer has. */
static void spoil(const qnt_context *context, const qnt_layer *layer, const void *array, size_t at,
                  uint32_t value, const char *reason)
{
    size_t length;
    uint8_t *blob = saved_layer(context, layer, &length);
    if (array) at += length - layer->bytes + (size_t)((const uint8_t *)array - layer->data);
    put(blob, at, value, 4, length);
    FAILS(load(context, QNT_BLOB_LAYER, blob, length, 0), QNT_E_FORMAT, reason);
    free(blob);
}

/* Combinations of numbers, and arrays that kernels rely on. */
static void layer_damage(void)
{
    qnt_context *context = check_context();
    enum {
        N = 256,
        K = 512,
        NUMBERS = 64,
        FLAGS = NUMBERS + 12,
        ARRAYS = NUMBERS + 4 * (16 + 12 + 3)
    };
    static float w[N * K], x[3 * K], bias[N] = {1, 2, 3};
    for (int i = 0; i < N * K; i++) w[i] = (float)random_gauss();
    for (int i = 0; i < 3 * K; i++) x[i] = (float)random_gauss();
    const qnt_tensor *wt = TENSOR(w, QNT_FLOAT, 32, N, K), *xt = TENSOR(x, QNT_FLOAT, 32, 3, K);
    const qnt_layer_spec spec = {.size = sizeof spec};
    qnt_quantizer *s8 =
        fitted(context, (qnt_spec){.method = QNT_MINMAX, .flags = QNT_SIGNED | QNT_SYMMETRIC}, wt);
    qnt_quantizer *u8 = fitted(context, (qnt_spec){.method = QNT_MINMAX}, xt);
    qnt_quantizer *book =
        fitted(context, (qnt_spec){.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 3}, xt);
    qnt_quantizer *base = fitted(
        context, (qnt_spec){.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .points = 1}, wt);
    qnt_quantizer *signs = fitted(context, (qnt_spec){.method = QNT_MINMAX, .bits = 1}, xt);
    qnt_layer *layer;

    OK(qnt_layer_create(context, &spec, wt, s8, TENSOR(bias, QNT_FLOAT, 32, N), u8, u8, &layer));
    spoil(context, layer, NULL, FLAGS, QNT_ACCUMULATE, "accumulation into codes");
    REQUIRE(layer->head.arrays == (QNT__HAS_BIAS | QNT__HAS_SUM));
    spoil(context, layer, NULL, ARRAYS, QNT__HAS_BIAS | QNT__HAS_ZERO, "the set of arrays");
    qnt_layer_destroy(layer);

    OK(qnt_layer_create(context, &spec, wt, s8, NULL, book, NULL, &layer));
    REQUIRE(layer->input_thresholds);
    spoil(context, layer, layer->input_thresholds, 0, 0x7fc00000, "a threshold of the input");
    spoil(context, layer, layer->input_thresholds, 4, 0xff800000, "a threshold of the input");
    qnt_layer_destroy(layer);

    OK(qnt_layer_create(context, &spec, wt, base, NULL, signs, NULL, &layer));
    REQUIRE(layer->head.arithmetic == QNT__PLANES);
    spoil(context, layer, layer->coef, 4, 3, "a coefficient of a plane");
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(s8), qnt_quantizer_destroy(u8), qnt_quantizer_destroy(book);
    qnt_quantizer_destroy(base), qnt_quantizer_destroy(signs);
    qnt_context_destroy(context);
}

/* Of two planes and more; that takes many weights, so that planes pay. */
static void plane_damage(void)
{
    enum { N = 640, K = 2048 };
    qnt_context *context = check_context();
    const qnt_spec two = {
        .size = sizeof two, .scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .points = 2};
    const qnt_spec bit = {.size = sizeof bit, .bits = 1};
    const qnt_layer_spec spec = {.size = sizeof spec};
    qnt_quantizer *bases, *in;
    qnt_layer *layer;
    float *w = calloc((size_t)N * K, sizeof *w);
    OK(qnt_quantizer_create(context, &two, &bases));
    OK(qnt_quantizer_create(context, &bit, &in));
    OK(qnt_quantizer_set(context, in, QNT_P_SCALE, (double[]){1}, 1));
    OK(qnt_quantizer_set(context, bases, QNT_P_SCALE, (double[]){1}, 1));
    OK(qnt_quantizer_set(context, bases, QNT_P_COEF, (double[]){5, 2}, 2));
    OK(qnt_layer_create(context, &spec, TENSOR(w, QNT_FLOAT, 32, N, K), bases, NULL, in, NULL, &layer));
    REQUIRE(layer->head.arithmetic == QNT__PLANES && layer->head.weight_bits == 2);
    spoil(context, layer, layer->coef, 0, 0xffffffff, "a coefficient of a plane");
    spoil(context, layer, layer->coef, 4 * N, 513, "a coefficient of a plane");
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(bases), qnt_quantizer_destroy(in);
    free(w);
    qnt_context_destroy(context);
}

/* Errors and bounds are no less than 0. */
static void certificate_damage(void)
{
    qnt_context *context = check_context();
    float x[40];
    size_t length, found = 0;
    double error;
    size_t count;
    for (int i = 0; i < 40; i++) x[i] = (float)random_gauss();
    qnt_quantizer *q =
        fitted(context, (qnt_spec){.method = QNT_MSE, .bits = 4}, TENSOR(x, QNT_FLOAT, 32, 40));
    OK(qnt_quantizer_get(context, q, QNT_P_ERROR, &error, 1, &count));
    OK(qnt_quantizer_save(context, q, NULL, 0, &length));
    uint8_t *blob = malloc(length);
    OK(qnt_quantizer_save(context, q, blob, length, &length));
    for (size_t at = 64; at + 8 <= length; at += 4)
        if (!memcmp(blob + at, &error, 8)) found = at;
    REQUIRE(found > 0);
    blob[found + 7] |= 0x80;
    qnt__blob_seal(blob, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT,
          "certificate of group 0");
    memset(blob + found, 0xff, 8);
    qnt__blob_seal(blob, length);
    FAILS(load(context, QNT_BLOB_QUANTIZER, blob, length, 0), QNT_E_FORMAT,
          "certificate of group 0");
    free(blob);
    qnt_quantizer_destroy(q);
    qnt_context_destroy(context);
}

/* Codes, floats and defaults that no kernel map has, under a right checksum. */
static void map_damage(void)
{
    qnt_context *context = check_context();
    enum { NUMBERS = 64, DATA = 128 };
    const uint64_t nan = 0x7fc00000;
    static const int32_t bits[][2] = {{2, 2}, {1, 1}, {5, 32}, {32, 32}, {32, 32}};
    for (int i = 0; i < 5; i++) {
        const bool literal = i == 4;
        qnt_ckn_spec spec = {.size = sizeof spec,
                             .channels = 3,
                             .kernel = 1,
                             .filters = 5,
                             .anchor_bits = bits[i][0],
                             .patch_bits = bits[i][1],
                             .sigma = 0.6f,
                             .flags = literal ? QNT_LITERAL : 0};
        float anchor[20];
        qnt_ckn *map;
        size_t length;
        for (int k = 0; k < 20; k++) anchor[k] = (float)random_unit() + 0.1f;
        OK(qnt_ckn_create(context, &spec, &map));
        FAILS(qnt_ckn_save(context, map, NULL, 0, &length), QNT_E_STATE, "no anchors");
        OK(qnt_ckn_set(context, map, TENSOR(anchor, QNT_FLOAT, 32, 5, 3 + literal)));
        uint8_t *blob = saved_map(context, map, &length), *copy = malloc(length);
        qnt_ckn_destroy(map);
        memcpy(copy, blob, length);
        /* Number `at` of the spec becomes something. */
        static const struct {
            size_t at;
            uint64_t value;
            const char *reason;
        } spoilt[] = {{0, 0, "channels"},      {4, 0, "default"},
                      {5, 9, "anchor_bits"},   {8, 1, "flags"},
                      {9, 0, ""},       {10, 0x80000000, "default"},
                      {3, 500, "do not hold"}, {10, 0x7fc00000, "regulariser"}};
        for (size_t k = 0; k < sizeof spoilt / sizeof *spoilt; k++) {
            put(blob, NUMBERS + 4 * spoilt[k].at, spoilt[k].value, 4, length);
            FAILS(load(context, QNT_BLOB_CKN, blob, length, 0), QNT_E_FORMAT, spoilt[k].reason);
            memcpy(blob, copy, length);
        }
        if (literal) {
            put(blob, length - 64, 0xbf800000, 4, length); /* the first weight: -1 */
            FAILS(load(context, QNT_BLOB_CKN, blob, length, 0), QNT_E_FORMAT, "below 0");
            memcpy(blob, copy, length);
        }
        put(blob, length - 64, nan, 4, length);
        FAILS(load(context, QNT_BLOB_CKN, blob, length, 0), QNT_E_FORMAT, "A or a weight");
        memcpy(blob, copy, length);
        if (bits[i][0] == 32) {
            put(blob, DATA, nan, 4, length);
            FAILS(load(context, QNT_BLOB_CKN, blob, length, 0), QNT_E_FORMAT, "anchor is not");
        } else {
            put(blob, DATA, bits[i][0] == 5 ? 0x70 : 0, 1, length); /* a code out of its range */
            FAILS(load(context, QNT_BLOB_CKN, blob, length, 0), QNT_E_FORMAT, "a code is none");
            memcpy(blob, copy, length);
            put(blob, DATA + 4 * 15, 0x51, 1, length); /* of a column that is no anchor */
            FAILS(load(context, QNT_BLOB_CKN, blob, length, 0), QNT_E_FORMAT, "a code is none");
            memcpy(blob, copy, length);
        }
        free(copy), free(blob);
    }
    qnt_context_destroy(context);
}

/* Numbers and arrays that no layer of packed digits has, under a right checksum. */
static void digit_damage(void)
{
    qnt_context *context = check_context();
    enum { NUMBERS = 64, DATA = 192, TAPS = 3 * 9 * 64, LIMITS = 2 * 3 * 128 + 128 };
    static const float scale[6] = {1, -1, 0.5f, 0, 1, 1};
    const uint64_t nan = 0x7fc00000, top = 0x7fffffff;
    const qnt_conv conv = {.size = sizeof conv};
    const qnt_spec two_bits = {.size = sizeof two_bits, .bits = 2};
    qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -3, .pad = {1, 1, 1, 1}};
    static uint8_t w[6 * 9 * 8] = {2}; /* with two bits: three digits in a byte */
    qnt_quantizer *q = NULL;
    OK(qnt_quantizer_create(context, &two_bits, &q));
    OK(qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){0.4}, 1));
    qnt_lowbit_layer *layer;
    size_t length;
    OK(qnt_lowbit_layer_create(context, &conv, &spec, TENSOR(w, QNT_UINT, 8, 6, 3, 3, 8),
                               TENSOR(scale, QNT_FLOAT, 32, 6), NULL, q, &layer));
    uint8_t *blob = saved_digits(context, layer, &length), *copy = malloc(length);
    memcpy(copy, blob, length);
    const struct {
        size_t at;
        uint64_t value;
        size_t bytes;
        const char *reason;
    } spoilt[] = {{NUMBERS, 0, 4, "geometry"},
                  {NUMBERS + 4, 1, 4, "geometry"},
                  {NUMBERS + 8, 0, 4, "geometry"},
                  {NUMBERS + 20, top + 1, 4, "geometry"},
                  {NUMBERS, 4, 4, "geometry"},
                  {NUMBERS + 72, 0, 8, "geometry"},
                  {NUMBERS + 72, UINT64_MAX, 8, "geometry"},
                  {NUMBERS + 88, 0, 8, "geometry"},
                  {NUMBERS + 80, top << 20, 8, "geometry"},
                  {NUMBERS + 80, top, 8, "overflow"},
                  {NUMBERS + 88, top, 8, "too large"},
                  {NUMBERS + 72, top << 32, 8, "overflows"},
                  {NUMBERS + 24, top, 4, "step"},
                  {NUMBERS + 28, top, 4, "zero"},
                  {NUMBERS + 32, 8, 4, "result"},
                  {NUMBERS + 36, 0, 4, "result"},
                  {NUMBERS + 36, 4, 4, "result"},
                  {NUMBERS + 40, 4, 4, "result"},
                  {NUMBERS + 40, 0, 4, "result"},
                  {NUMBERS + 44, top, 4, "result"},
                  {NUMBERS + 36, 1, 4, "limit"},
                  {NUMBERS + 60, nan, 4, "limit"},
                  {NUMBERS + 64, 0x3dcccccd, 4, "limit"},
                  {NUMBERS + 72, 65, 8, "expected"},
                  {NUMBERS + 104, 1, 4, "forms"},
                  {NUMBERS + 108, 2, 4, "forms"},
                  {NUMBERS + 108, UINT32_MAX, 4, "forms"},
                  {NUMBERS + 108, 1, 4, "expected"},
                  {DATA, 64, 1, "a tap"},
                  {DATA + TAPS - 1, 128, 1, "a tap"},
                  {DATA + TAPS + 128, 0x8000, 2, "threshold"},
                  {DATA + TAPS + LIMITS - 2, 1, 2, "threshold"},
                  {DATA + TAPS + LIMITS, nan, 4, "scale"},
                  {DATA + TAPS + LIMITS + 64 + 20, 0xff800000, 4, "scale"}};
    CHECK(length == DATA + TAPS + LIMITS + 2 * 64);
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        put(blob, spoilt[i].at, spoilt[i].value, spoilt[i].bytes, length);
        FAILS(load(context, QNT_BLOB_LOWBIT, blob, length, 0), QNT_E_FORMAT, spoilt[i].reason);
        memcpy(blob, copy, length);
    }
    free(copy), free(blob);
    qnt_lowbit_layer_destroy(layer);

    /* sums of 32 bits, thresholds only */
    int32_t limit[2][3] = {{-5, 0, 5}, {0, 0, 0}};
    spec.step = 300;
    OK(qnt_lowbit_layer_of_thresholds(context, &conv, &spec, TENSOR(w, QNT_UINT, 8, 2, 1, 1, 3),
                                      TENSOR(limit, QNT_INT, 32, 2, 3), NULL, &layer));
    blob = saved_digits(context, layer, &length);
    qnt_lowbit_layer_destroy(layer);
    put(blob, NUMBERS + 108, 1, 4, length); /* three channels are no six */
    FAILS(load(context, QNT_BLOB_LOWBIT, blob, length, 0), QNT_E_FORMAT, "geometry");
    put(blob, NUMBERS + 108, 0, 4, length);
    put(blob, DATA + 64 + 256, (uint64_t)-9, 4, length);
    FAILS(load(context, QNT_BLOB_LOWBIT, blob, length, 0), QNT_E_FORMAT, "threshold");
    put(blob, DATA + 64 + 256, 0, 4, length);
    CHECK(load(context, QNT_BLOB_LOWBIT, blob, length, 0) == QNT_OK);
    put(blob, DATA + 64 + 768, 1, 4, length);
    FAILS(load(context, QNT_BLOB_LOWBIT, blob, length, 0), QNT_E_FORMAT, "threshold");
    put(blob, DATA + 64 + 768, UINT32_MAX, 4, length);
    CHECK(load(context, QNT_BLOB_LOWBIT, blob, length, 0) == QNT_OK);
    put(blob, NUMBERS + 32, QNT_RELU_LAST, 4, length); /* of floats that there are not */
    FAILS(load(context, QNT_BLOB_LOWBIT, blob, length, 0), QNT_E_FORMAT, "result");
    FAILS(qnt_lowbit_layer_load(context, blob + 1, length, QNT_BORROW, &layer), QNT_E_INVALID,
          "aligned");
    FAILS(qnt_lowbit_layer_load(context, blob, length, 1, &layer), QNT_E_INVALID, "flags");
    FAILS(qnt_lowbit_layer_load(context, blob, length, 0, NULL), QNT_E_INVALID, "out");
    FAILS(qnt_lowbit_layer_save(context, NULL, NULL, 0, &length), QNT_E_INVALID, "layer");
    qnt_quantizer_destroy(q);
    free(blob);
    qnt_context_destroy(context);
}

static void arguments(void)
{
    qnt_context *context = check_context();
    size_t length, other, got = 7;
    uint8_t *layer_blob = small_blob(context, QNT_BLOB_LAYER, &length);
    uint8_t *blob = small_blob(context, QNT_BLOB_QUANTIZER, &other), space[64];
    qnt_layer *layer, *none;
    qnt_quantizer *q, *empty;
    OK(qnt_layer_load(context, layer_blob, length, 0, &layer));
    OK(qnt_quantizer_load(context, blob, other, &q));
    FAILS(qnt_layer_load(context, layer_blob, length, 1, &none), QNT_E_INVALID, "flags is 0x1");
    CHECK(!none);
    FAILS(qnt_layer_load(context, layer_blob, length, 0, NULL), QNT_E_INVALID, "out is NULL");
    FAILS(qnt_layer_save(context, NULL, NULL, 0, &got), QNT_E_INVALID, "layer is NULL");
    FAILS(qnt_layer_save(context, layer, NULL, 0, NULL), QNT_E_INVALID, "length is NULL");
    FAILS(qnt_quantizer_save(context, NULL, NULL, 0, &got), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_load(context, NULL, 0, &empty), QNT_E_INVALID, "data is NULL");
    CHECK(qnt_layer_load(NULL, layer_blob, length, 0, &none) == QNT_E_INVALID);

    memset(space, 0xab, sizeof space);
    FAILS(qnt_layer_save(context, layer, space, length - 1, &got), QNT_E_SPACE, "capacity is");
    FAILS(qnt_quantizer_save(context, q, space, other - 1, &got), QNT_E_SPACE, "capacity is");
    for (size_t i = 0; i < sizeof space; i++) CHECK(space[i] == 0xab);
    CHECK(got == 7);

    qnt_spec spec = {.size = sizeof spec};
    OK(qnt_quantizer_create(context, &spec, &empty));
    FAILS(qnt_quantizer_save(context, empty, NULL, 0, &got), QNT_E_STATE, "no parameters");

    uint8_t *shifted = aligned_alloc(64, length + 64);
    for (size_t by = 1; by < 64; by++) {
        memcpy(shifted + by, layer_blob, length);
        FAILS(qnt_layer_load(context, shifted + by, length, QNT_BORROW, &none), QNT_E_INVALID,
              "aligned");
        CHECK(load(context, QNT_BLOB_LAYER, shifted + by, length, 0) == QNT_OK);
    }
    free(shifted);
    free(blob);
    qnt_quantizer_destroy(empty);
    qnt_quantizer_destroy(q);
    qnt_layer_destroy(layer);
    free(layer_blob);
    qnt_context_destroy(context);
}

/* ---- memory ---- */

/* The n-th allocation fails, for every n until all succeed; borrowing needs only one. */
static void allocation_failure(void)
{
    qnt_context *plenty = check_context(), *context;
    budget b = {1, 0};
    CHECK(qnt_context_create(scarce, give_back, &b, &context) == QNT_OK);
    for (int32_t kind = QNT_BLOB_QUANTIZER; kind <= QNT_BLOB_LOWBIT; kind++) {
        size_t length;
        uint8_t *blob = small_blob(plenty, kind, &length);
        for (int32_t flags = 0; flags <= QNT_BORROW; flags += QNT_BORROW) {
            int n = 0;
            for (qnt_status status = QNT_E_NOMEM; status != QNT_OK; n++) {
                b.left = n;
                status = load(context, kind, blob, length, flags);
                CHECK(status == QNT_OK || status == QNT_E_NOMEM);
                CHECK(b.alive == 1);
                if (n > 5) break;
            }
            bool borrows = flags && (kind == QNT_BLOB_LAYER || kind == QNT_BLOB_LOWBIT);
            CHECK(n == (borrows ? 2 : 3)); /* one more than allocations */
        }
        free(blob);
    }
    qnt_context_destroy(context);
    CHECK(b.alive == 0);
    qnt_context_destroy(plenty);
}

/* Blobs one after another, found by their lengths. */
static void sequence(void)
{
    qnt_context *context = check_context();
    enum { COUNT = 8 };
    uint8_t *all = NULL;
    size_t size = 0, at = 0;
    for (int32_t i = 0; i < COUNT; i++) {
        size_t length;
        uint8_t *blob = small_blob(context, 1 + i % 4, &length);
        all = realloc(all, size + length);
        memcpy(all + size, blob, length);
        size += length;
        free(blob);
    }
    for (int32_t i = 0; i < COUNT; i++) {
        int32_t kind;
        size_t length;
        OK(qnt_blob_probe(context, all + at, size - at, &kind, NULL, &length));
        CHECK(kind == 1 + i % 4);
        CHECK(load(context, kind, all + at, size - at, 0) == QNT_OK);
        at += length;
    }
    CHECK(at == size);
    free(all);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(checksum);
    RUN(layers);
    RUN(quantizers);
    RUN(maps);
    RUN(digits);
    RUN(truncated);
    RUN(flipped);
    RUN(forged);
    RUN(envelope);
    RUN(padding_damage);
    RUN(float_damage);
    RUN(layer_damage);
    RUN(plane_damage);
    RUN(certificate_damage);
    RUN(map_damage);
    RUN(digit_damage);
    RUN(arguments);
    RUN(allocation_failure);
    RUN(sequence);
    return DONE;
}
