/*
 * K1 and K7 on handwritten digits: how far are products of maps from the kernel, for pairs of
 * patches that learning has not seen? Sigma is the 0.1 quantile of the distances of patches; the
 * errors that were measured before the library existed are met within a fifth.
 */
#include "check.h"
#include "dataset.h"
#include "models.h"

enum { SIDE = 8, PATCH = 9, LEARNED = 1000, PAIRS = 1500, MOST = 128 };

static qnt_context *c;
static struct dataset set;

static int32_t read_image(void *user, uint64_t index, float *image)
{
    (void)user;
    dataset_batch(&set, &digits_input, (int)index, 1, image);
    return 0;
}

static qnt_ckn *learn(int filters, float sigma, int flags)
{
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = 1,
                         .kernel = 3,
                         .filters = filters,
                         .sigma = sigma,
                         .regulariser = flags ? 0 : 1e-6f,
                         .seed = 1,
                         .flags = flags};
    qnt_ckn_data data = {.size = sizeof data,
                         .height = SIDE,
                         .width = SIDE,
                         .images = LEARNED,
                         .patches = 20000,
                         .read = read_image};
    qnt_ckn *ckn = NULL;
    CHECK_MSG(qnt_ckn_create(c, &spec, &ckn) == QNT_OK && qnt_ckn_fit(c, ckn, &data) == QNT_OK,
              "%s", check_reason);
    return ckn;
}

/* A patch of a digit that was not learned from, with ink in it. */
static void draw_patch(float *patch)
{
    float image[SIDE * SIDE], square = 0;
    while (square < 1e-6f) {
        int top = (int)random_in(0, SIDE - 3), left = (int)random_in(0, SIDE - 3);
        dataset_batch(&set, &digits_input, (int)random_in(LEARNED, set.count - 1), 1, image);
        square = 0;
        for (int i = 0; i < PATCH; i++) {
            patch[i] = image[(top + i / 3) * SIDE + left + i % 3];
            square += patch[i] * patch[i];
        }
    }
    for (int i = 0; i < PATCH; i++) patch[i] /= sqrtf(square);
}

static void map_patch(const qnt_ckn *ckn, int filters, float *patch, float *out)
{
    static uint8_t space[1 << 20];
    CHECK_MSG(qnt_ckn_run(c, ckn, TENSOR(patch, QNT_FLOAT, 32, 1, 3, 3, 1),
                          TENSOR(out, QNT_FLOAT, 32, 1, 1, 1, filters), space,
                          sizeof space) == QNT_OK,
              "%s", check_reason);
}

/* Relative root mean square error. */
static double error_of(const qnt_ckn *ckn, int filters)
{
    double error = 0, size = 0;
    check_state = 5;
    for (int i = 0; i < PAIRS; i++) {
        float a[PATCH], b[PATCH], x[MOST], y[MOST];
        double exact = 0, product = 0;
        draw_patch(a), draw_patch(b);
        map_patch(ckn, filters, a, x), map_patch(ckn, filters, b, y);
        CHECK(qnt_ckn_kernel(c, ckn, TENSOR(a, QNT_FLOAT, 32, PATCH),
                             TENSOR(b, QNT_FLOAT, 32, PATCH), &exact) == QNT_OK);
        for (int l = 0; l < filters; l++) product += (double)x[l] * (double)y[l];
        error += (product - exact) * (product - exact), size += exact * exact;
    }
    return sqrt(error / size);
}

static void compare(int filters, float sigma, int flags, double before)
{
    qnt_ckn *ckn = learn(filters, sigma, flags);
    double error = error_of(ckn, filters);
    CHECK_MSG(fabs(error / before - 1) < 0.2, "%d anchors%s: %g, expected %g", filters,
              flags ? ", expansion" : "", error, before);
    qnt_ckn_destroy(ckn);
}

static void errors(void)
{
    static const struct {
        int filters;
        double projection, expansion; /* 0: takes long */
    } before[] = {{16, 0.092, 0.120}, {32, 0.047, 0.068}, {64, 0.017, 0}, {128, 0.007, 0}};
    const int rows = sizeof before / sizeof *before;
    const char *reason = dataset_read_records("examples/data/digits.bin", &digits_form, &set);
    REQUIRE(!reason);
    qnt_ckn_spec found = {.size = sizeof found};
    qnt_ckn *expansion = learn(2, 0, QNT_LITERAL);
    OK(qnt_ckn_describe(c, expansion, &found));
    qnt_ckn_destroy(expansion);
    for (int i = 0; i < CASES(rows); i++) {
        compare(before[i].filters, found.sigma, 0, before[i].projection);
        if (before[i].expansion > 0)
            compare(before[i].filters, found.sigma, QNT_LITERAL, before[i].expansion);
    }
    dataset_free(&set);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(errors);
    qnt_context_destroy(c);
    return DONE;
}
