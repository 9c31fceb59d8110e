/*
 * QNT_ANALYTIC: the best clipping of a density fitted to the data (ACIQ type: Banner, Nahshan and
 * Soudry, "Post training 4-bit quantization of convolutional networks for rapid-deployment", 2019).
 *
 * The densities have mean 0 and unit parameter: Gauss by its standard deviation, Laplace by its
 * mean magnitude. Tail moments: M0(t) = int_t^inf f, M1(t) = int_t^inf x f. The reach of a
 * quantizer is its outermost level.
 */
#include "methods.h"

#include <float.h>
#include <math.h>

enum density { GAUSS, LAPLACE };

static const double pi = 3.14159265358979323846, e = 2.71828182845904523536;

/* Where shared numbers are: reaches of both densities, two-sided and, after a ReLU, one-sided. */
enum { TWO_SIDED = 0, ONE_SIDED = 2 };

static double tail_mass(enum density density, double t)
{
    return density == GAUSS ? erfc(t / sqrt(2)) / 2 : exp(-t) / 2;
}

static double tail_moment(enum density density, double t)
{
    return density == GAUSS ? exp(-t * t / 2) / sqrt(2 * pi) : (1 + t) * exp(-t) / 2;
}

/*
 * The expected squared error D of uniform levels has, by the envelope theorem, D'(step) / 2 =
 * step B - A with A = sum (l_k - l_(k-1)) M1(t_k step), B = sum (l_k^2 - l_(k-1)^2) M0(t_k step),
 * where t_k is midway between the levels l_(k-1) and l_k in steps. The first level is 0 or, if the
 * number of levels is even, 1/2. This is ln(step B / A), which has the sign of D'.
 */
static double slope(enum density density, double first, double last, double step)
{
    double a = first * tail_moment(density, 0), b = first * first * tail_mass(density, 0);
    for (double t = first + 0.5; t < last; t++) {
        a += tail_moment(density, t * step);
        b += 2 * t * tail_mass(density, t * step);
    }
    return log(step * b / a);
}

/* The reach of the step with slope 0: there is one, since D falls, then rises. Found by false
 * position (Illinois form) over the logarithm of the reach. */
static double best_reach(enum density density, double first, double last)
{
    double low = log(0.25), high = log(64), x = low, before;
    double at_low = slope(density, first, last, exp(low) / last);
    double at_high = slope(density, first, last, exp(high) / last);
    int side = 0;
    do {
        before = x;
        x = (low * at_high - high * at_low) / (at_high - at_low);
        double here = slope(density, first, last, exp(x) / last);
        if (here < 0) {
            low = x;
            at_low = here;
            at_high = side < 0 ? at_high / 2 : at_high;
            side = -1;
        } else {
            high = x;
            at_high = here;
            at_low = side > 0 ? at_low / 2 : at_low;
            side = 1;
        }
    } while (fabs(x - before) > 1e-9);
    return exp(x);
}

/* The clip a of the paper: 2^bits regions of width 2 a / 2^bits make the noise a^2 / (3 4^bits);
 * with the clipping error, M1(a) - a M0(a) = a / (6 4^bits). For Laplace this is a = W(3
 * 4^bits). */
static double literal_reach(enum density density, int bits)
{
    double low = 0, high = 64, noise = ldexp(6, 2 * bits);
    for (int i = 0; i < 64; i++) {
        double a = (low + high) / 2;
        double gain = tail_moment(density, a) - a * tail_mass(density, a) - a / noise;
        if (gain > 0) low = a;
        else high = a;
    }
    return low;
}

size_t qnt__fit_analytic_scratch(const qnt_quantizer *quantizer, size_t n)
{
    return quantizer->spec.scheme == QNT_TABLE ? qnt__fit_own_levels_scratch(quantizer, n) : 0;
}

void qnt__prepare_analytic(const qnt_quantizer *quantizer, double shared[QNT__SHARED])
{
    const qnt_spec *spec = &quantizer->spec;
    if (spec->scheme == QNT_TABLE) {
        qnt__prepare_levels(quantizer, shared);
        return;
    }
    int32_t first = qnt__code_low(spec), last = qnt__code_high(spec);
    int32_t above = last - qnt__zero_default(spec);
    for (enum density d = GAUSS; d <= LAPLACE; d++) {
        if (spec->flags & QNT_LITERAL) {
            shared[TWO_SIDED + d] = literal_reach(d, spec->bits);
            shared[ONE_SIDED + d] = literal_reach(d, spec->bits + 1);
        } else if (spec->flags & QNT_SYMMETRIC) {
            shared[TWO_SIDED + d] = best_reach(d, 0, above > 1 ? above : 1);
        } else {
            double middle = (last - first) / 2.0;
            shared[TWO_SIDED + d] = best_reach(d, middle - floor(middle), middle);
            shared[ONE_SIDED + d] = best_reach(d, 0, last - first);
        }
    }
}

/* Standard deviation and mean magnitude around a centre. */
struct spread {
    double gauss, laplace;
};

static struct spread spread_around(const struct qnt__group_data *data, double centre)
{
    double square = data->within, magnitude = 0;
    for (size_t i = 0; i < data->n; i++) {
        double d = (double)data->values[i] - centre, h = data->weights ? data->weights[i] : 1;
        square += h * d * d;
        magnitude += h * fabs(d);
    }
    return (struct spread){sqrt(square / data->moments->weight), magnitude / data->moments->weight};
}

/* Zeros cost nothing after a ReLU: only positive values shape the fit. */
static struct spread spread_of_positive(const struct qnt__moments *m)
{
    double weight = m->weight - m->zero_weight;
    return (struct spread){sqrt(m->square_sum / weight), m->sum / weight};
}

/* The likelier density; per value, ln L is -ln(s sqrt(2 pi e)) for Gauss and -ln(2 e b) for
 * Laplace. */
static enum density choose(const qnt_quantizer *quantizer, const struct spread *s)
{
    if (quantizer->options.distribution != 0) {
        return quantizer->options.distribution == 1 ? GAUSS : LAPLACE;
    }
    return s->gauss * sqrt(2 * pi * e) <= s->laplace * 2 * e ? GAUSS : LAPLACE;
}

/* A range in float32, not beyond the data unless literal. */
static void fit_clipped(const qnt_spec *spec, const struct qnt__moments *m, double low, double high,
                        struct qnt__group_fit *fit)
{
    bool literal = spec->flags & QNT_LITERAL;
    low = fmax(low, literal ? -FLT_MAX : (double)m->min);
    high = fmin(high, literal ? FLT_MAX : (double)m->max);
    qnt__fit_range(spec, (float)low, (float)high, fit);
}

void qnt__fit_analytic(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                       struct qnt__group_fit *fit)
{
    const qnt_spec *spec = &quantizer->spec;
    const struct qnt__moments *m = data->moments;
    if (spec->scheme == QNT_TABLE) {
        qnt__fit_own_levels(quantizer, data, fit);
        return;
    }
    bool symmetric = spec->flags & QNT_SYMMETRIC;
    bool one_sided = !symmetric && m->min >= 0 && !(spec->flags & QNT_REAL_OFFSET);
    double centre = symmetric || one_sided ? 0 : m->sum / m->weight;
    struct spread s = one_sided ? spread_of_positive(m)
                      : symmetric ? (struct spread){sqrt(m->square_sum / m->weight),
                                                    m->abs_sum / m->weight}
                                  : spread_around(data, centre);
    enum density density = choose(quantizer, &s);
    double reach = data->shared[(one_sided ? ONE_SIDED : TWO_SIDED) + (int)density] *
                   (density == GAUSS ? s.gauss : s.laplace);

    if (!(reach > 0)) qnt__fit_range(spec, m->min, m->max, fit); /* constant or all zero */
    else if (one_sided) fit_clipped(spec, m, 0, reach, fit);
    else fit_clipped(spec, m, centre - reach, centre + reach, fit);
}
