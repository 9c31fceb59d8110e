/* Sorting of values with weights against the plainest sort there is, at lengths where the way changes. */
#include "check.h"
#include "quantizer/sort.h"

enum { MOST = 3000 };

/* Any finite float, few different ones, or nearly equal ones; zeros of both signs. */
static float value(int kind)
{
    static const float few[] = {-0.0f, 0.0f, -1.0f, 1.0f, -INFINITY, INFINITY, 1e-45f, -3e38f};
    const uint32_t bits = (uint32_t)random_u64();
    float x;
    if (kind == 0) return few[random_in(0, 7)];
    if (kind == 1) return 1.0f + 0x1p-23f * (float)random_in(0, 300);
    memcpy(&x, &bits, sizeof x);
    return isfinite(x) ? x : 0.0f;
}

/* Stable: weights say where a value was. */
static void sort_plainly(float *x, double *h, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const float now = x[i];
        const double weight = h[i];
        size_t at = i;
        for (; at > 0 && x[at - 1] > now; at--) x[at] = x[at - 1], h[at] = h[at - 1];
        x[at] = now, h[at] = weight;
    }
}

static void sorted(void)
{
    static const size_t lengths[] = {0, 1, 2, 48, 49, 255, 256, 257, 1023, 1024, 1025, MOST};
    static float x[MOST], y[MOST], alone[MOST];
    static double h[MOST], g[MOST];
    for (int turn = 0; turn < 36; turn++) {
        const size_t n = lengths[turn / 3];
        guarded space = guard(qnt__sort_scratch(n, true), true);
        guarded less = guard(qnt__sort_scratch(n, false), true);
        for (size_t i = 0; i < n; i++)
            x[i] = y[i] = alone[i] = value(turn % 3), h[i] = g[i] = (double)i;
        sort_plainly(x, h, n);
        qnt__sort_f32(y, g, n, space.data);
        qnt__sort_f32(alone, NULL, n, less.data);
        CHECK_MSG(!memcmp(x, y, n * sizeof *x) && !memcmp(h, g, n * sizeof *h), "%zu values", n);
        CHECK_MSG(!memcmp(x, alone, n * sizeof *x), "%zu values", n);
        unguard(&space), unguard(&less);
    }
}

static void scratch(void)
{
    for (size_t n = 0; n <= 256; n++) CHECK(qnt__sort_scratch(n, false) <= QNT__SORT_256);
    CHECK(qnt__sort_scratch(SIZE_MAX / 4, true) == SIZE_MAX);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(sorted);
    RUN(scratch);
    return DONE;
}
