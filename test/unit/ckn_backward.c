/* Derivatives of kernel maps against central differences of a map in double, written once more
 * from the formulas; layouts, workers, what may be left out, bad input. */
#include "check.h"
#include "ckn/ckn.h"
#include "strided.h"

enum { MOST_FILTERS = 6, MOST_DEPTH = 18, MOST_PIXELS = 2 * 6 * 6 * 2, MOST_RESULT = 2 * 64 * 6 };

static qnt_context *c;

/* A map in double: everything that the derivatives are taken by. */
struct map {
    int channels, kernel, pad, filters, subsample, centre, batch, height, width;
    double sigma, regulariser;
    double anchor[MOST_FILTERS * MOST_DEPTH], x[MOST_PIXELS];
};

static int depth_of(const struct map *m)
{
    return m->channels * m->kernel * m->kernel;
}

/* The inverse square root with the regulariser, by plain rotations of the largest element. */
static void inverse_root(const struct map *m, double *k)
{
    const int n = m->filters;
    double v[MOST_FILTERS][MOST_FILTERS] = {{0}}, root[MOST_FILTERS];
    for (int i = 0; i < n; i++) v[i][i] = 1;
    for (int turn = 0; n > 1 && turn < 400; turn++) {
        int p = 0, q = 1;
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                if (fabs(k[i * n + j]) > fabs(k[p * n + q])) p = i, q = j;
        if (fabs(k[p * n + q]) < 1e-16) break;
        double angle = 0.5 * atan2(2 * k[p * n + q], k[q * n + q] - k[p * n + p]);
        double co = cos(angle), si = sin(angle);
        for (int i = 0; i < n; i++) {
            double a = k[i * n + p], b = k[i * n + q], x = v[i][p], y = v[i][q];
            k[i * n + p] = co * a - si * b, k[i * n + q] = si * a + co * b;
            v[i][p] = co * x - si * y, v[i][q] = si * x + co * y;
        }
        for (int i = 0; i < n; i++) {
            double a = k[p * n + i], b = k[q * n + i];
            k[p * n + i] = co * a - si * b, k[q * n + i] = si * a + co * b;
        }
    }
    for (int e = 0; e < n; e++) root[e] = sqrt(fmax(k[e * n + e], 0)) + m->regulariser;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            k[i * n + j] = 0;
            for (int e = 0; e < n; e++) k[i * n + j] += v[i][e] * v[j][e] / root[e];
        }
    }
}

/* |x| kappa(Z^T x / |x|) at one place. */
static void place(const struct map *m, const double *unit, int image, int row, int column,
                  double *t)
{
    const int depth = depth_of(m);
    double patch[MOST_DEPTH], mean = 0, square = 0;
    for (int k = 0; k < depth; k++) {
        int y = row + k / m->channels / m->kernel - m->pad,
            x = column + k / m->channels % m->kernel - m->pad;
        bool inside = y >= 0 && y < m->height && x >= 0 && x < m->width;
        int at = ((image * m->height + y) * m->width + x) * m->channels + k % m->channels;
        patch[k] = inside ? m->x[at] : 0;
        mean += m->centre * patch[k] / depth;
    }
    for (int k = 0; k < depth; k++) patch[k] -= mean, square += patch[k] * patch[k];
    for (int l = 0; l < m->filters; l++) {
        double sum = 0;
        for (int k = 0; k < depth; k++) sum += patch[k] * unit[l * depth + k];
        t[l] =
            square > 0 ? sqrt(square) * exp((sum / sqrt(square) - 1) / (m->sigma * m->sigma)) : 0;
    }
}

/* sum(dy * map(x)) */
static double loss(const struct map *m, const float *dy)
{
    const int depth = depth_of(m), n = m->filters, s = m->subsample, reach = s == 1 ? 0 : s;
    const int height = m->height + 2 * m->pad - m->kernel + 1,
              width = m->width + 2 * m->pad - m->kernel + 1;
    double unit[MOST_FILTERS * MOST_DEPTH], a[MOST_FILTERS * MOST_FILTERS], tap[9], sum = 0,
                                                                                    result = 0;
    for (int i = 0; i < n; i++) {
        double square = 0;
        for (int k = 0; k < depth; k++)
            square += m->anchor[i * depth + k] * m->anchor[i * depth + k];
        for (int k = 0; k < depth; k++)
            unit[i * depth + k] = m->anchor[i * depth + k] / sqrt(square);
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double u = 0;
            for (int k = 0; k < depth; k++) u += unit[i * depth + k] * unit[j * depth + k];
            a[i * n + j] = exp((u - 1) / (m->sigma * m->sigma));
        }
    }
    inverse_root(m, a);
    for (int i = -reach; i <= reach; i++) sum += tap[i + reach] = exp(-(double)(i * i) / (s * s));
    for (int image = 0; image < m->batch; image++) {
        for (int y = 0; y < height; y += s) {
            for (int x = 0; x < width; x += s, dy += n) {
                double pooled[MOST_FILTERS] = {0}, t[MOST_FILTERS];
                for (int i = -reach; i <= reach; i++) {
                    for (int j = -reach; j <= reach; j++) {
                        if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= width) continue;
                        place(m, unit, image, y + i, x + j, t);
                        for (int l = 0; l < n; l++)
                            pooled[l] += t[l] * tap[i + reach] * tap[j + reach] / (sum * sum);
                    }
                }
                for (int l = 0; l < n; l++)
                    for (int e = 0; e < n; e++) result += (double)dy[l] * a[l * n + e] * pooled[e];
            }
        }
    }
    return result;
}

static struct map random_map(int turn)
{
    struct map m = {.channels = (int)random_in(1, 2),
                    .kernel = (int)random_in(2, 3),
                    .filters = (int)random_in(1, MOST_FILTERS),
                    .subsample = (int)random_in(1, 3),
                    .centre = turn & 1,
                    .batch = (int)random_in(1, 2),
                    .height = (int)random_in(3, 6),
                    .width = (int)random_in(3, 6),
                    .sigma = (float)(0.5 + 0.5 * random_unit()),
                    .regulariser = 0.01f};
    m.pad = (int)random_in(0, m.kernel - 1);
    for (int i = 0; i < MOST_FILTERS * MOST_DEPTH; i++) m.anchor[i] = (float)random_gauss();
    for (int i = 0; i < MOST_PIXELS; i++) m.x[i] = (float)(random_gauss() + 0.3);
    return m;
}

static qnt_ckn *make(const struct map *m, int anchor_bits, int patch_bits)
{
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = m->channels,
                         .kernel = m->kernel,
                         .pad = m->pad,
                         .filters = m->filters,
                         .subsample = m->subsample,
                         .centre = m->centre,
                         .anchor_bits = anchor_bits,
                         .patch_bits = patch_bits,
                         .sigma = (float)m->sigma,
                         .regulariser = (float)m->regulariser};
    float anchor[MOST_FILTERS * MOST_DEPTH];
    qnt_ckn *ckn = NULL;
    for (int i = 0; i < m->filters * depth_of(m); i++) anchor[i] = (float)m->anchor[i];
    CHECK_MSG(qnt_ckn_create(c, &spec, &ckn) == QNT_OK &&
                  qnt_ckn_set(c, ckn, TENSOR(anchor, QNT_FLOAT, 32, m->filters, depth_of(m))) ==
                      QNT_OK,
              "%s", check_reason);
    return ckn;
}

struct gradients {
    float dy[MOST_RESULT], dx[MOST_PIXELS], danchors[MOST_FILTERS * MOST_DEPTH];
    double dsigma;
};

static void shape_of(const struct map *m, int64_t in[4], int64_t out[4])
{
    int height = m->height + 2 * m->pad - m->kernel, width = m->width + 2 * m->pad - m->kernel;
    memcpy(in, (int64_t[]){m->batch, m->height, m->width, m->channels}, 4 * sizeof *in);
    memcpy(out,
           (int64_t[]){m->batch, height / m->subsample + 1, width / m->subsample + 1, m->filters},
           4 * sizeof *out);
}

static void differentiate(const qnt_context *context, const struct map *m, const qnt_ckn *ckn,
                          struct gradients *g)
{
    float x[MOST_PIXELS];
    int64_t in[4], out[4];
    check_tensor vx = {0}, vy = {0}, vd = {0};
    shape_of(m, in, out);
    for (int i = 0; i < MOST_PIXELS; i++) x[i] = (float)m->x[i];
    OK(qnt_ckn_backward(context, ckn, check_view(&vx, x, QNT_FLOAT, 32, 4, in),
                        check_view(&vy, g->dy, QNT_FLOAT, 32, 4, out),
                        check_view(&vd, g->dx, QNT_FLOAT, 32, 4, in),
                        TENSOR(g->danchors, QNT_FLOAT, 32, m->filters, depth_of(m)), &g->dsigma));
}

/* The largest difference to central differences, as a share of the largest derivative. */
static double worst(struct map *m, const float *dy, double *by, const float *got, int n)
{
    double largest = 1e-3, off = 0;
    for (int i = 0; i < n; i++) {
        const double h = 1e-5, was = by[i];
        by[i] = was + h;
        double up = loss(m, dy);
        by[i] = was - h;
        double slope = (up - loss(m, dy)) / (2 * h);
        by[i] = was;
        largest = fmax(largest, fabs(slope));
        off = fmax(off, fabs(slope - (double)got[i]));
    }
    return off / largest;
}

/* K9: by input, anchors and sigma. Anchors of qnt_ckn_get have norm 1; differences leave the sphere,
 * and the normalisation of the map in double leads back. */
static void differences(void)
{
    for (int turn = 0; turn < ROUNDS(12); turn++) {
        struct map m = random_map(turn);
        struct gradients g;
        qnt_ckn *ckn = make(&m, 32, 32);
        float kept[MOST_FILTERS * MOST_DEPTH], sigma;
        for (int i = 0; i < MOST_RESULT; i++) g.dy[i] = (float)random_gauss();
        OK(qnt_ckn_get(c, ckn, TENSOR(kept, QNT_FLOAT, 32, m.filters, depth_of(&m))));
        for (int i = 0; i < m.filters * depth_of(&m); i++) m.anchor[i] = (double)kept[i];
        differentiate(c, &m, ckn, &g);
        double by_x = worst(&m, g.dy, m.x, g.dx, m.batch * m.height * m.width * m.channels);
        double by_anchors = worst(&m, g.dy, m.anchor, g.danchors, m.filters * depth_of(&m));
        sigma = (float)g.dsigma;
        double by_sigma = worst(&m, g.dy, &m.sigma, &sigma, 1);
        CHECK_MSG(by_x < 2e-5 && by_anchors < 2e-5 && by_sigma < 1e-4, "x %g, anchors %g, sigma %g",
                  by_x, by_anchors, by_sigma);
        qnt_ckn_destroy(ckn);
    }
}

/* Rounded values, passed through: with rounding fine enough, nearly the derivatives of floats; a
 * rounded anchor counts as what is kept of it, so floats at those anchors are the same. */
static void rounded(void)
{
    for (int turn = 0; turn < ROUNDS(10); turn++) {
        struct map m = random_map(turn);
        struct gradients g, f;
        float kept[MOST_FILTERS * MOST_DEPTH];
        qnt_ckn *ckn = make(&m, (int)random_in(2, 8), turn % 2 ? 32 : 8);
        OK(qnt_ckn_get(c, ckn, TENSOR(kept, QNT_FLOAT, 32, m.filters, depth_of(&m))));
        for (int i = 0; i < m.filters * depth_of(&m); i++) m.anchor[i] = (double)kept[i];
        qnt_ckn *floats = make(&m, 32, 32);
        for (int i = 0; i < MOST_RESULT; i++) f.dy[i] = g.dy[i] = (float)random_gauss();
        differentiate(c, &m, ckn, &g);
        differentiate(c, &m, floats, &f);
        double size = 0, off = 0;
        for (int i = 0; i < m.filters * depth_of(&m); i++) {
            double d = (double)g.danchors[i] - (double)f.danchors[i];
            off += d * d, size += (double)f.danchors[i] * (double)f.danchors[i];
        }
        CHECK_MSG(sqrt(off) <= (turn % 2 ? 1e-4 : 0.1) * sqrt(size) + 1e-4, "%g of %g", sqrt(off),
                  sqrt(size));
        qnt_ckn_destroy(ckn), qnt_ckn_destroy(floats);
    }
}

/* The same for any number of workers and layout; each result alone is what it is with the others. */
static void anywhere(void)
{
    qnt_pool *pool = NULL;
    qnt_context *other = check_context();
    OK(qnt_pool_create(other, 3, &pool));
    OK(qnt_context_set_parallel(other, qnt_pool_run, pool, 3));
    for (int turn = 0; turn < ROUNDS(10); turn++) {
        struct map m = random_map(turn);
        struct gradients a, b;
        int64_t in[4], out[4];
        qnt_ckn *ckn = make(&m, 32, 32);
        for (int i = 0; i < MOST_RESULT; i++) a.dy[i] = b.dy[i] = (float)random_gauss();
        differentiate(c, &m, ckn, &a);
        differentiate(other, &m, ckn, &b);
        shape_of(&m, in, out);
        size_t pixels = (size_t)(m.batch * m.height * m.width * m.channels) * sizeof(float);
        size_t anchors = (size_t)(m.filters * depth_of(&m)) * sizeof(float);
        CHECK(!memcmp(a.dx, b.dx, pixels) && !memcmp(a.danchors, b.danchors, anchors) &&
              a.dsigma == b.dsigma);
        strided x, dx;
        check_tensor vy = {0};
        qnt_tensor *dy = check_view(&vy, a.dy, QNT_FLOAT, 32, 4, out);
        strided_random(&x, QNT_FLOAT, 32, 4, in), strided_random(&dx, QNT_FLOAT, 32, 4, in);
        for (size_t e = 0; e < x.count; e++) {
            float value = (float)m.x[e];
            uint32_t u;
            memcpy(&u, &value, sizeof u);
            strided_set(&x, e, u);
        }
        OK(qnt_ckn_backward(c, ckn, &x.view.t, dy, &dx.view.t, NULL, NULL));
        for (size_t e = 0; e < dx.count; e++) {
            uint32_t u;
            memcpy(&u, &a.dx[e], sizeof u);
            CHECK(strided_get(&dx, e) == u);
        }
        memset(b.danchors, 0xff, sizeof b.danchors);
        OK(qnt_ckn_backward(c, ckn, &x.view.t, dy, NULL,
                            TENSOR(b.danchors, QNT_FLOAT, 32, m.filters, depth_of(&m)), NULL));
        CHECK(!memcmp(a.danchors, b.danchors, anchors));
        strided_free(&x), strided_free(&dx), qnt_ckn_destroy(ckn);
    }
    qnt_context_destroy(other);
    qnt_pool_destroy(pool);
}

static void bad_input(void)
{
    static float x[3 * 16], dy[3 * 4 * 2], dx[3 * 16], anchors[2 * 9];
    qnt_ckn_spec spec = {.size = sizeof spec, .channels = 1, .kernel = 3, .filters = 2};
    qnt_ckn *ckn;
    qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, 3, 4, 4, 1),
               *tdy = TENSOR(dy, QNT_FLOAT, 32, 3, 2, 2, 2),
               *tdx = TENSOR(dx, QNT_FLOAT, 32, 3, 4, 4, 1),
               *ta = TENSOR(anchors, QNT_FLOAT, 32, 2, 9);
    double dsigma;
    OK(qnt_ckn_create(c, &spec, &ckn));
    FAILS(qnt_ckn_backward(c, ckn, tx, tdy, tdx, ta, NULL), QNT_E_STATE, "no anchors");
    for (int i = 0; i < 18; i++) anchors[i] = (float)random_gauss();
    for (int i = 0; i < 24; i++) dy[i] = 1;
    OK(qnt_ckn_set(c, ckn, ta));
    FAILS(qnt_ckn_backward(c, NULL, tx, tdy, tdx, ta, NULL), QNT_E_INVALID, "ckn is NULL");
    FAILS(qnt_ckn_backward(c, ckn, TENSOR(x, QNT_FLOAT, 32, 3, 4, 4), tdy, tdx, ta, NULL),
          QNT_E_SHAPE, "ndim");
    FAILS(qnt_ckn_backward(c, ckn, tx, TENSOR(dy, QNT_FLOAT, 32, 3, 2, 4, 1), tdx, ta, NULL),
          QNT_E_SHAPE, "dy: expected shape 3 x 2 x 2 x 2");
    FAILS(qnt_ckn_backward(c, ckn, tx, tdy, TENSOR(dx, QNT_FLOAT, 32, 3, 16), ta, NULL),
          QNT_E_SHAPE, "dx");
    FAILS(qnt_ckn_backward(c, ckn, tx, tdy, tdx, TENSOR(anchors, QNT_FLOAT, 32, 9, 2), NULL),
          QNT_E_SHAPE, "danchors: expected shape 2 x 9");
    FAILS(qnt_ckn_backward(c, ckn, tx, tdy, TENSOR(x, QNT_FLOAT, 32, 3, 4, 4, 1), ta, NULL),
          QNT_E_INVALID, "overlaps");
    /* Constant images, of which nothing is left when they are centred: no derivative, nothing else. */
    OK(qnt_ckn_backward(c, ckn, tx, tdy, tdx, ta, &dsigma));
    for (int i = 0; i < 48; i++) CHECK(dx[i] == 0);
    for (int i = 0; i < 18; i++) CHECK(anchors[i] == 0);
    CHECK(dsigma == 0);
    qnt_ckn_destroy(ckn);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(differences);
    RUN(rounded);
    RUN(anywhere);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
