/* Steps of gradient descent. */
#include "optimizer.h"

#include <math.h>

void step_momentum(float *w, const float *g, float *v, size_t n, double rate, double decay)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = (float)(0.9 * v[i] + g[i] + decay * w[i]);
        w[i] -= (float)(rate * v[i]);
    }
}

void step_adam_floats(float *w, const float *g, float *m, float *v, size_t n, int t, double rate,
                      double decay)
{
    const double correct_m = 1 - pow(0.9, t), correct_v = 1 - pow(0.999, t);
    for (size_t i = 0; i < n; i++) {
        m[i] = (float)(0.9 * m[i] + 0.1 * g[i]);
        v[i] = (float)(0.999 * v[i] + 0.001 * g[i] * g[i]);
        double step = m[i] / correct_m / (sqrt(v[i] / correct_v) + 1e-8);
        w[i] -= (float)(rate * (step + decay * w[i]));
    }
}

void step_adam(double *w, const double *g, double *m, double *v, const double *size, size_t n,
               int t, double rate)
{
    double correct_m = 1 - pow(0.9, t), correct_v = 1 - pow(0.999, t);
    for (size_t i = 0; i < n; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        w[i] -= rate * size[i] * (m[i] / correct_m) / (sqrt(v[i] / correct_v) + 1e-12);
    }
}

double cosine(double share)
{
    return (1 + cos(3.14159265358979 * share)) / 2;
}
