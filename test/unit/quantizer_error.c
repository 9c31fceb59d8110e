/* qnt_quantizer_error against a plain double loop over decoded values. */
#include "check.h"

enum { A = 70, B = 130, COUNT = A * B };

static double set_one(qnt_context *c, qnt_quantizer *q, int param, double value)
{
    CHECK(qnt_quantizer_set(c, q, param, &value, 1) == QNT_OK);
    return value;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static void metrics(void)
{
    qnt_context *c = check_context();
    float *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y), h[B];
    for (int i = 0; i < COUNT; i++) x[i] = (float)random_gauss() * (1 + (float)(i % B) * 0.01f);
    for (int j = 0; j < B; j++) h[j] = (float)random_in(0, 4);
    for (int k = 0; k < 12; k++) {
        qnt_spec spec = {.size = sizeof spec, .method = QNT_MINMAX, .bits = 2 + k % 4 * 2,
                         .grain = k % 3, .axis = k / 3 % 2, .block = k % 3 == 2 ? 32 : 0,
                         .flags = k % 2 ? QNT_DYNAMIC : 0};
        qnt_quantizer *q;
        OK(qnt_quantizer_create(c, &spec, &q));
        qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, A, B), *weights = TENSOR(h, QNT_FLOAT, 32, B);
        if (!(k % 2)) {
            OK(qnt_quantizer_observe(c, q, t, NULL));
            OK(qnt_quantizer_fit(c, q));
        }
        OK(qnt_quantizer_apply(c, q, t, TENSOR(y, QNT_FLOAT, 32, A, B)));
        double w = 0, xx = 0, yy = 0, xy = 0, dd = 0, ax = 0, ad = 0, largest = 0;
        for (int i = 0; i < COUNT; i++) {
            double u = (double)x[i], v = (double)y[i], hi = (double)h[i % B];
            w += hi;
            xx += hi * u * u;
            yy += hi * v * v;
            xy += hi * u * v;
            dd += hi * (u - v) * (u - v);
            ax += hi * fabs(u);
            ad += hi * fabs(u - v);
            if (hi > 0) largest = fmax(largest, fabs(u - v));
        }
        qnt_error e = {.size = sizeof e};
        OK(qnt_quantizer_error(c, q, t, weights, &e));
        CHECK(e.count == COUNT && e.size == sizeof e && e.clipped == 0);
        CHECK(near(e.mse, dd / w) && near(e.sqnr_db, 10 * log10(xx / dd)) && near(e.rmae, ad / ax));
        CHECK(near(e.cosine, xy / sqrt(xx * yy)) && e.largest == largest);
        double groups[] = {1, spec.axis ? B : A, spec.axis ? A * 5 : 3 * B};
        CHECK(near(e.bits, spec.bits + groups[spec.grain] * (32 + spec.bits) / COUNT));
        qnt_quantizer_destroy(q);
    }
    free(x);
    free(y);
    qnt_context_destroy(c);
}

static void special(void)
{
    qnt_context *c = check_context();
    qnt_spec spec = {.size = sizeof spec, .bits = 4, .flags = QNT_SIGNED | QNT_SYMMETRIC};
    qnt_quantizer *q;
    qnt_error e = {.size = sizeof e};
    OK(qnt_quantizer_create(c, &spec, &q));
    float x[] = {8, -8, 7.4f, -8.6f, 3, (float)NAN, (float)INFINITY, 0};
    FAILS(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, 8), NULL, &e), QNT_E_STATE,
          "set QNT_P_SCALE first");
    set_one(c, q, QNT_P_SCALE, 1);
    OK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, 8), NULL, &e));
    CHECK(e.count == 6 && e.largest == 1); /* 8 is stored as 7 */
    CHECK(near(e.clipped, 2.0 / 6));       /* 8 and -8.6; 7.4 rounds to 7 without loss of range */
    CHECK(near(e.bits, 4 + 32.0 / 8));

    float exact[] = {1, -2, 3, 0};
    OK(qnt_quantizer_error(c, q, TENSOR(exact, QNT_FLOAT, 32, 4), NULL, &e));
    CHECK(e.mse == 0 && isinf(e.sqnr_db) && e.sqnr_db > 0 && e.cosine == 1);
    OK(qnt_quantizer_error(c, q, TENSOR(exact, QNT_FLOAT, 32, 0), NULL, &e));
    CHECK(e.count == 0 && e.mse == 0 && e.bits == 0);

    qnt_error before = {.size = sizeof e, .mse = 123}, out = before;
    float bad[] = {1, -1, 1, 1};
    FAILS(qnt_quantizer_error(c, q, TENSOR(exact, QNT_FLOAT, 32, 4), TENSOR(bad, QNT_FLOAT, 32, 4),
                              &out), QNT_E_INVALID, "importance has values that are negative");
    FAILS(qnt_quantizer_error(c, q, NULL, NULL, &out), QNT_E_INVALID, "x is NULL");
    FAILS(qnt_quantizer_error(c, NULL, TENSOR(exact, QNT_FLOAT, 32, 4), NULL, &out), QNT_E_INVALID,
          "quantizer is NULL");
    CHECK(!memcmp(&out, &before, sizeof out));
    FAILS(qnt_quantizer_error(c, q, TENSOR(exact, QNT_FLOAT, 32, 4), NULL, NULL), QNT_E_INVALID,
          "out is NULL");
    out.size = 8;
    FAILS(qnt_quantizer_error(c, q, TENSOR(exact, QNT_FLOAT, 32, 4), NULL, &out), QNT_E_INVALID,
          "out: size is 8, expected at least");
    qnt_quantizer_destroy(q);
    qnt_context_destroy(c);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(metrics);
    RUN(special);
    return DONE;
}
