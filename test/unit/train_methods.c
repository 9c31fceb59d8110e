/* Trainable quantizers: what is trained is what is deployed, gradients against their definitions,
 * limits, schedules, bad input. */
#include "check.h"
#include "strided.h"
#include "training.h"

/* forward() is the exported quantizer, bit for bit, through its codes and after saving and loading.
 */
static void deployed(void)
{
    static float x[N], y[N], z[N], v[N];
    static uint8_t codes[N];
    for (int i = 0; i < ROUNDS(KINDS * 40); i++) {
        bool weights = i / KINDS % 2;
        qnt_spec spec = spec_of(i % KINDS, weights, (int)random_in(1, 8));
        if (random_in(0, 2) == 0) spec.flags |= QNT_LITERAL;
        spec.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK);
        if (spec.grain == QNT_PER_AXIS) spec.axis = (int32_t)random_in(0, 1);
        if (spec.grain == QNT_PER_BLOCK) spec.axis = 1, spec.block = random_in(1, 20);
        int64_t rows = random_in(1, 6), columns = N / 6;
        qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, rows, columns);
        qnt_tensor *tc = TENSOR(codes, weights && spec.scheme == QNT_AFFINE ? QNT_INT : QNT_UINT, 8,
                                rows, columns);
        fill(x, (size_t)(rows * columns), weights);
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, tx));
        set(t, QNT_P_HARD, 1);
        qnt_quantizer *q = NULL, *copy = NULL;
        OK(qnt_trainer_export(c, t, tx, &q));
        OK(qnt_trainer_forward(c, t, tx, TENSOR(y, QNT_FLOAT, 32, rows, columns)));
        OK(qnt_quantizer_encode(c, q, tx, tc));
        OK(qnt_quantizer_decode(c, q, tc, TENSOR(z, QNT_FLOAT, 32, rows, columns)));
        CHECK_MSG(!memcmp(y, z, (size_t)(rows * columns) * 4), "method %d, bits %d", spec.method,
                  spec.bits);
        size_t bytes;
        static uint8_t blob[1 << 19];
        OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
        OK(qnt_quantizer_load(c, blob, bytes, &copy));
        OK(qnt_quantizer_apply(c, copy, tx, TENSOR(v, QNT_FLOAT, 32, rows, columns)));
        CHECK(!memcmp(y, v, (size_t)(rows * columns) * 4));
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy), qnt_trainer_destroy(t);
    }
}

static double sigmoid(double u)
{
    return 1 / (1 + exp(-u));
}

static double clip(double v, double low, double high)
{
    return fmin(fmax(v, low), high);
}

/* The published hard function of x, written anew. */
static double hard(const qnt_trainer *t, const double *theta, double x, double fact)
{
    const bool weights = t->spec.flags & QNT_SIGNED;
    const double steps = (1 << t->spec.bits) - 1, half = 1 << (t->spec.bits - 1);
    const double low = weights ? -half : 0, high = weights ? half - 1 : steps;
    const double zero = clip(rint(-theta[1] / theta[0]), low, high);
    switch (t->spec.method) {
    case QNT_LSQ:
    case QNT_RQ:
    case QNT_SRQ: return theta[0] * clip(rint(x / theta[0]), low, high);
    case QNT_LSQPLUS:
        if (t->spec.flags & QNT_LITERAL)
            return theta[0] * clip(rint((x - theta[1]) / theta[0]), low, high) + theta[1];
        return theta[0] * (clip(rint(x / theta[0]) + zero, low, high) - zero);
    case QNT_PACT: {
        double step = theta[0] / (weights ? half - 1 : steps);
        return step * rint(clip(x, weights ? -theta[0] : 0, theta[0]) / step);
    }
    case QNT_DOREFA:
        if (!weights) return rint(clip(x, 0, 1) * steps) / steps;
        if (t->spec.bits == 1) return x > 0 ? fact : -fact;
        return 2 * rint((tanh(x) / (2 * tanh(fact)) + 0.5) * steps) / steps - 1;
    case QNT_EWGS:
    case QNT_INTERVAL: {
        double q = rint(clip((x - theta[0]) / (theta[1] - theta[0]), 0, 1) * steps) / steps;
        return weights ? 2 * (q - 0.5) : q;
    }
    case QNT_N2UQ: {
        double scale = (steps + 1) / 2 / steps / fact, end = theta[1], count = 0;
        if (weights)
            return (2 * rint((clip(scale * x, -1, 1) + 1) / 2 * steps) / steps - 1) / scale;
        for (int i = 0; i < steps; end += theta[2 + i++]) count += x > end + theta[2 + i] / 2;
        return theta[0] * count;
    }
    default: {
        double sum = t->level[0];
        for (int i = 0; i + 1 < t->levels; i++)
            sum += (t->level[i + 1] - t->level[i]) * (theta[1] * x > theta[2 + i]);
        return theta[0] * sum;
    }
    }
}

/* Forward agrees with the formula but for numbers within a hair of a threshold. */
static void formulas(void)
{
    static float x[N], y[N];
    static double theta[MOST_THETA];
    for (int i = 0; i < ROUNDS(KINDS * 40); i++) {
        bool weights = i / KINDS % 2;
        qnt_spec spec = spec_of(i % KINDS, weights, (int)random_in(1, 6));
        if (spec.method == QNT_BALANCED) continue; /* has no formula of one element */
        if (random_in(0, 1)) spec.flags |= QNT_LITERAL;
        fill(x, N, weights);
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        set(t, QNT_P_HARD, 1);
        theta_of(t, theta);
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        double largest = 0, mean = 0;
        for (int e = 0; e < N; e++) {
            largest = fmax(largest, fabs((double)x[e]));
            mean += fabs((double)x[e]) / N;
        }
        double fact = spec.method == QNT_DOREFA && spec.bits > 1 ? largest : mean;
        for (int e = 0; e < N; e++) {
            double v = (double)x[e], h = 1e-5 * (fabs(v) + 1e-3);
            double low = hard(t, theta, v - h, fact), high = hard(t, theta, v + h, fact);
            double near = 1e-5 * (fabs(low) + fabs(high) + 1e-6);
            CHECK_MSG((double)y[e] >= low - near && (double)y[e] <= high + near,
                      "method %d bits %d: %g gave %g, expected %g", spec.method, spec.bits, v,
                      (double)y[e], hard(t, theta, v, fact));
        }
        qnt_trainer_destroy(t);
    }
}

/* The function whose derivative a method's backward is, with what it treats as constant in *frozen:
 * the residue of rounding, a maximum, a chosen class. */
struct frozen {
    double residue, fact, chosen;
    double gate[QNT__GATES];
};

static double expected_grid(const qnt_trainer *t, const double *theta, double x,
                            const struct frozen *f)
{
    const bool weights = t->spec.flags & QNT_SIGNED;
    const int half = 1 << (t->spec.bits - 1), low = weights ? -half : 0;
    const int high = weights ? half - 1 : 2 * half - 1;
    const bool literal = t->spec.flags & QNT_LITERAL;
    double mass = 0, mean = 0, own = 0;
    for (int k = low; k <= high; k++) {
        int gate = 0;
        for (int b = 2; k < -1 || k > 1; b++) {
            gate = b;
            if (k >= -(1 << (b - 1)) && k < 1 << (b - 1)) break;
        }
        double p = sigmoid((theta[0] * (k + 0.5) - x) / theta[1]) -
                   sigmoid((theta[0] * (k - 0.5) - x) / theta[1]);
        p *= f->gate[gate];
        mass += p, mean += p * k;
        if (k == f->chosen) own = p;
    }
    return literal ? own / mass : mean / mass;
}

static double smooth(const qnt_trainer *t, const double *theta, double x, const struct frozen *f)
{
    const bool weights = t->spec.flags & QNT_SIGNED;
    const double steps = (1 << t->spec.bits) - 1, half = 1 << (t->spec.bits - 1);
    const double low = weights ? -half : 0, high = weights ? half - 1 : steps;
    switch (t->spec.method) {
    case QNT_LSQ:
    case QNT_LSQPLUS: {
        bool plus = t->spec.method == QNT_LSQPLUS;
        double offset = plus ? theta[1] : 0, v = (x - offset) / theta[0];
        return theta[0] * (v < low ? low : v > high ? high : v + f->residue) + offset;
    }
    case QNT_BALANCED: return x;
    case QNT_PACT: return clip(x, weights ? -theta[0] : 0, theta[0]);
    case QNT_DOREFA:
        if (weights) return t->spec.bits == 1 ? x : tanh(x) / tanh(f->fact);
        return clip(x, 0, 1);
    case QNT_EWGS:
    case QNT_INTERVAL: {
        double v = clip((x - theta[0]) / (theta[1] - theta[0]), 0, 1);
        return weights ? 2 * v - 1 : v;
    }
    case QNT_N2UQ: {
        if (weights) {
            double scale = (steps + 1) / 2 / steps / f->fact;
            return clip(scale * x, -1, 1) / scale;
        }
        double end = theta[1];
        for (int i = 0; i < steps; end += theta[2 + i++]) {
            if (x < end) return theta[0] * i;
            if (x < end + theta[2 + i]) return theta[0] * (i + (x - end) / theta[2 + i]);
        }
        return theta[0] * steps;
    }
    case QNT_STAIRCASE: {
        double sum = t->level[0];
        for (int i = 0; i + 1 < t->levels; i++)
            sum += (t->level[i + 1] - t->level[i]) *
                   sigmoid(t->options.temperature * (theta[1] * x - theta[2 + i]));
        return theta[0] * sum;
    }
    default: return theta[0] * expected_grid(t, theta, x, f);
    }
}

/* Near a corner of the smooth function the two sides differ: no statement there. */
static bool corner(const qnt_trainer *t, const double *theta, double x, const struct frozen *f,
                   double h)
{
    double left = (smooth(t, theta, x, f) - smooth(t, theta, x - h, f)) / h;
    double right = (smooth(t, theta, x + h, f) - smooth(t, theta, x, f)) / h;
    bool bends = t->spec.method == QNT_STAIRCASE || t->spec.method == QNT_SRQ;
    return fabs(left - right) > (bends ? 1e-2 : 1e-4) * (1 + fabs(left));
}

/* Is x of LSQ so near to the outermost codes that a difference sees both sides? */
static bool at_end(const qnt_spec *spec, const double *theta, double x)
{
    const double half = 1 << (spec->bits - 1);
    const bool weights = spec->flags & QNT_SIGNED, plus = spec->method == QNT_LSQPLUS;
    if (spec->method != QNT_LSQ && !plus) return false;
    const double v = (x - (plus ? theta[1] : 0)) / theta[0];
    return fabs(v - (weights ? -half : 0)) < 1e-3 ||
           fabs(v - (weights ? half - 1 : 2 * half - 1)) < 1e-3;
}

static void gradients(void)
{
    static float x[N], dy[N], dx[N];
    static double theta[MOST_THETA], dtheta[MOST_THETA], moved[MOST_THETA];
    for (int i = 0; i < ROUNDS(KINDS * 60); i++) {
        bool weights = i / KINDS % 2;
        qnt_spec spec = spec_of(i % KINDS, weights, (int)random_in(1, 4));
        bool srq = spec.method == QNT_SRQ;
        if (spec.method == QNT_RQ) continue; /* below, through its own forward */
        if (spec.method == QNT_LSQPLUS || (srq && random_in(0, 1))) spec.flags |= QNT_LITERAL;
        fill(x, N, weights);
        for (int e = 0; e < N; e++) dy[e] = (float)random_gauss();
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        if (srq && weights && random_in(0, 1)) set(t, QNT_P_KEEP, 0.7);
        if (spec.method == QNT_EWGS) set(t, QNT_P_DELTA, 0.0);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        if (spec.method == QNT_STAIRCASE) set(t, QNT_P_TEMPERATURE, 1 + 9 * random_unit());
        set(t, QNT_P_STEP, i);
        size_t count = theta_of(t, theta);
        for (size_t k = 0; k < count; k++) /* off the corners where methods start */
            theta[k] = theta[k] * (1 + 0.1 * random_unit()) + (k < 2 ? 0.013 * random_unit() : 0);
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        theta_of(t, theta);
        for (int e = 0; e < N; e++) /* with the residue held, the ends of the codes are jumps */
            if (at_end(&spec, theta, (double)x[e])) dy[e] = 0;
        OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(dy, QNT_FLOAT, 32, N),
                                TENSOR(dx, QNT_FLOAT, 32, N), dtheta, count));

        struct frozen f[N];
        struct qnt__pass pass;
        double largest = 0, mean = 0;
        for (int e = 0; e < N; e++) {
            largest = fmax(largest, fabs((double)x[e]));
            mean += fabs((double)x[e]) / N;
        }
        qnt__train_pass(t, 0, N, NULL, &pass);
        for (int e = 0; e < N; e++) {
            double v = ((double)x[e] - (spec.method == QNT_LSQPLUS ? theta[1] : 0)) / theta[0];
            f[e].residue = rint(v) - v;
            f[e].fact = spec.method == QNT_N2UQ ? mean : largest;
            memcpy(f[e].gate, pass.gate, sizeof pass.gate);
            if (!srq) continue;
            double best = -1; /* the class of most mass */
            int half = 1 << (spec.bits - 1);
            for (int k = weights ? -half : 0; k < (weights ? half : 2 * half); k++) {
                struct frozen one = f[e];
                one.chosen = k;
                qnt_trainer literal = *t;
                literal.spec.flags |= QNT_LITERAL;
                double p = expected_grid(&literal, theta, (double)x[e], &one);
                if (p > best) best = p, f[e].chosen = k;
            }
        }
        double scale = spec.method == QNT_LSQ || spec.method == QNT_LSQPLUS
                           ? sqrt(N * ((1 << (spec.bits - (weights ? 1 : 0))) - 1.0))
                           : 1;
        const bool chosen = srq && (spec.flags & QNT_LITERAL);
        for (int e = 0; e < N; e++) {
            double v = (double)x[e], h = 1e-5;
            if (corner(t, theta, v, &f[e], h)) continue;
            if (spec.method == QNT_DOREFA && fabs(v) == largest) continue; /* maximum(), below */
            double slope =
                (smooth(t, theta, v + h, &f[e]) - smooth(t, theta, v - h, &f[e])) / (2 * h);
            double expected = (double)dy[e] * slope * (chosen ? f[e].chosen : 1);
            CHECK_MSG(fabs((double)dx[e] - expected) <= 2e-4 * (1 + fabs(expected)),
                      "method %d bits %d flags %x: dx at %g is %g, expected %g", spec.method,
                      spec.bits, (unsigned)spec.flags, v, (double)dx[e], expected);
        }
        for (size_t k = 0; k < count; k++) {
            double h = 1e-5 * fmax(fabs(theta[k]), 1e-3), sum = 0, size = 1e-3;
            for (int e = 0; e < N; e++) {
                double v = (double)x[e];
                struct frozen up = f[e], down = f[e];
                if (srq &&
                    k >= 2) { /* gates move with their logits, by the slopes that are drawn */
                    up.gate[k] += h * pass.slope[k], down.gate[k] -= h * pass.slope[k];
                }
                memcpy(moved, theta, count * sizeof *moved);
                moved[k] = theta[k] + h;
                double high = smooth(t, moved, v, &up);
                moved[k] = theta[k] - h;
                double low = smooth(t, moved, v, &down);
                if (chosen) { /* alpha multiplies the class itself, and its probability */
                    high = f[e].chosen * (expected_grid(t, moved, v, &up) * theta[0]);
                    moved[k] = theta[k] + h;
                    high = f[e].chosen *
                           (expected_grid(t, moved, v, &up) * theta[0] + (k == 0 ? h : 0));
                    moved[k] = theta[k] - h;
                    low = f[e].chosen *
                          (expected_grid(t, moved, v, &down) * theta[0] - (k == 0 ? h : 0));
                } else if (srq && k == 0) {
                    moved[k] = theta[k] + h;
                    high = theta[0] * expected_grid(t, moved, v, &up) + h * f[e].chosen;
                    moved[k] = theta[k] - h;
                    low = theta[0] * expected_grid(t, moved, v, &down) - h * f[e].chosen;
                } else if (spec.method == QNT_N2UQ && k == 0) {
                    high = (theta[0] + h) * hard(t, theta, v, mean) / theta[0];
                    low = (theta[0] - h) * hard(t, theta, v, mean) / theta[0];
                }
                sum += (double)dy[e] * (high - low) / (2 * h);
                size += fabs((double)dy[e] * (high - low) / (2 * h));
            }
            /* a few values may lie on corners */
            double tolerance = spec.method == QNT_STAIRCASE || srq ? 1e-4 : 1e-3;
            CHECK_MSG(fabs(dtheta[k] * scale - sum) <= tolerance * size,
                      "method %d bits %d flags %x: gradient %zu is %g, expected %g", spec.method,
                      spec.bits, (unsigned)spec.flags, k, dtheta[k] * scale, sum);
        }
        qnt_trainer_destroy(t);
    }
}

/* What DoReFa's weights pass on, of whole groups: tanh(x) over the largest of them. */
static double through_maximum(const float *x, const float *dy, int n)
{
    double largest = 0, sum = 0;
    for (int e = 0; e < n; e++) largest = fmax(largest, fabs(tanh((double)x[e])));
    for (int e = 0; e < n; e++) sum += (double)dy[e] * tanh((double)x[e]) / largest;
    return sum;
}

/* DoReFa's gradient is that of the whole tensor, its maximum included, for every element; where
 * several have the largest magnitude, along the direction in which all of them grow. */
static void maximum(void)
{
    static float x[N], dy[N], dx[N];
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_spec spec = spec_of(3, true, (int)random_in(2, 8));
        const int groups = i % 3 ? 1 : 4, each = N / groups, ties = (int)random_in(1, 4);
        if (groups > 1) spec.grain = QNT_PER_AXIS;
        qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, groups, each);
        fill(x, N, true);
        for (int e = 0; e < N; e++) dy[e] = (float)random_gauss();
        for (int e = 0; e < N; e++)
            if (e % each < ties) x[e] = e % 2 ? 2.75f : -2.75f; /* larger than any other */
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, tx));
        OK(qnt_trainer_backward(c, t, tx, TENSOR(dy, QNT_FLOAT, 32, groups, each),
                                TENSOR(dx, QNT_FLOAT, 32, groups, each), NULL, 0));
        for (int g = 0; g < groups; g++) {
            float moved[2][N], *own = x + g * each;
            const float h = 0x1p-9f;
            double along = 0;
            for (int e = ties - 1; e < each; e++) {
                for (int s = 0; s < 2; s++) {
                    memcpy(moved[s], own, (size_t)each * sizeof *own);
                    for (int k = e < ties ? 0 : e; k <= e; k++)
                        moved[s][k] += (own[k] > 0) == (s == 0) ? h : -h;
                }
                double slope = (through_maximum(moved[0], dy + g * each, each) -
                                through_maximum(moved[1], dy + g * each, each)) /
                               (double)(2 * h);
                double found = 0;
                for (int k = e < ties ? 0 : e; k <= e; k++)
                    found += (double)(own[k] > 0 ? dx[g * each + k] : -dx[g * each + k]);
                if (e < ties) along = slope;
                CHECK_MSG(fabs(found - slope) <= 1e-4 * (1 + fabs(slope)),
                          "bits %d, element %d, %d ties: %g, expected %g", spec.bits, e, ties,
                          found, slope);
            }
            CHECK(fabs(along) > 0);
        }
        qnt_trainer_destroy(t);
    }
}

/* Concrete samples (literal RQ) are differentiable themselves: backward is the slope of forward.
 * Without the flag forward draws one class, always on the grid. */
static void samples(void)
{
    static float x[N], y[N], z[N], dy[N], dx[N];
    static double theta[4], moved[4], dtheta[4];
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_spec spec = spec_of(8, i % 2, (int)random_in(2, 4));
        spec.flags |= QNT_LITERAL;
        fill(x, N, i % 2);
        for (int e = 0; e < N; e++) dy[e] = (float)random_gauss();
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        set(t, QNT_P_STEP, i);
        size_t count = theta_of(t, theta);
        OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(dy, QNT_FLOAT, 32, N),
                                TENSOR(dx, QNT_FLOAT, 32, N), dtheta, count));
        for (size_t k = 0; k < count; k++) {
            double h = 1e-3 * theta[k], sum = 0, size = 0;
            memcpy(moved, theta, sizeof moved);
            moved[k] = theta[k] + h;
            OK(qnt_trainer_set(c, t, QNT_P_THETA, moved, count));
            OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
            moved[k] = theta[k] - h;
            OK(qnt_trainer_set(c, t, QNT_P_THETA, moved, count));
            OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
            for (int e = 0; e < N; e++) {
                double slope = (double)dy[e] * ((double)y[e] - (double)z[e]) / (2 * h);
                sum += slope, size += fabs(slope);
            }
            CHECK_MSG(fabs(dtheta[k] - sum) <= 1e-3 * size, "gradient %zu is %g, expected %g", k,
                      dtheta[k], sum);
        }
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        float h = 1e-3f;
        for (int e = 0; e < N; e++) x[e] += h;
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        for (int e = 0; e < N; e++) x[e] -= 2 * h;
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
        for (int e = 0; e < N; e++) {
            double slope = (double)dy[e] * ((double)y[e] - (double)z[e]) / (2 * (double)h);
            CHECK_MSG(fabs((double)dx[e] - slope) <= 2e-2 * (1 + fabs(slope)), "%g, expected %g",
                      (double)dx[e], slope);
        }
        qnt_trainer_destroy(t);
        spec.flags &= ~QNT_LITERAL;
        t = create(spec);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        theta_of(t, theta);
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        for (int e = 0; e < N; e++) {
            double code = (double)y[e] / (double)(float)theta[0];
            CHECK(fabs(code - rint(code)) < 1e-5);
        }
        qnt_trainer_destroy(t);
    }
}

/* Temperature without end and noise that vanishes give the hard quantizer, away from thresholds. */
static void limits(void)
{
    static float x[N], y[N], z[N];
    static double theta[MOST_THETA];
    for (int i = 0; i < ROUNDS(60); i++) {
        bool weights = i / 2 % 2;
        qnt_spec spec = spec_of(i % 2 ? 7 : 8, weights, (int)random_in(2, 4));
        fill(x, N, weights);
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        size_t count = theta_of(t, theta);
        double near = 0.04; /* of a step, around thresholds */
        if (spec.method == QNT_RQ)
            theta[1] = theta[0] / 1024;
        else
            set(t, QNT_P_TEMPERATURE, 1000);
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        set(t, QNT_P_HARD, 1);
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
        for (int e = 0; e < N; e++) {
            bool close = false;
            double v = (double)x[e];
            for (int k = 0; k + 1 < t->levels; k++) {
                close |= fabs(theta[1] * v - theta[2 + k]) < near;
            }
            if (spec.method == QNT_RQ)
                close = fabs(v / theta[0] - floor(v / theta[0]) - 0.5) < near;
            CHECK_MSG(close ||
                          fabs((double)y[e] - (double)z[e]) <= 1e-6 * fabs((double)z[e]) + 1e-9,
                      "method %d: %g gave %g, hard %g", spec.method, v, (double)y[e], (double)z[e]);
        }
        qnt_trainer_destroy(t);
    }
}

/* Soft thresholds: the temperature follows the epochs, and literal weights stop at 2000. */
static void schedules(void)
{
    static float x[N], y[N], z[N];
    struct qnt__pass pass;
    fill(x, N, true);
    qnt_trainer *t = create(spec_of(7, true, 2));
    OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
    set(t, QNT_P_TEMPERATURE, 5), set(t, QNT_P_EPOCH, 100);
    for (int step = 0; step < 1000; step += 50) {
        set(t, QNT_P_STEP, step);
        qnt__train_pass(t, 0, N, NULL, &pass);
        CHECK(pass.temperature == 5.0 * (step / 100 + 1));
    }
    double back = 10;
    FAILS(qnt_trainer_set(c, t, QNT_P_STEP, &back, 1), QNT_E_INVALID, "go back");
    qnt_trainer_destroy(t);

    /* DropBits: masks change with the step, are repeatable, and are gone at the end. */
    qnt_spec spec = spec_of(9, true, 4);
    t = create(spec);
    set(t, QNT_P_KEEP, 0.5), set(t, QNT_P_ANNEAL, 100);
    OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
    int differ = 0, dropped = 0;
    for (int step = 0; step <= 110; step += 10) {
        set(t, QNT_P_STEP, step);
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
        CHECK(!memcmp(y, z, sizeof y));
        qnt__train_pass(t, 0, N, NULL, &pass);
        dropped += pass.drops;
        qnt_quantizer *q = NULL;
        OK(qnt_trainer_export(c, t, NULL, &q));
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
        differ += memcmp(y, z, sizeof y) != 0;
        if (step >= 100) CHECK(!memcmp(y, z, sizeof y) && !pass.drops);
        qnt_quantizer_destroy(q);
    }
    CHECK_MSG(differ >= 3 && dropped >= 3, "%d, %d of 10 steps dropped something", differ, dropped);
    qnt_trainer_destroy(t);
}

/* Learned bits: the penalty closes the highest gates first if nothing holds them, and what is left
 * is a grid of fewer bits. */
static void learned_bits(void)
{
    static float x[N];
    static double theta[16], dtheta[16];
    fill(x, N, true);
    qnt_trainer *t = create(spec_of(9, true, 5));
    set(t, QNT_P_KEEP, 0.9);
    set(t, QNT_P_PENALTY, 1);
    OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
    size_t count = theta_of(t, theta);
    CHECK(count == 6);
    static float dy[N];
    OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(dy, QNT_FLOAT, 32, N), NULL,
                            dtheta, count));
    for (size_t k = 2; k < count; k++) CHECK(dtheta[k] > 0);
    for (int bits = 5; bits >= 1; bits--) {
        qnt_quantizer *q = NULL;
        qnt_spec found = {.size = sizeof found};
        for (int b = 2; b <= 5; b++) theta[b] = b > bits ? -8 : 8;
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        OK(qnt_trainer_export(c, t, NULL, &q));
        OK(qnt_quantizer_spec(c, q, &found));
        CHECK(found.bits == (bits < 2 ? 2 : bits) && !(found.flags & QNT_NARROW) == (bits > 1));
        qnt_quantizer_destroy(q);
    }
    theta[2] = -8, theta[3] = theta[4] = theta[5] = 8; /* a lower bit cannot go before a higher */
    OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
    qnt_quantizer *q = NULL;
    qnt_spec found = {.size = sizeof found};
    OK(qnt_trainer_export(c, t, NULL, &q));
    OK(qnt_quantizer_spec(c, q, &found));
    CHECK(found.bits == 5);
    qnt_quantizer_destroy(q), qnt_trainer_destroy(t);
}

/* Gradient descent on the numbers alone brings y nearer to x, for every method that learns some. */
static void learns(void)
{
    static float x[N], y[N], dy[N];
    static double theta[MOST_THETA], dtheta[MOST_THETA], best[MOST_THETA];
    for (int i = 0; i < 2 * KINDS; i++) {
        bool weights = i / KINDS, interval = false;
        qnt_spec spec = spec_of(i % KINDS, weights, 3);
        fill(x, N, weights);
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        size_t count = theta_of(t, theta);
        interval = spec.method == QNT_INTERVAL || spec.method == QNT_EWGS; /* learn no scale */
        if (count == 0 || interval) {
            qnt_trainer_destroy(t);
            continue;
        }
        for (size_t k = 0; k < (spec.method == QNT_STAIRCASE ? 1 : count) && k < 2; k++) {
            theta[k] *= spec.method == QNT_PACT ? 0.4 : 1.6; /* a poor beginning */
        }
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        double first = 0, least = 1e30;
        memcpy(best, theta, sizeof best);
        for (int step = 0; step < 300; step++) {
            double loss = 0, norm = 0;
            set(t, QNT_P_STEP, step);
            OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
            for (int e = 0; e < N; e++) {
                dy[e] = (y[e] - x[e]) / N;
                loss += 0.5 * (double)(dy[e] * (y[e] - x[e]));
            }
            if (step == 0) first = loss;
            least = fmin(least, loss);
            OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(dy, QNT_FLOAT, 32, N),
                                    NULL, dtheta, count));
            for (size_t k = 0; k < count; k++) norm += dtheta[k] * dtheta[k];
            for (size_t k = 0; k < count && norm > 0; k++)
                theta[k] -= 0.004 * dtheta[k] / sqrt(norm);
            OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
            theta_of(t, theta);
        }
        CHECK_MSG(least < 0.8 * first, "method %d, signed %d: %g became %g", spec.method, weights,
                  first, least);
        qnt_trainer_destroy(t);
    }
}

/* Layouts, half floats, in place, and workers change nothing. */
static void views(void)
{
    static float y[N], z[N], dx[N], dz[N];
    static double d1[MOST_THETA], d2[MOST_THETA];
    qnt_pool *pool = NULL;
    qnt_context *wide = check_context();
    OK(qnt_pool_create(wide, 3, &pool));
    OK(qnt_context_set_parallel(wide, qnt_pool_run, pool, 3));
    for (int i = 0; i < ROUNDS(KINDS * 12); i++) {
        bool weights = i / KINDS % 2;
        int64_t shape[] = {random_in(1, 5), random_in(1, 6), random_in(1, 8)};
        size_t n = (size_t)(shape[0] * shape[1] * shape[2]), count;
        qnt_spec spec = spec_of(i % KINDS, weights, (int)random_in(1, 4));
        spec.grain = i % 3, spec.axis = spec.grain ? (int32_t)random_in(0, 2) : 0;
        if (spec.grain == QNT_PER_BLOCK) spec.block = random_in(1, 4);
        strided sx, sdy;
        strided_random(&sx, QNT_FLOAT, 32, 3, shape);
        strided_random(&sdy, QNT_FLOAT, 32, 3, shape);
        static float x[N], dy[N];
        fill(x, n, weights), fill(dy, n, true);
        for (size_t e = 0; e < n; e++) {
            uint32_t bits[2];
            memcpy(&bits[0], &x[e], 4), memcpy(&bits[1], &dy[e], 4);
            strided_set(&sx, e, bits[0]);
            strided_set(&sdy, e, bits[1]);
        }
        qnt_tensor *flat = TENSOR(x, QNT_FLOAT, 32, shape[0], shape[1], shape[2]);
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, &sx.view.t));
        if (spec.method == QNT_SRQ && weights) set(t, QNT_P_STEP, i);
        OK(qnt_trainer_get(c, t, QNT_P_THETA, NULL, 0, &count));
        OK(qnt_trainer_forward(c, t, flat, TENSOR(y, QNT_FLOAT, 32, shape[0], shape[1], shape[2])));
        OK(qnt_trainer_forward(wide, t, &sx.view.t,
                               TENSOR(z, QNT_FLOAT, 32, shape[0], shape[1], shape[2])));
        CHECK_MSG(!memcmp(y, z, n * 4), "method %d, grain %d", spec.method, spec.grain);
        OK(qnt_trainer_backward(c, t, flat, TENSOR(dy, QNT_FLOAT, 32, shape[0], shape[1], shape[2]),
                                TENSOR(dx, QNT_FLOAT, 32, shape[0], shape[1], shape[2]), d1,
                                count));
        OK(qnt_trainer_backward(wide, t, &sx.view.t, &sdy.view.t,
                                TENSOR(dz, QNT_FLOAT, 32, shape[0], shape[1], shape[2]), d2,
                                count));
        CHECK(!memcmp(dx, dz, n * 4));
        CHECK_MSG(!memcmp(d1, d2, count * sizeof *d1),
                  "method %d signed %d bits %d grain %d axis %d shape %d %d %d count %zu",
                  spec.method, weights, spec.bits, spec.grain, spec.axis, (int)shape[0],
                  (int)shape[1], (int)shape[2], count);
        memcpy(dz, dy, n * 4); /* in place */
        OK(qnt_trainer_backward(c, t, flat, TENSOR(dz, QNT_FLOAT, 32, shape[0], shape[1], shape[2]),
                                TENSOR(dz, QNT_FLOAT, 32, shape[0], shape[1], shape[2]), NULL, 0));
        CHECK(!memcmp(dx, dz, n * 4));
        memcpy(z, x, n * 4);
        OK(qnt_trainer_forward(c, t, TENSOR(z, QNT_FLOAT, 32, shape[0], shape[1], shape[2]),
                               TENSOR(z, QNT_FLOAT, 32, shape[0], shape[1], shape[2])));
        CHECK(!memcmp(y, z, n * 4));
        strided_free(&sx), strided_free(&sdy), qnt_trainer_destroy(t);
    }
    qnt_context_destroy(wide);
    qnt_pool_destroy(pool);
}

/* Numbers so far outside of the grid, and noise so small, that no cell has any mass in double
 * precision: they go to the end of the grid, and gradients stay finite. */
static void no_mass(void)
{
    static float x[N], y[N], dy[N], dx[N];
    static double theta[MOST_THETA], dtheta[MOST_THETA];
    for (int i = 0; i < ROUNDS(40); i++) {
        const bool weights = i % 2, samples = i / 2 % 2;
        qnt_spec spec = spec_of(samples ? 8 : 9, weights, (int)random_in(2, 8));
        if (i / 4 % 2) spec.flags |= QNT_LITERAL;
        fill(x, N, weights);
        qnt_trainer *t = create(spec);
        REQUIRE(t);
        OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, N)));
        size_t count = theta_of(t, theta);
        theta[1] = 0; /* becomes the least noise */
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        theta_of(t, theta);
        CHECK(theta[1] > 0);
        for (int e = 0; e < N; e++) {
            x[e] = (float)((e % 2 ? 1 : -1) * theta[0] * pow(10, 3 + 24 * random_unit()));
            dy[e] = (float)random_gauss();
        }
        OK(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
        OK(qnt_trainer_backward(c, t, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(dy, QNT_FLOAT, 32, N),
                                TENSOR(dx, QNT_FLOAT, 32, N), dtheta, count));
        const double low = weights ? -(1 << (spec.bits - 1)) : 0,
                     high = weights ? (1 << (spec.bits - 1)) - 1 : (1 << spec.bits) - 1;
        for (int e = 0; e < N; e++) {
            double end = theta[0] * (e % 2 ? high : low);
            CHECK_MSG(fabs((double)y[e] - end) <= 1e-6 * fabs(end), "%g gave %g, expected %g",
                      (double)x[e], (double)y[e], end);
            CHECK(fabsf(dx[e]) <= 1e-6f);
        }
        for (size_t k = 0; k < count; k++) CHECK(isfinite(dtheta[k]));
        qnt_trainer_destroy(t);
    }
}

static int32_t cancel(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

/* Numbers that no quantizer can use become legal ones, which are kept as they are when they are set
 * again: a training that goes on from them goes on the same. What is computed with them is finite. */
static void wild_numbers(void)
{
    static const double wild[] = {0.0,   -1.0,   1e-310,  1e-45, 0.5,    1.0,    100.0,   1e10,
                                  -1e10, 3.4e38, -3.4e38, 1e300, -1e300, 1e-300, 1.7e308, -1.7e308};
    static double theta[MOST_THETA], again[MOST_THETA], gradient[MOST_THETA];
    float x[N], y[N], dy[N], dx[N];
    for (int i = 0; i < ROUNDS(1000); i++) {
        const bool weights = random_in(0, 1);
        qnt_spec spec = spec_of(i % KINDS, weights, (int)random_in(1, 8));
        if (random_in(0, 1)) spec.flags |= QNT_LITERAL;
        qnt_trainer *t = create(spec);
        fill(x, N, weights);
        for (int e = 0; e < N; e++) dy[e] = (float)random_gauss();
        for (int e = 0; e < N; e += 5) x[e] = dy[e] = (float)random_in(-3, 3) * 1e38f;
        OK(qnt_trainer_start(c, t, flat(x)));
        const size_t count = theta_of(t, theta);
        for (size_t k = 0; k < count; k++)
            if (random_in(0, 2)) theta[k] = wild[random_in(0, sizeof wild / sizeof *wild - 1)];
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        theta_of(t, theta);
        for (size_t k = 0; k < count; k++) REQUIRE(isfinite(theta[k]));
        OK(qnt_trainer_set(c, t, QNT_P_THETA, theta, count));
        theta_of(t, again);
        CHECK_MSG(!memcmp(theta, again, count * sizeof *theta), "method %d, %d bits", spec.method,
                  spec.bits);

        OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
        OK(qnt_trainer_backward(c, t, flat(x), flat(dy), flat(dx), gradient, count));
        bool sound = true;
        for (int e = 0; e < N; e++) sound = sound && isfinite(y[e]) && !isnan(dx[e]);
        for (size_t k = 0; k < count; k++) sound = sound && isfinite(gradient[k]);
        CHECK_MSG(sound, "method %d, %d bits, flags %d", spec.method, spec.bits, spec.flags);
        set(t, QNT_P_HARD, 1.0);
        OK(qnt_trainer_forward(c, t, flat(x), flat(y)));
        for (int e = 0; e < N; e++) sound = sound && isfinite(y[e]);
        CHECK_MSG(sound, "method %d, %d bits, flags %d, hard", spec.method, spec.bits, spec.flags);
        qnt_trainer_destroy(t);
    }
}

static void bad_input(void)
{
    static float x[N], y[N];
    static double theta[MOST_THETA], now[MOST_THETA];
    qnt_trainer *t = NULL;
    qnt_spec spec = spec_of(0, true, 4);
    fill(x, N, true);
    qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, N), *ty = TENSOR(y, QNT_FLOAT, 32, N);
    spec.method = QNT_MSE;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "one that trains");
    spec.method = QNT_LSQ, spec.scheme = QNT_TABLE;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "scheme is 3, expected QNT_AFFINE (0)");
    spec.scheme = QNT_AFFINE, spec.bits = 1;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "bits is 1");
    spec.bits = 9;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "bits is 9");
    spec.bits = 4, spec.flags = QNT_DYNAMIC;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_UNSUPPORTED, "flags");
    spec.flags = QNT_SIGNED, spec.grain = QNT_PER_BLOCK;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "block is 0");
    spec.grain = QNT_PER_TENSOR, spec.block = 4;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "block is 4");
    qnt_spec positive = {.size = sizeof positive, .scheme = QNT_TABLE, .method = QNT_BALANCED};
    FAILS(qnt_trainer_create(c, &positive, &t), QNT_E_UNSUPPORTED, "weights");
    spec.block = 0, spec.points = 1;
    FAILS(qnt_trainer_create(c, &spec, &t), QNT_E_INVALID, "points");
    CHECK(!t);

    spec = spec_of(7, true, 2);
    t = create(spec);
    size_t count;
    qnt_quantizer *q = NULL;
    FAILS(qnt_trainer_forward(c, t, tx, ty), QNT_E_STATE, "start");
    FAILS(qnt_trainer_backward(c, t, tx, ty, NULL, NULL, 0), QNT_E_STATE, "start");
    FAILS(qnt_trainer_export(c, t, NULL, &q), QNT_E_STATE, "start");
    FAILS(qnt_trainer_get(c, t, QNT_P_THETA, NULL, 0, &count), QNT_E_STATE, "start");
    double level[] = {1, 1, 2}, number = 0;
    FAILS(qnt_trainer_set(c, t, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "increase");
    FAILS(qnt_trainer_set(c, t, QNT_P_LEVELS, level, 5), QNT_E_INVALID, "2 to 4");
    level[0] = 0.5;
    FAILS(qnt_trainer_set(c, t, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "integers");
    FAILS(qnt_trainer_set(c, t, QNT_P_TEMPERATURE, &number, 1), QNT_E_INVALID, "above 0");
    number = -1;
    FAILS(qnt_trainer_set(c, t, QNT_P_TEMPERATURE, &number, 1), QNT_E_INVALID, "above 0");
    FAILS(qnt_trainer_set(c, t, QNT_P_STEP, &number, 1), QNT_E_INVALID, "expected 0");
    number = 1.5;
    FAILS(qnt_trainer_set(c, t, QNT_P_STEP, &number, 1), QNT_E_INVALID, "whole");
    FAILS(qnt_trainer_set(c, t, 999, &number, 1), QNT_E_INVALID, "999");
    x[7] = NAN;
    FAILS(qnt_trainer_start(c, t, tx), QNT_E_INVALID, "element 7");
    x[7] = INFINITY;
    FAILS(qnt_trainer_start(c, t, tx), QNT_E_INVALID, "element 7");
    x[7] = 0;
    FAILS(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, 0)), QNT_E_SHAPE, "no elements");
    OK(qnt_context_set_progress(c, cancel, NULL));
    CHECK(qnt_trainer_start(c, t, tx) == QNT_E_CANCELLED);
    FAILS(qnt_trainer_get(c, t, QNT_P_THETA, NULL, 0, &count), QNT_E_STATE, "start");
    OK(qnt_context_set_progress(c, NULL, NULL));
    OK(qnt_trainer_start(c, t, tx));
    count = theta_of(t, theta);
    OK(qnt_context_set_progress(c, cancel, NULL)); /* what was there stays */
    x[0] += 5;
    CHECK(qnt_trainer_start(c, t, tx) == QNT_E_CANCELLED);
    OK(qnt_context_set_progress(c, NULL, NULL));
    theta_of(t, now);
    CHECK(!memcmp(theta, now, count * sizeof *theta));
    FAILS(qnt_trainer_set(c, t, QNT_P_LEVELS, level, 3), QNT_E_STATE, "started");
    FAILS(qnt_trainer_set(c, t, QNT_P_THETA, theta, count - 1), QNT_E_INVALID, "count");
    FAILS(qnt_trainer_get(c, t, QNT_P_THETA, now, count - 1, &count), QNT_E_SPACE, "capacity");
    count = theta_of(t, theta);
    memcpy(now, theta, sizeof now);
    now[1] = NAN;
    FAILS(qnt_trainer_set(c, t, QNT_P_THETA, now, count), QNT_E_INVALID, "number 1");
    theta_of(t, now);
    CHECK(!memcmp(theta, now, count * sizeof *theta));
    now[0] = -5, now[2] = 3; /* become legal */
    OK(qnt_trainer_set(c, t, QNT_P_THETA, now, count));
    theta_of(t, now);
    CHECK(now[0] > 0 && now[3] >= now[2]);

    number = 7;
    OK(qnt_trainer_set(c, t, QNT_P_STEP, &number, 1));
    number = 6;
    FAILS(qnt_trainer_set(c, t, QNT_P_STEP, &number, 1), QNT_E_INVALID, "");
    OK(qnt_trainer_get(c, t, QNT_P_STEP, &number, 1, &count));
    CHECK(number == 7);
    count = theta_of(t, theta);

    static float dy[N], dx[N];
    static double dtheta[MOST_THETA];
    memset(dx, 1, sizeof dx), memset(dtheta, 1, sizeof dtheta);
    static float dx_before[N];
    static double dtheta_before[MOST_THETA];
    memcpy(dx_before, dx, sizeof dx), memcpy(dtheta_before, dtheta, sizeof dtheta);
    dy[N - 1] = NAN;
    qnt_tensor *tdy = TENSOR(dy, QNT_FLOAT, 32, N), *tdx = TENSOR(dx, QNT_FLOAT, 32, N);
    FAILS(qnt_trainer_backward(c, t, tx, tdy, tdx, dtheta, count), QNT_E_INVALID, "dy: element");
    dy[N - 1] = 0;
    FAILS(qnt_trainer_backward(c, t, tx, tdy, tdx, dtheta, count + 1), QNT_E_INVALID, "count");
    FAILS(qnt_trainer_backward(c, t, tx, TENSOR(dy, QNT_FLOAT, 32, N - 1), tdx, dtheta, count),
          QNT_E_SHAPE, "dy");
    FAILS(qnt_trainer_backward(c, t, tx, tdy, TENSOR(dy + 1, QNT_FLOAT, 32, N - 1), dtheta, count),
          QNT_E_SHAPE, "dx");
    FAILS(qnt_trainer_backward(c, t, tx, NULL, tdx, dtheta, count), QNT_E_INVALID, "dy");
    CHECK(!memcmp(dx_before, dx, sizeof dx) && !memcmp(dtheta_before, dtheta, sizeof dtheta));
    FAILS(qnt_trainer_forward(c, t, tx, TENSOR(y, QNT_FLOAT, 32, N - 1)), QNT_E_SHAPE, "y");
    FAILS(qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, N - 1),
                              TENSOR(x + 1, QNT_FLOAT, 32, N - 1)),
          QNT_E_INVALID, "overlaps");
    qnt_trainer_destroy(t);

    spec = spec_of(0, true, 4);
    spec.grain = QNT_PER_AXIS;
    t = create(spec);
    OK(qnt_trainer_start(c, t, TENSOR(x, QNT_FLOAT, 32, 4, 10)));
    FAILS(
        qnt_trainer_forward(c, t, TENSOR(x, QNT_FLOAT, 32, 5, 10), TENSOR(y, QNT_FLOAT, 32, 5, 10)),
        QNT_E_SHAPE, "5 groups");
    qnt_trainer_destroy(t);
    t = create(spec_of(9, true, 4));
    OK(qnt_trainer_start(c, t, tx));
    number = 0.5;
    FAILS(qnt_trainer_set(c, t, QNT_P_KEEP, &number, 1), QNT_E_STATE, "started");
    qnt_trainer_destroy(t);
    t = create(spec_of(3, true, 4)); /* weights of DoReFa decide the thresholds */
    OK(qnt_trainer_start(c, t, tx));
    FAILS(qnt_trainer_export(c, t, NULL, &q), QNT_E_INVALID, "x");
    OK(qnt_context_set_progress(c, cancel, NULL)); /* steps do not ask */
    OK(qnt_trainer_forward(c, t, tx, ty));
    OK(qnt_trainer_backward(c, t, tx, tdy, tdx, NULL, 0));
    OK(qnt_context_set_progress(c, NULL, NULL));
    memset(x, 0, sizeof x); /* no spread, nothing to divide by */
    OK(qnt_trainer_export(c, t, tx, &q));
    qnt_quantizer_destroy(q);
    qnt_trainer_destroy(t);
    for (int k = 0; k < 2 * KINDS; k++) { /* all zero and huge tensors start and run */
        for (int e = 0; e < N; e++) dy[e] = (float)(e % 5 - 2);
        for (int e = 0; e < N; e++) x[e] = k / KINDS ? 3e38f * (float)(e % 3 - 1) : 0;
        t = create(spec_of(k % KINDS, k % 2, 4));
        OK(qnt_trainer_start(c, t, tx));
        OK(qnt_trainer_forward(c, t, tx, ty));
        for (int e = 0; e < N; e++)
            CHECK_MSG(isfinite(y[e]), "method %d, signed %d: %g became %g", t->spec.method, k % 2,
                      (double)x[e], (double)y[e]);
        count = theta_of(t, theta);
        OK(qnt_trainer_backward(c, t, tx, tdy, tdx, dtheta, count));
        for (size_t i = 0; i < count; i++) CHECK(isfinite(dtheta[i]));
        qnt_trainer_destroy(t);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(deployed);
    RUN(formulas);
    RUN(gradients);
    RUN(maximum);
    RUN(samples);
    RUN(limits);
    RUN(schedules);
    RUN(learned_bits);
    RUN(learns);
    RUN(views);
    RUN(no_mass);
    RUN(wild_numbers);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
