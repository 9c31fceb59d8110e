/*
 * QNT_STAIRCASE: Quantization Networks (Yang et al. 2019).
 *
 * With levels Y_0 < ... < Y_n, gaps s_i = Y_i - Y_{i-1} and biases b_i,
 *
 *     soft:  Q(x) = alpha (Y_0 + sum s_i sigma(T (beta x - b_i)))
 *     hard:  the same with a step that is 1 above 0 in place of sigma(T u)
 *
 * The gradients are those of the soft form: with g_i = sigma(T (beta x - b_i)) and h = sum s_i g_i
 * (1 - g_i)
 *
 *     dQ/dx = alpha beta T h    dQ/dbeta = alpha T x h    dQ/dalpha = Q / alpha
 *     dQ/db_i = -alpha T s_i g_i (1 - g_i)
 *
 * The paper's eq. 8 to 11 say this only if its g stands for alpha s_i sigma. QNT_LITERAL follows
 * the authors' program instead: arguments of sigma are kept within 10, and the slope of weights is
 * that of temperature 1 times T, wider than the function's own, which lets weights move between the
 * steps; T of weights stays below 2000.
 */
#include "base/arith.h"
#include "quantizer/levels.h"
#include "rows.h"
#include "sigmoid.h"

enum { ALPHA = 0, BETA = 1, BIAS = 2, BEYOND = 40 /* sigma is 0 or 1 to double precision */ };

static const double clamp_argument = 10.0, most_temperature = 2000.0, middle_bias = 0.05;

/* Symmetric around 0, with one level less than there are codes; 1 bit: -1 and 1. Activations: 0 and
 * up. */
QNT__TRAIN_LEVELS(staircase)
{
    const bool weights = spec->flags & QNT_SIGNED;
    const int32_t count = weights && spec->bits > 1 ? (1 << spec->bits) - 1 : 1 << spec->bits;
    const double step = weights && spec->bits == 1 ? 2.0 : 1.0;
    const double first = weights ? -0.5 * step * (count - 1) : 0.0;
    for (int32_t i = 0; i < count; i++) level[i] = first + step * i;
    return count;
}

QNT__TRAIN_COUNT(staircase)
{
    return BIAS + (size_t)trainer->levels - 1;
}

static size_t sorted_bytes(size_t n)
{
    size_t bytes = qnt__sort_bytes(n);
    return bytes > SIZE_MAX - 64 ? SIZE_MAX : qnt__round_up(bytes, 64);
}

size_t qnt__staircase_space(const qnt_trainer *trainer, size_t n)
{
    size_t bytes;
    if (!(trainer->spec.flags & QNT_LITERAL))
        return qnt__train_best_scale_bytes(trainer->levels, n);
    return qnt__add(sorted_bytes(n), qnt__kmeans_bytes(n, trainer->levels), &bytes) ? bytes
                                                                                    : SIZE_MAX;
}

/* As published (3.3): the range of beta x is 5/4 of that of the levels, biases lie half way between
 * the centres of an exact k-means, and weights have the two about 0 at -+0.05. */
static void start_literal(const qnt_trainer *trainer, const float *x, size_t n, void *space,
                          double *theta)
{
    const int32_t levels = trainer->levels, steps = levels - 1;
    double most = 0.0, centre[QNT__LEVELS];
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)x[i]));
    double range = fmax(fabs(trainer->level[0]), fabs(trainer->level[steps]));
    theta[BETA] = most > 0.0 ? 1.25 * range / most : 1.0;
    theta[ALPHA] = 1.0 / theta[BETA];

    struct qnt__sorted sorted;
    qnt__sort(x, NULL, n, QNT__SIGNED, space, &sorted);
    qnt__kmeans(&sorted, levels, (char *)space + sorted_bytes(n), centre);
    for (int32_t i = 0; i < steps; i++)
        theta[BIAS + i] = theta[BETA] * 0.5 * (centre[i] + centre[i + 1]);
    if (!(trainer->spec.flags & QNT_SIGNED)) return;
    if (steps % 2 == 1) {
        theta[BIAS + steps / 2] = 0.0;
    } else {
        theta[BIAS + steps / 2 - 1] = -middle_bias;
        theta[BIAS + steps / 2] = middle_bias;
    }
}

/* Alpha of provably least squared error, 1 / beta, and biases half way between the levels: the soft
 * steps start around a quantizer that is already good, which few steps of training need. */
QNT__TRAIN_START(staircase)
{
    if (trainer->spec.flags & QNT_LITERAL) {
        start_literal(trainer, x, n, space, theta);
        return;
    }
    theta[ALPHA] = qnt__train_best_scale(trainer->level, trainer->levels, x, n, space);
    theta[BETA] = 1.0 / theta[ALPHA];
    for (int32_t i = 0; i < trainer->levels - 1; i++)
        theta[BIAS + i] = 0.5 * (trainer->level[i] + trainer->level[i + 1]);
}

QNT__TRAIN_PROJECT(staircase)
{
    theta[ALPHA] = qnt__train_within(theta[ALPHA], QNT__TRAIN_LEAST, QNT__TRAIN_MOST);
    theta[BETA] = qnt__train_within(theta[BETA], QNT__TRAIN_LEAST, QNT__TRAIN_MOST);
    for (int32_t i = 1; i < trainer->levels - 1; i++)
        theta[BIAS + i] = fmax(theta[BIAS + i], theta[BIAS + i - 1]);
}

QNT__TRAIN_SCALE(staircase)
{
    return pass->theta[ALPHA];
}

QNT__TRAIN_RANK(staircase)
{
    int32_t rank = 0;
    const double u = pass->theta[BETA] * x;
    while (rank < pass->trainer->levels - 1 && u > pass->theta[BIAS + rank]) rank++;
    return rank;
}

static double temperature_of(const struct qnt__pass *pass)
{
    const int32_t both = QNT_LITERAL | QNT_SIGNED;
    bool capped = (pass->trainer->spec.flags & both) == both;
    return capped ? fmin(pass->temperature, most_temperature) : pass->temperature;
}

/* sigma(T u) as the forward pass has it. */
static double soft_step(bool literal, double temperature, double u)
{
    double v = temperature * u;
    if (literal) v = fmin(fmax(v, -clamp_argument), clamp_argument);
    return v > BEYOND ? 1.0 : v < -BEYOND ? 0.0 : qnt__sigmoid(v);
}

/* The sum of the levels, without alpha. */
static double soft_level(const struct qnt__pass *pass, double temperature, double x)
{
    const qnt_trainer *t = pass->trainer;
    const bool literal = t->spec.flags & QNT_LITERAL;
    double sum = t->level[0], u = pass->theta[BETA] * x;
    for (int32_t i = 0; i < t->levels - 1; i++) {
        double gap = t->level[i + 1] - t->level[i];
        sum += gap * soft_step(literal, temperature, u - pass->theta[BIAS + i]);
    }
    return sum;
}

/* Soft steps may pass the value they stand for, and with it the largest float. */
QNT__TRAIN_FORWARD(staircase)
{
    const double temperature = temperature_of(pass), most = (double)FLT_MAX;
    for (size_t i = 0; i < span->n; i++) {
        double value = pass->theta[ALPHA] * soft_level(pass, temperature, (double)x[i]);
        y[i] = (float)fmin(fmax(value, -most), most);
    }
}

QNT__TRAIN_BACKWARD(staircase)
{
    const qnt_trainer *t = pass->trainer;
    const bool literal = t->spec.flags & QNT_LITERAL, weights = t->spec.flags & QNT_SIGNED;
    const double temperature = temperature_of(pass),
                 slope_at = literal && weights ? 1.0 : temperature;
    const double alpha = pass->theta[ALPHA], beta = pass->theta[BETA];
    for (size_t e = 0; e < span->n; e++) {
        double v = (double)x[e], g = (double)dy[e], slope = 0.0;
        for (int32_t i = 0; i < t->levels - 1; i++) {
            double s = soft_step(literal, slope_at, beta * v - pass->theta[BIAS + i]);
            double h = temperature * (t->level[i + 1] - t->level[i]) * s * (1.0 - s);
            dtheta[BIAS + i] -= g * alpha * h;
            slope += h;
        }
        dtheta[ALPHA] += g * soft_level(pass, temperature, v);
        dtheta[BETA] += g * alpha * v * slope;
        dx[e] = (float)(g * alpha * beta * slope);
    }
}
