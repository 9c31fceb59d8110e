/* Kernel maps: projection, inverse root, pooling, rounding, layouts, workers, CPU levels, bad
 * input. */
#include "check.h"
#include "ckn/ckn.h"
#include "strided.h"
#include <float.h>

enum { SIDE = 12, MOST = 1 << 16 };

static qnt_context *c;
static float image[MOST], y[MOST], z[MOST];

/* Smooth pictures: sums of a few waves, positive. */
static void picture(float *to, int height, int width, int channels)
{
    double wave[4][4];
    for (int i = 0; i < 16; i++) wave[i / 4][i % 4] = 3 * random_gauss();
    for (int p = 0; p < height * width * channels; p++) {
        double v = 1, down = (double)(p / channels / width) / height,
               right = (double)(p / channels % width) / width;
        for (int i = 0; i < 4; i++)
            v += 0.3 * sin(wave[i][0] * down + wave[i][1] * right + wave[i][2] + p % channels);
        to[p] = (float)fmax(v + 0.02 * random_gauss(), 0);
    }
}

static int32_t read_picture(void *user, uint64_t index, float *to)
{
    const int *shape = user;
    (void)index;
    picture(to, shape[0], shape[1], shape[2]);
    return 0;
}

static qnt_ckn *create(qnt_ckn_spec spec)
{
    qnt_ckn *ckn = NULL;
    spec.size = sizeof spec;
    CHECK_MSG(qnt_ckn_create(c, &spec, &ckn) == QNT_OK, "%s", check_reason);
    return ckn;
}

static qnt_ckn *fitted(qnt_ckn_spec spec)
{
    int shape[] = {SIDE, SIDE, spec.channels};
    qnt_ckn *ckn = create(spec);
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = 60,
                         .patches = 1500,
                         .read = read_picture,
                         .user = shape};
    CHECK_MSG(qnt_ckn_fit(c, ckn, &data) == QNT_OK, "%s", check_reason);
    return ckn;
}

static qnt_status run_in(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                         qnt_tensor *out)
{
    size_t bytes;
    qnt_status status = qnt_ckn_workspace(context, ckn, x, &bytes);
    if (status != QNT_OK) return status;
    guarded space = guard(bytes, true);
    status = qnt_ckn_run(context, ckn, x, out, space.data, bytes);
    unguard(&space);
    return status;
}

/* One patch: an image of its size without padding. */
static void map_patch(const qnt_ckn *ckn, const float *patch, float *out)
{
    int k = ckn->spec.kernel, ch = ckn->spec.channels, p = ckn->spec.filters;
    CHECK_MSG(run_in(c, ckn, TENSOR(patch, QNT_FLOAT, 32, 1, k, k, ch),
                     TENSOR(out, QNT_FLOAT, 32, 1, 1, 1, p)) == QNT_OK,
              "%s", check_reason);
}

static double dot(const float *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double kernel(const qnt_ckn *ckn, const float *a, const float *b)
{
    double value = NAN;
    int64_t d = (int64_t)ckn->depth;
    CHECK(qnt_ckn_kernel(c, ckn, TENSOR(a, QNT_FLOAT, 32, d), TENSOR(b, QNT_FLOAT, 32, d),
                         &value) == QNT_OK);
    return value;
}

/* Relative root mean square error of map products against the kernel over pairs of patches. */
static double kernel_error(const qnt_ckn *ckn, int pairs)
{
    int d = (int)ckn->depth, p = ckn->spec.filters;
    double error = 0, size = 0;
    static float a[64], b[64];
    for (int i = 0; i < pairs; i++) {
        picture(a, ckn->spec.kernel, ckn->spec.kernel, ckn->spec.channels);
        picture(b, ckn->spec.kernel, ckn->spec.kernel, ckn->spec.channels);
        map_patch(ckn, a, y), map_patch(ckn, b, z);
        double exact = kernel(ckn, a, b), got = dot(y, z, p);
        error += (exact - got) * (exact - got), size += exact * exact;
        CHECK(dot(y, y, p) <= dot(a, a, d) * (1 + 1e-4));
    }
    return sqrt(error / size);
}

/* K1, K2: more anchors, less error; at the anchors there is none; homogeneous; 0 of 0. */
static void projection(void)
{
    double last = 1;
    for (int filters = 4; filters <= 64; filters *= 4) {
        qnt_ckn *ckn = fitted((qnt_ckn_spec){.channels = 1, .kernel = 3, .filters = filters});
        double error = kernel_error(ckn, 40);
        CHECK_MSG(error < last, "%d filters: %g, fewer had %g", filters, error, last);
        last = error;
        qnt_ckn_destroy(ckn);
    }
    CHECK_MSG(last < 0.05, "%g", last);
    qnt_ckn *ckn = fitted((qnt_ckn_spec){
        .channels = 2, .kernel = 3, .filters = 10, .regulariser = -1, .sigma = 0.4f});
    static float anchor[10 * 18], map[10][10];
    OK(qnt_ckn_get(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 10, 18)));
    for (int i = 0; i < 10; i++) map_patch(ckn, anchor + 18 * i, map[i]);
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < 10; j++) {
            double exact = kernel(ckn, anchor + 18 * i, anchor + 18 * j);
            CHECK_MSG(fabs(dot(map[i], map[j], 10) - exact) < 2e-4, "%g, expected %g",
                      dot(map[i], map[j], 10), exact);
        }
    }
    float scaled[18], nothing[18] = {0}, out[10];
    for (int k = 0; k < 18; k++) scaled[k] = 4 * anchor[k];
    map_patch(ckn, scaled, out);
    for (int k = 0; k < 10; k++) CHECK(fabsf(out[k] - 4 * map[0][k]) < 1e-4f);
    map_patch(ckn, nothing, out);
    for (int k = 0; k < 10; k++) CHECK(out[k] == 0);
    qnt_ckn_destroy(ckn);
}

/* Anchors far from each other leave A near the identity, and the map is exact there but for
 * float32. */
static void far_anchors(void)
{
    enum { FILTERS = 9 };
    float anchor[FILTERS * FILTERS] = {0}, map[FILTERS][FILTERS];
    qnt_ckn *ckn = create((qnt_ckn_spec){
        .channels = 1, .kernel = 3, .filters = FILTERS, .regulariser = -1, .sigma = 0.5f});
    for (int i = 0; i < FILTERS; i++) {
        anchor[i * FILTERS + i] = 0.8f;
        anchor[i * FILTERS + (i + 4) % FILTERS] = 0.6f;
    }
    OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, FILTERS, FILTERS)));
    for (int i = 0; i < FILTERS; i++) map_patch(ckn, anchor + FILTERS * i, map[i]);
    for (int i = 0; i < FILTERS; i++) {
        for (int j = 0; j < FILTERS; j++) {
            double exact = kernel(ckn, anchor + FILTERS * i, anchor + FILTERS * j);
            CHECK_MSG(fabs(dot(map[i], map[j], FILTERS) - exact) < 1e-6, "%.9g, expected %.9g",
                      dot(map[i], map[j], FILTERS), exact);
        }
    }
    qnt_ckn_destroy(ckn);
}

enum { ROOT = 40 };

static void multiply(const double *a, const double *b, double *out)
{
    for (int i = 0; i < ROOT; i++) {
        for (int j = 0; j < ROOT; j++) {
            double sum = 0;
            for (int e = 0; e < ROOT; e++) sum += a[i * ROOT + e] * b[e * ROOT + j];
            out[i * ROOT + j] = sum;
        }
    }
}

/* The same root by another way, the iteration of Newton and Schulz: from up = k / |k|
 * and down = 1, t = (3 - down up) / 2, up = up t, down = t down, which becomes the inverse root. */
static void newton_schulz(const double *k, double *root)
{
    static double up[ROOT * ROOT], down[ROOT * ROOT], t[ROOT * ROOT], next[ROOT * ROOT];
    double norm = 0;
    for (int i = 0; i < ROOT * ROOT; i++) norm += k[i] * k[i];
    norm = sqrt(norm);
    for (int i = 0; i < ROOT * ROOT; i++) up[i] = k[i] / norm, down[i] = i % (ROOT + 1) == 0;
    for (int step = 0; step < 60; step++) {
        multiply(down, up, t);
        for (int i = 0; i < ROOT * ROOT; i++) t[i] = ((i % (ROOT + 1) == 0 ? 3 : 0) - t[i]) / 2;
        multiply(up, t, next), memcpy(up, next, sizeof up);
        multiply(t, down, next), memcpy(down, next, sizeof down);
    }
    for (int i = 0; i < ROOT * ROOT; i++) root[i] = down[i] / sqrt(norm);
}

/* K3: A K A is the identity where nothing is regularised; A is symmetric; rotations and the
 * iteration of Newton and Schulz agree. */
static void inverse_root(void)
{
    static double k[ROOT * ROOT], a[ROOT * ROOT], space[2 * ROOT * ROOT], x[ROOT * 7],
        other[ROOT * ROOT];
    for (int i = 0; i < ROOT * 7; i++) x[i] = random_gauss();
    for (int i = 0; i < ROOT; i++) {
        for (int j = 0; j < ROOT; j++) {
            double square = 0;
            for (int e = 0; e < 7; e++)
                square += (x[i * 7 + e] - x[j * 7 + e]) * (x[i * 7 + e] - x[j * 7 + e]);
            k[i * ROOT + j] = a[i * ROOT + j] = exp(-square);
        }
    }
    qnt__inverse_root(a, ROOT, 0, space);
    for (int i = 0; i < ROOT; i++) {
        for (int j = 0; j < ROOT; j++) {
            double sum = 0;
            for (int e = 0; e < ROOT; e++)
                for (int f = 0; f < ROOT; f++)
                    sum += a[i * ROOT + e] * k[e * ROOT + f] * a[f * ROOT + j];
            CHECK_MSG(fabs(sum - (i == j)) < 1e-8, "%d %d: %g", i, j, sum);
            CHECK(fabs(a[i * ROOT + j] - a[j * ROOT + i]) < 1e-9);
        }
    }
    newton_schulz(k, other);
    for (int i = 0; i < ROOT * ROOT; i++)
        CHECK_MSG(fabs(a[i] - other[i]) < 1e-8, "%g, expected %g", a[i], other[i]);
    double repeated[4] = {1, 1, 1, 1};
    qnt__inverse_root(repeated, 2, 0.01, space); /* a zero eigenvalue */
    CHECK(isfinite(repeated[0]) && fabs(repeated[0] - repeated[3]) < 1e-9);
}

/* K4: a constant map keeps its value inside; shapes; without pooling every place is its patch's
 * map. */
static void pooling(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        int s = (int)random_in(1, 4), k = (int)random_in(1, 4), pad = (int)random_in(0, k - 1);
        int h = (int)random_in(k + 4 * s, 20), w = (int)random_in(k + 4 * s, 20),
            ch = (int)random_in(1, 3), p = (int)random_in(1, 20);
        qnt_ckn *ckn = create(
            (qnt_ckn_spec){.channels = ch, .kernel = k, .pad = pad, .filters = p, .subsample = s});
        static float anchor[20 * 64];
        for (int e = 0; e < p * k * k * ch; e++) anchor[e] = (float)random_gauss();
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, p, k * k * ch)));
        for (int e = 0; e < h * w * ch; e++) image[e] = (float)(e % ch + 1);
        int oh = (h + 2 * pad - k) / s + 1, ow = (w + 2 * pad - k) / s + 1;
        check_tensor view = {0};
        view.t.shape = view.shape, view.t.strides = view.strides;
        OK(qnt_ckn_view(c, ckn, TENSOR(image, QNT_FLOAT, 32, 1, h, w, ch), &view.t));
        CHECK(view.shape[1] == oh && view.shape[2] == ow && view.shape[3] == p);
        OK(run_in(c, ckn, TENSOR(image, QNT_FLOAT, 32, 1, h, w, ch),
                  TENSOR(y, QNT_FLOAT, 32, 1, oh, ow, p)));
        qnt_ckn *plain = create((qnt_ckn_spec){.channels = ch, .kernel = k, .filters = p});
        OK(qnt_ckn_set(c, plain, TENSOR(anchor, QNT_FLOAT, 32, p, k * k * ch)));
        map_patch(plain, image, z); /* any patch inside */
        int from = (pad + 2 * s - 1) / s;
        for (int r = from; r < oh - from; r++)
            for (int x = from; x < ow - from; x++)
                for (int e = 0; e < p; e++) {
                    float got = y[(r * ow + x) * p + e];
                    CHECK_MSG(fabsf(got - z[e]) <= 2e-4f * (1 + fabsf(z[e])), "%g, expected %g",
                              (double)got, (double)z[e]);
                }
        picture(image, h, w, ch);
        if (s == 1 && pad == 0) {
            static float patch[64];
            OK(run_in(c, ckn, TENSOR(image, QNT_FLOAT, 32, 1, h, w, ch),
                      TENSOR(y, QNT_FLOAT, 32, 1, oh, ow, p)));
            int r = (int)random_in(0, oh - 1), x = (int)random_in(0, ow - 1);
            for (int e = 0; e < k * k * ch; e++)
                patch[e] = image[((r + e / ch / k) * w + x + e / ch % k) * ch + e % ch];
            map_patch(plain, patch, z);
            CHECK(!memcmp(z, y + (r * ow + x) * p, (size_t)p * sizeof *z));
        }
        qnt_ckn_destroy(ckn), qnt_ckn_destroy(plain);
    }
}

/* K5, K6: rounded layers are projections too; integers give what their floats give; a factor of 2^k
 * changes nothing but the norm; fewer bits, more error. */
static void rounding(void)
{
    static const int bits[][2] = {{32, 32}, {8, 8}, {4, 4}, {2, 4}, {2, 2}};
    double last = 0;
    for (int i = 0; i < 5; i++) {
        check_state = 77;
        qnt_ckn *ckn = fitted((qnt_ckn_spec){.channels = 1,
                                             .kernel = 4,
                                             .filters = 48,
                                             .anchor_bits = bits[i][0],
                                             .patch_bits = bits[i][1]});
        double error = kernel_error(ckn, 60);
        CHECK_MSG(error > 0.98 * last && error < (i < 3 ? 0.1 : 0.6), "%d/%d bits: %g after %g",
                  bits[i][0], bits[i][1], error, last);
        last = error;
        qnt_ckn_destroy(ckn);
    }
    for (int i = 0; i < ROUNDS(60); i++) {
        int ab = (int)random_in(1, 8), pb = (int)random_in(1, 8), k = (int)random_in(1, 5),
            ch = (int)random_in(1, 3), p = (int)random_in(1, 40), d = k * k * ch;
        qnt_ckn_spec spec = {.channels = ch,
                             .kernel = k,
                             .filters = p,
                             .anchor_bits = ab,
                             .patch_bits = pb,
                             .centre = i % 2};
        static float anchor[40 * 75], patch[75], rounded[75], scaled[75];
        static int8_t code[75];
        for (int e = 0; e < p * d; e++) anchor[e] = (float)random_gauss();
        qnt_ckn *ckn = create(spec);
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, p, d)));
        spec.patch_bits = 32, spec.centre = 0;
        qnt_ckn *floats = create(spec); /* the same anchors, patches as they come */
        OK(qnt_ckn_set(c, floats, TENSOR(anchor, QNT_FLOAT, 32, p, d)));
        float sum = 0, norm = 0;
        for (int e = 0; e < d; e++) patch[e] = (float)random_gauss(), sum += patch[e];
        for (int e = 0; e < d; e++) scaled[e] = i % 2 ? patch[e] - sum / (float)d : patch[e];
        for (int e = 0; e < d; e++) norm += scaled[e] * scaled[e];
        int square = qnt__ckn_round(scaled, (size_t)d, pb, code);
        for (int e = 0; e < d; e++) /* the rounded direction with the true norm */
            rounded[e] = square ? (float)code[e] / sqrtf((float)square) * sqrtf(norm) : 0;
        map_patch(ckn, patch, y);
        map_patch(floats, rounded, z);
        for (int e = 0; e < p; e++)
            CHECK_MSG(fabsf(y[e] - z[e]) <= 2e-3f * (1 + fabsf(z[e])),
                      "bits %d/%d: %g, expected %g", ab, pb, (double)y[e], (double)z[e]);
        for (int e = 0; e < d; e++) scaled[e] = 8 * patch[e];
        map_patch(ckn, scaled, z);
        for (int e = 0; e < p; e++) CHECK(z[e] == 8 * y[e]);
        qnt_ckn_destroy(ckn), qnt_ckn_destroy(floats);
    }
}

/* K6: with A made for the anchors as they are rounded, the map is the projection onto what they
 * span; with A of the anchors before, it is worse. */
static void rounded_anchors(void)
{
    const uint64_t state = check_state; /* what follows is as random as before */
    check_state = 78;
    qnt_ckn *floats = fitted((qnt_ckn_spec){.channels = 1, .kernel = 5, .filters = 32});
    qnt_ckn *rounded =
        create((qnt_ckn_spec){.channels = 1, .kernel = 5, .filters = 32, .anchor_bits = 3});
    static float anchor[32 * 25];
    OK(qnt_ckn_get(c, floats, TENSOR(anchor, QNT_FLOAT, 32, 32, 25)));
    OK(qnt_ckn_set(c, rounded, TENSOR(anchor, QNT_FLOAT, 32, 32, 25)));
    double exact = kernel_error(floats, 80), own = kernel_error(rounded, 80);
    memcpy(rounded->projection, floats->projection, 2 * 32 * 16 * sizeof(float));
    double old = 0, size = 0; /* without the bound on norms, which holds no longer */
    for (int i = 0; i < 80; i++) {
        float a[25], b[25];
        picture(a, 5, 5, 1), picture(b, 5, 5, 1);
        map_patch(rounded, a, y), map_patch(rounded, b, z);
        double k = kernel(rounded, a, b), off = dot(y, z, 32) - k;
        old += off * off, size += k * k;
    }
    old = sqrt(old / size);
    CHECK_MSG(own < 1.5 * exact + 0.01 && old > 1.1 * own,
              "floats %g, rounded %g, with the old A %g", exact, own, old);
    qnt_ckn_destroy(floats), qnt_ckn_destroy(rounded);
    check_state = state;
}

/* A patch with a number that is none, or too large to square, is a patch of zeros; its neighbours
 * are what they are. */
static void not_finite(void)
{
    enum { P = 5, WIDE = 9 };
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f};
    for (int i = 0; i < 32; i++) {
        int bits = i & 4 ? 32 : (i >> 3) * 2 + 1;
        qnt_ckn *ckn = create((qnt_ckn_spec){.channels = 3,
                                             .kernel = 1,
                                             .filters = P,
                                             .centre = i >> 4,
                                             .anchor_bits = bits,
                                             .patch_bits = bits});
        float anchor[P * 3], x[WIDE * 3], out[WIDE * P], expected[WIDE * P];
        for (int e = 0; e < P * 3; e++) anchor[e] = (float)random_gauss();
        for (int e = 0; e < WIDE * 3; e++) x[e] = (float)random_gauss();
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, P, 3)));
        OK(run_in(c, ckn, TENSOR(x, QNT_FLOAT, 32, 1, 1, WIDE, 3),
                  TENSOR(expected, QNT_FLOAT, 32, 1, 1, WIDE, P)));
        x[4 * 3 + i % 3] = odd[i & 3];
        memset(expected + 4 * P, 0, P * sizeof *expected);
        OK(run_in(c, ckn, TENSOR(x, QNT_FLOAT, 32, 1, 1, WIDE, 3),
                  TENSOR(out, QNT_FLOAT, 32, 1, 1, WIDE, P)));
        CHECK_MSG(!memcmp(out, expected, sizeof out), "%g, %d bits", (double)odd[i & 3], bits);
        qnt_ckn_destroy(ckn);
    }
}

/* The deepest patch of codes with the largest ones: its cosine with itself is 1. */
static void deepest(void)
{
    enum { D = 1 << 16 };
    static float anchor[D], out[1];
    for (int e = 0; e < D; e++) anchor[e] = 1;
    qnt_ckn *ckn = create((qnt_ckn_spec){.channels = D,
                                         .kernel = 1,
                                         .filters = 1,
                                         .anchor_bits = 8,
                                         .patch_bits = 8,
                                         .regulariser = -1});
    OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 1, D)));
    map_patch(ckn, anchor, out);
    CHECK_MSG(fabsf(out[0] - 256) < 1e-2f, "%g", (double)out[0]);
    qnt_ckn_destroy(ckn);
}

/* K2: another anchor never makes less of a patch's own kernel be found. */
static void residual(void)
{
    enum { P = 32, D = 9, N = 40 };
    static float anchor[P * D], x[N * D];
    double last[N] = {0};
    for (int i = 0; i < P; i++) picture(anchor + i * D, 3, 3, 1);
    for (int i = 0; i < N; i++) picture(x + i * D, 3, 3, 1);
    for (int p = 1; p <= P; p *= 2) {
        qnt_ckn *ckn =
            create((qnt_ckn_spec){.channels = D, .kernel = 1, .filters = p, .regulariser = 1e-6f});
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, p, D)));
        for (int i = 0; i < N; i++) {
            map_patch(ckn, x + i * D, y);
            double found = dot(y, y, p), all = dot(x + i * D, x + i * D, D);
            CHECK_MSG(found >= last[i] - 2e-3 * all && found <= all * (1 + 2e-3),
                      "%d anchors: %g of %g after %g", p, found, all, last[i]);
            last[i] = found;
        }
        qnt_ckn_destroy(ckn);
    }
}

/* The same bytes for every CPU level, number of workers and layout. */
static void anywhere(void)
{
    qnt_pool *pool = NULL;
    qnt_context *other = check_context();
    OK(qnt_pool_create(other, 3, &pool));
    OK(qnt_context_set_parallel(other, qnt_pool_run, pool, 3));
    for (int i = 0; i < ROUNDS(30); i++) {
        int k = (int)random_in(1, 4), ch = (int)random_in(1, 9), p = (int)random_in(1, 90),
            s = (int)random_in(1, 3), b = (int)random_in(1, 4);
        int h = (int)random_in(k, 9), w = (int)random_in(k, 30),
            bits = i % 3 ? (int)random_in(1, 8) : 32;
        qnt_ckn *ckn = create((qnt_ckn_spec){.channels = ch,
                                             .kernel = k,
                                             .filters = p,
                                             .subsample = s,
                                             .pad = k / 2,
                                             .anchor_bits = bits,
                                             .patch_bits = bits});
        static float anchor[90 * 16 * 9];
        for (int e = 0; e < p * k * k * ch; e++) anchor[e] = (float)random_gauss();
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, p, k * k * ch)));
        int64_t shape[] = {b, h, w, ch};
        int64_t oh = (h + 2 * (k / 2) - k) / s + 1, ow = (w + 2 * (k / 2) - k) / s + 1;
        strided x;
        strided_random(&x, QNT_FLOAT, 32, 4, shape);
        for (size_t e = 0; e < x.count; e++) {
            uint32_t u;
            image[e] = (float)random_gauss();
            memcpy(&u, &image[e], 4);
            strided_set(&x, e, u);
        }
        OK(run_in(c, ckn, TENSOR(image, QNT_FLOAT, 32, b, h, w, ch),
                  TENSOR(y, QNT_FLOAT, 32, b, oh, ow, p)));
        uint64_t levels[] = {0, QNT_CPU_AVX2, qnt_cpu_detect()};
        OK(qnt_context_set_cpu(other, levels[i % 3] & qnt_cpu_detect()));
        OK(run_in(other, ckn, &x.view.t, TENSOR(z, QNT_FLOAT, 32, b, oh, ow, p)));
        CHECK_MSG(!memcmp(y, z, (size_t)(b * oh * ow * p) * sizeof *y), "bits %d", bits);
        strided_free(&x), qnt_ckn_destroy(ckn);
    }
    qnt_context_destroy(other);
    qnt_pool_destroy(pool);
}

static int32_t stop(void *user, uint64_t index, float *to)
{
    (void)user;
    memset(to, 0, SIDE * SIDE * sizeof *to);
    return index == 3;
}

static int32_t constant(void *user, uint64_t index, float *to)
{
    (void)index;
    for (int i = 0; i < SIDE * SIDE; i++) to[i] = *(float *)user;
    return 0;
}

static int32_t cancel(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

/* Centred, a constant image is one of zeros, in any number of bits. */
static void constant_images(void)
{
    static const int bits[] = {32, 8, 4, 2, 1};
    for (int i = 0; i < 5; i++) {
        qnt_ckn *ckn = create((qnt_ckn_spec){.channels = 1,
                                             .kernel = 3,
                                             .filters = 4,
                                             .subsample = 2,
                                             .anchor_bits = bits[i],
                                             .patch_bits = bits[i],
                                             .centre = 1});
        float anchor[4 * 9];
        for (int k = 0; k < 36; k++) anchor[k] = (float)random_gauss();
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 4, 9)));
        for (int k = 0; k < SIDE * SIDE; k++) image[k] = 0.75f;
        OK(run_in(c, ckn, TENSOR(image, QNT_FLOAT, 32, 1, SIDE, SIDE, 1),
                  TENSOR(y, QNT_FLOAT, 32, 1, 5, 5, 4)));
        for (int k = 0; k < 100; k++) CHECK(y[k] == 0);
        qnt_ckn_destroy(ckn);
    }
}

static void bad_input(void)
{
    qnt_ckn *ckn = NULL;
    const qnt_ckn_spec good = {.size = sizeof good, .channels = 1, .kernel = 3, .filters = 8};
#define REFUSED(change, text)                                                                      \
    do {                                                                                           \
        qnt_ckn_spec s = good;                                                                     \
        change;                                                                                    \
        FAILS(qnt_ckn_create(c, &s, &ckn), QNT_E_INVALID, text);                                   \
        CHECK(!ckn);                                                                               \
    } while (0)
    REFUSED(s.channels = 0, "channels");
    REFUSED(s.kernel = 0, "kernel");
    REFUSED(s.kernel = 32, "kernel");
    REFUSED(s.pad = 3, "pad");
    REFUSED(s.filters = 0, "filters");
    REFUSED(s.subsample = -1, "subsample");
    REFUSED(s.sigma = -1, "sigma");
    REFUSED(s.sigma = -FLT_MIN, "sigma");
    REFUSED(s.sigma = 0.04f, "sigma");
    REFUSED(s.sigma = NAN, "sigma");
    REFUSED(s.regulariser = 2, "regulariser");
    REFUSED(s.regulariser = NAN, "regulariser");
    REFUSED(s.anchor_bits = 9, "anchor_bits");
    REFUSED(s.patch_bits = 4, "patch_bits");
    REFUSED(s.reserved = 1, "reserved");
    REFUSED(s.channels = INT32_MAX, "channels");
    REFUSED((s.channels = 65537, s.kernel = 1, s.anchor_bits = 8), "elements of a patch of codes");
    OK(qnt_ckn_create(c, &good, &ckn));
    qnt_tensor *tx = TENSOR(image, QNT_FLOAT, 32, 1, SIDE, SIDE, 1),
               *ty = TENSOR(y, QNT_FLOAT, 32, 1, SIDE - 2, SIDE - 2, 8);
    static uint8_t space[1 << 20];
    size_t bytes;
    FAILS(qnt_ckn_run(c, ckn, tx, ty, space, sizeof space), QNT_E_STATE, "anchors");
    static float anchor[8 * 9], before[8 * 9];
    FAILS(qnt_ckn_get(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 8, 9)), QNT_E_STATE, "anchors");
    FAILS(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 8, 9)), QNT_E_INVALID, "number 0");
    for (int i = 0; i < 72; i++) anchor[i] = (float)random_gauss();
    FAILS(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 9, 8)), QNT_E_SHAPE, "8 x 9");
    anchor[70] = NAN;
    FAILS(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 8, 9)), QNT_E_INVALID, "number 7");
    anchor[70] = 1;
    OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 8, 9)));
    OK(qnt_ckn_get(c, ckn, TENSOR(before, QNT_FLOAT, 32, 8, 9)));

    float value = 0;
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = 10,
                         .patches = 100,
                         .read = stop};
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_CANCELLED, "image 3");
    data.read = constant, data.user = &value;
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_STATE, "patches");
    value = NAN;
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_STATE, "patches");
    value = 1; /* all patches alike: anchors may coincide, the map is finite */
    qnt_ckn *alike = NULL;
    OK(qnt_ckn_create(c, &good, &alike));
    OK(qnt_ckn_fit(c, alike, &data));
    for (int i = 0; i < SIDE * SIDE; i++) image[i] = 1;
    OK(qnt_ckn_run(c, alike, tx, ty, space, sizeof space));
    for (int i = 0; i < 8; i++) CHECK(isfinite(y[i]));
    qnt_ckn_destroy(alike);
    data.patches = 7;
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_INVALID, "7 patches");
    data.patches = 100, data.height = 0;
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_INVALID, "images of 0");
    data.height = SIDE, data.images = 0;
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_INVALID, "0 images");
    data.images = 10, data.read = NULL;
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_INVALID, "read");
    int shape[] = {SIDE, SIDE, 1};
    data.read = read_picture, data.user = shape, data.patches = UINT64_MAX / 2;
    CHECK(qnt_ckn_fit(c, ckn, &data) == QNT_E_NOMEM);
    data.patches = 100;
    OK(qnt_context_set_progress(c, cancel, NULL));
    CHECK(qnt_ckn_fit(c, ckn, &data) == QNT_E_CANCELLED);
    OK(qnt_context_set_progress(c, NULL, NULL));
    OK(qnt_ckn_get(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 8, 9)));
    CHECK(!memcmp(anchor, before, sizeof before)); /* nothing of all this changed it */

    OK(qnt_ckn_workspace(c, ckn, tx, &bytes));
    memset(y, 0x5a, sizeof y);
    FAILS(qnt_ckn_run(c, ckn, tx, ty, space, bytes - 1), QNT_E_SPACE, "workspace");
    FAILS(qnt_ckn_run(c, ckn, tx, ty, NULL, bytes), QNT_E_SPACE, "workspace");
    FAILS(qnt_ckn_run(c, ckn, TENSOR(image, QNT_FLOAT, 32, 1, SIDE, SIDE, 2), ty, space,
                      sizeof space),
          QNT_E_SHAPE, "channels");
    FAILS(qnt_ckn_run(c, ckn, TENSOR(image, QNT_FLOAT, 32, 1, 2, SIDE, 1), ty, space, sizeof space),
          QNT_E_SHAPE, "axis 1");
    FAILS(qnt_ckn_run(c, ckn, tx, TENSOR(y, QNT_FLOAT, 32, 1, SIDE, SIDE - 2, 8), space,
                      sizeof space),
          QNT_E_SHAPE, "y");
    FAILS(qnt_ckn_run(c, ckn, tx, TENSOR(image, QNT_FLOAT, 32, 1, SIDE - 2, SIDE - 2, 8), space,
                      sizeof space),
          QNT_E_INVALID, "overlaps");
    for (size_t i = 0; i < 1000; i++) CHECK(((uint8_t *)y)[i] == 0x5a); /* nothing was written */
    double number;
    FAILS(qnt_ckn_kernel(c, ckn, TENSOR(image, QNT_FLOAT, 32, 8), TENSOR(image, QNT_FLOAT, 32, 9),
                         &number),
          QNT_E_SHAPE, "elements");
    qnt_ckn_destroy(ckn);
    qnt_ckn_destroy(NULL);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(projection);
    RUN(far_anchors);
    RUN(inverse_root);
    RUN(pooling);
    RUN(rounding);
    RUN(rounded_anchors);
    RUN(not_finite);
    RUN(deepest);
    RUN(residual);
    RUN(anywhere);
    RUN(constant_images);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
