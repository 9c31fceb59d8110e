/* The map of 2014: the lemma behind it, its gradients and learning, orientations, the kernel of whole
 * images, bad input. */
#include "check.h"
#include "ckn/ckn.h"

enum { SIDE = 8, RING = 2, PADDED = SIDE + 2 * RING, GRID = 18, FILTERS = GRID * GRID };

static qnt_context *c;

static qnt_ckn *create(qnt_ckn_spec spec)
{
    qnt_ckn *ckn = NULL;
    spec.size = sizeof spec;
    spec.flags = QNT_LITERAL;
    CHECK_MSG(qnt_ckn_create(c, &spec, &ckn) == QNT_OK, "%s", check_reason);
    return ckn;
}

static void run(const qnt_ckn *ckn, const float *x, int batch, int side, float *y, int out)
{
    static uint8_t space[1 << 22];
    CHECK_MSG(qnt_ckn_run(c, ckn, TENSOR(x, QNT_FLOAT, 32, batch, side, side, ckn->spec.channels),
                          TENSOR(y, QNT_FLOAT, 32, batch, out, out, ckn->spec.filters), space,
                          sizeof space) == QNT_OK,
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

/* Anchors on a grid of the plane with the weights of the lemma, (2 / (pi s^2))^(m/2) times the cell. */
static qnt_ckn *grid(int subsample)
{
    const double sigma = 0.6, step = 0.54 * sigma, cell = step * step;
    static float anchor[FILTERS * 3];
    qnt_ckn *ckn = create((qnt_ckn_spec){.channels = 2,
                                         .kernel = 1,
                                         .filters = FILTERS,
                                         .subsample = subsample,
                                         .sigma = (float)sigma});
    for (int i = 0; i < FILTERS; i++) {
        anchor[3 * i] = (float)(step * (i / GRID - (GRID - 1) / 2.0));
        anchor[3 * i + 1] = (float)(step * (i % GRID - (GRID - 1) / 2.0));
        anchor[3 * i + 2] = (float)(2 / (acos(-1) * sigma * sigma) * cell);
    }
    CHECK_MSG(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, FILTERS, 3)) == QNT_OK, "%s",
              check_reason);
    return ckn;
}

/* K7: with the integral as a sum over a fine grid, products of maps are the kernel. */
static void lemma(void)
{
    static float y[2][FILTERS];
    qnt_ckn *ckn = grid(1);
    for (int i = 0; i < ROUNDS(50); i++) {
        float x[2][2];
        for (int k = 0; k < 4; k++) x[k / 2][k % 2] = (float)random_gauss();
        run(ckn, x[0], 1, 1, y[0], 1), run(ckn, x[1], 1, 1, y[1], 1);
        double exact = kernel(ckn, x[0], x[1]),
               size = sqrt(dot(x[0], x[0], 2) * dot(x[1], x[1], 2));
        CHECK_MSG(fabs(dot(y[0], y[1], FILTERS) - exact) < 3e-6 * size, "%.9g, expected %.9g",
                  dot(y[0], y[1], FILTERS), exact);
    }
    qnt_ckn_destroy(ckn);
}

/* K7: p orientations with sigma the distance of neighbours and equal weights: the published errors. */
static void orientations(void)
{
    static const int counts[] = {6, 12, 18};
    static const double published[] = {0.049, 0.018, 0.012};
    const double turn = 2 * acos(-1);
    for (int i = 0; i < 3; i++) {
        const int p = counts[i];
        double side = 1 - cos(turn / p), up = sin(turn / p), error = 0, size = 0;
        float anchor[18 * 3], a[2], b[2], ya[18], yb[18];
        qnt_ckn *ckn = create((qnt_ckn_spec){
            .channels = 2, .kernel = 1, .filters = p, .sigma = (float)sqrt(side * side + up * up)});
        for (int l = 0; l < p; l++) {
            anchor[3 * l] = (float)cos(turn * l / p), anchor[3 * l + 1] = (float)sin(turn * l / p);
            anchor[3 * l + 2] = 0.798f;
        }
        OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, p, 3)));
        for (int k = 0; k < 2000; k++) {
            double u = turn * random_unit(), v = turn * random_unit();
            a[0] = (float)cos(u), a[1] = (float)sin(u), b[0] = (float)cos(v), b[1] = (float)sin(v);
            run(ckn, a, 1, 1, ya, 1), run(ckn, b, 1, 1, yb, 1);
            double exact = kernel(ckn, a, b), off = dot(ya, yb, p) - exact;
            error += off * off, size += exact * exact;
        }
        double relative = sqrt(error / size);
        CHECK_MSG(fabs(relative - published[i]) < 0.2 * published[i], "%d: %g, expected %g", p,
                  relative, published[i]);
        qnt_ckn_destroy(ckn);
    }
}

/* K8: sums over all pairs of places, against products of descriptors whose grid ends inside of the
 * images, or one place outside, which zeros around them do. */
static void images(void)
{
    enum { IMAGES = 4, INNER = SIDE / RING, OUTER = PADDED / RING };
    static float x[IMAGES][SIDE * SIDE * 2], padded[IMAGES][PADDED * PADDED * 2],
        inner[IMAGES][INNER * INNER * FILTERS], outer[IMAGES][OUTER * OUTER * FILTERS];
    qnt_ckn *ckn = grid(RING);
    for (int i = 0; i < IMAGES; i++) {
        for (int k = 0; k < SIDE * SIDE * 2; k++) {
            int at = k + 2 * RING * (1 + 2 * (k / (2 * SIDE))) + 2 * PADDED * RING - 2 * RING;
            padded[i][at] = x[i][k] = (float)(random_gauss() + 1);
        }
        run(ckn, x[i], 1, SIDE, inner[i], INNER);
        run(ckn, padded[i], 1, PADDED, outer[i], OUTER);
    }
    double off[2] = {0}, size = 0;
    for (int i = 0; i < IMAGES; i++) {
        for (int j = 0; j <= i; j++) {
            double exact = 0;
            for (int p = 0; p < SIDE * SIDE; p++) {
                for (int q = 0; q < SIDE * SIDE; q++) {
                    int down = p / SIDE - q / SIDE, right = p % SIDE - q % SIDE;
                    exact += exp(-(down * down + right * right) / (2.0 * RING * RING)) *
                             kernel(ckn, x[i] + 2 * p, x[j] + 2 * q);
                }
            }
            double in = dot(inner[i], inner[j], INNER * INNER * FILTERS) - exact,
                   out = dot(outer[i], outer[j], OUTER * OUTER * FILTERS) - exact;
            off[0] += in * in, off[1] += out * out, size += exact * exact;
        }
    }
    double in = sqrt(off[0] / size), out = sqrt(off[1] / size);
    CHECK_MSG(out < 0.01 && in > 2 * out && in < 0.1, "inside %g, with a ring %g", in, out);
    qnt_ckn_destroy(ckn);
}

/* K7: derivatives against central differences. */
static void gradients(void)
{
    enum { P = 5, D = 7 };
    for (int turn = 0; turn < ROUNDS(10); turn++) {
        double anchor[P * (D + 1)], got[P * (D + 1)] = {0}, phi[P], largest = 0, off = 0;
        float x[2][D];
        for (int i = 0; i < P * (D + 1); i++)
            anchor[i] = i % (D + 1) == D ? random_unit() : 0.4 * random_gauss();
        for (int i = 0; i < 2 * D; i++) x[i / D][i % D] = (float)(0.4 * random_gauss());
        qnt__expansion_gradient(anchor, P, D, 1.5, x[0], x[1], phi, got);
        for (int i = 0; i < P * (D + 1); i++) {
            const double h = 1e-6, was = anchor[i];
            anchor[i] = was + h;
            double up = qnt__expansion_gradient(anchor, P, D, 1.5, x[0], x[1], phi, NULL);
            anchor[i] = was - h;
            double slope =
                (up - qnt__expansion_gradient(anchor, P, D, 1.5, x[0], x[1], phi, NULL)) / (2 * h);
            anchor[i] = was;
            off = fmax(off, fabs(slope - got[i])), largest = fmax(largest, fabs(slope));
        }
        CHECK_MSG(off < 1e-6 * largest + 1e-9, "%g of %g", off, largest);
    }
}

/* Smooth pictures. */
static int32_t read_picture(void *user, uint64_t index, float *to)
{
    double wave[3][3];
    (void)user, (void)index;
    for (int i = 0; i < 9; i++) wave[i / 3][i % 3] = 20 * random_gauss();
    for (int p = 0; p < SIDE * SIDE; p++) {
        double v = 1, down = (double)(p / SIDE) / SIDE, right = (double)(p % SIDE) / SIDE;
        for (int i = 0; i < 3; i++)
            v += 0.3 * sin(wave[i][0] * down + wave[i][1] * right + wave[i][2]);
        to[p] = (float)fmax(v, 0);
    }
    return 0;
}

/* K7: what is learned is nearer to the kernel of other patches than where learning began, which is a
 * spherical k-means with one weight for all. */
static void learning(void)
{
    enum { P = 16, D = 9, PATCHES = 500, TESTED = 400 };
    static float patch[PATCHES * D];
    double centre[P * (D + 1)], begun[P * (D + 1)], phi[P], before = 0, after = 0, size = 0;
    float sigma;
    for (int i = 0; i < PATCHES; i++) {
        float image[SIDE * SIDE], norm = 0;
        read_picture(NULL, 0, image);
        for (int k = 0; k < D; k++) patch[i * D + k] = image[k / 3 * SIDE + k % 3];
        for (int k = 0; k < D; k++) norm += patch[i * D + k] * patch[i * D + k];
        for (int k = 0; k < D; k++) patch[i * D + k] /= sqrtf(norm);
    }
    OK(qnt__expansion_sigma(c, patch, PATCHES - TESTED / 2, D, 3, &sigma));
    const double alpha = 1 / ((double)sigma * (double)sigma);
    OK(qnt__spherical_kmeans(c, patch, PATCHES - TESTED / 2, D, P, 20, 3, centre));
    for (int l = 0; l < P; l++)
        memcpy(begun + l * (D + 1), centre + l * D, D * sizeof *centre), begun[l * (D + 1) + D] = 1;
    OK(qnt__expansion_learn(c, patch, PATCHES - TESTED / 2, D, P, alpha, 3, centre));
    double product = 0, square = 0, error[2];
    const float *held = patch + (PATCHES - TESTED / 2) * D;
    for (int turn = 0; turn < 2; turn++) { /* the best weight for all; then errors */
        before = after = size = 0;
        for (int i = 0; i < TESTED; i++) {
            const float *x = held + i % (TESTED / 2) * D,
                        *y = held + (i * 7 + 3) % (TESTED / 2) * D;
            double gap = 0, sum = 0;
            for (int k = 0; k < D; k++)
                gap += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
            double exact = exp(-alpha * gap / 2);
            before += qnt__expansion_gradient(begun, P, D, alpha, x, y, phi, NULL);
            for (int l = 0; l < P; l++) sum += phi[l];
            product += sum * exact, square += sum * sum;
            after += qnt__expansion_gradient(centre, P, D, alpha, x, y, phi, NULL);
            size += exact * exact;
        }
        for (int l = 0; l < P; l++) begun[l * (D + 1) + D] = product / square;
        error[0] = sqrt(before / size), error[1] = sqrt(after / size);
    }
    CHECK_MSG(error[1] < 0.7 * error[0] && error[1] < 0.2, "%g after %g", error[1], error[0]);
    for (int l = 0; l < P; l++) CHECK(centre[l * (D + 1) + D] >= 0);
}

/* The whole call: sigma is found, anchors and weights go out and in again, the map is the same. */
static void fitted(void)
{
    enum { P = 7 };
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = 40,
                         .patches = 400,
                         .read = read_picture};
    qnt_ckn *ckn = create((qnt_ckn_spec){.channels = 1, .kernel = 3, .filters = P, .subsample = 2});
    float anchor[P * 10], again[P * 10], x[SIDE * SIDE], y[9 * P], z[9 * P];
    FAILS(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, P, 10)), QNT_E_STATE, "sigma");
    double value;
    FAILS(qnt_ckn_kernel(c, ckn, TENSOR(x, QNT_FLOAT, 32, 9), TENSOR(x, QNT_FLOAT, 32, 9), &value),
          QNT_E_STATE, "sigma");
    OK(qnt_ckn_fit(c, ckn, &data));
    OK(qnt_ckn_get(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, P, 10)));
    qnt_ckn_spec told = {.size = sizeof told};
    OK(qnt_ckn_describe(c, ckn, &told));
    CHECK(told.sigma > 0.05f && told.sigma < 1.5f && told.filters == P &&
          told.flags == QNT_LITERAL);
    FAILS(qnt_ckn_describe(c, ckn, NULL), QNT_E_INVALID, "spec is NULL");
    read_picture(NULL, 0, x);
    run(ckn, x, 1, SIDE, y, 3);
    OK(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, P, 10)));
    OK(qnt_ckn_get(c, ckn, TENSOR(again, QNT_FLOAT, 32, P, 10)));
    run(ckn, x, 1, SIDE, z, 3);
    CHECK(!memcmp(anchor, again, sizeof anchor) && !memcmp(y, z, sizeof y));
    qnt_ckn_destroy(ckn);
}

static int32_t constant(void *user, uint64_t index, float *to)
{
    (void)user, (void)index;
    for (int i = 0; i < SIDE * SIDE; i++) to[i] = 1;
    return 0;
}

static void bad_input(void)
{
    qnt_ckn_spec spec = {
        .size = sizeof spec, .channels = 1, .kernel = 3, .filters = 2, .flags = QNT_LITERAL};
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = 4,
                         .patches = 40,
                         .read = constant};
    float anchor[20], x[36], dy[8];
    qnt_ckn *ckn;
    spec.anchor_bits = 4;
    FAILS(qnt_ckn_create(c, &spec, &ckn), QNT_E_INVALID, "QNT_LITERAL");
    spec.anchor_bits = 0, spec.flags = QNT_SIGNED;
    FAILS(qnt_ckn_create(c, &spec, &ckn), QNT_E_INVALID, "flags");
    spec.flags = QNT_LITERAL, spec.reserved2 = 1;
    FAILS(qnt_ckn_create(c, &spec, &ckn), QNT_E_INVALID, "reserved2");
    spec.reserved2 = 0, spec.sigma = -1;
    FAILS(qnt_ckn_create(c, &spec, &ckn), QNT_E_INVALID, "sigma");
    spec.sigma = 0;
    OK(qnt_ckn_create(c, &spec, &ckn));
    FAILS(qnt_ckn_fit(c, ckn, &data), QNT_E_STATE, "quantile");
    qnt_ckn_destroy(ckn);
    spec.sigma = 0.5f;
    OK(qnt_ckn_create(c, &spec, &ckn));
    OK(qnt_ckn_fit(c, ckn, &data)); /* all patches are one: the map is finite */
    for (int i = 0; i < 36; i++) x[i] = 1;
    run(ckn, x, 1, 3, dy, 1);
    for (int i = 0; i < 2; i++) CHECK(isfinite(dy[i]));
    for (int i = 0; i < 20; i++) anchor[i] = 1;
    anchor[19] = -1;
    FAILS(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 2, 10)), QNT_E_INVALID, "weight -1");
    FAILS(qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, 2, 9)), QNT_E_SHAPE, "2 x 10");
    FAILS(qnt_ckn_backward(c, ckn, TENSOR(x, QNT_FLOAT, 32, 1, 3, 3, 1),
                           TENSOR(dy, QNT_FLOAT, 32, 1, 1, 1, 2), NULL, NULL, NULL),
          QNT_E_UNSUPPORTED, "QNT_LITERAL");
    spec.size = 56; /* a caller of the time before flags */
    qnt_ckn *old;
    OK(qnt_ckn_create(c, &spec, &old));
    CHECK(old->spec.flags == 0);
    qnt_ckn_destroy(old), qnt_ckn_destroy(ckn);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(lemma);
    RUN(orientations);
    RUN(images);
    RUN(gradients);
    RUN(learning);
    RUN(fitted);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
